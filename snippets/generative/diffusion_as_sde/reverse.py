"""Time run backwards: the reverse drift, and the Fokker-Planck equation that proves it."""

from collections.abc import Callable
from math import inf

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.generative.gaussian_mixture import GaussianMixture

from .linear import LinearSDE, Number, Time, check_time

Score = Callable[[Tensor, Time], Tensor]


def exact_score(sde: LinearSDE, mixture: GaussianMixture) -> Score:
    """Return the score of x_t if x_0 is drawn from the mixture."""

    def score(x: Tensor, t: Time) -> Tensor:
        return mixture.perturb(sde.alpha(t), sde.sigma(t)).score(x)

    return score


def reverse_drift(sde: LinearSDE, score_fn: Score, lam: Number = 1.0) -> Score:
    """Return the drift that leads back in time, Eq. (diffusion-as-sde-reverse).

    It belongs with noise of the size lam g(t); lam other than 1 is
    Eq. (diffusion-as-sde-family).
    Raises: ValueError unless 0 <= lam < inf.
    """
    if not 0 <= lam < inf:
        raise ValueError(f"lam must be >= 0 and finite, got {lam}")
    pull = (1 + lam**2) / 2

    def drift(x: Tensor, t: Time) -> Tensor:
        g2 = sde.diffusion2(t)
        return sde.forward_drift(x, t) - pull * g2 * score_fn(x, t)

    return drift


def _change(log_p: Tensor, time: Tensor) -> Float[Tensor, " n"]:
    """Return the derivative of each log p in the one time that they share.

    The derivative of sum v_i log p_i is linear in v; its slopes are wanted.
    """
    v = torch.ones_like(log_p, requires_grad=True)
    (total,) = torch.autograd.grad(log_p, time, v, create_graph=True)
    return torch.autograd.grad(total, v)[0]


def fokker_planck_residual(
    sde: LinearSDE,
    log_prob_fn: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    t: Time,
    *,
    pull: Number = 0.0,
    noise: Number = 1.0,
) -> Float[Tensor, " n"]:
    """Return both sides' difference at each x, Eq. (diffusion-as-sde-residual).

    pull = 0, noise = 1: the forward SDE; pull = 1, noise = -1: the reverse one.
    Raises: ValueError unless x has the shape (n, d), t is one number in [0, 1]
    and log_prob_fn gives one number per point.
    """
    if x.ndim != 2:
        raise ValueError(f"x must have the shape (n, d), got {tuple(x.shape)}")
    time = check_time(t)
    if time.ndim:
        shape = tuple(time.shape)
        raise ValueError(f"t must be one number, got the shape {shape}")
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        time = time.detach().clone().requires_grad_()
        log_p = log_prob_fn(x, time)
        if log_p.shape != x.shape[:1]:
            expected = f"log_prob_fn must give the shape ({len(x)},)"
            raise ValueError(f"{expected}, got {tuple(log_p.shape)}")
        (s,) = torch.autograd.grad(log_p.sum(), x, create_graph=True)
        rows = [
            torch.autograd.grad(s[:, j].sum(), x, retain_graph=True)[0][:, j]
            for j in range(x.shape[1])
        ]
        change = _change(log_p, time)
    s, bend = s.detach(), sum(rows)  # the score, and its divergence
    f, g2 = sde.drift_coef(time.detach()), sde.diffusion2(time.detach())
    velocity = f * x.detach() - pull * g2 * s
    divergence = f * x.shape[1] - pull * g2 * bend
    outflow = divergence + (velocity * s).sum(1)
    spread = noise / 2 * g2 * (bend + (s**2).sum(1))
    return log_p.detach().exp() * (change + outflow - spread)
