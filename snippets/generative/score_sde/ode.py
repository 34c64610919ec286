"""Solvers of ordinary differential equations: Euler, Heun, adaptive Runge-Kutta."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from math import isfinite
from typing import Any

import torch
from torch import Tensor

from snippets.common.checks import check_count
from snippets.generative.score_based_models.checks import Number

Field = Callable[[Tensor, Any], Tensor]

# Dormand and Prince's coefficients: times, stages, fifth order minus fourth
C = [0, 1 / 5, 3 / 10, 4 / 5, 8 / 9, 1, 1]
A = [
    [],
    [1 / 5],
    [3 / 40, 9 / 40],
    [44 / 45, -56 / 15, 32 / 9],
    [19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729],
    [9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656],
    [35 / 384, 0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84],
]
E = [
    *(71 / 57600, 0, -71 / 16695, 71 / 1920),
    *(-17253 / 339200, 22 / 525, -1 / 40),
]


@torch.no_grad()
def solve_ode(
    f: Field,
    x: Tensor,
    t0: Number,
    t1: Number,
    *,
    method: str = "rk45",
    n_steps: int | None = None,
    ts: Tensor | None = None,
    rtol: Number = 1e-5,
    atol: Number = 1e-5,
    per_sample: bool = False,
) -> tuple[Tensor, int]:
    """Carry x from t0 to t1 along dx/dt = f(x, t); count the calls of f.

    euler and heun take n_steps equal steps, or those between the times ts; rk45
    the steps that its tolerances ask for, of the worst row if per_sample.
    Raises: ValueError for an unknown method, a fixed one without n_steps >= 1 or
    ts from t0 to t1, an rk45 with them, tolerances <= 0, t0 = t1, an x that is
    not finite, or an f of another shape than x.
    """
    if method not in ("euler", "heun", "rk45"):
        raise ValueError(f"method must be euler, heun or rk45, got {method!r}")
    f = _checked(f, x, t0, t1)
    if method == "rk45":
        if n_steps is not None or ts is not None:
            raise ValueError("rk45 chooses its steps: leave out n_steps and ts")
        if not (rtol > 0 and atol > 0):
            raise ValueError(f"rtol and atol must be > 0, got {rtol} and {atol}")
        size = partial(_size, rtol=rtol, atol=atol, per_sample=per_sample)
        return _rk45(f, x, float(t0), float(t1), size)
    step = _euler if method == "euler" else _heun
    ts = _grid(method, t0, t1, n_steps, ts)
    for t, s in pairwise(ts):
        x = step(f, x, t, s)
    return x, (len(ts) - 1) * (1 if method == "euler" else 2)


def _checked(f: Field, x: Tensor, t0: Number, t1: Number) -> Field:
    """Return f with the shape of what it returns watched."""
    if t0 == t1 or not isfinite(t1 - t0):
        got = f"{t0} and {t1}"
        raise ValueError(f"t0 and t1 must be finite and differ, got {got}")
    if not (x.is_floating_point() and x.isfinite().all() and x.numel()):
        raise ValueError(f"x must hold finite floating-point numbers, got {x}")

    def watched(x: Tensor, t: Any) -> Tensor:
        slope = f(x, t)
        if slope.shape != x.shape:
            shapes = f"{tuple(x.shape)}, got {tuple(slope.shape)}"
            raise ValueError(f"f must return the shape {shapes}")
        return slope

    return watched


def _grid(
    method: str,
    t0: Number,
    t1: Number,
    n_steps: int | None,
    ts: Tensor | None,
) -> Tensor:
    """Return the times between which a fixed method steps."""
    if (n_steps is None) == (ts is None):
        got = "none" if ts is None else "both"
        raise ValueError(f"{method} needs either n_steps or ts, got {got}")
    if n_steps is not None:
        check_count("n_steps", n_steps)
        return torch.linspace(t0, t1, n_steps + 1, dtype=torch.float64)
    assert ts is not None
    ends = ts.flatten()[[0, -1]].tolist() if ts.numel() else []
    turns = ts.ndim != 1 or not ((t1 - t0) * ts.diff() > 0).all()
    if turns or ends != [t0, t1]:
        way = f"from {t0} to {t1} without turning"
        raise ValueError(f"ts must go {way}, got {ts.tolist()}")
    return ts


def _euler(f: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Follow the slope at the start, Eq. (score-sde-euler)."""
    return x + (s - t) * f(x, t)


def _heun(f: Field, x: Tensor, t: Tensor, s: Tensor) -> Tensor:
    """Follow the mean of the slopes at both ends, Eq. (score-sde-heun)."""
    k = f(x, t)
    return x + (s - t) / 2 * (k + f(x + (s - t) * k, s))


def _size(
    error: Tensor,
    x: Tensor,
    rtol: Number,
    atol: Number,
    per_sample: bool,
) -> float:
    """Return the error in units of what is tolerated: root mean square."""
    square = (error / (atol + rtol * x.abs())) ** 2
    mean = square.flatten(1).mean(1).max() if per_sample else square.mean()
    return mean.sqrt().item()


def _first_step(
    f: Field,
    x: Tensor,
    k: Tensor,
    t0: float,
    t1: float,
    size: Callable[[Tensor, Tensor], float],
) -> float:
    """Guess a step from two slopes (Hairer, Norsett and Wanner, II.4)."""
    d0, d1 = size(x, x), size(k, x)
    h = 0.01 * d0 / d1 if min(d0, d1) >= 1e-5 else 1e-6
    h = min(h, abs(t1 - t0))
    step = h if t1 > t0 else -h
    moved = f(x + step * k, torch.tensor(t0 + step, dtype=torch.float64))
    d2 = size(moved - k, x) / h
    if max(d1, d2) <= 1e-15:
        return min(max(1e-6, h * 1e-3), 100 * h, abs(t1 - t0))
    return min(100 * h, (0.01 / max(d1, d2)) ** 0.2, abs(t1 - t0))


def _try_step(
    f: Field,
    x: Tensor,
    t: float,
    step: float,
    slopes: Tensor,
) -> tuple[Tensor, Tensor]:
    """Return where a step leads and by how much the two orders differ.

    Eq. (score-sde-rk45); slopes (7, *x.shape) holds the first and receives six.
    """
    for i in range(1, 7):
        weights = torch.tensor(A[i], dtype=x.dtype)
        y = x + step * torch.tensordot(weights, slopes[:i], 1)
        time = torch.tensor(t + C[i] * step, dtype=torch.float64)
        slopes[i] = f(y, time)
    error = step * torch.tensordot(torch.tensor(E, dtype=x.dtype), slopes, 1)
    return y, error


def _rk45(
    f: Field,
    x: Tensor,
    t0: float,
    t1: float,
    size: Callable[[Tensor, Tensor], float],
) -> tuple[Tensor, int]:
    """Lengthen the step if the error is small, repeat it if it is large."""
    t, slopes = t0, x.new_empty(7, *x.shape)
    slopes[0] = f(x, torch.tensor(t0, dtype=torch.float64))
    h = _first_step(f, x, slopes[0], t0, t1, size)
    nfe, most = 2, 10.0
    while t != t1:
        if not h > 1e-14 * abs(t1 - t0):  # also where h is not a number
            raise ValueError(f"rk45 cannot go on at t = {t:g}: step {h:.2g}")
        end = t1 if h >= abs(t1 - t) else t + (h if t1 > t0 else -h)
        y, error = _try_step(f, x, t, end - t, slopes)
        nfe += 6
        wrong = size(error, torch.maximum(x.abs(), y.abs()))
        factor = 0.9 * max(wrong, 1e-15) ** -0.2
        h = abs(end - t) * min(max(factor, 0.2), most)
        most = 1.0  # after a failure, no longer step than this
        if wrong < 1:
            x, t, most = y, end, 10.0
            slopes[0] = slopes[6].clone()
    return x, nfe
