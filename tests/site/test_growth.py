"""What a page costs to build, in time and in memory, does not grow with the number of pages.

Counted, not timed: how many pages are in memory at once, and how often each line of ours and of the
templates runs in builds of N, 2 N and 3 N articles.  A line that looks at every page for every page
runs N² times, and so its counts rise faster from the second to the third build than from the first
to the second.
"""

import json
from collections import Counter
from pathlib import Path
from shutil import copy, copytree, ignore_patterns, rmtree

ROOT = Path(__file__).parents[2]
N = 4
EXTENSIONS = [
    *("chinese", "contract", "doctests", "downloads", "feed", "kept", "last_good", "lean"),
    *("listings", "markdown", "navigation", "numbering", "permalinks", "search_texts"),
    *("search_zh", "verified"),
]
CONF = """
import json, sys
from collections import Counter
from pathlib import Path

from _ext import navigation

navigation.MANY = navigation.NEAR = 2  # above that number a page does not list all others
html_sidebars = {{"**": ["sbt-sidebar-nav.html"]}}
html_baseurl = "https://notes.example/"
templates_path = [{templates!r}]
ours = {ours!r}
counts = Counter()


def line(frame, event, argument):
    if event == "line":
        counts[f"{{Path(frame.f_code.co_filename).name}}:{{frame.f_lineno}}"] += 1
    return line


def trace(frame, event, argument):
    return line if frame.f_code.co_filename.startswith(ours) else None


def write(app, exception):
    sys.settrace(None)
    Path(app.srcdir, "counts.json").write_text(json.dumps(counts))


def setup(app):
    app.connect("build-finished", write, priority=10**6)
    sys.settrace(trace)
"""
ARTICLE = """\
---
category: nlp
date: 2026-01-{day:02}
updated: 2026-01-{day:02}
description: 一句话。
tags: [语言模型]
prerequisites: [nlp/a{before}]
---
(a{i})=
# 第 {i} 篇

见{{ref}}`a{before}`与{{eq}}`a{before}-x`。

$$x = {i}$$ (a{i}-x)

```{{doctest}}
>>> from snippets.nlp.a{i} import f
>>> f(1)
{i}
```
"""


def add(s, i: int) -> None:
    """Add an article, which links the one before and is linked by the next."""
    s.write(f"nlp/a{i}.md", ARTICLE.format(i=i, before=max(i - 1, 0), day=i % 28 + 1))
    s.write(f"snippets/nlp/a{i}.py", f"from snippets.nlp import base\n\n_f = base.times({i})\n")
    s.write(f"tests/nlp/test_a{i}.py", f"from snippets.nlp.a{i} import _f\n")


def lines(s) -> Counter[str]:
    """Build; return how often each line has run."""
    build = s.build("html", "-j", "1", strict=False)
    assert build.code == 0, build.output
    return Counter(json.loads((s.root / "counts.json").read_text("utf-8")))


def test_no_line_runs_for_every_page_on_every_page(site):
    s = site(*(f"_ext.{name}" for name in EXTENSIONS))
    folders = [str(folder) for folder in (ROOT / "_ext", ROOT / "_templates", s.root / "snippets")]
    conf = CONF.format(templates=folders[1], ours=tuple(folders))
    s.write("conf.py", (s.root / "conf.py").read_text("utf-8") + conf)
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/index\n```\n\n```{articles}\n```\n")
    s.write("nlp/index.md", "# NLP\n\n```{chapter}\n```\n\n```{learning-path}\n```\n")
    common = s.root / "snippets/common"
    copytree(ROOT / "snippets/common", common, ignore=ignore_patterns("data", "__pycache__"))
    s.write("snippets/nlp/__init__.py", "")
    s.write("snippets/nlp/base.py", "def times(n):\n    return lambda x: n * x\n")
    for name in "LICENSE", "pyproject.toml":
        copy(ROOT / name, s.root)
    cold, unchanged = [], []
    for size in N, 2 * N, 3 * N:
        for i in range(size - N, size):
            add(s, i)
        rmtree(s.root / "_build", ignore_errors=True)
        cold.append(lines(s))
        unchanged.append(lines(s))
    for one, two, three in (cold, unchanged):
        assert {"verified.py", "listings.py"} <= {line.partition(":")[0] for line in three}
        grows = {
            line for line in three if three[line] - two[line] > 1.2 * (two[line] - one[line]) + 3
        }
        assert grows == set()


MEMORY = """
import time
from pathlib import Path

import sphinx.builders

sphinx.builders.make_chunks = lambda docnames, jobs: [[name] for name in docnames]
resolved, waiting = [], []


def note(app, doctree, docname):
    resolved.append(docname)
    waiting.append(len(resolved) - len(list(Path(app.outdir).glob("*.html"))))


def setup(app):
    app.connect("doctree-resolved", note)
    app.connect("html-page-context", lambda *_: time.sleep(0.05))  # slower than what resolves them
    app.connect("build-finished", lambda app, _: Path("most").write_text(str(max(waiting))))
"""


def test_pages_do_not_queue_up_in_memory(site):
    s = site("_ext.memory")
    s.write("conf.py", (s.root / "conf.py").read_text("utf-8") + MEMORY)
    s.write("index.md", "# 首页\n\n```{toctree}\n:glob:\n*\n```\n")
    for i in range(12):
        s.write(f"p{i}.md", f"# 第 {i} 页\n")
    build = s.build("html", "-j", "2")
    assert build.code == 0, build.output
    assert 1 <= int((s.root / "most").read_text("utf-8")) <= 4
