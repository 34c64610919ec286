"""`make mutants`: what it changes, what it leaves alone, and that nothing it starts outlives it."""

import os
import time
from pathlib import Path
from runpy import run_path

import pytest

mutants = run_path(str(Path(__file__).parents[1] / "mutants.py"), run_name="mutants")


@pytest.fixture
def changes(tmp_path, monkeypatch):
    """The mutants of a program, as {line: [what would stand there]}."""
    monkeypatch.chdir(tmp_path)

    def of(program: str) -> dict[int, list[str]]:
        Path("s.py").write_text(program, encoding="utf-8")
        found: dict[int, list[str]] = {}
        for mutant in mutants["mutants_of"]("s.py"):
            assert mutant.compiles(), mutant
            assert mutant.source().count(b"\n") == program.count("\n")
            line = mutant.source().decode().splitlines()[mutant.first - 1]
            found.setdefault(mutant.first, []).append(line.strip())
        return found

    return of


@pytest.mark.parametrize(
    ("line", "slips"),
    [
        ("a < b", ["(a <= b)"]),
        ("a <= b != c", ["(a < b != c)", "(a <= b == c)"]),
        ("(a + b) * c", ["((a + b) / c)", "((a - b)) * c"]),
        ("x = -y", ["x = (y)"]),
        ("x = 1", ["x = (2)"]),
        ("x = 0.5", ["x = (1.0)"]),
        ("x = 0.0", ["x = (1.0)"]),
        ("x = True", ["x = (False)"]),
        ("x = a and b", ["x = (a or b)"]),
        ("x = min(a)", ["x = (max)(a)"]),
        ("x = a.any(b)", ["x = (a.all)(b)"]),
        ("x = a if b else c", ["x = a if (not b) else c"]),
        ("f(a)", ["pass"]),
        ("x.y = a", ["pass"]),
        ("x += a", ["pass"]),
        ("def f(): return a", ["def f(): return (None)"]),
        ("def f(): return None", []),
        ("raise ValueError(1 + 1)", ["pass"]),
        ("x = '汉字'; y = 1", ["x = '汉字'; y = (2)"]),
        ("x = 'a' f'{1 + 1}'", []),
        ("assert a < b", []),
        ("def f(a: 1 < 2) -> 3: 'text'", []),
        ("@f(1)\ndef g(): 'text'", []),
        ("def figure_f(): return 1", []),
        ("def f(ax, x): return 1", []),
        ("if TYPE_CHECKING: x = 1", []),
    ],
)
def test_a_slip_is_one_change_and_words_are_left_alone(changes, line, slips):
    assert [slip for found in changes(line).values() for slip in found] == slips


def test_every_other_line_keeps_its_number(changes):
    assert changes("x = (\n    1 +\n    a\n)\ny = 2\n") == {2: ["(1 - a", "(2) +"], 5: ["y = (3)"]}


def test_an_article_that_is_none_is_refused():
    with pytest.raises(SystemExit, match=r"there is no nlp/nosuch, only .*nlp/ngram"):
        mutants["main"](1, 0, ["nlp/nosuch"])


def test_a_job_that_dies_or_hangs_answers_nothing_and_is_ended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ask, began = mutants["ask"], time.monotonic()
    assert ask(lambda: 7, 60) == 7
    assert ask(lambda: os._exit(0), 60) is None
    assert ask(lambda: 1 / 0, 60) is None
    assert ask(lambda: Path("pid").write_text(str(os.getpid())) and time.sleep(60), 0.25) is None
    assert time.monotonic() - began < 50
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
