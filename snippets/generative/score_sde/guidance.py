"""Scores given a linear measurement y = A x_0 + noise: exact, plugged in, and DPS."""

import torch
from torch import Tensor

from snippets.generative.diffusion_as_sde import LinearSDE, exact_score
from snippets.generative.gaussian_mixture import GaussianMixture
from snippets.generative.score_based_models.checks import Number, check_positive

from .ode import Field


def posterior_mixture(
    mixture: GaussianMixture,
    A: Tensor,
    y: Tensor,
    noise_std: Number,
) -> GaussianMixture:
    """Return p(x_0 | y) of y = A x_0 + noise_std n, Eq. (score-sde-posterior).

    Raises: ValueError unless A is (m, d), y is (m,) and noise_std > 0.
    """
    check_measurement(mixture, A, y, noise_std)
    axes, variances = mixture.axes, mixture.variances
    covs = axes @ torch.diag_embed(variances) @ axes.mT
    noise = noise_std**2 * torch.eye(len(y), dtype=y.dtype)
    seen = A @ covs @ A.mT + noise  # S_k, the covariance of y
    gain = torch.linalg.solve(seen, A @ covs).mT  # K_k = C_k A^T S_k^-1
    apart = y - mixture.means @ A.mT
    law = torch.distributions.MultivariateNormal(mixture.means @ A.mT, seen)
    weights = (mixture.weights.log() + law.log_prob(y)).softmax(0)
    means = mixture.means + torch.einsum("kdm,km->kd", gain, apart)
    covs = covs - gain @ A @ covs
    return GaussianMixture(weights, means, (covs + covs.mT) / 2)


def posterior_score(
    sde: LinearSDE,
    mixture: GaussianMixture,
    A: Tensor,
    y: Tensor,
    noise_std: Number,
) -> Field:
    """Return the score of p_t(x | y), exactly: y turns a mixture into another.

    Raises: ValueError as posterior_mixture.
    """
    return exact_score(sde, posterior_mixture(mixture, A, y, noise_std))


def plug_in_score(
    sde: LinearSDE,
    mixture: GaussianMixture,
    A: Tensor,
    y: Tensor,
    noise_std: Number,
) -> Field:
    """Return the score that takes x_t for x_0 in p(y | x_0): wrong.

    Raises: ValueError as posterior_mixture.
    """
    check_measurement(mixture, A, y, noise_std)
    prior = exact_score(sde, mixture)
    return lambda x, t: prior(x, t) + (y - x @ A.mT) @ A / noise_std**2


def dps_score(
    sde: LinearSDE,
    mixture: GaussianMixture,
    A: Tensor,
    y: Tensor,
    noise_std: Number,
) -> Field:
    """Return the score that takes E[x_0 | x_t] for x_0 in p(y | x_0): biased.

    Raises: ValueError as posterior_mixture.
    """
    check_measurement(mixture, A, y, noise_std)
    prior = exact_score(sde, mixture)

    def score(x: Tensor, t: Tensor) -> Tensor:
        with torch.enable_grad():
            z = x.detach().requires_grad_()
            x0 = mixture.posterior_mean(z, sde.alpha(t), sde.sigma(t))
            misfit = ((y - x0 @ A.mT) ** 2).sum() / (2 * noise_std**2)
            pull = -torch.autograd.grad(misfit, z)[0]
        return prior(x, t) + pull

    return score


def check_measurement(
    mixture: GaussianMixture,
    A: Tensor,
    y: Tensor,
    noise_std: Number,
) -> None:
    """Raise ValueError unless A is (m, d), y is (m,) and noise_std > 0."""
    d = mixture.means.shape[1]
    if A.ndim != 2 or A.shape[1] != d or y.shape != A.shape[:1]:
        shapes = f"{tuple(A.shape)} and {tuple(y.shape)}"
        raise ValueError(f"A and y must be (m, {d}) and (m,), got {shapes}")
    check_positive("noise_std", noise_std)
