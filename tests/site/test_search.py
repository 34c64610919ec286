"""The search page finds Chinese, English and mixtures of both, opened over file://."""

import json

import pytest
import quickjs

from _ext.search_zh import SearchChinese

PAGES = {
    "mro": "# 继承与方法解析顺序\n\nsuper 找的是链上的下一个类。\n",
    "ddp": "# 分布式数据并行\n\nDDP 的原理：每个进程持有一份模型，梯度取平均。\n",
    "transformer": "# 注意力\n\nTransformer 的位置编码与多个 checkpoints，ＦＬＯＰ 很多。\n",
}
QUERIES = {
    "方法解析": {"mro"},
    "解析顺序": {"mro"},
    "链": {"mro"},
    "原理": {"ddp"},
    "DDP 原理": {"ddp"},
    "Transformer 位置编码": {"transformer"},
    "checkpoint": {"transformer"},
    "flop": {"transformer"},
    "ｄｄｐ": {"ddp"},
    "量子力学": set(),
}


def ask(tab, folder, query):
    """Return the pages that the search page lists for a query."""
    tab.goto(f"{folder.as_uri()}/search.html?q={query}")
    tab.wait_for_function("document.querySelector('.search-summary')?.textContent")
    links = tab.locator("#search-results li a").evaluate_all("(as) => as.map((a) => a.pathname)")
    return {link.removeprefix(folder.as_posix() + "/").removesuffix(".html") for link in links}


@pytest.mark.browser
def test_queries_find_the_right_pages(site, browser):
    small = site("_ext.search_zh")
    small.write("index.md", "# 首页\n\n```{toctree}\n" + "\n".join(PAGES) + "\n```\n")
    for name, text in PAGES.items():
        small.write(f"{name}.md", text)
    build = small.build()
    assert build.code == 0, build.output
    tab = browser.new_page()
    found = {query: ask(tab, build.outdir, query) - {"index"} for query in QUERIES}
    tab.close()
    assert found == QUERIES


@pytest.mark.browser
def test_the_published_search_page_answers(browser, built_site):
    tab = browser.new_page()
    troubles = []
    # Excerpts are fetched, which a browser refuses over file://; the results are listed without.
    tab.on("pageerror", lambda e: "fetch" in str(e) or troubles.append(str(e)))
    assert "glossary" in ask(tab, built_site, "术语")
    assert not ask(tab, built_site, "𠮷囍囍囍")
    tab.close()
    assert not troubles


def test_text_is_indexed_by_words_characters_and_pairs():
    terms = SearchChinese({}).split("用ＰｙTorch训练 ResNet_50")
    assert terms == ["用", "PyTorch", "训", "练", "训练", "ResNet_50"]


def test_a_query_asks_for_pairs_and_for_lone_characters():
    context = quickjs.Context()
    context.eval(SearchChinese.js_splitter_code)
    terms = context.eval("JSON.stringify(splitQuery('用ＰｙTorch训练法 ResNet_50'))")
    assert json.loads(terms) == ["用", "PyTorch", "训练", "练法", "ResNet_50"]
