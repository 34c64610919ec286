"""Chinese text as Chinese readers expect it: no stray spaces, and addresses one can read.

A source line holds one sentence; its end must not show as a space between 汉字.  A heading's
address is its explicit ASCII label, never a number that changes with the page.
"""

from unicodedata import category, east_asian_width

from docutils import nodes
from sphinx.transforms import SphinxTransform

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
        """Join the lines of every outermost piece of text, across the inline nodes in it."""
        for block in self.document.findall(nodes.TextElement):
            fixed = isinstance(block, (nodes.FixedTextElement, nodes.math_block))
            if not fixed and not isinstance(block.parent, nodes.TextElement):
                self.join(list(block.findall(nodes.Text)))

    def join(self, pieces: list[nodes.Text]) -> None:
        """Drop each line end that stands between characters that are joined."""
        for i, piece in enumerate(pieces):
            if "\n" not in piece or isinstance(piece.parent, (nodes.raw, nodes.FixedTextElement)):
                continue
            before = "".join(pieces[:i]).rstrip()[-1:]
            after = "".join(pieces[i + 1 :]).lstrip()[:1]
            lines = piece.split("\n")
            text = lines[0]
            for j, line in enumerate(lines[1:], 1):
                left = text.rstrip()[-1:] or before
                right = "".join(lines[j:]).lstrip()[:1] or after
                gap = "" if left and right and joined(left, right) else "\n"
                text = f"{text}{gap}{line}"
            piece.parent.replace(piece, nodes.Text(text))


class ReadableAddresses(SphinxTransform):
    """Leave a labelled heading no id but its labels, the nearest of them first."""

    default_priority = 263  # labels have just reached their headings

    def apply(self, **kwargs: object) -> None:
        """Drop the ids made from the text of headings."""
        known = self.document.nametypes
        labels = {self.document.nameids[name] for name, explicit in known.items() if explicit}
        for section in self.document.findall(nodes.section):
            section["ids"] = [i for i in section["ids"] if i in labels] or section["ids"]


def setup(app):
    """Register both transforms."""
    app.add_transform(LineEnds)
    app.add_transform(ReadableAddresses)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
