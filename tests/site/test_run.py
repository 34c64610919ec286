"""`{run}`: numbers of the record on the page, and how each error reads."""

import json
import shutil

import pytest

from snippets.common import records
from snippets.common.imports import ROOT

PAGE = """
# 一页

峰值为 {run}`chain.k8.peak:.2f`，
共 {run}`inputs.n` 层。
"""

RUN = '''
"""A run."""

from snippets.toy import core

INPUTS = {"n": 8}
CHEAP = {"n": 2}


def run(n):
    return {"peak": core.peak(n)}
'''

RESULTS = {
    "chain": {"k8": {"peak": 3.14159, "steps": 12, "list": [1, 2], "yes": True, "nothing": None}},
    "name": "甲 <乙>",
}


@pytest.fixture
def toy(site):
    """A site of one page, `toy/page`, with a fresh record."""
    made = site("_ext.run")
    shutil.copytree(ROOT / "snippets/common", made.root / "snippets/common")
    for package in ("snippets", "snippets/toy"):
        made.write(f"{package}/__init__.py", "")
    made.write("snippets/toy/core.py", "def peak(n):\n    return n\n")
    made.write("snippets/toy/page_run.py", RUN)
    made.write("index.md", "# 首页\n\n```{toctree}\ntoy/page\n```\n")
    made.write("toy/page.md", PAGE)
    record(made)
    return made


def record(made):
    """Write the record anew, for the code as it is now."""
    fingerprint = records.fingerprint("snippets.toy.page_run", made.root)
    versions = {"python": "3.11.7"}
    made_record = records.Record({"n": 8}, RESULTS, versions, fingerprint)
    records.save("toy/page", made_record, made.root)


def page(build) -> str:
    return (build.outdir / "toy/page.html").read_text(encoding="utf-8")


def fails(made, *parts, line=3):
    """The build fails with one warning, which names page and line and says all of this."""
    build = made.build()
    assert build.code == 1
    warnings = [text for text in build.output.splitlines() if "WARNING" in text]
    assert len(warnings) == 1, build.output
    assert f"toy/page.md:{line}: WARNING: run " in warnings[0]
    for part in parts:
        assert part in warnings[0]
    assert "Traceback" not in build.output
    return build


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        ("chain.k8.peak", "3.14159"),
        ("chain.k8.peak:.2f", "3.14"),
        ("chain.k8.peak:.1%", "314.2%"),
        ("chain.k8.steps", "12"),
        ("chain.k8.steps:>4d", "  12"),
        ("name", "甲 &lt;乙&gt;"),
        ("inputs.n", "8"),
        ("versions.python", "3.11.7"),
    ],
)
def test_a_value_is_plain_text_with_a_class(toy, role, shown):
    toy.write("toy/page.md", f"# 一页\n\n值 {{run}}`{role}`。\n")
    build = toy.build()
    assert build.code == 0, build.output
    assert f'值 <span class="run">{shown}</span>。' in page(build)


def test_a_category_folder_with_a_hyphen_finds_its_record(toy):
    shutil.move(toy.root / "snippets/toy", toy.root / "snippets/big_toy")
    shutil.move(toy.root / "toy", toy.root / "big-toy")
    toy.write("snippets/big_toy/page_run.py", RUN.replace("snippets.toy", "snippets.big_toy"))
    toy.write("index.md", "# 首页\n\n```{toctree}\nbig-toy/page\n```\n")
    fingerprint = records.fingerprint("snippets.big_toy.page_run", toy.root)
    records.save("big-toy/page", records.Record({"n": 8}, RESULTS, {}, fingerprint), toy.root)
    build = toy.build()
    assert build.code == 0, build.output
    assert "3.14" in (build.outdir / "big-toy/page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("role", "message"),
    [
        ("chain.k9.peak", "no 'k9' here: chain has only k8"),
        ("chian.k8", "no 'chian' here: the record has only chain, name"),
        ("chain.k8.peak.x", "no 'x' here: chain.k8.peak is a leaf"),
        ("inputs.m", "no 'm' here: the record has only n"),
        ("versions.torch", "no 'torch' here"),
        ("chain.k8.list", "chain.k8.list is list, not a number or a text"),
        ("chain.k8", "chain.k8 is dict, not a number or a text"),
        ("chain.k8.yes", "chain.k8.yes is bool, not a number or a text"),
        ("chain.k8.nothing", "chain.k8.nothing is NoneType, not a number or a text"),
        ("inputs", "inputs is dict"),
        ("chain.k8.peak:d", "Unknown format code 'd'"),
        ("name:.2f", "Unknown format code 'f'"),
    ],
)
def test_a_path_that_leads_to_no_value(toy, role, message):
    toy.write("toy/page.md", f"# 一页\n\n一行。\n\n值 {{run}}`{role}`。\n")
    fails(toy, f"run {role}: ", message, line=5)


def test_a_stale_record(toy):
    toy.write("snippets/toy/core.py", "def peak(n):\n    return n + 1\n")
    fails(toy, "snippets/toy/page_run.json is older than its code; make rerun renews it")
    assert "3.14" in page(toy.build(strict=False)), "a preview goes on showing its numbers"


def test_a_comment_makes_no_record_stale(toy):
    toy.write("snippets/toy/core.py", "def peak(n):\n    # as it was\n    return n\n")
    assert toy.build().code == 0


def test_a_missing_record(toy):
    records.path_of("toy/page", toy.root).unlink()
    fails(toy, "no record snippets/toy/page_run.json; make rerun writes it")


@pytest.mark.parametrize("text", ["", '{"inputs": ', "[]", "{}"])
def test_an_unreadable_record(toy, text):
    toy.write("snippets/toy/page_run.json", text)
    fails(toy, "unreadable record snippets/toy/page_run.json: ")


def test_a_record_without_its_module(toy):
    (toy.root / "snippets/toy/page_run.py").unlink()
    fails(toy, "no module snippets.toy.page_run")


def test_a_run_module_that_cannot_be_parsed(toy):
    toy.write("snippets/toy/core.py", "def peak(n:\n")
    fails(toy, "'(' was never closed", "core.py")


def test_a_page_without_a_run(toy):
    toy.write("other.md", "---\norphan: true\n---\n# 别页\n\n{run}`x`\n")
    build = toy.build()
    assert build.code == 1
    assert "other.md:6: WARNING: run x: no record snippets/other_run.json" in build.output


def test_the_page_follows_its_record_and_its_code(toy):
    assert toy.build().code == 0
    assert "0 added, 0 changed, 0 removed" in toy.build().output
    path = records.path_of("toy/page", toy.root)
    saved = json.loads(path.read_text(encoding="utf-8"))
    saved["results"]["chain"]["k8"]["peak"] = 2.71828
    path.write_text(json.dumps(saved), encoding="utf-8")
    changed = toy.build()
    assert "2.72" in page(changed)
    toy.write("snippets/toy/core.py", "def peak(n):\n    return n + 1\n")
    for _ in range(2):
        fails(toy, "is older than its code")
    record(toy)
    mended = toy.build()
    assert mended.code == 0
    assert "3.14" in page(mended)
