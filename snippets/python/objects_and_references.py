"""Objects as nodes and references as edges: sharing, copying, lifetime.

The graph of objects is read off the objects themselves.  What can be opened: lists, tuples,
dicts, sets and frozensets of exactly these types, and instances whose whole state is in
``__dict__`` and ``__slots__``.  Numbers, strings, functions, classes and the like are atoms: they
have a value and no edges.  Left out: types that say by ``__reduce__``, ``__deepcopy__`` and their
kin how to be copied, what C code hides, and the edge from an instance to its class.

Symbols:

    rho        an environment: names -> objects; assignment changes it
    sigma      the store: objects -> values; mutation changes it
    G(x)       the labelled graph of everything that can be reached from x
    f          an isomorphism G(x) -> G(y): a bijection that keeps types, atoms and labels
    memo       {identity of an original: (the original, its copy)}

Whatever opens objects raises TypeError for one that it cannot open.
"""

import gc
import sys
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import permutations
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from snippets.common import plot

Graph = dict[str, dict[str, str]]
Memo = dict[int, tuple[Any, Any]]

_NAMED = (FunctionType, BuiltinFunctionType, ModuleType)
_VALUES = (bool, int, float, complex, str, bytes, range, type(None), type(...))
_ATOMS = frozenset((*_VALUES, type, type(NotImplemented), *_NAMED))
_COPYING = ("copy", "deepcopy", "getnewargs", "getnewargs_ex", "getstate", "setstate")
_NAMES = [f"__{name}__" for name in (*_COPYING, "reduce", "reduce_ex")]
_HOOKS = [(name, getattr(object, name, None)) for name in _NAMES]


def same_object(a: Any, b: Any) -> bool:
    """Whether two names lead to one object: what ``a is b`` asks."""
    return id(a) == id(b)  # both are alive here, or equality would mean nothing


def call_by_sharing_demo(shared: Any) -> list[str]:
    """Mutate what arrived, then rebind the parameter; return what it names last.

    Raises TypeError unless the argument is a list.
    """
    if not isinstance(shared, list):
        raise TypeError(f"expected a list, got {shared!r}")
    shared.append("changed")  # the object's value, which every name sees
    shared = ["rebound"]  # this function's own name, which nobody else sees
    return shared


def _is_atom(x: Any) -> bool:
    return type(x) in _ATOMS or isinstance(x, type)


def _show(x: Any) -> str:
    """Return the text of an atom, or the type's name; never an address."""
    if isinstance(x, (type, *_NAMED)):
        return x.__name__
    return repr(x) if _is_atom(x) else type(x).__name__


def _state(x: Any) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Return an instance's attributes in its ``__dict__`` and in its slots."""
    cls = type(x)
    for hook, default in _HOOKS:
        if getattr(cls, hook, None) is not default:
            raise TypeError(f"{_show(cls)} has its own {hook}: not opened")
    try:
        recipe: Any = object.__reduce_ex__(x, 4)
    except TypeError:
        recipe = ()  # there is something that only C code sees
    if recipe[3:] != (None, None):  # or items of a list or dict
        raise TypeError(f"{_show(cls)} holds more than attributes: not opened")
    state = recipe[2]
    own, slots = state if isinstance(state, tuple) else (state, None)
    return own or {}, slots or {}


def _edges(x: Any) -> list[tuple[Any, Any]]:
    """List (label, target) for all that an object holds."""
    kind = type(x)
    if kind is list or kind is tuple:
        return list(enumerate(x))
    if kind is set or kind is frozenset:
        return [((), item) for item in sorted(x, key=_show)]
    if kind is dict:
        edges: list[tuple[Any, Any]] = []
        for i, (key, value) in enumerate(x.items()):
            if _is_atom(key):
                edges.append((key, value))
            else:
                edges += [(("key", i), key), (("value", i), value)]
        return edges
    own, slots = _state(x)
    return sorted({**own, **slots}.items(), key=lambda edge: str(edge[0]))


def _label(x: Any, label: Any, number: int) -> str:
    """Return how an edge of x is written: ``[0]``, ``['key']``, ``{0}`` or ``.name``."""
    if type(x) in (set, frozenset):
        return f"{{{number}}}"
    if isinstance(label, tuple):
        return "{} {}".format(*label)
    return f"[{_show(label)}]" if type(x) in (list, tuple, dict) else f".{label}"


def object_graph(*roots: Any, names: Iterable[str]) -> Graph:
    """Return G(roots): for the names and every object, where each edge leads.

    Objects are numbered by type as they are found; atoms stand for themselves.
    Raises ValueError unless there are as many different names as roots.
    """
    names = list(names)
    if len(set(names)) != len(roots):
        raise ValueError(f"expected {len(roots)} different names, got {names}")
    nodes: dict[int, str] = {}
    found: list[Any] = []
    counts: Counter[str] = Counter()

    def node(x: Any) -> str:
        if _is_atom(x):
            return _show(x)
        if id(x) not in nodes:
            counts[_show(x)] += 1
            nodes[id(x)] = f"{_show(x)}#{counts[_show(x)]}"
            found.append(x)
        return nodes[id(x)]

    named = zip(names, roots, strict=True)
    graph = {"names": {name: node(root) for name, root in named}}
    for x in found:  # grows as it goes
        graph[node(x)] = {
            _label(x, label, number): node(target)
            for number, (label, target) in enumerate(_edges(x))
        }
    return graph


def draw(graph: Graph, ax: Any) -> None:
    """Draw a graph on matplotlib's axes: a box per object, a row per edge.

    A dot with an arrow leads to another object; an atom stands in its row.
    """
    place = _layout(graph)
    for node, edges in graph.items():
        x, top = place[node]
        title = "名字" if node == "names" else node
        color = plot.CYCLE[0] if node == "names" else plot.INK
        ax.text(x, top + 0.25, title, color=color, weight="bold")
        for row, (label, target) in enumerate(edges.items()):
            y = top - row - 0.5
            corners = (x, x + 2, x + 2, x), (y - 0.5, y - 0.5, y + 0.5, y + 0.5)
            ax.fill(*corners, facecolor="none", edgecolor=plot.MUTED, lw=1)
            ax.text(x + 0.12, y, label, color=plot.MUTED, va="center")
            if target not in place:
                ax.text(x + 1.5, y, target, ha="center", va="center")
                continue
            to_x, to_y = place[target]
            bend, tip = -0.7, (to_x + 2, to_y - 0.3)
            if to_x > x:
                bend, tip = 0.0, (to_x, to_y - 0.3)
            elif to_x < x:
                bend, tip = -0.4, (to_x + 1, to_y - len(graph[target]))
            arrow = {"arrowstyle": "-|>", "color": plot.CYCLE[1], "shrinkA": 0}
            arrow |= {"connectionstyle": f"arc3,rad={bend}", "lw": 1.5}
            ax.annotate("", tip, (x + 1.5, y), arrowprops=arrow)
            ax.plot(x + 1.5, y, "o", color=plot.CYCLE[1], markersize=5)
    ax.set_axis_off()


def _layout(graph: Graph) -> dict[str, tuple[float, float]]:
    """Return where each box starts: one column per step from the names, top to bottom."""
    depth = dict.fromkeys(graph, 1) | {"names": 0}
    order = ["names"]
    for node in [*order, *graph]:
        order += [node] * (node not in order)
        for target in graph[node].values():
            if target in graph and target not in order:
                depth[target] = depth[node] + 1
                order.append(target)
    free: dict[int, float] = {}
    place = {}
    for node in order:
        place[node] = (3.4 * depth[node], free.get(depth[node], 0.0))
        free[depth[node]] = place[node][1] - len(graph[node]) - 1.4
    return place


def shallow_copy(x: Any) -> Any:
    """Return a new object with old edges, Eq. (objects-and-references-shallow).

    What cannot change is returned itself.
    """
    kind = type(x)
    if _is_atom(x) or kind is tuple or kind is frozenset:
        return x
    if kind in (list, dict, set):
        return kind(x)
    states = _state(x)
    return _fill(object.__new__(kind), *states)


def _fill(new: Any, own: dict[str, Any], slots: dict[str, Any]) -> Any:
    """Give an empty instance its attributes, without asking its class."""
    if own:
        vars(new).update(own)
    for name, value in slots.items():
        object.__setattr__(new, name, value)
    return new


def deep_copy(x: Any, memo: Any = None) -> Any:
    """Copy a whole graph: Eq. (objects-and-references-isomorphism).

    What cannot change, all the way down, is shared as in
    Eq. (objects-and-references-apart).  The memo is read and added to.
    Raises TypeError if the memo is not a dict.
    """
    if memo is not None and not isinstance(memo, dict):
        raise TypeError(f"memo must be a dict, got {memo!r}")
    return _copy(x, {} if memo is None else memo)


def _copy(x: Any, memo: Memo) -> Any:
    """Return the copy that the memo knows, or make one by the object's type."""
    kind = type(x)
    if kind in _ATOMS:
        return x
    if (entry := memo.get(id(x))) is not None:
        return entry[1]
    return _COPIERS.get(kind, _copy_object)(x, memo)


def _copy_list(x: list, memo: Memo) -> list:
    new: list = []
    memo[id(x)] = x, new  # before the items, which may lead back here
    for item in x:
        new.append(item if type(item) in _ATOMS else _copy(item, memo))
    return new


def _copy_dict(x: dict, memo: Memo) -> dict:
    new: dict = {}
    memo[id(x)] = x, new
    for key, value in x.items():
        if type(key) not in _ATOMS:
            key = _copy(key, memo)
        new[key] = value if type(value) in _ATOMS else _copy(value, memo)
    return new


def _copy_set(x: set, memo: Memo) -> set:
    new: set = set()
    memo[id(x)] = x, new
    new.update([_copy(item, memo) for item in x])
    return new


def _copy_frozen(x: Any, memo: Memo) -> Any:
    """Copy a tuple or frozenset after its items, if one of them is new."""
    items = [_copy(item, memo) for item in x]
    if id(x) not in memo:  # else a cycle led back here and has copied it
        changed = any(new is not old for new, old in zip(items, x, strict=True))
        memo[id(x)] = x, type(x)(items) if changed else x
    return memo[id(x)][1]


def _copy_object(x: Any, memo: Memo) -> Any:
    if isinstance(x, type):
        return x
    states = _state(x)
    new = object.__new__(type(x))
    memo[id(x)] = x, new
    copies = [{k: _copy(v, memo) for k, v in state.items()} for state in states]
    return _fill(new, *copies)


_COPIERS: dict[type, Callable[[Any, Memo], Any]] = {
    list: _copy_list,
    dict: _copy_dict,
    set: _copy_set,
    tuple: _copy_frozen,
    frozenset: _copy_frozen,
}


def is_isomorphic(a: Any, b: Any) -> bool:
    """Whether an f as in Eq. (objects-and-references-isomorphism) exists.

    Takes factorial time in the size of sets of which few elements match.
    """
    return _extends([(a, b)], {}, set())


def _extends(
    todo: list[tuple[Any, Any]],
    there: dict[int, int],
    taken: set[int],
) -> bool:
    """Whether the bijection ``there``, onto ``taken`` so far, can grow."""
    while todo:
        x, y = todo.pop()
        if type(x) is not type(y):
            return False
        if _is_atom(x):
            if not (x is y or (type(x) in _VALUES and x == y)):
                return False
            continue
        if id(x) in there or id(y) in taken:
            if there.get(id(x)) != id(y):
                return False
            continue
        there[id(x)] = id(y)
        taken.add(id(y))
        if type(x) in (set, frozenset):
            if len(x) != len(y):
                return False
            ways = (zip(x, z, strict=True) for z in permutations(y))
            tries = (_extends([*todo, *w], {**there}, {*taken}) for w in ways)
            return any(tries)
        mine, yours = _edges(x), _edges(y)
        if len(mine) != len(yours):
            return False
        for (label, v), (other, w) in zip(mine, yours, strict=True):
            equal = label is other or label == other  # NaN may be a key
            if type(label) is not type(other) or not equal:
                return False
            todo.append((v, w))
    return True


class RefcountProbe:
    """How many references to an object have come since the ``with`` began.

    Absolute counts mean nothing: the probe's own reference is in them, and each
    version of Python counts differently.  Raises RuntimeError if asked before.
    """

    def __init__(self, obj: Any) -> None:
        """Remember the object, until the ``with`` ends."""
        self._obj = obj
        self._start: int | None = None
        self._end: int | None = None

    def __enter__(self) -> "RefcountProbe":
        """Count for the first time."""
        self._start = sys.getrefcount(self._obj)
        return self

    def __exit__(self, *exc: object) -> None:
        """Count for the last time and let the object go."""
        self._end = sys.getrefcount(self._obj)
        self._obj = None

    @property
    def change(self) -> int:
        """The difference up to now, or up to the end."""
        if self._start is None:
            raise RuntimeError("the probe was not entered by a with statement")
        now = sys.getrefcount(self._obj) if self._end is None else self._end
        return now - self._start


class WeakCache:
    """Calls ``make(key)`` once per key while somebody else holds what it made.

    Raises TypeError if ``make`` cannot be called, or if its result or the key
    does not allow what is done with it.
    """

    def __init__(self, make: Any) -> None:
        """Start empty."""
        if not callable(make):
            raise TypeError(f"expected a function of a key, got {make!r}")
        self._make = make
        self._refs: dict[Any, weakref.ref] = {}

    def __len__(self) -> int:
        """Return how many objects are alive."""
        return len(self._refs)

    def __call__(self, key: Any) -> Any:
        """Return the object of a key, made anew if the last one is dead."""
        try:
            value = self._refs[key]()
        except KeyError:
            value = None
        return self._add(key) if value is None else value

    def _add(self, key: Any) -> Any:
        value = self._make(key)
        myself = weakref.ref(self)  # a callback with self would be a cycle

        def forget(dead: weakref.ref) -> None:
            cache = myself()
            if cache is not None and cache._refs.get(key) is dead:
                del cache._refs[key]

        self._refs[key] = weakref.ref(value, forget)
        return value


def find_cycles(*roots: Any) -> list[list[Any]]:
    """Return the groups of objects that all lead to each other by references.

    Looks where the roots lead; without roots, into the garbage that the
    collector finds now, which clears weak references to it.  Atoms, among them
    classes and modules, are not entered.
    """
    todo = [root for root in roots or _garbage() if not _is_atom(root)]
    objects, refs = {id(x): x for x in todo}, {}
    while todo:
        x = todo.pop()
        if id(x) not in refs:
            held = [y for y in gc.get_referents(x) if not _is_atom(y)]
            refs[id(x)] = [id(y) for y in held]
            objects |= {id(y): y for y in held}
            todo += held
    groups = [[objects[i] for i in group] for group in _components(refs)]
    return [g for g in groups if len(g) > 1 or id(g[0]) in refs[id(g[0])]]


def _garbage() -> list[Any]:
    """Return what the collector would free now, instead of freeing it."""
    flags, known = gc.get_debug(), len(gc.garbage)
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
    finally:
        gc.set_debug(flags)
    found = gc.garbage[known:]
    del gc.garbage[known:]
    return found


def _components(refs: dict[int, list[int]]) -> Iterator[list[int]]:
    """Yield the strongly connected components of a graph (Tarjan 1972)."""
    low: dict[int, int] = {}  # the earliest node known to be reachable
    open_nodes: list[int] = []
    for start in refs:
        path = [] if start in low else [(start, len(low), iter(refs[start]))]
        while path:
            node, number, rest = path[-1]
            if node not in low:
                low[node] = number
                open_nodes.append(node)
            for next_node in rest:
                if next_node not in low:
                    path.append((next_node, len(low), iter(refs[next_node])))
                    break
                low[node] = min(low[node], low[next_node])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[node])
                if low[node] == number:
                    group = [open_nodes.pop()]
                    while group[-1] != node:
                        group.append(open_nodes.pop())
                    low |= dict.fromkeys(group, len(refs))  # closed
                    yield group[::-1]


def _on(ax, graph, width, depth):
    """Draw a graph on axes as wide and as deep as it may need."""
    draw(graph, ax)
    ax.set(xlim=(-0.2, width), ylim=(-depth, 0.9))


def figure_binding():
    """Step through assignments, a mutation and a deletion."""
    from matplotlib.figure import Figure

    names = {}
    frames = []
    for line in ("a = [1]", "b = a", "b.append(2)", "b = b + [3]", "a[0] = b", "del b"):
        exec(line, {}, names)
        frames.append(Figure(figsize=(5.4, 3.6), label=line))
        graph = object_graph(*names.values(), names=names)
        _on(frames[-1].subplots(), graph, 9.2, 6.6)
    return frames


def figure_call():
    """Step through the call that first changes its argument and then rebinds its parameter."""
    from matplotlib.figure import Figure

    mine = ["old"]
    frames = []

    def show(said, **names):
        frames.append(Figure(figsize=(5.4, 3.2), label=said))
        graph = object_graph(mine, *names.values(), names=["mine", *names])
        _on(frames[-1].subplots(), graph, 6.2, 4.8)

    def on_event(frame, event, arg):
        if frame.f_code.co_filename != __file__:
            return None
        said = {
            "call": "调用：参数名绑定到同一个对象",
            "return": "改绑之后、返回之前：调用者的名字没有动",
        }
        if event in said or "changed" in frame.f_locals["shared"]:
            show(said.get(event, "改变对象：两个名字都看见"), shared=frame.f_locals["shared"])
        return on_event

    show("调用之前")
    before = sys.gettrace()
    sys.settrace(on_event)
    try:
        call_by_sharing_demo(mine)
    finally:
        sys.settrace(before)
    show("返回之后：被调者的名字没有了")
    return frames


def figure_copies():
    """Step through an assignment, a shallow and a deep copy of one nested list."""
    from matplotlib.figure import Figure

    frames = []
    for title, copy in [("赋值", lambda x: x), ("浅拷贝", shallow_copy), ("深拷贝", deep_copy)]:
        inner = [1, 2]
        a = [inner, inner]
        frames.append(Figure(figsize=(5.4, 3.4), label=title))
        _on(frames[-1].subplots(), object_graph(a, copy(a), names="ab"), 9.2, 6)
    return frames


def figure_rows():
    """Step from a matrix made by repetition to one made row by row."""
    from matplotlib.figure import Figure

    matrices = {
        "[[0] * 2] * 3": [[0] * 2] * 3,
        "[[0] * 2 for _ in range(3)]": [[0] * 2 for _ in range(3)],
    }
    frames = []
    for title, matrix in matrices.items():
        frames.append(Figure(figsize=(5.4, 4.6), label=title))
        _on(frames[-1].subplots(), object_graph(matrix, names="m"), 9.2, 9)
    return frames


def figure_cycle():
    """Draw two lists that hold each other, before and after their last name goes."""
    from matplotlib.figure import Figure

    a = ["a"]
    a.append(["b", a])
    held = object_graph(a, names="a")
    panels = {"del a 之前": held, "del a 之后": held | {"names": {}}}
    fig = Figure(figsize=(5.0, 4.4))
    for ax, (title, graph) in zip(fig.subplots(2), panels.items(), strict=True):
        _on(ax, graph, 9.2, 3.2)
        ax.set_title(title, loc="left")
    return fig
