"""The words of each page as a small script beside the index, read when a search needs them.

The index says only which pages hold all pairs of characters of a query.  Whether they stand
together, in which section, and between which words, the search page finds out from these texts,
also where a browser may not fetch pages, as over file://.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

Section = list[str]  # anchor, heading, text: a line for each block
UNREAD = (nodes.raw, nodes.comment, nodes.math_block, addnodes.toctree)


def words(block: nodes.TextElement) -> str:
    """Return a block's text in one line; a formula is a gap, the number of a reference nothing."""
    told = []
    for text in block.findall(nodes.Text):
        if isinstance(text.parent, nodes.math):
            told.append("…")
        elif not isinstance(text.parent, nodes.footnote_reference):
            told.append(text)
    return " ".join("".join(told).split())


def blocks(section: nodes.Element) -> Iterator[nodes.TextElement]:
    """Yield the blocks of text of a section, without those of the sections inside it."""
    for child in section.children:
        if isinstance(child, (nodes.section, *UNREAD)):
            continue
        if isinstance(child, nodes.TextElement):
            yield child
        elif isinstance(child, nodes.Element):
            yield from blocks(child)


def sections(document: nodes.document) -> list[Section]:
    """Return the sections of a page in order."""
    found = []
    for section in document.findall(nodes.section):
        title, *rest = filter(None, map(words, blocks(section)))
        found.append([section["ids"][0], title, "\n".join(rest)])
    return found


def write(app: Sphinx, pagename: str, template: str, context: Any, doctree: Any) -> None:
    """Write the texts of a page as a call of the search page's function."""
    if doctree is None or app.builder.name != "html":
        return
    path = Path(app.outdir, "_search", f"{pagename}.js")
    path.parent.mkdir(parents=True, exist_ok=True)
    arguments = [json.dumps(one, ensure_ascii=False) for one in (pagename, *sections(doctree))]
    path.write_text("Search.read(" + ",\n".join(arguments) + ");\n", encoding="utf-8")


def clear(app: Sphinx, exception: Exception | None) -> None:
    """Take away the texts of pages that are gone."""
    for path in Path(app.outdir, "_search").rglob("*.js"):
        page = path.relative_to(Path(app.outdir, "_search")).with_suffix("").as_posix()
        if exception is None and page not in app.env.found_docs:
            path.unlink()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the texts while the pages are written."""
    app.connect("html-page-context", write)
    app.connect("build-finished", clear)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
