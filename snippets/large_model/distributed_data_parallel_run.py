"""Bucket sizes of a 36 MiB model, bytes on the wire, the order of events, replicas that drift."""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from snippets.large_model.distributed_data_parallel import (
    MiniDDP,
    WireMeter,
    naive_ring_all_reduce,
    ring_all_reduce_,
    run_ranks,
)

MIB = 2**20
REDUCE: dict[str, Callable[..., Tensor]] = {
    "ring": ring_all_reduce_,
    "naive": naive_ring_all_reduce,
}

INPUTS = {
    "layers": 9,
    "width": 1024,
    "caps": [None, 25, 10, 5],
    "ranks": [2, 3, 4],
    "numel": 2**21,
    "steps": 400,
}
CHEAP = {"caps": [None], "ranks": [2], "steps": 40}


def network(layers: int, width: int) -> nn.Sequential:
    """Return a stack of linear layers, the same on every rank."""
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))


def listed(sizes: list[float]) -> str:
    """Return the sizes as a page shows them."""
    return " + ".join(f"{size:.2f}" for size in sizes)


def torch_buckets(
    layers: int, width: int, cap: int | None, find_unused: bool = False
) -> dict[str, str]:
    """Return the MiB of each bucket that torch reduces, in three backwards."""
    model = DistributedDataParallel(
        network(layers, width),
        bucket_cap_mb=cap,
        find_unused_parameters=find_unused,
    )
    sizes: list[list[float]] = []

    def look(state, bucket):
        sizes[-1].append(bucket.buffer().nbytes / MIB)
        work = dist.all_reduce(bucket.buffer(), async_op=True)
        return work.get_future().then(lambda future: future.value()[0])

    model.register_comm_hook(None, look)
    for _ in range(3):
        sizes.append([])
        model(torch.ones(1, width)).sum().backward()
    first, second, third = map(listed, sizes)
    return {"first": first, "second": second, "third": third}


def mini_buckets(layers: int, width: int, cap: int | None) -> tuple[str, list[Any]]:
    """Return the MiB of each bucket of MiniDDP, and the events of a backward."""
    sizes = (cap, cap) if cap else ()  # torch, too, starts small by default only
    model = MiniDDP(network(layers, width), *sizes)
    model(torch.ones(1, width)).sum().backward()
    return listed([bucket.flat.nbytes / MIB for bucket in model.buckets]), model.events


def wire(numel: int, algo: str) -> int:
    """Return the bytes that this rank sends for one all-reduce of float32."""
    meter = WireMeter()
    REDUCE[algo](torch.ones(numel), meter=meter)
    return meter.sent


def drift(algo: str, steps: int) -> list[float]:
    """Return the largest difference between replicas after 0, 20, 40 … steps of gradient descent.

    Every weight w has the loss (w² - b)² / 4 with another b on every rank; only sums and
    products of single numbers, so that every machine rounds alike.
    """
    target = 0.9 + 0.2 * torch.rand(64, generator=torch.Generator().manual_seed(dist.get_rank()))
    w, spread = torch.full((64,), 0.5), []
    for step in range(steps + 1):
        if step % 20 == 0:
            replicas = [torch.empty_like(w) for _ in range(dist.get_world_size())]
            dist.all_gather(replicas, w)
            spread.append(max((other - w).abs().max().item() for other in replicas))
        grad = REDUCE[algo](w * (w * w - target)) / dist.get_world_size()
        w = w - 1.75 * grad  # so large that the weights never settle
    return spread


def run(
    layers: int,
    width: int,
    caps: list[int | None],
    ranks: list[int],
    numel: int,
    steps: int,
) -> dict[str, Any]:
    """Measure everything; nothing depends on the speed of the machine."""
    torch.set_num_threads(1)
    buckets: dict[str, Any] = {}
    for cap in caps:
        backwards = run_ranks(torch_buckets, 2, layers, width, cap)[0]
        mini, events = run_ranks(mini_buckets, 2, layers, width, cap)[0]
        buckets[f"cap{cap}" if cap else "default"] = {
            "torch": backwards,
            "mini": mini,
            "events": events,
        }
    buckets["find_unused"] = run_ranks(torch_buckets, 2, layers, width, None, True)[0]
    return {
        "buckets": buckets,
        "wire": {
            algo: {f"n{n}": run_ranks(wire, n, numel, algo) for n in ranks} for algo in REDUCE
        },
        "drift": {algo: max(run_ranks(drift, 3, algo, steps)) for algo in REDUCE},
    }
