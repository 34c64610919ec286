"""The list of articles at the left of every page, at a cost that does not grow with their number.

Up to MANY articles are all listed. Of more, a page lists those of its own category that are nearest
to it, or every page would name every other and the site grow with the square of its articles.
"""

from functools import cache
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.typing import ExtensionMetadata

MANY = 100
NEAR = 40

Chapter = tuple[str, list[str], int]  # its page, the articles to list, how many it has


def chapters(includes: dict[str, list[str]], root: str, page: str) -> list[Chapter]:
    """Return what a page lists of the chapters that the front page names."""
    whole = {name: includes.get(name, []) for name in includes.get(root, [])}
    if sum(map(len, whole.values())) <= MANY:
        return [(name, articles, len(articles)) for name, articles in whole.items()]
    listed = []
    for name, articles in whole.items():
        near: list[str] = []
        if page == name:
            near = articles[:NEAR]
        elif page in articles:
            start = articles.index(page) - NEAR // 2
            start = max(0, min(start, len(articles) - NEAR))
            near = articles[start : start + NEAR]
        listed.append((name, near, len(articles)))
    return listed


@cache
def title(builder: StandaloneHTMLBuilder, docname: str) -> str:
    """Return a page's title as HTML, made once in a build."""
    return builder.render_partial(builder.env.titles[docname])["title"]


def add(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Hand the template of the sidebar a function that renders the list."""
    builder, env = app.builder, app.env
    assert isinstance(builder, StandaloneHTMLBuilder)

    def navigation() -> str:
        given = {
            "chapters": chapters(env.toctree_includes, app.config.root_doc, page),
            "href": context["pathto"],
            "page": page,
            "title": lambda name: title(builder, name),
        }
        return builder.templates.render("navigation.html", given)

    context["navigation"] = navigation


def setup(app: Sphinx) -> ExtensionMetadata:
    """Offer `navigation()` to the templates."""
    app.connect("html-page-context", add)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
