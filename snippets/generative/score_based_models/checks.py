"""What every function of the article asks of its input."""

from collections.abc import Callable
from math import inf
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

Number = float | int


def check_positive(name: str, value: Number) -> None:
    """Refuse what is no positive finite number.

    Raises: ValueError unless 0 < value < infinity.
    """
    if not 0 < value < inf:
        raise ValueError(f"{name} must be finite and > 0, got {value}")


def check_points(x: Tensor, name: str = "x") -> None:
    """Refuse what is not a batch of points.

    Raises: ValueError unless x is (n, d) with n, d >= 1, real and finite.
    """
    if x.ndim != 2 or 0 in x.shape:
        raise ValueError(
            f"{name} must have the shape (n, d), n, d >= 1, got {tuple(x.shape)}",
        )
    if not x.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {x.dtype}")
    finite = x.isfinite().all(1)
    if not finite.all():
        row = int(finite.int().argmin())
        raise ValueError(f"{name} must be finite, got row {row}: {x[row].tolist()}")


def check_sigma(sigma: Tensor | Number, x: Tensor) -> Float[Tensor, "n 1"]:
    """Return sigma as a column, one entry for each row of x.

    Raises: ValueError unless sigma is finite and > 0, one number or (n,).
    """
    level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
    if level.shape not in ((), (len(x),)):
        raise ValueError(
            f"sigma must be a number or ({len(x)},), got {tuple(level.shape)}",
        )
    wrong = level[~((level > 0) & level.isfinite())]
    if len(wrong):
        raise ValueError(f"sigma must be finite and > 0, got {wrong[0]:g}")
    return level.expand(len(x))[:, None]


def check_sigmas(sigmas: Tensor) -> None:
    """Refuse what is no annealing schedule.

    Raises: ValueError unless sigmas is (L,), finite, > 0 and falling.
    """
    if sigmas.ndim != 1 or not len(sigmas):
        raise ValueError(
            f"sigmas must have the shape (L,), got {tuple(sigmas.shape)}",
        )
    falling = (sigmas[1:] < sigmas[:-1]).all()
    if not (falling and sigmas.isfinite().all() and sigmas[-1] > 0):
        raise ValueError(f"sigmas must fall and be > 0, got {sigmas.tolist()}")


def evaluate(
    score_fn: Callable[[Tensor], Any],
    x: Tensor,
    name: str = "score_fn",
) -> Float[Tensor, "n d"]:
    """Return score_fn(x).

    Raises: ValueError unless it has the shape of x.
    """
    s = score_fn(x)
    got = tuple(s.shape) if isinstance(s, Tensor) else type(s).__name__
    if got != tuple(x.shape):
        raise ValueError(
            f"{name} must return the shape of x, {tuple(x.shape)}, got {got}",
        )
    return s
