"""What is kept between builds: used again while a page needs it, gone a month after."""

import os
import time

import pytest

from _ext import kept


@pytest.fixture
def notes(site):
    """Two pages with one formula each, built once."""
    s = site("_ext.katex", "_ext.kept")
    s.configure("html_math_renderer = 'katex'\n")
    s.write("index.md", "# 首页\n\n$x^2$\n\n```{toctree}\nother\n```\n")
    s.write("other.md", "# 另页\n\n$y^3$\n")
    assert s.build().code == 0
    return s


def formulas(s):
    """Return {formula: the file where it is kept}."""
    files = list(s.root.glob("_build/kept/katex/*/*.json"))
    return {tex: f for f in files for tex in ("x^2", "y^3") if tex in f.read_text("utf-8")}


def grow_old(path, seconds):
    os.utime(path, (time.time() - seconds,) * 2)


def test_what_a_whole_build_has_not_used_for_a_month_is_removed(notes):
    assert set(formulas(notes)) == {"x^2", "y^3"}
    for file in formulas(notes).values():
        grow_old(file, kept.LONG + 60)
    notes.write("other.md", "# 另页\n\n没有公式了。\n")
    assert notes.build().code == 0  # reads one page: nobody knows what the other needs
    assert set(formulas(notes)) == {"x^2", "y^3"}
    assert notes.build("html", "-E", "-a").code == 0
    assert set(formulas(notes)) == {"x^2"}


def test_what_was_used_within_the_month_stays(notes):
    grow_old(formulas(notes)["y^3"], kept.LONG - 60)
    notes.write("other.md", "# 另页\n\n没有公式了。\n")
    assert notes.build("html", "-E", "-a").code == 0
    assert set(formulas(notes)) == {"x^2", "y^3"}


def test_use_is_noted_once_a_day(tmp_path):
    def used():
        kept.kept(tmp_path, "number", "one", lambda: 1)
        (path,) = tmp_path.rglob("*.json")
        return path

    for age, noted in ((kept.DAY - 60, False), (kept.DAY + 60, True)):
        grow_old(used(), age)
        assert (kept.age(used()) < 60) == noted
