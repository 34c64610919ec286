"""Recall over 400 steps, the last word said, and what scans cost as sequences grow."""

from collections.abc import Callable, Sequence
from functools import partial
from statistics import mean
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from snippets.common.measure import ratio
from snippets.nlp.state_space_models import (
    LRU,
    Mamba,
    scan,
    scan_chunked,
    scan_hillis_steele,
    scan_sequential,
)

SCANS: dict[str, Callable[..., Tensor]] = {
    "sequential": scan_sequential,
    "hillis_steele": scan_hillis_steele,
    "odd_even": scan,
    "chunked": scan_chunked,
}

INPUTS = {
    "recall": {"length": 400, "symbols": 8, "steps": 300, "seeds": [0, 1, 2]},
    "rates": {"lru": [0.01, 0.003], "rnn": [0.01, 0.003, 0.001], "lstm": [0.01, 0.003]},
    "latest": {"length": 64, "symbols": 8, "steps": 200, "seeds": [0, 1, 2]},
    "selection": ["mamba", "lti"],
    "counted": [64, 256, 1024, 4096, 16384],
    "timed": [64, 256, 1024, 4096, 16384],
}
CHEAP = {
    "recall": {"length": 400, "symbols": 8, "steps": 20, "seeds": [0, 1, 2]},
    "rates": {"lru": [0.01]},
    "latest": {"length": 64, "symbols": 8, "steps": 20, "seeds": [0, 1, 2]},
    "selection": ["mamba"],
    "counted": [64, 256],
    "timed": [],
}
TOLERANCE = 0.02  # float32 sums differ a little from processor to processor
BLOCK = 20  # steps that one point of a curve averages
BATCH = 32


class Net(nn.Module):
    """A linear layer in, the memory under test, a linear layer out."""

    def __init__(self, inputs: int, core: nn.Module, width: int, classes: int) -> None:
        """Make both layers; ``width`` is what the core reads."""
        super().__init__()
        self.read, self.core = nn.Linear(inputs, width), core
        self.write = nn.LazyLinear(classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of all classes at every step."""
        y = self.core(self.read(x))
        return self.write(y[0] if isinstance(y, tuple) else y)


def recall_batch(
    length: int,
    symbols: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Show a symbol first, then noise on its own channel; ask at the end."""
    x = torch.zeros(BATCH, length, symbols + 1)
    y = torch.randint(0, symbols, (BATCH,), generator=generator)
    x[torch.arange(BATCH), 0, y] = 1
    x[:, 1:, symbols] = torch.randn(BATCH, length - 1, generator=generator)
    return x, y


def latest_batch(
    length: int,
    symbols: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Show a symbol now and then; ask at every step for the latest."""
    said = torch.rand(BATCH, length, generator=generator) < 1 / 8
    said[:, 0] = True
    words = torch.randint(0, symbols, (BATCH, length), generator=generator)
    when = torch.where(said, torch.arange(length), 0).cummax(1).values
    shown = torch.where(said, words, symbols)
    return F.one_hot(shown, symbols + 1).float(), words.gather(1, when)


class FixedMamba(Mamba):
    """The same block; step, B and C are learnt, but do not look at the input."""

    def __init__(self, d_model: int) -> None:
        """Replace the projections by constants."""
        super().__init__(d_model)
        del self.x_proj
        del self.dt_proj.weight
        self.dt_proj.register_parameter("weight", None)
        d_state = self.A_log.shape[1]
        self.B = nn.Parameter(torch.randn(d_state))
        self.C = nn.Parameter(torch.randn(d_state) / d_state**0.5)

    def parameters_at(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return delta, A, B and C, the same whatever x holds."""
        rows = x.shape[:-1]
        delta = F.softplus(self.dt_proj.bias).expand_as(x)
        B, C = self.B.expand(*rows, -1), self.C.expand(*rows, -1)
        return delta, -self.A_log.exp(), B, C


CORES: dict[str, tuple[int, Callable[[], nn.Module]]] = {
    "lru": (16, lambda: LRU(16, 32, 0.99, 0.9999, 0.3)),
    "rnn": (16, lambda: nn.RNN(16, 37, batch_first=True)),
    "lstm": (16, lambda: nn.LSTM(16, 16, batch_first=True)),
    "mamba": (16, lambda: Mamba(16)),
    "lti": (20, lambda: FixedMamba(20)),
}


def train(
    core: str,
    batch: Callable[..., tuple[Tensor, Tensor]],
    last_only: bool,
    rate: float,
    seed: int,
    length: int,
    symbols: int,
    steps: int,
) -> dict[str, Any]:
    """Train with Adam; return the number of parameters and the curve of accuracy."""
    torch.manual_seed(seed)
    width, make = CORES[core]
    net = Net(symbols + 1, make(), width, symbols)
    generator = torch.Generator().manual_seed(seed)
    net(batch(length, symbols, torch.Generator())[0])  # makes the lazy layer
    optimizer = torch.optim.Adam(net.parameters(), rate)
    right = []
    for _ in range(steps):
        x, y = batch(length, symbols, generator)
        scores = net(x)[:, -1] if last_only else net(x).flatten(0, 1)
        loss = F.cross_entropy(scores, y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        right.append((scores.argmax(-1) == y.flatten()).float().mean().item())
    curve = [round(mean(right[i : i + BLOCK]), 4) for i in range(0, steps, BLOCK)]
    return {"parameters": sum(p.numel() for p in net.parameters()), "curve": curve}


def trained(
    core: str,
    batch: Callable[..., tuple[Tensor, Tensor]],
    last_only: bool,
    rates: Sequence[float],
    seeds: Sequence[int],
    **sizes: int,
) -> dict[str, Any]:
    """Train with every rate and seed; return each curve, and the spread over the seeds."""
    table: dict[str, Any] = {}
    for rate in rates:
        runs = [train(core, batch, last_only, rate, seed, **sizes) for seed in seeds]
        curves = [run["curve"] for run in runs]
        spread = {
            f"s{(i + 1) * BLOCK}": {"lowest": min(column), "highest": max(column)}
            for i, column in enumerate(zip(*curves, strict=True))
        }
        table["parameters"] = runs[0]["parameters"]
        table[f"rate_{str(rate).replace('.', '_')}"] = {"curves": curves, **spread}
    return table


class Counter(TorchDispatchMode):
    """Count the multiplications, and how many numbers they make."""

    calls = 0
    numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        """Let every operator pass, and look at its result."""
        result = func(*args, **(kwargs or {}))
        if func in (torch.ops.aten.mul.Tensor, torch.ops.aten.cumprod.default):
            self.calls += 1
            self.numbers += result.numel()
        return result


def operands(length: int, width: int) -> tuple[Tensor, Tensor]:
    """Return factors below 1 and what is added."""
    generator = torch.Generator().manual_seed(length)
    a = torch.rand(1, length, width, generator=generator)
    return a, torch.randn(1, length, width, generator=generator)


def count(length: int) -> dict[str, dict[str, Any]]:
    """Count for every scan: rounds of multiplications, and multiplications per step."""
    table = {}
    for name, run_scan in SCANS.items():
        a, b = operands(length, 1)
        with Counter() as counter:
            run_scan(a, b)
        table[name] = {"rounds": counter.calls, "per_step": round(counter.numbers / length, 3)}
    return table


def time(length: int, width: int = 16) -> dict[str, float]:
    """Return CPU time of the sequential scan over that of each other one."""
    a, b = operands(length, width)
    slow = partial(scan_sequential, a, b)
    fast = {name: partial(f, a, b) for name, f in SCANS.items() if name != "sequential"}
    return {name: round(ratio(slow, f, repeats=5), 3) for name, f in fast.items()}


def run(
    recall: dict[str, Any],
    rates: dict[str, list[float]],
    latest: dict[str, Any],
    selection: list[str],
    counted: list[int],
    timed: list[int],
) -> dict[str, Any]:
    """Train all cores, count, time."""
    torch.set_num_threads(1)
    return {
        "recall": {
            core: trained(core, recall_batch, True, tried, **recall)
            for core, tried in rates.items()
        },
        "latest": {
            core: trained(core, latest_batch, False, [0.01], **latest) for core in selection
        },
        "counts": {f"l{length}": count(length) for length in counted},
        "faster": {f"l{length}": time(length) for length in timed},
    }
