"""Orders of the solvers on an exact score; networks trained on two moons and on real digits."""

from math import log, pi
from typing import Any

import torch
from torch import Tensor, nn

from snippets.common.data import small_digits, split
from snippets.common.toy import two_moons
from snippets.generative.diffusion_as_sde import VPSDE, exact_score
from snippets.generative.gaussian_mixture import three_islands
from snippets.generative.score_based_models import energy_distance, sliced_wasserstein
from snippets.generative.score_sde import (
    Denoiser,
    NoisePredictor,
    bits_per_dim,
    ddim,
    denoiser_score,
    denoising_flow,
    dpm_solver2,
    dpm_solver_pp_2m,
    karras_sigmas,
    log_likelihood,
    predictor_corrector,
    prior_sample,
    probability_flow,
    reverse_sde_sample,
    solve_ode,
    time_grid,
    train,
)

INPUTS = {
    "points": 2000,
    "steps": [10, 20, 40, 80, 160],
    "tolerances": [1e-3, 1e-5, 1e-7],
    "drawn": 10000,
    "budgets": [12, 24, 48, 120, 240],
    "data": {
        "tiny": {"width": 16, "depth": 1, "steps": 60, "lr": 2e-3},
        "moons": {"width": 64, "depth": 2, "steps": 2500, "lr": 6e-3},
        "digits": {"width": 256, "depth": 3, "steps": 4000, "lr": 2e-3},
    },
    "noise": 0.1,
    "samples": 1000,
}
CHEAP = {
    "points": 2000,
    "steps": [10, 20],
    "tolerances": [1e-3],
    "budgets": [12],
    "data": {"tiny": {"width": 16, "depth": 1, "steps": 60, "lr": 2e-3}},
}
TOLERANCE = 1e-2
EPS = 1e-3
SDE = VPSDE()


def rng(seed: int) -> torch.Generator:
    """Return a generator with that seed."""
    return torch.Generator().manual_seed(seed)


def orders(points: int, steps: list[int], tolerances: list[float]) -> dict[str, Any]:
    """Measure how far each solver ends from where the flow leads, on average."""
    score = exact_score(SDE, three_islands())
    flow = probability_flow(SDE, score)
    x = prior_sample(SDE, (points, 2), rng(0))
    truth, _ = solve_ode(flow, x, 1.0, EPS, rtol=1e-11, atol=1e-11)

    def off(end: Tensor) -> float:
        return (end - truth).norm(dim=1).mean().item()

    found: dict[str, dict[str, Any]] = {}
    for n in steps:
        ends = {
            method: solve_ode(flow, x, 1.0, EPS, method=method, n_steps=n)[0]
            for method in ("euler", "heun")
        }
        for spacing in ("time", "lambda"):
            ts = time_grid(SDE, n, EPS, spacing)
            for name, method in (("ddim", ddim), ("dpm2", dpm_solver2), ("2m", dpm_solver_pp_2m)):
                ends[f"{name}_{spacing}"] = method(SDE, score, x, ts)[0]
        for name, end in ends.items():
            found.setdefault(name, {})[f"n{n}"] = float(f"{off(end):.4g}")
    for tol in tolerances:
        end, nfe = solve_ode(flow, x, 1.0, EPS, rtol=tol, atol=tol)
        found.setdefault("rk45", {})[f"tol{-round(torch.tensor(tol).log10().item())}"] = {
            "nfe": nfe,
            "error": float(f"{off(end):.4g}"),
        }
    return found


def equal_cost(drawn: int, budgets: list[int]) -> dict[str, Any]:
    """Compare samplers that may call the exact score equally often."""
    mixture = three_islands()
    score, shape = exact_score(SDE, mixture), (drawn, 2)
    truth = mixture.sample(drawn, rng(1))
    found: dict[str, dict[str, float]] = {}

    def note(name: str, n: int, x: Tensor) -> None:
        found.setdefault(name, {})[f"n{n}"] = round(sliced_wasserstein(x, truth), 4)

    for n in budgets:
        note("floor", n, mixture.sample(drawn, rng(2)))
        note("sde", n, reverse_sde_sample(SDE, score, shape, n, eps=EPS, generator=rng(3)))
        for k in (0, 1, 2):
            x, _ = predictor_corrector(
                SDE, score, shape, n // (1 + k), n_corrector=k, eps=EPS, generator=rng(3)
            )
            note(f"pc{k}", n, x)
        start = prior_sample(SDE, shape, rng(3))
        note("ddim", n, ddim(SDE, score, start, time_grid(SDE, n, EPS))[0])
        flow = probability_flow(SDE, score)
        note("euler", n, solve_ode(flow, start, 1.0, EPS, method="euler", n_steps=n)[0])
        note("heun", n, solve_ode(flow, start, 1.0, EPS, method="heun", n_steps=n // 2)[0])
    return found


def moons(noise: float) -> tuple[Tensor, Tensor]:
    """Return training and test points."""
    sets = (two_moons(20000, noise, 0), two_moons(4000, noise, 1))
    return torch.tensor(sets[0]).float(), torch.tensor(sets[1]).float()


def moons_log_prob(x: Tensor, noise: float, nodes: int = 4000) -> Tensor:
    """Return log p of two_moons by the midpoint rule along both half circles."""
    angle = (torch.arange(nodes, dtype=torch.float64) + 0.5) * pi / nodes
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    lower = torch.tensor([1.0, 0.5]) - upper
    square = torch.cdist(x.double(), torch.cat([upper, lower])) ** 2
    total = torch.logsumexp(-square / (2 * noise**2), 1)
    return total - log(2 * nodes) - log(2 * pi * noise**2)


def digits(copies: int = 8) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return grey digits in [-1, 1], each level spread evenly; training and test, and classes."""
    grey, y = (torch.tensor(part) for part in small_digits())
    rows, held = split(len(grey), 1500, 297)
    many = grey[rows].repeat(copies, 1)
    spread = [
        (one + torch.rand(one.shape, generator=rng(seed))) / 8.5 - 1
        for seed, one in enumerate((many, grey[held]))
    ]
    return spread[0], spread[1], y[rows].repeat(copies), y[held]


def classifier(x: Tensor, y: Tensor) -> nn.Module:
    """Train a small network to name digits."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))
    adam, generator = torch.optim.Adam(net.parameters(), 2e-3), rng(0)
    for _ in range(1500):
        rows = torch.randint(len(x), (128,), generator=generator)
        loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
        adam.zero_grad()
        loss.backward()
        adam.step()
    return net


def draw(model: Denoiser | NoisePredictor, n: int, dim: int) -> dict[str, tuple[Tensor, int]]:
    """Draw by the reverse SDE, by solvers of its flow, and in EDM's own time."""
    score = denoiser_score(SDE, model) if isinstance(model, Denoiser) else model.score
    start = prior_sample(SDE, (n, dim), rng(5), torch.float32)
    flow, found = probability_flow(SDE, score), {}
    for steps in (30, 300):
        noise = rng(6)
        x = reverse_sde_sample(SDE, score, (n, dim), steps, eps=EPS, generator=noise, start=start)
        found[f"sde{steps}"] = x, steps + 1
    found["ddim30"] = ddim(SDE, score, start, time_grid(SDE, 30, EPS))
    found["rk45"] = solve_ode(flow, start, 1.0, EPS, rtol=1e-4, atol=1e-4)
    if isinstance(model, Denoiser):
        for n_steps in (10, 20):
            sigmas = karras_sigmas(n_steps)
            ends = sigmas[0].item(), sigmas[-1].item()
            x, nfe = solve_ode(denoising_flow(model), 80 * start, *ends, method="heun", ts=sigmas)
            found[f"heun{n_steps}"] = model(x, ends[1]), nfe + 1
    return found


def judge(x: Tensor, train_x: Tensor, test: Tensor, net: nn.Module | None) -> dict[str, float]:
    """Return distances to the test set, and to the nearest training point; for digits, classes."""
    found = {
        "wasserstein": sliced_wasserstein(x, test),
        "energy": energy_distance(x, test),
        "nearest": torch.cdist(x, train_x).min(1).values.mean().item(),
    }
    if net is not None:
        p = net(x).softmax(1)
        share = p.argmax(1).bincount(minlength=10) / len(p)
        found["classes"] = (-(share * share.clamp(min=1e-9).log()).sum() / log(10)).item()
        found["sure"] = p.max(1).values.mean().item()
    return {name: round(value, 4) for name, value in found.items()}


def learn(
    name: str, width: int, depth: int, steps: int, lr: float, noise: float, n: int
) -> dict[str, Any]:
    """Train both networks on one data set, draw from them, and measure likelihoods."""
    real = name == "digits"
    x, test, y, _ = digits() if real else (*moons(noise), None, None)
    dim, net = x.shape[1], classifier(x, y) if y is not None else None
    found: dict[str, Any] = {}
    models: dict[str, Any] = {
        "edm": Denoiser(dim, width, depth, sigma_data=x.std().item()),
        "bare": NoisePredictor(SDE, dim, width, depth),
    }
    losses = {kind: train(model, x, steps=steps, lr=lr) for kind, model in models.items()}
    with torch.no_grad():
        if name != "tiny":
            fit = torch.distributions.MultivariateNormal(x.mean(0), x.T.cov())
            found["test"] = judge(test, x, test, net)
            found["gauss"] = judge(fit.sample((n,)), x, test, net)
        for kind, model in models.items():
            found[kind] = {"loss": round(sum(losses[kind][-50:]) / 50, 4)}
            for how, (drawn, nfe) in draw(model, n, dim).items() if name != "tiny" else ():
                found[kind][how] = judge(drawn, x, test, net) | {"nfe": nfe}
                if how in ("heun20", "rk45"):
                    found[kind][how]["drawn"] = pack(drawn, real)
        if name != "tiny":
            found["test"]["drawn"] = pack(test, real)
    if name == "moons":
        found["true_log_prob"] = round(moons_log_prob(test, noise).mean().item(), 4)
    if name != "tiny":
        for kind, model in models.items():
            found[kind] |= likelihood(model, test, real)
        found["gauss"] |= summary(fit.log_prob(test), real)
    return found


def pack(x: Tensor, real: bool) -> list[str]:
    """Write 10 digits, a pixel a base-36 figure, or 300 points in hundredths."""
    if not real:
        return [f"{100 * a:.0f} {100 * b:.0f}" for a, b in x[:300].tolist()]
    grey = (8.5 * (x[:10] + 1) - 0.5).round().clamp(0, 16).int().tolist()
    return ["".join("0123456789abcdefg"[v] for v in row) for row in grey]


def likelihood(model: Denoiser | NoisePredictor, test: Tensor, real: bool) -> dict[str, float]:
    """Return the log-likelihood of the test set: trace exact in the plane, four probes in 64-d."""
    score = denoiser_score(SDE, model) if isinstance(model, Denoiser) else model.score
    divergence = "hutchinson" if real else "exact"
    log_p, nfe = log_likelihood(
        SDE, score, test, divergence=divergence, n_probes=4, rtol=1e-4, eps=EPS
    )
    return summary(log_p.detach(), real) | {"log_prob_nfe": nfe}


def summary(log_p: Tensor, real: bool) -> dict[str, float]:
    """Return mean and standard error of log-likelihoods, for digits in bits as well."""
    mean, error = log_p.mean(), log_p.std() / len(log_p) ** 0.5
    found = {"log_prob": mean.item(), "log_prob_error": error.item()}
    if real:
        found["bits"] = bits_per_dim(mean, 64, levels=17).item()
        found["bits_error"] = error.item() / (64 * log(2))
    return {name: round(value, 4) for name, value in found.items()}


def run(**inputs: Any) -> dict[str, Any]:
    """Measure, train, draw."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    found: dict[str, Any] = {
        "orders": orders(inputs["points"], inputs["steps"], inputs["tolerances"]),
        "equal_cost": equal_cost(inputs["drawn"], inputs["budgets"]),
    }
    for name, sizes in inputs["data"].items():
        found[name] = learn(name, **sizes, noise=inputs["noise"], n=inputs["samples"])
    return found
