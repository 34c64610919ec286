"""The list of articles: all of few, and of many those around the page, so that no page grows."""

import re

from _ext.navigation import MANY, NEAR, chapters


def tree(articles: int) -> dict[str, list[str]]:
    """Two chapters with that many articles each, and a page of its own."""
    names = {c: [f"{c}/{i}" for i in range(articles)] for c in ("a", "b")}
    return {"index": ["a/index", "b/index", "glossary"]} | {f"{c}/index": names[c] for c in names}


def test_few_articles_are_all_listed_on_every_page():
    includes = tree(MANY // 2)
    everything = [(name, includes.get(name, []), len(includes.get(name, []))) for name in includes]
    expected = [*everything[1:], ("glossary", [], 0)]
    for page in "index", "a/index", "b/3", "glossary", "search":
        assert chapters(includes, "index", page) == expected


def test_of_many_articles_a_page_lists_the_nearest_of_its_own_chapter():
    includes = tree(1000)
    for page, first in ("a/0", 0), ("a/500", 500 - NEAR // 2), ("a/999", 1000 - NEAR):
        (name, near, total), *others = chapters(includes, "index", page)
        assert (name, total) == ("a/index", 1000)
        assert near == [f"a/{i}" for i in range(first, first + NEAR)]
        assert page in near
        assert [near for _, near, _ in others] == [[], []]
    assert chapters(includes, "index", "a/index")[0][1] == [f"a/{i}" for i in range(NEAR)]
    assert all(not near for _, near, _ in chapters(includes, "index", "search"))


def test_a_chapter_smaller_than_that_is_listed_whole():
    includes = tree(MANY) | {"b/index": ["b/0", "b/1"]}
    assert chapters(includes, "index", "b/1")[1] == ("b/index", ["b/0", "b/1"], 2)


def test_the_list_marks_the_page_and_opens_its_chapter(built_site):
    html = (built_site / "nlp/ngram.html").read_text("utf-8")
    (nav,) = re.findall(r'<nav class="bd-links.*?</nav>', html, re.DOTALL)
    (current,) = re.findall(r'<a class="current reference internal" href="#">(.*?)</a>', nav)
    assert current.startswith("N-Gram")
    (opened,) = re.findall(r'<li class="toctree-l1 current active.*?<details open', nav)
    assert 'href="index.html"' in opened
    assert nav.count("<details") == 5
    for href in re.findall(r'href="([^"#]+)"', nav):
        assert (built_site / "nlp" / href).is_file(), href
