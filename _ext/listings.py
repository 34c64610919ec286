"""Lists the articles wherever a reader looks for one: listings, tag pages, learning path, header.

An article is a page whose front matter has a `date`. What a page says about *other* pages is filled
in while it is written, from templates, so it is right after an incremental or a parallel build; a
page whose listing has changed is written again although its source has not.
"""

import datetime
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from html import escape
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.directives.other import TocTree
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective, SphinxRole
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator

logger = logging.getLogger(__name__)

HANZI_PER_MINUTE = 400
WORDS_PER_MINUTE = 200
CODE_LINES_PER_MINUTE = 30


@dataclass(frozen=True)
class Article:
    """What the rest of the site knows of an article: its front matter and its length."""

    docname: str
    title: str
    description: str
    date: datetime.date
    updated: datetime.date
    tags: list[str]
    prerequisites: list[str]
    minutes: int

    @property
    def category(self) -> str:
        """The folder, which is also the category."""
        return self.docname.partition("/")[0]

    @property
    def module(self) -> str:
        """The dotted name of the article's module."""
        return "snippets." + self.docname.replace("-", "_").replace("/", ".")

    @property
    def tests(self) -> str:
        """The path of the article's tests."""
        folder, _, name = self.docname.replace("-", "_").partition("/")
        return f"tests/{folder}/test_{name}.py"


def _strings(text: str) -> list[str]:
    """Read a list of strings, which front matter hands on as JSON."""
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"not a list of strings: {text}")
    return value


def articles(env: BuildEnvironment) -> list[Article]:
    """Return all articles, newest first; the page contract reports broken front matter."""
    found = []
    for docname in env.found_docs:
        meta = env.metadata[docname]
        try:
            article = Article(
                docname=docname,
                title=env.titles[docname].astext(),
                description=meta["description"],
                date=datetime.date.fromisoformat(meta["date"]),
                updated=datetime.date.fromisoformat(meta["updated"]),
                tags=_strings(meta["tags"]),
                prerequisites=_strings(meta["prerequisites"]),
                minutes=meta["minutes"],
            )
        except (KeyError, ValueError):
            continue
        found.append(article)
    return sorted(found, key=lambda a: (-a.date.toordinal(), a.docname))


def _needs(every: list[Article]) -> dict[str, list[str]]:
    """Return the prerequisites of each article that are articles themselves."""
    names = {a.docname for a in every}
    return {a.docname: [p for p in a.prerequisites if p in names] for a in every}


def learning_path(env: BuildEnvironment) -> list[Article]:
    """Return all articles, each after its prerequisites, else in the order of the categories."""
    chapters = env.toctree_includes.get(env.config.root_doc, [])
    places = {index.removesuffix("/index"): place for place, index in enumerate(chapters)}
    known = {a.docname: a for a in articles(env)}
    needs = _needs(list(known.values()))
    path: list[Article] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for need in needs[name]:
                visit(need)
            path.append(known[name])

    for name in sorted(known, key=lambda n: (places.get(known[n].category, len(places)), n)):
        visit(name)
    return path


def tag_page(tag: str) -> str:
    """Name the page of a tag: lower case, letters of any script kept, all else a hyphen."""
    slug = re.sub(r"[^\w+.]+", "-", unicodedata.normalize("NFC", tag).casefold()).strip("-.")
    return f"tags/{slug or '-'}"


def reading_minutes(doctree: nodes.document) -> int:
    """Estimate the minutes a page takes, at least one.

    A minute is 400 汉字, 200 Latin words or inline formulas, or 30 lines of code or of displayed
    formulas, empty lines not counted.
    """
    lines = [
        line
        for kind in (nodes.literal_block, nodes.doctest_block, nodes.math_block)
        for block in doctree.findall(kind)
        for line in block.astext().splitlines()
        if line.strip()
    ]
    prose = [
        "x" if isinstance(text.parent, nodes.math) else text.astext()
        for text in doctree.findall(nodes.Text)
        if not isinstance(text.parent, nodes.FixedTextElement)
    ]
    hanzi = len(re.findall(r"[\u3400-\u9fff]", " ".join(prose)))
    words = len(re.findall(r"\w+", " ".join(prose), re.ASCII))
    minutes = hanzi / HANZI_PER_MINUTE + words / WORDS_PER_MINUTE
    return max(1, round(minutes + len(lines) / CODE_LINES_PER_MINUTE))


class template_block(nodes.General, nodes.Element):
    """A block that `render` fills in when its page is written."""


class template_inline(nodes.Inline, nodes.Element):
    """The same inside a line."""


class Listing(SphinxDirective):
    """`{articles}`, `{tags}`, `{learning-path}`: the template of that name, for some articles."""

    option_spec = {"category": directives.unchanged, "tag": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Leave a place for the template."""
        return [template_block(template=f"{self.name}.html", select=self.options)]


class Chapter(TocTree):
    """`{chapter}`: hangs all pages of this folder into the navigation; none is fine, too."""

    has_content = False
    option_spec = {}  # noqa: RUF012

    def parse_content(self, toctree: addnodes.toctree) -> None:
        """Find the pages; `_update` puts them in order."""
        here = self.env.current_document.docname
        folder = here.rpartition("/")[0] + "/"
        pages = sorted(p for p in self.env.found_docs if p.startswith(folder) and p != here)
        toctree["entries"] = [(None, page) for page in pages]
        toctree["includefiles"] = pages
        toctree["glob"] = toctree["hidden"] = True


class ArticleCount(SphinxRole):
    """{article-count}`python`: how many articles a category has."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Leave a place for the number."""
        return [template_inline(template="article-count.html", select={"category": self.text})], []


def render(builder: StandaloneHTMLBuilder, page: str, template: str, **select: str) -> str:
    """Render a template for `page`, given the articles of `category` or with `tag`."""
    env = builder.env
    every = articles(env)
    context = {
        "article": next((a for a in every if a.docname == page), None),
        "articles": [
            a
            for a in every
            if select.get("category", a.category) == a.category
            and ("tag" not in select or select["tag"] in a.tags)
        ],
        "tags": sorted(Counter(tag for a in every for tag in a.tags).items()),
        "learning_path": lambda: learning_path(env),
        "known": env.found_docs,
        "href": lambda target: builder.get_relative_uri(page, target),
        "title": lambda docname: builder.render_partial(env.titles[docname])["title"],
        "tag_page": tag_page,
        "is_package": lambda path: (env.srcdir / path).is_dir(),
        "repository_url": env.config.repository_url,
    }
    return builder.templates.render(template, context)


def _visit(self: HTML5Translator, node: nodes.Element) -> None:
    page = self.builder.current_docname
    self.body.append(render(self.builder, page, node["template"], **node["select"]))
    raise nodes.SkipNode


def _read(app: Sphinx, doctree: nodes.document) -> None:
    """Note what other pages will say of this one; give an article its header."""
    meta = app.env.metadata[app.env.docname]
    if "date" in meta:
        meta["minutes"] = reading_minutes(doctree)
        for title in doctree.findall(nodes.title):
            header = template_block(template="article-header.html", select={})
            title.parent.insert(title.parent.index(title) + 1, header)
            break
    elif any(isinstance(n, (template_block, template_inline)) for n in doctree.findall()):
        meta["listing"] = True


def _fingerprints(env: BuildEnvironment) -> dict[str, str]:
    """Summarize what all pages say of other pages, and what the pages with listings say."""
    titles = [str(env.titles[docname]) for docname in sorted(env.titles)]
    shown = {"navigation": (titles, env.toctree_includes), "articles": articles(env)}
    return {key: hashlib.sha256(repr(value).encode()).hexdigest() for key, value in shown.items()}


def _update(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Put each category in the order of the learning path; return the pages to write again."""
    try:
        TopologicalSorter(_needs(articles(env))).prepare()
    except CycleError as error:
        circle = " <- ".join(error.args[1])
        logger.warning("prerequisites form a circle: %s", circle, location=error.args[1][0])
    place = {a.docname: i for i, a in enumerate(learning_path(env))}
    for docname in env.glob_toctrees:
        env.toctree_includes.get(docname, []).sort(key=lambda name: place.get(name, -1))
        for toctree in env.tocs[docname].findall(addnodes.toctree):
            toctree["entries"].sort(key=lambda entry: place.get(entry[1], -1))
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return []
    try:
        before = json.loads((app.outdir / ".listings.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = {}
    now = _fingerprints(env)
    if now["navigation"] != before.get("navigation"):
        return sorted(env.found_docs)
    if now["articles"] != before.get("articles"):
        return sorted(name for name in env.found_docs if "listing" in env.metadata[name])
    return []


def _tag_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Write the tag pages that the front page, which lists all articles, has overtaken."""
    builder = app.builder
    assert isinstance(builder, StandaloneHTMLBuilder)
    pages: dict[str, tuple[str, str, dict[str, str]]] = {"tags/index": ("标签", "tags.html", {})}
    for tag in sorted({tag for a in articles(app.env) for tag in a.tags}):
        if tag_page(tag) in pages:
            other = pages[tag_page(tag)][2].get("tag", "index")
            logger.warning("tag %r would share its page with %r", tag, other)
        pages[tag_page(tag)] = (f"标签：{tag}", "articles.html", {"tag": tag})
    front = builder.get_output_path(app.config.root_doc)
    wanted = {page: builder.get_output_path(page) for page in pages}
    for stale in set((app.outdir / "tags").glob("*.html")) - set(wanted.values()):
        stale.unlink()
    for page, path in wanted.items():
        if path.exists() and path.stat().st_mtime_ns >= front.stat().st_mtime_ns:
            continue
        title, template, select = pages[page]
        body = f"<h1>{escape(title)}</h1>\n{render(builder, page, template, **select)}"
        if select:
            body += '<p><a href="index.html">全部标签</a></p>'
        yield page, {"title": escape(title), "body": body}, "page.html"


def _finish(app: Sphinx, exception: Exception | None) -> None:
    """Remember what the pages now say of each other, beside them, once all are written."""
    if exception is None and isinstance(app.builder, StandaloneHTMLBuilder):
        text = json.dumps(_fingerprints(app.env), sort_keys=True) + "\n"
        (app.outdir / ".listings.json").write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Add the directives, the role and the pages."""
    app.add_config_value("repository_url", "", "html", str)
    for name in ("articles", "tags", "learning-path"):
        app.add_directive(name, Listing)
    app.add_directive("chapter", Chapter)
    app.add_role("article-count", ArticleCount())
    for node in (template_block, template_inline):
        app.add_node(node, html=(_visit, None))
    app.connect("doctree-read", _read)
    app.connect("env-updated", _update)
    app.connect("html-collect-pages", _tag_pages)
    app.connect("build-finished", _finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
