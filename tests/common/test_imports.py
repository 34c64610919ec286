"""snippets/common/imports.py: which modules a module needs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.common.imports import ROOT, closure, source_of


@pytest.fixture
def tree(tmp_path):
    """`tree({"a/b.py": "import …"})` writes modules and returns their folder."""

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("import s.b.ring", {"s.b", "s.b.ring"}),
        ("import s.b.ring as r", {"s.b", "s.b.ring"}),
        ("from s.b import ring", {"s.b", "s.b.ring"}),
        ("from s.b import something", {"s.b"}),
        ("from . import other", {"s.a", "s.a.other"}),
        ("from .other import x", {"s.a", "s.a.other"}),
        ("from ..b.ring import x", {"s.a", "s.b", "s.b.ring"}),
        ("from ..b import *", {"s.b"}),
        ("def f():\n    from s.b import ring", {"s.b", "s.b.ring"}),
        ("import numpy, os.path", set()),
    ],
)
def test_each_form_of_import_is_followed(tree, statement, found):
    files = ["s/__init__.py", "s/a/__init__.py", "s/a/other.py", "s/b/__init__.py", "s/b/ring.py"]
    root = tree({**dict.fromkeys(files, ""), "s/a/main.py": statement})
    assert set(closure("s.a.main", root)) == {"s", "s.a", "s.a.main"} | found


def test_a_package_imports_relative_to_itself(tree):
    root = tree({"s/a/__init__.py": "from .ring import x", "s/a/ring.py": "from . import mini"})
    assert set(closure("s.a", root)) == {"s.a", "s.a.ring"}


def test_a_circle_of_imports_ends(tree):
    root = tree({"s/a.py": "import s.b", "s/b.py": "import s.a"})
    assert set(closure("s.a", root)) == {"s.a", "s.b"}


def test_a_module_that_is_not_there_has_an_empty_closure(tree):
    assert closure("s.a", tree({})) == {}


def test_a_file_that_cannot_be_parsed_is_named(tree):
    root = tree({"s/a.py": "import s.b", "s/b.py": "def f(:"})
    with pytest.raises(SyntaxError) as caught:
        closure("s.a", root)
    assert caught.value.filename == str(root / "s/b.py")


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef")), min_size=1),
)
def test_the_closure_is_what_can_be_reached(tmp_path_factory, graph):
    root = tmp_path_factory.mktemp("graph")
    (root / "s").mkdir()
    for name, needs in graph.items():
        text = "".join(f"import s.{need}\n" for need in needs)
        root.joinpath("s", f"{name}.py").write_text(text)
    start = min(graph)
    reached, before = {start}, set()
    while reached != before:
        before = reached
        reached = reached | {need for name in reached for need in graph[name] if need in graph}
    assert set(closure(f"s.{start}", root)) == {f"s.{name}" for name in reached}


def test_importing_really_loads_no_more_of_ours_than_the_closure():
    """The other route: ask Python itself, for our own modules."""
    import subprocess
    import sys

    name = "snippets.common.records"
    code = f"import sys, {name}; print(*(m for m in sys.modules if m.startswith('snippets')))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == set(closure(name))
    assert source_of(name) == ROOT / "snippets/common/records.py"
