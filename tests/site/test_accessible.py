"""What those who listen to a page hear of references and tables."""

from bs4 import BeautifulSoup

PAGE = """\
# 首页

| | 列 |
|---|---|
| 行 | |

```{eval-rst}
见 [Gu24]_ 与 [Li25]_。

.. [Gu24] 甲
.. [Li25] 乙
```
"""


def built(site, *extensions):
    """Return a page with references and a table, and its cells as (name, text)."""
    s = site(*extensions)
    s.write("index.md", PAGE)
    build = s.build()
    assert build.code == 0, build.output
    page = BeautifulSoup((build.outdir / "index.html").read_text("utf-8"), "html.parser")
    return page, [(cell.name, cell.get_text()) for cell in page.select("th, td")]


def test_references_are_items_of_a_list(site):
    page, _ = built(site, "_ext.accessible")
    items = page.select('div[role="list"].citation-list > div.citation')
    assert [item["role"] for item in items] == ["listitem", "listitem"]


def test_an_empty_cell_is_no_header(site):
    _, cells = built(site, "_ext.accessible")
    assert cells == [("td", ""), ("th", "列"), ("td", "行"), ("td", "")]


def test_docutils_still_gets_both_wrong(site):
    """Otherwise the extension may go."""
    page, cells = built(site)
    assert len(page.select('[role="doc-biblioentry"]')) == 2
    assert cells[0] == ("th", "")
