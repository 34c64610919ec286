"""The real site, as a reader comes in: every article is listed, tagged, fed and described."""

import re
from html import escape
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import yaml

from _ext.articles import tag_page

CATEGORIES = ("python", "nlp", "generative", "cv", "large-model")
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(scope="session")
def front_matter(pytestconfig):
    """Front matter by page, of every article in the source tree."""
    root = pytestconfig.rootpath
    pages = [p for c in CATEGORIES for p in sorted(root.glob(f"{c}/*.md")) if p.stem != "index"]
    return {
        str(p.relative_to(root).with_suffix("")): yaml.safe_load(
            p.read_text(encoding="utf-8").split("---\n")[1]
        )
        for p in pages
    }


def listed(html):
    """Target and excerpt of each entry of a page's listing, from top to bottom."""
    entry = r'class="article-title"><a href="([^"]+)\.html">.*?class="article-excerpt">(.*?)</p>'
    return re.findall(entry, html, re.DOTALL)


def newest_first(pages):
    return sorted(pages, key=lambda page: (-pages[page]["date"].toordinal(), page))


def test_front_page_lists_all_articles_newest_first(built_site, front_matter):
    html = (built_site / "index.html").read_text(encoding="utf-8")
    expected = [(p, escape(front_matter[p]["description"])) for p in newest_first(front_matter)]
    assert listed(html) == expected
    path = re.search(r'<ol class="learning-path">(.*?)</ol>', html, re.DOTALL)[1]
    steps = re.findall(r'<li>\s*<a href="([^"]+)\.html">', path)
    assert sorted(steps) == sorted(front_matter)
    for step, page in enumerate(steps):
        earlier = set(front_matter[page]["prerequisites"]) & set(front_matter)
        assert earlier <= set(steps[:step]), page


@pytest.mark.parametrize("category", CATEGORIES)
def test_category_lists_its_articles_or_says_that_there_are_none(
    built_site, front_matter, category
):
    html = (built_site / category / "index.html").read_text(encoding="utf-8")
    own = {page: data for page, data in front_matter.items() if data["category"] == category}
    assert [f"{category}/{page}" for page, _ in listed(html)] == newest_first(own)
    assert ("这里还没有文章。" in html) == (not own)


def test_every_tag_has_a_page_with_its_articles(built_site, front_matter):
    pages = {}
    for page, data in front_matter.items():
        for tag in data["tags"]:
            pages.setdefault(tag_page(tag), set()).add(f"../{page}")
    for name, articles in pages.items():
        html = (built_site / f"{name}.html").read_text(encoding="utf-8")
        assert {page for page, _ in listed(html)} == articles, name
    written = {f"tags/{p.stem}" for p in (built_site / "tags").glob("*.html")}
    assert written == {*pages, "tags/index"}


def test_feed_carries_every_article(built_site, front_matter):
    feed = ElementTree.parse(built_site / "feed.xml").getroot()
    ids = [entry.findtext(f"{ATOM}id") for entry in feed.findall(f"{ATOM}entry")]
    home = feed.findtext(f"{ATOM}id")
    assert ids == [f"{home}{page}.html" for page in newest_first(front_matter)]


def test_article_opens_with_dates_and_what_to_read_before(built_site, front_matter):
    for page, data in front_matter.items():
        html = (built_site / f"{page}.html").read_text(encoding="utf-8")
        header = re.search(r'</h1>\s*<div class="article-header">(.*?)</div>', html, re.DOTALL)[1]
        days = re.findall(r'<time datetime="([^"]+)">\1</time>', header)
        assert days == sorted({str(data["date"]), str(data["updated"])}), page
        assert len(re.findall(r"<li>", header)) == len(data["prerequisites"]), page
        assert re.search(r'class="reading-time">约 \d+ 分钟<', header), page
        assert f'<meta name="description" content="{escape(data["description"])}" />' in html


@pytest.mark.browser
def test_tags_lead_to_their_pages_from_disk(built_site, front_matter, browser):
    page = browser.new_page()
    page.goto((built_site / "index.html").as_uri())
    for tag in sorted({tag for data in front_matter.values() for tag in data["tags"]}):
        page.locator(".tag-list").get_by_text(tag, exact=True).click()
        page.wait_for_load_state()
        assert unquote(page.url).endswith(f"/{tag_page(tag)}.html")
        assert page.locator("h1").first.inner_text() == f"标签：{tag}"
        page.go_back()
    page.close()
