"""Classes over functions: a small ``torch.nn`` whose layers own state and call ``F``.

A layer class is a pure function plus what the function must be given each time: parameters,
buffers, and the mode (training or not).  ``Module`` keeps them and finds them again by name.
Left out: devices, backward hooks, hooks on all modules at once, lazy modules, JIT, ``repr``,
pickling.

Symbols:

    f          a function of ``torch.nn.functional`` (``F``)
    x, y       its input and output; for Linear x is "*batch n" and y is "*batch m"
    W, b       weight and bias, the parameters that are learnt: ``weight``, ``bias``
    s          buffers, state that no gradient changes: ``running_mean``, ``running_var``
    t          the mode: ``training``
    p          the probability that dropout zeroes an element
    alpha      the weight of the newest batch in the running statistics: ``momentum``
"""

import ast
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

T = TypeVar("T")
Names = tuple[list[str], list[str]]  # the missing and the unexpected


class Parameter(Tensor):
    """A tensor that a Module registers when it is assigned to an attribute.

    Raises TypeError unless ``data`` is a floating-point tensor.
    """

    # what is computed from a parameter is a plain tensor
    __torch_function__: Any = torch._C._disabled_torch_function_impl

    def __new__(cls, data: Any, requires_grad: bool = True) -> Any:
        """Share the memory of ``data`` but not its history."""
        if not isinstance(data, Tensor) or not data.is_floating_point():
            raise TypeError(f"expected a floating-point tensor, got {data!r}")
        return data.detach().as_subclass(cls).requires_grad_(requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Parameter":
        """Copy once, however many names the parameter has."""
        if id(self) not in memo:
            memo[id(self)] = Parameter(self.detach().clone(), self.requires_grad)
        return memo[id(self)]


def _unique(pairs: Iterable[tuple[str, T]]) -> Iterator[tuple[str, T]]:
    """Drop the pairs whose value came before under another name."""
    seen: set[int] = set()
    for name, value in pairs:
        if id(value) not in seen:
            seen.add(id(value))
            yield name, value


def _check_callable(function: Any) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(function):
        raise TypeError(f"expected a function, got {function!r}")


def _check_mapping(state: Any) -> None:
    """Raise TypeError for what does not give values by name."""
    if not isinstance(state, Mapping):
        raise TypeError(f"expected tensors by name, got {state!r}")


def _check_type(name: str, value: Any, kind: Any) -> None:
    """Raise TypeError for a value that is neither of a type nor None."""
    if not isinstance(value, kind | None):
        expected = f"{name!r} must be a {kind.__name__} or None"
        raise TypeError(f"{expected}, got {value!r}")


def _given(x: Any) -> Any:
    """Return what an error says of a value: a tensor's shape, else the value."""
    return [*x.shape] if isinstance(x, Tensor) else x


def _misfit(name: str, given: Any, own: Tensor) -> str:
    """Say why a value cannot take a tensor's place, or nothing if it can."""
    if isinstance(given, Tensor) and given.shape == own.shape:
        return ""
    return f"{name}: expected a tensor {[*own.shape]}, got {_given(given)!r}"


def _check_state(own: dict[str, Tensor], state: Any, strict: bool) -> Names:
    """Return the missing and the unexpected names.

    Raises TypeError and RuntimeError as ``load_state_dict`` does.
    """
    _check_mapping(state)
    missing = [name for name in own if name not in state]
    unexpected = [name for name in state if name not in own]
    tried = [_misfit(n, state[n], own[n]) for n in own if n in state]
    wrong = [reason for reason in tried if reason]
    if wrong or (strict and (missing or unexpected)):
        names = f"missing: {missing}; unexpected: {unexpected}"
        raise RuntimeError("; ".join([names, *wrong]))
    return missing, unexpected


def _hang(hook: Any, hooks: dict[object, Callable]) -> Callable[[], Any]:
    """Add a hook and return what removes it.

    Raises TypeError for what cannot be called.
    """
    _check_callable(hook)
    key = object()
    hooks[key] = hook
    return partial(hooks.pop, key, None)


class Module:
    """State by name, a mode and hooks: Eq. (module-vs-functional-split)."""

    training = True
    _kinds: dict[str, type]  # Parameter, Tensor (a buffer) or Module, by name
    _saved: dict[str, bool]  # whether the state dict has it
    _before: dict[object, Callable]  # hooks
    _after: dict[object, Callable]

    def __init__(self) -> None:
        """Prepare the tables; a subclass calls this before it assigns."""
        vars(self).update(_kinds={}, _saved={}, _before={}, _after={})

    def _register(self, name: str, kind: type, saved: bool = True) -> None:
        """Note of which type an attribute is, and whether it is saved.

        Raises AttributeError before ``Module.__init__``, ValueError for a bad
        name.
        """
        if "_kinds" not in vars(self):
            raise AttributeError(f"super().__init__() must come before {name!r}")
        if not name or "." in name or hasattr(type(self), name):
            raise ValueError(f"expected a new name without dots, got {name!r}")
        self._kinds[name], self._saved[name] = kind, saved

    def __setattr__(self, name: str, value: Any) -> None:
        """Register a parameter or module; keep every name to its type.

        Raises TypeError for a registered name and a value of another type.
        """
        for kind in (Parameter, Module):
            if isinstance(value, kind):
                self._register(name, kind)
        _check_type(name, value, vars(self).get("_kinds", {}).get(name, object))
        super().__setattr__(name, value)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True):
        """Make a tensor part of the state without being a parameter.

        Raises TypeError for no tensor, ValueError for a name that is taken.
        """
        _check_type(name, tensor, Tensor)
        if name in vars(self):
            raise ValueError(f"attribute {name!r} already exists")
        self._register(name, Tensor, persistent)
        vars(self)[name] = tensor

    def _own(self, kind: type) -> Iterator[tuple[str, Any]]:
        """Yield this module's own parts of one kind, with their keys."""
        for key, own in self._kinds.items():
            if own is kind and (part := vars(self).get(key)) is not None:
                yield key, part

    def _tree(self, prefix: str = "") -> Iterator[tuple[str, "Module"]]:
        """Yield this module and all below it, each with its parts' prefix."""
        yield prefix, self
        for key, child in self._own(Module):
            yield from child._tree(f"{prefix}{key}.")

    def _slots(self, *kinds: type) -> Iterator[tuple[str, "Module", str]]:
        """Yield each tensor's dotted name, its module and its key there."""
        for prefix, module in self._tree():
            for kind in kinds:
                for key, _ in module._own(kind):
                    yield prefix + key, module, key

    def named_modules(self) -> Iterator[tuple[str, "Module"]]:
        """Yield every module once, this one first and without a name."""
        return _unique((prefix[:-1], module) for prefix, module in self._tree())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter once."""
        return _unique((n, getattr(m, k)) for n, m, k in self._slots(Parameter))

    def named_buffers(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every buffer once, persistent or not."""
        return _unique((n, getattr(m, k)) for n, m, k in self._slots(Tensor))

    def parameters(self) -> Iterator[Parameter]:
        """Yield what an optimizer needs."""
        return (p for _, p in self.named_parameters())

    def state_dict(self) -> dict[str, Tensor]:
        """Return parameters and persistent buffers by name, not copied."""
        slots = self._slots(Parameter, Tensor)
        return {n: getattr(m, k).detach() for n, m, k in slots if m._saved[k]}

    def load_state_dict(self, state: Any, strict: bool = True) -> Names:
        """Copy tensors in by name; return the missing and the unexpected names.

        Raises TypeError for no mapping; RuntimeError, before anything is copied,
        for no tensor, a wrong shape and, if strict, for a missing or unexpected
        name.
        """
        own = self.state_dict()
        missing, unexpected = _check_state(own, state, strict)
        for name in own.keys() & state.keys():
            own[name].copy_(state[name])
        return missing, unexpected

    def apply(self, function: Any) -> "Module":
        """Call a function with every module, children first, this one last.

        Raises TypeError for what cannot be called.
        """
        _check_callable(function)
        for _, child in _unique(self._own(Module)):
            child.apply(function)
        function(self)
        return self

    def train(self, mode: Any = True) -> "Module":
        """Set the mode of this module and all below it.

        Raises TypeError unless ``mode`` is True or False.
        """
        if not isinstance(mode, bool):
            raise TypeError(f"expected True or False, got {mode!r}")
        return self.apply(lambda module: setattr(module, "training", mode))

    def eval(self) -> "Module":
        """Leave training mode."""
        return self.train(False)

    def to(self, dtype: Any) -> "Module":
        """Convert floating-point state; every Parameter stays the same object.

        Raises TypeError unless ``dtype`` is a floating-point type.
        """
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise TypeError(f"expected a floating-point dtype, got {dtype!r}")
        for _, state in [*self.named_parameters(), *self.named_buffers()]:
            for t in (state, state.grad):
                if t is not None and t.is_floating_point():
                    t.data = t.data.to(dtype)
        return self

    def register_forward_pre_hook(self, hook: Any) -> Callable[[], Any]:
        """Let ``hook(module, args)`` see or change the input; return an undo."""
        return _hang(hook, self._before)

    def register_forward_hook(self, hook: Any) -> Callable[[], Any]:
        """Let ``hook(module, args, y)`` see or change the output, likewise."""
        return _hang(hook, self._after)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; every subclass that is called has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run ``forward`` between the hooks; without hooks, nothing else."""
        if not (self._before or self._after):
            return self.forward(*args, **kwargs)
        for hook in [*self._before.values()]:
            if (changed := hook(self, args)) is not None:
                args = changed if isinstance(changed, tuple) else (changed,)
        y = self.forward(*args, **kwargs)
        for hook in [*self._after.values()]:
            if (changed := hook(self, args, y)) is not None:
                y = changed
        return y


def _check_sizes(least: int = 1, **sizes: Any) -> None:
    """Raise ValueError for a size that is no integer >= ``least``."""
    for name, size in sizes.items():
        if not isinstance(size, int) or size < least:
            message = f"{name} must be an integer >= {least}, got {size!r}"
            raise ValueError(message)


def _uniform(fan_in: int, *shape: int) -> Parameter:
    """Draw a parameter within Eq. (module-vs-functional-init)."""
    bound = fan_in**-0.5
    return Parameter(torch.empty(shape).uniform_(-bound, bound))


class Linear(Module):
    """A weight and a bias for ``F.linear``, Eq. (module-vs-functional-linear).

    Raises ValueError for a size below 1.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
    ) -> None:
        """Draw the weight, then the bias."""
        _check_sizes(in_features=in_features, out_features=out_features)
        super().__init__()
        self.in_features = in_features
        self.weight = _uniform(in_features, out_features, in_features)
        self.bias = _uniform(in_features, out_features) if bias else None

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch m"]:
        """Call the function with the state.

        Raises ValueError for another width.
        """
        width = self.in_features
        if not isinstance(x, Tensor) or not x.dim() or x.size(-1) != width:
            expected = f"a tensor [..., {width}]"
            raise ValueError(f"expected {expected}, got {_given(x)!r}")
        return F.linear(x, self.weight, self.bias)


class Conv2d(Module):
    """A weight and a bias for ``F.conv2d`` with a square kernel.

    Raises ValueError for a size below 1 or a negative padding.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        """Draw the weight, then the bias."""
        sizes = {"in_channels": in_channels, "out_channels": out_channels}
        _check_sizes(**sizes, kernel_size=kernel_size, stride=stride)
        _check_sizes(0, padding=padding)
        super().__init__()
        self.in_channels = in_channels
        self.stride, self.padding = stride, padding
        fan_in, square = in_channels * kernel_size**2, [kernel_size] * 2
        self.weight = _uniform(fan_in, out_channels, in_channels, *square)
        self.bias = _uniform(fan_in, out_channels) if bias else None

    def forward(
        self,
        x: Float[Tensor, "*batch c h w"],
    ) -> Float[Tensor, "*batch d i j"]:
        """Call the function with the state.

        Raises ValueError for other channels.
        """
        dims = x.dim() if isinstance(x, Tensor) else 0
        if dims not in (3, 4) or x.size(-3) != self.in_channels:
            expected = f"a tensor [{self.in_channels}, h, w] or a batch of these"
            raise ValueError(f"expected {expected}, got {_given(x)!r}")
        return F.conv2d(x, self.weight, self.bias, self.stride, self.padding)


class Dropout(Module):
    """The mode for ``F.dropout``, Eq. (module-vs-functional-dropout).

    Raises ValueError unless 0 <= p <= 1.
    """

    def __init__(self, p: Any = 0.5) -> None:
        """Keep the probability."""
        if not isinstance(p, float | int) or not 0 <= p <= 1:
            raise ValueError(f"p must be a number from 0 to 1, got {p!r}")
        super().__init__()
        self.p = p

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """Call the function with the mode."""
        return F.dropout(x, self.p, self.training)


class BatchNorm1d(Module):
    """All three for ``F.batch_norm``, Eq. (module-vs-functional-norm).

    Raises ValueError for a size below 1.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        """Start from the identity and the statistics of a standard normal."""
        _check_sizes(num_features=num_features)
        super().__init__()
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(torch.ones(num_features))
        self.bias = Parameter(torch.zeros(num_features))
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(
        self,
        x: Float[Tensor, "batch c *length"],
    ) -> Float[Tensor, "batch c *length"]:
        """Call the function with everything; training updates the buffers.

        Raises ValueError for another shape, in training for one value a feature.
        """
        dims = x.dim() if isinstance(x, Tensor) else 0
        if dims not in (2, 3) or x.size(1) != self.num_features:
            expected = f"a tensor [batch, {self.num_features}] or with a length"
            raise ValueError(f"expected {expected}, got {_given(x)!r}")
        if self.training:
            if x.numel() <= self.num_features:
                message = "training needs more than one value a feature"
                raise ValueError(f"{message}, got {list(x.shape)}")
            self.num_batches_tracked.add_(1)
        return F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            self.momentum,
            self.eps,
        )


class ModuleList(Module):
    """Modules under the names 0, 1, 2, ...

    Raises TypeError for what is no Module.
    """

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        """Append the modules one by one."""
        super().__init__()
        for module in modules:
            self.append(module)

    def append(self, module: Any) -> "ModuleList":
        """Give a module the next number."""
        if not isinstance(module, Module):
            raise TypeError(f"expected a Module, got {module!r}")
        setattr(self, str(len(self)), module)
        return self

    def __len__(self) -> int:
        """Count the modules."""
        return len(self._kinds)

    def __iter__(self) -> Iterator[Module]:
        """Yield the modules in order."""
        return (vars(self)[key] for key in self._kinds)

    def __getitem__(self, index: int) -> Module:
        """Return one module.  Raises IndexError outside the list."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected one of {len(self)} modules, got {index}")
        return [*self][index]


class Sequential(ModuleList):
    """Modules of which each takes what the one before returns."""

    def __init__(self, *modules: Any) -> None:
        """Take the modules as arguments."""
        super().__init__(modules)

    def forward(self, x: Any) -> Any:
        """Go through the modules."""
        for module in self:
            x = module(x)
        return x


class Lambda(Module):
    """A function in the clothes of a Module.

    Raises TypeError for what cannot be called.
    """

    def __init__(self, function: Any) -> None:
        """Keep the function."""
        _check_callable(function)
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        """Call the function."""
        return self.function(*args)


def _places_for(
    module: Module,
    params: Any,
) -> list[tuple[dict, str, Tensor]]:
    """Return where each new tensor goes: a ``__dict__``, a key, and the tensor.

    Raises TypeError for no mapping; ValueError for an unknown name, no tensor,
    another shape or two values for one tied tensor.
    """
    _check_mapping(params)
    slots = module._slots(Parameter, Tensor)
    places = {name: (vars(owner), key) for name, owner, key in slots}
    if unknown := sorted(params.keys() - places.keys(), key=str):
        raise ValueError(f"no parameter or buffer named {unknown}")
    new: dict[int, Tensor] = {}
    for name, tensor in params.items():
        home, key = places[name]
        if wrong := _misfit(name, tensor, home[key]):
            raise ValueError(wrong)
        if new.setdefault(id(home[key]), tensor) is not tensor:
            raise ValueError(f"{name!r} is tied to a name with another value")
    old = [(home, key, id(home[key])) for home, key in places.values()]
    return [(home, key, new[t]) for home, key, t in old if t in new]


def functional_call(module: Any, params: Any, *args: Any) -> Any:
    """Call a module as f of the given state, Eq. (module-vs-functional-call).

    What ``params`` does not name stays as it is.

    Raises TypeError for no Module, and what ``_places_for`` raises.
    """
    if not isinstance(module, Module):
        raise TypeError(f"expected a Module, got {module!r}")
    new = _places_for(module, params)
    old = [(home, key, home[key]) for home, key, _ in new]
    try:
        for home, key, tensor in new:
            home[key] = tensor
        return module(*args)
    finally:
        for home, key, tensor in old:
            home[key] = tensor


@dataclass(frozen=True)
class Inventory:
    """Which classes of ``torch.nn`` use which functions of ``F``.

    ``uses`` maps a class to the functions that it or its bases name; ``ways``
    maps a function to how a class reaches it: "direct", "through" another
    function, by its name only ("namesake"), or not at all ("none").
    """

    uses: dict[str, frozenset[str]]
    ways: dict[str, str]


@cache
def _definitions(module: str) -> dict[str, list[ast.stmt]]:
    """Return a module's top-level definitions and assignments by name."""
    found: dict[str, list[ast.stmt]] = {}
    for node in ast.parse(inspect.getsource(sys.modules[module])).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node]
        for target in targets:
            name = getattr(target, "id", getattr(target, "name", ""))
            found.setdefault(name, []).append(node)
    return found


def _names_in(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that code mentions."""
    walked = (part for node in nodes for part in ast.walk(node))
    return {part.id for part in walked if isinstance(part, ast.Name)}


def _used_functions(cls: type) -> frozenset[str]:
    """Return what a class and its bases name of ``F``."""
    nodes: list[ast.stmt] = []
    for base in cls.__mro__:
        if issubclass(base, nn.Module) and base is not nn.Module:
            nodes += _definitions(base.__module__).get(base.__name__, [])
    walked = (part for node in nodes for part in ast.walk(node))
    dotted = (part for part in walked if isinstance(part, ast.Attribute))
    named = (part for part in dotted if ast.unparse(part.value) == "F")
    return frozenset(part.attr for part in named)


def _public_functions() -> list[str]:
    """Return the functions that ``F`` defines and that return something."""
    names = []
    for name, nodes in _definitions(F.__name__).items():
        value = getattr(F, name, None) if name[:1] not in ("", "_") else None
        returns = getattr(nodes[-1], "returns", None)
        checks = isinstance(returns, ast.Constant) and returns.value is None
        if callable(value) and not isinstance(value, type) and not checks:
            names.append(name)
    return names


def inventory() -> Inventory:
    """Read the installed torch: which class uses which function?"""
    found = {name: cls for name, cls in vars(nn).items() if inspect.isclass(cls)}
    classes = {n: c for n, c in found.items() if issubclass(c, nn.Module)}
    classes.pop("Module")
    functions, defined = _public_functions(), _definitions(F.__name__)
    uses = {n: _used_functions(cls) & {*functions} for n, cls in classes.items()}
    direct = frozenset().union(*uses.values())
    reached, waiting = set(), [*direct]
    while waiting:
        if (name := waiting.pop()) not in reached:
            reached.add(name)
            waiting += _names_in(defined.get(name, []))
    namesakes = {name.lower() for name in classes}

    def way(name: str) -> str:
        """Return the nearest way from a class to a function."""
        if name in direct:
            return "direct"
        if name in reached:
            return "through"
        return "namesake" if name.replace("_", "") in namesakes else "none"

    return Inventory(uses, {name: way(name) for name in functions})


def figure_split():
    """Show what four classes of torch own, as found in one object of each."""
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyBboxPatch

    from snippets.common import plot

    rows = {
        "nn.ReLU": (nn.ReLU(), F.relu),
        "nn.Linear": (nn.Linear(2, 3), F.linear),
        "nn.Dropout": (nn.Dropout(), F.dropout),
        "nn.BatchNorm1d": (nn.BatchNorm1d(3), F.batch_norm),
    }
    fig = Figure(figsize=(5.4, 4.0))
    ax = fig.subplots()
    columns = {"参数 θ": 2.0, "缓冲区 s": 3.35, "模式 t": 4.75}
    for title, x in columns.items():
        ax.text(x, -0.75, title, ha="center", color=plot.MUTED, fontsize=14)
    for y, (name, (module, function)) in enumerate(rows.items()):
        mode = "self.training" in inspect.getsource(type(module).forward)
        owned = [
            [key for key, _ in module.named_parameters()],
            [key for key, _ in module.named_buffers()],
            ["training"] if mode else [],
        ]
        box = FancyBboxPatch(
            (-0.05, y - 0.42), 5.3, 0.84, boxstyle="round,pad=0.02", facecolor="none",
            edgecolor=plot.GRID, linewidth=1.5,
        )  # fmt: skip
        ax.add_patch(box)
        ax.text(0.05, y, f"{name}\nF.{function.__name__}", va="center", fontsize=12)
        for i, (x, keys) in enumerate(zip(columns.values(), owned, strict=True)):
            text = "\n".join(keys) or "–"
            color = plot.CYCLE[i] if keys else plot.MUTED
            ax.text(x, y, text, ha="center", va="center", color=color, fontsize=11)
    ax.set(xlim=(-0.12, 5.34), ylim=(3.55, -1.05))
    ax.set_axis_off()
    return fig


_WAYS = {
    "direct": "源码里用到",
    "through": "经别的函数用到",
    "namesake": "只有同名的类",
    "none": "没有类",
}


def figure_inventory():
    """Count classes by whether they use F, and functions by how a class reaches them."""
    from matplotlib.figure import Figure

    from snippets.common import plot

    found = inventory()
    using = sum(map(bool, found.uses.values()))
    classes = {"用到 F": using, "不用 F": len(found.uses) - using}
    functions = {label: [*found.ways.values()].count(way) for way, label in _WAYS.items()}
    fig = Figure(figsize=(5.4, 3.2))
    ax = fig.subplots()
    for y, (counts, colors) in enumerate([(classes, (0, 1)), (functions, (0, 5, 4, 1))]):
        left = 0
        for i, ((label, count), color) in enumerate(zip(counts.items(), colors, strict=True)):
            ax.barh(y, count, left=left, height=0.34, color=plot.CYCLE[color], alpha=0.85)
            last = i == len(counts) - 1
            x, side = (left + count + 2, 0) if last else (left + count / 2, i % 2 * 2 - 1)
            align = "left" if last else "center"
            ax.text(x, y + side * 0.29, f"{label} {count}", ha=align, va="center", fontsize=12)
            left += count
        total = f"{'类' if y == 0 else '函数'} {left}"
        ax.text(-3, y, total, ha="right", va="center", fontsize=13)
    ax.set(xlim=(-42, 206), ylim=(1.55, -0.55))
    ax.set_axis_off()
    return fig


def figure_overhead():
    """Plot how much longer a class takes than its function, against the width, both in logs."""
    from matplotlib.figure import Figure

    from snippets.common import plot, records

    record = records.load("python/module-vs-functional")
    ratios, widths = record.results["ratio"], record.inputs["widths"]
    fig = Figure(figsize=(5.4, 3.8))
    ax = fig.subplots()
    lines = [("linear", "nn", 0, "o"), ("linear", "own", 0, "s")]
    lines += [("relu", "nn", 1, "o"), ("relu", "own", 1, "s")]
    for layer, who, color, marker in lines:
        points = {w: ratios[layer][f"w{w}"][who] - 1 for w in widths}
        label = {"nn": "torch", "own": "自己的"}[who] + {"linear": " Linear", "relu": " ReLU"}[
            layer
        ]
        style = "-" if who == "nn" else ":"
        noise = record.results["noise"]
        shown = {w: 100 * excess for w, excess in points.items() if excess > noise}
        ax.plot(
            *zip(*shown.items(), strict=True), style, color=plot.CYCLE[color], marker=marker,
            label=label,
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", xlabel="宽度 n", ylabel="比函数多花的时间（%）")
    ax.set_xticks([4**k for k in range(6)], [str(4**k) for k in range(6)])
    ax.set_yticks([1, 10, 100], ["1", "10", "100"])
    ax.minorticks_off()
    ax.legend()
    return fig
