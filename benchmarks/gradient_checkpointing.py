"""64 sines checkpointed one by one, which is the cost of the calls, and a step in 8 segments."""

from functools import partial

import torch
from torch.utils import checkpoint as theirs

from snippets.large_model import gradient_checkpointing as ours


def step(run, x):
    return lambda: run(x).sum().backward()


def cases():
    torch.set_num_threads(1)
    x = torch.randn(4, requires_grad=True)
    variants = {
        "own": ours.checkpoint,
        "hooks": ours.checkpoint_hooks,
        "reentrant": partial(theirs.checkpoint, use_reentrant=True),
        "non-reentrant": partial(theirs.checkpoint, use_reentrant=False),
    }
    tiny = {
        name: step(ours.compose([partial(variant, torch.sin)] * 64), x)
        for name, variant in variants.items()
    }
    yield "64 calls: checkpoint / torch reentrant", tiny["own"], tiny["reentrant"], 1.0
    yield "64 calls: checkpoint / torch non-reentrant", tiny["own"], tiny["non-reentrant"], 0.6
    yield (
        "64 calls: checkpoint_hooks / torch non-reentrant",
        tiny["hooks"],
        tiny["non-reentrant"],
        1.0,
    )

    x = torch.randn(256, 128, requires_grad=True)
    layers = ours.chain(64)
    for reentrant, via in ((True, ours.checkpoint), (False, ours.checkpoint_hooks)):
        mine = step(lambda x, via=via: ours.checkpoint_sequential(layers, 8, x, via=via), x)
        rival = partial(theirs.checkpoint_sequential, layers, 8, use_reentrant=reentrant)
        yield f"step, n=64, k=8: {via.__name__} / torch {reentrant=}", mine, step(rival, x), 1.05
