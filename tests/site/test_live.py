"""`make live`: one save, one build; an error keeps the last good page; nobody else can look."""

import os
import re
import shutil
import socket
import time
from functools import partial
from pathlib import Path
from urllib.error import HTTPError

import pytest
from websockets.sync.client import connect

from benchmarks.preview import live

ROOT = Path(__file__).parents[2]
PATIENCE = 60  # seconds, on a machine that does other things too
EXTENSIONS = ("_ext.contract", "_ext.drawn", "_ext.katex", "_ext.last_good", "_ext.listings")
PAGE = """\
({name})=
# {title}

```{{literalinclude}} ../snippets/nlp/{name}.py
:pyobject: one
```

{body}
"""
SNIPPET = "def one() -> int:\n    return {}\n"


def article(s, name: str, title: str, body: str = "正文。") -> None:
    s.article(f"nlp/{name}", PAGE.format(name=name, title=title, body=body))
    s.write(f"snippets/nlp/{name}.py", SNIPPET.format(1))
    s.write(f"tests/nlp/test_{name}.py", "")


@pytest.fixture
def notes(site, monkeypatch):
    """A site of one article with the Makefile and the templates of the real one."""
    s = site(*EXTENSIONS)
    s.configure(f"""\
include_patterns = ["index.md", "nlp/*.md"]
html_math_renderer = "katex"
html_title = "会跑的笔记"
html_baseurl = "https://notes.example/"
templates_path = [{str(ROOT / "_templates")!r}]
html_sidebars = {{"**": ["globaltoc.html"]}}
html_theme_options = {{"globaltoc_includehidden": True, "globaltoc_collapse": False}}
""")
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/index\n```\n")
    s.write("nlp/index.md", "(nlp)=\n# 语言\n\n```{chapter}\n```\n")
    s.write("snippets/nlp/__init__.py", "")
    shutil.copytree(ROOT / "snippets/common", s.root / "snippets/common")
    article(s, "first", "第一篇")
    shutil.copy(ROOT / "Makefile", s.root)
    for name in "pyproject.toml", "constraints.txt":
        s.write(name, "")
        os.utime(s.root / name, (0, 0))  # nothing to install
    monkeypatch.setenv("PYTHONPATH", f"{s.root}{os.pathsep}{ROOT}")
    return s


@pytest.fixture
def served(notes):
    with live(notes.root) as server:
        yield server


def after(server, save) -> None:
    """Return when a save has been built."""
    with connect(f"ws://127.0.0.1:{server.port}/websocket-reload") as socket_:
        save()
        socket_.recv(timeout=PATIENCE)


def builds(server) -> int:
    return server.log.read_text("utf-8").count("Running Sphinx")


def listening(port: int) -> list[str]:
    """The addresses on which somebody listens at a port, as Linux lists them."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    found = [row[1] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"]
    return [socket.inet_ntoa(bytes.fromhex(one.partition(":")[0])[::-1]) for one in found]


def test_one_save_of_a_page_or_a_snippet_is_one_build(notes, served):
    assert builds(served) == 1
    after(served, lambda: article(notes, "first", "第一篇", "改过的正文。"))
    assert "改过的正文。" in served.get("nlp/first")
    assert builds(served) == 2
    after(served, lambda: notes.write("snippets/nlp/first.py", SNIPPET.format(22)))
    assert ">22<" in served.get("nlp/first")
    time.sleep(2)
    assert builds(served) == 3
    assert listening(served.port) == ["127.0.0.1"], "nobody else can look"


FIGURE = """

def figure_one():
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.2, 3))
    fig.text(0, 0, str(one()))
    return fig
"""
DRAWN = """\
```{drawn} snippets.nlp.first.figure_one
:alt: 一个数
图注。
```
"""


def test_an_edit_shows_its_code_at_once_and_its_figures_when_they_are_drawn(notes):
    article(notes, "first", "第一篇", DRAWN)
    notes.write("snippets/nlp/first.py", SNIPPET.format(1) + FIGURE)
    with live(notes.root) as server:
        drawing = server.get("_images/nlp-first-figure_one", ".svg")
        with connect(f"ws://127.0.0.1:{server.port}/websocket-reload") as socket_:
            for number, code in (2, "0 + 7"), (4, "1 / 0"):
                notes.write("snippets/nlp/first.py", SNIPPET.format(code) + FIGURE)
                socket_.recv(timeout=PATIENCE)
                assert builds(server) == number
                assert f"return {code}" in re.sub("<[^>]*>", "", server.get("nlp/first"))
                assert server.get("_images/nlp-first-figure_one", ".svg") == drawing
                socket_.recv(timeout=PATIENCE)
                assert builds(server) == number + 1
                fails = "ZeroDivisionError" in server.log.read_text("utf-8")
                assert fails == ("/ 0" in code)
                before, drawing = drawing, server.get("_images/nlp-first-figure_one", ".svg")
                assert (drawing == before) == fails
            notes.write("snippets/nlp/first.py", SNIPPET.format(9) + FIGURE)
            socket_.recv(timeout=PATIENCE)
            assert ">9<" in server.get("_images/nlp-first-figure_one", ".svg"), "mended: at once"


BROKEN = [
    ("snippets/nlp/first.py", "return 1", "return (", "'(' was never closed"),
    ("nlp/first.md", "正文。", "```{literalincluded} x\n```", "literalincluded"),
    ("nlp/first.md", "正文。", "```{list-table}\n:widths: a\n* - 甲\n```", "list-table"),
    ("nlp/first.md", "正文。", "$\\frac{1$", "KaTeX parse error"),
    ("conf.py", 'html_title = "', "html_title = ", "syntax error in your configuration file"),
]
MENDED = {
    "return 1": "return 333",
    "正文。": "补好的正文。",
    'html_title = "': 'html_title = "改名',
}


def test_an_error_is_told_and_keeps_the_last_good_page(notes, served):
    for file, part, wrong, message in BROKEN:
        good, source = served.get("nlp/first"), (notes.root / file).read_text("utf-8")
        after(served, partial(notes.write, file, source.replace(part, wrong)))
        told = served.log.read_text("utf-8").count(message)
        assert told >= 1, message
        assert served.get("nlp/first") == good, message

        index = (notes.root / "index.md").read_text("utf-8")
        after(served, partial(notes.write, "index.md", index + "\n又一句。\n"))
        assert served.log.read_text("utf-8").count(message) > told, "every save tells it again"
        assert served.get("nlp/first") == good, message

        mended = MENDED[part]
        after(served, partial(notes.write, file, source.replace(part, mended)))
        assert mended.split()[-1].strip('"') in re.sub("<[^>]*>", "", served.get("nlp/first"))
        after(served, partial(notes.write, file, source))


def test_a_new_page_appears_in_the_navigation(notes, served):
    with pytest.raises(HTTPError, match="404"):
        served.get("nlp/second")
    after(served, lambda: article(notes, "second", "第二篇"))
    deadline = time.monotonic() + PATIENCE
    while "第二篇" not in served.get("nlp/first") and time.monotonic() < deadline:
        time.sleep(0.2)  # page, module and test are three files, perhaps two saves
    assert 'href="second.html">第二篇' in served.get("nlp/first")
    assert ">第二篇" in served.get("nlp/second")
