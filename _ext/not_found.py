"""Writes 404.html, which a server shows at any address: its links start from the site's root."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

BODY = """\
<h1>没有这一页</h1>
<p>地址也许抄错了，也许那一页改了名字。</p>
<p>可以<a href="search.html">搜索</a>，或者从<a href="index.html">首页</a>找起。</p>
"""


def _page(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    root = urlsplit(app.config.html_baseurl).path or "/"
    base = f'\n    <base href="{root}" />'
    context = {"title": "没有这一页", "body": BODY, "metatags": base, "pageurl": None}
    yield "404", context, "page.html"


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the page with the others that have no source."""
    app.connect("html-collect-pages", _page)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
