"""The three classical SDEs, their noise scale lambda_t, and the prior they end in."""

from math import inf, log, pi

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.generative.diffusion_as_sde import VPSDE, LinearSDE, check_time
from snippets.generative.score_based_models.checks import (
    Number,
    check_points,
)

Time = Tensor | Number


class VESDE(LinearSDE):
    """Variance exploding: alpha = 1 while sigma grows geometrically."""

    def __init__(
        self,
        sigma_min: Number = 0.01,
        sigma_max: Number = 50.0,
    ) -> None:
        """Keep both ends of sigma(t) = sigma_min (sigma_max / sigma_min)^t.

        Raises: ValueError unless 0 < sigma_min < sigma_max.
        """
        if not 0 < sigma_min < sigma_max < inf:
            ends = f"{sigma_min} and {sigma_max}"
            raise ValueError(f"need 0 < sigma_min < sigma_max, got {ends}")
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    def alpha(self, t: Time) -> Tensor:
        """Return 1: the data keep their size."""
        return torch.ones_like(check_time(t))

    def sigma(self, t: Time) -> Tensor:
        """Return the standard deviation of the noise."""
        ratio = self.sigma_max / self.sigma_min
        return self.sigma_min * ratio ** check_time(t)

    def drift_coef(self, t: Time) -> Tensor:
        """Return 0: nothing drifts."""
        return torch.zeros_like(check_time(t))

    def diffusion2(self, t: Time) -> Tensor:
        """Return g^2 = d sigma^2 / dt."""
        return 2 * log(self.sigma_max / self.sigma_min) * self.sigma(t) ** 2


class SubVPSDE(VPSDE):
    """VP with less noise on the way: sigma = 1 - alpha^2, not its root."""

    def sigma(self, t: Time) -> Tensor:
        """Return the standard deviation of the noise."""
        return 1 - self.alpha(t) ** 2

    def diffusion2(self, t: Time) -> Tensor:
        """Return g^2 = beta (1 - alpha^4)."""
        return -2 * self.drift_coef(t) * (1 - self.alpha(t) ** 4)


def lam(sde: LinearSDE, t: Time) -> Tensor:
    """Return half the log signal-to-noise ratio, Eq. (score-sde-lam)."""
    return (sde.alpha(t) / sde.sigma(t)).log()


def t_of_lam(sde: LinearSDE, value: Tensor | Number) -> Tensor:
    """Return the time at which lambda_t has a value: it falls, so halve.

    Raises: ValueError unless lambda takes the value within (0, 1].
    """
    value = torch.as_tensor(value, dtype=torch.float64)
    low, high = torch.full_like(value, 1e-12), torch.ones_like(value)
    if not ((lam(sde, high) <= value) & (value <= lam(sde, low))).all():
        ends = f"{lam(sde, 1.0).item():.4g} and {lam(sde, 1e-12).item():.4g}"
        raise ValueError(f"value must lie between {ends}, got {value.tolist()}")
    for _ in range(60):
        middle = (low + high) / 2
        early = lam(sde, middle) > value
        low, high = middle.where(early, low), high.where(early, middle)
    return (low + high) / 2


def prior_std(sde: LinearSDE) -> float:
    """Return the standard deviation of the law that sampling starts from."""
    return sde.sigma_max if isinstance(sde, VESDE) else 1.0


def prior_log_prob(sde: LinearSDE, x: Tensor) -> Float[Tensor, " n"]:
    """Return log N(x; 0, prior_std^2 I).

    Raises: ValueError unless x has the shape (n, d).
    """
    check_points(x)
    std = prior_std(sde)
    return -((x / std) ** 2).sum(1) / 2 - x.shape[1] * log(std * (2 * pi) ** 0.5)


def prior_sample(
    sde: LinearSDE,
    shape: tuple[int, ...],
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "n d"]:
    """Draw n points from N(0, prior_std^2 I).

    Raises: ValueError unless the shape is (n, d) with both >= 1.
    """
    if len(shape) != 2 or min(shape) < 1:
        got = tuple(shape)
        raise ValueError(f"shape must be (n, d) with both >= 1, got {got}")
    return prior_std(sde) * torch.randn(shape, generator=generator, dtype=dtype)


def prior_kl(sde: LinearSDE, data_var: Number) -> float:
    """Return KL(p_1 || prior) in nats per dimension, Eq. (score-sde-kl).

    The data are N(0, data_var).  Raises: ValueError unless 0 <= data_var < inf.
    """
    if not 0 <= data_var < inf:
        raise ValueError(f"data_var must be finite and >= 0, got {data_var}")
    at_end = sde.alpha(1.0) ** 2 * data_var + sde.sigma(1.0) ** 2
    r = at_end.item() / prior_std(sde) ** 2
    return (r - 1 - log(r)) / 2
