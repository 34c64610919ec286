"""h_t = a_t h_(t-1) + b_t, four ways: step by step, and in parallel."""

import torch
from jaxtyping import Inexact
from torch import Tensor

from .checks import check_count

Pair = tuple[Tensor, Tensor]


def combine(first: Pair, second: Pair) -> Pair:
    """Return the one step that does what the first and then the second do.

    Eq. (state-space-models-combine).
    """
    (a, b), (a_next, b_next) = first, second
    return a_next * a, a_next * b + b_next


def check_operands(a: Tensor, b: Tensor) -> None:
    """Refuse what cannot be scanned."""
    if a.shape != b.shape or a.dim() < 2 or not a.shape[1]:
        raise ValueError(
            "a and b must have one shape (batch, length >= 1, ...), "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    if a.dtype != b.dtype or not (a.is_floating_point() or a.is_complex()):
        raise TypeError(
            f"a and b must have one floating or complex dtype, got {a.dtype} and {b.dtype}"
        )


def scan_sequential(
    a: Inexact[Tensor, "..."],
    b: Inexact[Tensor, "..."],
) -> Inexact[Tensor, "..."]:
    """Walk: L steps, L combinations.

    Raises:
        ValueError: a and b differ in shape.
    """
    check_operands(a, b)
    h = torch.zeros_like(b[:, 0])
    states = []
    for t in range(b.shape[1]):
        h = a[:, t] * h + b[:, t]
        states.append(h)
    return torch.stack(states, 1)


def scan_hillis_steele(
    a: Inexact[Tensor, "..."],
    b: Inexact[Tensor, "..."],
) -> Inexact[Tensor, "..."]:
    """Combine each with the one 1, 2, 4, … before: log L rounds, L log L in all.

    Raises:
        ValueError: a and b differ in shape.
    """
    check_operands(a, b)
    reach = 1
    while reach < b.shape[1]:
        earlier = a[:, :-reach], b[:, :-reach]
        a_far, b_far = combine(earlier, (a[:, reach:], b[:, reach:]))
        a = torch.cat([a[:, :reach], a_far], 1)
        b = torch.cat([b[:, :reach], b_far], 1)
        reach *= 2
    return b


def scan_chunked(
    a: Inexact[Tensor, "..."],
    b: Inexact[Tensor, "..."],
    Q: int = 64,
) -> Inexact[Tensor, "..."]:
    """Walk through all chunks of Q steps at once, then carry between chunks.

    Raises:
        TypeError: Q is not an integer.
        ValueError: Q < 1, or a and b differ in shape.
    """
    check_operands(a, b)
    check_count("Q", Q)
    batch, L, *rest = b.shape
    missing = -L % Q
    pad = torch.zeros(batch, missing, *rest, dtype=b.dtype, device=b.device)
    a = torch.cat([a, pad], 1).reshape(-1, Q, *rest)
    b = torch.cat([b, pad], 1).reshape(-1, Q, *rest)
    decay, within = a.cumprod(1), scan_sequential(a, b)
    by_chunk = (batch, -1, *rest)
    carry = scan_sequential(
        decay[:, -1].reshape(by_chunk),
        within[:, -1].reshape(by_chunk),
    )
    before = torch.cat([torch.zeros_like(carry[:, :1]), carry[:, :-1]], 1)
    h = within + decay * before.reshape(-1, 1, *rest)
    return h.reshape(batch, L + missing, *rest)[:, :L]


def odd_even(
    a: Inexact[Tensor, "..."],
    b: Inexact[Tensor, "..."],
) -> Inexact[Tensor, "..."]:
    """Join neighbours, scan the half as many pairs, fill in the rest.

    Eq. (state-space-models-odd-even).
    """
    L = b.shape[1]
    if L == 1:
        return b
    second, third = slice(1, None, 2), slice(2, None, 2)
    first = slice(0, L - 1, 2)
    pairs = combine((a[:, first], b[:, first]), (a[:, second], b[:, second]))
    h = torch.empty_like(b)
    h[:, second] = odd_even(*pairs)
    h[:, 0] = b[:, 0]
    h[:, third] = a[:, third] * h[:, 1 : L - 1 : 2] + b[:, third]
    return h


class _Scan(torch.autograd.Function):
    """The adjoint of a recurrence is a recurrence that runs backwards."""

    @staticmethod
    def forward(ctx, a, b):
        h = odd_even(a, b)
        ctx.save_for_backward(a, h)
        return h

    @staticmethod
    def backward(ctx, grad):
        a, h = ctx.saved_tensors
        a_next = torch.cat([a[:, 1:], torch.zeros_like(a[:, :1])], 1).conj()
        grad_b = scan(a_next.flip(1), grad.flip(1)).flip(1)
        h_before = torch.cat([torch.zeros_like(h[:, :1]), h[:, :-1]], 1)
        return grad_b * h_before.conj(), grad_b


def scan(
    a: Inexact[Tensor, "..."],
    b: Inexact[Tensor, "..."],
) -> Inexact[Tensor, "..."]:
    """Return all h_t in 2 log L rounds and less than 2 L combinations.

    Eq. (state-space-models-odd-even);
    backwards Eq. (state-space-models-adjoint).

    Raises:
        TypeError: integers, or two dtypes.
        ValueError: a and b differ in shape.
    """
    check_operands(a, b)
    return _Scan.apply(a, b)
