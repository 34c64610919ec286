"""FVSBN: one logistic regression per variable, fitted exactly by Newton."""

from collections.abc import Iterator
from math import isfinite

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from .base import Autoregressive, check_binary


class FVSBN(Autoregressive):
    """A logistic regression per variable, Eq. (autoregressive-models-fvsbn)."""

    def __init__(self, dim: int) -> None:
        """Start with all parameters zero: the uniform distribution.

        Raises: ValueError unless dim is an integer >= 1.
        """
        super().__init__(dim)
        self.W = nn.Parameter(torch.zeros(dim, dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Float[Tensor, "batch dim"]:
        """Return all logits at once; of W the part below the diagonal counts.

        Raises: ValueError unless x is a binary batch of the parameters' type.
        """
        self.check(x)
        return x @ self.W.tril(-1).T + self.bias

    def walk(self, x: Tensor) -> Iterator[tuple[int, Tensor]]:
        """Yield each i with the logits of x_i, at O(dim) per vector."""
        below = self.W.tril(-1)
        for i in range(self.dim):
            yield i, x @ below[i] + self.bias[i]


def fit_fvsbn(
    x: Tensor,
    l2: float = 1.0,
    *,
    steps: int = 100,
    tol: float = 1e-9,
) -> FVSBN:
    """Return the optimum of Eq. (autoregressive-models-penalised), in float64.

    All variables step together, Eq. (autoregressive-models-newton).
    A variable that never changes has no optimum and gets its smoothed frequency.
    Raises: ValueError unless x is a non-empty binary batch and l2 > 0 is finite;
    RuntimeError where Newton's steps do not end.
    """
    check_binary(x)
    if not len(x) or not (isfinite(l2) and l2 > 0):
        raise ValueError(
            f"need data and a finite l2 > 0, got {len(x)} vectors and {l2}",
        )
    x = x.double()
    n, dim = x.shape
    model = FVSBN(dim).double()
    model.start(x)
    varied = (x != x[0]).any(0)
    inputs = torch.cat([x, x.new_ones(n, 1)], 1)
    used = torch.cat(
        [x.new_ones(dim, dim).tril(-1), x.new_ones(dim, 1)],
        1,
    )[varied]
    ridge = used * l2
    ridge[:, -1] = 0
    theta = torch.cat(
        [model.W.detach(), model.bias.detach()[:, None]],
        1,
    )[varied]
    for _ in range(steps):
        step = _newton_step(theta, inputs, x[:, varied], used, ridge)
        theta = _descend(theta, step, inputs, x[:, varied], ridge)
        if step.abs().max() < tol:
            break
    else:
        raise RuntimeError(
            f"no optimum within {steps} Newton steps: raise l2 or steps",
        )
    with torch.no_grad():
        model.W[varied], model.bias[varied] = theta[:, :-1], theta[:, -1]
    return model


def _newton_step(
    theta: Tensor,
    inputs: Tensor,
    x: Tensor,
    used: Tensor,
    ridge: Tensor,
) -> Tensor:
    """Return each variable's Newton step, Eq. (autoregressive-models-newton)."""
    p = (inputs @ theta.T).sigmoid()
    gradient = ((p - x).T @ inputs) * used + ridge * theta
    spread = (p * (1 - p)).T
    hessian = torch.stack([(inputs * s[:, None]).T @ inputs for s in spread])
    hessian = hessian * used[:, :, None] * used[:, None, :]
    hessian = hessian + torch.diag_embed(ridge + (1 - used))
    return torch.linalg.solve(hessian, gradient)


def _descend(
    theta: Tensor,
    step: Tensor,
    inputs: Tensor,
    x: Tensor,
    ridge: Tensor,
) -> Tensor:
    """Go along each step, halved until its own loss does not rise."""

    def loss(theta: Tensor) -> Tensor:
        logits = inputs @ theta.T
        nll = (softplus(logits) - x * logits).sum(0)
        return nll + (ridge * theta**2).sum(1) / 2

    before, size = loss(theta), theta.new_ones(len(theta), 1)
    for _ in range(30):
        worse = loss(theta - size * step) > before + 1e-9 * before.abs()
        if not worse.any():
            break
        size[worse] /= 2
    return theta - size * step
