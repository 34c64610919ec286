"""The family of reverse processes: probability-flow ODE, reverse SDE, and all between."""

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count
from snippets.generative.diffusion_as_sde import (
    LinearSDE,
    euler_maruyama,
    reverse_drift,
)
from snippets.generative.score_based_models.checks import Number

from .ode import Field
from .sdes import prior_sample


def tweedie(sde: LinearSDE, score: Tensor, x: Tensor, t: Tensor) -> Tensor:
    """Return E[x_0 | x_t = x] from the score, Eq. (score-sde-tweedie)."""
    return (x + sde.sigma(t) ** 2 * score) / sde.alpha(t)


def probability_flow(
    sde: LinearSDE,
    score_fn: Field,
) -> Field:
    """Return the velocity f - g^2 s / 2, Eq. (score-sde-flow)."""
    return reverse_drift(sde, score_fn, 0.0)


@torch.no_grad()
def reverse_sde_sample(
    sde: LinearSDE,
    score_fn: Field,
    shape: tuple[int, ...],
    n_steps: int,
    *,
    lam: Number = 1.0,
    eps: Number = 1e-3,
    denoise: bool = True,
    generator: torch.Generator | None = None,
    start: Tensor | None = None,
    return_path: bool = False,
) -> Float[Tensor, "*path n d"]:
    """Draw from the prior (or take start) and go back from t = 1 to eps.

    Steps of Euler-Maruyama, Eq. (score-sde-family); denoise ends with tweedie.
    Raises: ValueError unless n_steps >= 1, lam >= 0, 0 < eps < 1, shape (n, d),
    start of that shape if given.
    """
    check_count("n_steps", n_steps)
    if not 0 < eps < 1:
        raise ValueError(f"eps must lie between 0 and 1, got {eps}")
    if start is not None and start.shape != tuple(shape):
        got = tuple(start.shape)
        raise ValueError(f"start must have the shape {tuple(shape)}, got {got}")
    back = reverse_drift(sde, score_fn, lam)
    x = prior_sample(sde, shape, generator) if start is None else start
    path = euler_maruyama(
        back,
        lambda x, t: lam * sde.diffusion2(t).sqrt(),
        x,
        torch.linspace(1, eps, n_steps + 1, dtype=torch.float64),
        generator=generator,
        return_path=True,
    )
    if denoise:
        t = torch.tensor(eps, dtype=torch.float64)
        last = tweedie(sde, score_fn(path[-1], t), path[-1], t)
        path = torch.cat([path[:-1], last[None]])
    return path if return_path else path[-1]
