"""The stamp on an article: only a test run writes it, and only for what it has tried."""

import datetime
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from _ext import verified

ROOT = Path(__file__).parents[2]
PAGE = """\
(one)=
# 一

```{doctest}
>>> from pathlib import Path
>>> from snippets.nlp.one import f
>>> f(1), Path("broken").exists()
(2, False)
```
"""
PASSING = "def test_f():\n    from snippets.nlp.one import f\n\n    assert f(1) == 2\n"


@pytest.fixture
def notes(site):
    """Three articles that a build and a test run take for a whole site."""
    s = site("_ext.listings", "_ext.doctests", "_ext.verified")
    s.configure(f"templates_path = [{str(ROOT / '_templates')!r}]\n")
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/one\nnlp/two\nnlp/three\n```\n")
    for name in ("one", "two", "three"):
        s.article(f"nlp/{name}", PAGE.replace("(one)", f"({name})"))
        s.write(f"snippets/nlp/{name}.py", "from snippets.nlp.base import g\n\nf = g\n")
        s.write(f"tests/nlp/test_{name}.py", PASSING)
    s.write("snippets/nlp/__init__.py", "")
    s.write("snippets/nlp/base.py", "def g(x):\n    return x + 1\n")
    for name in "tests/conftest.py", "snippets/common/__init__.py", "snippets/common/imports.py":
        s.write(name, (ROOT / name).read_text("utf-8"))
    shutil.copytree(ROOT / "tests/offline", s.root / "tests/offline")
    s.write("pytest.ini", "[pytest]\naddopts = --import-mode=importlib -p no:cacheprovider\n")
    return s


def html(s) -> list[str]:
    """Build the site as `make html` does and return the articles that bear a stamp."""
    build = s.build("html")
    assert build.code == 0, build.output
    return stamped(s)


def stamped(s) -> list[str]:
    pages = {name: s.root / f"_build/html/nlp/{name}.html" for name in ("one", "three", "two")}
    return [name for name, path in pages.items() if "已验证：" in path.read_text("utf-8")]


def test(s, *options: str) -> int:
    """Run pytest in the site's folder."""
    command = [sys.executable, "-m", "pytest", "-q", *options]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=s.root, env=environment, capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.returncode


test.__test__ = False


def test_only_a_run_that_passed_with_what_is_shown_stamps_a_page(notes):
    notes.write("tests/nlp/test_two.py", PASSING + "\n\ndef test_false():\n    assert False\n")
    notes.write("tests/nlp/test_three.py", PASSING + "\n\ndef test_left_out():\n    pass\n")
    assert html(notes) == []
    assert notes.build("doctest").code == 0
    assert stamped(notes) == []
    assert test(notes, "--deselect=tests/nlp/test_three.py::test_left_out") == 1
    assert stamped(notes) == ["one"]  # two failed, of three only a part was run

    page = (notes.root / "_build/html/nlp/one.html").read_text("utf-8")
    text = re.sub("<.*?>", "", re.search('<p class="article-verified">.*</p>', page)[0])
    date, python, torch = re.fullmatch(r"已验证：(.*)，Python (.*)，torch (.*)", text).groups()
    today = datetime.datetime.now(datetime.UTC).date()
    assert today - datetime.timedelta(1) <= datetime.date.fromisoformat(date) <= today
    assert python == platform.python_version()
    assert torch == metadata.version("torch").split("+")[0]

    assert html(notes) == ["one"]  # the next build has not forgotten it
    for name in "nlp/one.md", "snippets/nlp/base.py", "tests/nlp/test_one.py", "conf.py":
        path = notes.root / name
        before = path.read_text("utf-8")
        path.write_text(before + "\n")
        assert html(notes) == [], name
        path.write_text(before)
        assert html(notes) == ["one"], name

    (notes.root / "broken").touch()  # now the example fails, though nothing was edited
    assert notes.build("doctest").code == 1
    assert stamped(notes) == []
    (notes.root / "broken").unlink()
    assert notes.build("doctest").code == 0
    assert stamped(notes) == ["one"]

    assert test(notes, "tests/nlp/test_one.py::test_f") == 0  # perhaps not all of the file
    assert stamped(notes) == []
    assert test(notes, "tests/nlp/test_one.py", "tests/nlp/test_three.py") == 0
    assert stamped(notes) == ["one", "three"]


def test_a_page_built_before_the_edit_that_was_tested_bears_no_stamp(notes):
    assert html(notes) == []
    notes.write("snippets/nlp/one.py", "def f(x):\n    return 1 + x\n")
    assert notes.build("doctest").code == 0
    now = verified.digests(["nlp/one"], notes.root)
    verified.note(notes.root / "_build/pytest/verified.json", now, now)
    verified.publish(notes.root / "_build/html")
    assert stamped(notes) == []
    assert html(notes) == ["one"]


def test_code_that_another_builder_has_read_reaches_the_page(notes):
    """Sphinx by itself would leave the old code on the page, which then must not be stamped."""
    page = notes.root / "nlp/one.md"
    shown = "\n```{literalinclude} ../snippets/nlp/one.py\n```\n"
    page.write_text(page.read_text("utf-8") + shown, "utf-8")
    html(notes)
    notes.write("snippets/nlp/one.py", "def f(x):\n    return 99\n")
    notes.build("doctest")
    html(notes)
    assert "99" in (notes.root / "_build/html/nlp/one.html").read_text("utf-8")


def test_what_changes_during_a_run_has_not_been_tried(notes):
    before = verified.digests(["nlp/one", "nlp/two"], notes.root)
    notes.write("snippets/nlp/two.py", "f = None\n")
    assert set(verified.unchanged(before, notes.root)) == {"nlp/one"}


def test_what_changes_during_a_build_is_not_what_the_site_shows(notes):
    conf = (notes.root / "conf.py").read_text("utf-8")
    edit = 'Path(app.srcdir, "snippets/nlp/two.py").write_text("f = None\\n")'
    hook = f"def setup(app):\n    app.connect('write-started', lambda app, builder: {edit})\n"
    notes.write("conf.py", f"from pathlib import Path\n\n{conf}\n{hook}")
    build = notes.build("html")
    assert set(verified.read(build.outdir / ".evidence.json")) == {"nlp/one", "nlp/three"}


def test_a_run_forgets_what_it_tried_and_keeps_the_rest(tmp_path):
    path = tmp_path / "pytest/verified.json"
    verified.note(path, ["a", "b", "c"], {"a": "1", "b": "2"})
    verified.note(path, ["a", "c"], {"c": "3"})
    assert {name: one["digest"] for name, one in verified.read(path).items()} == {
        "b": "2",
        "c": "3",
    }


@pytest.mark.parametrize("key", ["digest", "python", "torch"])
def test_runs_that_differ_make_no_stamp(key):
    one = {"digest": "d", "date": "2026-11-23", "python": "3.13.1", "torch": "2.13.0"}
    expected = "已验证：<time>2026-11-22</time>，Python 3.13.1，torch 2.13.0"
    assert verified.stamp("d", one, one | {"date": "2026-11-22"}) == expected
    assert verified.stamp("d", one, one | {key: "other"}) == ""
    assert verified.stamp("other", one, one) == ""
    assert verified.stamp("d", one, {}) == verified.stamp("d", {}, {}) == ""


def test_the_evidence_of_an_article_is_all_that_its_runs_read():
    found = verified.evidence("nlp/ngram", verified.Tree(ROOT))
    files = {str(path.relative_to(ROOT)) for path in found}
    assert files >= {
        "nlp/ngram.md",
        "snippets/nlp/ngram/model.py",
        "snippets/nlp/ngram_run.py",
        "snippets/nlp/ngram_run.json",
        "snippets/common/corpora.py",
        "snippets/common/data/songci.txt.xz",
        "tests/nlp/test_ngram.py",
        "tests/nlp/ngram_kenlm.json",
        "tests/conftest.py",
    }
    assert not any("transformer" in name for name in files)


def test_the_code_of_a_page_has_what_its_examples_open():
    def files(docname):
        found = verified.code(docname, verified.Tree(ROOT), ROOT / f"{docname}.md")
        return {str(path.relative_to(ROOT)) for path in found}

    assert "tests/nlp/ngram_kenlm.json" in files("nlp/ngram")
    assert "benchmarks/autograd.py" in files("python/autograd")
    assert not any("songci" in name for name in files("python/autograd"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (">>> from snippets.nlp.one import f", {"snippets.nlp.one"}),
        (
            ">>> from snippets.common import toy, data",
            {"snippets.common.toy", "snippets.common.data"},
        ),
        (">>> from snippets.common import (\n...     toy,\n... )", {"snippets.common.toy"}),
        ("`python -m snippets.nlp.one.demo`", {"snippets.nlp.one.demo"}),
        ("{drawn} snippets.nlp.one.figure_a", {"snippets.nlp.one"}),
    ],
)
def test_modules_named_on_a_page(text, names):
    assert names <= set(verified.modules(text))


def test_the_site_notes_what_every_article_shows(built_site):
    shown = json.loads((built_site / ".evidence.json").read_text("utf-8"))
    pages = [
        path
        for path in built_site.glob("*/*.html")
        if "article-verified" in path.read_text("utf-8")
    ]
    assert sorted(shown) == sorted(str(p.relative_to(built_site).with_suffix("")) for p in pages)
