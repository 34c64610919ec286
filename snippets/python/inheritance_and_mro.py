"""Method resolution orders: C3 rebuilt from its axioms, the orders it replaced, and ``super``.

Every order is computed either for a real class or for a plain graph that maps a name to the names
of its bases, so that hierarchies which Python refuses to build can be studied too.  In a graph
``object`` is left out: it would always stand last.  Left out as well: how bases are found
(``__mro_entries__``) and whether their memory layouts fit together.

Symbols, as in Barrett et al. (1996) and Simionato (2003):

    C, B_i     a class and its i-th direct base
    L(C)       the linearization of C: C and all its ancestors, in order of precedence
    graph      {C: (B_1, ..., B_n)}; for one-letter names "AB" means ("A", "B")
    rule       a function such as ``c3_linearize`` that maps (class, graph) to L(class)
"""

from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from itertools import pairwise, permutations
from operator import attrgetter
from string import ascii_uppercase
from typing import Any

Graph = Mapping[Any, Iterable[Any]]
Rule = Callable[[Any, Graph | None], list[Any]]


def _name(node: Hashable) -> str:
    return node.__name__ if isinstance(node, type) else str(node)


def _bases(cls: Hashable, graph: Graph | None) -> Callable[[Any], Iterable[Any]]:
    """Check ``cls`` and ``graph`` and return the function from a class to its direct bases."""
    if graph is None:
        if not isinstance(cls, type):
            raise TypeError(f"expected a class (or a name and its graph), got {cls!r}")
        return attrgetter("__bases__")
    missing = sorted(_name(c) for c in {cls}.union(*graph.values()) - graph.keys())
    if missing:
        known = ", ".join(sorted(map(_name, graph)))
        raise ValueError(f"{', '.join(missing)}: not among the graph's classes {known}")
    TopologicalSorter(graph).prepare()  # raises CycleError, a ValueError that names the cycle
    return graph.__getitem__


def c3_merge(seqs: Iterable[Iterable[Any]]) -> list[Any]:
    """Merge the sequences into one that keeps the order of each, Eq. (inheritance-and-mro-merge).

    Raises TypeError if no such sequence exists.
    """
    rest = [stack for s in seqs if (stack := list(s)[::-1])]  # reversed: a head is popped in O(1)
    in_tails = Counter(c for stack in rest for c in stack[:-1])
    merged = []
    while rest:
        head = next((stack[-1] for stack in rest if not in_tails[stack[-1]]), None)
        if head is None:
            chains = "; ".join(" < ".join(map(_name, reversed(stack))) for stack in rest)
            raise TypeError(f"no linear order satisfies all of: {chains}")
        merged.append(head)
        for stack in rest:
            if stack[-1] == head:
                stack.pop()
                if stack:
                    in_tails[stack[-1]] -= 1
        rest = [stack for stack in rest if stack]
    return merged


def c3_linearize(
    cls: Hashable, graph: Graph | None = None, *, memo: dict[Any, list[Any]] | None = None
) -> list[Any]:
    """Linearize a class by C3, Eq. (inheritance-and-mro-c3).

    A ``memo`` of linearizations of the same graph is read and added to.
    Raises TypeError if the class has no linearization.
    """
    bases = _bases(cls, graph)
    memo = {} if memo is None else memo

    def linearize(c: Any) -> list[Any]:
        if c not in memo:
            parents = tuple(bases(c))
            memo[c] = [c, *c3_merge([*map(linearize, parents), parents])]
        return memo[c]

    return list(linearize(cls))


def _depth_first(cls: Any, bases: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
    """Yield the classes depth first, left to right, one with k paths to it k times."""
    yield cls
    for base in bases(cls):
        yield from _depth_first(base, bases)


def classic_mro(cls: Hashable, graph: Graph | None = None) -> list[Any]:
    """Order of Python 2's classic classes: depth first, the first occurrence counts."""
    return list(dict.fromkeys(_depth_first(cls, _bases(cls, graph))))


def mro_python22(cls: Hashable, graph: Graph | None = None) -> list[Any]:
    """Order documented for Python 2.2 (PEP 253): depth first, the last occurrence counts."""
    path = list(_depth_first(cls, _bases(cls, graph)))
    return list(dict.fromkeys(reversed(path)))[::-1]


def bfs_mro(cls: Hashable, graph: Graph | None = None) -> list[Any]:
    """Breadth-first order, level by level, the first occurrence counts; no Python ever used it."""
    bases = _bases(cls, graph)
    order = {cls: None}
    queue = deque([cls])
    while queue:
        new = [base for base in bases(queue.popleft()) if base not in order]
        order |= dict.fromkeys(new)
        queue.extend(new)
    return list(order)


def _keeps(order: list[Any], chain: Iterable[Any]) -> bool:
    """Whether ``order`` contains all of ``chain``, in the chain's order."""
    place = {c: i for i, c in enumerate(order)}
    return all(place[a] < place[b] for a, b in pairwise(chain))


def puts_children_first(rule: Rule, cls: Hashable, graph: Graph | None = None) -> bool:
    """Whether every class stands before its bases, Eq. (inheritance-and-mro-children)."""
    order, bases = rule(cls, graph), _bases(cls, graph)
    return all(_keeps(order, (c, base)) for c in order for base in bases(c))


def respects_local_precedence(rule: Rule, cls: Hashable, graph: Graph | None = None) -> bool:
    """Whether every class's bases stand in their written order, Eq. (inheritance-and-mro-local)."""
    order, bases = rule(cls, graph), _bases(cls, graph)
    return all(_keeps(order, bases(c)) for c in order)


def is_monotonic(rule: Rule, cls: Hashable, graph: Graph | None = None) -> bool:
    """Whether L(cls) keeps L(A) of every ancestor A, Eq. (inheritance-and-mro-monotonic)."""
    order = rule(cls, graph)
    return all(_keeps(order, rule(c, graph)) for c in order)


def hierarchy(*classes: type) -> dict[type, tuple[type, ...]]:
    """The graph of real classes and all their ancestors, without ``object``."""
    ancestors = dict.fromkeys(a for cls in classes for a in cls.__mro__ if a is not object)
    return {a: tuple(b for b in a.__bases__ if b is not object) for a in ancestors}


def all_hierarchies(n: int) -> Iterator[dict[str, tuple[str, ...]]]:
    """Yield every graph of n classes A, B, C, ... in which bases precede the class they serve.

    Raises ValueError unless n is an integer from 0 to 26.
    """
    if n not in range(len(ascii_uppercase) + 1):
        raise ValueError(f"expected a number of classes from 0 to 26, got {n!r}")

    def grow(k: int) -> Iterator[dict[str, tuple[str, ...]]]:
        if k == 0:
            yield {}
            return
        for graph in grow(k - 1):
            for width in range(k):
                for bases in permutations(graph, width):
                    yield graph | {ascii_uppercase[k - 1]: bases}

    return grow(n)


class Super:
    """The built-in ``super(owner, obj)``: what follows ``owner`` in the MRO of ``obj``.

    Raises TypeError if ``owner`` is not in that MRO.
    """

    def __init__(self, owner: type, obj: Any) -> None:
        """Start after ``owner`` in the MRO of the class ``obj`` or else of the class of ``obj``."""
        is_subclass = isinstance(obj, type) and owner in obj.__mro__
        start = obj if is_subclass else type(obj)
        if owner not in start.__mro__:
            raise TypeError(f"{owner.__name__} is not in the MRO of {start.__name__}")
        self._search = (owner, obj, start)

    def __getattribute__(self, name: str) -> Any:
        """Look ``name`` up as Eq. (inheritance-and-mro-super) says and bind it to the object."""
        owner, obj, start = object.__getattribute__(self, "_search")
        mro = start.__mro__
        for cls in mro[mro.index(owner) + 1 :]:
            if name in vars(cls):
                found = vars(cls)[name]
                bind = getattr(type(found), "__get__", None)
                return bind(found, None if obj is start else obj, start) if bind else found
        where = f"after {owner.__name__} in the MRO of {start.__name__}"
        raise AttributeError(f"no class {where} has {name!r}")
