"""Listings, tag pages, article headers and the learning path, on small sites."""

import re
from urllib.parse import unquote

import pytest
from docutils import nodes
from docutils.utils import new_document

from _ext.articles import reading_minutes, tag_page

CONF = """
html_title = "会跑的笔记"
author = "作者们"
html_baseurl = "https://notes.example/"
repository_url = "https://code.example/notes"
templates_path = [{templates!r}]
html_sidebars = {{"**": ["globaltoc.html"]}}
html_theme_options = {{"globaltoc_includehidden": True, "globaltoc_collapse": False}}
"""
INDEX = """
    # 首页

    ```{toctree}
    python/index
    nlp/index
    ```

    NLP：{article-count}`nlp`。

    ```{articles}
    ```

    ```{learning-path}
    ```

    ```{tags}
    ```
"""
CATEGORY = """
    # {title}

    ```{{articles}}
    :category: {name}
    ```

    ```{{chapter}}
    ```
"""


def article(s, name, title="标题", body="正文。", **front):
    s.article(name, f"# {title}\n\n{body}\n", **front)


@pytest.fixture
def notes(site, pytestconfig):
    s = site("_ext.listings", "_ext.feed")
    s.configure(CONF.format(templates=str(pytestconfig.rootpath / "_templates")))
    s.write("index.md", INDEX)
    s.write("python/index.md", CATEGORY.format(name="python", title="Python 语言"))
    s.write("nlp/index.md", CATEGORY.format(name="nlp", title="自然语言处理"))
    return s


def build(s, *options):
    b = s.build("html", *options)
    assert b.code == 0, b.output
    return b


def page(b, name="index"):
    return (b.outdir / f"{name}.html").read_text(encoding="utf-8")


def listed(html):
    """The titles of a page's listing, from top to bottom."""
    return re.findall(r'<p class="article-title"><a[^>]*>(.*?)</a>', html)


def text(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", html)).strip()


def links(html):
    return re.findall(r'href="([^"#:?]+)[^":]*"', html)


def test_listing_is_newest_first_and_says_what_an_article_is(notes):
    article(notes, "python/old", "旧文", date="2026-01-11", updated="2026-02-01")
    article(notes, "python/b", "同日乙", date="2026-03-05", updated="2026-03-05")
    article(notes, "nlp/a", "同日甲", date="2026-03-05", updated="2026-03-05", tags="[词, n-gram]")
    day = "2026-11-22"
    article(notes, "nlp/new", "新文 `super`", date=day, updated=day, description="甲 < 乙 & 丙")
    b = build(notes)
    front = page(b)
    names = ["同日甲", "同日乙", "旧文"]
    assert [text(t) for t in listed(front)] == ["新文 super", *names]
    assert [text(t) for t in listed(page(b, "python/index"))] == names[1:]
    item = front[front.index('nlp/a.html">同日甲') :]
    assert '<time datetime="2026-03-05">2026-03-05</time>' in item
    assert '<p class="article-excerpt">一句话。</p>' in item
    assert '<a class="article-category" href="nlp/index.html">自然语言处理</a>' in item
    assert '<a class="tag" href="tags/n-gram.html">n-gram</a>' in item
    assert '<span class="reading-time">约 1 分钟</span>' in item
    assert '更新于 <time datetime="2026-02-01">' in front
    assert front.count("更新于") == 1
    assert '<p class="article-excerpt">甲 &lt; 乙 &amp; 丙</p>' in front
    assert "NLP：2 篇文章。" in text(front)


def test_empty_category_says_so(notes):
    article(notes, "nlp/only")
    b = build(notes)
    assert "这里还没有文章。" in page(b, "python/index")
    assert "这里还没有文章。" not in page(b)


def test_site_without_articles_builds(notes):
    b = build(notes)
    assert "这里还没有标签。" in page(b, "tags/index")
    assert "NLP：还没有文章。" in text(page(b))


def test_broken_front_matter_is_left_to_the_contract(notes):
    article(notes, "nlp/good", "好")
    article(notes, "nlp/date", "坏日期", date="昨天")
    article(notes, "nlp/tags", "坏标签", tags="[1, 2]")
    article(notes, "nlp/mapping", "坏映射", tags="{词: 1}")
    notes.write("nlp/bare.md", "---\ndate: 2026-01-11\n---\n\n# 无\n")
    assert listed(page(build(notes))) == ["好"]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_changed_front_matter_reaches_every_page_that_shows_it(notes, jobs):
    for i in range(6):
        article(notes, f"python/p{i}", f"第 {i} 篇")
    article(notes, "nlp/a", "甲", prerequisites="[nlp/b]")
    article(notes, "nlp/b", "乙")
    build(notes, "-j", jobs)
    article(notes, "nlp/b", "乙", description="换了的摘要。", tags="[新标签]")
    b = build(notes, "-j", jobs)
    for name in ("index", "nlp/index", "tags/新标签"):
        assert "换了的摘要。" in page(b, name), name
    assert "新标签" in page(b, "tags/index")
    assert "乙" not in listed(page(b, "tags/词"))
    article(notes, "nlp/b", "丙")
    b = build(notes, "-j", jobs)
    assert "丙" in listed(page(b))
    assert "乙" not in listed(page(b))
    assert ">丙</a>" in page(b, "nlp/a")
    assert not (b.outdir / "tags/新标签.html").exists()
    (notes.root / "nlp/b.md").unlink()
    article(notes, "nlp/a", "甲")
    b = build(notes, "-j", jobs)
    assert listed(page(b, "nlp/index")) == ["甲"]
    assert sorted(path.name for path in (b.outdir / "nlp").glob("*.html")) == [
        "a.html",
        "index.html",
    ]


def test_incremental_build_equals_a_fresh_one(notes):
    article(notes, "nlp/a", "甲")
    article(notes, "nlp/b", "乙", tags="[旧]")
    build(notes)
    article(notes, "nlp/b", "丙", tags="[新]", prerequisites="[nlp/a]", date="2026-02-02")
    article(notes, "nlp/c", "丁")
    b = build(notes)
    ours = {p.relative_to(b.outdir): p.read_bytes() for p in b.outdir.rglob("*.[hx]*ml")}
    fresh = build(notes, "-E", "-a")
    theirs = {p.relative_to(b.outdir): p.read_bytes() for p in fresh.outdir.rglob("*.[hx]*ml")}
    assert ours == theirs


def test_build_for_doctest_in_between_does_not_hide_a_change(notes):
    notes.configure('extensions.append("sphinx.ext.doctest")\n')
    article(notes, "nlp/a", "甲")
    build(notes)
    article(notes, "nlp/a", "乙")
    assert notes.build("doctest").code == 0
    assert "pickling environment" not in notes.build("doctest").output
    assert listed(page(build(notes))) == ["乙"]


def test_a_target_that_moves_is_followed_by_the_pages_that_link_it(notes):
    """A new one makes no other page be written again."""
    link = "{ref}`甲 <target>`"
    article(notes, "python/a", "甲")
    notes.write("python/a.md", (notes.root / "python/a.md").read_text("utf-8") + f"\n{link}\n")
    part = "# 自然语言处理\n\n(target)=\n## 甲\n\n一\n"
    notes.write("nlp/index.md", part)
    before = page(build(notes), "python/a")
    written = (notes.root / "_build/html/python/a.html").stat().st_mtime_ns
    notes.write("nlp/index.md", part + "\n(other)=\n## 乙\n\n二\n")
    b = build(notes)
    assert (b.outdir / "python/a.html").stat().st_mtime_ns == written
    assert 'href="../nlp/index.html#target"' in before
    notes.write("nlp/index.md", "# 自然语言处理\n\n一\n")
    chapter = (notes.root / "python/index.md").read_text("utf-8")
    notes.write("python/index.md", chapter + "\n(target)=\n## 甲\n\n一\n")
    assert notes.build("dummy").code == 0  # another builder reads it first
    assert 'href="index.html#target"' in page(build(notes), "python/a")


def test_build_that_died_while_writing_is_made_good_by_the_next(notes):
    bomb = """
def setup(app):
    from pathlib import Path
    def explode(app, page, *rest):
        if page == "index" and Path("bomb").exists():
            raise RuntimeError("died")
    app.connect("html-page-context", explode)
"""
    notes.configure(bomb)
    article(notes, "nlp/a", "甲")
    build(notes)
    article(notes, "nlp/a", "乙")
    notes.write("bomb", "")
    assert notes.build().code != 0
    (notes.root / "bomb").unlink()
    assert listed(page(build(notes))) == ["乙"]


def test_body_edit_writes_its_page_and_chapter_and_no_edit_writes_none(notes):
    article(notes, "nlp/a", "甲")
    article(notes, "nlp/b", "乙")
    b = build(notes)
    pages = [p for p in b.outdir.rglob("*.html") if p.name not in ("search.html", "genindex.html")]
    before = {p: p.stat().st_mtime_ns for p in pages}
    build(notes)
    assert before == {p: p.stat().st_mtime_ns for p in pages}
    article(notes, "nlp/a", "甲", body="改过的正文。")
    build(notes)
    written = {str(p.relative_to(b.outdir)) for p in pages if p.stat().st_mtime_ns != before[p]}
    assert written == {"nlp/a.html", "nlp/index.html"}  # Sphinx rewrites the toctree's page


def test_tag_pages_list_their_articles_and_all_links_resolve(notes):
    article(notes, "nlp/a", "甲", tags="[语言模型, C++, R&D]")
    article(notes, "nlp/b", "乙", tags="[语言模型]")
    b = build(notes)
    assert listed(page(b, "tags/语言模型")) == ["甲", "乙"]
    assert listed(page(b, "tags/c++")) == listed(page(b, "tags/r-d")) == ["甲"]
    assert "<title>标签：语言模型" in page(b, "tags/语言模型")
    assert "<h1>标签：R&amp;D</h1>" in page(b, "tags/r-d")
    assert "<h1>标签</h1>" in page(b, "tags/index")
    assert not (notes.root / "tags").exists()
    for path in b.outdir.rglob("*.html"):
        for link in links(path.read_text(encoding="utf-8")):
            assert (path.parent / unquote(link)).exists(), (path, link)


def test_tags_that_would_share_a_page_are_reported(notes):
    article(notes, "nlp/a", tags="[PyTorch]")
    article(notes, "nlp/b", tags="[pytorch]")
    b = notes.build()
    assert b.code == 1
    assert "tag 'pytorch' would share its page with 'PyTorch'" in b.output


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("MRO", "tags/mro"),
        ("语言模型", "tags/语言模型"),
        ("a/b ../c", "tags/a-b-..-c"),
        ("..", "tags/-"),
        ("e\u0301", "tags/é"),
    ],
)
def test_tag_names_its_page(tag, name):
    assert tag_page(tag) == name


def test_header_stands_under_the_title(notes):
    article(notes, "nlp/b", "乙")
    need = "[nlp/b, 会写 Python 的类]"
    article(
        notes,
        "nlp/long-name",
        "长",
        updated="2026-11-22",
        prerequisites=need,
        body="字" * 1200 + "\n\n```text\n" + "x = 1\n\n" * 60 + "```",
    )
    (notes.root / "snippets/nlp/b").mkdir(parents=True)
    b = build(notes)
    html = page(b, "nlp/long-name")
    header = re.search(r'</h1>\s*<div class="article-header">(.*?)</div>', html, re.DOTALL).group(1)
    assert text(header).startswith("2026-01-11 更新于 2026-11-22 自然语言处理 约 5 分钟 词")
    assert 'href="https://code.example/notes/blob/HEAD/snippets/nlp/long_name.py"' in header
    assert 'href="https://code.example/notes/blob/HEAD/tests/nlp/test_long_name.py"' in header
    assert "<code>snippets.nlp.long_name</code>" in header
    assert '<li><a href="b.html">乙</a></li>' in header
    assert "<li>会写 Python 的类</li>" in header
    other = page(b, "nlp/b")
    assert 'notes/blob/HEAD/snippets/nlp/b"' in other
    assert "prerequisites" not in other
    assert "article-header" not in page(b) + page(b, "nlp/index")


@pytest.mark.parametrize(
    ("content", "minutes"),
    [
        (nodes.paragraph("", "字" * 100), 1),
        (nodes.paragraph("", "字" * 4000), 10),
        (nodes.paragraph("", "word's end " * 400), 6),
        (nodes.paragraph("", "", *[nodes.math("", "a b c d e f")] * 1000), 5),
        (nodes.literal_block("", "字 = x\n\n" * 300), 10),
        (nodes.math_block("", "x\n" * 300), 10),
        (nodes.comment("", "字" * 4000), 1),
    ],
)
def test_reading_time(content, minutes):
    document = new_document("page")
    document += content
    assert reading_minutes(document) == minutes


def test_learning_path_puts_prerequisites_first(notes):
    article(notes, "python/z", "末", prerequisites="[nlp/b]")
    article(notes, "python/y", "首")
    article(notes, "nlp/a", "甲", prerequisites="[nlp/b]")
    article(notes, "nlp/b", "乙")
    b = build(notes)
    path = re.search(r'<ol class="learning-path">(.*?)</ol>', page(b), re.DOTALL).group(1)
    items = [text(item) for item in re.findall(r"<li>(.*?)</li>", path, re.DOTALL)]
    assert items == ["首", "乙", "末 先读 乙", "甲 先读 乙"]
    following = re.search(r'<link rel="next"[^>]*href="([^"]+)"', page(b, "nlp/index")).group(1)
    assert following == "b.html"
    navigation = page(b).partition('<div class="sphinxsidebar')[2]
    chapter = ["nlp/index", "nlp/b", "nlp/a"]
    assert re.findall(r'href="(nlp/[^"]+)\.html"', navigation) == chapter


def test_circle_of_prerequisites_is_reported(notes):
    article(notes, "nlp/a", prerequisites="[nlp/b]")
    article(notes, "nlp/b", prerequisites="[nlp/a]")
    b = notes.build()
    assert b.code == 1
    assert re.search(r"nlp/(\w)\.md: WARNING: prerequisites form a circle: nlp/\1 <- ", b.output)
