"""DDPM's chain of T steps: schedule, posterior with three variances, ancestral sampling."""

from collections.abc import Callable
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count

Schedule = tuple[Tensor, Tensor]
Number = float | int
VARIANCES = ("small", "large", "optimal")


def schedule_of(
    betas: Tensor,
) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
    """Return betas and alpha_bar, Eq. (diffusion-as-sde-alpha-bar).

    Raises: ValueError unless betas is a vector of numbers in (0, 1).
    """
    if betas.ndim != 1 or len(betas) < 1:
        shape = tuple(betas.shape)
        raise ValueError(f"betas must be a vector, got the shape {shape}")
    wrong = betas[~((betas > 0) & (betas < 1))]
    if len(wrong):
        raise ValueError(f"betas must lie in (0, 1), got {wrong[0].item():g}")
    return betas, (1 - betas).cumprod(0)


def ddpm_schedule(
    T: int,
    beta_start: Number = 1e-4,
    beta_end: Number = 0.02,
) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"]]:
    """Return the linear schedule of T steps in double precision.

    Raises: ValueError unless T is an integer >= 1 and the betas are in (0, 1).
    """
    check_count("T", T)
    ends = beta_start, beta_end
    return schedule_of(torch.linspace(*ends, T, dtype=torch.float64))


def _coefficients(
    schedule: Schedule,
    t: int,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""], Float[Tensor, ""]]:
    """Return the weights of x_0 and x_t in the mean, and the variance.

    Eq. (diffusion-as-sde-posterior).
    Raises: ValueError unless the schedule is a pair of vectors of one length,
    and t is an integer from 1 to T.
    """
    shapes = [tuple(part.shape) for part in schedule]
    if len(shapes) != 2 or len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise ValueError(
            f"schedule must be betas and alpha_bar, got the shapes {shapes}",
        )
    betas, alpha_bar = schedule
    if not isinstance(t, int) or isinstance(t, bool) or not 1 <= t <= len(betas):
        raise ValueError(
            f"t must be an integer from 1 to {len(betas)}, got {t!r}",
        )
    beta, now = betas[t - 1], alpha_bar[t - 1]
    before = alpha_bar[t - 2] if t > 1 else torch.ones_like(now)
    of_x0 = before.sqrt() * beta / (1 - now)
    of_xt = (1 - beta).sqrt() * (1 - before) / (1 - now)
    return of_x0, of_xt, (1 - before) / (1 - now) * beta


def ddpm_posterior(
    x_t: Tensor,
    x0_hat: Tensor,
    t: int,
    schedule: Schedule,
    variance: str = "small",
    x0_variance: Tensor | Number | None = None,
) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
    """Return mean and variance of the step from x_t to x_(t-1).

    Eqs. (diffusion-as-sde-posterior) and (diffusion-as-sde-optimal); t = 1..T.
    x0_variance is Var[x_0 | x_t], which "optimal" needs.
    Raises: ValueError unless t is in 1..T, the shapes agree, the variance is
    known, and x0_variance >= 0 is there if and only if it is optimal.
    """
    if variance not in VARIANCES:
        raise ValueError(
            f"variance must be one of {VARIANCES}, got {variance!r}",
        )
    if (x0_variance is None) == (variance == "optimal"):
        needs = "needs" if variance == "optimal" else "does not use"
        raise ValueError(f"variance {variance!r} {needs} x0_variance")
    spread = torch.as_tensor(0.0 if x0_variance is None else x0_variance)
    if not (spread >= 0).all():
        least = spread.min().item()
        raise ValueError(f"x0_variance must be >= 0, got {least:g}")
    if x_t.shape != x0_hat.shape:
        shapes = f"{tuple(x_t.shape)} and {tuple(x0_hat.shape)}"
        raise ValueError(
            f"x_t and x0_hat must have the same shape, got {shapes}",
        )
    of_x0, of_xt, var = _coefficients(schedule, t)
    if variance == "large":
        var = schedule[0][t - 1]
    elif x0_variance is not None:
        var = var + of_x0**2 * x0_variance
    return of_x0 * x0_hat + of_xt * x_t, var


def ddpm_sample(
    eps_fn: Callable[[Tensor, int], Tensor],
    shape: tuple[int, ...],
    schedule: Schedule,
    variance: str = "small",
    generator: torch.Generator | None = None,
    *,
    x0_variance: Callable[[Tensor, int], Tensor | Number] | None = None,
) -> Float[Tensor, "..."]:
    """Draw x_T, then step back to x_0; eps_fn(x, t) guesses the noise in x_t.

    Eq. (diffusion-as-sde-eps); the last step adds noise only if it is optimal.
    Raises: ValueError as ddpm_posterior, and unless eps_fn keeps the shape.
    """
    betas, alpha_bar = schedule
    x = torch.randn(shape, generator=generator, dtype=betas.dtype)
    for t in range(len(betas), 0, -1):
        a = alpha_bar[t - 1]
        eps = eps_fn(x, t)
        if eps.shape != x.shape:
            shapes = f"{tuple(x.shape)}, got {tuple(eps.shape)}"
            raise ValueError(f"eps_fn must keep the shape {shapes}")
        x0_hat = (x - (1 - a).sqrt() * eps) / a.sqrt()
        spread = None if x0_variance is None else x0_variance(x, t)
        mean, var = ddpm_posterior(x, x0_hat, t, schedule, variance, spread)
        x = mean
        if t > 1 or variance == "optimal":
            z = torch.randn(shape, generator=generator, dtype=betas.dtype)
            x = mean + torch.as_tensor(var).sqrt() * z
    return x


def ddpm_final_variance(
    schedule: Schedule,
    data_variance: Number,
    variance: str = "small",
) -> float:
    """Return the exact variance of what ddpm_sample draws for Gaussian data.

    The data are N(0, data_variance), eps_fn is exact, and every step is linear:
    Eq. (diffusion-as-sde-recursion).
    Raises: ValueError unless 0 < data_variance < inf and the variance is known.
    """
    if not 0 < data_variance < inf:
        got = f"got {data_variance}"
        raise ValueError(f"data_variance must be > 0 and finite, {got}")
    optimal, v = variance == "optimal", 1.0
    one = torch.ones((), dtype=schedule[0].dtype)
    for t in range(len(schedule[0]), 0, -1):
        a = schedule[1][t - 1]
        total = a * data_variance + 1 - a
        spread = data_variance * (1 - a) / total if optimal else None
        x0_hat = a.sqrt() * data_variance / total * one
        k, var = ddpm_posterior(one, x0_hat, t, schedule, variance, spread)
        added = 0 if t == 1 and not optimal else var
        v = (k**2 * v + added).item()
    return v
