"""Where a token stands: sinusoids added to it, rotated queries and keys, a bias on the scores."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .checks import check_at_least, check_even


def _frequencies(d: int, base: float = 1e4) -> Float[Tensor, " half"]:
    return base ** (-torch.arange(0, d, 2, dtype=torch.float64) / d)


def sinusoidal(n: int, d: int) -> Float[Tensor, "n d"]:
    """Return the table of positions, Eq. (transformer-sinusoid).

    Sine and cosine alternate, as in the paper.

    Raises:
        TypeError: n or d is not an integer.
        ValueError: n < 1, or d is odd.
    """
    check_at_least(1, n=n)
    check_even(d=d)
    angles = torch.arange(n)[:, None] * _frequencies(d)
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)


def shift_matrix(k: int, d: int) -> Float[Tensor, "d d"]:
    """Return M_k with PE(p + k) = M_k PE(p), Eq. (transformer-shift).

    Raises:
        TypeError, ValueError: d is not an even integer.
    """
    check_even(d=d)
    angles = k * _frequencies(d)
    cos, sin = angles.cos(), angles.sin()
    blocks = torch.stack([cos, sin, -sin, cos], dim=-1).view(-1, 2, 2)
    return torch.block_diag(*blocks)


def rope(
    x: Float[Tensor, "... n d"],
    offset: int = 0,
    base: float = 1e4,
    interleaved: bool = True,
) -> Float[Tensor, "... n d"]:
    """Turn pair i at position p by the angle p·ω_i, Eq. (transformer-rope).

    A pair is channels (2i, 2i + 1), or (i, i + d/2) when not ``interleaved``.

    Raises:
        TypeError: the offset is not an integer.
        ValueError: x has no axis of positions, d is odd, the offset negative,
            or the base not positive.
    """
    if x.dim() < 2 or base <= 0:
        shape = tuple(x.shape)
        raise ValueError(f"x needs axes n, d, base > 0, got {shape}, {base}")
    n, d = x.shape[-2:]
    check_even(d=d)
    check_at_least(0, offset=offset)
    angles = torch.arange(offset, offset + n)[:, None] * _frequencies(d, base)
    cos, sin = angles.cos().to(x), angles.sin().to(x)
    axis = -1 if interleaved else -2
    a, b = x.unflatten(-1, (-1, 2) if interleaved else (2, -1)).unbind(axis)
    turned = a * cos - b * sin, a * sin + b * cos
    return torch.stack(turned, dim=axis).flatten(-2)


def rope_permutation(d: int) -> Int[Tensor, " d"]:
    """Return the order of channels that leads from interleaved pairs to halves.

    Raises:
        TypeError, ValueError: d is not an even integer.
    """
    check_even(d=d)
    return torch.arange(d).view(-1, 2).T.flatten()


def alibi_bias(h: int, n: int) -> Float[Tensor, "h n n"]:
    """Return what ALiBi adds to each head's scores, Eq. (transformer-alibi).

    Raises:
        TypeError, ValueError: h or n is not a positive integer.
    """
    check_at_least(1, h=h, n=n)
    slopes = 2.0 ** (-8 * torch.arange(1, h + 1) / h)
    positions = torch.arange(n)
    distance = (positions[:, None] - positions).abs()
    return -slopes[:, None, None] * distance
