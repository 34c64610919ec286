"""Two distances between samples, for judging what a sampler drew."""

import torch
from torch import Tensor

from snippets.common.checks import check_count

from .checks import check_points


def _check_pair(x: Tensor, y: Tensor, least: int = 1) -> None:
    """Refuse samples that cannot be compared.

    Raises: ValueError unless both are batches of points of one dimension and
    have at least that many rows.
    """
    check_points(x)
    check_points(y, "y")
    if x.shape[1] != y.shape[1] or min(len(x), len(y)) < least:
        shapes = f"{tuple(x.shape)} and {tuple(y.shape)}"
        raise ValueError(
            f"x and y must be (n, d) and (m, d), n, m >= {least}, got {shapes}",
        )


def sliced_wasserstein(
    x: Tensor,
    y: Tensor,
    n: int = 200,
    seed: int = 0,
) -> float:
    """Return the distance over n random directions.

    Eq. (score-based-models-sliced); the seed fixes the directions.
    Raises: ValueError unless x and y are points of one dimension and n >= 1.
    """
    _check_pair(x, y)
    check_count("n", n)
    x, y = x.double(), y.double()
    generator = torch.Generator().manual_seed(seed)
    v = torch.randn(n, x.shape[1], generator=generator, dtype=torch.float64)
    v = v / v.norm(dim=1, keepdim=True)
    ends = [torch.arange(1, len(z) + 1).double() / len(z) for z in (x, y)]
    levels = torch.cat(ends).sort().values
    widths = levels.diff(prepend=levels.new_zeros(1))
    quantiles = []
    for z in (x, y):  # constant between two levels, so the middle will do
        place = ((levels - widths / 2) * len(z)).long().clamp(max=len(z) - 1)
        quantiles.append((z @ v.T).sort(0).values[place])
    squares = widths @ (quantiles[0] - quantiles[1]) ** 2
    return squares.mean().sqrt().item()


def energy_distance(x: Tensor, y: Tensor) -> float:
    """Return the unbiased estimate of Eq. (score-based-models-energy).

    It may be negative where x and y have the same law.
    Raises: ValueError unless x and y are points of one dimension, two or more.
    """
    _check_pair(x, y, 2)
    x, y = x.double(), y.double()
    exact = "donot_use_mm_for_euclid_dist"
    within = [
        torch.cdist(z, z, compute_mode=exact).sum() / (len(z) * (len(z) - 1))
        # all pairs but those of a point and itself
        for z in (x, y)
    ]
    across = torch.cdist(x, y, compute_mode=exact).mean()
    return (2 * across - within[0] - within[1]).item()
