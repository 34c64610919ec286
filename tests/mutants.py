"""`make mutants`: break the snippets in one place at a time and see that a test notices.

A seeded sample of every article's mutants meets the article's own tests and the doctests of its
page; nothing else counts, so a stale record or a broken contract kills none.  At least 90 % must be
killed, and every survivor explained in `mutants.toml`.  What is never mutated: drawing, `*_run.py`,
texts, annotations, decorators, assertions and what an error says.

mutmut, cosmic-ray and poodle start a Python for every mutant or rewrite the functions that pages
show; importing torch and the oracles takes longer than most mutants live, so this forks.
"""

import argparse
import ast
import contextlib
import importlib
import itertools
import json
import multiprocessing
import os
import pickle
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from sysconfig import get_path
from typing import Any

import coverage
import hypothesis
import pytest

ROOT = Path(__file__).parents[1]
EXPLAINED = Path(__file__).with_suffix(".toml")
KEYS = ("path", "line", "change", "reason")  # of an entry there
LEAST = 0.9  # of the mutants must be killed
MEMORY = 8 << 30  # bytes that a mutant may take

SWAPS: dict[type, type] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
PAIRS = ["min max", "any all", "argmin argmax", "zeros ones", "sin cos", "floor ceil", "sum mean"]
NAMES = {a: b for pair in PAIRS for a, b in [pair.split(), pair.split()[::-1]]}


@dataclass(frozen=True)
class Mutant:
    """Another text for the bytes from `start` to `end` of a module, on the lines first to last."""

    path: str
    start: int
    end: int
    first: int
    last: int
    other: str
    line: str
    change: str

    @property
    def name(self) -> tuple[str, str, str]:
        """What it is called in `mutants.toml`, wherever in the module it stands."""
        return self.path, self.line, self.change

    def source(self) -> bytes:
        """Return the mutated module; every other line keeps its number."""
        source = Path(self.path).read_bytes()
        fill = b"\n" * source[self.start : self.end].count(b"\n")
        other = self.other.encode().removesuffix(b")")
        closing = b")" * self.other.endswith(")")
        return source[: self.start] + other + fill + closing + source[self.end :]

    def compiles(self) -> bool:
        """Return whether it is Python at all."""
        with contextlib.suppress(SyntaxError):
            return bool(compile(self.source(), self.path, "exec"))
        return False


def variants(node: ast.AST) -> Iterator[tuple[Any, ast.AST]]:
    """Yield (part, other): what might stand, by a slip, in the place of a part of this node."""
    match node:
        case ast.Compare(ops=ops):
            for i, op in enumerate(ops):
                swapped = [*ops[:i], SWAPS[type(op)](), *ops[i + 1 :]]
                yield node, ast.Compare(node.left, swapped, node.comparators)
        case ast.BinOp(op=op) if type(op) in SWAPS:
            yield node, ast.BinOp(node.left, SWAPS[type(op)](), node.right)
        case ast.BoolOp(op=op):
            yield node, ast.BoolOp(SWAPS[type(op)](), node.values)
        case ast.UnaryOp(op=ast.USub() | ast.Not()):
            yield node, node.operand
        case ast.Constant(value=bool() as value):
            yield node, ast.Constant(not value)
        case ast.Constant(value=int() as value):
            yield node, ast.Constant(value + 1)
        case ast.Constant(value=float() as value):
            yield node, ast.Constant(value * 2 or 1.0)
        case ast.If() | ast.While() | ast.IfExp():
            yield node.test, ast.UnaryOp(ast.Not(), node.test)
        case ast.Return(value=ast.expr() as value) if ast.unparse(value) != "None":
            yield value, ast.Constant(None)
        case ast.Call(func=ast.Name(id=name)) if name in NAMES:
            yield node.func, ast.Name(NAMES[name])
        case ast.Call(func=ast.Attribute(attr=name)) if name in NAMES:
            yield node.func, ast.Attribute(node.func.value, NAMES[name])
        case ast.Assign(targets=[ast.Attribute() | ast.Subscript()]) | ast.AugAssign():
            yield node, ast.Pass()
        case ast.Expr(value=ast.Call()) | ast.Raise() | ast.Delete() | ast.Continue() | ast.Break():
            yield node, ast.Pass()


def behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that say what a module does, in the order of the text."""
    if isinstance(node, ast.FunctionDef) and (
        re.match("_?figure_", node.name) or {"ax", "fig"} & {arg.arg for arg in node.args.args}
    ):
        return
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):  # whose words are free
        return
    for field, value in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list"):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from behaviour(child)


def mutants_of(path: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, among them some that do not compile."""
    source = Path(path).read_bytes()
    lines = source.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    for node in behaviour(ast.parse(source)):
        for part, other in variants(node):
            start = starts[part.lineno - 1] + part.col_offset
            end = starts[part.end_lineno - 1] + part.end_col_offset
            old, new = " ".join(source[start:end].decode().split()), ast.unparse(other)
            text = f"({new})" if isinstance(other, ast.expr) else new
            line = lines[part.lineno - 1].decode().strip()
            span = (start, end, part.lineno, part.end_lineno)
            yield Mutant(path, *span, text, line, f"{old} → {new}")


def articles() -> dict[str, list[Mutant]]:
    """Return the mutants of every article; what all articles share counts as one."""
    found: dict[str, list[Mutant]] = {}
    for path in sorted(Path().glob("snippets/*/**/*.py")):
        _, category, name = path.with_suffix("").parts[:3]
        if name != "__init__" and not path.stem.endswith("_run") and path.stem != "figures":
            article = category if category == "common" else f"{category}/{name}"
            found.setdefault(article, []).extend(mutants_of(path.as_posix()))
    return found


def ask(job: Callable[[], Any], seconds: float) -> Any:
    """Return what a job returns in a process of its own, None where it did not live to tell."""
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)

    def work() -> None:
        with open("log", "w") as out, open(os.devnull) as nothing:
            for stream, number in (nothing, 0), (out, 1), (out, 2):
                os.dup2(stream.fileno(), number)
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 1))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
        sender.send(job())

    child = multiprocessing.get_context("fork").Process(target=work)
    child.start()
    sender.close()
    try:
        return receiver.recv() if receiver.poll(4 * seconds) else None
    except EOFError:
        return None
    finally:
        for end in (os.killpg, os.kill):  # with all that it started
            with contextlib.suppress(ProcessLookupError):
                end(child.pid or 0, signal.SIGKILL)
        child.join()


class Order:
    """A pytest plugin: the promising tests first, and no time lost on a smaller counterexample."""

    def __init__(self, ranks: dict[str, int]):
        self.ranks = ranks

    def pytest_sessionstart(self) -> None:
        phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
        hypothesis.settings.register_profile("mutants", phases=phases)
        hypothesis.settings.load_profile("mutants")

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.ranks[item.nodeid])


class Watch:
    """A pytest plugin that notes of every test how long it takes and which lines it runs."""

    def __init__(self) -> None:
        self.coverage = coverage.Coverage(None, config_file=False, include=["*/snippets/*"])
        self.seconds: dict[str, float] = {}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        began = time.process_time()
        self.coverage.start()  # anew for every test: some set a trace function of their own
        self.coverage.switch_context(item.nodeid)
        try:
            return (yield)
        finally:
            self.coverage.stop()
            self.seconds[item.nodeid] = time.process_time() - began

    def lines(self) -> dict[str, dict[int, list[str]]]:
        """Return {file: {line: tests that run it}}."""
        data = self.coverage.get_data()
        files = {str(Path(file).relative_to(Path.cwd())): file for file in data.measured_files()}
        return {name: data.contexts_by_lineno(file) for name, file in files.items()}


class Verdict:
    """Takes what a page's session reports, up to the first fault."""

    def send(self, news: tuple[int, str | None] | None) -> None:
        if news and news[1]:
            sys.exit(str(news))


def is_foreign(file: str | None) -> bool:
    """Return whether a module's file belongs to Python or to a library."""
    return bool(file) and file.startswith((get_path("stdlib"), get_path("purelib")))


class Trial:
    """An article's tests and doctests, ready to meet mutants."""

    def __init__(self, article: str):
        category, _, name = article.partition("/")
        self.tests = f"tests/{category}/test_{name}.py" if name else f"tests/{article}"
        self.page = article.replace("_", "-") + ".md"
        self.setup = run_path("conf.py")["doctest_global_setup"]

        def baseline() -> tuple:
            passed = self.pytest(watch := Watch())
            foreign = [n for n, m in sys.modules.items() if is_foreign(getattr(m, "__file__", ""))]
            return passed, watch.seconds, watch.lines(), foreign

        passed, self.seconds, self.lines, modules = ask(baseline, 600) or (False, {}, {}, [])
        self.limit = 10 + 2 * sum(self.seconds.values())
        for module in modules:  # so that no child has to
            with contextlib.suppress(Exception):
                importlib.import_module(module)
        if not (passed and self.doctest()):
            sys.exit(f"mutants: {article} fails without a mutation\n{Path('log').read_text()}")

    def pytest(self, plugin: object) -> bool:
        """Return whether the article's tests all pass; the first that fails is the last."""
        options = ["-x", "-q", "-m", "not rerun", "-p", "no:cacheprovider", "-p", "no:faulthandler"]
        options += ["--randomly-dont-reorganize"]  # the order is ours
        options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
        options += ["--deselect", "tests/common/test_records.py::test_record_is_fresh"]
        os.setsid()  # what the tests start can be ended with them
        return pytest.main([self.tests, *options], plugins=[plugin]) == 0

    def doctest(self) -> bool:
        """Return whether the page's examples all pass."""

        if not Path(self.page).is_file():
            return True

        def job() -> bool:
            from _ext import doctests  # here: it imports snippets, which the parent must not

            tree = (ROOT / "_build/doctrees" / self.page).with_suffix(".doctree").read_bytes()
            page = pickle.loads(tree)  # noqa: S301  # our own build wrote it
            examples, _ = doctests.collect(page, doctests.FLAGS, self.setup)
            doctests.session(self.page, examples, self.setup, Verdict())  # type: ignore
            return True

        return bool(ask(job, self.limit + 60))

    def survives(self, mutant: Mutant) -> bool:
        """Return whether nothing notices: the tests that run the line first, quick ones first."""
        lines = self.lines.get(mutant.path, {})
        running = {test for i in range(mutant.first, mutant.last + 1) for test in lines.get(i, ())}
        order = sorted(self.seconds, key=lambda test: (test not in running, self.seconds[test]))
        plugin = Order({test: rank for rank, test in enumerate(order)})
        passed = ask(lambda: self.pytest(plugin), self.limit)
        return bool(passed) and self.doctest()


@contextlib.contextmanager
def planted(mutant: Mutant, clock: Iterator[int]) -> Iterator[None]:
    """Put a mutant into the place of its module, with a time that tells its bytecode apart."""
    path, kept = Path(mutant.path), Path("kept")
    shutil.copy2(path, kept)
    path.write_bytes(mutant.source())
    os.utime(path, (tick := next(clock), tick))
    try:
        yield
    finally:
        shutil.copy2(kept, path)


def copy_to(folder: str) -> None:
    """Copy the repository and go there: neither mutants nor an editor touch the other's files."""
    listed = subprocess.check_output(["git", "ls-files", "-coz", "--exclude-standard"], text=True)
    for name in listed.split("\0")[:-1]:
        Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, Path(folder, name))
    os.chdir(folder)
    sys.path[0] = os.environ["PYTHONPATH"] = folder
    sys.dont_write_bytecode = False
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # tests may rewrite a program within one second


def main(sample: int, seed: int, chosen: list[str]) -> int:
    """Print how many mutants of each article are killed, and every survivor."""
    found, clock = articles(), itertools.count()
    if unknown := set(chosen) - found.keys():
        sys.exit(f"mutants: there is no {', '.join(sorted(unknown))}, only {', '.join(found)}")
    reasons = {
        tuple(entry[key] for key in KEYS[:3]): entry["reason"]
        for entry in tomllib.loads(EXPLAINED.read_text("utf-8")).get("mutant", [])
    }
    known = {mutant.name for mutants in found.values() for mutant in mutants}
    faults = [f"{EXPLAINED.name} explains what is no mutant: {n}" for n in reasons.keys() - known]
    killed = total = 0
    for article in chosen or found:
        began, trial, mutants = time.monotonic(), Trial(article), found[article]
        random.Random(f"{seed} {article}").shuffle(mutants)
        picked = list(itertools.islice(filter(Mutant.compiles, mutants), sample))
        survivors = []
        for mutant in picked:
            with planted(mutant, clock):
                survivors += [mutant] if trial.survives(mutant) else []
        total, killed = total + len(picked), killed + len(picked) - len(survivors)
        took = time.monotonic() - began
        print(
            f"{article:<40}{len(picked) - len(survivors):>4} of {len(picked)} in {took:.0f} s",
            flush=True,
        )
        for mutant in survivors:
            reason = reasons.get(mutant.name, "")
            faults += [] if reason else [f"unexplained survivor: {mutant.name}"]
            entry = zip(KEYS, (*mutant.name, reason), strict=True)
            print(
                "[[mutant]]",
                *(f"{k} = {json.dumps(v, ensure_ascii=False)}" for k, v in entry),
                sep="\n",
            )
    print(f"killed {killed} of {total} mutants ({killed / total:.1%}), seed {seed}")
    if killed < LEAST * total:
        faults.append(f"at least {LEAST:.0%} must be killed")
    print(*faults, sep="\n", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="mutants")
    parser.add_argument("--sample", type=int, default=12, help="mutants of each article")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chosen = os.environ.get("ARTICLE", "").replace("-", "_").split()  # all of them without
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        copy_to(folder)
        sys.exit(main(given.sample, given.seed, chosen))
