"""Samplers that solve the linear part exactly: DDIM, DPM-Solver-2, DPM-Solver++(2M)."""

from itertools import pairwise

import torch
from torch import Tensor

from snippets.common.checks import check_count
from snippets.generative.diffusion_as_sde import LinearSDE
from snippets.generative.score_based_models.checks import Number

from .flow import tweedie
from .ode import Field
from .sdes import Time, lam, t_of_lam


def time_grid(
    sde: LinearSDE,
    n_steps: int,
    eps: Number = 1e-3,
    spacing: str = "time",
) -> Tensor:
    """Return n_steps + 1 times from 1 to eps, evenly spaced in t or in lambda_t.

    Raises: ValueError unless n_steps >= 1, 0 < eps < 1, spacing time or lambda.
    """
    check_count("n_steps", n_steps)
    if not 0 < eps < 1:
        raise ValueError(f"eps must lie between 0 and 1, got {eps}")
    if spacing not in ("time", "lambda"):
        raise ValueError(f"spacing must be time or lambda, got {spacing!r}")
    ts = torch.linspace(1, eps, n_steps + 1, dtype=torch.float64)
    if spacing == "lambda":
        first, last = lam(sde, ts[[0, -1]]).tolist()
        inner = torch.linspace(first, last, n_steps + 1, dtype=torch.float64)
        ts[1:-1] = t_of_lam(sde, inner[1:-1])
    return ts


def ddim_step(
    x: Tensor,
    eps: Tensor,
    t: Time,
    s: Time,
    sde: LinearSDE,
    eta: Number = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Go from t back to s, given the noise eps seen in x, Eq. (score-sde-ddim).

    Raises: ValueError unless x and eps have one shape, 0 <= eta <= 1, s < t.
    """
    if x.shape != eps.shape:
        shapes = f"{tuple(x.shape)} and {tuple(eps.shape)}"
        raise ValueError(f"x and eps must have one shape, got {shapes}")
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in [0, 1], got {eta}")
    alpha_t, alpha_s = sde.alpha(t), sde.alpha(s)
    sigma_t, sigma_s = sde.sigma(t), sde.sigma(s)
    if not alpha_t * sigma_s < alpha_s * sigma_t:
        raise ValueError(f"s must be earlier than t, got {s} and {t}")
    x0 = (x - sigma_t * eps) / alpha_t
    forward = sigma_t**2 - (alpha_t / alpha_s * sigma_s) ** 2
    fresh = eta**2 * forward * sigma_s**2 / sigma_t**2
    x = alpha_s * x0 + (sigma_s**2 - fresh).sqrt() * eps
    if eta == 0:
        return x
    noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
    return x + fresh.sqrt() * noise


@torch.no_grad()
def ddim(
    sde: LinearSDE,
    score_fn: Field,
    x: Tensor,
    ts: Tensor,
    eta: Number = 0.0,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, int]:
    """Take ddim_step from time to time of ts; count the calls of the score.

    Raises: ValueError unless ts falls and has two times or more.
    """
    check_falling(ts)
    for t, s in pairwise(ts):
        noise = -sde.sigma(t) * score_fn(x, t)
        x = ddim_step(x, noise, t, s, sde, eta, generator)
    return x, len(ts) - 1


@torch.no_grad()
def dpm_solver2(
    sde: LinearSDE,
    score_fn: Field,
    x: Tensor,
    ts: Tensor,
) -> tuple[Tensor, int]:
    """Step with the noise seen midway in lambda, Eq. (score-sde-dpm2).

    Raises: ValueError unless ts falls and has two times or more.
    """
    check_falling(ts)
    for t, s in pairwise(ts):
        middle = t_of_lam(sde, (lam(sde, t) + lam(sde, s)) / 2)
        noise = -sde.sigma(t) * score_fn(x, t)
        u = ddim_step(x, noise, t, middle, sde)
        noise = -sde.sigma(middle) * score_fn(u, middle)
        x = ddim_step(x, noise, t, s, sde)
    return x, 2 * (len(ts) - 1)


@torch.no_grad()
def dpm_solver_pp_2m(
    sde: LinearSDE,
    score_fn: Field,
    x: Tensor,
    ts: Tensor,
) -> tuple[Tensor, int]:
    """Step with x_0 seen now and extrapolated from before, Eq. (score-sde-2m).

    Raises: ValueError unless ts falls, has two times or more, ends at sigma > 0.
    """
    check_falling(ts)
    if not sde.sigma(ts[-1]) > 0:
        raise ValueError(f"ts must end where sigma > 0, got {ts[-1].item()}")
    before, h_before = x, torch.tensor(torch.inf)  # so the first step is DDIM's
    for t, s in pairwise(ts):
        now = tweedie(sde, score_fn(x, t), x, t)
        h = lam(sde, s) - lam(sde, t)
        x0 = now + h / (2 * h_before) * (now - before)
        ratio = sde.sigma(s) / sde.sigma(t)
        x = ratio * x - sde.alpha(s) * torch.expm1(-h) * x0
        before, h_before = now, h
    return x, len(ts) - 1


def check_falling(ts: Tensor) -> None:
    """Raise ValueError unless ts holds two falling times or more."""
    if ts.ndim != 1 or len(ts) < 2 or not (ts.diff() < 0).all():
        got = ts.tolist()
        raise ValueError(f"ts must hold two falling times or more, got {got}")
