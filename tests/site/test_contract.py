"""The page contract: each broken site fails with its message, file and line, and only with that."""

import re

import pytest

PAGE = """\
---
category: python
date: 2026-01-11
updated: 2026-11-22
description: 一句话。
tags: [示例]
prerequisites: []
---
(two-words)=
# 标题

正文见 {eq}`two-words-sum`，**“重点”** 有效，`a**b`、$a*b*c$ 与 2 * 3 * 4 不算。

$$
a + b
$$ (two-words-sum)

(two-words/code)=
## 代码

```{literalinclude} ../snippets/python/two_words.py
:pyobject: add
:caption: 加法
```

```{literalinclude} ../snippets/python/two_words.py
:pyobject: Pair
```

```{doctest}
>>> 1 + 1
2
```

:::{dropdown} 答案
```{testcode}
print("**")
```
```{testoutput}
**
```
:::

```console
$ make html
```

::::{grid} 2
:::{grid-item-card} 卡片
正文
:::
::::

```{list-table}
* - 甲
  - 乙
```

(two-words/references)=
## 参考文献
"""

MODULE = '''\
"""Adds."""

LIMIT = 3


def add(a, b):
    """Return Eq. (two-words-sum) of the page and Eq. (7) of the paper."""
    return a + b


class Pair:
    """Two."""

    def swap(self):
        """Swap."""

    def keep(self):
        """Keep."""


def _hidden():
    pass
'''


CONF = """
myst_enable_extensions = ["colon_fence", "dollarmath"]
highlight_language = "python"
"""


@pytest.fixture
def article(site):
    """A site of one article that keeps the contract."""
    s = site("_ext.contract", "sphinx.ext.doctest", "sphinx_design")
    s.configure(CONF)
    s.write("index.md", "(index)=\n# 首页\n\n```{toctree}\npython/two-words\n```\n")
    s.write("python/two-words.md", PAGE)
    s.write("snippets/python/two_words.py", MODULE)
    s.write("snippets/python/two_words_run.py", "INPUTS = {}\n")
    s.write("snippets/python/__init__.py", "")
    s.write("snippets/common/plot.py", "def style():\n    pass\n")
    s.write("tests/python/test_two_words.py", "")
    s.write("tests/common/test_plot.py", "")
    return s


def change(site, old: str, new: str, name: str = "python/two-words.md") -> None:
    """Replace the one place of a file that reads `old`."""
    text = (site.root / name).read_text("utf-8")
    assert text.count(old) == 1, (old, text.count(old))
    site.write(name, text.replace(old, new))


def warnings(build, site) -> list[str]:
    """Every warning of a build as `file:line: message`."""
    lines = [line for line in build.output.splitlines() if re.search("WARNING: |ERROR: ", line)]
    return [
        re.sub(r"(WARNING|ERROR): | \[.*\]$", "", line.replace(f"{site.root}/", ""))
        for line in lines
    ]


def line_of(site, needle: str, name: str = "python/two-words.md") -> int:
    lines = (site.root / name).read_text("utf-8").splitlines()
    return next(i for i, line in enumerate(lines, 1) if needle in line)


def only_warning(site, needle: str, message: str, name: str = "python/two-words.md") -> None:
    """Build; exactly one warning, at the line that contains `needle`."""
    build = site.build("dummy")
    assert warnings(build, site) == [f"{name}:{line_of(site, needle, name)}: {message}"], (
        build.output
    )
    assert build.code == 1


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_an_article_that_keeps_the_contract_builds(article, jobs):
    build = article.build("html", "-j", jobs)
    assert (build.code, warnings(build, article)) == (0, []), build.output


def test_parallel_readers_report_the_same(article):
    change(article, "一句话。", "")
    for i in range(6):
        article.write(f"python/more-{i}.md", PAGE.replace("two-words", f"more-{i}"))
        module = MODULE.replace("two-words", f"more-{i}")
        article.write(f"snippets/python/more_{i}.py", module.replace("_hidden", "shy"))
    serial, parallel = article.build("dummy", "-E"), article.build("dummy", "-E", "-j", "2")
    assert len(warnings(serial, article)) > 20
    assert sorted(warnings(serial, article)) == sorted(warnings(parallel, article))


NOBODY = "Python that nobody runs ({}): use doctest, testcode or literalinclude"
UNNAMED = "a code block without a language: run it, or say text, console, yaml …"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        *((f"```{name}\nx = 1\n```", NOBODY.format(name)) for name in ("python", "py", "python3")),
        ("```pycon\n>>> 1\n1\n```", NOBODY.format("pycon")),
        ("```numpy\nx = 1\n```", NOBODY.format("numpy")),
        ("~~~pytb\nx = 1\n~~~", NOBODY.format("pytb")),
        ("```\nx = 1\n```", NOBODY.format("python")),
        ("```{code-block} python\nx = 1\n```", NOBODY.format("python")),
        ("```{code-block}\nx = 1\n```", NOBODY.format("python")),
        ("```{code} python\nx = 1\n```", NOBODY.format("python")),
        ("```{sourcecode} py\nx = 1\n```", NOBODY.format("py")),
        ("```text\n>>> x\n1\n```", NOBODY.format("text")),
        ("    x = 1", UNNAMED),
        ("```none\nx = 1\n```", UNNAMED),
        ("```{highlight} yaml\n```\n\n```python\nx = 1\n```", NOBODY.format("python")),
    ],
)
def test_python_that_nobody_runs(article, block, message):
    change(article, "```console\n$ make html\n```", f"改前\n\n{block}")
    needle = "改前"
    build = article.build("dummy")
    offset = 2 + block.startswith("```{highlight}") * 3
    at = line_of(article, needle) + offset
    assert warnings(build, article) == [f"python/two-words.md:{at}: {message}"], build.output
    assert build.code == 1


def test_python_that_nobody_runs_inside_a_dropdown(article):
    change(article, "```{testcode}\n", "```ipython\nx\n```\n```{testcode}\n")
    build = article.build("dummy")
    at = line_of(article, "```ipython")
    assert f"python/two-words.md:{at}: {NOBODY.format('ipython')}" in warnings(build, article)
    assert build.code == 1


@pytest.mark.parametrize("language", ["text", "console", "yaml", "bash", "json", "c++"])
def test_other_languages_are_free(article, language):
    change(article, "```console\n$ make html\n```", f"```{language}\n{{}}\n```")
    assert article.build("dummy").code == 0


ADD = ":pyobject: add\n:caption: 加法\n"


@pytest.mark.parametrize(
    "option",
    ["lines: 1-3", "start-after: LIMIT", "start-at: def", "end-before: class", "prepend: x"],
)
def test_include_by_position(article, option):
    change(article, ADD, f"{ADD}:{option}\n")
    change(article, "return a + b", "return a + b  # LIMIT def", "snippets/python/two_words.py")
    build = article.build("dummy")
    name = option.partition(":")[0]
    at = line_of(article, "literalinclude")
    message = f"python/two-words.md:{at}: :{name}: of a Python file: include by :pyobject:"
    assert message in warnings(build, article), build.output
    assert build.code == 1


def test_include_of_a_whole_module(article):
    change(article, ADD, "")
    build = article.build("dummy")
    at = line_of(article, "literalinclude")
    found = warnings(build, article)
    assert (
        f"python/two-words.md:{at}: two_words.py is included whole: include by :pyobject:" in found
    )
    assert build.code == 1


def test_a_companion_script_and_other_files_are_included_whole(article):
    article.write("data.yaml", "a: 1\n")
    change(
        article,
        "```console\n$ make html\n```",
        "```{literalinclude} ../snippets/python/two_words_run.py\n```\n\n"
        "```{literalinclude} ../data.yaml\n:lines: 1\n```",
    )
    build = article.build("dummy")
    assert build.code == 0, build.output


def test_a_script_in_a_folder_that_is_no_package_is_included_whole(article):
    script = "snippets/python/two_words/demo/script.py"
    article.write(script, "print(1)\n")
    include = f"```{{literalinclude}} ../{script}\n```"
    change(article, "```console\n$ make html\n```", include)
    build = article.build("dummy")
    assert build.code == 0, build.output
    article.write("snippets/python/two_words/demo/__init__.py", "")
    article.write("python/two-words.md", (article.root / "python/two-words.md").read_text() + "\n")
    assert "script.py is included whole" in article.build("dummy").output


def test_include_of_a_missing_object(article):
    change(article, ":pyobject: Pair", ":pyobject: Pear")
    build = article.build("dummy")
    found = warnings(build, article)
    at = line_of(article, "literalinclude") + 5
    assert re.search(
        rf"^python/two-words.md:{at}: Object named 'Pear' not found", "\n".join(found), re.M
    )
    assert build.code == 1


def test_include_of_a_missing_file(article):
    change(article, "```console\n$ make html\n```", "```{literalinclude} ../nowhere.py\n```")
    build = article.build("dummy")
    (warning,) = warnings(build, article)
    at = line_of(article, "nowhere")
    assert warning.startswith(f"python/two-words.md:{at}: Include file '")
    assert "nowhere.py' not found" in warning
    assert build.code == 1


def test_public_name_that_is_never_shown(article):
    change(article, "def _hidden", "def shy", "snippets/python/two_words.py")
    message = "shy is public, but page python/two-words never shows it"
    only_warning(article, "def shy", message, "snippets/python/two_words.py")


def test_a_class_may_be_shown_method_by_method(article):
    include = "```{literalinclude} ../snippets/python/two_words.py\n:pyobject: Pair%s\n```\n"
    change(article, include % "", include % ".swap")
    message = "Pair is public, but page python/two-words never shows it"
    only_warning(article, "class Pair", message, "snippets/python/two_words.py")
    change(article, include % ".swap", include % ".swap" + "\n" + include % ".keep")
    assert article.build("dummy").code == 0


def test_a_figure_is_shown_by_drawing_it(article):
    change(article, "def _hidden", "def figure_all", "snippets/python/two_words.py")
    message = "figure_all is public, but page python/two-words never shows it"
    only_warning(article, "figure_all", message, "snippets/python/two_words.py")
    article.write(
        "standin.py",
        """
        from docutils import nodes
        from sphinx.util.docutils import SphinxDirective

        class Drawn(SphinxDirective):
            required_arguments = 1

            def run(self):
                return [nodes.figure(drawn=self.arguments[0])]

        def setup(app):
            app.add_directive("drawn", Drawn)
        """,
    )
    article.configure('extensions.append("standin")\n')
    drawn = "```{drawn} snippets.python.two_words.figure_all\n```\n\n```console"
    change(article, "```console", drawn)
    assert article.build("dummy").code == 0
    change(article, "two_words.figure_all", "other.figure_all")
    only_warning(article, "def figure_all", message, "snippets/python/two_words.py")


def test_a_package_hands_on_its_public_names(article):
    (article.root / "snippets/python/two_words.py").unlink()
    article.write(
        "snippets/python/two_words/__init__.py", '"""Adds."""\nfrom .core import Pair, add\n'
    )
    article.write("snippets/python/two_words/core.py", MODULE + "\n\ndef inner():\n    pass\n")
    text = (article.root / "python/two-words.md").read_text("utf-8")
    article.write("python/two-words.md", text.replace("two_words.py", "two_words/core.py"))
    assert article.build("dummy").code == 0
    change(article, "Pair, add", "Pair, add, inner", "snippets/python/two_words/__init__.py")
    message = "inner is public, but page python/two-words never shows it"
    only_warning(article, "def inner", message, "snippets/python/two_words/core.py")


def test_a_module_that_does_not_parse_is_one_message(article):
    change(article, "class Pair:", "class Pair", "snippets/python/two_words.py")
    name = "snippets/python/two_words.py"
    only_warning(article, "class Pair", "does not parse: expected ':'", name)


def test_a_page_is_read_again_when_the_broken_file_it_includes_is_mended(article):
    include = "```{literalinclude} ../snippets/common/plot.py\n:pyobject: style\n```"
    change(article, "```console\n$ make html\n```", include)
    article.write("snippets/common/plot.py", "LIMIT = 3\ndef style(:\n")
    build = article.build("dummy")
    assert warnings(build, article) == [
        "snippets/common/plot.py:2: does not parse: invalid syntax"
    ], build.output
    assert build.code == 1
    article.write("snippets/common/plot.py", "def style():\n    pass\n")
    build = article.build("dummy")
    assert build.code == 0, build.output
    assert "0 added, 1 changed, 0 removed" in build.output


def test_a_changed_module_has_its_page_checked_again(article):
    assert article.build("dummy").code == 0
    change(article, "def _hidden", "def shy", "snippets/python/two_words.py")
    message = "shy is public, but page python/two-words never shows it"
    only_warning(article, "def shy", message, "snippets/python/two_words.py")


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("snippets/python/two_words.py", "page without snippets/python/two_words.py"),
        ("tests/python/test_two_words.py", "page without tests/python/test_two_words.py"),
    ],
)
@pytest.mark.parametrize("built_before", [False, True])
def test_page_without_partner(article, missing, message, built_before):
    if built_before:
        assert article.build("dummy").code == 0
    (article.root / missing).unlink()
    build = article.build("dummy")
    assert f"python/two-words.md:1: {message}" in warnings(build, article), build.output
    assert build.code == 1


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("snippets/python/lone_wolf.py", "module without page python/lone-wolf.md"),
        (
            "snippets/large_model/lone_wolf/__init__.py",
            "module without page large-model/lone-wolf.md",
        ),
        ("tests/python/test_lone_wolf.py", "test without page python/lone-wolf.md"),
    ],
)
def test_partner_without_page(article, extra, message):
    assert article.build("dummy").code == 0
    article.write(extra, "")
    for _ in range(2):  # nothing is out of date the second time, and yet it is said again
        build = article.build("dummy")
        assert warnings(build, article) == [f"{extra}:1: {message}"], build.output
        assert build.code == 1


def test_two_articles_of_one_name(article):
    article.write("nlp/two-words.md", PAGE.replace("category: python", "category: nlp"))
    build = article.build("dummy")
    assert "python/two-words.md:1: nlp/two-words has the same name" in warnings(build, article)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("category: python", "category: nlp", "category is not the folder python"),
        ("date: 2026-01-11", "date: yesterday", "date is not a date like 2026-01-11"),
        ("updated: 2026-11-22", "updated: '2026-11-22'", "updated is not a date like 2026-01-11"),
        ("updated: 2026-11-22", "updated: 2026-01-10", "updated is before date"),
        ("一句话。", "长" * 61, "description is not a sentence of at most 60 characters"),
        (
            "description: 一句话。",
            "description:",
            "description is not a sentence of at most 60 characters",
        ),
        ("tags: [示例]", "tags: []", "tags is empty"),
        ("tags: [示例]", "tags: 示例", "tags is not a list of strings"),
        ("tags: [示例]", "tags: [1]", "tags is not a list of strings"),
        ("prerequisites: []", "prerequisites:", "prerequisites is not a list of strings"),
        (
            "prerequisites: []",
            "prerequisites: [nlp/no-such]",
            "prerequisite nlp/no-such is not a page",
        ),
        ("tags: [示例]", "tags: [示例]\nauthor: 我", "front matter has an unknown key author"),
    ],
)
def test_front_matter(article, old, new, message):
    change(article, old, new)
    only_warning(article, new.splitlines()[-1], message)


def test_front_matter_lacks_a_key(article):
    change(article, "tags: [示例]\n", "")
    only_warning(article, "---", "front matter lacks tags")


def test_page_without_front_matter(article):
    article.write("python/two-words.md", PAGE.split("---\n")[2])
    build = article.build("dummy")
    keys = ("category", "date", "description", "prerequisites", "tags", "updated")
    assert warnings(build, article) == [
        f"python/two-words.md:1: front matter lacks {key}" for key in keys
    ]


def test_front_matter_that_is_not_yaml(article):
    change(article, "tags: [示例]", "tags: [示例")
    build = article.build("dummy")
    found = warnings(build, article)
    assert "python/two-words.md:1: Malformed YAML" in found[0], build.output
    assert build.code == 1


def test_prerequisites_may_be_pages_and_free_text(article):
    change(article, "prerequisites: []", "prerequisites: [Python 基础, python/two-words]")
    assert article.build("dummy").code == 0


def test_front_matter_of_other_pages(article):
    change(article, "(index)=", "---\ndescription: 会跑。\n---\n(index)=", "index.md")
    assert article.build("dummy").code == 0
    change(article, "description: 会跑。", "description: 会跑。\ntags: [x]", "index.md")
    only_warning(article, "tags", "front matter has an unknown key tags", "index.md")


@pytest.mark.parametrize("level", ["##", "###"])
def test_unlabelled_heading(article, level):
    change(article, "(two-words/references)=\n## 参考文献", f"## 之前\n\n{level} 参考文献")
    change(article, "## 之前", "(two-words/before)=\n## 之前")
    message = "heading without a label: write (two-words/[a-z0-9/-]+)= above it"
    only_warning(article, f"{level} 参考文献", message)


def test_unlabelled_title(article):
    change(article, "(two-words)=\n", "")
    only_warning(article, "# 标题", "heading without a label: write (two-words)= above it")


def test_unlabelled_heading_of_another_page(article):
    change(article, "(index)=\n", "", "index.md")
    only_warning(article, "#", "heading without a label: write ([a-z0-9/-]+)= above it", "index.md")


def test_fourth_level_needs_no_label(article):
    change(article, "## 参考文献", "## 参考文献\n\n(two-words/x)=\n### 三\n\n#### 四")
    assert article.build("dummy").code == 0


@pytest.mark.parametrize(
    "label", ["two-words/代码", "references", "other/references", "two-words-x"]
)
def test_label_of_a_heading(article, label):
    change(article, "(two-words/references)=", f"({label})=")
    message = f"label {label!r} of a heading is not two-words/[a-z0-9/-]+"
    only_warning(article, "## 参考文献", message)


def test_duplicate_label(article):
    change(article, "(two-words/references)=", "(two-words/code)=")
    build = article.build("dummy")
    at = line_of(article, "## 参考文献") - 1
    found = "\n".join(warnings(build, article))
    assert re.search(rf'^python/two-words.md:{at}: Duplicate .*"two-words/code"', found, re.M)
    assert build.code == 1


def test_label_of_an_equation(article):
    change(article, "$$ (two-words-sum)", "$$ (sum)")
    change(article, "{eq}`two-words-sum`", "{eq}`sum`")
    change(article, "Eq. (two-words-sum)", "Eq. (sum)", "snippets/python/two_words.py")
    message = "label 'sum' of an equation is not two-words-[a-z0-9-]+"
    only_warning(article, "$$", message)


def test_cited_equation_that_does_not_exist(article):
    change(article, "{eq}`two-words-sum`", "{eq}`two-words-nothing`")
    only_warning(article, "{eq}", "equation not found: two-words-nothing")


def test_docstring_cites_an_equation_that_the_page_lacks(article):
    name = "snippets/python/two_words.py"
    change(article, "Eq. (two-words-sum)", "Eq. (two-words-difference)", name)
    message = "Eq. (two-words-difference) is not on page python/two-words"
    only_warning(article, "Eq. (", message, name)


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("这是**“重点”**的例子", "**“重点”**的例子"),
        ("这是**`code`**的例子", "**x**的例子"),
        ("这是*“重点”*的例子", "*“重点”*"),
        ("这是__重点__的例子", "__重点__的例子"),
        ("这是*“`code`”*的例子", "*“x”*"),
        ("- 项\n- 这是**“重点”**的例子", "**“重点”**的例子"),
        (":::{dropdown} 题\n这是**“重点”**的例子\n:::", "**“重点”**的例子"),
    ],
)
def test_emphasis_that_did_not_take_effect(article, text, near):
    change(article, "```console\n$ make html\n```", f"第一行，\n\n{text}")
    build = article.build("dummy")
    needle = next(line for line in text.splitlines() if "这是" in line)
    (warning,) = warnings(build, article)
    head = f"python/two-words.md:{line_of(article, needle)}: emphasis that did not take effect: "
    assert warning.startswith(head), (warning, head)
    assert near.startswith(warning.removeprefix(head)[:3])
    assert build.code == 1


def test_emphasis_is_found_on_its_own_line_of_a_paragraph(article):
    change(
        article,
        "```console\n$ make html\n```",
        "第一句。\n第二句，`a`。\n第三句**“重点”**的。\n第四句。",
    )
    only_warning(article, "第三句", "emphasis that did not take effect: **“重点”**的。")
