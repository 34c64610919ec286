"""The engine: a record of operations, their VJPs, and the sweep that applies them in reverse."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial, wraps
from inspect import Parameter, signature
from itertools import count
from typing import Any, NamedTuple

import numpy as np

Rule = Callable[..., Any]
Array = Any  # a NumPy array of float64, or a scalar of it
Shape = tuple[int, ...]
Axes = int | tuple[int, ...] | None

_clock = count(1)  # when tensors are born and memory is overwritten
_recording = ContextVar("recording", default=True)  # every thread has its own


# recording


class Node(NamedTuple):
    """How a tensor was made: the operation, its inputs, its constants."""

    operation: Any
    inputs: tuple["Tensor", ...]
    options: dict[str, Any]


_FREED = Node(None, (), {})


def primitive(forward: Callable[..., Any]) -> Any:
    """Turn a function on arrays into an operation on tensors that is recorded.

    Parameters before "/" are tensors, the others constants; without "/" all are
    tensors.  The operation raises TypeError for too many arguments.
    """
    parameters = signature(forward).parameters.values()
    n = [p.kind for p in parameters].count(Parameter.POSITIONAL_ONLY) or None
    constants = [p.name for p in parameters][n:]

    @wraps(forward)
    def operation(*args: Any, **options: Any) -> "Tensor":
        tensors = [a if isinstance(a, Tensor) else Tensor(a) for a in args[:n]]
        inputs = tuple(tensors)
        if n and len(args) > n:
            if len(args) > n + len(constants):
                raise TypeError(f"{forward.__name__} got {len(args)} arguments")
            options |= zip(constants, args[n:], strict=False)
        y = Tensor(forward(*[x.data for x in inputs], **options))
        source = inputs[0] if inputs else y
        if y.data.base is not None and np.may_share_memory(y.data, source.data):
            y.written = source.written  # a view
        if _recording.get() and any([x.requires_grad for x in inputs]):
            y.requires_grad, y.node = True, Node(operation, inputs, options)
        return y

    return defvjp()(operation)


def defvjp(*vjps: Rule, every: Rule | None = None) -> Any:
    """Give an operation one VJP per input, or one for all, called by number.

    A VJP takes g, y, the inputs and the options.  Of parameters whose names
    begin with "_" it reads the shape only: their values may be overwritten.
    Raises ValueError if a VJP has too few parameters.
    """

    def attach(operation: Any) -> Any:
        rules = [partial(every, 0)] if every else vjps
        n = len(rules)
        reads = []  # 0 stands for y, k for input k - 1
        for rule in rules:
            names = list(signature(rule).parameters)[1 : n + 2]
            if len(names) < n + 1:
                raise ValueError(f"VJP needs g, y and {n} inputs, got {names}")
            reads.append([k for k, name in enumerate(names) if name[0] != "_"])
        operation.vjps, operation.every, operation.reads = vjps, every, reads
        return operation

    return attach


@contextmanager
def _set_recording(on: bool) -> Iterator[None]:
    """Switch recording on or off in this thread, and back at the end."""
    before = _recording.set(on)
    try:
        yield
    finally:
        _recording.reset(before)


def no_grad() -> Any:
    """Compute without recording: a context, or a decorator."""
    return _set_recording(False)


# the sweep


def ancestors(*outputs: Any) -> list["Tensor"]:
    """Return all recorded tensors behind the outputs, the oldest first.

    Raises TypeError for anything but tensors, RuntimeError if an earlier sweep
    freed part of the record.
    """
    for y in outputs:
        if not isinstance(y, Tensor):
            raise TypeError(f"expected a Tensor, got {y!r}")
    seen = {t for t in outputs if t.requires_grad}
    todo = list(seen)
    while todo:
        t = todo.pop()
        if t.node is _FREED:
            raise RuntimeError(
                f"the record behind a tensor of shape {t.shape} was freed by an "
                "earlier sweep: give that one retain_graph=True"
            )
        inputs = t.node.inputs if t.node else ()
        new = {x for x in inputs if x.requires_grad} - seen
        seen.update(new)
        todo.extend(new)
    return sorted(seen, key=lambda t: t.born)


def unbroadcast(g: "Tensor", shape: Shape) -> "Tensor":
    """Sum over what broadcasting repeated, Eq. (autograd-unbroadcast)."""
    if g.shape == shape:
        return g
    extra = g.ndim - len(shape)
    stretched = [extra + i for i, n in enumerate(shape) if n == 1]
    return g.sum((*range(extra), *stretched)).reshape(shape)


def _vjp(y: "Tensor", i: int) -> Rule:
    """Return the VJP for input i of the operation that made y.

    Raises NotImplementedError if there is none, RuntimeError if what it reads
    was overwritten since.
    """
    operation, inputs, _ = y.node or _FREED
    rule = 0 if operation.every else i
    if rule >= len(operation.reads):
        name = operation.__name__
        raise NotImplementedError(f"{name} has no VJP for input {i}")
    for k in operation.reads[rule]:
        t = inputs[k - 1] if k else y
        if t.written[0] > y.born:
            which = f"input {k - 1}" if k else "the output"
            raise RuntimeError(
                f"{which} of {operation.__name__}, shape {t.shape}, "
                "was modified in place after it was recorded"
            )
    return partial(operation.every, i) if operation.every else operation.vjps[i]


def _sweep(
    order: list["Tensor"],
    grads: dict["Tensor", "Tensor"],
    targets: frozenset["Tensor"],
    keep: bool,
) -> None:
    """Send cotangents from the youngest to the oldest, Eq. (autograd-sweep)."""
    wanted = set(targets)
    for y in order:
        if y.node and not wanted.isdisjoint(y.node.inputs):
            wanted.add(y)
    for y in reversed(order):
        if y.node is None or y not in wanted or y not in grads:
            continue
        _, inputs, options = y.node
        g = grads[y]
        for i, x in enumerate(inputs):
            if x in wanted:
                part = unbroadcast(_vjp(y, i)(g, y, *inputs, **options), x.shape)
                grads[x] = grads[x] + part if x in grads else part
        if y not in targets:
            del grads[y]
        if not keep:
            y.node = _FREED


def _seed(y: "Tensor", gradient: Any) -> "Tensor":
    """Return where the sweep starts: v, or 1 for a single number."""
    if not y.requires_grad:
        raise RuntimeError(f"output of shape {y.shape} does not require grad")
    if gradient is None:
        if y.data.size != 1:
            raise RuntimeError(
                f"the output has shape {y.shape}, not one element: give a v "
                "of this shape to get the gradient of (v * output).sum()"
            )
        return Tensor(np.ones(y.shape))
    v = gradient if isinstance(gradient, Tensor) else Tensor(gradient)
    if v.shape != y.shape:
        raise ValueError(f"gradient has shape {v.shape}, the output {y.shape}")
    return v


def grad(
    outputs: "Tensor",
    inputs: "Tensor | Sequence[Tensor]",
    grad_outputs: Any = None,
    create_graph: bool = False,
    retain_graph: bool | None = None,
) -> tuple["Tensor", ...]:
    """Return v^T J for each input, Eq. (autograd-vjp); leave every .grad alone.

    Raises TypeError for anything but tensors; ValueError for a v of other shape
    than the output's; RuntimeError if there is no path from an input to it, or
    if the record was freed or overwritten.
    """
    order = ancestors(outputs)
    grads = {outputs: _seed(outputs, grad_outputs)}
    reached = set(order)
    targets = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, x in enumerate(targets):
        if x not in reached:
            raise RuntimeError(f"the output does not depend on input {i}: {x!r}")
    keep = create_graph if retain_graph is None else retain_graph
    with _set_recording(create_graph):
        _sweep(order, grads, frozenset(targets), keep)
    return tuple(grads[x] for x in targets)


# the primitives, each below its VJPs


@defvjp(lambda g, _y, _a, _b: g, lambda g, _y, _a, _b: g)
@primitive
def add(a: Array, b: Array, /) -> Array:
    """a + b: both inputs get the cotangent unchanged."""
    return a + b


@defvjp(lambda g, _y, _a, b: g * b, lambda g, _y, a, _b: g * a)
@primitive
def mul(a: Array, b: Array, /) -> Array:
    """a * b: each input gets the cotangent times the other input."""
    return a * b


@defvjp(lambda g, _y, x, n: g * (n * x ** (n - 1)) if n else g * 0)
@primitive
def power(x: Array, /, n: Any) -> Array:
    """x ** n for a number n."""
    if not isinstance(n, (int, float)):
        raise TypeError(f"the exponent must be a number, got {n!r}")
    return x**n


@defvjp(lambda g, y, _x: g * y)
@primitive
def exp(x: Array, /) -> Array:
    """e ** x: the VJP reads the output."""
    return np.exp(x)


@defvjp(lambda g, _y, x: g / x)
@primitive
def log(x: Array, /) -> Array:
    """Natural logarithm."""
    return np.log(x)


@defvjp(lambda g, y, _x: g * (1 - y * y))
@primitive
def tanh(x: Array, /) -> Array:
    """Hyperbolic tangent: the VJP reads the output."""
    return np.tanh(x)


@defvjp(lambda g, y, _x: g * (y.data > 0))
@primitive
def relu(x: Array, /) -> Array:
    """max(x, 0), with derivative 0 at 0 as in torch."""
    return np.maximum(x, 0)


@defvjp(
    lambda g, _y, _a, b: g @ b.transpose(-1, -2),
    lambda g, _y, a, _b: a.transpose(-1, -2) @ g,
)
@primitive
def matmul(a: Array, b: Array, /) -> Array:
    """a @ b over the last two axes, Eq. (autograd-matmul); others broadcast."""
    if min(a.ndim, b.ndim) < 2:
        raise ValueError(f"need 2 or more axes, got {a.shape}, {b.shape}")
    return a @ b


def _expanded(t: "Tensor", x: "Tensor", axis: Axes) -> "Tensor":
    """Give the result of a reduction of x its lost axes back, of length 1."""
    shape = np.empty(x.shape, bool).any(axis, keepdims=True).shape
    return t.reshape(shape)


def _sum_vjp(g: "Tensor", _y: Any, _x: "Tensor", **options: Any) -> "Tensor":
    """Give every summand the cotangent of its sum."""
    return broadcast_to(_expanded(g, _x, options.get("axis")), _x.shape)


@defvjp(_sum_vjp)
@primitive
def sum_over(x: Array, /, axis: Axes = None, keepdims: bool = False) -> Array:
    """Sum over some axes, or all: the cotangent goes to every summand."""
    return x.sum(axis, keepdims=keepdims)


def _amax_vjp(g: "Tensor", y: "Tensor", x: "Tensor", **options: Any) -> "Tensor":
    """Split the cotangent evenly among the elements that attain the maximum."""
    axis = options.get("axis")
    hit = x.data == _expanded(y, x, axis).data
    return _expanded(g, x, axis) * (hit / hit.sum(axis, keepdims=True))


@defvjp(_amax_vjp)
@primitive
def amax(x: Array, /, axis: Axes = None, keepdims: bool = False) -> Array:
    """Maximum over some axes, or all."""
    return x.max(axis, keepdims=keepdims)


@defvjp(lambda g, y, _x, axis=-1: g - exp(y) * g.sum(axis, keepdims=True))
@primitive
def log_softmax(x: Array, /, axis: int = -1) -> Array:
    """Logarithm of softmax, Eq. (autograd-log-softmax), without overflow."""
    x = x - x.max(axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis, keepdims=True))


@defvjp(lambda g, _y, _x, shape: g.reshape(_x.shape))
@primitive
def reshape(x: Array, /, shape: int | Shape) -> Array:
    """Same numbers, other shape."""
    return x.reshape(shape)


@defvjp(lambda g, _y, _x, a=-1, b=-2: g.transpose(a, b))
@primitive
def transpose(x: Array, /, a: int = -1, b: int = -2) -> Array:
    """Swap two axes."""
    return x.swapaxes(a, b)


@defvjp(lambda g, _y, _x, shape: g)
@primitive
def broadcast_to(x: Array, /, shape: Shape) -> Array:
    """Repeat along new or stretched axes; the sweep sums over them."""
    return np.broadcast_to(x, shape)


@defvjp(lambda g, _y, _x, index: put(g, index, _x.shape))
@primitive
def getitem(x: Array, /, index: Any) -> Array:
    """x[index], where an element may be taken any number of times."""
    return x[index]


@defvjp(lambda g, _y, _x, index, shape: g[index])
@primitive
def put(x: Array, /, index: Any, shape: Shape) -> Array:
    """Add x into zeros at index: the transpose of getitem."""
    zeros = np.zeros(shape)
    np.add.at(zeros, index, x)
    return zeros


def _cat_vjp(i: int, g: "Tensor", _y: Any, *_xs: Any, axis: int) -> "Tensor":
    """Cut from the cotangent the part of input i."""
    start = sum(x.shape[axis] for x in _xs[:i])
    cut = slice(start, start + _xs[i].shape[axis])
    return g[(slice(None),) * (axis % g.ndim) + (cut,)]


@defvjp(every=_cat_vjp)
@primitive
def _cat(*xs: Array, axis: int) -> Array:
    return np.concatenate(xs, axis)


def cat(tensors: Any, axis: int = 0) -> "Tensor":
    """Join tensors along an axis: each gets its part of the cotangent back."""
    return _cat(*tensors, axis=axis)


@defvjp(
    lambda g, _y, _a, _b, mask: where(mask, g, 0),
    lambda g, _y, _a, _b, mask: where(mask, 0, g),
)
@primitive
def _where(a: Array, b: Array, /, mask: Any) -> Array:
    return np.where(mask, a, b)


def where(mask: Any, a: Any, b: Any) -> "Tensor":
    """a where an array is true, b elsewhere: the other one gets 0."""
    if isinstance(mask, Tensor):
        raise TypeError(f"the mask must be an array of bool, got {mask!r}")
    return _where(a, b, mask=mask)


# the tensor


class Tensor:
    """An array of float64 that remembers which operation made it."""

    __slots__ = ("born", "data", "grad", "node", "requires_grad", "written")
    __array_ufunc__ = None  # so that array * tensor comes to Tensor.__rmul__

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        """Wrap numbers as float64; an array that is so already is not copied.

        Raises TypeError unless the numbers are real.
        """
        if not (type(data) is np.ndarray and data.dtype == np.float64):
            data = np.asarray(data)
            if data.dtype.kind not in "fiub":
                raise TypeError(f"a Tensor holds real numbers, got {data.dtype}")
            data = data.astype(np.float64)
        self.data: np.ndarray = data
        self.requires_grad = requires_grad
        self.grad: Tensor | None = None
        self.node: Node | None = None
        self.born = next(_clock)
        self.written = [0]  # time of the last write; views share it

    def __repr__(self) -> str:
        """Show the numbers and whether gradients flow here."""
        numbers = np.array2string(self.data, separator=", ", prefix="Tensor(")
        return f"Tensor({numbers}{', requires_grad=True' * self.requires_grad})"

    __add__ = __radd__ = add
    __mul__ = __rmul__ = mul
    __matmul__, __pow__, __getitem__ = matmul, power, getitem
    exp, log, tanh, relu = exp, log, tanh, relu
    sum, max, log_softmax = sum_over, amax, log_softmax
    reshape, transpose, expand = reshape, transpose, broadcast_to
    shape = property(lambda self: self.data.shape)
    ndim = property(lambda self: self.data.ndim)
    T = property(lambda self: self.transpose())

    def __neg__(self) -> "Tensor":
        """-x."""
        return mul(self, -1)

    def __sub__(self, other: Any) -> "Tensor":
        """x - other."""
        return add(self, mul(other, -1))

    def __rsub__(self, other: Any) -> "Tensor":
        """other - x."""
        return add(other, -self)

    def __truediv__(self, other: Any) -> "Tensor":
        """x / other."""
        return mul(self, power(other, -1))

    def __rtruediv__(self, other: Any) -> "Tensor":
        """other / x."""
        return mul(other, self**-1)

    def __rmatmul__(self, other: Any) -> "Tensor":
        """other @ x."""
        return matmul(other, self)

    def __gt__(self, other: Any) -> Any:
        """Where x > other, an array: a comparison has no derivative."""
        return self.data > (other.data if isinstance(other, Tensor) else other)

    def mean(self, axis: Axes = None, keepdims: bool = False) -> "Tensor":
        """Mean over some axes, or all."""
        total = sum_over(self, axis, keepdims)
        return total * (total.data.size / self.data.size)

    def item(self) -> float:
        """Return the only number; raises ValueError if there are more."""
        return self.data.item()

    def detach(self) -> "Tensor":
        """Return the same memory without the history."""
        same = Tensor(self.data)
        same.written = self.written
        return same

    def add_(self, other: Any) -> "Tensor":
        """Add in place; raises RuntimeError where that had to be recorded."""
        other = other if isinstance(other, Tensor) else Tensor(other)
        if _recording.get():
            for t, word in (self, "on"), (other, "of"):
                if t.requires_grad:
                    raise RuntimeError(
                        f"add_ {word} a tensor of shape {t.shape} that requires "
                        "grad is not recorded: use no_grad()"
                    )
        self.data += other.data
        self.written[0] = next(_clock)
        return self

    def backward(
        self,
        gradient: Any = None,
        create_graph: bool = False,
        retain_graph: bool | None = None,
    ) -> None:
        """Add to .grad of every leaf what grad() says; raises as grad() does."""
        leaves = [t for t in ancestors(self) if t.node is None]
        found = grad(self, leaves, gradient, create_graph, retain_graph)
        for leaf, new in zip(leaves, found, strict=True):
            leaf.grad = new if leaf.grad is None else leaf.grad + new
