"""NADE: all conditionals share one hidden layer, which grows along the sequence."""

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snippets.common.checks import check_count

from .base import Autoregressive


class _Recursion(torch.autograd.Function):
    """Eq. (autoregressive-models-recursion), keeping one a instead of dim."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        W: Tensor,
        c: Tensor,
        V: Tensor,
        b: Tensor,
    ) -> Tensor:
        """Walk up the sequence, adding x_i W_i to a."""
        rows = x.T.contiguous()
        logits = torch.empty_like(rows)
        a = c.expand(len(x), -1).clone()
        for i in range(len(rows)):
            torch.addmv(b[i], a.sigmoid(), V[i], out=logits[i])
            a.addr_(rows[i], W[i])
        ctx.save_for_backward(rows, W, V, a)
        return logits.T

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any,
        *grads: Tensor,
    ) -> tuple[Tensor, ...]:
        """Walk down again, Eq. (autoregressive-models-backward)."""
        rows, W, V, last = ctx.saved_tensors
        g = grads[0].T.contiguous()
        a, da = last.clone(), torch.zeros_like(last)
        dx, dW, dV = (
            torch.empty_like(rows),
            torch.empty_like(W),
            torch.empty_like(V),
        )
        for i in reversed(range(len(rows))):
            dW[i], dx[i] = rows[i] @ da, da @ W[i]
            a.addr_(rows[i], W[i], alpha=-1)
            h = a.sigmoid()
            dV[i] = g[i] @ h
            da += torch.outer(g[i], V[i]) * (h - h * h)
        return dx.T, dW, da.sum(0), dV, g.sum(1)


class NADE(Autoregressive):
    """Neural autoregressive estimator, Eq. (autoregressive-models-nade)."""

    def __init__(self, dim: int, hidden: int, *, seed: int = 0) -> None:
        """Draw W and V small, so that no unit is saturated.

        Raises: ValueError unless dim and hidden are integers >= 1.
        """
        super().__init__(dim)
        check_count("hidden", hidden)
        generator = torch.Generator().manual_seed(seed)
        small = 0.05 * torch.randn(2, dim, hidden, generator=generator)
        self.W, self.V = (
            nn.Parameter(small[0].clone()),
            nn.Parameter(small[1].clone()),
        )
        self.c = nn.Parameter(torch.zeros(hidden))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Float[Tensor, "batch dim"]:
        """Return all logits in O(dim * hidden) per vector.

        Raises: ValueError unless x is a binary batch of the parameters' type.
        """
        self.check(x)
        return _Recursion.apply(x, self.W, self.c, self.V, self.bias)

    def walk(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield each i with the logits of x_i, at O(hidden) per vector."""
        a = self.c.expand(len(x), -1).clone()
        for i in range(self.dim):
            yield i, a.sigmoid() @ self.V[i] + self.bias[i]
            a.addr_(x[:, i], self.W[i])


def nade_logits_naive(model: NADE, x: Tensor) -> Float[Tensor, "batch dim"]:
    """Compute the same logits with all dim hidden states in memory at once.

    Raises: ValueError unless x is a binary batch of the parameters' type.
    """
    model.check(x)
    steps = x[:, :, None] * model.W
    a = model.c + steps.cumsum(1) - steps
    return (a.sigmoid() * model.V).sum(2) + model.bias


@torch.no_grad()
def nade_sample_naive(
    model: NADE,
    n: int,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "n dim"]:
    """Draw n vectors, computing each hidden state from scratch.

    Raises: ValueError unless n >= 1.
    """
    check_count("n", n)
    x = model.bias.new_zeros(n, model.dim)
    for i in range(model.dim):
        h = torch.sigmoid(model.c + x[:, :i] @ model.W[:i])
        p = torch.sigmoid(h @ model.V[i] + model.bias[i])
        x[:, i] = torch.bernoulli(p, generator=generator)
    return x
