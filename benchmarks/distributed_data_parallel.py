"""A training step and an all-reduce of two ranks: this process is rank 0, a forked one rank 1.

Seconds on the wall until the slower rank is done: both meet at a barrier, run the work some times
in a row and meet again.  CPU seconds of one rank would mislead: how often its gloo thread wakes up
for a piece of a message depends on when the other rank was scheduled.
"""

import multiprocessing
import tempfile
from functools import partial
from statistics import median
from time import perf_counter

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from snippets.large_model.distributed_data_parallel import MiniDDP, ring_all_reduce_

TIMES = 5


class OneByOne(nn.Module):
    """The naive rival: after backward, one all-reduce for each parameter."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)

    def reduce(self):
        for p in self.parameters():
            dist.all_reduce(p.grad.div_(2))


def network(width):
    torch.manual_seed(0)
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(8)))


def step(model, x):
    model(x).sum().backward()
    if isinstance(model, OneByOne):
        model.reduce()


def works(rank, folder):
    """Join as this rank and return what can be run, the same on both ranks."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/x", rank=rank, world_size=2)
    table = {}
    for width in (128, 512):
        x = torch.randn(64, width)
        for name, wrap in (
            ("mini", MiniDDP),
            ("torch", DistributedDataParallel),
            ("one", OneByOne),
        ):
            table[f"{name} {width}"] = partial(step, wrap(network(width)), x)
    for mib in (1, 4, 25):
        t = torch.zeros(mib * 2**18)
        table[f"ring {mib}"] = partial(ring_all_reduce_, t)
        table[f"all_reduce {mib}"] = partial(dist.all_reduce, t)
    return table


def together(work):
    dist.barrier()
    for _ in range(TIMES):
        work()
    dist.barrier()


def follow(receiver, folder):
    table = works(1, folder)
    while (name := receiver.recv()) is not None:
        together(table[name])


def wall_ratio(ours, rival, repeats=9):
    """Return the median over pairs of seconds on the wall of ours over those of the rival."""
    ratios = []
    for turn in range(repeats):
        seconds = {}
        for work in (ours, rival) if turn % 2 == 0 else (rival, ours):
            start = perf_counter()
            work()
            seconds[work] = perf_counter() - start
        ratios.append(seconds[ours] / seconds[rival])
    return median(ratios)


def cases():
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with tempfile.TemporaryDirectory() as folder:
        partner = context.Process(target=follow, args=(receiver, folder), daemon=True)
        partner.start()
        table = works(0, folder)

        def run(name):
            sender.send(name)
            together(table[name])

        call = {name: partial(run, name) for name in table}
        try:
            for width, mib in ((128, 0.5), (512, 8)):
                ours = call[f"mini {width}"]
                for kind, name, target in (("torch", "torch DDP", 1.1), ("one", "one by one", 0.7)):
                    rival = call[f"{kind} {width}"]
                    yield f"step, {mib} MiB: MiniDDP / {name}", ours, rival, target, wall_ratio
            for mib, target in ((1, 1.3), (4, 1.3), (25, 2.0)):
                ours, rival = call[f"ring {mib}"], call[f"all_reduce {mib}"]
                yield f"{mib} MiB: ring_all_reduce_ / all_reduce", ours, rival, target, wall_ratio
        finally:
            sender.send(None)
            partner.join(10)
            partner.kill()
            dist.destroy_process_group()
