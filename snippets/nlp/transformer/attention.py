"""Attention: masks, heads, a cache of keys and values, and attention by blocks.

Left out: dropout on the weights, kernels for accelerators.
"""

from collections.abc import Callable
from functools import partial
from math import inf

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import check_at_least, check_axes, check_fits, check_mask, check_qkv


def scaled_dot_product_attention(
    q: Float[Tensor, "... lq dk"],
    k: Float[Tensor, "... lk _"],
    v: Float[Tensor, "... _ dv"],
    mask: Tensor | None = None,
    scale: float | None = None,
    bias: Tensor | None = None,
) -> tuple[Float[Tensor, "... lq dv"], Float[Tensor, "... lq lk"]]:
    """Return softmax(q kᵀ · scale + bias) v and the weights.

    Eq. (transformer-attention).

    ``mask`` is True where a query may attend; a query that may attend to
    nothing gets weights 0.  ``scale`` is 1/√dk unless given.

    Raises:
        TypeError: the mask is not bool.
        ValueError: shapes do not fit.
    """
    check_qkv(q, k, v)
    scores = q @ k.mT * (q.shape[-1] ** -0.5 if scale is None else scale)
    check_mask(mask, scores.shape)
    check_fits(scores.shape, bias=bias)
    if bias is not None:
        scores = scores + bias
    if mask is None:
        weights = torch.softmax(scores, dim=-1)
    else:  # the softmax of a row of -inf is NaN, hence the second fill
        weights = torch.softmax(scores.masked_fill(~mask, -inf), dim=-1)
        weights = weights.masked_fill(~mask, 0)
    return weights @ v, weights


def causal_mask(
    lq: int,
    lk: int,
    device: torch.device | None = None,
) -> Bool[Tensor, "lq lk"]:
    """Let query i of the last ``lq`` positions see keys 0 … lk - lq + i.

    Raises:
        TypeError: a length is not an integer.
        ValueError: lq < 1, or there are fewer keys than queries.
    """
    check_at_least(1, lq=lq)
    check_at_least(lq, lk=lk)
    return torch.ones(lq, lk, dtype=torch.bool, device=device).tril(lk - lq)


def padding_mask(lengths: Int[Tensor, " b"]) -> Bool[Tensor, "b 1 1 l"]:
    """Let nobody attend behind the end of a sequence.

    Raises:
        TypeError: the lengths are not integers.
        ValueError: they are no row, there is none, or one is below 1.
    """
    if lengths.is_floating_point():
        raise TypeError(f"lengths must be integers, got {lengths.tolist()}")
    if lengths.dim() != 1 or not lengths.numel() or lengths.min() < 1:
        found = lengths.tolist()
        raise ValueError(f"lengths must be a row of at least 1, got {found}")
    positions = torch.arange(int(lengths.max()), device=lengths.device)
    return (positions < lengths[:, None])[:, None, None]


class KVCache:
    """The keys and values of one attention layer, which grow token by token."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.kept: list[Tensor] = []

    @property
    def length(self) -> int:
        """Return how many positions are kept."""
        return self.kept[0].shape[-2] if self.kept else 0

    def held(self) -> tuple[Tensor, Tensor]:
        """Return all keys and all values.

        Raises:
            ValueError: nothing is kept yet.
        """
        if not self.kept:
            raise ValueError("the cache holds 0 positions, append some first")
        k, v = self.kept
        return k, v

    def append(self, *new: Tensor) -> tuple[Tensor, Tensor]:
        """Keep the new keys and values behind the old and return all."""
        pairs = zip(self.kept, new, strict=True) if self.kept else ()
        self.kept = [torch.cat(pair, dim=-2) for pair in pairs] or list(new)
        return self.held()

    def select(self, rows: Int[Tensor, " b"]) -> None:
        """Keep these sequences of the batch, some of them perhaps twice."""
        self.kept = [tensor[rows] for tensor in self.kept]


class MultiHeadAttention(nn.Module):
    """Attention in ``n_heads`` subspaces, Eq. (transformer-heads).

    With fewer ``n_kv_heads`` neighbouring query heads share keys and values.
    ``fused`` takes torch's operator instead of ours; then no weights are seen.
    """

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        n_kv_heads: int | None = None,
        bias: bool = True,
        *,
        fused: bool = False,
    ) -> None:
        """Make the four projections.

        Raises:
            TypeError: a count is not an integer.
            ValueError: d_model is no multiple of n_heads, or that of n_kv_heads.
        """
        super().__init__()
        n_kv_heads = n_heads if n_kv_heads is None else n_kv_heads
        check_at_least(1, d_model=d_model, n_heads=n_heads)
        check_at_least(1, n_kv_heads=n_kv_heads)
        if d_model % n_heads or n_heads % n_kv_heads:
            raise ValueError(
                "d_model must be a multiple of n_heads and that of n_kv_heads, "
                f"got {d_model}, {n_heads}, {n_kv_heads}"
            )
        self.n_heads, self.n_kv_heads, self.fused = n_heads, n_kv_heads, fused
        narrow = d_model // n_heads * n_kv_heads
        self.W_q = nn.Linear(d_model, d_model, bias)
        self.W_k = nn.Linear(d_model, narrow, bias)
        self.W_v = nn.Linear(d_model, narrow, bias)
        self.W_o = nn.Linear(d_model, d_model, bias)
        self.weights: Tensor | None = None

    def forward(
        self,
        x: Float[Tensor, "b lq d"],
        mem: Float[Tensor, "b lm d"] | None = None,
        mask: Tensor | None = None,
        cache: KVCache | None = None,
        rope: Callable[[Tensor, int], Tensor] | None = None,
        bias: Tensor | None = None,
    ) -> Float[Tensor, "b lq d"]:
        """Let x attend to ``mem``, or to itself and what the cache holds.

        ``rope(heads, offset)`` turns queries and keys; ``bias`` is added to
        the scores.  The keys of ``mem`` are computed once for one cache.

        Raises:
            TypeError: the mask is not bool.
            ValueError: x, mem, mask or bias has a wrong shape.
        """
        check_axes("batch, length, d_model", self.W_q.in_features, x=x, mem=mem)
        q = self._split(self.W_q(x), self.n_heads)
        if rope is not None:
            q = rope(q, cache.length if cache is not None else 0)
        source = x if mem is None else mem
        k, v = self._keys(source, mem is not None, cache, rope)
        out = self._attend(q, k, v, mask, bias)
        return self.W_o(out.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor, heads: int) -> Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)

    def _keys(
        self,
        source: Tensor,
        fixed: bool,
        cache: KVCache | None,
        rope: Callable[[Tensor, int], Tensor] | None,
    ) -> tuple[Tensor, Tensor]:
        if fixed and cache is not None and cache.length:
            return cache.held()
        k = self._split(self.W_k(source), self.n_kv_heads)
        v = self._split(self.W_v(source), self.n_kv_heads)
        if rope is not None:
            k = rope(k, cache.length if cache is not None else 0)
        return (k, v) if cache is None else cache.append(k, v)

    def _attend(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor | None,
        bias: Tensor | None,
    ) -> Tensor:
        group = self.n_heads // self.n_kv_heads
        if group > 1:
            k, v = (
                k.repeat_interleave(group, dim=1),
                v.repeat_interleave(group, dim=1),
            )
        if not self.fused:
            attend = partial(scaled_dot_product_attention, mask=mask, bias=bias)
            out, self.weights = attend(q, k, v)
            return out
        shape = torch.Size([*q.shape[:-1], k.shape[-2]])
        check_mask(mask, shape)
        check_fits(shape, bias=bias)
        if bias is not None and mask is not None:
            bias = bias.masked_fill(~mask, -inf)
        both = mask if bias is None else bias
        return F.scaled_dot_product_attention(q, k, v, both)


def online_attention(
    q: Float[Tensor, "... lq dk"],
    k: Float[Tensor, "... lk dk"],
    v: Float[Tensor, "... lk dv"],
    block: int = 128,
    causal: bool = True,
) -> Float[Tensor, "... lq dv"]:
    """Return attention without holding lq x lk scores, Eq. (transformer-online).

    Raises:
        TypeError: ``block`` is not an integer.
        ValueError: it is below 1, shapes do not fit, there is no query or no
            key, or causal queries outnumber the keys.
    """
    check_qkv(q, k, v)
    check_at_least(1, block=block, lq=q.shape[-2])
    check_at_least(q.shape[-2] if causal else 1, lk=k.shape[-2])
    ahead = k.shape[-2] - q.shape[-2]
    parts = []
    for i, q_i in enumerate(q.split(block, dim=-2)):
        see = ahead + i * block + q_i.shape[-2] if causal else k.shape[-2]
        q_i = q_i * q.shape[-1] ** -0.5
        parts.append(_online_rows(q_i, k, v, block, see, causal))
    return torch.cat(parts, dim=-2)


def _online_rows(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    block: int,
    see: int,
    causal: bool,
) -> Tensor:
    m = q.new_full((*q.shape[:-1], 1), -inf)
    o, total = q.new_zeros(*q.shape[:-1], v.shape[-1]), torch.zeros_like(m)
    first = see - q.shape[-2]  # the last key that the first row sees
    for j in range(0, see, block):
        s = q @ k[..., j : min(j + block, see), :].mT
        if causal and j + s.shape[-1] > first + 1:
            ones = torch.ones_like(s, dtype=torch.bool)
            s = s.masked_fill(ones.triu(first - j + 1), -inf)
        higher = torch.maximum(m, s.amax(dim=-1, keepdim=True))
        p, shrink = torch.exp(s - higher), torch.exp(m - higher)
        total = shrink * total + p.sum(dim=-1, keepdim=True)
        o, m = shrink * o + p @ v[..., j : j + s.shape[-1], :], higher
    return o / total
