"""Where a cell of the feature map lies, written as sines and cosines."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor


def sine_position_encoding_2d(
    mask_or_hw: Tensor | tuple[int, int],
    d: int,
    temperature: float | int = 10000,
    normalize: bool = True,
    scale: float | int = 2 * pi,
) -> Float[Tensor, "*batch h w d"]:
    """Encode the row in the first d/2 numbers, the column in the rest.

    Eq. (detr-position).  The grid is (h, w), or a bool mask (..., h, w) that is
    True on the picture and False on padding, which then does not count.

    Raises:
        ValueError: d is no positive multiple of 4, temperature or scale are not
            positive, or the grid is empty or not bool.
    """
    if d < 4 or d % 4:
        raise ValueError(f"d must be a positive multiple of 4, got {d}")
    if temperature <= 0 or scale <= 0:
        raise ValueError(
            f"temperature and scale must be > 0, got {temperature} and {scale}",
        )
    if isinstance(mask_or_hw, Tensor):
        valid = mask_or_hw
    else:
        if len(mask_or_hw) != 2 or min(mask_or_hw) < 1:
            raise ValueError(
                f"the grid must be (h, w), both >= 1, got {tuple(mask_or_hw)}",
            )
        valid = torch.ones(tuple(mask_or_hw), dtype=torch.bool)
    if valid.ndim < 2 or not valid.numel() or valid.dtype != torch.bool:
        found = tuple(valid.shape), valid.dtype
        raise ValueError(
            f"the grid must be (..., h, w), bool, not empty, got {found}",
        )
    exponent = torch.arange(0, d // 2, 2, device=valid.device) * 2 / d
    omega = temperature**-exponent
    halves = []
    for axis in (-2, -1):
        place = valid.cumsum(axis).float()
        if normalize:
            last = place.narrow(axis, -1, 1)
            place = place / (last + 1e-6) * scale
        angle = place[..., None] * omega
        halves.append(torch.stack([angle.sin(), angle.cos()], -1).flatten(-2))
    return torch.cat(halves, -1)
