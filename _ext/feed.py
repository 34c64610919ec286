"""Tells machines about the pages: Atom feed, sitemap, description and link-preview tags.

Dates come from front matter, never from the clock: the same sources give the same bytes.
"""

from datetime import date
from html import escape
from typing import Any
from urllib.parse import urljoin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.typing import ExtensionMetadata

from _ext.articles import articles, tag_page


def _head(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Add the feed's link and what a link preview shows to the head of a page."""
    href = context["pathto"]("feed.xml", True)
    tags = [
        f'<link rel="alternate" type="application/atom+xml" title="{escape(app.config.html_title)}"'
        f' href="{href}" />'
    ]
    meta = app.env.metadata.get(page, {})
    if description := meta.get("description"):
        properties = {
            "og:type": "article" if "date" in meta else "website",
            "og:title": app.env.titles[page].astext(),
            "og:description": description,
            "og:site_name": app.config.html_title,
            "og:url": context["pageurl"],
        }
        if "date" in meta:
            properties["article:published_time"] = meta["date"]
            properties["article:modified_time"] = meta.get("updated", meta["date"])
        tags.append(f'<meta name="description" content="{escape(description)}" />')
        tags += [
            f'<meta property="{name}" content="{escape(value)}" />'
            for name, value in properties.items()
            if value
        ]
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(tags)


def _write(app: Sphinx, exception: Exception | None) -> None:
    """Write feed.xml and sitemap.xml."""
    builder = app.builder
    if exception is not None or not isinstance(builder, StandaloneHTMLBuilder):
        return
    every = articles(app.env)
    modified: dict[str, date | None] = dict.fromkeys([*sorted(app.env.found_docs), "tags/index"])
    modified |= {a.docname: a.updated for a in every}
    for tag in sorted({tag for a in every for tag in a.tags}):
        modified[tag_page(tag)] = max(a.updated for a in every if tag in a.tags)
    context = {
        "articles": every,
        "author": app.config.author,
        "home": app.config.html_baseurl,
        "itself": urljoin(app.config.html_baseurl, "feed.xml"),
        "modified": modified,
        "title": app.config.html_title,
        "updated": max((a.updated for a in every), default=date.min),
        "url": lambda page: urljoin(app.config.html_baseurl, builder.get_target_uri(page)),
    }
    for name in ("feed.xml", "sitemap.xml"):
        text = builder.templates.render(name, context)
        (app.outdir / name).write_text(text, encoding="utf-8")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write what machines read after the pages that people read."""
    app.connect("html-page-context", _head)
    app.connect("build-finished", _write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
