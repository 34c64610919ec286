"""Lists the articles wherever a reader looks for one: listings, tag pages, learning path, header.

What a page says about *other* pages is filled in while it is written, from templates, so it is
right after an incremental or a parallel build; a page whose listing has changed is written again
although its source has not.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from html import escape
from pathlib import Path
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

from _ext.articles import (
    NO_NOTEBOOK,
    Article,
    articles,
    learning_path,
    needed_articles,
    reading_minutes,
    tag_page,
)
from _ext.navigation import title

logger = logging.getLogger(__name__)


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


@cache
def known(builder: StandaloneHTMLBuilder) -> dict[str, Article]:
    """Return all articles by name as they are while pages are written, found once in a build."""
    return {article.docname: article for article in articles(builder.env)}


def render(builder: StandaloneHTMLBuilder, page: str, template: str, **select: str) -> str:
    """Render a template for `page`, given the articles of `category` or with `tag`."""
    env = builder.env
    every = known(builder)
    context = {
        "article": every.get(page),
        "articles": lambda: [
            a
            for a in every.values()
            if select.get("category", a.category) == a.category
            and ("tag" not in select or select["tag"] in a.tags)
        ],
        "category": select.get("category"),
        "tags": lambda: sorted(Counter(tag for a in every.values() for tag in a.tags).items()),
        "learning_path": lambda: learning_path(env),
        "known": env.found_docs,
        "href": lambda target: builder.get_relative_uri(page, target),
        "title": lambda docname: title(builder, docname),
        "tag_page": tag_page,
        "downloads": "_ext.downloads" in env.config.extensions,
        "no_notebook": NO_NOTEBOOK,
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


def _fingerprints(env: BuildEnvironment) -> dict[str, Any]:
    """Summarize what all pages say of other pages, and what the pages with listings say.

    And where each label, term and equation is, which a page that links it says.
    """
    titles = [str(env.titles[docname]) for docname in sorted(env.titles)]
    chapters = sorted(env.toctree_includes.items())
    shown = {"navigation": (titles, chapters), "articles": articles(env)}
    standard, math = env.domains.standard_domain, env.domains.math_domain
    named: list[dict] = [standard.anonlabels, standard.labels, standard.objects, math.equations]
    targets = {f"{i} {name}": place for i, each in enumerate(named) for name, place in each.items()}
    return {
        **{key: hashlib.sha256(repr(value).encode()).hexdigest() for key, value in shown.items()},
        "targets": {name: " ".join(map(str, place)) for name, place in sorted(targets.items())},
    }


def _update(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Put each category in the order of the learning path; return the pages to write again."""
    try:
        TopologicalSorter(needed_articles(articles(env))).prepare()
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
    # a name that is gone, or has gone elsewhere, may be linked anywhere; a new one is not
    moved = before.get("targets", {"": "never built"}).items() - now["targets"].items()
    if moved or now["navigation"] != before.get("navigation"):
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
    """Remember what the pages now say of each other; take away the pages of removed articles."""
    if exception is None and isinstance(app.builder, StandaloneHTMLBuilder):
        pages = {Path(app.builder.get_output_path(docname)) for docname in app.env.found_docs}
        for chapter in {page.parent for page in pages} - {Path(app.outdir)}:
            for gone in set(chapter.glob("*.html")) - pages:
                gone.unlink()
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
