"""Refuse bad input before any work, with the value and what was expected."""

import torch
from torch import Tensor


def check_at_least(least: int, **values: object) -> None:
    """Refuse what is no integer or too small; keywords name the values.

    Raises:
        TypeError: a value is not an integer.
        ValueError: it is below ``least``.
    """
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool):
            raise TypeError(f"{name} must be an integer, got {value!r}")
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def check_even(**values: int) -> None:
    """Refuse a width that cannot be cut into pairs.

    Raises:
        ValueError: a value is odd or not positive.
    """
    for name, value in values.items():
        check_at_least(1, **{name: value})
        if value % 2:
            raise ValueError(f"{name} must be even, to be cut into pairs, got {value}")


def check_mask(mask: Tensor | None, shape: torch.Size) -> None:
    """Refuse a mask that is not bool or cannot be stretched to the scores' shape.

    Raises:
        TypeError: the mask holds something else than bool.
        ValueError: it does not broadcast to ``shape``.
    """
    if mask is None:
        return
    if mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, True = may attend, got {mask.dtype}")
    pairs = zip(reversed(mask.shape), reversed(shape), strict=False)
    if mask.dim() > len(shape) or any(m not in (1, s) for m, s in pairs):
        raise ValueError(f"mask of shape {tuple(mask.shape)} does not fit scores {tuple(shape)}")
