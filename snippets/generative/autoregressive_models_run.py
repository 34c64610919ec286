"""NLL of all models on real digits, binarised in two ways; ensembles, classifiers, timings."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import log
from time import process_time
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid

from snippets.common.data import mnist, small_digits, split
from snippets.generative.autoregressive_models import (
    FVSBN,
    MADE,
    NADE,
    BernoulliMixture,
    bernoulli_log_prob,
    fit,
    fit_classes,
    fit_fvsbn,
    fit_mixture,
    made_masks,
    nade_sample_naive,
    nats_to_bits_per_dim,
)

INPUTS = {
    "mnist": {"train": 3600, "valid": 400, "test": 1000},
    "small": {"train": 1297, "valid": 200, "test": 300},
    "hidden": 500,
    "nade_hidden": 200,
    "steps": {"fvsbn": 800, "made": 1000, "direct": 1000, "nade": 800},
    "rate": {"fvsbn": 1e-2, "made": 5e-3, "direct": 5e-3, "nade": 1e-2},
    "pseudo": 0.1,
    "models": [
        *("independent", "mixture10", "mixture50", "mixture100"),
        *("fvsbn", "made", "direct", "nade"),
    ],
    "draws": [1, 8],
    "small_steps": {"made": 1000, "nade": 600, "agnostic": 2500},
    "masks": 1000,
    "mixed": 64,
    "class_steps": 100,
    "times": [49, 98, 196, 392, 784],
}
CHEAP = {
    "models": ["independent", "mixture10"],
    "draws": [],
    "small_steps": {},
    "class_steps": 0,
    "times": [],
}
TOLERANCE = 1e-3
SEVEN = [(7, 7), (20, 6), (12, 23)]  # corners of a 7 drawn by hand: column, row


def draw(corners: Sequence[tuple[float, float]], radius: float = 1.3) -> Tensor:
    """Return 28 x 28 pixels, 1 where they lie within the radius of a line through the corners."""
    row, column = np.mgrid[:28, :28]
    near = np.full((28, 28), np.inf)
    for (x0, y0), (x1, y1) in pairwise(corners):
        dx, dy = x1 - x0, y1 - y0
        t = ((column - x0) * dx + (row - y0) * dy) / (dx * dx + dy * dy)
        t = t.clip(0, 1)
        near = np.minimum(near, np.hypot(column - x0 - t * dx, row - y0 - t * dy))
    return torch.tensor(near <= radius).float().ravel()


def pack(x: Tensor) -> list[str]:
    """Write binary vectors as hexadecimal numbers, four variables a digit."""
    rows = ["".join(str(int(v)) for v in row) for row in x]
    return [f"{int(row, 2):0{len(row) // 4}x}" for row in rows]


def nll(model: nn.Module, x: Tensor) -> float:
    """Return the mean NLL of a test set in nats."""
    with torch.no_grad():
        return round(-model.log_prob(x).mean().item(), 3)  # type: ignore[operator]


def mixture(x: Tensor, k: int, pseudo: float) -> BernoulliMixture:
    """Fit the baseline; one component is smoothed by whole counts, many by less."""
    return fit_mixture(x, k, pseudo=pseudo if k > 1 else 1.0)


def train(name: str, train_x: Tensor, valid: Tensor, inputs: dict[str, Any]) -> tuple[Any, dict]:
    """Return the model of that name, fitted, and what fitting said."""
    if name == "independent" or name.startswith("mixture"):
        k = int(name.removeprefix("mixture")) if name != "independent" else 1
        return mixture(train_x, k, inputs["pseudo"]), {"parameters": k * (784 + 1) - 1}
    makers: dict[str, Callable[[], Any]] = {
        "fvsbn": lambda: FVSBN(784),
        "made": lambda: MADE(784, [inputs["hidden"]], direct=False),
        "direct": lambda: MADE(784, [inputs["hidden"]]),
        "nade": lambda: NADE(784, inputs["nade_hidden"]),
    }
    model = makers[name]()
    start = process_time()
    seen = fit(model, train_x, valid, steps=inputs["steps"][name], lr=inputs["rate"][name])
    seconds = (process_time() - start) / inputs["steps"][name]
    used = sum(p.numel() for p in model.parameters())
    below = 784 * 783 // 2
    if name == "fvsbn":
        used = below + 784
    elif isinstance(model, MADE):  # what the masks leave
        used = sum(int(mask.sum()) for mask in made_masks(model.degrees()))
        used += inputs["hidden"] + 784 + (below if model.direct else 0)
    history = {f"s{100 * i}": round(value, 2) for i, value in enumerate(seen.history, 1)}
    said = {"parameters": used, "best_step": seen.best_step, "history": history}
    return model, said | {"step_seconds": seconds}


def table(sets: list[Tensor], names: list[str], inputs: dict[str, Any]) -> tuple[dict, dict]:
    """Fit and test all models on MNIST; return them and their rows."""
    train_x, valid, test = sets
    models, rows = {}, {}
    for name in names:
        models[name], said = train(name, train_x, valid, inputs)
        value = nll(models[name], test)
        rows[name] = said | {"nll": value, "bits": round(nats_to_bits_per_dim(value, 784), 4)}
    seconds = {name: row.pop("step_seconds") for name, row in rows.items() if "history" in row}
    for name in seconds if "made" in seconds else ():
        rows[name]["step_ratio"] = round(seconds[name] / seconds["made"], 2)
    return models, rows


def pictures(models: dict[str, Any], test: Tensor) -> dict:
    """Draw samples, and read the exact probability of a 7 drawn by hand off every model."""
    generator = torch.Generator().manual_seed(1)
    seven = draw(SEVEN)
    found: dict[str, Any] = {"seven": pack(seven[None])[0], "nll": {}, "samples": {}}
    with torch.no_grad():
        for name, model in models.items():
            found["nll"][name] = round(-model.log_prob(seven[None]).item(), 2)
        for name in ("fvsbn", "direct", "nade"):
            found["samples"][name] = pack(models[name].sample(10, generator=generator))
        nade = models["nade"]
        top = seven[: 14 * 28]
        found["completed"] = pack(nade.sample(10, prefix=top, generator=generator))
        logits = {"independent": models["independent"].logits, "nade": nade(seven[None])}
        for name, value in logits.items():
            surprise = -logsigmoid((2 * seven - 1) * value[0])
            found[f"surprise_{name}"] = [round(v, 3) for v in surprise.tolist()]
        losses = -nade.log_prob(test)
        found["test_mean"], found["test_std"] = [
            round(v.item(), 2) for v in (losses.mean(), losses.std())
        ]
    return found


def binarisation(
    grey: Tensor, parts: list[np.ndarray], draws: list[int], steps: int, rate: float
) -> dict:
    """Flip coins instead of cutting at one half; return what an FVSBN then reaches."""
    generator = torch.Generator().manual_seed(2)
    p = grey / 255
    test = torch.bernoulli(p[parts[2]], generator=generator)
    valid = torch.bernoulli(p[parts[1]], generator=generator)
    q = p[parts[2]].clamp(1e-12, 1 - 1e-7)
    coins = -(q * q.log() + (1 - q) * (1 - q).log()).sum(1).mean().item()
    found: dict[str, Any] = {"coins": round(coins, 2)}
    for k in draws:
        drawn = torch.cat([torch.bernoulli(p[parts[0]], generator=generator) for _ in range(k)])
        model = FVSBN(784)
        fit(model, drawn, valid, steps=steps, lr=rate)
        found[f"draws{k}"] = nll(model, test)
        if k == 1:
            found["independent"] = nll(fit_mixture(drawn), test)
            found["on_cut"] = nll(model, (grey[parts[2]] > 127).float())
    return found


def small_table(sets: list[Tensor], steps: dict[str, int], pseudo: float) -> dict:
    """Fit all models to 8 x 8 digits, the FVSBN exactly."""
    train_x, valid, test = sets
    rows = {f"mixture{k}": nll(mixture(train_x, k, pseudo), test) for k in (1, 10, 30)}
    rows["fvsbn"] = nll(fit_fvsbn(train_x), test.double())
    makers: dict[str, Any] = {"made": MADE(64, [200]), "nade": NADE(64, 200)}
    for name, model in makers.items():
        if name in steps:
            fit(model, train_x, valid, steps=steps[name], lr=3e-3)
            rows[name] = nll(model, test)
    return rows


def agnostic(sets: list[Tensor], masks: int, mixed: int, steps: int) -> dict:
    """Train one network on many orders; mix them, average their logits, ask it out of order."""
    train_x, valid, test = sets
    model = MADE(64, [300], num_masks=masks, natural_order=False)
    fit(model, train_x, valid, steps=steps, every=steps, lr=3e-3)
    with torch.no_grad():
        logits = torch.stack([model(test, k) for k in range(mixed)])
        each = torch.stack([bernoulli_log_prob(part, test) for part in logits])
        counts = [2**i for i in range(mixed.bit_length()) if 2**i <= mixed]
        found: dict[str, Any] = {
            "single": round(-each.mean().item(), 3),
            "mixture": {},
            "averaged": {},
        }
        for k in counts:
            mixed_log_prob = each[:k].logsumexp(0) - log(k)
            pretended = bernoulli_log_prob(logits[:k].mean(0), test)
            found["mixture"][f"k{k}"] = round(-mixed_log_prob.mean().item(), 3)
            found["averaged"][f"k{k}"] = round(-pretended.mean().item(), 3)
        top, bottom = list(range(32)), list(range(32, 64))
        for name, order in (("given", bottom + top), ("alone", top + bottom)):
            surprise = -logsigmoid((2 * test - 1) * model(test, 0, order))[:, top].sum(1)
            found[f"top_{name}"] = round(surprise.mean().item(), 3)
    return found


def softmax_regression(x: Tensor, y: Tensor, l2: float = 1.0) -> nn.Linear:
    """Fit the discriminative rival p(y | x) with an L2 penalty, all data at once."""
    model = nn.Linear(x.shape[1], int(y.max()) + 1)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y, reduction="sum")
        total = loss + l2 / 2 * model.weight.square().sum()
        total.backward()
        return total

    optimizer.step(closure)
    return model


def classifiers(x: Tensor, y: Tensor, parts: list[np.ndarray], steps: int, pseudo: float) -> dict:
    """Count how often p(x, y) and p(y | x) name the class of a test digit, in per cent."""
    train_x, train_y, test, test_y = x[parts[0]], y[parts[0]], x[parts[2]], y[parts[2]]

    def fit_made(own: Tensor) -> MADE:
        model = MADE(x.shape[1], [100])
        fit(model, own, own, steps=steps, every=steps, lr=2e-3)
        return model

    fits: dict[str, Any] = {
        "independent": fit_mixture,
        "mixture10": lambda own: mixture(own, 10, pseudo),
    }
    if steps:
        fits["made"] = fit_made
    found = {}
    with_rival: dict[str, Callable[[Tensor], Tensor]] = {
        name: fit_classes(train_x, train_y, how).predict_proba for name, how in fits.items()
    }
    with_rival["softmax"] = softmax_regression(train_x, train_y)
    with torch.no_grad():
        for name, predict in with_rival.items():
            right = predict(test).argmax(1) == test_y
            found[name] = round(100 * right.float().mean().item(), 1)
    return found


def sampling_times(dims: list[int], hidden: int) -> dict:
    """Time drawing 16 vectors in three ways, in units of the first recursion."""
    generator = torch.Generator().manual_seed(0)
    found: dict[str, list[float]] = {"recursion": [], "naive": [], "made": []}

    def seconds(sample: Callable[[], object], repeats: int) -> float:
        times = []
        for _ in range(repeats):
            start = process_time()
            sample()
            times.append(process_time() - start)
        return min(times)

    for dim in dims:
        nade, made = NADE(dim, hidden), MADE(dim, [hidden])
        found["recursion"].append(seconds(partial(nade.sample, 16, generator=generator), 7))
        found["naive"].append(seconds(partial(nade_sample_naive, nade, 16, generator=generator), 3))
        found["made"].append(seconds(partial(made.sample, 16, generator=generator), 2))
    unit = found["recursion"][0] if dims else 1.0
    return {
        name: {f"d{dim}": round(t / unit, 2) for dim, t in zip(dims, times, strict=True)}
        for name, times in found.items()
    }


def run(**inputs: Any) -> dict[str, Any]:
    """Train and test everything."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images, labels = mnist()
    grey, y = torch.tensor(images), torch.tensor(labels)
    x = (grey > 127).float()
    parts = split(len(x), *inputs["mnist"].values())
    small, _ = small_digits()
    small_x = torch.tensor(small >= 8).float()
    small_sets = [small_x[rows] for rows in split(len(small_x), *inputs["small"].values())]
    sets = [x[rows] for rows in parts]
    models, rows = table(sets, inputs["models"], inputs)
    steps = inputs["small_steps"]
    found = {
        "mnist": rows,
        "small": small_table(small_sets, steps, inputs["pseudo"]),
        "binarisation": binarisation(
            grey, parts, inputs["draws"], inputs["steps"]["fvsbn"], inputs["rate"]["fvsbn"]
        ),
        "classifiers": classifiers(x, y, parts, inputs["class_steps"], inputs["pseudo"]),
        "times": sampling_times(inputs["times"], inputs["hidden"]),
    }
    if "nade" in models:
        found["pictures"] = pictures(models, sets[2])
    if "agnostic" in steps:
        found["agnostic"] = agnostic(
            small_sets, inputs["masks"], inputs["mixed"], steps["agnostic"]
        )
    return found
