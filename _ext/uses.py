"""What a page takes from files: it is read again when that has changed, not whenever they have.

A comment in a module that five pages draw from is news to the one page that shows it.
The preview of an edit (PREVIEW=text) shows at once what a page says, with all that it takes from
files as it was before: that follows in a second build.
"""

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

Answer = TypeVar("Answer")

postponed: list[tuple[Callable, tuple]] = []


@dataclass(frozen=True)
class Use:
    """What was answered, and the files (with the time of each) that may change it."""

    answer: Any
    files: dict[Path, int]

    def is_fresh(self) -> bool:
        """Say whether no file has been written since."""
        return all(_modified(path) == then for path, then in self.files.items())


def _modified(path: Path) -> int:
    return path.stat().st_mtime_ns if path.exists() else 0


def _ask(question: Callable, arguments: tuple) -> Use:
    start = time.time_ns()
    answer, files = question(*arguments)
    times = {path: _modified(path) for path in files}
    return Use(answer, {path: then if then < start else -1 for path, then in times.items()})


def use(
    env: BuildEnvironment,
    question: Callable[..., tuple[Answer, Iterable[Path]]],
    *arguments: object,
) -> Answer:
    """Ask a function, for the page that is being read, its answer and the files that decide it.

    The question must be a module's, as it is pickled.  It is not called when none of the files has
    been written since the page was last read.
    """
    key = question, arguments
    former = _former(env).get(env.docname, {}).get(key)
    found = former if former and (is_edit() or former.is_fresh()) else _ask(question, arguments)
    _uses(env).setdefault(env.docname, {})[key] = found
    return found.answer


def is_edit() -> bool:
    """Say whether this build is the preview of an edit, which is to be quick."""
    return os.environ.get("PREVIEW") == "text"


def note_postponed(app: Sphinx, exception: Exception | None) -> None:
    """Remember for the preview which questions, with their arguments, are still to be asked."""
    if is_edit():
        all_uses = _uses(app.env).values()
        postponed[:] = [key for uses in all_uses for key in uses if not uses[key].is_fresh()]


def _uses(env: BuildEnvironment) -> dict[str, dict[tuple, Use]]:
    """Return the uses of each page, which live as long as the environment."""
    return env.__dict__.setdefault("uses", {})


def _former(env: BuildEnvironment) -> dict[str, dict[tuple, Use]]:
    """Return the uses that pages had before they were read again in this build."""
    return env.__dict__.setdefault("former_uses", {})


def changed(app: Sphinx, env: BuildEnvironment, *sets: set[str]) -> list[str]:
    """Name the pages that would be told something else now."""
    if is_edit():
        return []
    return [docname for docname, uses in _uses(env).items() if not _hold(uses)]


def _hold(uses: dict[tuple, Use]) -> bool:
    """Ask again what may have changed."""
    for (question, arguments), then in uses.items():
        if not then.is_fresh():
            try:
                now = _ask(question, arguments)
            except Exception:  # the page will report it
                return False
            if now.answer != then.answer:
                return False
            uses[question, arguments] = now
    return True


def purge(app: Sphinx, env: BuildEnvironment, docname: str) -> None:
    """Set aside what a page used, for it will be read again or is gone."""
    _former(env)[docname] = _uses(env).pop(docname, {})


def merge(
    app: Sphinx, env: BuildEnvironment, docnames: Iterable[str], other: BuildEnvironment
) -> None:
    """Take over what another process has read."""
    _uses(env).update({name: _uses(other)[name] for name in docnames if name in _uses(other)})


def forget(app: Sphinx, env: BuildEnvironment) -> None:
    """Drop what is not to be kept with the environment."""
    _former(env).clear()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Ask at every build."""
    app.connect("env-get-outdated", changed)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    app.connect("env-updated", forget)
    app.connect("build-finished", note_postponed)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
