"""`make new`: what it writes passes every check; what it refuses leaves nothing behind."""

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from _ext.new_article import create

ROOT = Path(__file__).parents[2]
TODAY = datetime.date(2026, 11, 22)
EXTENSIONS = ("_ext.contract", "_ext.doctests", "_ext.drawn", "_ext.run", "_ext.chinese")


def test_a_new_article_passes_unmodified(site):
    new = site(*EXTENSIONS)
    for part in ("__init__.py", "common", "large_model/__init__.py"):
        source, target = ROOT / "snippets" / part, new.root / "snippets" / part
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    page, _, test = create(new.root, "large-model/mixed-precision", "混合精度", TODAY)
    new.write("index.md", "(index)=\n# 首页\n\n```{toctree}\nlarge-model/mixed-precision\n```\n")

    html = new.build("html")
    assert html.code == 0, html.output
    doctest = new.build("doctest")
    assert doctest.code == 0, doctest.output
    assert "0 failures" in doctest.output
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
    tests = subprocess.run(command, cwd=new.root, capture_output=True, text=True, timeout=60)
    assert tests.returncode == 0, tests.stdout
    assert page.read_text("utf-8").startswith("---\ncategory: large-model\ndate: 2026-11-22\n")


ILL_FORMED = """
bert audio/bert nlp/ nlp/Bert nlp/bert_base nlp/1d nlp/-a nlp/a/b nlp/../x nlp/词向量
python/class python/index nlp/bert-run
"""


@pytest.mark.parametrize("article", ["", *ILL_FORMED.split()])
def test_an_ill_formed_name_is_refused(tmp_path, article):
    with pytest.raises(ValueError, match=r"ARTICLE must be|is reserved"):
        create(tmp_path, article, "标题", TODAY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("title", ["", "  ", "两\n行", "两\r行", "两\u2028行"])
def test_a_title_is_one_line(tmp_path, title):
    with pytest.raises(ValueError, match="TITLE must be one line of text"):
        create(tmp_path, "nlp/bert", title, TODAY)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "existing",
    ["nlp/bert.md", "snippets/nlp/bert.py", "tests/nlp/test_bert.py", "snippets/nlp/bert/"],
)
def test_nothing_is_overwritten(tmp_path, existing):
    path = tmp_path / existing
    path.parent.mkdir(parents=True)
    path.mkdir() if existing.endswith("/") else path.write_text("mine")
    with pytest.raises(FileExistsError, match=f"{existing} exists already; nothing was written"):
        create(tmp_path, "nlp/bert", "BERT", TODAY)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == ([] if path.is_dir() else [path])


def test_the_command_says_what_was_wrong(tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "_ext.new_article"],
        cwd=ROOT,
        env={"ARTICLE": "nlp/BERT", "TITLE": "BERT"},
        capture_output=True,
        text=True,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("make new: ARTICLE must be category/slug")
    assert "got 'nlp/BERT'" in result.stderr


@pytest.mark.parametrize("by_argument", [True, False])
def test_make_hands_both_on_as_they_were_typed(tmp_path, by_argument):
    """Neither make nor a shell takes them for more than text."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$ARTICLE" "$TITLE"\n')
    python.chmod(0o755)
    for name in ("pyproject.toml", "constraints.txt", ".venv/.docs"):
        (tmp_path / name).touch()
    typed = "$(shell touch a)`touch b`; touch c \"'$$(touch d) ${HOME} #"
    variables = {"ARTICLE": typed, "TITLE": f"{typed}!"}
    given = [f"{name}={text}" for name, text in variables.items()] if by_argument else []
    environment = os.environ | ({} if by_argument else variables)
    command = ["make", "--silent", "new", *given]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.stdout == f"{typed}\n{typed}!\n", done.stderr
    assert not [name for name in "abcd" if (tmp_path / name).exists()]
