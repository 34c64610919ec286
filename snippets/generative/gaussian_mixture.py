"""A Gaussian mixture whose density stays in closed form however much noise is mixed in.

The running example of the articles on scores and diffusion: x_t = alpha x_0 + sigma eps turns a
component N(m, C) into N(alpha m, alpha^2 C + sigma^2 I), which has the same axes.  So every
covariance is decomposed once, and each noise level costs a sum.
"""

from copy import copy
from functools import partial
from math import log, pi

import torch
from jaxtyping import Float
from torch import Tensor

Scalar = Tensor | float | int


def _check_real(name: str, value: Tensor, dtype: torch.dtype) -> None:
    """Refuse what is not real, or of another dtype than the rest.

    Raises: ValueError unless value is floating point, of that dtype.
    """
    if not value.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {value.dtype}")
    if value.dtype != dtype:
        raise ValueError(f"{name} must be {dtype}, got {value.dtype}")


class GaussianMixture:
    """p(x) = sum_k w_k N(x; m_k, C_k) with C_k = Q_k diag(lambda_k) Q_k^T."""

    def __init__(self, weights: Tensor, means: Tensor, covs: Tensor) -> None:
        """Keep weights (k,) and means (k, d), decompose covariances (k, d, d).

        Raises: ValueError unless all are of one real dtype and finite, the
        shapes agree, the weights are positive and sum to 1, and the covariances
        are symmetric and positive definite.
        """
        for name, one in (
            ("means", means),
            ("weights", weights),
            ("covs", covs),
        ):
            _check_real(name, one, means.dtype)
            if not one.isfinite().all():
                raise ValueError(f"{name} must be finite, got {one.tolist()}")
        k, d = means.shape if means.ndim == 2 else (0, 0)
        shapes = [tuple(one.shape) for one in (weights, means, covs)]
        if 0 in (k, d) or shapes != [(k,), (k, d), (k, d, d)]:
            raise ValueError(
                f"shapes must be (k,), (k, d) and (k, d, d), got {shapes}",
            )
        if not (weights > 0).all() or abs(weights.sum().item() - 1) > 1e-6:
            raise ValueError(
                f"weights must be > 0 and sum to 1, got {weights.tolist()}",
            )
        if not torch.allclose(covs, covs.mT):
            raise ValueError(f"covs must be symmetric, got {covs.tolist()}")
        self.weights, self.means = weights, means
        # lambda (k, d) and Q (k, d, d)
        self.variances, self.axes = torch.linalg.eigh(covs)
        if not (self.variances > 0).all():
            least = self.variances.min().item()
            raise ValueError(
                f"covs must be positive definite, got the eigenvalue {least:g}",
            )

    def perturb(self, alpha: Scalar, sigma: Scalar) -> "GaussianMixture":
        """Return the law of alpha x + sigma eps.

        Its means are alpha m, its eigenvalues alpha^2 lambda + sigma^2.
        Raises: ValueError unless alpha and sigma are finite numbers, sigma >= 0,
        and not both are 0.
        """
        for name, value in (("alpha", alpha), ("sigma", sigma)):
            number = torch.as_tensor(value)
            if number.ndim or not number.isfinite():
                raise ValueError(f"{name} must be a finite number, got {value}")
        if sigma < 0:
            raise ValueError(f"sigma must be >= 0, got {sigma}")
        noisy = copy(self)
        noisy.means = alpha * self.means
        noisy.variances = alpha**2 * self.variances + sigma**2
        if not (noisy.variances > 0).all():
            raise ValueError(
                f"alpha or sigma must differ from 0, got {alpha} and {sigma}",
            )
        return noisy

    def _turns(self) -> Float[Tensor, "d k d"]:
        """Return Q_k diag(lambda_k)^-1/2, side by side: all x turn at once."""
        return (self.axes / self.variances.sqrt()[:, None]).transpose(0, 1)

    def _standardise(
        self,
        x: Tensor,
    ) -> tuple[Float[Tensor, "n k d"], Float[Tensor, "n k"]]:
        """Return the whitened x - m_k, and log(w_k N(x; m_k, C_k)).

        Raises: ValueError unless x has the shape (n, d) and the mixture's dtype.
        """
        k, d = self.means.shape
        if x.ndim != 2 or x.shape[1] != d:
            raise ValueError(
                f"x must have the shape (n, {d}), got {tuple(x.shape)}",
            )
        _check_real("x", x, self.means.dtype)
        turn = self._turns()
        middle = torch.einsum("kd,dkj->kj", self.means, turn).reshape(1, -1)
        u = torch.addmm(-middle, x, turn.flatten(1)).view(len(x), k, d)
        log_det = self.variances.log().sum(-1) + d * log(2 * pi)
        return u, self.weights.log() - (torch.linalg.vecdot(u, u) + log_det) / 2

    def _pulls(
        self,
        x: Tensor,
    ) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k d"]]:
        """Return the shares r_k(x), and the scores s_k = C_k^-1 (m_k - x)."""
        u, log_joint = self._standardise(x)
        pulls = -torch.einsum("ikj,nkj->nki", self._turns(), u)
        return log_joint.softmax(1), pulls

    def log_prob(self, x: Tensor) -> Float[Tensor, " n"]:
        """Return log p(x) in nats.

        Raises: ValueError unless x has the shape (n, d) and the mixture's dtype.
        """
        return self._standardise(x)[1].logsumexp(1)

    def score(self, x: Tensor) -> Float[Tensor, "n d"]:
        """Return the gradient of log p(x), which is sum_k r_k s_k.

        Raises: ValueError unless x has the shape (n, d) and the mixture's dtype.
        """
        u, log_joint = self._standardise(x)
        pulled = log_joint.softmax(1)[..., None] * u
        return -pulled.flatten(1) @ self._turns().flatten(1).T

    def laplacian(self, x: Tensor) -> Float[Tensor, " n"]:
        """Return the divergence of the score s.

        It is sum_k r_k (|s_k|^2 - tr C_k^-1) - |s|^2.

        Raises: ValueError unless x has the shape (n, d) and the mixture's dtype.
        """
        share, pulls = self._pulls(x)
        inner = (pulls**2).sum(-1) - (1 / self.variances).sum(-1)
        return (share * inner).sum(1) - (self.score(x) ** 2).sum(1)

    def posterior_mean(
        self,
        x: Tensor,
        alpha: Scalar,
        sigma: Scalar,
    ) -> Float[Tensor, "n d"]:
        """Return E[x_0 | alpha x_0 + sigma eps = x]: Bayes in each component.

        Raises: ValueError unless x has the shape (n, d) and alpha or sigma
        differs from 0.
        """
        noisy = self.perturb(alpha, sigma)
        u, log_joint = noisy._standardise(x)
        shift = alpha * self.variances / noisy.variances.sqrt() * u
        means = self.means + torch.einsum("kij,nkj->nki", self.axes, shift)
        return torch.einsum("nk,nkd->nd", log_joint.softmax(1), means)

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
        """Draw n points: first the component, then the place along its axes.

        Raises: ValueError unless n >= 1.
        """
        if n < 1:
            raise ValueError(f"n must be >= 1, got {n}")
        k = torch.multinomial(self.weights, n, True, generator=generator)
        variances, dtype = self.variances[k], self.means.dtype
        noise = torch.randn(variances.shape, generator=generator, dtype=dtype)
        along = variances.sqrt() * noise
        return self.means[k] + torch.einsum("nij,nj->ni", self.axes[k], along)


def three_islands() -> GaussianMixture:
    """Return the tilted components in the plane that the articles share."""
    real = partial(torch.tensor, dtype=torch.float64)
    means = real([[-1.5, -0.5], [1.5, 1.0], [1.0, -1.5]])
    xx, xy, yy = real([[0.3, 0.2, 0.15], [0.18, -0.12, 0.0], [0.2, 0.25, 0.08]])
    covs = torch.stack([xx, xy, xy, yy], 1).view(3, 2, 2)
    return GaussianMixture(real([0.5, 0.3, 0.2]), means, covs)
