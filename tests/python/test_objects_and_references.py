"""The claims of the page on objects, references, copies and lifetimes."""

import array
import copy
import gc
import io
import itertools
import pickle
import random
import re
import sys
import weakref
from collections import Counter, OrderedDict, namedtuple
from collections.abc import Hashable
from enum import Enum

import objgraph
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from snippets.python.objects_and_references import (
    RefcountProbe,
    WeakCache,
    call_by_sharing_demo,
    deep_copy,
    draw,
    find_cycles,
    is_isomorphic,
    object_graph,
    same_object,
    shallow_copy,
)


class Node:
    """An instance with a `__dict__`."""


class Slotted:
    __slots__ = ("left", "right")


class Both(Slotted):
    """An instance with slots and a `__dict__`."""


PLAIN = (list, dict, tuple)
KINDS = (*PLAIN, Node, Slotted, Both)
WITH_SETS = (*KINDS, set)
OPEN = (list, dict, tuple, set, frozenset, Node, Slotted)


def graph(rng, kinds=KINDS, size=8):
    """A random graph of up to `size` objects, made empty first and then filled: cycles and all."""
    nodes = []
    for _ in range(rng.randint(1, size)):
        kind = rng.choice(kinds)
        ready = [*nodes, 0, 1, 2]
        nodes.append(tuple(rng.choices(ready, k=rng.randint(1, 3))) if kind is tuple else kind())
    targets = [*nodes, None, True, 0, 1, 2]
    keys = [x for x in targets if isinstance(x, (Node, Slotted, int, type(None)))]
    for x in nodes:
        if isinstance(x, list):
            x += rng.choices(targets, k=rng.randint(0, 3))
        elif isinstance(x, dict):
            x |= {rng.choice(keys): rng.choice(targets) for _ in range(rng.randint(0, 3))}
        elif isinstance(x, set):
            x |= set(rng.choices(keys, k=rng.randint(0, 3)))
        elif not isinstance(x, tuple):
            for name in rng.sample(("left", "right"), rng.randint(0, 2)):
                setattr(x, name, rng.choice(targets))
    return nodes


def reachable(*roots):
    """Everything but atoms that a depth-first walk by `gc` meets, by identity."""
    found, todo = {}, list(roots)
    while todo:
        x = todo.pop()
        if id(x) not in found and isinstance(x, OPEN):
            found[id(x)] = x
            todo += gc.get_referents(x)
    return found


def mutable(*roots):
    return {i for i, x in reachable(*roots).items() if not isinstance(x, (tuple, frozenset))}


# the graph


def test_graph_is_read_off_the_objects():
    a = [1, "x", None]
    b = {"k": a, (1, 2): Node}
    node = Node()
    node.me, node.b = node, b
    assert object_graph(a, node, 7, names=["a", "n", "seven"]) == {
        "names": {"a": "list#1", "n": "Node#1", "seven": "7"},
        "list#1": {"[0]": "1", "[1]": "'x'", "[2]": "None"},
        "Node#1": {".b": "dict#1", ".me": "Node#1"},
        "dict#1": {"['k']": "list#1", "key 1": "tuple#1", "value 1": "Node"},
        "tuple#1": {"[0]": "1", "[1]": "2"},
    }
    assert object_graph({2, 1}, names="s")["set#1"] == {"{0}": "1", "{1}": "2"}
    assert object_graph(len, test_graph_is_read_off_the_objects, sys, names="abc")["names"] == {
        "a": "len",
        "b": "test_graph_is_read_off_the_objects",
        "c": "sys",
    }


def test_attributes_need_not_be_named_by_text():
    odd = type("Odd", (), {})()
    odd.__dict__ |= {1: "one", "b": "two"}
    assert object_graph(odd, names=["odd"])["Odd#1"] == {".1": "'one'", ".b": "'two'"}


@pytest.mark.parametrize("kinds", [PLAIN, (*PLAIN, set, Slotted)])
def test_graph_has_the_nodes_and_edges_that_objgraph_and_gc_find(kinds):
    """Compared up to numbering: how often each pair of nodes is joined, by the pair's types."""
    total = 0
    for seed in range(25):
        root = graph(random.Random(seed), kinds, 9)
        drawn = object_graph(root, names=["root"])
        out = io.StringIO()
        objgraph.show_refs(
            [root],
            output=out,
            max_depth=99,
            too_many=999,
            filter=lambda x: isinstance(x, OPEN),
        )
        named = re.findall(r'(o\d+)\[label="(\w+)', out.getvalue())
        kind_of = dict(named)
        joined = Counter(re.findall(r"(o\d+) -> (o\d+)\b", out.getvalue()))
        theirs = sorted((kind_of[a], kind_of[b], n) for (a, b), n in joined.items())
        ours = Counter((a, b) for a in drawn for b in drawn[a].values() if b in drawn)
        ours = [(a.split("#")[0], b.split("#")[0], n) for (a, b), n in ours.items() if a != "names"]
        assert sorted(ours) == theirs
        found = reachable(root)
        by_gc = Counter()
        for x in found.values():
            by_gc.update((id(x), id(y)) for y in gc.get_referents(x) if id(y) in found)
        kind = {i: type(x).__name__ for i, x in found.items()}
        assert sorted(ours) == sorted((kind[a], kind[b], n) for (a, b), n in by_gc.items())
        assert len(drawn) - 1 == len(found) == len(kind_of)
        total += len(found)
    assert total > 60


def test_graph_refuses_other_numbers_of_names():
    with pytest.raises(ValueError, match=r"expected 2 different names, got \['a'\]"):
        object_graph([], [], names="a")
    with pytest.raises(ValueError, match=r"expected 2 different names, got \['a', 'a'\]"):
        object_graph([], [], names="aa")


def test_graph_shows_no_address():
    for seed in range(200):
        root = graph(random.Random(seed), WITH_SETS)
        assert "0x" not in str(object_graph(root, names="r"))


# sharing


def test_same_object_is_what_is_asks():
    pairs = itertools.product([[], [], (), 0, 0.0, None, "a", Node(), Node()], repeat=2)
    assert all(same_object(a, b) == (a is b) for a, b in pairs)


def test_call_by_sharing():
    mine = ["old"]
    before = mine
    assert call_by_sharing_demo(mine) == ["rebound"]
    assert mine is before
    assert mine == ["old", "changed"]
    with pytest.raises(TypeError, match=r"expected a list, got \('old',\)"):
        call_by_sharing_demo(("old",))


STATEMENTS = ["p = q", "q = p", "p, q = q, p", "p += [0]", "p = p + q", "p.append(q)", "p[:] = q"]
STATEMENTS += ["p, q[:] = q, p", "del p[:]", "p.extend(q); del p"]


def test_no_function_body_rebinds_its_callers_names():
    """Every body of up to three statements, run or stopped by its own error."""
    bodies = [b for k in (1, 2, 3) for b in itertools.product(STATEMENTS, repeat=k)]
    assert len(bodies) == 10 + 100 + 1000
    changed = 0
    for body in bodies:
        scope = {}
        exec("def swap(p, q):\n  " + "\n  ".join(body), scope)  # noqa: S102 - made above
        a, b = first, second = [1], [2]
        try:
            scope["swap"](a, b)
        except NameError:
            assert "del p" in "\n".join(body)
        assert a is first
        assert b is second
        changed += a != [1] or b != [2]
    assert 0 < changed < len(bodies)


# isomorphism


def twins(rng):
    """Two graphs of ordered containers: alike, or differing a little; equal more often than not."""
    seed = rng.random()
    a, b = (graph(random.Random(seed)) for _ in range(2))
    for _ in range(rng.randint(0, 2)):
        x = rng.choice(b)
        if isinstance(x, list):
            x.insert(0, rng.choice([*b, 1]))
        elif isinstance(x, (Node, Slotted)):
            x.left = rng.choice([*b, 1])
    return a, b


def test_isomorphism_is_equality_of_pickles():
    """A pickle numbers the objects in a fixed order: a canonical form of the graph.

    Its memo holds all but numbers, and of strings here only the attributes' interned names.
    """
    verdicts = Counter()
    rng = random.Random(0)
    while sum(verdicts.values()) < 2000:
        a, b = twins(rng)
        for x in (*reachable(a, b).values(),):  # attributes and keys in one order in both
            if isinstance(x, Node) and vars(x):
                names = sorted(vars(x).items())
                vars(x).clear()
                vars(x).update(names)
        verdict = is_isomorphic(a, b)
        assert verdict == (_canonical(a) == _canonical(b))
        verdicts[verdict] += 1
    assert min(verdicts.values()) > 200


def _canonical(x):
    return pickle.dumps(x, protocol=4)


@pytest.mark.parametrize(
    ("a", "b", "answer"),
    [
        ([1, 2], [1, 2], True),
        ([1], [True], False),
        ([1], (1,), False),
        ([float("nan")], [float("nan")], False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({1, 2, 3}, {3, 2, 1}, True),
        ({1, 2}, {1, 2, 3}, False),
        ({(1, 2), (3, 4)}, {(3, 4), (1, 2)}, True),
        ({(1, 2), (3, 4)}, {(3, 4), (1, 5)}, False),
        ({(1,): 2}, {(1,): 2}, True),
        ({1: 2}, {True: 2}, False),
        ({float("nan"): 2}, {float("nan"): 2}, False),
        ({(1,): 2}, {(1,): 3}, False),
        (Node, Slotted, False),
        (Node, Node, True),
        (len, max, False),
    ],
)
def test_isomorphism_of_small_things(a, b, answer):
    assert is_isomorphic(a, b) == answer
    assert is_isomorphic(a, a)


def test_isomorphism_sees_sharing_and_cycles_that_equality_does_not():
    inner = [1]
    shared, separate = [inner, inner], [[1], [1]]
    assert shared == separate
    assert not is_isomorphic(shared, separate)
    assert not is_isomorphic(separate, shared)
    loop, longer = [], [[]]
    loop.append(loop)
    longer[0].append(longer)
    assert not is_isomorphic(loop, longer)
    with pytest.raises(RecursionError):
        assert loop == longer


def test_isomorphism_needs_no_recursion():
    deep, other = [], []
    for _ in range(20_000):
        deep, other = [deep], [other]
    assert is_isomorphic(deep, other)
    assert not is_isomorphic(deep, [other])
    for chain in (deep, other):  # or their end would recurse
        while chain:
            chain = chain.pop()


# copies


def test_deep_copies_of_500_random_cyclic_graphs_are_isomorphic_like_deepcopys():
    cyclic = 0
    for seed in range(500):
        original = graph(random.Random(seed))
        ours, theirs = deep_copy(original), copy.deepcopy(original)
        assert is_isomorphic(original, ours)
        assert is_isomorphic(ours, original)
        assert is_isomorphic(original, theirs)
        assert is_isomorphic(ours, theirs)
        assert not mutable(original) & mutable(ours)
        cyclic += bool(find_cycles(original))
    assert cyclic > 200


def test_a_class_is_its_own_copy_whatever_makes_it():
    for cls in (Node, Colour, Hashable):  # made by type, EnumType and ABCMeta
        assert deep_copy([cls]) == copy.deepcopy([cls]) == [cls]


def test_only_copy_deepcopy_breaks_cycles_through_sets():
    """It rebuilds a set from its finished elements, so that an element never sees the new set."""
    broken = 0
    for seed in range(1000):
        original = graph(random.Random(seed), WITH_SETS)
        ours, theirs = deep_copy(original), copy.deepcopy(original)
        assert is_isomorphic(original, ours)
        assert not mutable(original) & mutable(ours)
        if not is_isomorphic(original, theirs):
            assert any(isinstance(x, set) for group in find_cycles(original) for x in group)
            assert len(mutable(theirs)) > len(mutable(original)) == len(mutable(ours))
            broken += 1
    assert 0 < broken < 50


def test_wrong_copies_are_told_from_right_ones():
    """A copy with one more edge, or one edge to the original, fails one of the two conditions."""
    for seed in range(200):
        original = graph(random.Random(seed))
        ours, theirs = deep_copy(original), copy.deepcopy(original)
        for wrong in (ours, theirs):
            wrong.append(wrong)
            assert not is_isomorphic(original, wrong)
            wrong[-1:] = []
            assert is_isomorphic(original, wrong)
            wrong[0] = original[0]
        shared = [bool(mutable(original) & mutable(wrong)) for wrong in (ours, theirs)]
        assert shared[0] == shared[1]


def test_tuples_that_need_no_copy_are_kept():
    rng = random.Random(1)
    for _ in range(300):
        original = graph(rng)
        ours, theirs = deep_copy(original), copy.deepcopy(original)
        for x, y, z in zip(original, ours, theirs, strict=True):
            if isinstance(x, tuple):
                assert (x is y) == (x is z)
    still = (1, ("a", frozenset({2})), None)
    assert deep_copy(still) is still
    inner = (frozenset({Node()}), 1)
    assert deep_copy(inner) is not inner


def test_recursive_tuples_and_frozensets():
    looped = ([],)
    looped[0].append(looped)
    new = deep_copy(looped)
    assert new is not looped
    assert new[0][0] is new
    node = Node()
    node.home = frozenset({node})
    twin = deep_copy(node)
    assert twin.home == frozenset({twin})
    assert twin is not node
    assert is_isomorphic(node, twin)


def test_memo_shares_between_calls_and_keeps_the_originals_alive():
    shared, memo = [1], {}
    first = deep_copy([shared], memo)
    assert deep_copy({"k": shared}, memo)["k"] is first[0]
    assert memo[id(shared)] == (shared, first[0])
    node = Node()
    alive = weakref.ref(node)
    deep_copy(node, memo)
    del node
    assert alive() is not None
    with pytest.raises(TypeError, match=r"memo must be a dict, got \[1\]"):
        deep_copy([], [1])


def test_shallow_copy_is_copy_copy():
    for seed in range(200):
        for x in graph(random.Random(seed), WITH_SETS):
            ours, theirs = shallow_copy(x), copy.copy(x)
            assert (ours is x) == (theirs is x)
            assert is_isomorphic(ours, theirs)
            if type(x) in (list, tuple):
                assert all(a is b for a, b in zip(x, ours, strict=True))
    assert shallow_copy(3) == 3
    assert shallow_copy(Node) is Node
    both = Both()
    both.left, both.extra = [1], [2]
    twin = shallow_copy(both)
    assert twin.left is both.left
    assert twin.extra is both.extra


class Hooked:
    def __deepcopy__(self, memo):
        return self


class Colour(Enum):
    RED = 1


class Stack(list):
    pass


OWN = [array.array("i"), OrderedDict(), namedtuple("Point", "x")(1), KeyError("k"), torch.zeros(1)]
OWN += [Hooked(), Colour.RED, bytearray()]
HIDDEN = [(i for i in ()), Stack()]


@pytest.mark.parametrize(
    "open_it",
    [shallow_copy, deep_copy, lambda x: is_isomorphic(x, x), lambda x: object_graph(x, names="x")],
)
@pytest.mark.parametrize("x", OWN + HIDDEN, ids=lambda x: type(x).__name__)
def test_what_cannot_be_opened_is_named(x, open_it):
    why = "has its own __\\w+__" if any(x is y for y in OWN) else "holds more than attributes"
    with pytest.raises(TypeError, match=f"^{type(x).__name__} {why}: not opened$"):
        open_it(x)


# counting


def test_probe_counts_differences():
    thing = Node()
    with RefcountProbe(thing) as probe:
        held = [thing, thing]
        assert probe.change == 2
        held.pop()
        assert probe.change == 1
        held.clear()
        assert probe.change == 0
        also = thing
        assert probe.change == 1
    assert probe.change == 1
    del also
    assert probe.change == 1


def test_probe_lets_go():
    thing = Node()
    alive = weakref.ref(thing)
    with RefcountProbe(thing) as probe:
        pass
    del thing
    assert alive() is None
    assert probe.change == 0


def test_probe_says_that_it_was_not_entered():
    with pytest.raises(RuntimeError, match="not entered"):
        assert RefcountProbe([]).change


@pytest.mark.parametrize("immortal", [None, True, 0, "", ()])
def test_immortal_objects_are_not_counted_from_312_on(immortal):
    with RefcountProbe(immortal) as probe:
        held = [immortal] * 1000
        change = probe.change
    assert len(held) == 1000
    if sys.version_info >= (3, 12):
        assert change == 0
    else:
        assert abs(change - 1000) < 10  # None and True come and go elsewhere too


# weak references


@settings(max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(["make", "drop", "clear"]), st.integers(0, 4))))
def test_cache_forgets_like_a_weak_value_dictionary(program):
    made, held = [], {}

    def make(key):
        made.append(key)
        return Node()

    cache, rival = WeakCache(make), weakref.WeakValueDictionary()
    for step, key in program:
        if step == "make":
            known, before = key in rival, len(made)
            held.setdefault(key, []).append(cache(key))
            assert (len(made) == before) == known
            assert rival.setdefault(key, held[key][-1]) is held[key][-1]
        elif held.get(key):
            held[key].pop() if step == "drop" else held.pop(key)
        assert len(cache) == len(rival) == sum(map(bool, held.values()))


def test_cache_itself_needs_no_collector():
    cache = WeakCache(lambda key: Node())
    kept = cache("k")
    gone = weakref.ref(cache)
    gc.disable()
    try:
        del cache
        assert gone() is None
    finally:
        gc.enable()
    del kept


def test_cache_after_a_collected_cycle():
    cache = WeakCache(lambda key: Node())
    node = cache("k")
    node.me = node
    assert cache("k") is node
    del node
    gc.collect()
    assert len(cache) == 0


def test_cache_keeps_what_was_made_while_the_old_one_was_dying():
    """The youngest weak reference's callback comes first, so the cache's own comes too late."""
    cache, remade = WeakCache(lambda key: Node()), []
    node = cache("k")
    node.me = node
    first = weakref.ref(node, lambda dead: remade.append(cache("k")))
    del node
    gc.collect()
    assert first() is None
    assert len(remade) == 1
    assert cache("k") is remade[0]


def test_cache_refuses():
    with pytest.raises(TypeError, match="expected a function of a key, got 3"):
        WeakCache(3)
    with pytest.raises(TypeError, match=r"cannot create weak reference to 'int' object"):
        WeakCache(lambda key: 3)("k")
    with pytest.raises(TypeError, match="unhashable"):
        WeakCache(Node)([])


# cycles


def test_cycles_are_the_objects_that_reach_each_other():
    """Against the definition: x and y reach each other, by transitive closure."""
    for seed in range(300):
        root = graph(random.Random(seed), WITH_SETS)
        ours = {frozenset(map(id, group)) for group in find_cycles(root)}
        below = {i: set(reachable(*gc.get_referents(x))) for i, x in reachable(root).items()}
        closed = {frozenset(j for j in below[i] if i in below[j]) for i in below if i in below[i]}
        assert ours == closed


def test_garbage_is_found_and_left_for_the_collector():
    gc.collect()
    assert find_cycles() == []
    node = Node()
    node.me = [node]
    gc.disable()
    try:
        del node
        for _ in range(2):
            groups = find_cycles()
            assert len(groups) == 1
            assert {type(x) for x in groups[0]} >= {Node, list}
            del groups
        assert gc.collect() >= 2
        assert find_cycles() == []
    finally:
        gc.enable()
    assert gc.garbage == []
    assert gc.get_debug() == 0


def test_a_chain_without_cycles_has_none():
    chain = []
    for _ in range(5000):
        chain = [chain, 1]
    assert find_cycles(chain) == []
    last = chain
    while last:
        last = last[0]
    last.append(chain)
    assert [len(group) for group in find_cycles(chain)] == [5001]
    last.clear()


# benchmark and figures


def test_benchmark_compares_equal_answers():
    from benchmarks.objects_and_references import cases

    found = list(cases())
    assert len(found) == 3
    for name, ours, rival, target in found:
        mine, yours = ours(), rival()
        assert is_isomorphic(mine, yours), name
        assert target > 0


def test_figures_draw_in_both_modes():
    from _ext import svg
    from snippets.python import objects_and_references as module

    frames = {n: svg.draw(getattr(module, n)) for n in dir(module) if n.startswith("figure_")}
    assert {name: len(drawn) for name, drawn in frames.items()} == {
        "figure_binding": 6,
        "figure_call": 5,
        "figure_copies": 3,
        "figure_cycle": 1,
        "figure_rows": 2,
    }
    lists = [drawn.light.count(">list#") for drawn in frames["figure_copies"]]
    assert lists == [2, 3, 4]
    assert [f.light.count(">list#") for f in frames["figure_rows"]] == [2, 4]


def test_drawing_has_a_box_for_every_object():
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    picture = object_graph([[], ()], names="a")
    draw(picture, ax)
    texts = {text.get_text() for text in ax.texts}
    assert {"名字", "list#1", "list#2", "tuple#1", "a", "[0]", "[1]"} <= texts
