"""The Markdown twins: what a page says, without a trace of how it is marked up; and llms.txt."""

import re
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from mdit_py_plugins.dollarmath import dollarmath_plugin

ROOT = Path(__file__).parents[2]
PAGE = """\
    (one)=
    # 一 `x`

    {term}`指纹`是**什么？**
    见{ref}`two`与[外面](https://example.org/a)，公式 {eq}`one-sum` 与 {numref}`one-fig`。
    代码 `a|b`、$|x|$ 与 a_b、2 * 3 * 4。

    $$
    a &= b \\\\
    c &= d
    $$ (one-sum)

    ```{doctest}
    >>> 1 + 1
    2
    ```

    | 名 | 式 |
    |---|---|
    | `a\\|b` | $\\lvert x \\rvert$ |

    - 甲
      - 乙

        第二段

    1. 丙

    > 引文

    ```{drawn} snippets.nlp.one.figure_line
    :alt: 一条线
    :name: one-fig
    图注。
    ```

    ````{dropdown} 答案
    ```{literalinclude} ../snippets/nlp/one.py
    :pyobject: f
    ```
    ````
"""
TWIN = """\
# 一 `x`

> 一句话。

发布于 2026-01-11，更新于 2026-02-03。代码在模块 `snippets.nlp.one`。\
网页：<https://notes.example/nlp/one.html>

指纹是**什么？** 见[二](two.md)与[外面](https://example.org/a)，公式 (1) 与 图 1。\
代码 `a|b`、$|x|$ 与 a_b、2 \\* 3 \\* 4。

$$
\\begin{split}a &= b \\\\
c &= d\\end{split} \\tag{1}
$$

```pycon
>>> 1 + 1
2
```

| 名 | 式 |
|---|---|
| `a\\|b` | $\\lvert x \\rvert$ |

- 甲

  - 乙

    第二段

1. 丙

> 引文

![一条线](../_images/nlp-one-figure_line.svg)

图 1 图注。

**答案**

```python
def f(x):
    return x
```
"""
MODULE = """\
    def f(x):
        return x


    def figure_line():
        from matplotlib.figure import Figure

        figure = Figure()
        figure.subplots().plot([1, 2], color="#1f2933")
        return figure
"""


@pytest.fixture
def notes(site):
    ours = ["chinese", "contract", "doctests", "drawn", "katex", "listings", "markdown"]
    s = site(*(f"_ext.{name}" for name in [*ours, "numbering"]), "sphinx_design")
    s.configure(
        f"templates_path = [{str(ROOT / '_templates')!r}]\n"
        "html_math_renderer = 'katex'\nnumfig = True\nmath_numfig = False\n"
        "highlight_language = 'python'\n"
        "html_baseurl = 'https://notes.example/'\n"
    )
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/index\nglossary\n```\n\n```{articles}\n```\n")
    s.write("glossary.md", "# 术语\n\n```{glossary}\n指纹\nfingerprint\n  散列值。\n```\n")
    s.write("nlp/index.md", "---\ndescription: 这一类。\n---\n(nlp)=\n# 类\n\n```{chapter}\n```\n")
    s.article("nlp/one", PAGE, updated="2026-02-03")
    s.write("nlp/two.md", "(two)=\n# 二\n\n正文。\n")
    s.write("snippets/nlp/__init__.py", "")
    s.write("snippets/nlp/one.py", MODULE)
    for name in (
        "snippets/common/__init__.py",
        "snippets/common/plot.py",
        "snippets/common/imports.py",
    ):
        s.write(name, (ROOT / name).read_text("utf-8"))
    return s


def build(s):
    done = s.build("html", strict=False)
    assert done.code == 0, done.output
    return done.outdir


def test_a_page_and_its_twin_say_the_same(notes):
    out = build(notes)
    assert (out / "nlp/one.md").read_text("utf-8") == TWIN
    tag = '<link rel="alternate" type="text/markdown" href="one.md" />'
    assert (out / "nlp/one.html").read_text("utf-8").count(tag) == 1
    assert "- [一 x](nlp/one.md)：一句话。" in (out / "index.md").read_text("utf-8")
    assert "- **指纹 / fingerprint**：散列值。" in (out / "glossary.md").read_text("utf-8")


def test_the_twin_of_a_page_that_is_gone_goes_too(notes):
    out = build(notes)
    assert (out / "nlp/two.md").is_file()
    (notes.root / "nlp/two.md").unlink()
    notes.article("nlp/one", PAGE.replace("{ref}`two`", "那里"))
    build(notes)
    assert not (out / "nlp/two.md").exists()


def test_llms_txt_lists_the_twins_by_category(notes):
    assert (build(notes) / "llms.txt").read_text("utf-8").split("\n\n")[2:] == [
        "## 类",
        "- [二](https://notes.example/nlp/two.md)\n"
        "- [一 x](https://notes.example/nlp/one.md): 一句话。",
        "## Optional",
        "- [术语](https://notes.example/glossary.md)\n",
    ]


def twins(built_site):
    return sorted(p for p in built_site.rglob("*.md") if p.with_suffix(".html").is_file())


def test_every_page_has_a_twin_without_markup_that_failed(built_site):
    """No role, directive or mark of emphasis survives as text; every link has its file."""
    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin, allow_space=False)
    pages = twins(built_site)
    assert len(pages) >= 27
    for path in pages:
        text = path.read_text("utf-8")
        for token in parser.parse(text):
            for span in token.children or ():
                marks = re.search(r"\*\*|\{[a-z:]+\}$|:::|\$|<p|<span", span.content)
                assert span.type != "text" or not marks, (path, span.content)
                target = span.attrs.get("href") or span.attrs.get("src") or ""
                if target and "://" not in target:
                    assert (path.parent / target).is_file(), (path, target)
        page = path.with_suffix(".html").read_text("utf-8")
        assert len(text) > 0.05 * len(re.sub("<[^>]*>", "", page)), path


def test_llms_txt_names_every_page_once(built_site):
    text = (built_site / "llms.txt").read_text("utf-8")
    assert re.match(r"# [^\n]+\n\n> [^\n]+\n\n## ", text)
    base = "https://notes-that-run.github.io/"
    named = re.findall(rf"^- \[.+\]\({base}(.*?)\)(?:: .+)?$", text, re.MULTILINE)
    expected = {str(path.relative_to(built_site)) for path in twins(built_site)}
    assert sorted(named) == sorted(p for p in expected if not p.endswith("index.md"))
