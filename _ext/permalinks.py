"""Addresses that last: readable anchors for terms, and a manifest of what has been published.

`permalinks.txt` names, a line each, the pages and the anchors that readers may have linked to, as
`nlp/ngram` or `nlp/ngram#ngram-smoothing`.  `make permalinks` adds the present ones and never takes
one out.  One that no longer exists fails the build, unless its line says where it has gone:

    nlp/n-gram -> nlp/ngram
    nlp/ngram#ngram-katz -> nlp/ngram#ngram-backoff

A page may go to any page, an anchor to an anchor of the same page.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.domains import std
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.nodes import make_id
from sphinx.util.typing import ExtensionMetadata

from _ext.search_zh import HAN_RUN

logger = logging.getLogger(__name__)

REDIRECT = """\
<meta http-equiv="refresh" content="0; url={url}">
<script>location.replace("{url}" + location.hash);</script>
<h1>这一页搬走了</h1>
<p>新的地址是<a href="{url}">{title}</a>。</p>
"""


def term_id(env: BuildEnvironment, document: nodes.document, prefix: str, term: str) -> str:
    """Name the anchor of a Chinese term after the term, where Sphinx would count them."""
    name = "-".join([prefix, *term.split()])
    if HAN_RUN.search(term) and name not in document.ids:
        return name
    return make_id(env, document, prefix, term)


def present(env: BuildEnvironment) -> set[str]:
    """Return the addresses of all pages, and of what carries a label or explains a term."""
    domain = env.domains.standard_domain
    labels = [*domain.anonlabels.values(), *domain.objects.values()]
    anchors = {f"{page}#{anchor}" for page, anchor in labels if anchor}
    return set(env.found_docs) | {one for one in anchors if one.split("#")[0] in env.found_docs}


def entries(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield each line of the manifest that says something: its number, the address, its new one."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    for number, line in enumerate(lines, 1):
        old, _, new = line.partition(" -> ")
        if old.strip():
            yield number, old.strip(), new.strip()


def read(path: Path) -> dict[str, str]:
    """Return each address of the manifest with where it has gone, or nothing."""
    return {old: new for _, old, new in entries(path)}


def fault(old: str, new: str, now: set[str]) -> str:
    """Return what is wrong with an entry, given the addresses that exist now, or nothing."""
    if not new:
        gone = f"{old} has been published and is gone: bring it back or add '-> where it went'"
        return "" if old in now else gone
    if old in now:
        return f"{old} exists and cannot lead to {new}"
    if new not in now:
        return f"{old} leads to {new}, which does not exist"
    if ("#" in old) != ("#" in new):
        return f"{old} must lead from page to page or from anchor to anchor, not to {new}"
    if "#" in old and old.split("#")[0] != new.split("#")[0]:
        return f"{old} must lead to an anchor of the same page, not to {new}"
    return ""


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Report published addresses that lead nowhere; with permalinks_update, add the new ones."""
    path, now = Path(app.srcdir, "permalinks.txt"), present(env)
    for number, old, new in entries(path):
        if wrong := fault(old, new, now):
            logger.warning(wrong, location=f"{path}:{number}", type="permalinks")
    if app.config.permalinks_update:
        manifest = dict.fromkeys(now, "") | read(path)
        lines = (f"{old} -> {new}" if new else old for old, new in sorted(manifest.items()))
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def moved_pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Leave at the old address of a page a door to the new one."""
    for old, new in read(Path(app.srcdir, "permalinks.txt")).items():
        if new in app.env.found_docs and "#" not in old:
            url, title = app.builder.get_relative_uri(old, new), app.env.titles[new].astext()
            body = REDIRECT.format(url=url, title=title)
            yield old, {"title": title, "body": body, "pageurl": None}, "page.html"


@cache
def moved(builder: Builder) -> dict[str, list[tuple[str, str]]]:
    """Return page by page the anchors that have gone, each with its successor."""
    gone: dict[str, list[tuple[str, str]]] = {}
    for old, new in read(Path(builder.srcdir, "permalinks.txt")).items():
        page, anchor = old.partition("#")[::2]
        if new and anchor:
            gone.setdefault(page, []).append((anchor, new.partition("#")[2]))
    return gone


def moved_anchors(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Give what took the place of an anchor the old name too."""
    for old, new in moved(app.builder).get(page, []):
        for node in doctree.findall(nodes.Element):
            if new in node["ids"]:
                node["ids"].append(old)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the check, the redirects and the names of terms."""
    std.make_id = term_id  # type: ignore[assignment]
    app.add_config_value("permalinks_update", False, "")
    app.connect("env-updated", check)
    app.connect("html-collect-pages", moved_pages)
    app.connect("doctree-resolved", moved_anchors)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
