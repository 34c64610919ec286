"""Ways to use data parallelism that run without complaint, or fail far from their cause."""

import contextlib
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from .launch import RanksFailed, run_ranks
from .mini_ddp import MiniDDP

SHARDS = (1.0, 2.0, 3.0), (5.0, 6.0, 7.0)


class NoSyncOutcome(NamedTuple):
    """The gradient on each rank, and how often gradients were reduced."""

    grads: list[float]
    reductions: int


def _accumulate(habit: str, wrap: Callable[[nn.Module], Any]) -> tuple[float, int]:
    """Accumulate three micro-batches of one row; the loss is weight times input."""
    model = wrap(nn.Linear(1, 1, bias=False))
    ours = isinstance(model, MiniDDP)
    flag = "sync" if ours else "require_backward_grad_sync"
    reductions = 0

    def count(state, bucket):
        nonlocal reductions
        reductions += 1
        flat = bucket.buffer() / dist.get_world_size()
        work = dist.all_reduce(flat, async_op=True)
        return work.get_future().then(lambda future: future.value()[0])

    if not ours:
        model.register_comm_hook(None, count)
    for i, x in enumerate(SHARDS[dist.get_rank()]):
        last = i == len(SHARDS[0]) - 1
        quiet = {"right": not last, "first": i > 0}.get(habit, False)
        with model.no_sync() if quiet else contextlib.nullcontext():
            out = model(torch.tensor([[x]]))
            if habit == "flag":  # as many a loop does: too late for this forward
                setattr(model, flag, last)
            late = habit == "backward" and not last
            with model.no_sync() if late else contextlib.nullcontext():
                out.sum().backward()
        if ours:
            reductions += sum(kind == "launch" for kind, _ in model.events)
            model.events = []
    weight = next(model.parameters())
    assert weight.grad is not None
    return weight.grad.item(), reductions


def no_sync_table(
    wrap: Callable[[nn.Module], Any] = DistributedDataParallel,
) -> dict[str, NoSyncOutcome]:
    """Run five habits of accumulating on two ranks; the true mean is 12.

    ``"right"``: all but the last micro-batch go forth and back in ``no_sync``;
    ``"never"``: no ``no_sync``; ``"first"``: the first micro-batch synchronises,
    not the last; ``"flag"``: the flag is set between forward and backward;
    ``"backward"``: only the backward is inside.
    """
    habits = "right", "never", "first", "flag", "backward"
    ranks = run_ranks(lambda: [_accumulate(habit, wrap) for habit in habits], 2)
    return {
        habit: NoSyncOutcome([grad for grad, _ in both], both[0][1])
        for habit, both in zip(habits, zip(*ranks, strict=True), strict=True)
    }


class _Checkpointed(nn.Module):
    """Two layers, the first inside a checkpoint, which is entered once or twice."""

    def __init__(self, reentrant: bool, times: int) -> None:
        super().__init__()
        self.inner, self.outer = nn.Linear(4, 4), nn.Linear(4, 4)
        self.reentrant, self.times = reentrant, times

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(self.times):
            x = checkpoint(self.inner, x, use_reentrant=self.reentrant)
        return self.outer(x)


def _step(
    wrap: Callable[[nn.Module], Any], reentrant: bool, times: int, needs_grad: bool
) -> list[Tensor | None]:
    torch.manual_seed(0)
    model = wrap(_Checkpointed(reentrant, times))
    x = torch.ones(2, 4) * (1 + dist.get_rank())
    for _ in range(2):
        model.zero_grad()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "None of the inputs")
            model(x.requires_grad_(needs_grad)).sum().backward()
    return [p.grad for p in model.parameters()]


WRAPPERS: dict[str, Callable[[nn.Module], Any]] = {
    "DDP": DistributedDataParallel,
    "find_unused": lambda m: DistributedDataParallel(m, find_unused_parameters=True),
    "static_graph": lambda m: DistributedDataParallel(m, static_graph=True),
    "MiniDDP": MiniDDP,
}


def checkpoint_table() -> dict[tuple[str, bool, str], str]:
    """Take two steps with checkpointing in data parallelism, in every variant.

    The key is (wrapper, reentrant, use); use is "once", "shared" (the layer is
    used twice) or "no grad" (its input requires none).  The outcome is "right"
    if the gradients are those of a single process on the whole batch, "wrong",
    or the error that was raised.
    """
    table = {}
    for use, times, needs_grad in (
        ("once", 1, True),
        ("shared", 2, True),
        ("no grad", 1, False),
    ):
        plain = run_ranks(_step, 2, lambda m: m, False, times, True)
        mean = [(a + b) / 2 for a, b in zip(*plain, strict=True)]
        for name, wrap in WRAPPERS.items():
            for reentrant in (False, True):
                how = wrap, reentrant, times, needs_grad
                try:
                    ranks = run_ranks(_step, 2, *how)
                except RanksFailed as error:
                    outcome = min(error.lines.items())[1]
                else:
                    right = all(_agree(grads, mean) for grads in ranks)
                    outcome = "right" if right else "wrong"
                table[name, reentrant, use] = outcome
    return table


def _agree(grads: list[Tensor | None], truth: list[Tensor]) -> bool:
    pairs = zip(grads, truth, strict=True)
    return all(g is not None and torch.allclose(g, t) for g, t in pairs)
