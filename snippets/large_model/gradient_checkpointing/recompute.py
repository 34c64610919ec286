"""Checkpointing a function: drop what it would save for backward, run it again when that is needed.

Left out: random states of accelerators (only the CPU generator is put back), keyword arguments
(use a closure), outputs other than a tensor or a tuple of tensors.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import count
from math import isqrt
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge, saved_tensors_hooks

Layers = Sequence[Callable[[Tensor], Tensor]]


class Replay:
    """A function and what it sees besides its arguments, to repeat a call.

    That is the random state, if ``preserve_rng_state``, and autocast: backward
    usually runs outside the forward's ``with torch.autocast(…)`` block.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        preserve_rng_state: bool = True,
    ) -> None:
        """Note the present surroundings.

        Raises:
            TypeError: ``fn`` is not callable.
        """
        if not callable(fn):
            raise TypeError(f"fn must be callable, got {fn!r}")
        self.fn = fn
        self.rng = torch.get_rng_state() if preserve_rng_state else None
        self.autocast = _autocast()

    def __call__(self, *args: Any) -> Any:
        """Run the function in the noted surroundings, then put ours back."""
        if self.autocast != _autocast():
            with torch.autocast("cpu", *self.autocast):
                return self(*args)
        if self.rng is None:
            return self.fn(*args)
        now = torch.get_rng_state()
        torch.set_rng_state(self.rng)
        try:
            return self.fn(*args)
        finally:
            torch.set_rng_state(now)


def _autocast() -> tuple[torch.dtype, bool]:
    return torch.get_autocast_dtype("cpu"), torch.is_autocast_enabled("cpu")


def check_count(name: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse what is no integer between ``least`` and ``most``.

    Raises:
        TypeError: the value is not an integer.
        ValueError: it is out of range.
    """
    if not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least or (most is not None and value > most):
        expected = f"at least {least}" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} must be {expected}, got {value}")


def _check_grad_input(name: str, args: Iterable[Any]) -> None:
    if not any([isinstance(arg, Tensor) and arg.requires_grad for arg in args]):
        raise ValueError(
            f"{name} needs an argument tensor with requires_grad=True, got none: the parameters "
            "inside would silently get no gradient; use checkpoint_hooks, or x.requires_grad_()"
        )


def _check_backward_call(name: str) -> None:
    # create_graph=True turns grad mode on; autograd tells of grad() and inputs=
    if torch.is_grad_enabled() or not torch.autograd._is_checkpoint_valid():
        raise RuntimeError(
            f"{name} works with plain .backward() only, not with "
            "autograd.grad, inputs=… or create_graph=True: its inner "
            "backward adds to every .grad; use checkpoint_hooks"
        )


def _edges(out: Tensor | tuple[Tensor, ...]) -> list[GradientEdge | None]:
    """Return where backward enters each output's graph; outputs may then die."""
    outs = out if isinstance(out, tuple) else (out,)
    return [get_gradient_edge(t) if t.requires_grad else None for t in outs]


def _pull_back(
    edges: Sequence[GradientEdge | None],
    grads: Sequence[Tensor | None],
) -> None:
    """Send the gradients in at the edges, leaving out pairs that lack one."""
    both = zip(edges, grads, strict=True)
    pairs = [(e, g) for e, g in both if e and g is not None]
    if pairs:
        torch.autograd.backward([e for e, _ in pairs], [g for _, g in pairs])


class _Checkpoint(torch.autograd.Function):
    """Run a call without a graph; in backward repeat it with one."""

    @staticmethod
    def forward(ctx: Any, replay: Replay, *args: Any) -> Any:
        ctx.set_materialize_grads(False)  # an unused output gets None, not zeros
        ctx.replay = replay
        where = [i for i, arg in enumerate(args) if isinstance(arg, Tensor)]
        ctx.save_for_backward(*[args[i] for i in where])
        ctx.where, ctx.args = where, list(args)
        for i in where:
            ctx.args[i] = None
        out = replay.fn(*args)  # grad mode is off in here: nothing is saved
        outs = out if isinstance(out, tuple) else (out,)
        if not all(isinstance(t, Tensor) for t in outs):
            expected = "a tensor or a tuple of tensors"
            raise TypeError(f"fn must return {expected}, got {type(out)}")
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor | None) -> Any:
        _check_backward_call("checkpoint")
        where, args = ctx.where, list(ctx.args)
        for i, t in zip(where, ctx.saved_tensors, strict=True):
            args[i] = t.detach().requires_grad_(t.requires_grad)
        with torch.enable_grad():
            _pull_back(_edges(ctx.replay(*args)), grads)
        for i, arg in enumerate(args):
            args[i] = arg.grad if i in where else None
        return None, *args


def checkpoint(
    fn: Callable[..., Any],
    *args: Any,
    preserve_rng_state: bool = True,
) -> Any:
    """Return ``fn(*args)``, saving the arguments only; backward repeats it.

    Raises:
        TypeError: ``fn`` is not callable or returns something else than tensors.
        ValueError: grad mode is on but no argument requires grad.
        RuntimeError: in backward, when that is not a plain ``.backward()``.
    """
    replay = Replay(fn, preserve_rng_state)
    if not torch.is_grad_enabled():
        return fn(*args)
    _check_grad_input("checkpoint", args)
    return _Checkpoint.apply(replay, *args)


class _EnoughError(Exception):
    """All that backward needs has been recomputed."""


class _Recomputed:
    """What one call saves: numbers go in, recomputed tensors come out."""

    def __init__(
        self,
        replay: Replay,
        args: tuple[Any, ...],
        early_stop: bool,
    ) -> None:
        self.replay, self.args, self.early_stop = replay, args, early_stop
        self.shapes: list[torch.Size] = []
        self.tensors: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor) -> int:
        self.shapes.append(tensor.shape)
        return len(self.shapes) - 1

    def unpack(self, i: int) -> Tensor:
        if i not in self.tensors:
            self.recompute()
        return self.tensors.pop(i)

    def recompute(self) -> None:
        numbers = count()

        def keep(tensor: Tensor) -> None:
            i = next(numbers)
            if self.shapes[i : i + 1] != [tensor.shape]:
                raise self.changed(f"tensor {i} of shape {tuple(tensor.shape)}")
            self.tensors[i] = tensor.detach()
            if self.early_stop and i + 1 == len(self.shapes):
                raise _EnoughError

        try:
            with torch.enable_grad(), saved_tensors_hooks(keep, self.unpack):
                self.replay(*self.args)
        except _EnoughError:
            return
        if next(numbers) < len(self.shapes):
            raise self.changed(f"{len(self.tensors)} tensors")

    def changed(self, what: str) -> RuntimeError:
        first = [tuple(shape) for shape in self.shapes]
        again = f"fn saved {what} when run again"
        return RuntimeError(f"{again}, but {first} the first time")


def checkpoint_hooks(
    fn: Callable[..., Any],
    *args: Any,
    preserve_rng_state: bool = True,
    early_stop: bool = True,
) -> Any:
    """Return ``fn(*args)``, saving numbers for tensors; unpacking repeats it.

    The graph is the ordinary one, so arguments without grad, autograd.grad and
    second derivatives work. With ``early_stop`` the second run ends at the last
    tensor needed.

    Raises:
        TypeError: ``fn`` is not callable.
        RuntimeError: in backward, when ``fn`` saves other shapes than before.
    """
    frame = _Recomputed(Replay(fn, preserve_rng_state), args, early_stop)
    with saved_tensors_hooks(frame.pack, frame.unpack):
        return fn(*args)


def compose(layers: Layers) -> Callable[[Tensor], Tensor]:
    """Return the function that sends its argument through all layers in turn."""

    def run(x: Tensor) -> Tensor:
        for layer in layers:
            x = layer(x)
        return x

    return run


def checkpoint_segments(
    layers: Layers,
    sizes: Sequence[int],
    x: Float[Tensor, "*batch"],
    *,
    via: Callable[..., Any] = checkpoint,
) -> Float[Tensor, "*out"]:
    """Checkpoint segments of these sizes except the last: its backward is next.

    Raises:
        ValueError: ``sizes`` are not positive or do not add up to all layers.
    """
    if not sizes or min(sizes) < 1 or sum(sizes) != len(layers):
        expected = f"positive and add up to {len(layers)}"
        raise ValueError(f"sizes must be {expected}, got {list(sizes)}")
    start = 0
    for size in sizes[:-1]:
        x = via(compose(layers[start : start + size]), x)
        start += size
    return compose(layers[start:])(x)


def checkpoint_sequential(
    layers: Layers,
    segments: int,
    x: Float[Tensor, "*batch"],
    *,
    via: Callable[..., Any] = checkpoint,
) -> Float[Tensor, "*out"]:
    """Run ``segments`` segments of almost equal size, longer ones first.

    Raises:
        ValueError: ``segments`` is not between 1 and the number of layers.
    """
    check_count("segments", segments, 1, len(layers))
    size, longer = divmod(len(layers), segments)
    sizes = [size + 1] * longer + [size] * (segments - longer)
    return checkpoint_segments(layers, sizes, x, via=via)


def sqrt_segments(n: int) -> int:
    """Return a number of segments, next to √n, with the fewest live units.

    Eq. (gradient-checkpointing-live) with ⌊n/k⌋, the size of the last segment.

    Raises:
        ValueError: ``n`` is not positive.
    """
    check_count("n", n, 1)
    return isqrt(n + 1)
