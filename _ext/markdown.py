"""Writes a page as plain Markdown: for programs that read, and for notebooks.

Whatever a role or a directive stood for is there as text: code, outputs, formulas between dollar
signs, captions, authors, numbers of runs.  A link within the page and to the glossary is its words.
Beside `PAGE.html` stands its twin `PAGE.md`, and `llms.txt` lists the twins (https://llmstxt.org).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import category
from urllib.parse import urljoin

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

from _ext.articles import learning_path
from _ext.drawn import drawing
from _ext.katex import displayed
from _ext.listings import known, template_block, template_inline

SILENT = (
    nodes.comment,
    nodes.Invisible,
    nodes.label,
    nodes.raw,
    nodes.system_message,
    nodes.transition,
    addnodes.index,
    addnodes.toctree,
)


@dataclass(frozen=True)
class Piece:
    """A block of Markdown and the node that it says."""

    text: str
    node: nodes.Element


def fence(code: str, language: str) -> str:
    """Return code between fences that it does not contain."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", code)), default=0))
    return f"{ticks}{language}\n{code.rstrip()}\n{ticks}"


def indented(text: str, first: str, rest: str) -> str:
    """Put `first` before the first line and `rest` before the others, but not before nothing."""
    start, *lines = text.split("\n")
    return "\n".join([first + start, *(f"{rest}{line}".rstrip() for line in lines)])


def joined(pieces: Iterator[Piece]) -> str:
    """Return blocks as one text."""
    return "\n\n".join(piece.text for piece in pieces)


class Writer:
    """Translates a resolved document; `link` says where a reference goes, None for nowhere.

    `drawn` shows a figure's drawing and `listing` what a template would say of other pages.
    """

    def __init__(
        self,
        link: Callable[[str], str | None],
        drawn: Callable[[drawing], str],
        listing: Callable[[nodes.Element], str],
        numbers: dict[str, str],
    ):
        self.link, self.drawn, self.listing, self.numbers = link, drawn, listing, numbers
        self.level = 0

    def pieces(self, node: nodes.Node) -> Iterator[Piece]:
        """Yield the blocks of a node, one after the other."""
        if isinstance(node, SILENT):
            return
        for kind in type(node).__mro__:
            if method := getattr(self, f"block_{kind.__name__}", None):
                text = method(node)
                if text.strip():
                    yield Piece(text, node)  # type: ignore[arg-type]
                return
        if isinstance(node, nodes.TextElement):
            if text := self.inline(node):
                yield Piece(text, node)
            return
        self.level += isinstance(node, nodes.section)
        for child in node.children:
            yield from self.pieces(child)
        self.level -= isinstance(node, nodes.section)

    def body(self, node: nodes.Element) -> str:
        """Return the blocks inside a node as one text."""
        return joined(piece for child in node.children for piece in self.pieces(child))

    def block_title(self, node: nodes.title) -> str:
        """Return a heading of the section's level."""
        return f"{'#' * self.level} {self.inline(node)}"

    def block_dropdown_title(self, node: nodes.Element) -> str:
        """Return the title of a folded answer."""
        return f"**{self.inline(node)}**"

    def block_literal_block(self, node: nodes.literal_block) -> str:
        """Return code with its language."""
        language = node.get("language", "python")
        return fence(node.astext(), {"none": "text", "default": "text"}.get(language, language))

    def block_math_block(self, node: nodes.math_block) -> str:
        """Return a displayed formula with its number."""
        tag = f" \\tag{{{node['number']}}}" if node["number"] else ""
        return f"$$\n{displayed(node)}{tag}\n$$"

    def block_drawing(self, node: drawing) -> str:
        """Return a figure's drawing."""
        return self.drawn(node)

    def block_caption(self, node: nodes.caption) -> str:
        """Return a caption after its figure's number."""
        number = next((self.numbers[i] for i in node.parent["ids"] if i in self.numbers), "")
        return f"{number} {self.inline(node)}".strip()

    def block_template_block(self, node: template_block) -> str:
        """Return what the page says of other pages."""
        return self.listing(node)

    def block_list_item(self, node: nodes.list_item) -> str:
        """Return an item of a list after its mark."""
        ordered = isinstance(node.parent, nodes.enumerated_list)
        mark = f"{node.parent.index(node) + 1}. " if ordered else "- "
        return indented(self.body(node), mark, " " * len(mark))

    def block_bullet_list(self, node: nodes.Element) -> str:
        """Return a list, its items without gaps."""
        return "\n".join(piece.text for item in node.children for piece in self.pieces(item))

    block_enumerated_list = block_definition_list = block_bullet_list

    def block_definition_list_item(self, node: nodes.definition_list_item) -> str:
        """Return the terms and what is said of them."""
        terms = " / ".join(self.inline(term) for term in node.findall(nodes.term))
        says = joined(p for d in node.findall(nodes.definition) for p in self.pieces(d))
        return indented(f"**{terms}**：{says}", "- ", "  ")

    def block_block_quote(self, node: nodes.Element) -> str:
        """Return a quotation or a box."""
        return indented(self.body(node), "> ", "> ")

    def block_admonition(self, node: nodes.Element) -> str:
        """Return a box under its title."""
        title, *rest = node.children
        text = joined(piece for child in rest for piece in self.pieces(child))
        return indented(f"**{self.inline(title)}**\n\n{text}", "> ", "> ")

    def block_footnote(self, node: nodes.Element) -> str:
        """Return a footnote or a work cited after its mark."""
        return f"[{node.children[0].astext()}] {self.body(node)}"

    block_citation = block_footnote

    def block_table(self, node: nodes.table) -> str:
        """Return a table of which each cell is one line."""
        rows = []
        for row in node.findall(nodes.row):
            cells = (" ".join(p.text for p in self.pieces(cell)) for cell in row.children)
            rows.append(f"| {' | '.join(map(_cell, cells))} |")
        rows.insert(1, "|" + "---|" * len(next(node.findall(nodes.row)).children))
        return "\n".join(rows)

    def inline(self, node: nodes.Node) -> str:
        """Return the text of a node in one line."""
        return self.line(node).strip()

    def line(self, node: nodes.Node) -> str:
        """Join the pieces of a line, apart where Markdown would not see that emphasis ends."""
        line, marked = "", False
        for child in node.children:
            span, marks = self.span(child), isinstance(child, nodes.strong | nodes.emphasis)
            inner = (line.rstrip("*") if marked else span.lstrip("*")) if line and span else ""
            outer = (span[:1] if marked else line[-1:]) if marked or marks else " "
            edge = inner[-1:] if marked else inner[:1]
            gap = edge and _sign(edge) and not (_sign(outer) or outer.isspace())
            line, marked = f"{line}{' ' if gap else ''}{span}", marks if span else marked
        return line

    def span(self, node: nodes.Node) -> str:
        """Return one piece of a line."""
        if isinstance(node, nodes.Text):
            return re.sub(r"([\\`*$<\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", re.sub(r"\s+", " ", node))
        if isinstance(node, SILENT):
            return ""
        if isinstance(node, template_inline):
            return self.listing(node)
        text = self.line(node)
        if isinstance(node, nodes.literal):
            code = " ".join(node.astext().split())
            ticks = "`" * (1 + max((len(run) for run in re.findall("`+", code)), default=0))
            pad = " " * (code[:1] == "`" or code[-1:] == "`")
            return f"{ticks}{pad}{code}{pad}{ticks}"
        if isinstance(node, nodes.math):
            return "$" + " ".join(node.astext().split()) + "$"
        if isinstance(node, nodes.footnote_reference):
            return f"[{node.astext()}]"
        if isinstance(node, nodes.emphasis):
            return f"*{text}*"
        if isinstance(node, nodes.strong):
            return f"**{text}**"
        if isinstance(node, nodes.reference):
            term = any(
                "std-term" in child.get("classes", ()) for child in node.findall(nodes.inline)
            )
            target = None if term else self.link(node.get("refuri", ""))
            return f"<{target}>" if target == text else f"[{text}]({target})" if target else text
        return text


def _sign(char: str) -> bool:
    """Tell signs from letters, 汉字 and spaces, as Markdown does around emphasis."""
    return category(char)[0] in "PS"


def _cell(text: str) -> str:
    """Keep the bars of a cell from ending it; in formulas Markdown does not see the backslash."""
    parts = re.split(r"(\$[^$]+\$)", text)
    return "".join(p.replace("|", r"\vert " if i % 2 else r"\|") for i, p in enumerate(parts))


def numbers(env: BuildEnvironment, docname: str) -> dict[str, str]:
    """Return what the captions of a page are numbered: the id of each figure and its `图 1`."""
    return {
        anchor: env.config.numfig_format[kind] % ".".join(map(str, number))
        for kind, anchors in env.toc_fignumbers.get(docname, {}).items()
        if kind in env.config.numfig_format
        for anchor, number in anchors.items()
    }


def title(env: BuildEnvironment, docname: str) -> str:
    """Return the title of a page."""
    return env.titles[docname].astext()


class Twin:
    """The Markdown of a page of the site, with links from twin to twin."""

    def __init__(self, builder: StandaloneHTMLBuilder, docname: str):
        self.builder, self.env, self.docname = builder, builder.env, docname

    def write(self, document: nodes.document) -> str:
        """Return the whole page."""
        writer = Writer(self.link, self.drawn, self.listing, numbers(self.env, self.docname))
        return joined(writer.pieces(document)) + "\n"

    def link(self, uri: str) -> str | None:
        """Return an address outside as it is, and the twin of a page."""
        path = uri.partition("#")[0]
        return path if "://" in path else re.sub(r"\.html$", ".md", path) or None

    def drawn(self, node: drawing) -> str:
        """Return the images of a figure."""
        several = len(node["frames"]) > 1
        files = [
            f"{node['file']}{f'-{i}' * several}.svg" for i in range(1, len(node["frames"]) + 1)
        ]
        labels = [": ".join(filter(None, (node["alt"], one["label"]))) for one in node["frames"]]
        folder = self.builder.imgpath
        images = zip(labels, files, strict=True)
        return "\n\n".join(f"![{label}]({folder}/{file})" for label, file in images)

    def listing(self, node: nodes.Element) -> str:
        """Return the head of an article, or a list of articles; a list of tags says nothing."""
        every, select = known(self.builder), node["select"]
        if node["template"] == "article-header.html":
            return self.head(every[self.docname]) if self.docname in every else ""
        chosen = [a for a in every.values() if select.get("category", a.category) == a.category]
        if node["template"] == "article-count.html":
            return f"{len(chosen)} 篇文章"
        listed = {"articles.html": chosen, "learning-path.html": learning_path(self.env)}
        uri = self.builder.get_relative_uri
        return "\n".join(
            f"- [{a.title}]({self.link(uri(self.docname, a.docname))})：{a.description}"
            for a in listed.get(node["template"], [])
        )

    def head(self, article: Any) -> str:
        """Return what stands under the title of an article."""
        address = urljoin(self.env.config.html_baseurl, self.builder.get_target_uri(self.docname))
        return (
            f"> {article.description}\n\n"
            f"发布于 {article.date}，更新于 {article.updated}。"
            f"代码在模块 `{article.module}`。网页：<{address}>"
        )


def write(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the twin of a page and name it in the page's head."""
    builder = app.builder
    if doctree is None or builder.name != "html" or not isinstance(builder, StandaloneHTMLBuilder):
        return
    path = Path(builder.get_output_path(page)).with_suffix(".md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(Twin(builder, page).write(doctree), encoding="utf-8")
    tag = f'<link rel="alternate" type="text/markdown" href="{path.name}" />'
    context["metatags"] = context.get("metatags", "") + "\n    " + tag


def index(env: BuildEnvironment, builder: StandaloneHTMLBuilder) -> str:
    """Return llms.txt: what the site is, and the twin of every page with a sentence on it."""

    def entry(docname: str) -> str:
        url = urljoin(env.config.html_baseurl, builder.get_target_uri(docname))
        description = env.metadata[docname].get("description", "")
        says = f": {description}" if description else ""
        return f"- [{title(env, docname)}]({url.removesuffix('.html')}.md){says}"

    root = env.config.root_doc
    chapters = env.toctree_includes.get(root, [])
    parts = [f"# {env.config.project}", f"> {env.metadata[root].get('description', '')}"]
    for chapter in chapters:
        if pages := env.toctree_includes.get(chapter):
            parts.append(f"## {title(env, chapter)}\n\n" + "\n".join(map(entry, pages)))
    others = [page for page in chapters if not env.toctree_includes.get(page)]
    return "\n\n".join([*parts, "## Optional\n\n" + "\n".join(map(entry, others))]) + "\n"


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Write llms.txt and take away the twins of pages that are gone."""
    builder = app.builder
    if exception is not None or not isinstance(builder, StandaloneHTMLBuilder):
        return
    (app.outdir / "llms.txt").write_text(index(app.env, builder), encoding="utf-8")
    for path in Path(app.outdir).rglob("*.md"):
        if path.relative_to(app.outdir).with_suffix("").as_posix() not in app.env.found_docs:
            path.unlink()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the twins while the pages are written."""
    app.connect("html-page-context", write)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
