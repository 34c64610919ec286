"""Exact log-likelihoods by the instantaneous change of variables."""

from collections.abc import Callable
from functools import partial
from math import log, log2

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count
from snippets.generative.diffusion_as_sde import LinearSDE
from snippets.generative.gaussian_mixture import GaussianMixture
from snippets.generative.score_based_models import hutchinson_trace
from snippets.generative.score_based_models.checks import (
    Number,
    check_points,
    check_positive,
)

from .flow import probability_flow
from .ode import Field, solve_ode
from .sdes import prior_log_prob


def exact_trace(
    fn: Callable[[Tensor], Tensor],
    x: Tensor,
) -> Float[Tensor, " n"]:
    """Return the trace of the Jacobian of each row: one backward pass per axis.

    Raises: ValueError unless x has the shape (n, d).
    """
    check_points(x)
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        y = fn(x)
        rows = [
            torch.autograd.grad(y[:, i].sum(), x, retain_graph=True)[0][:, i]
            for i in range(x.shape[1])
        ]
    return torch.stack(rows).sum(0)


def exact_divergence(sde: LinearSDE, mixture: GaussianMixture) -> Field:
    """Return the flow's divergence in closed form, Eq. (score-sde-trace)."""

    def divergence(x: Tensor, t: Tensor) -> Tensor:
        noisy = mixture.perturb(sde.alpha(t), sde.sigma(t))
        shrink = x.shape[1] * sde.drift_coef(t)
        return shrink - sde.diffusion2(t) / 2 * noisy.laplacian(x)

    return divergence


@torch.no_grad()
def log_likelihood(
    sde: LinearSDE,
    score_fn: Field,
    x: Tensor,
    *,
    divergence: str | Field = "exact",
    n_probes: int = 1,
    kind: str = "rademacher",
    prior: str | Callable[[Tensor], Tensor] = "standard",
    rtol: Number = 1e-5,
    atol: Number | None = None,
    eps: Number = 1e-5,
    seed: int = 0,
) -> tuple[Float[Tensor, " n"], int]:
    """Return log p_eps(x), Eq. (score-sde-likelihood), and the count of calls.

    divergence: exact (d backward passes), hutchinson (n_probes, drawn from seed,
    kept along the path), or a function of x and t.
    Raises: ValueError for other words, n_probes < 1, eps not in (0, 1), x not
    (n, d), a prior that returns another shape than (n,).
    """
    check_points(x)
    check_count("n_probes", n_probes)
    if not 0 < eps < 1:
        raise ValueError(f"eps must lie between 0 and 1, got {eps}")
    if isinstance(prior, str) and prior != "standard":
        raise ValueError(f"prior must be standard or a function, got {prior!r}")
    flow, d = probability_flow(sde, score_fn), x.shape[1]
    spread = _divergence(divergence, flow, n_probes, kind, seed)
    ends_in = partial(prior_log_prob, sde) if isinstance(prior, str) else prior

    def joint(state: Tensor, t: Tensor) -> Tensor:
        x = state[:, :d]
        return torch.cat([flow(x, t), spread(x, t)[:, None]], 1)

    state = torch.cat([x, x.new_zeros(len(x), 1)], 1)
    atol = rtol if atol is None else atol
    state, nfe = solve_ode(joint, state, eps, 1.0, rtol=rtol, atol=atol)
    log_p1 = ends_in(state[:, :d])
    if log_p1.shape != (len(x),):
        got = tuple(log_p1.shape)
        raise ValueError(f"prior must return the shape ({len(x)},), got {got}")
    return log_p1 + state[:, d], nfe


def _divergence(
    divergence: str | Field,
    flow: Field,
    n_probes: int,
    kind: str,
    seed: int,
) -> Field:
    """Return the divergence of the flow as a function of x and t."""
    if not isinstance(divergence, str):
        return divergence
    if divergence == "exact":
        return lambda x, t: exact_trace(lambda y: flow(y, t), x)
    if divergence == "hutchinson":
        return lambda x, t: hutchinson_trace(
            lambda y: flow(y, t),
            x,
            n_probes,
            kind=kind,
            generator=torch.Generator().manual_seed(seed),
        )
    words = "exact, hutchinson or a function"
    raise ValueError(f"divergence must be {words}, got {divergence!r}")


def bits_per_dim(
    log_prob: Tensor,
    dim: int,
    data_range: Number = 2.0,
    levels: int = 256,
) -> Tensor:
    """Return bits per dimension, Eq. (score-sde-bits).

    Raises: ValueError unless dim >= 1, data_range > 0 and levels >= 1.
    """
    check_count("dim", dim)
    check_count("levels", levels)
    check_positive("data_range", data_range)
    return -log_prob / (dim * log(2)) + log2(levels / data_range)
