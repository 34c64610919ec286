"""The search page finds Chinese, English and mixtures of both, opened over file://."""

import gzip
import json
import re
import textwrap
import unicodedata
from functools import cache

import pytest
import quickjs
from bs4 import BeautifulSoup

from _ext.search_zh import BUCKETS, HAN_RUN, WORD, SearchChinese, bucket

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
    small = site("_ext.search_texts", "_ext.search_zh")
    small.write("index.md", "# 首页\n\n```{toctree}\n" + "\n".join(PAGES) + "\n```\n")
    for name, text in PAGES.items():
        small.write(f"{name}.md", text)
    build = small.build()
    assert build.code == 0, build.output
    tab = browser.new_page()
    found = {query: ask(tab, build.outdir, query) - {"index"} for query in QUERIES}
    tab.close()
    assert found == QUERIES


stem = cache(SearchChinese({}).stem)
# besides prose: what the theme, the listings and the typesetting of formulas put there
UNSEEN = """script, style, .headerlink, .katex, aside,
.article-list, .article-meta, .learning-path, .tag"""


def prose(page):
    """Return what a reader sees of a published page: its text, its headings, its first heading."""
    main = BeautifulSoup(page.read_text("utf-8"), "html.parser").select_one("article.bd-article")
    for unseen in main.select(UNSEEN):
        unseen.decompose()
    for term in main.select("dt"):
        term.append("\n")  # where a reader sees the line end
    headings = [" ".join(h.get_text().split()) for h in main.select("section > :is(h1, h2, h3)")]
    return unicodedata.normalize("NFKC", main.get_text()).lower(), headings


def holds(text, stems, query):
    """Tell whether a page holds each Chinese run of a query as typed and each word by its stem."""
    words = WORD.findall(unicodedata.normalize("NFKC", query).lower())
    return all(
        word in text if re.search("[\u3400-\u9fff]", word) else stem(word) in stems
        for word in words
    )


@pytest.fixture(scope="module")
def library(built_site):
    """Each searchable page with its text, the stems of its words and its headings."""
    pages = {}
    for file in sorted((built_site / "_search").rglob("*.js")):
        name = file.relative_to(built_site / "_search").with_suffix("").as_posix()
        text, headings = prose(built_site / f"{name}.html")
        pages[name] = text, {stem(word) for word in WORD.findall(text)}, headings
    return pages


@pytest.fixture(scope="module")
def search(browser, built_site):
    """Ask the published search page over file://; return a function from query to pages."""
    tab = browser.new_page()
    troubles = []
    tab.on("pageerror", lambda error: troubles.append(str(error)))
    tab.on("requestfailed", lambda request: troubles.append(request.url))
    assert "glossary" in ask(tab, built_site, "术语")
    script = """async (query) => {
        await Search.query(query);
        return [...document.querySelectorAll("#search-results li > a")].map((a) => a.pathname);
    }"""

    def pages(query):
        found = tab.evaluate(script, query)
        root = built_site.as_posix() + "/"
        return [link.removeprefix(root).removesuffix(".html") for link in found]

    yield pages
    tab.close()
    assert not troubles


def terms(site):
    """Return the terms of the glossary."""
    soup = BeautifulSoup((site / "glossary.html").read_text("utf-8"), "html.parser")
    found = (dt.get_text().removesuffix("#") for dt in soup.select("dl.glossary > dt"))
    return [" ".join(term.split()) for term in found]


def tags(file):
    """Return the tags of an article; other pages have none."""
    soup = BeautifulSoup(file.read_text("utf-8"), "html.parser")
    return [] if soup.select(".article-list") else [tag.get_text() for tag in soup.select("a.tag")]


@pytest.mark.browser
def test_terms_and_headings_find_the_pages_that_hold_them(search, library, built_site):
    headings = {heading for _, _, found in library.values() for heading in found}
    queries = {q for q in {*terms(built_site), *headings} if WORD.findall(q)}
    assert len(queries) > 200
    missed, wrong, right, returned = {}, {}, 0, 0
    for query in sorted(queries):
        answer = set(search(query))
        truth = {page for page, (text, stems, _) in library.items() if holds(text, stems, query)}
        if truth - answer:
            missed[query] = truth - answer
        wrong[query] = answer - truth
        right, returned = right + len(answer & truth), returned + len(answer)
    assert not missed
    assert right / returned >= 0.97, {q: w for q, w in wrong.items() if w}


@pytest.mark.browser
def test_the_article_about_it_comes_first(search, library, built_site):
    """An article is about its headings and tags, if nobody else has them."""
    about = {}
    for page, (_, _, headings) in library.items():
        for query in {*headings, *tags(built_site / f"{page}.html")}:
            about.setdefault(query, set()).add(page)
    single = {query: pages for query, pages in about.items() if len(pages) == 1}
    wrong = {
        query: got for query in single if (got := search(query)[:2])[:1] != list(single[query])
    }
    assert len(single) > 100
    assert len(wrong) <= 0.05 * len(single), wrong


def test_the_index_stays_small(built_site):
    assert len(gzip.compress((built_site / "searchindex.js").read_bytes())) <= 150_000


def test_texts_are_told_by_section(site):
    """Without formulas on lines of their own, raw HTML and the numbers of references."""
    text = """\
    (a)=
    # 一

    甲[^1]乙 `code` $x$ 丁

    $$ x $$

    (a/b)=
    ## 二

    - 丙
      丁

    [^1]: 注
    """
    s = site("_ext.search_texts", "_ext.chinese")
    s.write("index.md", textwrap.dedent(text))
    build = s.build()
    assert build.code == 0, build.output
    told = (build.outdir / "_search/index.js").read_text("utf-8")
    first, second = '["a", "一", "甲乙 code … 丁"]', '["a-b", "二", "丙丁"]'
    assert told == f'Search.read("index",\n{first},\n{second});\n'


def test_the_text_of_a_removed_page_goes_with_it(site):
    s = site("_ext.search_texts")
    s.write("index.md", "# 一\n")
    s.write("nlp/two.md", "---\norphan: true\n---\n# 二\n")
    text = s.build().outdir / "_search/nlp/two.js"
    assert text.is_file()
    (s.root / "nlp/two.md").unlink()
    assert s.build().code == 0
    assert not text.exists()
    assert text.parents[1].joinpath("index.js").is_file()


def test_text_is_indexed_by_words_characters_and_pairs():
    terms = SearchChinese({}).split("用ＰｙTorch训练 ResNet_50")
    assert terms == [bucket("用"), "PyTorch", *map(bucket, ["训", "练", "训练"]), "ResNet_50"]


def test_a_query_asks_for_pairs_and_for_lone_characters():
    context = quickjs.Context()
    context.eval(SearchChinese.js_splitter_code)
    terms = context.eval("JSON.stringify(splitQuery('用ＰｙTorch训练法 ResNet_50'))")
    pairs = [*map(bucket, ["训练", "练法"])]
    assert json.loads(terms) == [bucket("用"), "PyTorch", *pairs, "ResNet_50"]


def test_pairs_spread_over_the_buckets(library):
    """A page answers for few of the pairs that it does not hold."""
    for text, _, _ in library.values():
        runs = HAN_RUN.findall(text)
        held = {run[i : i + n] for run in runs for n in (1, 2) for i in range(len(run) - n + 1)}
        assert len({bucket(one) for one in held}) <= 0.6 * BUCKETS
