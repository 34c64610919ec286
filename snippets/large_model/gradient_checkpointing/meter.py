"""Instruments: bytes alive at every operator, completed forwards, which activation is alive when.

Left out: temporaries inside an operator, which no dispatch mode can see, and what an allocator
rounds up.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import finalize

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode


def _tensors(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors of an operator's arguments or results."""
    if isinstance(tree, Tensor):
        yield tree
    elif isinstance(tree, (tuple, list)):
        for branch in tree:
            yield from _tensors(branch)
    elif isinstance(tree, dict):
        yield from _tensors(tuple(tree.values()))


class PeakMeter(TorchDispatchMode):
    """Count the bytes of each storage born in the ``with`` block until it dies.

    A storage is new when no argument of the operator that returns it already has
    it: views, in-place results and what existed before the block cost nothing.

    Attributes:
        cur: bytes alive now.
        peak: the largest ``cur`` seen.
        trace: ``cur`` after each operator.
        ops: how often each operator ran.
    """

    def __init__(self) -> None:
        """Start from zero bytes."""
        super().__init__()
        self.cur = self.peak = 0
        self.trace: list[int] = []
        self.ops: Counter[str] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Run the operator, then enter the storages that it made."""
        out = func(*args, **(kwargs or {}))
        known = {id(t.untyped_storage()) for t in _tensors((args, kwargs))}
        for tensor in _tensors(out):
            storage = tensor.untyped_storage()
            if id(storage) not in known:
                known.add(id(storage))
                self._born(storage)
        self.trace.append(self.cur)
        self.ops[func.overloadpacket.__name__] += 1
        return out

    def _born(self, storage: torch.UntypedStorage) -> None:
        self.cur += storage.nbytes()
        self.peak = max(self.peak, self.cur)
        finalize(storage, self._died, storage.nbytes()).atexit = False

    def _died(self, nbytes: int) -> None:
        self.cur -= nbytes


@contextmanager
def count_forwards(layers: Sequence[nn.Module]) -> Iterator[list[int]]:
    """Yield a list: item i counts the forwards that layer i has completed."""
    calls = [0] * len(layers)

    def hook_for(i: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, out: Any) -> None:
            calls[i] += 1

        return hook

    pairs = enumerate(layers)
    hooks = [layer.register_forward_hook(hook_for(i)) for i, layer in pairs]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


class StepCost(NamedTuple):
    """What a step took: bytes, completed forwards, bytes after each operator."""

    live: int
    peak: int
    forwards: int
    trace: list[int]


def measure_step(
    layers: Sequence[nn.Module],
    run: Callable[[Tensor], Float[Tensor, "*out"]],
    x: Float[Tensor, "*batch"],
) -> StepCost:
    """Run ``run(x).sum().backward()`` and measure it.

    ``live`` is taken between forward and backward. The gradient buffers are made
    beforehand: they belong to the model states, not to the activations.
    """
    for leaf in (x, *(p for layer in layers for p in layer.parameters())):
        if leaf.requires_grad:
            leaf.grad = torch.zeros_like(leaf)
    with count_forwards(layers) as calls, PeakMeter() as meter:
        y = run(x)
        live = meter.cur
        y.sum().backward()
    return StepCost(live, meter.peak, sum(calls), meter.trace)


class Moment(NamedTuple):
    """One event of a step: which layer runs, whose activations are alive."""

    action: str  # "forward" or "backward"
    layer: int
    alive: frozenset[int]


def watch_alive(
    layers: Sequence[nn.Module],
    run: Callable[[Tensor], Float[Tensor, "*out"]],
    x: Float[Tensor, "*batch"],
) -> list[Moment]:
    """Run one step and note after each layer whose output storages exist."""
    alive: Counter[int] = Counter()
    moments: list[Moment] = []

    def note(action: str, i: int) -> None:
        moments.append(Moment(action, i, frozenset(+alive)))

    def hook_for(i: int) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any, out: Tensor) -> None:
            alive[i] += 1
            finalize(out.untyped_storage(), alive.subtract, (i,)).atexit = False
            note("forward", i)
            if out.requires_grad:
                out.register_hook(lambda grad: note("backward", i))

        return hook

    pairs = enumerate(layers)
    hooks = [layer.register_forward_hook(hook_for(i)) for i, layer in pairs]
    try:
        run(x).sum().backward()
    finally:
        for hook in hooks:
            hook.remove()
    return moments
