"""Feed, sitemap and the head of a page, on small sites."""

import re
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

ATOM = "{http://www.w3.org/2005/Atom}"
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
DESCRIPTION = '一句话，含 "引号" 与 <尖括号> & 符号。'


@pytest.fixture
def notes(site, pytestconfig):
    s = site("_ext.listings", "_ext.feed")
    templates = str(pytestconfig.rootpath / "_templates")
    s.configure(f"templates_path = [{templates!r}]\nhtml_title = '笔记'\nauthor = '作者们'\n")
    s.configure("html_baseurl = 'https://notes.example/site/'\n")
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/index\n```\n\n```{articles}\n```\n")
    s.write("nlp/index.md", "---\ndescription: 这一类。\n---\n\n# 类\n\n```{chapter}\n```\n")
    return s


def build(s, *options):
    b = s.build("html", *options)
    assert b.code == 0, b.output
    return b


def two_articles(s):
    said = {"description": DESCRIPTION, "tags": "[语言模型]"}
    s.article("nlp/old", "# 一 `A < B & C`\n", updated="2026-02-03", **said)
    s.article("nlp/new", "# 二\n", date="2026-01-30", updated="2026-01-30", **said)


def test_feed_has_what_rfc_4287_requires(notes):
    two_articles(notes)
    feed = ElementTree.parse(build(notes).outdir / "feed.xml").getroot()
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}id") == "https://notes.example/site/"
    assert feed.findtext(f"{ATOM}title") == "笔记"
    assert feed.findtext(f"{ATOM}updated") == "2026-02-03T00:00:00Z"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "作者们"
    hrefs = {link.get("rel"): link.get("href") for link in feed.findall(f"{ATOM}link")}
    assert hrefs == {
        "self": "https://notes.example/site/feed.xml",
        "alternate": "https://notes.example/site/",
    }
    new, old = feed.findall(f"{ATOM}entry")
    assert new.findtext(f"{ATOM}id") == "https://notes.example/site/nlp/new.html"
    assert old.find(f"{ATOM}link").get("href") == "https://notes.example/site/nlp/old.html"
    assert old.findtext(f"{ATOM}title") == "一 A < B & C"
    assert old.findtext(f"{ATOM}published") == "2026-01-11T00:00:00Z"
    assert old.findtext(f"{ATOM}updated") == "2026-02-03T00:00:00Z"
    assert old.findtext(f"{ATOM}summary") == DESCRIPTION
    assert [c.get("term") for c in old.findall(f"{ATOM}category")] == ["nlp", "语言模型"]


def test_feed_without_articles_is_still_a_feed(notes):
    feed = ElementTree.parse(build(notes).outdir / "feed.xml").getroot()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT00:00:00Z", feed.findtext(f"{ATOM}updated"))
    assert feed.find(f"{ATOM}entry") is None


def test_sitemap_names_every_page_with_its_date(notes):
    two_articles(notes)
    b = build(notes)
    urls = ElementTree.parse(b.outdir / "sitemap.xml").getroot().findall(f"{SITEMAP}url")
    days = {u.findtext(f"{SITEMAP}loc"): u.findtext(f"{SITEMAP}lastmod") for u in urls}
    base = "https://notes.example/site/"
    assert days[f"{base}index.html"] is None
    assert days[f"{base}nlp/old.html"] == "2026-02-03"
    named = {unquote(url.removeprefix(base)) for url in days}
    written = {str(p.relative_to(b.outdir)) for p in b.outdir.rglob("*.html")}
    assert named == written - {"genindex.html", "search.html"}
    assert "tags/语言模型.html" in named
    assert all(url.isascii() for url in days)


def test_two_builds_write_the_same_bytes(notes):
    two_articles(notes)
    files = ("feed.xml", "sitemap.xml", "index.html", "nlp/old.html", "tags/语言模型.html")
    first = [(build(notes).outdir / name).read_bytes() for name in files]
    again = [(build(notes, "-E", "-a", "-j", "2").outdir / name).read_bytes() for name in files]
    assert first == again


def test_head_describes_the_page(notes):
    two_articles(notes)
    b = build(notes)
    head = (b.outdir / "nlp/old.html").read_text(encoding="utf-8").partition("</head>")[0]
    description = "一句话，含 &quot;引号&quot; 与 &lt;尖括号&gt; &amp; 符号。"
    url = "https://notes.example/site/nlp/old.html"
    for tag in (
        '<link rel="alternate" type="application/atom+xml" title="笔记" href="../feed.xml" />',
        f'<meta name="description" content="{description}" />',
        f'<meta property="og:description" content="{description}" />',
        '<meta property="og:title" content="一 A &lt; B &amp; C" />',
        '<meta property="og:type" content="article" />',
        f'<meta property="og:url" content="{url}" />',
        '<meta property="article:published_time" content="2026-01-11" />',
        '<meta property="article:modified_time" content="2026-02-03" />',
        f'<link rel="canonical" href="{url}" />',
    ):
        assert head.count(tag) == 1, tag
    category = (b.outdir / "nlp/index.html").read_text(encoding="utf-8")
    assert '<meta name="description" content="这一类。" />' in category
    assert '<meta property="og:type" content="website" />' in category
    plain = (b.outdir / "index.html").read_text(encoding="utf-8")
    assert 'href="feed.xml"' in plain
    assert "og:type" not in plain
