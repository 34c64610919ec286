"""The role `{run}`: a number of this page's record, such as {run}`chain.k8.peak:.2f`.

The dotted path leads through the record's results; one that starts with `inputs.` or `versions.`
leads through those.  A Python format may follow a colon.  A path that leads nowhere or to no single
value, and a record that is missing, unreadable or older than its code, are warnings that name the
page and line; the page is read again in the next build.
"""

import hashlib
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole
from sphinx.util.typing import ExtensionMetadata

from _ext.last_good import spoil
from _ext.reached import modules_of
from _ext.uses import use
from snippets.common import records

logger = logging.getLogger(__name__)


def lookup(record: records.Record, path: str) -> Any:
    """Return the number or text at a dotted path.

    Raises: LookupError saying how far the path led and what there is.
    """
    first, *rest = path.split(".")
    value: Any = {"inputs": record.inputs, "versions": record.versions}.get(first)
    keys = rest if value is not None else [first, *rest]
    value = record.results if value is None else value
    for i, key in enumerate(keys):
        if not isinstance(value, dict) or key not in value:
            has = f"has only {', '.join(value)}" if isinstance(value, dict) else "is a leaf"
            raise LookupError(f"no {key!r} here: {'.'.join(keys[:i]) or 'the record'} {has}")
        value = value[key]
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise LookupError(f"{path} is {type(value).__name__}, not a number or a text")
    return value


def state(article: str, root: Path) -> tuple[tuple[str, bool], list[Path]]:
    """Return a hash of an article's record, whether it is older than its code, and their files.

    Raises: RecordError, SyntaxError.
    """
    stale, path = records.is_stale(article, root), records.path_of(article, root)
    files = [path, *modules_of(records.module_of(article), root).values()]
    return (hashlib.sha256(path.read_bytes()).hexdigest(), stale), files


class Run(SphinxRole):
    """{run}`path` or {run}`path:format`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the formatted value as plain text, or the path itself after a warning."""
        path, _, spec = self.text.partition(":")
        shown = self.text
        try:
            record = self._record()
            if record is not None:
                shown = format(lookup(record, path.strip()), spec)
        except (records.RecordError, LookupError, ValueError, SyntaxError) as error:
            self._warn(error)
            spoil(self.env, self.env.docname)
        return [nodes.inline(self.rawtext, shown, classes=["run"])], []

    def _warn(self, fault: object) -> None:
        """Report what is wrong, now and in every build until it is mended."""
        location = (self.env.docname, self.lineno)
        logger.warning("run %s: %s", self.text, fault, location=location, type="run")
        self.env.note_reread()

    def _record(self) -> records.Record | None:
        """Return this page's record; what is wrong with it, but for its age, is raised once."""
        article, root, page = self.env.docname, Path(self.env.srcdir), self.env.current_document
        if "run_record" not in page:
            page["run_record"] = None
            _, stale = use(self.env, state, article, root)
            if stale:
                self.env.metadata[article]["stale_run"] = self.lineno, self.text
            page["run_record"] = records.load(article, root)
        return page["run_record"]


def warn_of_stale(app: Sphinx, env: BuildEnvironment) -> None:
    """Name the records that are older than their code, at every build."""
    for article, data in env.metadata.items():
        if "stale_run" in data:
            line, text = data["stale_run"]
            name = records.path_of(article, Path()).as_posix()
            fault = f"{name} is older than its code; make rerun renews it"
            logger.warning("run %s: %s", text, fault, location=(article, line), type="run")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the role."""
    app.add_role("run", Run())
    app.setup_extension("_ext.uses")
    app.connect("env-updated", warn_of_stale)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
