"""Predictor-corrector sampling: a step of the reverse SDE, then Langevin steps at one time."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count
from snippets.generative.diffusion_as_sde import LinearSDE
from snippets.generative.score_based_models.checks import (
    Number,
    check_positive,
)

from .fast import time_grid
from .ode import Field
from .sdes import Time, prior_sample


def reverse_diffusion_step(
    sde: LinearSDE,
    score: Tensor,
    x: Tensor,
    t: Time,
    s: Time,
    noise: Tensor | None,
) -> Tensor:
    """Undo the forward step from s to t, Eq. (score-sde-predictor).

    Raises: ValueError unless s < t.
    """
    a = sde.alpha(t) / sde.alpha(s)
    v = sde.sigma(t) ** 2 - a**2 * sde.sigma(s) ** 2
    if not v > 0:
        raise ValueError(f"s must be earlier than t, got {s} and {t}")
    mean = (2 - a) * x + v * score
    return mean if noise is None else mean + v.sqrt() * noise


def langevin_step(
    score: Tensor,
    x: Tensor,
    noise: Tensor,
    snr: Number = 0.16,
) -> Tensor:
    """Move by a Langevin step, Eq. (score-sde-corrector).

    Raises: ValueError unless all three have one shape (n, d), snr > 0 and the
    score is not zero everywhere.
    """
    check_positive("snr", snr)
    if x.ndim != 2 or not x.shape == score.shape == noise.shape:
        got = [tuple(part.shape) for part in (score, x, noise)]
        raise ValueError(f"score, x, noise must share a shape (n, d), got {got}")
    if not score.any():
        raise ValueError("score must not vanish in every row, got zeros")
    size = noise.norm(dim=1).mean() / score.norm(dim=1).mean()
    step = 2 * (snr * size) ** 2
    return x + step * score + (2 * step).sqrt() * noise


@torch.no_grad()
def predictor_corrector(
    sde: LinearSDE,
    score_fn: Field,
    shape: tuple[int, ...],
    n_steps: int,
    *,
    n_corrector: int = 1,
    snr: Number = 0.16,
    eps: Number = 1e-3,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "n d"], int]:
    """Alternate both steps from t = 1 to eps; count the calls of the score.

    The last predictor step adds no noise and no corrector follows it.
    Raises: ValueError unless n_steps >= 1, n_corrector is 0 or a count, snr > 0.
    """
    check_count("n_steps", n_steps)
    check_positive("snr", snr)
    if n_corrector != 0:
        check_count("n_corrector", n_corrector)
    x, nfe = prior_sample(sde, shape, generator), 0
    ts = time_grid(sde, n_steps, eps)
    for i, (t, s) in enumerate(pairwise(ts), 1):
        last = i == n_steps
        noise = torch.randn(shape, generator=generator, dtype=x.dtype)
        drawn = None if last else noise
        x = reverse_diffusion_step(sde, score_fn(x, t), x, t, s, drawn)
        nfe += 1
        for _ in range(0 if last else n_corrector):
            noise = torch.randn(shape, generator=generator, dtype=x.dtype)
            x = langevin_step(score_fn(x, s), x, noise, snr)
            nfe += 1
    return x, nfe
