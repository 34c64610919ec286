"""Keeps the last good form of a page that cannot be read or written as it is meant.

A directive that is misspelt, code that does not parse, a figure or a formula that fails: the
message is in the terminal, again at every build, and the reader of the preview goes on seeing the
page as it was.  A page that has no earlier form is written as well as it can be.
"""

import logging
from collections.abc import Set
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.logging import get_node_location
from sphinx.util.typing import ExtensionMetadata

from _ext.uses import is_edit

SYNTAX = {  # of MyST, which calls all of them warnings
    "directive_body",
    "directive_option",
    "directive_parse",
    "directive_unknown",
    "role_unknown",
    "topmatter",
}


def spoil(env: BuildEnvironment, docname: str) -> None:
    """Withhold a page in this build, and have the next one read it again."""
    env.metadata[docname]["spoilt"] = True
    env.reread_always.add(docname)


class Errors(logging.Handler):
    """Spoils the pages on which Sphinx, docutils or MyST find an error."""

    def __init__(self, env: BuildEnvironment) -> None:
        super().__init__()
        self.env = env

    def emit(self, record: logging.LogRecord) -> None:
        """Find the page of a message by its location, whichever form that has."""
        subtype = getattr(record, "subtype", None)
        if record.levelno < logging.ERROR and subtype not in SYNTAX:
            return
        place = getattr(record, "location", None)
        if isinstance(place, nodes.Node):
            place = get_node_location(place)
        if isinstance(place, tuple):
            docname = place[0]
        else:
            docname = self.env.path2doc((place or "").rpartition(":")[0])
        if docname in self.env.found_docs:
            spoil(self.env, docname)


class LastGood(StandaloneHTMLBuilder):
    """The builder `html`, which leaves the pages alone that are spoilt."""

    def handle_page(self, pagename: str, addctx: dict[str, Any], *args: Any, **rest: Any) -> None:
        """Write a page unless a better one is there."""
        spoilt = "spoilt" in self.env.metadata.get(pagename, ())
        if not (spoilt and Path(self.get_output_path(pagename)).exists()):
            super().handle_page(pagename, addctx, *args, **rest)

    def load_indexer(self, docnames: Set[str]) -> None:
        """Load the search index, which the preview of an edit leaves as it is."""
        if not is_edit():
            super().load_indexer(docnames)

    def index_page(self, pagename: str, doctree: nodes.document, title: str) -> None:
        """Add a page to it."""
        if not is_edit():
            super().index_page(pagename, doctree, title)

    def dump_search_index(self) -> None:
        """Write it."""
        if not is_edit():
            super().dump_search_index()


def listen(app: Sphinx) -> None:
    """Hear the messages of this build."""
    logging.getLogger("sphinx").addHandler(Errors(app.env))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take the place of Sphinx's own builder."""
    app.add_builder(LastGood, override=True)
    app.connect("builder-inited", listen)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
