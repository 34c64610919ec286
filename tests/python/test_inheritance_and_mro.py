"""The claims of the page on inheritance, super and method resolution orders."""

import functools
import inspect
import json
import re
import shutil
import subprocess
import sys
from itertools import pairwise, permutations
from pathlib import Path

import c3linear
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.python.inheritance_and_mro import (
    Super,
    all_hierarchies,
    bfs_mro,
    c3_linearize,
    c3_merge,
    classic_mro,
    hierarchy,
    is_monotonic,
    legal_orders,
    mro_python22,
    puts_children_first,
    respects_local_precedence,
)

AXIOMS = [puts_children_first, respects_local_precedence, is_monotonic]
OLD_RULES = [classic_mro, bfs_mro, mro_python22]
HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "classic_mro_py27.json").read_text())

DIAMOND = {"A": "", "B": "A", "C": "A", "D": "BC"}
TREE = {"A": "", "B": "A", "C": "", "D": "BC"}
PEDRONI = {
    **dict.fromkeys("ABCDE", ""),
    "K1": "ABC",
    "K2": "DBE",
    "K3": "DA",
    "Z": ("K1", "K2", "K3"),
}


def build(graph):
    """Make real classes of a graph, stopping where Python refuses one."""
    made = {}
    for name, bases in graph.items():
        try:
            made[name] = type(name, tuple(made[b] for b in bases), {})
        except (TypeError, KeyError):
            return made
    return made


def order_or_none(linearize, *args):
    try:
        return linearize(*args)
    except (TypeError, RuntimeError, ValueError):
        return None


def names(order):
    return "".join(getattr(c, "__name__", c) for c in order)


def all_bases(graph):
    """Every ordered choice of bases among the classes of a graph."""
    return [bases for k in range(len(graph) + 1) for bases in permutations(graph, k)]


@functools.cache
def legal_hierarchies(n):
    """The graphs of n classes all of which Python accepts."""
    if n == 0:
        return [{}]
    last = "ABCDE"[n - 1]
    grown = [g | {last: bases} for g in legal_hierarchies(n - 1) for bases in all_bases(g)]
    return [graph for graph in grown if order_or_none(c3_linearize, last, graph)]


@functools.cache
def solved(n):
    return list(legal_orders(n))


@st.composite
def graphs(draw, classes=9, bases=4):
    """Hierarchies of at most nine classes with at most four bases each, in a random order."""
    graph = {}
    for name in "ABCDEFGHI"[: draw(st.integers(1, classes))]:
        earlier = st.lists(st.sampled_from(list(graph)), unique=True, max_size=bases)
        graph[name] = tuple(draw(earlier)) if graph else ()
    return graph


# C3 is what CPython computes


@pytest.mark.parametrize("n", range(1, 6))
def test_every_small_hierarchy_gets_cpythons_order_or_its_refusal(n):
    """The last class of each hierarchy whose other classes are legal; those are the smaller n."""
    last = "ABCDE"[n - 1]
    for smaller in legal_hierarchies(n - 1):
        made, memo = build(smaller), {}
        for bases in all_bases(smaller):
            graph = smaller | {last: bases}
            try:
                cls = type(last, tuple(made[b] for b in bases), {})
            except TypeError:
                with pytest.raises(TypeError, match="no linear order"):
                    c3_linearize(last, graph)
            else:
                assert names(c3_linearize(last, graph)) + "object" == names(cls.__mro__)
                assert c3_linearize(cls, memo=memo) == list(cls.__mro__)


@settings(max_examples=2000)
@given(graphs())
def test_random_hierarchies_agree_with_cpython_c3linear_and_functools(graph):
    made = build(graph)
    name, cls = list(made.items())[-1]
    ours = c3_linearize(cls)
    assert names(ours[:-1]) == names(c3_linearize(name, graph))
    assert ours == type.mro(cls) == list(inspect.getmro(cls))
    assert ours == c3linear.mro(cls) == functools._c3_mro(cls)
    refused = next((name for name in graph if name not in made), None)
    if refused:  # the refused class's own merge fails, in all three implementations
        orders = [list(made[b].__mro__) for b in graph[refused]] + [
            [made[b] for b in graph[refused]]
        ]
        assert order_or_none(c3_merge, orders) is None
        assert order_or_none(lambda: c3linear.mro.__globals__["_merge"](*orders)) is None
        assert order_or_none(functools._c3_merge, [list(order) for order in orders]) is None


def test_every_class_of_the_standard_library_and_torch_has_its_c3_order():
    import torch

    assert torch.nn
    todo, seen = [object], {}
    while todo:
        new = [c for c in type.__subclasses__(todo.pop()) if c not in seen]
        seen |= dict.fromkeys(new)
        todo += new
    roots = sys.stdlib_module_names | {"torch"}
    home = {c: str(getattr(c, "__module__", "")) for c in seen}
    real = [c for c in seen if home[c].partition(".")[0] in roots]
    assert len(real) > 1000
    memo = {}
    assert [c for c in real if c3_linearize(c, memo=memo) != list(c.__mro__)] == []


# the merge: right when it answers, right when it refuses

sequences = st.lists(st.lists(st.sampled_from("ABCDEF"), max_size=4), max_size=4)


def extensions(seqs):
    """All orders of the members that keep every sequence, by trying every permutation."""
    members = sorted({c for s in seqs for c in s})
    for order in permutations(members):
        if all([c for c in order if c in s] == list(s) for s in seqs):
            yield list(order)


@given(sequences)
def test_merge_finds_an_order_exactly_when_one_exists(seqs):
    possible = list(extensions(seqs))
    merged = order_or_none(c3_merge, seqs)
    assert (merged in possible) if possible else (merged is None)


@given(sequences)
def test_merge_is_the_leftmost_greedy_choice(seqs):
    """The textbook formulation, quadratic and written differently, agrees."""
    rest, expected = [list(s) for s in seqs if s], []
    while rest:
        good = [s[0] for s in rest if not any(s[0] in t[1:] for t in rest)]
        if not good:
            expected = None
            break
        expected.append(good[0])
        rest = [t for s in rest if (t := s[1:] if s[0] == good[0] else s)]
    assert order_or_none(c3_merge, seqs) == expected


def test_merge_leaves_its_arguments_alone():
    seqs = [["B", "A"], ["C"], ["B", "C"]]
    assert c3_merge(seqs) == ["B", "A", "C"]
    assert seqs == [["B", "A"], ["C"], ["B", "C"]]
    assert c3_merge([]) == c3_merge([[], ()]) == []


def test_memo_is_read_and_filled():
    memo = {}
    assert c3_linearize("D", DIAMOND, memo=memo) == list("DBCA")
    assert memo == {"A": ["A"], "B": ["B", "A"], "C": ["C", "A"], "D": list("DBCA")}
    c3_linearize("D", DIAMOND, memo=memo).clear()
    assert memo["D"] == list("DBCA")
    memo["D"] = ["read"]
    assert c3_linearize("D", DIAMOND, memo=memo) == ["read"]


# the axioms


@pytest.mark.parametrize("axiom", AXIOMS)
def test_c3_keeps_every_axiom(axiom):
    for graph in legal_hierarchies(4):
        assert axiom(c3_linearize, "D", graph)


def kept_axioms(order, graph):
    """The axioms kept when one class gets the given order and the others get C3's."""

    def rule(cls, graph):
        return list(order) if cls == order[0] else c3_linearize(cls, graph)

    return [axiom(rule, order[0], graph) for axiom in AXIOMS]


def test_local_precedence_and_monotonicity_are_independent():
    assert kept_axioms("CBA", {"A": "", "B": "", "C": "AB"}) == [True, False, True]
    assert kept_axioms("EDBCA", TREE | {"E": "D"}) == [True, True, False]


def test_monotonicity_implies_children_first():
    """An order that starts with its class and breaks the first axiom breaks the third as well."""
    for graph in legal_hierarchies(4):
        for tail in permutations(c3_linearize("D", graph)[1:]):
            children, _, monotonic = kept_axioms(["D", *tail], graph)
            assert children or not monotonic


@pytest.mark.parametrize("axiom", AXIOMS)
@pytest.mark.parametrize("rule", OLD_RULES)
def test_every_older_rule_breaks_axioms_except_children_first_in_22(rule, axiom):
    broken = [g for g in legal_hierarchies(4) if not axiom(rule, "D", g)]
    assert bool(broken) == ((rule, axiom) != (mro_python22, puts_children_first))


def test_without_diamonds_c3_is_depth_first():
    def paths(cls, graph):
        return 1 + sum(paths(b, graph) for b in graph[cls])

    trees = [(g, o) for g, o in solved(5) if o and paths("E", g) == len(o)]
    assert len(trees) > 100
    for graph, order in trees:
        assert order == classic_mro("E", graph) == mro_python22("E", graph)


# the orders that Python left behind


def test_exhaustive_table():
    table = {}
    for n in range(1, 6):
        last = "ABCDE"[n - 1]
        orders = [(g, order) for g, order in solved(n) if order]
        right = [sum(rule(last, g) == order for g, order in orders) for rule in OLD_RULES]
        table[n] = [len(orders), *right]
    assert table == {
        1: [1, 1, 1, 1],
        2: [2, 2, 2, 2],
        3: [9, 9, 9, 9],
        4: [96, 89, 89, 94],
        5: [2422, 1855, 1931, 2237],
    }


def test_legal_orders_are_the_legal_hierarchies_and_the_refused_ones():
    for n in range(1, 5):
        found = solved(n)
        assert [graph for graph, order in found if order] == legal_hierarchies(n)
        assert len(found) == len(legal_hierarchies(n - 1)) * len(all_bases("ABCD"[: n - 1]))


def test_counts_of_hierarchies():
    assert [len(list(all_hierarchies(n))) for n in range(6)] == [1, 1, 2, 10, 160, 10400]
    last_added = {n: len(legal_hierarchies(n - 1)) * w for n, w in [(3, 5), (4, 16), (5, 65)]}
    assert last_added == {3: 10, 4: 144, 5: 6240}


def test_classic_order_is_what_python27_really_does():
    assert len(GOLDEN["classic_orders"]) == 173
    for bases, order in GOLDEN["classic_orders"]:
        graph = dict(zip("ABCD", bases, strict=False))
        assert classic_mro(order[0], graph) == list(order)


def test_golden_file_covers_every_small_hierarchy():
    golden = {tuple(bases) for bases, _ in GOLDEN["classic_orders"]}
    ours = {tuple(map("".join, g.values())) for n in range(1, 5) for g in all_hierarchies(n)}
    assert golden == ours


def test_python27_new_style_classes_are_c3_not_breadth_first():
    for bases, order in GOLDEN["new_style_orders"]:
        assert c3_linearize("D", dict(zip("ABCD", bases, strict=True))) == list(order)
    assert bfs_mro("D", TREE) != c3_linearize("D", TREE)


@pytest.mark.skipif(not shutil.which("python2.7"), reason="no python2.7 on PATH")
def test_golden_file_is_what_python27_prints():
    run = subprocess.run(
        ["python2.7", HERE / "golden_py27.py"], capture_output=True, text=True, timeout=60
    )
    if run.returncode == 127:
        pytest.skip("python2.7 on PATH does not start")
    assert run.returncode == 0, run.stderr
    fresh = json.loads(run.stdout)
    assert fresh | {"python": GOLDEN["python"]} == GOLDEN


def test_python22_rule_as_documented_breaks_pedronis_hierarchy():
    """Orders of C3 from Simionato's essay; the documented 2.2 rule is not monotonic there."""
    order = c3_linearize("Z", PEDRONI)
    assert order == ["Z", "K1", "K2", "K3", *"DABCE"]
    assert not is_monotonic(mro_python22, "Z", PEDRONI)


@pytest.mark.parametrize("rule", [c3_linearize, *OLD_RULES])
def test_rules_take_graphs_and_classes(rule):
    class Base: ...

    class Child(Base): ...

    assert rule(Child) == [Child, Base, object]
    assert rule("Child", {"Base": (), "Child": ["Base"]}) == ["Child", "Base"]


# errors


@pytest.mark.parametrize("rule", [c3_linearize, *OLD_RULES])
def test_bad_input_is_named(rule):
    with pytest.raises(TypeError, match=r"expected a class.*got 'D'"):
        rule("D")
    with pytest.raises(
        ValueError, match=r"\['X'\] not among the graph's classes \['A', 'B', 'C', 'D'\]"
    ):
        rule("X", DIAMOND)
    with pytest.raises(ValueError, match=r"\['Q'\] not among the graph's classes \['A'\]"):
        rule("A", {"A": "Q"})
    with pytest.raises(ValueError, match="cycle"):
        rule("A", {"A": "B", "B": "A"})


def test_impossible_order_names_the_classes_in_conflict():
    crossed = {"X": "", "Y": "", "A": "XY", "B": "YX", "C": "AB"}
    with pytest.raises(TypeError, match=r"no linear order satisfies all of: X < Y; Y < X$"):
        c3_linearize("C", crossed)
    with pytest.raises(TypeError, match=r"all of: bool < int; int < bool$"):
        c3_merge([[bool, int], [int, bool]])
    with pytest.raises(TypeError, match="no linear order"):
        c3_linearize("C", {"A": "", "C": "AA"})
    with pytest.raises(TypeError, match="no linear order"):
        c3_linearize("C", {"A": "", "B": "A", "C": "AB"})


@pytest.mark.parametrize("n", [-1, 27, 2.5])
def test_all_hierarchies_rejects_other_numbers(n):
    with pytest.raises((ValueError, TypeError), match=str(n)):
        all_hierarchies(n)
    with pytest.raises((ValueError, TypeError), match=str(n)):
        list(legal_orders(n))


# super


class Meta(type):
    """A metaclass with a method, so that classes are looked up on as instances too."""

    def hello(cls):
        return ("Meta", cls.__name__)


class SubMeta(Meta):
    def hello(cls):
        return ("SubMeta", cls.__name__)


def body(name):
    """One attribute of each kind of binding, telling where it was found and bound to what."""
    return {
        "method": lambda self: (name, self),
        "classmethod": classmethod(lambda cls: (name, cls)),
        "staticmethod": staticmethod(lambda: name),
        "property": property(lambda self: (name, self)),
        "data": name,
    }


def look(make, name):
    """What the attribute is, called if it can be, or the fact that it is missing."""
    try:
        found = getattr(make(), name)
    except AttributeError:
        return "missing"
    return found() if callable(found) and name != "__class__" else found


@settings(max_examples=300)
@given(graphs(classes=6), st.data())
def test_super_finds_and_binds_like_the_builtin(graph, data):
    made = build(graph)
    for name, cls in made.items():
        for key, value in body(name).items():
            if data.draw(st.booleans()):
                setattr(cls, key, value)
    for cls in made.values():
        obj = cls()
        for owner in cls.__mro__:
            for key in ("method", "staticmethod", "classmethod", "property", "data", "missing"):
                for target in (obj, cls):
                    if key in ("method", "property") and target is cls:
                        continue
                    ours = look(functools.partial(Super, owner, target), key)
                    assert ours == look(functools.partial(super, owner, target), key)


def test_super_on_classes_binds_plain_functions_not_at_all():
    class A:
        def f(self):
            return self

    class B(A):
        pass

    assert Super(B, B).f is A.f is super(B, B).f
    assert Super(B, B()).f.__func__ is A.f


def test_super_reaches_special_methods_and_init():
    class Base(dict):
        def __init__(self, **kwargs):
            Super(Base, self).__init__(kwargs)

        def __setitem__(self, key, value):
            Super(Base, self).__setitem__(key, value + 1)

    d = Base(a=1)
    d["b"] = 2
    assert d == {"a": 1, "b": 3}


def test_super_works_one_level_up_on_metaclasses():
    class C(metaclass=SubMeta): ...

    assert C.hello() == ("SubMeta", "C")
    assert Super(SubMeta, C).hello() == super(SubMeta, C).hello() == ("Meta", "C")


def test_super_reads_overridden_mros():
    class Reversed(type):
        def mro(cls):
            return [cls, *reversed(type.mro(cls)[1:-1]), object]

    class A:
        name = "A"

    class B:
        name = "B"

    class C(A, B, metaclass=Reversed): ...

    assert [c.__name__ for c in C.__mro__] == ["C", "B", "A", "object"]
    assert Super(C, C()).name == super(C, C()).name == C.name == "B"
    assert c3_linearize(C) == [C, A, B, object]


def test_super_refuses_like_the_builtin():
    class A: ...

    class B(A): ...

    for make in (super, Super):
        for owner, obj in [(B, A()), (B, A), (B, 1), (int, "1")]:
            with pytest.raises(TypeError):
                make(owner, obj)
        with pytest.raises(AttributeError, match="missing"):
            make(B, B()).missing  # noqa: B018
    with pytest.raises(TypeError, match="B not in the MRO of A"):
        Super(B, A())


def test_super_refuses_virtual_subclasses():
    """`register` makes isinstance say yes and leaves the MRO alone; super follows the MRO."""
    import abc

    class Virtual(abc.ABC):
        @abc.abstractmethod
        def f(self): ...

    Virtual.register(int)
    assert isinstance(3, Virtual)
    for make in (super, Super):
        with pytest.raises(TypeError):
            make(Virtual, 3)


# real classes and figures


def test_hierarchy_holds_every_ancestor_but_object():
    import urllib.error

    graph = hierarchy(urllib.error.HTTPError)
    assert list(graph) == list(urllib.error.HTTPError.__mro__[:-1])
    assert c3_linearize(urllib.error.HTTPError, graph) == list(graph)
    assert bfs_mro(urllib.error.HTTPError, graph) != list(graph)
    assert hierarchy(object) == {}


def test_benchmark_compares_equal_answers():
    from benchmarks.inheritance_and_mro import cases

    found = list(cases())
    assert len(found) == 2
    for name, ours, rival, target in found:
        assert ours() == rival(), name
        assert target > 0


def test_figures_draw_in_both_modes():
    from _ext import svg
    from snippets.python import inheritance_and_mro as module

    frames = {n: svg.draw(getattr(module, n)) for n in dir(module) if n.startswith("figure_")}
    assert {name: len(drawn) for name, drawn in frames.items()} == {
        "figure_agreement": 1,
        "figure_diamond": 1,
        "figure_hasse": 1,
        "figure_merge": 4,
    }
    page = HERE.parents[1].joinpath("python/inheritance-and-mro.md").read_text()
    said = re.findall(r"\d+\.\d%", page)  # only an alternative text says percentages
    assert len(said) == 3
    assert all(percent in frames["figure_agreement"][0].light for percent in said)
    assert [f.label[-3:] for f in frames["figure_merge"][:3]] == ["取 B", "取 C", "取 A"]


def test_hasse_diagram_demands_exactly_what_the_axioms_do():
    """Its lines allow the orders that keep every list; without any one of them, more."""
    from snippets.python.inheritance_and_mro import _demanded

    for graph, order in solved(4):
        if order:
            bases, lines = graph["D"], _demanded("D", graph)
            seqs = [bases, *(["D", *c3_linearize(base, graph)] for base in bases)]
            allowed = list(extensions(["D", *seqs]))
            assert list(extensions([*order, *lines])) == allowed
            for line in lines:
                assert list(extensions([*order, *(lines - {line})])) != allowed


def test_adjacent_pairs_of_an_mro_need_not_be_related():
    """What super() calls next may be a class that the caller has never heard of."""
    order = c3_linearize("D", DIAMOND)
    assert ("B", "C") in pairwise(order)
    assert "C" not in DIAMOND["B"]
