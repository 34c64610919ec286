"""Linear SDEs, given by marginals or by coefficients, and the variance-preserving one."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import inf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count

Number = float | int
Time = Tensor | Number
Rate = Callable[[Tensor], Any]


def check_time(t: Time) -> Float[Tensor, "..."]:
    """Return t as a tensor, numbers in double precision.

    Raises: ValueError unless 0 <= t <= 1, up to rounding.
    """
    time = t if isinstance(t, Tensor) else torch.asarray(t, dtype=torch.float64)
    wrong = time[~((time >= -1e-9) & (time <= 1 + 1e-9))]
    if len(wrong):
        raise ValueError(f"t must lie in [0, 1], got {wrong[0].item():g}")
    return time


def _per_point(t: Time, x: Tensor) -> Float[Tensor, "..."]:
    """Return t in a shape that multiplies x: one number, or one per point.

    Raises: ValueError unless t has no axis or is as long as x.
    """
    time = check_time(t)
    if time.ndim and time.shape != x.shape[:1]:
        expected = f"one number or {len(x)}, one per point"
        raise ValueError(f"t must be {expected}, got shape {tuple(time.shape)}")
    return time.view(-1, *[1] * (x.ndim - 1)) if time.ndim else time


def _rate(fn: Rate, t: Time) -> Float[Tensor, "..."]:
    """Return the derivative of fn at each t, by autograd.

    Raises: ValueError where it is not finite, as that of a root at 0.
    """
    with torch.enable_grad():
        time = check_time(t).detach().clone().requires_grad_()
        value = fn(time) + 0 * time  # a constant has the slope 0
        (slope,) = torch.autograd.grad(value.sum(), time)
    wrong = time[~slope.isfinite()]
    if len(wrong):
        raise ValueError(f"t must have a finite slope, got {wrong[0].item():g}")
    return slope


class LinearSDE(ABC):
    """dx = f(t) x dt + g(t) dw for t in [0, 1], given by alpha and sigma.

    A subclass says what alpha(t) and sigma(t) are; the rest follows.
    """

    @abstractmethod
    def alpha(self, t: Time) -> Float[Tensor, "..."]:
        """Return the factor by which x_0 has shrunk at t."""

    @abstractmethod
    def sigma(self, t: Time) -> Float[Tensor, "..."]:
        """Return the standard deviation of the noise at t."""

    def drift_coef(self, t: Time) -> Float[Tensor, "..."]:
        """Return f(t), Eq. (diffusion-as-sde-f).

        Raises: ValueError unless t is in [0, 1] and the slope finite there.
        """
        return _rate(lambda time: self.alpha(time).log(), t)

    def diffusion2(self, t: Time) -> Float[Tensor, "..."]:
        """Return g(t)^2, Eq. (diffusion-as-sde-g2).

        Raises: ValueError unless t is in [0, 1] and the slope finite there.
        """

        def ratio(time: Tensor) -> Tensor:
            return (self.sigma(time) / self.alpha(time)) ** 2

        return _rate(ratio, t) * self.alpha(check_time(t)) ** 2

    def forward_drift(self, x: Tensor, t: Time) -> Float[Tensor, "..."]:
        """Return f(t) x.

        Raises: ValueError unless t is in [0, 1], one number or one per point.
        """
        return self.drift_coef(_per_point(t, x)) * x

    def marginal(
        self,
        x0: Tensor,
        t: Time,
    ) -> tuple[Float[Tensor, "..."], Float[Tensor, "..."]]:
        """Return mean and standard deviation of x_t.

        Eq. (diffusion-as-sde-marginal).

        Raises: ValueError unless t is in [0, 1], one number or one per point.
        """
        time = _per_point(t, x0)
        return self.alpha(time) * x0, self.sigma(time)

    def sample(
        self,
        x0: Tensor,
        t: Time,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "..."]:
        """Draw x_t given x_0 in one leap, Eq. (diffusion-as-sde-marginal).

        Raises: ValueError unless t is in [0, 1], one number or one per point.
        """
        mean, std = self.marginal(x0, t)
        z = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
        return mean + std * z

    def tabulate(self, ts: Tensor) -> "LinearSDE":
        """Return the same SDE on a grid, where all is looked up.

        Raises: ValueError unless ts is a vector of times in [0, 1].
        """
        return _Tabulated(self, ts)

    @classmethod
    def from_coefficients(
        cls,
        f: Rate,
        g2: Rate,
        n_steps: int = 1000,
    ) -> "LinearSDE":
        """Integrate the moments of dx = f x dt + sqrt(g2) dw, x_0 known.

        Eq. (diffusion-as-sde-moments), by Runge-Kutta steps of order 4.
        Raises: ValueError unless n_steps is an integer >= 1, and f is finite
        and g2 >= 0 on the grid.
        """
        return _FromCoefficients(f, g2, n_steps)


class _Tabulated(LinearSDE):
    """What depends on t alone, computed for a whole grid at once."""

    def __init__(self, sde: LinearSDE, ts: Tensor) -> None:
        if ts.ndim != 1:
            shape = tuple(ts.shape)
            raise ValueError(f"ts must be a vector, got the shape {shape}")
        quantities = (sde.alpha, sde.sigma, sde.drift_coef, sde.diffusion2)
        columns = [quantity(ts).unbind() for quantity in quantities]
        rows = zip(*columns, strict=True)
        self.rows = dict(zip(ts.tolist(), rows, strict=True))

    def _look_up(self, t: Time, column: int) -> Float[Tensor, ""]:
        """Return one quantity at a time of the grid.

        Raises: ValueError unless t is one of the times.
        """
        try:
            return self.rows[float(t)][column]
        except KeyError:
            message = f"t must be one of the tabulated times, got {float(t):g}"
            raise ValueError(message) from None

    def alpha(self, t: Time) -> Float[Tensor, ""]:
        return self._look_up(t, 0)

    def sigma(self, t: Time) -> Float[Tensor, ""]:
        return self._look_up(t, 1)

    def drift_coef(self, t: Time) -> Float[Tensor, ""]:
        return self._look_up(t, 2)

    def diffusion2(self, t: Time) -> Float[Tensor, ""]:
        return self._look_up(t, 3)


class _FromCoefficients(LinearSDE):
    """The moments on a grid, and cubics between that have the right slopes."""

    def __init__(self, f: Rate, g2: Rate, n_steps: int) -> None:
        check_count("n_steps", n_steps)
        self.f, self.g2, self.n_steps = f, g2, n_steps
        half = torch.linspace(0, 1, 2 * n_steps + 1, dtype=torch.float64)
        rates = self.drift_coef(half), self.diffusion2(half)
        if not rates[0].isfinite().all():
            raise ValueError(f"f must be finite, got {rates[0].sum().item():g}")
        if not (rates[1] >= 0).all():
            raise ValueError(f"g2 must be >= 0, got {rates[1].min().item():g}")
        steps = zip(*(rate.tolist() for rate in rates), strict=True)
        rows, rates_at = [(0.0, 0.0)], list(steps)
        for i in range(0, 2 * n_steps, 2):
            rows.append(self._step(*rows[-1], *rates_at[i : i + 3]))
        y = torch.tensor(rows, dtype=torch.float64)  # ln alpha and sigma^2
        slopes = [rates[0][::2], 2 * rates[0][::2] * y[:, 1] + rates[1][::2]]
        self.values, self.slopes = y, torch.stack(slopes, 1)

    def _step(
        self,
        log_alpha: float,
        var: float,
        before: tuple[float, float],
        middle: tuple[float, float],
        after: tuple[float, float],
    ) -> tuple[float, float]:
        """Take one Runge-Kutta step of order 4, with (f, g2) at three times."""
        h = 1 / self.n_steps
        k1 = 2 * before[0] * var + before[1]
        k2 = 2 * middle[0] * (var + h / 2 * k1) + middle[1]
        k3 = 2 * middle[0] * (var + h / 2 * k2) + middle[1]
        k4 = 2 * after[0] * (var + h * k3) + after[1]
        f_mean = (before[0] + 4 * middle[0] + after[0]) / 6
        return log_alpha + h * f_mean, var + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)

    def _between(self, t: Time) -> Float[Tensor, "... 2"]:
        """Interpolate (ln alpha, sigma^2) by Hermite's cubics."""
        place = check_time(t)[..., None] * self.n_steps
        i = place.detach().long().clamp(0, self.n_steps - 1)[..., 0]
        u, h = place - i[..., None], 1 / self.n_steps
        ahead = self.values[i + 1] - self.values[i]
        before = h * self.slopes[i] - ahead
        after = ahead - h * self.slopes[i + 1]
        bend = (1 - u) * before + u * after
        return self.values[i] + u * ahead + u * (1 - u) * bend

    def alpha(self, t: Time) -> Float[Tensor, "..."]:
        return self._between(t)[..., 0].exp()

    def sigma(self, t: Time) -> Float[Tensor, "..."]:
        return self._between(t)[..., 1].clamp(min=0).sqrt()

    def drift_coef(self, t: Time) -> Float[Tensor, "..."]:
        time = check_time(t)
        return torch.as_tensor(self.f(time), dtype=time.dtype).expand_as(time)

    def diffusion2(self, t: Time) -> Float[Tensor, "..."]:
        time = check_time(t)
        return torch.as_tensor(self.g2(time), dtype=time.dtype).expand_as(time)


class VPSDE(LinearSDE):
    """The variance-preserving SDE, beta(t) a straight line.

    Eq. (diffusion-as-sde-vp).
    """

    def __init__(self, beta_min: Number = 0.1, beta_max: Number = 20.0) -> None:
        """Keep the rates at both ends.

        Raises: ValueError unless 0 < beta_min <= beta_max < inf.
        """
        if not 0 < beta_min <= beta_max < inf:
            got = f"{beta_min} and {beta_max}"
            message = f"expected 0 < beta_min <= beta_max < inf, got {got}"
            raise ValueError(message)
        self.beta_min, self.beta_max = beta_min, beta_max

    def beta(self, t: Time) -> Float[Tensor, "..."]:
        """Return the rate beta(t).

        Raises: ValueError unless t is in [0, 1].
        """
        return self.beta_min + check_time(t) * (self.beta_max - self.beta_min)

    def budget(self, t: Time) -> Float[Tensor, "..."]:
        """Return B(t), the integral of beta from 0 to t.

        Raises: ValueError unless t is in [0, 1].
        """
        time = check_time(t)
        slope = self.beta_max - self.beta_min
        return time * (self.beta_min + time / 2 * slope)

    def alpha(self, t: Time) -> Float[Tensor, "..."]:
        """Return exp(-B(t) / 2)."""
        return (-self.budget(t) / 2).exp()

    def sigma(self, t: Time) -> Float[Tensor, "..."]:
        """Return the square root of 1 - exp(-B(t))."""
        return (-torch.expm1(-self.budget(t))).sqrt()

    def drift_coef(self, t: Time) -> Float[Tensor, "..."]:
        """Return -beta(t) / 2."""
        return -self.beta(t) / 2

    def diffusion2(self, t: Time) -> Float[Tensor, "..."]:
        """Return beta(t)."""
        return self.beta(t)

    def discretize(self, N: int, *, exact: bool = False) -> Float[Tensor, " N"]:
        """Return the betas of a chain of N steps.

        Eq. (diffusion-as-sde-betas), or if exact, so that alpha_bar_i is
        alpha(i / N)^2, Eq. (diffusion-as-sde-exact-betas).
        Raises: ValueError unless N is an integer >= 1 (2 unless exact) and the
        betas lie in (0, 1).
        """
        check_count("N", N, 1 if exact else 2)
        if exact:
            grid = torch.linspace(0, 1, N + 1, dtype=torch.float64)
            return -torch.expm1(-self.budget(grid).diff())
        betas = self.beta(torch.linspace(0, 1, N, dtype=torch.float64)) / N
        if betas[-1] >= 1:
            got = f"{self.beta_max} / {N}; try exact=True"
            raise ValueError(f"beta_max / N must be < 1, got {got}")
        return betas
