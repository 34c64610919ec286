"""One recurrence under four names: linear attention, RetNet, Mamba-2's SSD, RWKV.

S_t = a_t S_(t-1) + k_t v_t^T, read by q_t; in RWKV the sum is normalised and kept in logarithms.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from .checks import check_count, check_shape
from .scan import scan


def _check_qkv(q: Tensor, k: Tensor, v: Tensor) -> None:
    if q.dim() != 3 or not q.shape[1]:
        raise ValueError(f"q must have shape (batch, length >= 1, n), got {tuple(q.shape)}")
    check_shape("k", k, q.shape)
    check_shape("v", v, (*q.shape[:2], -1))


def _check_gamma(gamma: float) -> None:
    if not 0 < gamma <= 1:
        raise ValueError(f"gamma must be above 0 and at most 1, got {gamma}")


def linear_attention(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
) -> Float[Tensor, "..."]:
    """Attend with phi(q)·phi(k) instead of exp(q·k), phi = elu + 1, causally.

    Eq. (state-space-models-linear-attention); Katharopoulos et al. 2020.

    Raises:
        ValueError: shapes that do not fit.
    """
    _check_qkv(q, k, v)
    q, k = F.elu(q) + 1, F.elu(k) + 1
    weights = (q @ k.mT).tril()
    return weights @ v / weights.sum(-1, keepdim=True)


def retention_parallel(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    gamma: float,
) -> Float[Tensor, "..."]:
    """Write the whole L x L matrix: scores times gamma^(t-s).

    Eq. (state-space-models-retention).

    Raises:
        ValueError: shapes that do not fit, or gamma outside (0, 1].
    """
    _check_qkv(q, k, v)
    _check_gamma(gamma)
    t = torch.arange(q.shape[1])
    return (q @ k.mT * (gamma ** (t[:, None] - t).to(q)).tril()) @ v


def retention_recurrent(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    gamma: float,
) -> Float[Tensor, "..."]:
    """Carry one n x d matrix from token to token.

    Eq. (state-space-models-state).

    Raises:
        ValueError: shapes that do not fit, or gamma outside (0, 1].
    """
    _check_qkv(q, k, v)
    _check_gamma(gamma)
    S = torch.zeros(len(q), q.shape[2], v.shape[2]).to(q)
    outputs = []
    for t in range(q.shape[1]):
        S = gamma * S + k[:, t, :, None] * v[:, t, None]
        outputs.append((q[:, t, None] @ S)[:, 0])
    return torch.stack(outputs, 1)


def retention_chunkwise(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    gamma: float,
    chunk: int = 16,
) -> Float[Tensor, "..."]:
    """Write the matrix within a chunk, carry the state between chunks.

    Raises:
        ValueError: shapes that do not fit, gamma outside (0, 1], or chunk < 1.
    """
    _check_qkv(q, k, v)
    _check_gamma(gamma)
    return ssd(q, k, v, q.new_full(q.shape[:2], gamma).log(), chunk)


def ssd(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    log_a: Float[Tensor, "..."],
    chunk: int = 64,
) -> Float[Tensor, "..."]:
    """Multiply by the semiseparable matrix of the decays a_t, chunk by chunk.

    Eq. (state-space-models-ssd); q, k, v are C, B and the stepped input of
    Mamba-2.

    Raises:
        TypeError: chunk is not an integer.
        ValueError: chunk < 1, shapes that do not fit, or a log_a that
            is above 0 or not finite.
    """
    _check_qkv(q, k, v)
    check_shape("log_a", log_a, q.shape[:2])
    check_count("chunk", chunk)
    if not (log_a.isfinite() & (log_a <= 0)).all():
        raise ValueError("log_a must be finite and <= 0 everywhere")
    S = torch.zeros(len(q), q.shape[2], v.shape[2]).to(q)
    outputs = []
    chunks = (x.split(chunk, 1) for x in (q, k, v, log_a))
    for q_, k_, v_, log_ in zip(*chunks, strict=True):
        total = log_.cumsum(1)[..., None]
        within = (q_ @ k_.mT * decay_mask(log_)) @ v_
        outputs.append(within + total.exp() * (q_ @ S))
        left = (total[:, -1:] - total).exp()  # of each token, at the chunk's end
        S = total[:, -1:].exp() * S + (k_ * left).mT @ v_
    return torch.cat(outputs, 1)


def decay_mask(log_a: Float[Tensor, "..."]) -> Float[Tensor, "batch L L"]:
    """Return the product of a over (s, t], 0 where s > t.

    Eq. (state-space-models-mask).

    Raises:
        ValueError: log_a is not of shape (batch, L).
    """
    check_shape("log_a", log_a, (-1, -1))
    total = log_a.cumsum(-1)
    steps = total[:, :, None] - total[:, None]
    future = torch.ones_like(steps[0], dtype=torch.bool).triu(1)
    return steps.masked_fill(future, -torch.inf).exp()


class WKVState(NamedTuple):
    """Numerator and denominator, both divided by exp(top)."""

    num: Float[Tensor, "batch d"]
    den: Float[Tensor, "batch d"]
    top: Float[Tensor, "batch d"]


def wkv(
    w: Float[Tensor, "..."],
    u: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    state: WKVState | None = None,
) -> tuple[Float[Tensor, "..."], WKVState]:
    """RWKV-4's time mixing: a softmax over time, with decay w and a bonus u.

    Eq. (state-space-models-wkv); the largest exponent is kept apart, so that
    nothing overflows.

    Raises:
        ValueError: shapes that do not fit, no step, or a decay w that is not
            >= 0.
    """
    check_shape("k", k, (-1, -1, -1))
    check_count("the number of steps of k", k.shape[1])
    check_shape("v", v, k.shape)
    for name, value in (("w", w), ("u", u)):
        check_shape(name, value, k.shape[2:])
    if not (w >= 0).all():
        raise ValueError(f"the decay w must be >= 0, got {w.min().item():g}")
    zero = torch.zeros_like(k[:, 0])
    state = state or WKVState(zero, zero, zero - torch.inf)
    for name, value in state._asdict().items():
        check_shape(f"state.{name}", value, zero.shape)
    num, den, top = state
    outputs = []
    for key, value in zip(k.unbind(1), v.unbind(1), strict=True):
        _, past, here = _rescale(top, u + key)
        outputs.append((past * num + here * value) / (past * den + here))
        top, past, here = _rescale(top - w, key)
        num, den = past * num + here * value, past * den + here
    return torch.stack(outputs, 1), WKVState(num, den, top)


def _rescale(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the larger exponent, and both exponentials relative to it."""
    top = torch.maximum(x, y)
    return top, torch.exp(x - top), torch.exp(y - top)


def outer_scan(
    q: Float[Tensor, "..."],
    k: Float[Tensor, "..."],
    v: Float[Tensor, "..."],
    a: Float[Tensor, "..."],
) -> Float[Tensor, "..."]:
    """Compute S_t = a_t S_(t-1) + k_t v_t^T by a parallel scan, read by q_t.

    Eq. (state-space-models-state).

    Raises:
        ValueError: shapes that do not fit.
    """
    _check_qkv(q, k, v)
    check_shape("a", a, q.shape[:2])
    drive = k[..., None] * v[:, :, None]
    S = scan(a[..., None, None].expand_as(drive), drive)
    return (q[:, :, None] @ S)[:, :, 0]
