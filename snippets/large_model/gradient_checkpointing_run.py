"""Bytes and forwards of every schedule on a chain of 64 layers and on a stack of 12 blocks."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import checkpoint as theirs

from snippets.large_model.gradient_checkpointing import (
    Block,
    PeakMeter,
    chain,
    checkpoint,
    checkpoint_hooks,
    checkpoint_optimal,
    checkpoint_recursive,
    checkpoint_sequential,
    compose,
    measure_step,
    revolve,
)

ATTENTION = "_scaled_dot_product_flash_attention_for_cpu"

INPUTS = {
    "n": 64,
    "width": 128,
    "batch": 256,
    "segments": [1, 2, 4, 8, 16, 32, 64],
    "snapshots": [2, 3, 4, 5, 6, 8, 12, 16],
    "leaves": [1, 2, 4, 8],
    "units": [2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 14, 15, 19, 24, 32, 33, 40, 48, 56, 64],
    "blocks": 12,
    "block": {"b": 4, "s": 128, "h": 128, "a": 4},
    "ways": ["plain", "full", "early_stop", "matmul", "attention"],
}
CHEAP = {"segments": [1, 8], "snapshots": [4], "leaves": [2], "units": [11], "ways": ["plain"]}


def chain_costs(layers: Sequence[nn.Module], x: Tensor, runs: dict[str, Callable]) -> dict:
    """Measure each run: live and peak in units of one activation, and forwards."""
    unit = x.nbytes
    table = {}
    for name, run_chain in runs.items():
        cost = measure_step(layers, run_chain, x)
        table[name] = {
            "live": cost.live / unit,
            "peak": round(cost.peak / unit, 3),
            "forwards": cost.forwards,
        }
    return table


def selective(saved: str, block: nn.Module) -> Callable[[Tensor], Tensor]:
    """Checkpoint a block, but keep the results of one operator."""
    operators = [getattr(torch.ops.aten, saved).default]
    contexts = partial(theirs.create_selective_checkpoint_contexts, operators)
    call = partial(theirs.checkpoint, use_reentrant=False, context_fn=contexts)
    return partial(call, block)


WAYS: dict[str, Callable[[nn.Module], Callable[[Tensor], Tensor]]] = {
    "plain": lambda block: block,
    "full": lambda block: partial(checkpoint, block),
    "early_stop": lambda block: partial(checkpoint_hooks, block),
    "matmul": partial(selective, "addmm"),
    "attention": partial(selective, ATTENTION),
}


def block_costs(blocks: Sequence[nn.Module], x: Tensor, ways: Sequence[str]) -> dict:
    """Measure a stack of blocks, each treated in the same way."""
    table = {}
    for way in ways:
        stack = compose([WAYS[way](block) for block in blocks])
        for leaf in (x, *(p for block in blocks for p in block.parameters())):
            leaf.grad = torch.zeros_like(leaf)
        with PeakMeter() as meter:
            y = stack(x)
            live = meter.cur
            y.sum().backward()
        table[way] = {
            "live_per_block": round(live / x.nbytes / len(blocks), 4),
            "peak": round(meter.peak / x.nbytes, 3),
            "addmm": meter.ops["addmm"],
            "attention": meter.ops[ATTENTION],
        }
    return table


def run(
    n: int,
    width: int,
    batch: int,
    segments: list[int],
    snapshots: list[int],
    leaves: list[int],
    units: list[int],
    blocks: int,
    block: dict[str, int],
    ways: list[str],
) -> dict[str, Any]:
    """Measure all schedules; everything is bytes or counts, so the seed changes nothing."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = chain(n, width)
    x = torch.randn(batch, width, requires_grad=True)
    cost = partial(chain_costs, layers, x)
    b, s, h, a = block.values()
    tokens = torch.randn(b, s, h, requires_grad=True)
    return {
        "uniform": cost({f"k{k}": partial(checkpoint_sequential, layers, k) for k in segments}),
        "revolve": cost({f"c{c}": partial(revolve, layers, c) for c in snapshots}),
        "recursive": cost({f"leaf{t}": partial(checkpoint_recursive, layers, t) for t in leaves}),
        "optimal": cost({f"m{m}": partial(checkpoint_optimal, layers, m) for m in units}),
        "torch": cost(
            {"reentrant": partial(theirs.checkpoint_sequential, layers, 8, use_reentrant=True)}
        ),
        "blocks": block_costs([Block(h, a) for _ in range(blocks)], tokens, ways),
    }
