"""Line ends between Chinese characters leave no space; headings have readable addresses."""

import re

import pytest

from _ext.chinese import joined


def body(build, name: str = "index") -> str:
    """Return what a page shows, tags removed, line ends as the space that a browser shows."""
    html = (build.outdir / f"{name}.html").read_text("utf-8")
    main = re.search(r'<div class="body".*?<div class="clearer">', html, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", main[0]))


@pytest.fixture(params=["1", "2"], ids=["serial", "parallel"])
def build(request, site):
    """Build a site of one page of the given text and, to have work for two, five others."""
    s = site("_ext.chinese")

    def run(text: str):
        others = "\n".join(f"other{i}" for i in range(5))
        for i in range(5):
            s.write(f"other{i}.md", f"(label{i})=\n# 别的\n\n一行，\n又一行。\n")
        s.write("index.md", f"(index)=\n# 首页\n\n```{{toctree}}\n{others}\n```\n\n{text}")
        built = s.build("html", "-j", request.param)
        assert built.code == 0, built.output
        return built

    return run


TEXTS = {
    "甲\n乙": "甲乙",
    "甲，\n乙。\n“丙”\n丁": "甲，乙。“丙”丁",
    "甲\nPython\n乙": "甲 Python 乙",
    "甲。\nPython 乙": "甲。Python 乙",
    "one\ntwo": "one two",
    "one “two”\n“three”": "one “two”“three”",
    "one\n“two”": "one “two”",
    "甲\n**乙**\n丙": "甲乙丙",
    "**甲\n乙**\n*丙*\n丁": "甲乙丙丁",
    "甲\n`code`\n乙": "甲 code 乙",
    "甲，\n`code`，\n乙": "甲，code，乙",
    "甲\n[乙](other1.md)\n丙": "甲乙丙",
    "甲\n{ref}`乙 <label1>`\n丙": "甲乙丙",
    "> 甲\n> 乙": "甲乙",
    "1. 甲\n   乙": "甲乙",
    "```{note}\n甲\n乙\n```": "甲乙",
    "甲 \n乙": "甲乙",
    "甲\\\n乙": "甲 乙",
    "2\n3": "2 3",
    "甲\n2": "甲 2",
    "𠀀\n𠀁": "𠀀𠀁",
}


def test_line_ends(build):
    text = "\n\n".join(f"起{i:02}始\n\n{source}\n" for i, source in enumerate(TEXTS))
    shown = body(build(text))
    for i, expected in enumerate(TEXTS.values()):
        found = re.search(rf"起{i:02}始 (.*?) (?:起|This|$)", shown)
        assert expected in (found[1] if found else shown[-300:]), (expected, found and found[1])
    assert "一行，又一行。" in body(build(text), "other3")


def test_code_keeps_its_lines(build):
    html = (build("```text\n甲\n乙\n```\n\n`甲\n乙`\n").outdir / "index.html").read_text("utf-8")
    assert "甲\n乙" in html


@pytest.mark.parametrize(
    ("before", "after", "is_joined"),
    [
        ("甲", "乙", True),
        ("，", "a", True),
        ("a", "「", True),
        ("甲", "a", False),
        ("”", "a", False),
    ],
)
def test_joined(before, after, is_joined):
    assert joined(before, after) is is_joined


HEADINGS = """\
(index/two)=
## 二

(index/three)=
### Three

(index/early)=

(index/late)=
### 三

见 {ref}`index/three`、{ref}`index/early`。
"""


def test_addresses_are_labels(build):
    html = (build(HEADINGS).outdir / "index.html").read_text("utf-8")
    permalinks = re.findall(r'class="headerlink" href="([^"]*)"', html)
    assert permalinks == ["#index", "#index-two", "#index-three", "#index-late"]
    assert re.findall(r'<section[^>]* id="([^"]*)">', html) == [p[1:] for p in permalinks]
    local = {"index", "index-two", "index-three", "index-early", "index-late"}
    assert set(re.findall(r'href="#([\w-]+)"', html)) == local
    assert 'id="index-early"' in html
    assert not re.search(r'id="(id\d+|three)"', html)
