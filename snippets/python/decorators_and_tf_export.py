"""Public names for private code: ``partial``, a decorator that exports, packages made from names.

The parts are those of TensorFlow's ``tf_export``, small: a decorator notes names on a function or a
class and returns it; a generator reads the notes and makes the modules that users import.
Left out: ``partial`` as a method (a descriptor) and its placeholders, exports that override others,
docstrings of generated modules, and finding exports by parsing files instead of importing them.

Symbols:

    f, a, k    a callable, a tuple of positional arguments, a dict of keyword arguments
    s          a symbol: a function, a class or a constant
    N(s), D(s) its public names in order, and those of them that are deprecated
    c(s)       its canonical name
    api_name   the API that a name belongs to: "tensorflow" or "keras"
    exports    {public name: Export}; names for version 1 begin with "compat.v1."
"""

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from keyword import iskeyword
from pathlib import Path
from reprlib import recursive_repr
from types import FrameType, ModuleType
from typing import Any, NamedTuple

V1 = "compat.v1."
_ATTRIBUTES = {"tensorflow": "_tf_api_names", "keras": "_keras_api_names"}
_DEPRECATED = "_tf_deprecated_api_names"
_HEADER = '"""Made by write_api from the exported names: do not edit."""\n\n'


class SymbolAlreadyExposedError(ValueError):
    """A symbol that has names gets more, or a name gets a second symbol."""


class InvalidSymbolNameError(ValueError):
    """A public name that cannot be imported, or that another API owns."""


class Export(NamedTuple):
    """What a public name stands for, and where that is defined."""

    symbol: Any
    module: str
    name: str


Exports = Mapping[str, Export]
_REGISTRY: dict[str, dict[str, Export]] = {api_name: {} for api_name in _ATTRIBUTES}


class partial:
    """A call that waits: Eq. (decorators-and-tf-export-partial)."""

    __slots__ = ("__dict__", "__weakref__", "args", "func", "keywords")
    func: Any
    args: tuple[Any, ...]
    keywords: dict[str, Any]

    def __init__(self, func: Any, /, *args: Any, **keywords: Any) -> None:
        """Keep the three parts; flatten by Eq. (decorators-and-tf-export-flat).

        Raises TypeError unless ``func`` can be called.
        """
        if not callable(func):
            raise TypeError(f"expected something to call, got {func!r}")
        if isinstance(func, partial) and not vars(func):  # nothing gets lost
            args, keywords = func.args + args, func.keywords | keywords
            func = func.func
        self.func, self.args, self.keywords = func, args, keywords

    def __call__(self, /, *args: Any, **keywords: Any) -> Any:
        """Call ``func`` with the arguments kept, then those given now."""
        return self.func(*self.args, *args, **self.keywords | keywords)

    @recursive_repr()
    def __repr__(self) -> str:
        """Show the call as it would be written."""
        named = [f"{name}={value!r}" for name, value in self.keywords.items()]
        parts = [repr(self.func), *map(repr, self.args), *named]
        return f"partial({', '.join(parts)})"


def unwrap(symbol: Any) -> Any:
    """The innermost function of a stack: Eq. (decorators-and-tf-export-unwrap).

    Only its own ``__wrapped__`` counts.  Raises ValueError for a circle.
    """
    seen: list[Any] = []
    while "__wrapped__" in getattr(symbol, "__dict__", ()):
        if any(symbol is other for other in seen):
            raise ValueError(f"{symbol!r} wraps itself")
        seen.append(symbol)
        symbol = vars(symbol)["__wrapped__"]
    return symbol


def _attribute(api_name: Any) -> str:
    known = sorted(_ATTRIBUTES)
    if api_name not in known:
        raise ValueError(f"expected one of {known}, got {api_name!r}")
    return _ATTRIBUTES[api_name]


def _owner(name: Any) -> str:
    """The API that a public name belongs to.

    Raises InvalidSymbolNameError for what no import statement could name.
    """
    if not isinstance(name, str):
        problem = f"expected public names, got {name!r}"
        hint = "; forgot the parentheses of the decorator?"
        raise InvalidSymbolNameError(problem + hint * callable(name))
    parts = name.split(".")
    if not all(part.isidentifier() and not iskeyword(part) for part in parts):
        raise InvalidSymbolNameError(f"{name!r} is not made of names and dots")
    return parts[0] if parts[0] in _ATTRIBUTES else "tensorflow"


def _imported(name: Any) -> ModuleType | None:
    return sys.modules.get(name) if isinstance(name, str) else None


def _note(target: Any, notes: Mapping[str, tuple[str, ...]]) -> None:
    """Set attributes.  Raises TypeError for what takes none."""
    try:
        for key, names in notes.items():
            setattr(target, key, names)
    except (AttributeError, TypeError):
        problem = f"cannot note names on {target!r}: it takes no attributes"
        raise TypeError(problem) from None


class api_export:
    """A decorator that notes the public names of a symbol."""

    def __init__(
        self,
        *names: Any,
        api_name: Any = "tensorflow",
        v1: Any = None,
        allow_multiple_exports: bool = False,
    ) -> None:
        """Keep the names; version 1 has the same unless ``v1`` lists others.

        Raises InvalidSymbolNameError without names or for one that cannot be,
        ValueError for an unknown API, TypeError unless ``v1`` is a list.
        """
        _attribute(api_name)
        if not isinstance(v1, list | tuple | None):
            raise TypeError(f"expected a list of names for v1, got {v1!r}")
        self.names = names
        self.names_v1 = names if v1 is None else tuple(v1)
        self.api_name = api_name
        self.allow_multiple_exports = allow_multiple_exports
        if not self.names + self.names_v1:
            raise InvalidSymbolNameError("expected a public name, got none")
        for name in self.names + self.names_v1:
            if (owner := _owner(name)) != api_name:
                problem = f"belongs to {owner!r}, not {api_name!r}"
                raise InvalidSymbolNameError(f"{name!r} {problem}")

    def __call__(self, symbol: Any) -> Any:
        """Note the names on the innermost function; return the symbol itself.

        Raises TypeError for what is neither function nor class, and
        SymbolAlreadyExposedError where it has names or a name is taken.
        """
        target = unwrap(symbol)
        if not (callable(target) and hasattr(target, "__qualname__")):
            problem = f"expected function or class, got {type(target).__name__}"
            raise TypeError(f"cannot export {target!r}: {problem}")
        attribute = _attribute(self.api_name)
        own = getattr(target, "__dict__", {})
        if attribute in own and not self.allow_multiple_exports:
            problem = f"is already exposed as {own[attribute]}"
            raise SymbolAlreadyExposedError(f"{target.__qualname__} {problem}")
        place = target.__module__, target.__qualname__
        new = self._exports(Export(symbol, *place))
        both = {attribute: self.names, attribute + "_v1": self.names_v1}
        notes = {key: [*own.get(key, ()), *both[key]] for key in both}
        _note(target, {key: tuple(dict.fromkeys(notes[key])) for key in both})
        _REGISTRY[self.api_name].update(new)
        return symbol

    def export_constant(self, module_name: Any, name: Any) -> None:
        """Note the names of a constant on its module.

        Raises ValueError unless the module is imported and has the constant,
        and SymbolAlreadyExposedError where a name is taken.
        """
        own = getattr(_imported(module_name), "__dict__", {})
        if not isinstance(name, str) or name not in own:
            problem = f"in an imported module {module_name!r}"
            raise ValueError(f"no {name!r} {problem}")
        new = self._exports(Export(own[name], module_name, name))
        attribute = _attribute(self.api_name).replace("names", "constants")
        both = {attribute: self.names, attribute + "_v1": self.names_v1}
        for key, names in both.items():
            own.setdefault(key, []).append((names, name))
        _REGISTRY[self.api_name].update(new)

    def _exports(self, export: Export) -> dict[str, Export]:
        """What to add to the registry; another symbol's name is refused."""
        names = *self.names, *(V1 + name for name in self.names_v1)
        new = dict.fromkeys(names, export)
        taken = _REGISTRY[self.api_name]
        for name in sorted(new.keys() & taken.keys()):
            if taken[name][1:] != export[1:]:  # else a reload
                old, other = (".".join(e[1:]) for e in (taken[name], export))
                problem = f"{name!r} stands for {old}, not for {other}"
                raise SymbolAlreadyExposedError(problem)
        return new


tf_export = partial(api_export, api_name="tensorflow")
keras_export = partial(api_export, api_name="keras")


def deprecated_endpoints(*names: Any) -> Callable[[Any], Any]:
    """A decorator that marks some of a symbol's public names as deprecated.

    Raises InvalidSymbolNameError for what is no name; the decorator raises
    ValueError if the symbol has some already, TypeError if it cannot have any.
    """
    for name in names:
        _owner(name)

    def decorate(symbol: Any) -> Any:
        target = unwrap(symbol)
        if old := getattr(target, "__dict__", {}).get(_DEPRECATED):
            raise ValueError(f"{target!r} has deprecated names: {old}")
        _note(target, {_DEPRECATED: names})
        return symbol

    return decorate


def _preferred(names: Sequence[str], deprecated: Sequence[str]) -> str | None:
    """The first name that is not deprecated, else the first."""
    kept = [name for name in names if name not in deprecated]
    return next(iter([*kept, *names]), None)


def get_canonical_name_for_symbol(
    symbol: Any,
    api_name: Any = "tensorflow",
    add_prefix_to_v1_names: bool = False,
) -> str | None:
    """The one name to print, Eq. (decorators-and-tf-export-canonical), or None.

    Raises ValueError for an unknown API.
    """
    attribute = _attribute(api_name)
    own = getattr(unwrap(symbol), "__dict__", {})
    deprecated = own.get(_DEPRECATED, ())
    if name := _preferred(own.get(attribute, ()), deprecated):
        return name
    name = _preferred(own.get(attribute + "_v1", ()), deprecated)
    return V1 + name if name and add_prefix_to_v1_names else name


def exports_of(api_name: Any = "tensorflow") -> dict[str, Export]:
    """A copy of an API's exports.  Raises ValueError for an unknown API."""
    _attribute(api_name)
    return dict(_REGISTRY[api_name])


def get_symbol_from_name(name: Any, api_name: Any = "tensorflow") -> Any:
    """The symbol that a public name stands for, or None.

    Raises ValueError for an unknown API, TypeError unless the name is a string.
    """
    _attribute(api_name)
    if not isinstance(name, str):
        raise TypeError(f"expected a public name, got {name!r}")
    export = _REGISTRY[api_name].get(name)
    return export.symbol if export else None


def _checked(exports: Any) -> Exports:
    """The exports, or else all of TensorFlow's.

    Raises TypeError unless they map names to Export, and
    InvalidSymbolNameError for a name that cannot be imported.
    """
    if exports is None:
        return exports_of()
    if not isinstance(exports, Mapping):
        raise TypeError(f"expected {{name: Export}}, got {exports!r}")
    for name, export in exports.items():
        _owner(name)
        if not isinstance(export, Export):
            raise TypeError(f"expected an Export for {name!r}, got {export!r}")
    return exports


def _namespaces(exports: Exports) -> dict[str, dict[str, Export | None]]:
    """{namespace: {attribute: export, None for a namespace}}, "" for the root.

    Raises InvalidSymbolNameError where a name is both a symbol and a namespace.
    """
    tree: dict[str, dict[str, Export | None]] = {"": {}}
    for name in sorted(exports):  # "math" before "math.add"
        *path, last = name.split(".")
        for depth, child in enumerate(path):
            if tree[".".join(path[:depth])].setdefault(child, None):
                symbol = ".".join(path[: depth + 1])
                problem = f"{symbol!r} is a symbol: no room for {name!r}"
                raise InvalidSymbolNameError(problem)
            tree.setdefault(".".join(path[: depth + 1]), {})
        tree[".".join(path)][last] = exports[name]
    return tree


def build_api(root: Any, exports: Any = None) -> ModuleType:
    """Make an API's modules in memory, to be imported below ``root``.

    Raises InvalidSymbolNameError where a name is both a symbol and a namespace
    or cannot be imported, TypeError unless ``exports`` maps names to Export,
    and ValueError unless ``root`` is a name that is free or was built before.
    """
    tree = _namespaces(_checked(exports))
    named = isinstance(root, str) and root.isidentifier() and not iskeyword(root)
    old = _imported(root)
    if not named or not (old is None or hasattr(old, "_built")):
        raise ValueError(f"expected a name that no module has, got {root!r}")
    places = [f"{root}.{namespace}".rstrip(".") for namespace in tree]
    specs = [ModuleSpec(place, None, is_package=True) for place in places]
    modules = {spec.name: module_from_spec(spec) for spec in specs}
    for module, content in zip(modules.values(), tree.values(), strict=True):
        module.__dict__.update(_built=True, __all__=sorted(content))
        for name, export in content.items():
            inner = modules.get(f"{module.__name__}.{name}")
            setattr(module, name, export.symbol if export else inner)
    for name in list(sys.modules):
        if f"{name}.".startswith(f"{root}."):
            del sys.modules[name]
    sys.modules.update(modules)
    return modules[root]


def _check_source(public: str, export: Export) -> None:
    """Raise ValueError unless a file can import what was exported."""
    found = getattr(_imported(export.module), export.name, None)
    same = unwrap(found) is unwrap(export.symbol)
    if export.module == "__main__" or not same:
        where = f"{export.module}.{export.name}"
        problem = f"it is not {where} in an imported module"
        raise ValueError(f"no file can import {public!r}: {problem}")


def _eager(content: Mapping[str, Export | None]) -> str:
    lines = []
    for name, export in sorted(content.items()):
        module, own = export[1:] if export else (".", name)
        lines.append(f"from {module} import {own} as {name}")
    return "\n".join([*lines, "", f"__all__ = {sorted(content)}", ""])


def _lazy(content: Mapping[str, Export | None]) -> str:
    lines = []
    for name, export in sorted(content.items()):
        source = export[1:] if export else (f".{name}", None)
        lines.append(f"    {name!r}: {source},")
    first = f"from {__name__} import lazy_api as _lazy_api"
    call = "__getattr__, __dir__, __all__ = _lazy_api(__name__, {"
    return "\n".join([first, "", call, *lines, "})", ""])


def write_api(
    path: Any,
    exports: Any = None,
    *,
    lazy: bool = False,
) -> list[Path]:
    """Write an API's modules as ``__init__.py`` files; return the files.

    Raises what ``build_api`` raises for bad exports, ValueError where one
    cannot be imported from its place, TypeError unless ``path`` is a path, and
    FileExistsError unless that folder is empty or new.
    """
    exports = _checked(exports)
    tree = _namespaces(exports)
    for name, export in exports.items():
        _check_source(name, export)
    if not isinstance(path, str | Path):
        raise TypeError(f"expected the path of a folder, got {path!r}")
    path = Path(path)
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise FileExistsError(f"expected an empty folder, got {path}")
    files = []
    for namespace, content in tree.items():
        files.append(path.joinpath(*namespace.split("."), "__init__.py"))
        files[-1].parent.mkdir(parents=True, exist_ok=True)
        text = _lazy(content) if lazy else _eager(content)
        files[-1].write_text(_HEADER + text, encoding="utf-8")
    return sorted(files)


def lazy_api(
    package: Any,
    sources: Any,
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """``__getattr__``, ``__dir__``, ``__all__`` of a module that imports late.

    ``sources`` is {name: (module, attribute)}; None means the module itself.
    The ``__getattr__`` raises AttributeError for other names, as PEP 562 asks.
    Raises ValueError unless the package is being imported or has been, and
    TypeError unless ``sources`` maps names to such pairs.
    """
    if _imported(package) is None:
        raise ValueError(f"no imported module {package!r}")
    pairs = sources.values() if isinstance(sources, Mapping) else [None]
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        raise TypeError(f"expected {{name: (module, name)}}, got {sources!r}")

    def load(name: str) -> Any:
        if name not in sources:
            problem = f"has no attribute {name!r}"
            raise AttributeError(f"module {package!r} {problem}")
        module, attribute = sources[name]
        found = import_module(module, package)
        value = found if attribute is None else getattr(found, attribute)
        setattr(sys.modules[package], name, value)  # found from now on
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *sources})

    return load, names, sorted(sources)


@dataclass
class Call:
    """A call into this module; nothing is ``returned`` for None and errors."""

    depth: int
    callee: str
    arguments: str
    returned: str = ""


def trace_calls(program: Any) -> tuple[list[Call], str]:
    """Run a program; return which parts of a decoration it calls, and its error.

    The error is "" without one.  Raises TypeError unless it can be called.
    """
    if not callable(program):
        raise TypeError(f"expected a program to call, got {program!r}")
    halves = "api_export.__init__", "api_export.__call__"
    parts = {"partial.__call__", *halves, "unwrap"}
    calls: list[Call] = []
    open_calls: list[Call] = []

    def profile(frame: FrameType, event: str, result: Any) -> None:
        name = frame.f_code.co_qualname
        if frame.f_code.co_filename != __file__ or name not in parts:
            return
        if event == "call":
            calls.append(Call(len(open_calls), name, _arguments(frame)))
            open_calls.append(calls[-1])
        elif event == "return":
            open_calls.pop().returned = _short(result)

    before, error = sys.getprofile(), ""
    sys.setprofile(profile)
    try:
        program()
    except Exception as raised:
        error = f"{type(raised).__name__}: {raised}"
    finally:
        sys.setprofile(before)
    return calls, error


def _short(value: Any) -> str:
    if value is None or isinstance(value, str):
        return repr(value) if value else ""
    return getattr(value, "__name__", type(value).__name__)


def _arguments(frame: FrameType) -> str:
    """What a frame was called with, without self and what is None or False."""
    names, more, keywords, values = inspect.getargvalues(frame)
    by_position = frame.f_code.co_argcount
    given = [values[name] for name in names[:by_position] if name != "self"]
    given += values[more] if more else ()
    named = {name: values[name] for name in names[by_position:]}
    named |= values[keywords] if keywords else {}
    shown = [f"{name}={_short(value)}" for name, value in named.items() if value]
    return ", ".join([*map(_short, given), *shown])


def _sequence(ax: Any, lifelines: dict[int, str], calls: list[Call], error: str) -> None:
    """Draw calls between lifelines, downwards in time, from what was traced."""
    from snippets.common import plot

    box = {"boxstyle": "square,pad=0.1", "facecolor": plot.PAPER, "linewidth": 0}
    label = {"ha": "center", "va": "bottom", "fontsize": 11.5, "bbox": box}
    for x, name in lifelines.items():
        ax.plot((x, x), (-0.55, len(calls) + 0.6), color=plot.GRID, linewidth=1.2, zorder=0)
        ax.text(x, -0.75, name, ha="center", va="bottom", fontsize=12.5)
    place = [0]
    for y, call in enumerate(calls):
        owner, _, method = call.callee.rpartition(".")
        place[call.depth + 1 :] = [{"partial": 1, "api_export": 2}.get(owner, 3)]
        start, end = place[call.depth], place[call.depth + 1]
        style = {"arrowstyle": "-|>", "color": plot.CYCLE[0], "lw": 1.8}
        ax.annotate("", (end, y), (start, y), arrowprops=style)
        ax.text((start + end) / 2, y - 0.12, f"{method}({call.arguments})", **label)
    color, text = (plot.CYCLE[1], error) if error else (plot.CYCLE[2], "返回 add 本身")
    style = {"arrowstyle": "-|>", "color": color, "lw": 1.8, "ls": "--"}
    ax.annotate("", (0, len(calls)), (2, len(calls)), arrowprops=style)
    ax.text(1, len(calls) - 0.12, text, color=color, **label)
    ax.set(xlim=(-0.5, 3.5), ylim=(len(calls) + 0.7, -1.6))
    ax.set_axis_off()


def figure_calls():
    """Draw the calls of `@tf_export(...)` as traced: with partial, and with an instance instead."""
    from matplotlib.figure import Figure

    def add(x, y):
        return x + y

    before = exports_of()
    right, _ = trace_calls(lambda: tf_export("math.add")(add))
    _REGISTRY["tensorflow"] = before  # a drawing exports nothing
    instance = api_export("math.add", api_name="tensorflow")
    wrong, error = trace_calls(lambda: instance("math.add"))
    lines = {0: "模块", 1: "tf_export", 2: "api_export\n的实例", 3: "add"}
    wrong_lines = {0: "模块", 2: "tf_export\n（一个实例）", 3: "字符串"}
    fig = Figure(figsize=(5.2, 6.2))
    top, bottom = fig.subplots(2, 1, height_ratios=(7.2, 5.2))
    _sequence(top, lines, right, "")
    _sequence(bottom, wrong_lines, wrong, error.partition(": expected")[0].replace(": ", ":\n"))
    return fig


_PUBLIC = {  # as TensorFlow 2.21 names them; the page checks it against a recorded answer
    "math_ops.add": ["math.add", "add"],
    "nn_ops.softmax_v2": ["nn.softmax", "math.softmax"],
    "gen_math_ops.log1p": ["math.log1p", "compat.v1.log1p"],
    "app.run": ["compat.v1.app.run"],
}


def figure_names():
    """Join private definitions (left) with their public names (right), the canonical one first."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    fig = Figure(figsize=(5.6, 3.9))
    ax = fig.subplots()
    y = 0
    for private, names in _PUBLIC.items():
        middle = y + (len(names) - 1) / 2
        ax.text(0, middle, private, ha="right", va="center", fontsize=12.5)
        for i, name in enumerate(names):
            color = plot.CYCLE[0] if i == 0 else plot.MUTED
            line = "--" if i and name.startswith(V1) else "-"
            ax.plot((0.06, 0.94), (middle, y), line, color=color, linewidth=2.4 if i == 0 else 1.4)
            weight = "bold" if i == 0 else "normal"
            ax.text(1, y, "tf." + name, va="center", fontsize=12.5, color=color, weight=weight)
            y += 1
        y += 0.4
    ax.text(0, -0.9, "定义在哪里", ha="right", va="center", color=plot.MUTED)
    ax.text(1, -0.9, "从哪里导入", va="center", color=plot.MUTED)
    ax.set(xlim=(-1.05, 2.2), ylim=(y - 0.6, -1.3))
    ax.set_axis_off()
    return fig
