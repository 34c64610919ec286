"""The panoptic head: a mask per query, grown from where the query looks."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class AttentionMap(nn.Module):
    """Attention without values, Eq. (detr-heat): where each query looks."""

    def __init__(self, d_model: int, nhead: int) -> None:
        """Make the projections of the queries and of the memory.

        Raises:
            ValueError: d_model is no multiple of nhead.
        """
        super().__init__()
        if nhead < 1 or d_model % nhead:
            raise ValueError(
                f"d_model must be a multiple of nhead, got {d_model}, {nhead}",
            )
        self.nhead = nhead
        self.W_q = nn.Linear(d_model, d_model)
        self.W_k = nn.Linear(d_model, d_model)

    def forward(
        self,
        queries: Tensor,
        memory: Tensor,
        pad: Tensor | None = None,
    ) -> Float[Tensor, "b n heads h w"]:
        """Spread the weight 1 of each query over all heads and cells together.

        queries are (b, n, d), memory is (b, d, h, w), pad (b, h, w) is True
        where there is no picture.

        Raises:
            ValueError: queries and memory differ in b or d.
        """
        ranks = queries.ndim, memory.ndim
        if ranks != (3, 4) or queries.shape[::2] != memory.shape[:2]:
            raise ValueError(
                "expected queries (b, n, d) and memory (b, d, h, w), got "
                f"{tuple(queries.shape)} and {tuple(memory.shape)}",
            )
        q = self.W_q(queries).unflatten(-1, (self.nhead, -1))
        k = self.W_k(memory.flatten(2).mT).unflatten(-1, (self.nhead, -1))
        logits = torch.einsum("bnec,blec->bnel", q, k) * q.shape[-1] ** -0.5
        if pad is not None:
            nowhere = pad.flatten(1)[:, None, None]
            logits = logits.masked_fill(nowhere, -torch.inf)
        weights = logits.flatten(2).softmax(-1)
        return weights.unflatten(-1, (self.nhead, *memory.shape[2:]))


def convolution(before: int, after: int) -> nn.Sequential:
    """Return a 3x3 convolution, normalised in groups, and a ReLU."""
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.GroupNorm(min(8, after), after),
        nn.ReLU(),
    )


class MaskHead(nn.Module):
    """Grows heat maps into masks, three times adding a finer backbone map."""

    def __init__(
        self,
        d_model: int,
        nhead: int,
        channels: Sequence[int],
    ) -> None:
        """Take the channels of the three backbone maps, the coarsest first.

        Raises:
            ValueError: there are not three, d_model is no multiple of 16 or
                d_model + nhead none of 8.
        """
        super().__init__()
        if len(channels) != 3 or d_model < 16 or d_model % 16:
            raise ValueError(
                "need 3 numbers of channels and a multiple of 16 as d_model, "
                f"got {len(channels)} and {d_model}",
            )
        widths = [d_model // 2, d_model // 4, d_model // 8, d_model // 16]
        joined = d_model + nhead
        if joined % 8:  # the groups of the normalisation
            raise ValueError(
                f"d_model + nhead must be a multiple of 8, got {joined}",
            )
        self.enter = nn.Sequential(
            convolution(joined, joined),
            convolution(joined, widths[0]),
        )
        self.adapt = nn.ModuleList(
            nn.Conv2d(c, width, 1)
            for c, width in zip(
                channels,
                widths[:3],
                strict=True,
            )
        )
        self.refine = nn.ModuleList(
            convolution(before, after) for before, after in pairwise(widths)
        )
        self.out = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(
        self,
        features: Tensor,
        heat: Tensor,
        pyramid: Sequence[Tensor],
    ) -> Float[Tensor, "b n height width"]:
        """Return a logit per query and cell of the finest map.

        features (b, d, h, w) and heat (b, n, heads, h, w) are joined; pyramid
        holds three maps (b, c, ., .), the coarsest first.
        """
        n = heat.shape[1]
        x = torch.cat([features.repeat_interleave(n, 0), heat.flatten(0, 1)], 1)
        x = self.enter(x)
        for adapt, refine, finer in zip(
            self.adapt,
            self.refine,
            pyramid,
            strict=True,
        ):
            grown = F.interpolate(x, finer.shape[-2:], mode="nearest")
            x = refine(grown + adapt(finer).repeat_interleave(n, 0))
        return self.out(x)[:, 0].unflatten(0, (-1, n))


def dice_loss(logits: Tensor, masks: Tensor) -> Float[Tensor, " n"]:
    """Return 1 - (2 |pm| + 1) / (|p| + |m| + 1) of each mask, Eq. (detr-dice).

    logits and masks are (n, ...), p is the sigmoid of the logits.

    Raises:
        ValueError: the shapes differ, or a mask leaves [0, 1].
    """
    if logits.shape != masks.shape or logits.ndim < 2:
        raise ValueError(
            "logits and masks must have one shape (n, ...), got "
            f"{tuple(logits.shape)} and {tuple(masks.shape)}",
        )
    if not ((masks >= 0) & (masks <= 1)).all():
        raise ValueError("masks must lie in [0, 1]")
    p, m = logits.sigmoid().flatten(1), masks.flatten(1)
    return 1 - (2 * (p * m).sum(1) + 1) / (p.sum(1) + m.sum(1) + 1)


def paint(logits: Tensor, labels: Tensor) -> Int[Tensor, "h w 2"]:
    """Give each pixel the class and the number of the query with most to say.

    Raises:
        ValueError: logits are not (n, h, w) with n >= 1, or labels not (n,).
    """
    if logits.ndim != 3 or not len(logits) or labels.shape != logits.shape[:1]:
        raise ValueError(
            "expected logits (n, h, w) and labels (n,), got "
            f"{tuple(logits.shape)} and {tuple(labels.shape)}",
        )
    best = logits.argmax(0)
    return torch.stack([labels[best], best], -1)
