"""Errors for bad input, all of one form: what is expected, and what was given."""

from collections.abc import Sequence
from math import isfinite

import numpy as np
from torch import Tensor


def check_count(name: str, value: object, least: int = 1) -> None:
    """Refuse what is no integer of at least ``least``.

    Raises:
        TypeError: the value is not an integer.
        ValueError: it is too small.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    if value < least:
        raise ValueError(f"{name} must be >= {least}, got {value}")


def check_even(name: str, value: object) -> None:
    """Refuse what is no even integer of at least 2."""
    check_count(name, value, 2)
    if value % 2:  # type: ignore[operator]
        raise ValueError(f"{name} must be even (conjugate pairs), got {value}")


def check_positive(name: str, value: object) -> None:
    """Refuse what is not finite and above zero.

    Raises:
        TypeError: the value is not a number.
        ValueError: it is not finite, or not above zero.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not (isfinite(value) and value > 0):
        raise ValueError(f"{name} must be finite and > 0, got {value}")


def check_nonzero(name: str, value: np.ndarray) -> None:
    """Refuse an array in which there is a zero."""
    if (value == 0).any():
        raise ValueError(f"{name} must be nonzero, got a 0")


def check_choice(name: str, value: object, known: Sequence[str]) -> None:
    """Refuse a name that is not known."""
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(known)}, got {value!r}")


def check_shape(name: str, value: Tensor | np.ndarray, expected: Sequence[int]) -> None:
    """Refuse an array of another shape; -1 stands for any size."""
    got = tuple(value.shape)
    if len(got) != len(expected) or any(
        e not in (-1, g) for e, g in zip(expected, got, strict=True)
    ):
        wanted = tuple("any" if e == -1 else e for e in expected)
        raise ValueError(f"{name} must have shape {wanted}, got {got}")
