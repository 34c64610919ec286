# ruff: noqa: E741 -- l is the length of a chain, as in the papers
"""How little recomputation a memory budget needs: binomial checkpointing and dynamic programming.

Left out: layers of unequal cost, snapshots on disk, chains whose length is not known beforehand.
"""

from collections.abc import Iterator
from functools import cache
from math import comb, inf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .recompute import (
    Layers,
    Replay,
    _check_backward_call,
    _check_grad_input,
    _edges,
    _pull_back,
    check_count,
    checkpoint,
    compose,
)

Action = tuple[str, int] | tuple[str, int, int]


def beta(c: int, r: int) -> int:
    """Return how many steps c snapshots reverse, none repeated over r times.

    Eq. (gradient-checkpointing-beta).

    Raises:
        ValueError: a number is negative.
    """
    check_count("c", c, 0)
    check_count("r", r, 0)
    return comb(c + r, c)


def revolve_cost(l: int, c: int) -> int:
    """Return the fewest advances that reverse l steps with c snapshots.

    Eq. (gradient-checkpointing-revolve-cost); taping forwards are not counted.

    Raises:
        ValueError: a number is below 1.
    """
    check_count("l", l, 1)
    check_count("c", c, 1)
    r = 0
    while beta(c, r) < l:
        r += 1
    return r * l - (beta(c + 1, r - 1) if r else 0)


def revolve_schedule(l: int, c: int) -> list[Action]:
    """Return a cheapest schedule for l steps and c snapshots, x_0 included.

    ``("store", i)`` keeps the state before step i and ``("free", i)`` drops it;
    ``("forward", i, j)`` advances from state i, stored or current, to state j;
    ``("backward", i)`` tapes and reverses step i.

    Raises:
        ValueError: a number is below 1.
    """
    check_count("l", l, 1)
    check_count("c", c, 1)
    return [("store", 0), *_reverse(0, l, c), ("free", 0)]


def _reverse(i: int, j: int, c: int) -> Iterator[Action]:
    """Reverse steps i … j−1, state i being one of the c snapshots."""
    if j - i > 1:
        mid = i + _split(j - i, c)
        yield ("forward", i, mid)
        if j - mid == 1:  # the state is used at once and needs no snapshot
            yield ("backward", mid)
        else:
            yield ("store", mid)
            yield from _reverse(mid, j, c - 1)
            yield ("free", mid)
        yield from _reverse(i, mid, c)
    else:
        yield ("backward", i)


def _split(l: int, c: int) -> int:
    """Return where the second snapshot goes.

    Eq. (gradient-checkpointing-revolve-recursion).
    """
    if c == 1:
        return l - 1

    def cost(m: int) -> int:
        return m + revolve_cost(m, c) + revolve_cost(l - m, c - 1)

    return min(range(1, l), key=cost)


class _Walker:
    """Executes a schedule: snapshots, current state, how to repeat a layer."""

    def __init__(self, layers: Layers, snapshots: int, x: Tensor) -> None:
        self.layers, self.replays = layers, list[Replay]()
        self.actions = iter(revolve_schedule(len(layers), snapshots))
        self.snapshots: dict[int, Tensor] = {}
        self.current: tuple[int, Any] = 0, x

    def walk(self) -> int | None:
        """Go on to the next reversal, the input at hand; return its step."""
        for kind, i, *to in self.actions:
            if kind == "store":
                self.snapshots[i] = self.state(i)
            elif kind == "free":
                del self.snapshots[i]
            else:
                self.advance(i, to[0] if to else i)
                if kind == "backward":
                    return i
        return None

    def state(self, i: int) -> Tensor:
        at, state = self.current
        return state if at == i and state is not None else self.snapshots[i]

    def advance(self, i: int, j: int) -> None:
        x = self.state(i)
        self.current = i, None  # let go of a state that is no snapshot
        for k in range(i, j):
            if k == len(self.replays):  # the first visit
                self.replays.append(Replay(self.layers[k]))
                x = self.layers[k](x)
            else:
                x = self.replays[k](x)
        self.current = j, x

    def reverse(self, i: int, grad: Tensor) -> Any:
        x = self.state(i).detach().requires_grad_()
        self.current = i, None
        with torch.enable_grad():
            edges = _edges(self.replays[i](x))
        _pull_back(edges, (grad,))
        return x.grad


class _Revolve(torch.autograd.Function):
    """All layers but the last, which the ordinary graph tapes."""

    @staticmethod
    def forward(ctx: Any, layers: Layers, snapshots: int, x: Tensor) -> Tensor:
        ctx.walker = walker = _Walker(layers, snapshots, x)
        ctx.save_for_backward(x)  # has autograd notice a changed input
        walker.walk()
        (_, y), walker.current = walker.current, (0, None)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[None, None, Tensor]:
        _check_backward_call("revolve")
        walker, _ = ctx.walker, ctx.saved_tensors
        if not walker.snapshots:
            raise RuntimeError("revolve reverses once only: no snapshots left")
        while (i := walker.walk()) is not None:
            grad = walker.reverse(i, grad)
        return None, None, grad


def revolve(
    layers: Layers,
    snapshots: int,
    x: Float[Tensor, "*batch"],
) -> Float[Tensor, "*out"]:
    """Run the layers; backward follows a cheapest schedule with these snapshots.

    Raises:
        ValueError: there are no layers, no snapshots, or ``x`` requires no grad.
        RuntimeError: in backward, when it is not a plain one or is a second one.
    """
    check_count("layers", len(layers), 1)
    check_count("snapshots", snapshots, 1)
    if torch.is_grad_enabled() and len(layers) > 1:
        _check_grad_input("revolve", (x,))
        x, layers = _Revolve.apply(layers, snapshots, x), layers[-1:]
    return compose(layers)(x)


@cache
def _optimal(l: int, m: int) -> list[tuple[int | float, int]]:
    """Return the fewest forwards with m units and the split, for 0 … l."""
    if m == 0:
        return [(0, 0)] + [(inf, 0)] * l
    fewer = _optimal(l, m - 1)
    # as many layers as units: all fit
    row: list[tuple[int | float, int]] = [(k, 0) for k in range(m + 1)]
    for k in range(m + 1, l + 1):
        splits = [(j + fewer[k - j][0] + row[j][0], j) for j in range(1, k)]
        row.append(min(splits))
    return row


def optimal_cost(l: int, m: int) -> int:
    """Return the fewest forwards for l layers when m activations may be alive.

    Eq. (gradient-checkpointing-taping); x is not counted, taping forwards are.

    Raises:
        ValueError: a number is below 1, or one unit is to do for several layers.
    """
    check_count("l", l, 1)
    check_count("m", m, 1)
    if m == 1 < l:
        raise ValueError(f"m must be at least 2 for l = {l} layers, got 1")
    return int(_optimal(l, min(l, m))[l][0])


def checkpoint_optimal(
    layers: Layers, units: int, x: Float[Tensor, "*batch"]
) -> Float[Tensor, "*out"]:
    """Run with the fewest forwards that ``units`` live activations allow.

    Raises:
        ValueError: ``optimal_cost`` refuses them, or ``x`` requires no grad.
    """
    optimal_cost(len(layers), units)
    if len(layers) <= units:
        return compose(layers)(x)
    split = _optimal(len(layers), units)[-1][1]
    x = checkpoint(lambda x: checkpoint_optimal(layers[:split], units, x), x)
    return checkpoint_optimal(layers[split:], units - 1, x)


def checkpoint_recursive(
    layers: Layers, leaf: int, x: Float[Tensor, "*batch"]
) -> Float[Tensor, "*out"]:
    """Halve the chain until a piece has at most ``leaf`` layers (Chen et al.).

    Raises:
        ValueError: ``leaf`` is below 1, or ``x`` requires no grad.
    """
    check_count("leaf", leaf, 1)
    if len(layers) <= leaf:
        return compose(layers)(x)
    half = len(layers) // 2
    x = checkpoint(lambda x: checkpoint_recursive(layers[:half], leaf, x), x)
    return checkpoint_recursive(layers[half:], leaf, x)
