"""MADE: an autoencoder whose masks let an output see only earlier variables."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import log

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.functional import linear, relu

from snippets.common.checks import check_count

from .base import (
    Autoregressive,
    bernoulli_log_prob,
    check_observed,
)


def made_degrees(
    dim: int,
    hidden_sizes: Sequence[int],
    *,
    order: Sequence[int] | None = None,
    generator: torch.Generator | None = None,
) -> list[Int[Tensor, " units"]]:
    """Number the inputs by their place in the order, and the hidden units.

    A unit of degree m may see the first m variables.  Degrees are dealt evenly;
    with a generator they are drawn, none below the smallest one layer before.
    Raises: ValueError unless sizes are >= 1 and order permutes range(dim).
    """
    check_count("dim", dim)
    for size in hidden_sizes:
        check_count("hidden size", size)
    order = list(range(dim) if order is None else order)
    if len(order) != dim or not all(i in order for i in range(dim)):
        raise ValueError(
            f"order must be a permutation of range({dim}), got {order}",
        )
    places = torch.empty(dim, dtype=torch.long)
    places[order] = torch.arange(1, dim + 1)
    degrees, top = [places], max(1, dim - 1)
    for size in hidden_sizes:
        low = min(int(degrees[-1].min()), top)
        if generator is None:
            degrees.append(torch.arange(size) % top + 1)
        else:
            degrees.append(
                torch.randint(low, top + 1, (size,), generator=generator),
            )
    return degrees


def made_masks(degrees: Sequence[Tensor]) -> list[Bool[Tensor, "out in"]]:
    """Return a mask per layer, Eq. (autoregressive-models-masks), as (out, in).

    Raises: ValueError where there are no degrees.
    """
    if not degrees:
        raise ValueError("degrees must begin with those of the inputs, got none")
    masks = [to[:, None] >= of for of, to in pairwise(degrees)]
    return [*masks, degrees[0][:, None] > degrees[-1]]


class MaskedLinear(nn.Linear):
    """A linear layer that uses the weights its mask leaves."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:  # type: ignore
        """Return x times the masked weights, plus the bias.

        Raises: ValueError unless the mask has the shape of the weights.
        """
        if mask.shape != self.weight.shape:
            shapes = f"{tuple(self.weight.shape)}, got {tuple(mask.shape)}"
            raise ValueError(f"mask must have the shape of the weights {shapes}")
        return linear(x, self.weight * mask, self.bias)


class MADE(Autoregressive):
    """Masked autoencoder, Eq. (autoregressive-models-made)."""

    def __init__(
        self,
        dim: int,
        hidden_sizes: Sequence[int],
        *,
        num_masks: int = 1,
        natural_order: bool = True,
        direct: bool = True,
        seed: int = 0,
    ) -> None:
        """Make num_masks models with the same weights; seed + k draws mask k.

        Raises: ValueError unless all sizes are >= 1 and there is a hidden layer.
        """
        super().__init__(dim)
        check_count("num_masks", num_masks)
        if not hidden_sizes:
            raise ValueError(
                f"hidden_sizes must be integers >= 1, got {hidden_sizes!r}",
            )
        for size in hidden_sizes:
            check_count("hidden size", size)
        self.hidden_sizes, self.num_masks = list(hidden_sizes), num_masks
        self.seed = seed
        self.natural_order, self.direct = natural_order, direct
        sizes = [dim, *hidden_sizes, dim]
        layers = [MaskedLinear(a, b) for a, b in pairwise(sizes)]
        self.skip = nn.Parameter(torch.zeros(dim, dim)) if direct else None
        generator = torch.Generator().manual_seed(seed)
        for layer in layers:
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)
        self.layers, self.bias = nn.ModuleList(layers), layers[-1].bias

    def degrees(
        self,
        k: int = 0,
        order: Sequence[int] | None = None,
    ) -> list[Tensor]:
        """Return the degrees of mask k, in another order if one is given.

        Raises: ValueError unless 0 <= k < num_masks.
        """
        if not 0 <= k < self.num_masks:
            raise ValueError(
                f"k must be at least 0 and below {self.num_masks}, got {k}",
            )
        drawn = torch.Generator().manual_seed(self.seed + k)
        if order is None and not self.natural_order:
            order = torch.randperm(self.dim, generator=drawn).tolist()
        generator = drawn if self.num_masks > 1 else None
        return made_degrees(
            self.dim,
            self.hidden_sizes,
            order=order,
            generator=generator,
        )

    def _masks(self, degrees: Sequence[Tensor]) -> list[Tensor]:
        """Return the masks of all layers and of the direct connections."""
        places = degrees[0]
        masks = [*made_masks(degrees), places[:, None] > places]
        return [mask.to(self.bias.dtype) for mask in masks]

    def _masked(
        self,
        x: Tensor,
        masks: Sequence[Tensor],
    ) -> Float[Tensor, "batch dim"]:
        """Run the network with these masks, Eq. (autoregressive-models-made)."""
        h = self.layers[0](x, masks[0])
        for layer, mask in zip(self.layers[1:], masks[1:-1], strict=True):
            h = layer(relu(h), mask)
        return h if self.skip is None else h + linear(x, self.skip * masks[-1])

    def forward(
        self,
        x: Tensor,
        k: int = 0,
        order: Sequence[int] | None = None,
    ) -> Float[Tensor, "batch dim"]:
        """Return the logits of mask k, in another order if given.

        Raises: ValueError unless x is a binary batch of the parameters' type,
        0 <= k < num_masks and order a permutation.
        """
        self.check(x)
        return self._masked(x, self._masks(self.degrees(k, order)))

    def log_prob(  # type: ignore[override]
        self, x: Tensor, k: int | Sequence[int] | None = None
    ) -> Float[Tensor, " batch"]:
        """Return log p(x) of mask k, or of the mixture of several (None: all).

        Eq. (autoregressive-models-mixture).
        Raises: ValueError where k names no mask.
        """
        if isinstance(k, int):
            return bernoulli_log_prob(self(x, k), x)
        each = range(self.num_masks) if k is None else k
        if not len(each):
            raise ValueError(f"k must name at least one mask, got {k}")
        parts = torch.stack([bernoulli_log_prob(self(x, j), x) for j in each])
        return parts.logsumexp(0) - log(len(parts))

    def loss(self, x: Tensor, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean NLL in nats under one mask, drawn anew each time."""
        k = int(torch.randint(self.num_masks, (), generator=generator))
        return -self.log_prob(x, k).mean()

    def walk(  # type: ignore[override]
        self, x: Tensor, k: int = 0, order: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Tensor]]:
        """Yield each i in order with the logits of x_i: one full pass each."""
        degrees = self.degrees(k, order)
        masks = self._masks(degrees)
        for i in degrees[0].argsort().tolist():
            yield i, self._masked(x, masks)[:, i]

    def sample(  # type: ignore[override]
        self, n: int, k: int = 0, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n dim"]:
        """Draw n vectors in the order of mask k.

        Raises: ValueError unless n >= 1 and 0 <= k < num_masks.
        """
        check_count("n", n)
        x = self.bias.new_zeros(n, self.dim)
        self._clamp(
            self.walk(x, k),
            x,
            torch.zeros(self.dim, dtype=torch.bool),
            generator,
        )
        return x

    def complete(
        self,
        x: Tensor,
        observed: Tensor,
        n: int,
        *,
        particles: int = 1000,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "n dim"]:
        """Draw n vectors given x where observed.

        A model of many orders takes one that begins with what is observed, and
        needs no particles.  Raises: ValueError as `Autoregressive.complete`.
        """
        if self.natural_order or self.num_masks == 1:
            return super().complete(
                x,
                observed,
                n,
                particles=particles,
                generator=generator,
            )
        check_count("n", n)
        check_observed(x, observed, self.dim)
        drawn = x.to(self.bias.dtype).expand(n, -1).clone()
        rest = (~observed).nonzero()[:, 0]
        rest = rest[torch.randperm(len(rest), generator=generator)]
        order = [*observed.nonzero()[:, 0].tolist(), *rest.tolist()]
        self._clamp(self.walk(drawn, 0, order), drawn, observed, generator)
        return drawn
