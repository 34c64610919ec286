"""Method resolution orders: C3 from its axioms, the orders before it, and ``super``.

Every order is computed for a real class, or for a plain graph that maps a name to
the names of its bases, so that hierarchies which Python refuses can be studied too.
In a graph ``object`` is left out: it would always stand last.  Left out as well:
how bases are found (``__mro_entries__``) and whether their memory layouts agree.

Symbols, as in Barrett et al. (1996) and Simionato (2003):

    C, B_i     a class and its i-th direct base
    L(C)       the linearization of C: C and all its ancestors, in order of precedence
    graph      {C: (B_1, ..., B_n)}, where "AB" may stand for ("A", "B"); None when C
               is a real class, which knows its bases itself
    rule       a function from a class and a graph to L(C), such as ``c3_linearize``

Whatever takes a class and a graph raises ValueError if the graph lacks one of the
classes or has a cycle, and TypeError if ``graph`` is None and C is no class.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from graphlib import TopologicalSorter
from itertools import chain, pairwise, permutations
from operator import attrgetter
from string import ascii_uppercase
from typing import Any

Graph = Mapping[Any, Iterable[Any]] | None
Names = dict[str, tuple[str, ...]]  # a graph of names
Bases = Callable[[Any], Iterable[Any]]
Order = list[Any]
Rule = Callable[[Any, Graph], Order]

_END = object()  # what no sequence contains


def _name(node: Any) -> str:
    return node.__name__ if isinstance(node, type) else str(node)


def _bases(cls: Any, graph: Graph) -> Bases:
    """Return the function from a class to its bases; refuse a wrong graph."""
    if graph is None:
        if not isinstance(cls, type):
            raise TypeError(f"expected a class, or a graph too; got {cls!r}")
        return attrgetter("__bases__")
    if missing := {cls}.union(*graph.values()) - graph.keys():
        unknown, known = (sorted(map(_name, some)) for some in (missing, graph))
        raise ValueError(f"{unknown} not among the graph's classes {known}")
    TopologicalSorter(graph).prepare()  # or a ValueError that names the cycle
    return graph.__getitem__


def c3_merge(seqs: Iterable[Iterable[Any]]) -> Order:
    """Merge sequences, keeping their orders: Eq. (inheritance-and-mro-merge).

    Raises TypeError if that is impossible.
    """
    lists = [seq for s in seqs if (seq := list(s))]
    heads = [seq[0] for seq in lists]
    tails = [iter(seq[1:]) for seq in lists]
    in_tails = Counter(c for seq in lists for c in seq[1:])
    merged = []
    while heads:
        for head in heads:
            if not in_tails[head]:  # nothing left has to come before it
                break
        else:
            left = [[h, *tail] for h, tail in zip(heads, tails, strict=True)]
            demands = [" < ".join(map(_name, seq)) for seq in left if seq[1:]]
            message = "no linear order satisfies all of: "
            raise TypeError(message + "; ".join(demands))
        merged.append(head)
        while head in heads:
            i = heads.index(head)
            if (successor := next(tails[i], _END)) is _END:
                del heads[i], tails[i]
            else:
                heads[i] = successor
                in_tails[successor] -= 1
    return merged


def c3_linearize(
    cls: Any,
    graph: Graph = None,
    *,
    memo: dict[Any, Order] | None = None,
) -> Order:
    """Linearize a class by C3, Eq. (inheritance-and-mro-c3).

    A ``memo`` of linearizations of the same graph is read and added to.
    Raises TypeError if the class has no linearization.
    """
    memo = {} if memo is None else memo
    return list(_linearize(cls, _bases(cls, graph), memo))


def _linearize(cls: Any, bases: Bases, memo: dict[Any, Order]) -> Order:
    """Linearize a class after its bases, unless the memo holds the answer."""
    if cls not in memo:
        parents = tuple(bases(cls))
        orders = [_linearize(base, bases, memo) for base in parents]
        memo[cls] = [cls, *c3_merge([*orders, parents])]
    return memo[cls]


def _depth_first(cls: Any, bases: Bases) -> Iterator[Any]:
    """Yield classes depth first from the left, once per path to them."""
    yield cls
    for base in bases(cls):
        yield from _depth_first(base, bases)


def classic_mro(cls: Any, graph: Graph = None) -> Order:
    """Order of Python 2's classic classes: depth first, first visits count."""
    return list(dict.fromkeys(_depth_first(cls, _bases(cls, graph))))


def mro_python22(cls: Any, graph: Graph = None) -> Order:
    """Order that PEP 253 describes: depth first, last visits count."""
    path = list(_depth_first(cls, _bases(cls, graph)))
    return list(dict.fromkeys(reversed(path)))[::-1]


def bfs_mro(cls: Any, graph: Graph = None) -> Order:
    """Breadth-first order, level by level; no Python ever used it."""
    bases = _bases(cls, graph)
    order = {cls: None}
    queue = deque([cls])
    while queue:
        new = [base for base in bases(queue.popleft()) if base not in order]
        order |= dict.fromkeys(new)
        queue.extend(new)
    return list(order)


def _keeps(order: Order, seq: Iterable[Any]) -> bool:
    """Whether ``order`` contains all of ``seq``, in the seq's order."""
    place = {c: i for i, c in enumerate(order)}
    return all(place[a] < place[b] for a, b in pairwise(seq))


def puts_children_first(rule: Rule, cls: Any, graph: Graph = None) -> bool:
    """Whether children precede bases, Eq. (inheritance-and-mro-children)."""
    order, bases = rule(cls, graph), _bases(cls, graph)
    return all(_keeps(order, (c, base)) for c in order for base in bases(c))


def respects_local_precedence(
    rule: Rule,
    cls: Any,
    graph: Graph = None,
) -> bool:
    """Whether bases keep their order, Eq. (inheritance-and-mro-local)."""
    order, bases = rule(cls, graph), _bases(cls, graph)
    return all(_keeps(order, bases(c)) for c in order)


def is_monotonic(rule: Rule, cls: Any, graph: Graph = None) -> bool:
    """Whether ancestors' orders stay, Eq. (inheritance-and-mro-monotonic)."""
    order = rule(cls, graph)
    return all(_keeps(order, rule(c, graph)) for c in order)


def hierarchy(cls: type) -> dict[type, tuple[type, ...]]:
    """The graph of a real class and all its ancestors, without ``object``."""
    graph = {c: c.__bases__ for c in cls.__mro__ if c is not object}
    return {c: tuple(b for b in graph[c] if b is not object) for c in graph}


def _extended(graph: Names) -> Iterator[Names]:
    """Yield the graph with one more class, its bases chosen in every way."""
    name = ascii_uppercase[len(graph)]
    for k in range(len(graph) + 1):
        for bases in permutations(graph, k):
            yield graph | {name: bases}


def all_hierarchies(n: int) -> Iterator[Names]:
    """Yield every graph of n classes A, B, C, ... whose bases come earlier.

    Raises ValueError unless n is an integer from 0 to 26.
    """
    if n not in range(len(ascii_uppercase) + 1):
        raise ValueError(f"expected from 0 to 26 classes, got {n!r}")
    graphs: Iterator[Names] = iter([{}])
    for _ in range(n):
        graphs = chain.from_iterable(map(_extended, graphs))
    return graphs


def legal_orders(n: int) -> Iterator[tuple[Names, Order | None]]:
    """Yield graphs whose first n-1 classes are legal, with the last one's order.

    The order is None where none exists.  Raises ValueError unless 1 <= n <= 26.
    """
    if n not in range(1, len(ascii_uppercase) + 1):
        raise ValueError(f"expected from 1 to 26 classes, got {n!r}")
    legal: list[Names] = [{}]
    if n > 1:
        legal = [graph for graph, order in legal_orders(n - 1) if order]
    for graph in chain.from_iterable(map(_extended, legal)):
        try:
            order = c3_linearize(ascii_uppercase[n - 1], graph)
        except TypeError:
            order = None
        yield graph, order


class Super:
    """The built-in ``super(owner, obj)``: what follows ``owner`` in an MRO.

    Raises TypeError if ``owner`` is not in the MRO of ``obj`` or of its class.
    """

    def __init__(self, owner: type, obj: Any) -> None:
        """Start in the MRO of ``obj`` if it is a subclass, else of its class."""
        is_subclass = isinstance(obj, type) and owner in obj.__mro__
        start = obj if is_subclass else type(obj)
        if owner not in start.__mro__:
            message = f"{owner.__name__} not in the MRO of {start.__name__}"
            raise TypeError(message)
        self._search = (owner, obj, start)

    def __getattribute__(self, name: str) -> Any:
        """Find ``name`` and bind it, Eq. (inheritance-and-mro-super).

        Raises AttributeError if no class after ``owner`` has it.
        """
        owner, obj, start = object.__getattribute__(self, "_search")
        mro = start.__mro__
        for cls in mro[mro.index(owner) + 1 :]:
            if name in vars(cls):
                found = vars(cls)[name]
                if bind := getattr(type(found), "__get__", None):
                    return bind(found, None if obj is start else obj, start)
                return found
        where = f"after {owner.__name__} in the MRO of {start.__name__}"
        raise AttributeError(f"no class {where} has {name!r}")


_DIAMOND = {"A": "", "B": "A", "C": "A", "D": "BC"}
_TREE = {"A": "", "B": "A", "C": "", "D": "BC"}


def figure_diamond():
    """Walk the diamond (top) and the four-class tree (bottom) by three rules, visits numbered."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    rules = {"深度优先": classic_mro, "广度优先": bfs_mro, "C3（Python）": c3_linearize}
    fig = Figure(figsize=(6.0, 5.0))
    axes = fig.subplots(2, 3)
    for row, graph, left in zip(axes, (_DIAMOND, _TREE), (0.5, 0.0), strict=True):
        place = {"A": (left, 2.0), "B": (0.0, 1.0), "C": (1.0, 1.0), "D": (0.5, 0.0)}
        for ax, (title, rule) in zip(row, rules.items(), strict=True):
            order = rule("D", graph)
            color = plot.CYCLE[0 if order == c3_linearize("D", graph) else 1]
            for a, b in ((place[c], place[base]) for c in graph for base in graph[c]):
                ax.plot(*zip(a, b, strict=True), color=plot.GRID, linewidth=5, zorder=1)
            for a, b in pairwise(order):
                style = {
                    "arrowstyle": "-|>",
                    "color": color,
                    "lw": 1.6,
                    "shrinkA": 13,
                    "shrinkB": 13,
                }
                style["connectionstyle"] = "arc3,rad=0.2"
                ax.annotate("", place[b], place[a], arrowprops=style)
            for step, name in enumerate(order, 1):
                x, y = place[name]
                ax.scatter(
                    x, y, s=440, color=plot.PAPER, edgecolors=color, linewidths=1.4, zorder=3
                )
                ax.text(x, y, name, ha="center", va="center", fontsize=13, zorder=4)
                aside = x + (0.3 if x > 0.4 else -0.3)
                ax.text(aside, y, str(step), color=color, ha="center", va="center", weight="bold")
            ax.set(xlim=(-0.5, 1.5), ylim=(-0.4, 2.35))
            ax.set_title(f"{title}\n{' '.join(order)}", color=color)
            ax.set_axis_off()
    return fig


def figure_merge():
    """Merge the diamond's lists step by step: heads framed, the one taken green, one barred red."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    lists = {f"L({c})": c3_linearize(c, _DIAMOND) for c in "BC"} | {"直接基类": ["B", "C"]}
    order = c3_merge(lists.values())
    frames = []
    for step, taken in enumerate([*order, None]):
        done = order[:step]
        left = [[c for c in row if c not in done] for row in lists.values()]
        heads = [row[0] for row in left if row]
        barred = {h for h in heads[: heads.index(taken)] if h != taken} if taken else set()
        said = f"{'、'.join(barred)} 还在别的列表的尾巴里，跳过；" if barred else ""
        label = f"{said}取 {taken}" if taken else "列表都空了，合并完成"
        fig = Figure(figsize=(4.4, 2.7), label=label)
        ax = fig.subplots()
        for y, (name, row) in enumerate([*lists.items(), ("L(D)", ["D", *done])]):
            ax.text(-0.6, -y, name, ha="right", va="center")
            for x, c in enumerate(row):
                gone, head = y < len(left) and c in done, y < len(left) and left[y][:1] == [c]
                fill = plot.CYCLE[2] if c == taken else plot.CYCLE[1] if c in barred else "none"
                ax.scatter(x, -y, s=700, marker="s", color=fill, alpha=0.25, linewidths=0)
                edge = plot.INK if head else plot.GRID
                ax.scatter(x, -y, s=700, marker="s", facecolors="none", edgecolors=edge)
                color = plot.GRID if gone else plot.INK
                ax.text(x, -y, c, ha="center", va="center", fontsize=14, color=color)
        ax.set(xlim=(-2.0, 3.6), ylim=(-3.6, 0.6))
        ax.set_axis_off()
        frames.append(fig)
    return frames


def figure_agreement():
    """Shade, for every older rule and n classes, the share of legal hierarchies it gets right."""
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

    from snippets.common import plot

    rules = {"深度优先\n留首次": classic_mro, "深度优先\n留末次": mro_python22, "广度优先": bfs_mro}
    fig = Figure(figsize=(4.6, 2.9))
    ax = fig.subplots()
    middle = {"ha": "center", "va": "center"}
    for x, n in enumerate(sizes := range(2, 6)):
        cases = [(graph, order) for graph, order in legal_orders(n) if order]
        for y, rule in enumerate(rules.values()):
            right = sum(rule(order[0], graph) == order for graph, order in cases)
            share = right / len(cases)
            fill = {"color": plot.CYCLE[1], "alpha": 2.2 * (1 - share), "lw": 0}
            ax.add_patch(Rectangle((x, y), 0.97, 0.95, **fill))
            ax.text(x + 0.48, y + 0.3, f"{share:.1%}", fontsize=12, **middle)
            ax.text(x + 0.48, y + 0.7, f"{right}/{len(cases)}", fontsize=10.5, **middle)
        ax.text(x + 0.48, len(rules) + 0.2, f"{n} 个类", color=plot.MUTED, **middle)
    for y, name in enumerate(rules):
        ax.text(-0.1, y + 0.47, name, color=plot.MUTED, ha="right", va="center")
    ax.set(xlim=(-0.85, len(sizes)), ylim=(len(rules) + 0.4, 0))
    ax.set_axis_off()
    return fig


def _demanded(cls: Any, graph: Mapping[Any, Iterable[Any]]) -> set[tuple[Any, Any]]:
    """What the axioms demand of L(cls), as pairs (before, after) that no other pairs imply."""
    bases = tuple(graph[cls])
    chains = [bases, *((cls, *c3_linearize(base, graph)) for base in bases)]
    after: dict[Any, set[Any]] = {}
    for c in reversed(c3_linearize(cls, graph)):
        direct = {b for chain in chains for a, b in pairwise(chain) if a == c}
        after[c] = direct.union(*(after[b] for b in direct))
    return {(a, b) for a in after for b in after[a] if not any(b in after[c] for c in after[a])}


def figure_hasse():
    """Draw what the axioms demand of two classes, without what follows; numbers are C3's choice."""
    from urllib.error import HTTPError

    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(4.2, 5.4))
    axes = fig.subplots(2, 1, height_ratios=(3, 6))
    for ax, cls, graph in zip(axes, ("D", HTTPError), (_TREE, hierarchy(HTTPError)), strict=True):
        order, steps = c3_linearize(cls, graph), _demanded(cls, graph)
        first_branch = c3_linearize(graph[cls][0], graph)
        column = {c: float(c != cls and c not in first_branch) for c in order}
        level = {}
        for c in order:
            level[c] = 1 + max((level[a] for a, b in steps if b == c), default=-1)
        for a, b in sorted(steps, key=lambda step: [order.index(c) for c in step]):
            line = "-" if b in graph[a] else "--"
            ends = (column[a], column[b]), (level[a], level[b])
            ax.plot(*ends, line, color=plot.MUTED, linewidth=1.4, zorder=1)
        for place, c in enumerate(order, 1):
            box = {
                "boxstyle": "round,pad=0.35",
                "facecolor": plot.PAPER,
                "edgecolor": plot.CYCLE[0],
            }
            label = f"{place}  {_name(c)}"
            ax.text(column[c], level[c], label, ha="center", va="center", fontsize=11, bbox=box)
        ax.set(xlim=(-0.5, 1.6), ylim=(-0.5, max(level.values()) + 0.5))
        ax.set_axis_off()
    return fig
