"""What a class costs over its function, against the width; and the inventory of torch."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from snippets.common.measure import ratio
from snippets.python.module_vs_functional import Lambda, Linear, inventory

INPUTS = {"widths": [1, 4, 16, 64, 256, 512, 1024], "batch": 32, "repeats": 21}
CHEAP = {"repeats": 0}  # operations only: they are the same everywhere

Ways = dict[str, Callable[[], Tensor]]


def linear_ways(width: int, x: Tensor) -> Ways:
    """Return the same product by the function and by both classes."""
    theirs, own = nn.Linear(width, width), Linear(width, width)
    function = partial(F.linear, x, theirs.weight, theirs.bias)
    return {"F": function, "nn": partial(theirs, x), "own": partial(own, x)}


def relu_ways(width: int, x: Tensor) -> Ways:
    """Return the same activation by the function and by both classes."""
    return {"F": partial(F.relu, x), "nn": partial(nn.ReLU(), x), "own": partial(Lambda(F.relu), x)}


def operations(call: Callable[[], Tensor]) -> int:
    """Count the multiplications and additions of matrix products."""
    with FlopCounterMode(display=False) as counter:
        call()
    return counter.get_total_flops()


def count_inventory() -> dict[str, int]:
    """Count what `inventory` finds."""
    found = inventory()
    classes = {"classes": len(found.uses), "using": sum(map(bool, found.uses.values()))}
    return classes | {"functions": len(found.ways)} | dict(Counter(found.ways.values()))


def run(widths: list[int], batch: int, repeats: int) -> dict[str, Any]:
    """Compare classes with functions: operations, and times as ratios to the function's."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    inputs = {width: torch.randn(batch, width) for width in widths}
    layers = {"linear": linear_ways, "relu": relu_ways}
    results: dict[str, Any] = {
        "operations": {
            f"w{width}": {way: operations(call) for way, call in linear_ways(width, x).items()}
            for width, x in inputs.items()
        }
    }
    if not repeats:
        return results

    def times(ways: Ways) -> dict[str, float]:
        """Return how many times longer each way takes than the function, itself included."""
        pairs = {way: ratio(call, ways["F"], repeats=repeats) for way, call in ways.items()}
        return {way: round(value, 4) for way, value in pairs.items()}

    with torch.no_grad():
        results["ratio"] = {
            layer: {f"w{width}": times(ways(width, x)) for width, x in inputs.items()}
            for layer, ways in layers.items()
        }
    same = [found["F"] for table in results["ratio"].values() for found in table.values()]
    results["noise"] = round(max(abs(value - 1) for value in same), 4)
    for layer, table in results["ratio"].items():
        excess = {width: table[f"w{width}"]["nn"] - 1 for width in widths}
        own_excess = table[f"w{widths[0]}"]["own"] - 1
        results.setdefault("overhead", {})[layer] = round(own_excess / excess[widths[0]], 2)
        small = [width for width in widths if excess[width] < 0.1]
        results.setdefault("below_a_tenth", {})[layer] = min(small, default="beyond")
    return results | {"inventory": count_inventory()}
