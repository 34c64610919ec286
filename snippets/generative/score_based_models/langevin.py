"""Sampling with nothing but a score: Langevin dynamics, plain and annealed."""

from collections.abc import Callable
from math import log

import torch
from jaxtyping import Float
from scipy.optimize import minimize_scalar
from torch import Tensor

from snippets.common.checks import check_count

from .checks import (
    Number,
    check_points,
    check_positive,
    check_sigmas,
    evaluate,
)
from .matching import Field


@torch.no_grad()
def langevin_dynamics(
    score_fn: Field,
    x0: Tensor,
    step: Number,
    n_steps: int,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """Walk n_steps from x0, Eq. (score-based-models-langevin).

    Raises: ValueError unless x0 is a batch of points, step > 0, n_steps >= 1,
    score_fn returns x's shape and the walk stays finite.
    """
    check_points(x0, "x0")
    check_positive("step", step)
    check_count("n_steps", n_steps)
    x = x0
    for _ in range(n_steps):
        z = torch.empty_like(x).normal_(generator=generator)
        x = x + step * evaluate(score_fn, x) + (2 * step) ** 0.5 * z
    if not x.isfinite().all():
        raise ValueError(
            f"the walk left the finite numbers, the step {step:g} is too large",
        )
    return x


@torch.no_grad()
def annealed_langevin(
    score_fn: Callable[[Tensor, float], Tensor],
    x0: Tensor,
    sigmas: Tensor,
    eps: Number,
    n_steps: int,
    denoise: bool = True,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n d"]:
    """Walk n_steps at each noise level, Eq. (score-based-models-steps).

    score_fn(x, sigma) is the score of the data with that noise; denoise adds
    the last Tweedie step.
    Raises: ValueError unless sigmas fall, eps > 0; and as `langevin_dynamics`.
    """
    check_sigmas(sigmas)
    check_positive("eps", eps)
    x, last = x0, sigmas[-1].item()
    for sigma in sigmas.tolist():
        step = eps * sigma**2 / last**2

        def at_level(y: Tensor, sigma: float = sigma) -> Tensor:
            return score_fn(y, sigma)

        x = langevin_dynamics(at_level, x, step, n_steps, generator)
    return x + last**2 * score_fn(x, last) if denoise else x


def geometric_sigmas(
    sigma_1: Number,
    sigma_L: Number,
    L: int,
) -> Float[Tensor, " L"]:
    """Return L noise levels from sigma_1 down to sigma_L, of one ratio.

    Raises: ValueError unless sigma_1 > sigma_L > 0 and L >= 2.
    """
    check_positive("sigma_L", sigma_L)
    check_positive("sigma_1", sigma_1)
    check_count("L", L)
    if L < 2 or sigma_1 <= sigma_L:
        raise ValueError(
            "need L >= 2 levels that fall, "  # one level has no ratio
            f"got L = {L} from {sigma_1} to {sigma_L}",
        )
    exponents = torch.linspace(
        log(sigma_1),
        log(sigma_L),
        L,
        dtype=torch.float64,
    )
    return exponents.exp()


def ncsnv2_ratio(dim: int) -> float:
    """Return the ratio of noise levels, Eq. (score-based-models-ratio).

    Raises: ValueError unless dim is an integer >= 5.
    """
    check_count("dim", dim)
    if dim < 5:
        raise ValueError(f"dim must be >= 5, or any ratio will do, got {dim}")
    return (2 * dim) ** 0.5 / ((2 * dim) ** 0.5 - 3)


def ncsnv2_step(sigmas: Tensor, T: int) -> float:
    """Return the eps that minimises Eq. (score-based-models-settle).

    T is the number of steps at each level.
    Raises: ValueError unless sigmas fall geometrically and T >= 1.
    """
    check_sigmas(sigmas)
    check_count("T", T)
    ratios = sigmas[:-1] / sigmas[1:]
    if len(sigmas) < 2 or not torch.allclose(ratios, ratios[0], rtol=1e-4):
        raise ValueError(f"sigmas must be geometric, got {sigmas.tolist()}")
    gamma = ratios[0].item()

    def spread(e: float) -> float:
        left = (1 - e) ** (2 * T)
        return left * gamma**2 + (1 - left) / (1 - e / 2)

    best = minimize_scalar(
        spread,
        bounds=(0, 1),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(best.x) * sigmas[-1].item() ** 2
