"""Render formulas while building, by KaTeX, so that a page needs no script to show them.

`katex.min.js` (KaTeX 0.19.1, never shipped to readers) runs in QuickJS, from PyPI's quickjs-ng, so
no machine needs Node; V8 would be faster, but its threads hang in forked workers and at the end of
Python 3.13. A formula KaTeX rejects is a warning at its page and line. Sphinx counts the
equations; KaTeX's own numbers are switched off. A formula is rendered once, whatever page it is on,
and kept until KaTeX or what we ask of it changes.

Readers get KaTeX's fonts; three of them are cut in two by `unicode-range`, so that signs which are
rare here (`-rest.woff2`) cost only the pages that show them.  `_ext.katex_fonts` takes another
version.
"""

import hashlib
import json
import re
from functools import cache
from html import escape
from pathlib import Path

import quickjs
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

from _ext.kept import kept
from _ext.last_good import spoil

logger = logging.getLogger(__name__)

SCRIPT = Path(__file__).with_name("katex.min.js")
CALL = """
function render(tex, options) {
  try { return JSON.stringify({html: katex.renderToString(tex, JSON.parse(options))}) }
  catch (error) { return JSON.stringify({error: error.message}) }
}"""
NUMBERED = re.compile(r"\\(begin|end)\{(equation|align|alignat|gather)\}")


@cache
def _engine() -> quickjs.Object:
    """Start QuickJS with KaTeX and return its `render`."""
    context = quickjs.Context()
    context.eval(SCRIPT.read_text(encoding="utf-8") + CALL)
    return context.get("render")


@cache
def _version() -> str:
    """Tell one KaTeX from another."""
    return hashlib.sha256(SCRIPT.read_bytes()).hexdigest()


@cache
def _render(root: Path, tex: str, display: bool, macros: str) -> dict[str, str]:
    """Return `{"html": …}`, or `{"error": …}` with KaTeX's reason."""
    options = {
        "displayMode": display,
        "macros": json.loads(macros),
        "output": "htmlAndMathml",
        "strict": "error",
        "throwOnError": True,
    }
    source = [_version(), tex, options]
    return kept(root, "katex", source, lambda: json.loads(_engine()(tex, json.dumps(options))))


def _html(self: HTML5Translator, node: nodes.math | nodes.math_block, tex: str) -> str:
    """Render one formula; report one that fails at its place and show its source instead."""
    macros = json.dumps(self.config.katex_macros, sort_keys=True)
    answer = _render(Path(self.builder.srcdir), tex, isinstance(node, nodes.math_block), macros)
    if "html" in answer:
        return answer["html"]
    place = node
    while place.line is None and place.parent is not None:
        place = place.parent
    logger.warning("%s", answer["error"], location=place, type="katex")
    spoil(self.builder.env, self.builder.current_docname)
    return f"<code>{escape(node.astext())}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    """Write an inline formula."""
    self.body.append(self.starttag(node, "span", "", CLASS="math"))
    self.body.append(_html(self, node, node.astext()) + "</span>")
    raise nodes.SkipNode


def displayed(node: nodes.math_block) -> str:
    """Return the source of a displayed formula, of several lines in one, without own numbers."""
    tex = node.astext().strip()
    if node.get("no-wrap", node.get("nowrap", False)):
        return NUMBERED.sub(r"\\\1{\2*}", tex)
    return rf"\begin{{split}}{tex}\end{{split}}" if r"\\" in tex else tex


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    """Write a displayed formula in a box that may scroll, then its number and permalink."""
    self.body.append(self.starttag(node, "div", "", CLASS="math"))
    self.body.append(f'<div class="formula">{_html(self, node, displayed(node))}</div>')
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "此公式的永久链接")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def link_css(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Link KaTeX's style sheet from the pages that have formulas."""
    if context.get("has_maths_elements"):
        app.builder.add_css_file("katex/katex.min.css", priority=300)  # type: ignore[attr-defined]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the renderer; `html_math_renderer = "katex"` selects it."""
    app.add_config_value("katex_macros", {}, "html", dict)
    app.add_html_math_renderer("katex", (visit_math, None), (visit_math_block, None))
    app.connect("html-page-context", link_css)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
