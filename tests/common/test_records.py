"""snippets/common/records.py, and every record of the repository held against its code."""

import ast
import importlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.common import records
from snippets.common.records import Record, RecordError

ARTICLES = records.articles()

# -- the records of the repository ---------------------------------------------------------------


@pytest.mark.parametrize("article", ARTICLES)
def test_record_is_fresh(article):
    assert not records.is_stale(article), f"make rerun, for {article}"


@pytest.mark.parametrize("article", ARTICLES)
def test_record_holds_the_inputs_of_its_module(article):
    module = importlib.import_module(records.module_of(article))
    assert records.load(article).inputs == json.loads(json.dumps(module.INPUTS))


@pytest.mark.rerun
@pytest.mark.parametrize("article", ARTICLES)
def test_a_cheap_run_repeats_the_record(article):
    module = importlib.import_module(records.module_of(article))
    cheap = records.rerun(article, module.CHEAP).results
    tolerance = getattr(module, "TOLERANCE", 1e-6)
    assert list(records.differences(cheap, records.load(article).results, tolerance)) == []


# -- a small repository with one run -------------------------------------------------------------

RUN = '''
"""A run."""

import math

from snippets.toy import core

INPUTS = {"n": 4, "名": "甲"}
CHEAP = {"n": 2}


def run(n, 名):
    return {"squares": [core.square(i) for i in range(n)], "root": math.sqrt(2), "name": 名}
'''
CORE = '''
"""What the run needs."""

RATE = 0.5


def square(x):
    """Square it."""
    # by hand
    return x * x


def figure_square():
    from snippets.toy import look

    return look
'''


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A repository of its own with the run `toy/some-run`; its folder."""
    here = tmp_path / "snippets/toy"
    here.mkdir(parents=True)
    (tmp_path / "snippets/__init__.py").write_text("")
    shutil.copytree(records.ROOT / "snippets/common", tmp_path / "snippets/common")
    (here / "__init__.py").write_text("")
    (here / "look.py").write_text("RED = 1")
    (here / "core.py").write_text(CORE)
    (here / "some_article_run.py").write_text(RUN)
    return tmp_path


def rerun(root, *articles):
    return subprocess.run(
        [sys.executable, "-m", "snippets.common.records", *articles],
        cwd=root,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


def edit(path: Path, old: str, new: str):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_names_lead_from_article_to_module_and_record(toy):
    assert records.module_of("large-model/gradient-checkpointing") == (
        "snippets.large_model.gradient_checkpointing_run"
    )
    assert records.articles(toy) == ["toy/some-article"]
    assert records.path_of("toy/some-article", toy) == toy / "snippets/toy/some_article_run.json"


def test_rerun_writes_the_record(toy):
    done = rerun(toy)
    assert (done.returncode, done.stdout) == (0, "wrote snippets/toy/some_article_run.json\n")
    record = records.load("toy/some-article", toy)
    assert record.inputs == {"n": 4, "名": "甲"}
    assert record.results == {"squares": [0, 1, 4, 9], "root": 2**0.5, "name": "甲"}
    assert set(record.versions) == {"python", "numpy", "torch", "machine"}
    assert not records.is_stale("toy/some-article", toy)
    text = records.path_of("toy/some-article", toy).read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert "甲" in text
    assert [*json.loads(text)] == ["fingerprint", "inputs", "results", "versions"]


def test_a_second_rerun_changes_nothing(toy):
    rerun(toy)
    path = records.path_of("toy/some-article", toy)
    first = path.read_bytes()
    rerun(toy, "toy/some-article")
    assert path.read_bytes() == first
    assert sorted(p.name for p in path.parent.glob("*.json*")) == [path.name]


def test_an_unknown_article_is_one_clear_message(toy):
    done = rerun(toy, "nlp/nowhere")
    assert done.returncode == 1
    assert done.stderr == (
        "records: 'nlp/nowhere' has no run module; articles that have one: toy/some-article\n"
    )


@pytest.mark.parametrize("value", ["{1, 2}", "float('nan')", "core"])
def test_results_that_json_cannot_hold_are_refused_and_leave_the_old_record(toy, value):
    rerun(toy)
    path = records.path_of("toy/some-article", toy)
    before = path.read_bytes()
    edit(toy / "snippets/toy/some_article_run.py", "math.sqrt(2)", value)
    done = rerun(toy)
    assert done.returncode == 1
    assert "snippets.toy.some_article_run.run returned what JSON cannot hold" in done.stderr
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_the_old_record_and_no_litter(toy, monkeypatch):
    rerun(toy)
    path = records.path_of("toy/some-article", toy)
    before = path.read_bytes()

    def fail(self, target):
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        records.save("toy/some-article", Record({}, {}, {}, ""), toy)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_a_missing_record_says_what_writes_it(toy):
    with pytest.raises(RecordError, match=r"no record snippets/toy/some_article_run\.json; make"):
        records.load("toy/some-article", toy)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}", '{"inputs": {}, "more": 1}', "\udcff"])
def test_an_unreadable_record_is_named(toy, text):
    path = records.path_of("toy/some-article", toy)
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(RecordError, match=r"unreadable record snippets/toy/some_article_run\.json"):
        records.load("toy/some-article", toy)


def test_a_module_that_is_not_there_has_no_fingerprint():
    with pytest.raises(RecordError, match="no module snippets"):
        records.fingerprint("snippets.toy.nowhere")


# -- the fingerprint -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("core.py", "# by hand", "# by head"),
        ("core.py", '"""Square it."""', '"""Square it, by hand."""'),
        ("core.py", '    """Square it."""\n', ""),
        ("core.py", '"""What the run needs."""', '"""Else."""\n\n\n'),
        ("core.py", "return x * x", "return (x * x)"),
        ("core.py", "    return look", "    return look.RED"),
        ("look.py", "RED = 1", "RED = 2"),
        ("some_article_run.py", '"甲"', "'甲'"),
    ],
)
def test_what_computes_nothing_leaves_the_fingerprint(toy, file, old, new):
    before = records.fingerprint("snippets.toy.some_article_run", toy)
    edit(toy / "snippets/toy" / file, old, new)
    assert records.fingerprint("snippets.toy.some_article_run", toy) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("core.py", "RATE = 0.5", "RATE = 0.25"),
        ("core.py", "x * x", "x + x"),
        ("core.py", "def square(x)", "def square(x=None)"),
        ("some_article_run.py", '"n": 4', '"n": 5'),
        ("some_article_run.py", "import math", "import math, snippets.toy.look"),
    ],
)
def test_what_computes_changes_the_fingerprint(toy, file, old, new):
    before = records.fingerprint("snippets.toy.some_article_run", toy)
    edit(toy / "snippets/toy" / file, old, new)
    assert records.fingerprint("snippets.toy.some_article_run", toy) != before


def test_every_python_gives_the_same_fingerprint(tmp_path):
    """One literal for 3.11, 3.12 and 3.13, over what their syntax trees write differently."""
    (tmp_path / "s.py").write_text(
        "class A: pass\ndef f(x, *y, **z): return f'{x:>{y}} {x!r:{y}.{z}f}'\n"
        + "g = lambda *a: a[1:, ()]\nh = f'{1}{\"b\"}' u'c' if f'' else -1.5\n"
    )
    assert records.fingerprint("s", tmp_path).startswith("44cf739a2afcd3e6")


def test_a_figure_that_a_package_hands_on_does_not_count(toy):
    package = toy / "snippets/toy/__init__.py"
    before = records.fingerprint("snippets.toy.some_article_run", toy)
    package.write_text("from .look import figure_red\n")
    assert records.fingerprint("snippets.toy.some_article_run", toy) == before


lines = st.sampled_from(
    ["", "   ", "# 注释", "x = 1", "y = f(2.5)", "def f(a): return a", "'''doc'''", "z = None"]
)


@given(st.lists(lines), st.data())
def test_blank_lines_and_comments_never_count(tmp_path_factory, program, data):
    root = tmp_path_factory.mktemp("program")
    (root / "s.py").write_text("\n".join(program))
    before = records.fingerprint("s", root)
    i = data.draw(st.integers(0, len(program)))
    program.insert(i, data.draw(st.sampled_from(["", "\t", "# more", "  # '''"])))
    (root / "s.py").write_text("\n".join(program))
    assert records.fingerprint("s", root) == before


constants = st.one_of(
    st.integers(), st.booleans(), st.none(), st.text(), st.binary(), st.floats(allow_nan=False)
)


@given(constants, constants)
def test_two_constants_have_one_fingerprint_only_when_they_are_one(tmp_path_factory, a, b):
    root = tmp_path_factory.mktemp("constants")
    prints = []
    for value in (a, b):
        (root / "s.py").write_text(f"x = {value!r}", encoding="utf-8")
        prints.append(records.fingerprint("s", root))
    same = ast.dump(ast.parse(f"{a!r}")) == ast.dump(ast.parse(f"{b!r}"))
    assert (prints[0] == prints[1]) == same


# -- differences between two trees of results ----------------------------------------------------


@pytest.mark.parametrize(
    ("part", "whole", "paths"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, []),
        ({"a": 1}, {"b": 2}, ["a"]),
        ({"a": [1, 2]}, {"a": [1, 2, 3]}, []),
        ({"a": [1, 2]}, {"a": [1]}, ["a.1"]),
        ({"a": {"b": [1, 3]}}, {"a": {"b": [1, 2]}}, ["a.b.1"]),
        ({"a": 1.0}, {"a": 1 + 1e-9}, []),
        ({"a": 1.0}, {"a": 1 + 1e-3}, ["a"]),
        ({"a": 0.0}, {"a": 1e-9}, ["a"]),
        ({"a": True}, {"a": 1.0000001}, ["a"]),
        ({"a": 1}, {"a": "1"}, ["a"]),
        ({"a": {}}, {"a": 1}, ["a"]),
        ({"a": None}, {}, ["a"]),
    ],
)
def test_differences_are_the_paths_at_which_two_runs_part(part, whole, paths):
    assert list(records.differences(part, whole)) == paths


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_a_tree_differs_nowhere_from_itself(tree):
    assert list(records.differences(tree, tree)) == []


def test_the_tolerance_is_relative():
    assert list(records.differences([1000.0], [1009.0], 0.01)) == []
    assert list(records.differences([1000.0], [1011.0], 0.01)) == ["0"]
