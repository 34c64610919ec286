"""All-reduce as a ring of sends and receives, its popular impostor, and what each must cost.

Symbols: N, number of ranks; S, bytes of the tensor; alpha, seconds a message takes however short
it is; beta, seconds per byte; chunk c, the c-th of the N pieces of the tensor, of almost equal
size.

Left out: pipelining a chunk in smaller pieces, several rings at a time, trees.
"""

from dataclasses import dataclass
from math import ceil, log2
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Shaped
from torch import Tensor

Number = int | float
Group = dist.ProcessGroup | None


@dataclass
class WireMeter:
    """Counts what this rank sends."""

    messages: int = 0
    sent: int = 0


def _exchange(
    send: Tensor,
    receive: Tensor,
    group: Group,
    meter: WireMeter | None,
) -> None:
    """Send to the next rank, receive from the one before; send nothing empty."""
    rank, n = dist.get_rank(group), dist.get_world_size(group)
    works: list[Any] = []
    if send.numel():
        works.append(dist.isend(send, group=group, group_dst=(rank + 1) % n))
        if meter:
            meter.messages += 1
            meter.sent += send.nbytes
    if receive.numel():
        works.append(dist.irecv(receive, group=group, group_src=(rank - 1) % n))
    for work in works:
        work.wait()


def _chunks(tensor: Tensor, group: Group) -> tuple[Tensor, ...]:
    """Cut a tensor into N views whose sizes differ by one element at most."""
    if not tensor.is_contiguous():
        strides = tensor.stride()
        raise ValueError(f"tensor must be contiguous, got strides {strides}")
    return tensor.view(-1).tensor_split(dist.get_world_size(group))


def reduce_scatter_ring_(
    tensor: Shaped[Tensor, "*shape"],
    group: Group = None,
    meter: WireMeter | None = None,
) -> Shaped[Tensor, " chunk"]:
    """Add up over the ranks, in place; return the finished chunk, rank + 1.

    The rest of the tensor is left with partial sums.

    Raises:
        ValueError: ``tensor`` is not contiguous.
    """
    rank, n = dist.get_rank(group), dist.get_world_size(group)
    chunks = _chunks(tensor, group)
    buffer = torch.empty_like(chunks[0])
    for step in range(n - 1):
        mine, theirs = chunks[(rank - step) % n], chunks[(rank - step - 1) % n]
        received = buffer[: theirs.numel()]
        _exchange(mine, received, group, meter)
        theirs += received
    return chunks[(rank + 1) % n]


def all_gather_ring_(
    tensor: Shaped[Tensor, "*shape"],
    group: Group = None,
    meter: WireMeter | None = None,
) -> Shaped[Tensor, "*shape"]:
    """Pass the chunks around until all have all; rank r starts with chunk r + 1.

    Raises:
        ValueError: ``tensor`` is not contiguous.
    """
    rank, n = dist.get_rank(group), dist.get_world_size(group)
    chunks = _chunks(tensor, group)
    for step in range(n - 1):
        mine, theirs = chunks[(rank + 1 - step) % n], chunks[(rank - step) % n]
        _exchange(mine, theirs, group, meter)
    return tensor


def ring_all_reduce_(
    tensor: Shaped[Tensor, "*shape"],
    group: Group = None,
    meter: WireMeter | None = None,
) -> Shaped[Tensor, "*shape"]:
    """Add up over the ranks, in place, with the same bits everywhere.

    Each chunk is summed along one path and then copied, never summed twice.

    Raises:
        ValueError: ``tensor`` is not contiguous.
    """
    reduce_scatter_ring_(tensor, group, meter)
    return all_gather_ring_(tensor, group, meter)


def naive_ring_all_reduce(
    tensor: Shaped[Tensor, "*shape"],
    group: Group = None,
    meter: WireMeter | None = None,
) -> Shaped[Tensor, "*shape"]:
    """Pass every rank's whole tensor around the ring and add up what comes by.

    The impostor: N/2 times the bytes, and every rank adds in its own order.
    """
    total, passing = tensor.clone(), tensor.contiguous()
    for _ in range(dist.get_world_size(group) - 1):
        received = torch.empty_like(passing)
        _exchange(passing, received, group, meter)
        total += received
        passing = received
    return total


class RingStep(NamedTuple):
    """A step of the ring: who sends which chunk to whom, and who has what then.

    ``has[rank][chunk]``: the ranks whose numbers are in that rank's chunk now.
    """

    phase: str
    sends: list[tuple[int, int, int]]
    has: list[list[frozenset[int]]]


def simulate_ring(n: int) -> list[RingStep]:
    """Follow the shares around the ring without a process; step 0 is the start.

    Raises:
        ValueError: ``n`` is not positive.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    has = [[frozenset({rank})] * n for rank in range(n)]
    steps = [RingStep("start", [], has)]
    for phase, first in (("reduce-scatter", 0), ("all-gather", 1)):
        for step in range(n - 1):
            sends = [(r, (r + 1) % n, (r + first - step) % n) for r in range(n)]
            before, has = has, [list(row) for row in has]
            for source, target, chunk in sends:
                has[target][chunk] = before[source][chunk]
                if phase == "reduce-scatter":
                    has[target][chunk] |= before[target][chunk]
            steps.append(RingStep(phase, sends, has))
    return steps


def allreduce_cost(
    S: Number,
    N: int,
    alpha: Number,
    beta: Number,
    algo: str = "ring",
) -> float:
    """Return the seconds of an all-reduce in the alpha-beta model.

    ``"ring"`` is Eq. (distributed-data-parallel-ring-cost); ``"naive"`` passes
    whole tensors; ``"server"`` has one rank collect and send back; ``"tree"``
    reduces to a root and broadcasts; ``"halving"`` is recursive halving and
    doubling, for a power of two.

    Raises:
        ValueError: a number is out of range or ``algo`` is none of these.
    """
    if S < 0 or alpha < 0 or beta < 0 or N < 1:
        got = f"got {S}, {alpha}, {beta}, {N}"
        raise ValueError(f"S, alpha, beta must be >= 0 and N >= 1, {got}")
    if algo == "halving" and N & (N - 1):
        raise ValueError(f"halving needs a power of two, got N = {N}")
    rounds = ceil(log2(N))
    messages_and_bytes = {
        "ring": (2 * (N - 1), 2 * (N - 1) / N * S),
        "naive": (N - 1, (N - 1) * S),
        "server": (2 * (N - 1), 2 * (N - 1) * S),
        "tree": (2 * rounds, 2 * rounds * S),
        "halving": (2 * rounds, 2 * (N - 1) / N * S),
    }
    if algo not in messages_and_bytes:
        known = sorted(messages_and_bytes)
        raise ValueError(f"algo must be one of {known}, got {algo!r}")
    messages, nbytes = messages_and_bytes[algo]
    return float(messages * alpha + nbytes * beta)
