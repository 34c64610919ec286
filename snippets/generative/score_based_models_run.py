"""Networks under four losses, where their score is wrong, weights recovered, and digits sampled."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import log
from typing import Any

import torch
from torch import Tensor, nn

from snippets.common.data import small_digits, split
from snippets.generative.gaussian_mixture import GaussianMixture, three_islands
from snippets.generative.score_based_models import (
    NoiseConditionalScore,
    annealed_langevin,
    denoising_score_matching,
    energy_distance,
    explicit_score_matching,
    geometric_sigmas,
    implicit_score_matching,
    langevin_dynamics,
    ncsnv2_ratio,
    ncsnv2_step,
    sliced_score_matching,
    sliced_wasserstein,
    train_ncsn,
)

INPUTS = {
    "seeds": [0, 1, 2],
    "steps": 2000,
    "every": 200,
    "batch": 256,
    "losses": ["explicit", "implicit", "sliced"],
    "noises": [0.02, 0.05, 0.1, 0.2, 0.3, 0.5],
    "particles": 10_000,
    "slow": 500,
    "sigma_1": 9.6,
    "sigma_L": 0.1,
    "T": 20,
    "factors": [0.02, 0.4],
    "samples": 500,
    "digit_steps": 6000,
}
CHEAP = {
    "seeds": [0],
    "steps": 200,
    "losses": ["explicit", "sliced"],
    "noises": [0.1],
    "slow": 0,
    "digit_steps": 0,
}
TOLERANCE = 2e-3
GREYS = "0123456789abcdefg"


def rng(seed: int = 0) -> torch.Generator:
    """Return a fresh source of random numbers."""
    return torch.Generator().manual_seed(seed)


def small_net(seed: int) -> nn.Sequential:
    """Return a network from the plane to the plane with two hidden layers of 64."""
    torch.manual_seed(seed)
    sizes = [2, 64, 64, 2]
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.SiLU()]
    return nn.Sequential(*layers[:-1]).double()


def loss_named(name: str, mixture: GaussianMixture) -> Callable[..., Tensor]:
    """Return loss(model, x, generator); a number as the name is the noise of the denoising loss."""
    if name == "explicit":
        return lambda model, x, generator: explicit_score_matching(model, x, mixture.score)
    if name == "implicit":
        return lambda model, x, generator: implicit_score_matching(model, x)
    if name == "sliced":
        return lambda model, x, generator: sliced_score_matching(model, x, generator=generator)
    sigma = float(name)
    return lambda model, x, generator: denoising_score_matching(model, x, sigma, generator)


def train(name: str, seed: int, inputs: dict[str, Any]) -> tuple[nn.Module, list[float]]:
    """Train on fresh points, and return the Fisher divergence every so many steps."""
    mixture = three_islands()
    check = mixture.sample(20_000, rng(99))
    loss, model, generator = loss_named(name, mixture), small_net(seed), rng(seed)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    curve = []
    for step in range(1, inputs["steps"] + 1):
        value = loss(model, mixture.sample(inputs["batch"], generator), generator).mean()
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if step % inputs["every"] == 0:
            with torch.no_grad():
                missed = explicit_score_matching(model, check, mixture.score).mean()
            curve.append(round(missed.item(), 5))
    return model, curve


def misses(model: nn.Module) -> dict[str, Any]:
    """Return where a model is wrong: on a grid, and inside and outside of 95 % of the mass."""
    mixture = three_islands()
    threshold = mixture.log_prob(mixture.sample(20_000, rng(98))).quantile(0.05)
    side = torch.linspace(-4, 4, 33, dtype=torch.float64)
    grid = torch.cartesian_prod(side, side)
    with torch.no_grad():
        wrong = (model(grid) - mixture.score(grid)).norm(dim=1)
    inside = mixture.log_prob(grid) > threshold
    return {
        "error": [round(e, 3) for e in wrong.tolist()],
        "inside": round(wrong[inside].square().mean().sqrt().item(), 3),
        "outside": round(wrong[~inside].square().mean().sqrt().item(), 3),
        "area": round(100 * inside.double().mean().item(), 1),
    }


def toys(inputs: dict[str, Any]) -> dict[str, Any]:
    """Train every loss from every seed."""
    mixture = three_islands()
    scale = (mixture.score(mixture.sample(20_000, rng(99))) ** 2).sum(1).mean() / 2
    found: dict[str, Any] = {"scale": round(scale.item(), 4), "curves": {}}
    names = [*inputs["losses"], *map(str, inputs["noises"])]
    for name in names:
        runs = [train(name, seed, inputs) for seed in inputs["seeds"]]
        key = name.replace(".", "_")
        found["curves"][key] = [curve for _, curve in runs]
        if len(runs) > 1:
            last = torch.tensor([curve[-1] for _, curve in runs])
            found.setdefault("fisher", {})[key] = round(last.mean().item(), 4)
            if name == "0.1":
                found["misses"] = misses(runs[0][0])
    return found


def weights(n: int, slow: int) -> dict[str, Any]:
    """Count the share of particles in the heavy mode, plain, annealed, and annealed slowly."""
    means = torch.tensor([[5.0, 5.0], [-5.0, -5.0]], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    two = GaussianMixture(torch.tensor([0.8, 0.2], dtype=torch.float64), means, eye)
    sigmas, generator = geometric_sigmas(20, 1, 10), rng()
    plain = 16 * torch.rand(n, 2, generator=generator, dtype=torch.float64) - 8
    annealed = 20 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
    found: dict[str, list[float]] = {"plain": [], "annealed": []}
    for sigma in sigmas.tolist():
        noisy = two.perturb(1, sigma)
        for _ in range(5):
            plain = langevin_dynamics(two.score, plain, 0.1, 20, generator)
            annealed = langevin_dynamics(noisy.score, annealed, 0.1 * sigma**2, 20, generator)
            for name, x in (("plain", plain), ("annealed", annealed)):
                found[name].append(round((x.sum(1) > 0).double().mean().item(), 4))
    last = {f"{name}_last": values[-1] for name, values in found.items()}
    if slow:
        x = 20 * torch.randn(n, 2, generator=generator, dtype=torch.float64)
        x = annealed_langevin(
            lambda y, sigma: two.perturb(1, sigma).score(y), x, sigmas, 0.1, slow, True, generator
        )
        last["slow_last"] = round((x.sum(1) > 0).double().mean().item(), 4)
    return {**found, **last}


def grey(x: Tensor) -> list[str]:
    """Write digits with a letter for each of 17 grey levels."""
    levels = ((x + 1) * 8).round().clamp(0, 16).long().tolist()
    return ["".join(GREYS[v] for v in row) for row in levels]


def classifier(x: Tensor, y: Tensor) -> nn.Linear:
    """Fit a softmax regression, the judge of what a sample looks like."""
    model = nn.Linear(x.shape[1], 10)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    optimizer = torch.optim.LBFGS(model.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        total = loss + 1e-3 * model.weight.square().sum()
        total.backward()
        return total

    optimizer.step(closure)
    return model


@torch.no_grad()
def judge(x: Tensor, train_x: Tensor, test: Tensor, model: nn.Module) -> dict[str, float]:
    """Compare samples with test digits, with training digits, and in the eyes of a classifier."""
    p = model(x).softmax(1)
    share = p.argmax(1).bincount(minlength=10) / len(x)
    return {
        "energy": round(energy_distance(x, test), 3),
        "sliced": round(sliced_wasserstein(x, test), 3),
        "nearest": round(torch.cdist(x, train_x).min(1).values.mean().item(), 2),
        "sure": round(100 * p.max(1).values.mean().item(), 1),
        "entropy": round(-torch.special.xlogy(share, share).sum().item() / log(10), 3),
    }


@torch.no_grad()
def level_loss(net: nn.Module, x: Tensor, sigma: float) -> float:
    """Return the denoising loss at one level."""
    loss = denoising_score_matching(partial(net, sigma=sigma), x, sigma, rng())
    return round(loss.mean().item(), 2)


def digits(inputs: dict[str, Any]) -> dict[str, Any]:
    """Train on 8 x 8 digits, sample, and judge the samples beside real and Gaussian ones."""
    images, labels = small_digits()
    x, y = torch.tensor(images) / 8 - 1, torch.tensor(labels)
    rows = [torch.tensor(part) for part in split(len(x), 797, 500, 500)]
    train_x, other, test = x[torch.cat(rows[:2])], x[rows[1]], x[rows[2]]
    model = classifier(train_x, y[torch.cat(rows[:2])])
    n = inputs["samples"]
    cov = torch.cov(train_x.T.double(), correction=0)
    variances, axes = torch.linalg.eigh(cov)
    noise = torch.randn(n, 64, generator=rng(), dtype=torch.float64)
    gauss = (train_x.mean(0) + noise * variances.clamp(min=0).sqrt() @ axes.T).float()
    sets = {"test": test, "train": other, "gauss": gauss}
    span = inputs["sigma_1"] / inputs["sigma_L"]
    L = 1 + round(log(span) / log(ncsnv2_ratio(64)))
    sigmas = geometric_sigmas(inputs["sigma_1"], inputs["sigma_L"], L)
    eps = ncsnv2_step(sigmas, inputs["T"])
    found: dict[str, Any] = {
        "furthest": round(torch.cdist(train_x, train_x).max().item(), 2),
        "L": L,
        "ratio": round((sigmas[0] / sigmas[1]).item(), 3),
        "eps": round(eps, 6),
        "factor": round(eps / inputs["sigma_L"] ** 2, 3),
    }
    if inputs["digit_steps"]:
        net = NoiseConditionalScore(64, 256, 4, sigma_data=0.6)
        losses = train_ncsn(net, train_x, sigmas, inputs["digit_steps"], batch=256, lr=2e-3)
        found["loss_first"] = round(losses[0], 2)
        found["loss_last"] = round(sum(losses[-200:]) / 200, 2)
        found["levels"] = {
            name: [level_loss(net, part, sigma) for sigma in sigmas.tolist()]
            for name, part in (("train", train_x), ("test", test))
        }
        start = inputs["sigma_1"] * torch.randn(n, 64, generator=rng())
        found["stages"], generator, state = [], rng(1), start
        for i, sigma in enumerate(sigmas.tolist()):
            if i % 3 == 0:
                found["stages"].append(grey(state[:8]))
            step = eps * sigma**2 / inputs["sigma_L"] ** 2
            at_level = partial(net, sigma=sigma)
            state = langevin_dynamics(at_level, state, step, inputs["T"], generator)
        with torch.no_grad():
            clean = state + inputs["sigma_L"] ** 2 * net(state, inputs["sigma_L"])
        found["stages"] += [grey(state[:8]), grey(clean[:8])]
        found["samples"] = grey(clean[8:48])
        sets |= {"ncsn": clean, "noisy": state}
        for factor in inputs["factors"]:
            sets[f"f{factor}".replace(".", "_")] = annealed_langevin(
                net, start, sigmas, factor * inputs["sigma_L"] ** 2, inputs["T"], True, rng(1)
            )
    found["judged"] = {name: judge(one, train_x, test, model) for name, one in sets.items()}
    return found


def run(**inputs: Any) -> dict[str, Any]:
    """Train, sample and judge everything."""
    torch.set_num_threads(1)
    return {
        "toys": toys(inputs),
        "weights": weights(inputs["particles"], inputs["slow"]),
        "digits": digits(inputs),
    }
