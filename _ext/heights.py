"""Writes beside every section about how high it will be, so that a browser can leave it for later.

`site.css` lays out a section when a reader comes near.  Until then the section has the height that
stands in its tag, in pixels at the usual width of a page: near enough that the scroll bar does not
jump.  The lines of code are told exactly, by _ext/plain.py; what a listing will hold is not known
here, and its section is laid out at once.
"""

import unicodedata
from math import ceil

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator
from sphinx_design.dropdown import dropdown_main

from _ext.drawn import drawing
from _ext.listings import template_block

MEASURE = 39  # 汉字 in a line
LINE, GAP = 31, 18  # a line of text, and the space below a paragraph
CODE_LINE, BOX = 16.25, 48  # a line of code, and what is around the code
HEADING, FORMULA, CAPTION, FOLDED = 24, 90, 100, 64
SIGN = 0.35  # how much of a 汉字 a character of TeX is wide, most of them being words of commands


def height(node: nodes.Node) -> float:
    """Estimate how many pixels a part of a page is high."""
    match node:
        case nodes.literal_block():
            return node.astext().count("\n") * CODE_LINE + CODE_LINE + BOX
        case nodes.math_block():
            return FORMULA
        case nodes.title():
            return HEADING
        case nodes.figure():
            drawn = next(iter(node.findall(drawing)), None)
            return CAPTION + (drawn["frames"][0]["height"] if drawn else 0)
        case dropdown_main():
            return FOLDED
        case nodes.paragraph() | nodes.term() | nodes.caption():
            return ceil(_width(node) / MEASURE) * LINE + GAP
        case nodes.row():
            return max(map(height, node.children), default=0)
    return sum(map(height, node.children))


def _width(node: nodes.Node) -> float:
    """Return how many 汉字 a text is as wide as."""
    if isinstance(node, nodes.math):
        return SIGN * len(node.astext())
    if isinstance(node, nodes.Text):
        return sum(1 if unicodedata.east_asian_width(c) in "WFA" else 0.5 for c in node)
    return sum(map(_width, node.children))


def visit_section(self: HTML5Translator, node: nodes.section) -> None:
    """Open a section, with its height unless it is the whole page or holds a listing."""
    HTML5Translator.visit_section(self, node)
    if isinstance(node.parent, nodes.section) and not any(node.findall(template_block)):
        style = f'<section style="--height: {height(node):.0f}px"'
        self.body[-1] = self.body[-1].replace("<section", style, 1)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Override how a section opens."""
    depart = HTML5Translator.depart_section
    app.add_node(nodes.section, override=True, html=(visit_section, depart))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
