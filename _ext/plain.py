"""Highlights code without an element for what has no colour of its own.

Pygments puts every name, bracket and space into a `<span>`; in the theme's styles those have the
colour of the text around them, and they are more than half of the elements of code.  The box says
of how many lines it is, so that its height is known before it is laid out (site.css).
"""

from collections.abc import Iterable
from typing import IO, Any

from pygments.formatters import HtmlFormatter
from pygments.token import Name, Punctuation, Text, _TokenType
from sphinx.application import Sphinx
from sphinx.highlighting import PygmentsBridge
from sphinx.util.typing import ExtensionMetadata

PLAIN = frozenset({Name, Name.Namespace, Punctuation, Text.Whitespace})


class Plain(HtmlFormatter):
    """Writes coloured tokens as elements, all others as text, and the number of lines."""

    def format(self, tokensource: Iterable[tuple[_TokenType, str]], outfile: IO[Any]) -> None:
        """Write the tokens of one block of code."""
        tokens = [(Text if kind in PLAIN else kind, text) for kind, text in tokensource]
        self.cssstyles = f"--lines: {''.join(text for _, text in tokens).count(chr(10))}"
        super().format(tokens, outfile)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Have Sphinx highlight with it."""
    PygmentsBridge.html_formatter = Plain
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
