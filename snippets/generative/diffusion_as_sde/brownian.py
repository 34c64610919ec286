"""Brownian motion on a grid: its increments, two integrals, and the Euler-Maruyama method."""

from collections.abc import Callable
from math import exp, expm1, inf

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count

Field = Callable[[Tensor, Tensor], Tensor | float | int]
Number = float | int


def brownian_increments(
    n_steps: int,
    shape: tuple[int, ...] = (),
    T: Number = 1.0,
    generator: torch.Generator | None = None,
    *,
    dtype: torch.dtype = torch.float64,
) -> Float[Tensor, "steps ..."]:
    """Draw the increments of Brownian motion over n equal steps up to T.

    Eq. (diffusion-as-sde-increment); shape (n_steps, *shape).
    Raises: ValueError unless n_steps is an integer >= 1 and 0 < T < inf.
    """
    check_count("n_steps", n_steps)
    if not 0 < T < inf:
        raise ValueError(f"T must be > 0 and finite, got {T}")
    z = torch.randn(n_steps, *shape, generator=generator, dtype=dtype)
    return (T / n_steps) ** 0.5 * z


def ou_increments(
    n_steps: int,
    shape: tuple[int, ...],
    a: Number,
    T: Number = 1.0,
    generator: torch.Generator | None = None,
) -> tuple[Float[Tensor, "steps ..."], Float[Tensor, "steps ..."]]:
    """Draw dW and, of the same path, I of Eq. (diffusion-as-sde-ou).

    Their covariance is Eq. (diffusion-as-sde-ou-noise).
    Raises: ValueError unless n_steps is an integer >= 1, and a and T are
    positive and finite.
    """
    dW = brownian_increments(n_steps, shape, T, generator)
    h, c, v = _ou_noise(n_steps, a, T)
    z = torch.randn(dW.shape, generator=generator, dtype=dW.dtype)
    return dW, c / h * dW + (v - c**2 / h) ** 0.5 * z


def _ou_noise(n_steps: int, a: Number, T: Number) -> tuple[float, float, float]:
    """Return Var dW, the covariance of dW and I, and Var I.

    Eq. (diffusion-as-sde-ou-noise).
    Raises: ValueError unless n_steps is an integer >= 1 and a > 0.
    """
    check_count("n_steps", n_steps)
    if not 0 < a < inf:
        raise ValueError(f"a must be > 0 and finite, got {a}")
    h = T / n_steps
    return h, -expm1(-a * h) / a, -expm1(-2 * a * h) / (2 * a)


def ou_errors(
    n_steps: int,
    a: Number,
    noise: Number,
    x0: Number,
) -> tuple[float, float, float]:
    """Return the exact strong, mean and variance error of the method at t = 1.

    For dx = -a x dt + noise dw: Eq. (diffusion-as-sde-ou-recursion).
    Raises: ValueError unless n_steps is an integer >= 1 and a > 0.
    """
    h, c, v = _ou_noise(n_steps, a, 1.0)
    k, decay = 1 - a * h, exp(-a * h)  # one step: the method, the truth
    own = cross = true = 0.0  # variances of both and their covariance
    for _ in range(n_steps):
        own = k**2 * own + noise**2 * h
        cross = k * decay * cross + noise**2 * c
        true = decay**2 * true + noise**2 * v
    mean = x0 * (k**n_steps - decay**n_steps)
    strong = (mean**2 + own - 2 * cross + true) ** 0.5
    return strong, mean, own - true


def _check_path(values: Tensor, dW: Tensor) -> None:
    """Refuse values that are not one longer than the increments.

    Raises: ValueError.
    """
    if dW.ndim == 0 or values.shape != (len(dW) + 1, *dW.shape[1:]):
        raise ValueError(
            "values must have one more row than dW and else its shape, "
            f"got {tuple(values.shape)} and {tuple(dW.shape)}",
        )


def ito_integral(values: Tensor, dW: Tensor) -> Float[Tensor, "..."]:
    """Sum the value before each step times the step.

    Eq. (diffusion-as-sde-ito).

    Raises: ValueError unless values has one more row than dW.
    """
    _check_path(values, dW)
    return (values[:-1] * dW).sum(0)


def stratonovich_integral(values: Tensor, dW: Tensor) -> Float[Tensor, "..."]:
    """Sum the mean of both ends times the step.

    Eq. (diffusion-as-sde-stratonovich).
    Raises: ValueError unless values has one more row than dW.
    """
    _check_path(values, dW)
    return ((values[:-1] + values[1:]) / 2 * dW).sum(0)


def _noise(
    x0: Tensor,
    h: Tensor,
    dW: Tensor | None,
    generator: torch.Generator | None,
):
    """Yield one increment of x0's shape for each step, drawn unless given.

    Raises: ValueError unless dW has the shape (steps, *x0.shape).
    """
    if dW is None:
        for width in h.abs().sqrt().tolist():
            z = torch.randn(x0.shape, generator=generator, dtype=x0.dtype)
            yield z.mul_(width)
    elif dW.shape != (len(h), *x0.shape):
        expected = (len(h), *x0.shape)
        raise ValueError(
            f"dW must have the shape {expected}, got {tuple(dW.shape)}",
        )
    else:
        yield from dW


def euler_maruyama(
    drift: Field,
    diffusion: Field,
    x0: Tensor,
    ts: Tensor,
    dW: Tensor | None = None,
    generator: torch.Generator | None = None,
    return_path: bool = False,
) -> Float[Tensor, "..."]:
    """Walk along dx = drift(x, t) dt + diffusion(x, t) dw.

    Eq. (diffusion-as-sde-em); where ts decreases, dt < 0.
    Returns the last x, or with return_path all of them, (len(ts), *x0.shape).
    Raises: ValueError unless ts has two or more entries that strictly increase
    or strictly decrease, x0 holds floats, and dW and the drift fit x0.
    """
    if not x0.is_floating_point():
        raise ValueError(f"x0 must hold floats, got {x0.dtype}")
    if ts.ndim != 1 or len(ts) < 2:
        raise ValueError(
            f"ts must hold two or more times, got the shape {tuple(ts.shape)}",
        )
    h = ts.diff()
    if not ((h > 0).all() or (h < 0).all()):
        raise ValueError(
            f"ts must strictly increase or decrease, got {ts.tolist()}",
        )
    x, path = x0, [x0]
    noise = _noise(x0, h, dW, generator)
    for t, dt, dw in zip(ts[:-1], h.tolist(), noise, strict=True):
        x = x + drift(x, t) * dt + diffusion(x, t) * dw
        if x.shape != x0.shape:
            shapes = f"{tuple(x0.shape)}, got {tuple(x.shape)}"
            raise ValueError(f"drift, diffusion must keep the shape {shapes}")
        if return_path:
            path.append(x)
    return torch.stack(path) if return_path else x
