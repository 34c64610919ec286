"""What pages take from files: asked again of a file that was written; another answer is news."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from _ext import uses

ASKED = []


def first_line(path: Path) -> tuple[str, list[Path]]:
    ASKED.append(path)
    return path.read_text("utf-8").splitlines()[0], [path]


def first_line_saved_meanwhile(path: Path) -> tuple[str, list[Path]]:
    found = first_line(path)
    path.write_text("later\n", "utf-8")
    return found


@pytest.fixture
def env(tmp_path):
    ASKED.clear()
    (tmp_path / "file").write_text("one\ntwo\n", "utf-8")
    return SimpleNamespace(docname="page")


def test_a_question_is_asked_again_only_of_a_file_that_was_written(env, tmp_path):
    path = tmp_path / "file"
    assert uses.use(env, first_line, path) == "one"
    for text, news, times in [("one\nthree\n", [], 2), ("four\n", ["page"], 3)]:
        assert uses.changed(None, env) == []
        path.write_text(text, "utf-8")
        assert uses.changed(None, env) == news
        assert len(ASKED) == times


def test_a_page_read_again_is_told_what_it_was_told_before(env, tmp_path):
    path = tmp_path / "file"
    for text, times in [("one\n", 1), (None, 1), ("two\n", 2)]:
        if text:
            path.write_text(text, "utf-8")
        assert uses.use(env, first_line, path) == (text or "one\n").strip()
        assert len(ASKED) == times
        uses.purge(None, env, "page")
    uses.forget(None, env)
    assert uses.use(env, first_line, path) == "two"
    assert len(ASKED) == 3, "nothing is left of a page that is gone"


def test_a_file_saved_while_it_is_read_is_asked_again(env, tmp_path):
    uses.use(env, first_line_saved_meanwhile, tmp_path / "file")
    assert uses.changed(None, env) == ["page"]


@pytest.mark.parametrize("spoil", [Path.unlink, Path.touch, lambda path: path.write_bytes(b"\xff")])
def test_a_question_that_fails_is_news(env, tmp_path, spoil):
    path = tmp_path / "file"
    uses.use(env, first_line, path)
    path.write_text("", "utf-8")
    spoil(path)
    assert uses.changed(None, env) == ["page"]


def test_what_other_processes_have_read_is_merged(env, tmp_path):
    other = SimpleNamespace(docname="other")
    uses.use(env, first_line, tmp_path / "file")
    uses.use(other, first_line, tmp_path / "file")
    uses.merge(None, env, ["other", "without"], other)
    (tmp_path / "file").write_text("new\n", "utf-8")
    assert uses.changed(None, env) == ["page", "other"]
