"""One network for the scores of all noise levels, and how it is trained."""

from functools import partial
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from snippets.common.checks import check_count

from .checks import (
    Number,
    check_points,
    check_positive,
    check_sigma,
    check_sigmas,
)
from .matching import denoising_score_matching


class NoiseConditionalScore(nn.Module):
    """F(c_in x, ln sigma) / sigma, Eq. (score-based-models-net)."""

    def __init__(
        self,
        dim: int,
        hidden: int = 128,
        depth: int = 3,
        *,
        sigma_data: Number = 1.0,
        seed: int = 0,
    ) -> None:
        """Draw an F that returns 0: the score of nothing.

        Raises: ValueError unless the sizes are >= 1 and sigma_data > 0.
        """
        super().__init__()
        for name, size in (("dim", dim), ("hidden", hidden), ("depth", depth)):
            check_count(name, size)
        check_positive("sigma_data", sigma_data)
        self.dim, self.sigma_data = dim, sigma_data
        generator = torch.Generator().manual_seed(seed)
        sizes = [dim + 1, *[hidden] * depth, dim]
        layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in layers:
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)
        nn.init.zeros_(layers[-1].weight)
        self.layers = nn.ModuleList(layers)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor | Number,
    ) -> Float[Tensor, "n d"]:
        """Return the score of the data with noise sigma, one number or (n,).

        Raises: ValueError unless x is (n, dim) in the dtype of the network and
        sigma > 0.
        """
        if x.ndim != 2 or x.shape[1] != self.dim:
            raise ValueError(
                f"x must have the shape (n, {self.dim}), got {tuple(x.shape)}",
            )
        dtype = next(self.parameters()).dtype
        if x.dtype != dtype:
            raise ValueError(f"x must be {dtype}, got {x.dtype}")
        level = check_sigma(sigma, x)
        c_in = (level**2 + self.sigma_data**2).rsqrt()
        first, *inner, last = self.layers
        h = silu(first(torch.cat([c_in * x, level.log()], 1)))
        for layer in inner:
            h = h + silu(layer(h))
        return last(h) / level


def train_ncsn(
    model: NoiseConditionalScore,
    x: Tensor,
    sigmas: Tensor,
    steps: int,
    *,
    batch: int = 128,
    lr: Number = 1e-3,
    seed: int = 0,
) -> list[float]:
    """Minimise Eq. (score-based-models-ncsn) by Adam; return the losses.

    Each point of a batch gets a level of its own; the rate falls to 0.
    Raises: ValueError unless x is a batch of points, sigmas fall, and steps
    and batch are >= 1.
    """
    check_points(x)
    check_sigmas(sigmas)
    check_count("steps", steps)
    check_count("batch", batch)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    falling = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, steps)
    losses = []
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,), generator=generator)
        levels = torch.randint(len(sigmas), (batch,), generator=generator)
        sigma = sigmas[levels].to(x.dtype)
        loss = denoising_score_matching(
            partial(model, sigma=sigma),
            x[rows],
            sigma,
            generator,
        ).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        losses.append(loss.item())
    return losses
