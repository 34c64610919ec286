"""Markup that docutils gets wrong for those who listen to a page: references, empty headers.

The role `doc-biblioentry` is deprecated (DPUB-ARIA 1.1), and no list may hold it; an empty cell is
no header of anything.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator


def visit_citation(self: HTML5Translator, node: nodes.citation) -> None:
    """Open an item of the list that docutils opens before the first reference."""
    HTML5Translator.visit_citation(self, node)
    self.body[-1] = self.body[-1].replace('role="doc-biblioentry"', 'role="listitem"')


def visit_entry(self: HTML5Translator, node: nodes.entry) -> None:
    """Open a cell of a table; one without content is no header."""
    HTML5Translator.visit_entry(self, node)
    if not node.astext().strip():
        self.body[-1] = self.body[-1].replace("<th", "<td", 1)
        self.context[-1] = "</td>\n"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Override how two nodes open."""
    app.add_node(
        nodes.citation, override=True, html=(visit_citation, HTML5Translator.depart_citation)
    )
    app.add_node(nodes.entry, override=True, html=(visit_entry, HTML5Translator.depart_entry))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
