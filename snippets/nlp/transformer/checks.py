"""Refuse bad input before any work, with the value and what was expected."""

from itertools import zip_longest

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


def check_qkv(q: Tensor, k: Tensor, v: Tensor) -> None:
    """Refuse queries, keys and values that do not fit each other.

    Raises:
        ValueError: an axis is missing, or widths, lengths or batches differ.
    """
    shapes = ", ".join(str(tuple(t.shape)) for t in (q, k, v))
    if min(q.dim(), k.dim(), v.dim()) < 2:
        raise ValueError(f"q, k, v need the axes length and width, got {shapes}")
    if q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(f"q, k need one width, k, v one length, got {shapes}")
    leading = (reversed(t.shape[:-2]) for t in (q, k, v))
    if any(len({*sizes} - {1}) > 1 for sizes in zip_longest(*leading, fillvalue=1)):
        raise ValueError(f"q, k, v need one batch, got {shapes}")


def check_fits(shape: torch.Size, **tensors: Tensor | None) -> None:
    """Refuse what cannot be stretched to the scores' shape; keywords name the tensors.

    Raises:
        ValueError: a tensor does not broadcast to ``shape``.
    """
    for name, tensor in tensors.items():
        if tensor is None:
            continue
        pairs = zip(reversed(tensor.shape), reversed(shape), strict=False)
        if tensor.dim() > len(shape) or any(m not in (1, s) for m, s in pairs):
            found, wanted = tuple(tensor.shape), tuple(shape)
            raise ValueError(f"{name} of shape {found} does not fit scores {wanted}")


def check_mask(mask: Tensor | None, shape: torch.Size) -> None:
    """Refuse a mask that is not bool or cannot be stretched to the scores' shape.

    Raises:
        TypeError: the mask holds something else than bool.
        ValueError: it does not broadcast to ``shape``.
    """
    if mask is not None and mask.dtype != torch.bool:
        raise TypeError(f"mask must be bool, True = may attend, got {mask.dtype}")
    check_fits(shape, mask=mask)


def check_axes(names: str, width: int, **tensors: Tensor | None) -> None:
    """Refuse a tensor without the named axes or with another last one.

    Raises:
        ValueError: the number of axes or the last one differs.
    """
    axes = len(names.split())
    for name, tensor in tensors.items():
        if tensor is not None and (tensor.dim() != axes or tensor.shape[-1] != width):
            shape = tuple(tensor.shape)
            raise ValueError(f"{name} needs the axes {names} = {width}, got {shape}")


def check_numbers(below: int, **tensors: Tensor) -> None:
    """Refuse what does not number the rows of a table; keywords name the tensors.

    Raises:
        TypeError: a tensor does not hold integers.
        ValueError: it is empty, or a number is not in 0 … ``below`` - 1.
    """
    for name, tensor in tensors.items():
        if tensor.is_floating_point() or tensor.dtype == torch.bool:
            raise TypeError(f"{name} must hold integers, got {tensor.dtype}")
        if not tensor.numel():
            raise ValueError(f"{name} must not be empty, got shape {tuple(tensor.shape)}")
        wrong = tensor[(tensor < 0) | (tensor >= below)]
        if wrong.numel():
            raise ValueError(f"{name} must be in 0 … {below - 1}, got {wrong[0].item()}")
