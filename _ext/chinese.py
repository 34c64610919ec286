"""Chinese text as Chinese readers expect it: no stray spaces, and addresses one can read.

A source line holds one sentence; its end must not show as a space between 汉字.  A heading's
address is its explicit ASCII label, never a number that changes with the page.
"""

import re
from unicodedata import category, east_asian_width

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util.typing import ExtensionMetadata

VERBATIM = (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)
QUOTES = "“”‘’…—·"  # as wide as their neighbours


def joined(before: str, after: str) -> bool:
    """Tell whether a line end between two characters leaves no space."""

    def wide(char: str) -> bool:
        return char in QUOTES or east_asian_width(char) in "WF"

    def stop(char: str) -> bool:
        return east_asian_width(char) in "WF" and category(char)[0] == "P"

    return stop(before) or stop(after) or (wide(before) and wide(after))


class LineEnds(SphinxTransform):
    """Remove the line ends that would show as a space where there is none in Chinese."""

    default_priority = 800  # after the page contract, which counts lines

    def apply(self, **kwargs: object) -> None:
        """Join the lines of every outermost piece of text."""
        for block in self.document.findall(nodes.TextElement):
            if not isinstance(block, VERBATIM) and not isinstance(block.parent, nodes.TextElement):
                self.join(list(block.findall(nodes.Text)))

    def join(self, pieces: list[nodes.Text]) -> None:
        """Drop the line ends between characters that are joined, whatever markup is around them."""
        whole = "".join(pieces)
        start = 0
        for piece in pieces:

            def gap(end: re.Match[str], start: int = start) -> str:
                before = whole[: start + end.start()].rstrip()[-1:]
                after = whole[start + end.end() :].lstrip()[:1]
                return "" if before and after and joined(before, after) else end[0]

            if not isinstance(piece.parent, VERBATIM):
                text = re.sub(r"[ \t]*\n[ \t]*", gap, piece)
                if text != piece:
                    piece.parent.replace(piece, nodes.Text(text))
            start += len(piece)


class ReadableAddresses(SphinxTransform):
    """Leave a labelled heading no id but its labels, the nearest of them first."""

    default_priority = 263  # labels have just reached their headings

    def apply(self, **kwargs: object) -> None:
        """Drop the ids made from the text of headings."""
        known = self.document.nametypes
        labels = {self.document.nameids[name] for name, explicit in known.items() if explicit}
        for section in self.document.findall(nodes.section):
            section["ids"] = [i for i in section["ids"] if i in labels] or section["ids"]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register both transforms."""
    app.add_transform(LineEnds)
    app.add_transform(ReadableAddresses)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
