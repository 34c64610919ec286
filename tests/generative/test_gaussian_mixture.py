"""Densities, scores and posteriors of the mixture against three libraries and autograd."""

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal
from sklearn.mixture import GaussianMixture as Sklearn
from sklearn.mixture._gaussian_mixture import _compute_precision_cholesky
from torch.autograd.functional import jacobian
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from snippets.generative.gaussian_mixture import GaussianMixture, three_islands


@pytest.fixture(params=[(3, 2), (5, 4), (1, 1)])
def mixture(request):
    k, d = request.param
    generator = torch.Generator().manual_seed(k)
    root = torch.randn(k, d, d, generator=generator, dtype=torch.float64)
    weights = torch.rand(k, generator=generator, dtype=torch.float64) + 0.1
    means = 2 * torch.randn(k, d, generator=generator, dtype=torch.float64)
    covs = root @ root.mT + 0.1 * torch.eye(d, dtype=torch.float64)
    return GaussianMixture(weights / weights.sum(), means, covs)


def covariances(mixture):
    axes, variances = mixture.axes, mixture.variances
    return axes @ torch.diag_embed(variances) @ axes.mT


def points(mixture, n=50):
    return 2 * mixture.sample(n, torch.Generator().manual_seed(1))


def test_density_equals_three_libraries(mixture):
    x, covs = points(mixture), covariances(mixture)
    parts = [
        w.item() * multivariate_normal(m.numpy(), c.numpy()).pdf(x.numpy()).reshape(-1)
        for w, m, c in zip(mixture.weights, mixture.means, covs, strict=True)
    ]
    theirs = Sklearn(len(covs))
    theirs.weights_, theirs.means_ = mixture.weights.numpy(), mixture.means.numpy()
    theirs.precisions_cholesky_ = _compute_precision_cholesky(covs.numpy(), "full")
    theirs.covariances_ = covs.numpy()
    family = MixtureSameFamily(
        Categorical(mixture.weights), MultivariateNormal(mixture.means, covs)
    )
    ours = mixture.log_prob(x)
    np.testing.assert_allclose(ours.numpy(), np.log(sum(parts)), rtol=1e-11)
    np.testing.assert_allclose(ours.numpy(), theirs.score_samples(x.numpy()), rtol=1e-11)
    torch.testing.assert_close(ours, family.log_prob(x), rtol=1e-11, atol=0)


def test_score_and_its_divergence_are_the_derivatives_of_the_density(mixture):
    x = points(mixture, 20).requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_prob(x).sum(), x)
    torch.testing.assert_close(mixture.score(x), gradient, rtol=1e-9, atol=1e-9)
    for one, laplacian in zip(x.detach(), mixture.laplacian(x.detach()), strict=True):
        hessian = jacobian(lambda y: mixture.score(y[None])[0], one)
        torch.testing.assert_close(laplacian, hessian.trace(), rtol=1e-9, atol=1e-9)


def test_perturbed_law_is_the_mixture_of_the_perturbed_components(mixture):
    eye = torch.eye(mixture.means.shape[1], dtype=torch.float64)
    covs = 0.49 * covariances(mixture) + 0.25 * eye
    direct = GaussianMixture(mixture.weights, 0.7 * mixture.means, covs)
    x = points(mixture)
    noisy = mixture.perturb(0.7, 0.5)
    torch.testing.assert_close(noisy.log_prob(x), direct.log_prob(x), rtol=1e-11, atol=1e-11)
    back = noisy.perturb(1.0, 0.0)  # and the first one is untouched
    torch.testing.assert_close(back.score(x), direct.score(x), rtol=1e-10, atol=1e-10)


def test_posterior_mean_is_the_ratio_of_two_integrals():
    """E[x_0 | x] by summing x_0 p(x_0) N(x; alpha x_0, sigma^2) over a fine grid."""
    weights = torch.tensor([0.3, 0.7], dtype=torch.float64)
    means = torch.tensor([[-1.0], [2.0]], dtype=torch.float64)
    mixture = GaussianMixture(weights, means, torch.full((2, 1, 1), 0.2, dtype=torch.float64))
    grid = torch.linspace(-8, 9, 20_001, dtype=torch.float64)[:, None]
    x = torch.tensor([[-2.0], [0.1], [1.5]], dtype=torch.float64)
    likelihood = (-((x.T - 0.6 * grid) ** 2) / (2 * 0.9**2)).exp()
    joint = mixture.log_prob(grid).exp()[:, None] * likelihood
    expected = (grid * joint).sum(0) / joint.sum(0)
    ours = mixture.posterior_mean(x, 0.6, 0.9)
    torch.testing.assert_close(ours[:, 0], expected, rtol=1e-9, atol=1e-9)


def test_posterior_mean_at_the_ends(mixture):
    x = points(mixture)
    mean = (mixture.weights[:, None] * mixture.means).sum(0)
    torch.testing.assert_close(mixture.posterior_mean(x, 1.0, 0.0), x)
    torch.testing.assert_close(mixture.posterior_mean(x, 0.0, 1.0), mean.expand_as(x))


def test_the_islands_lie_where_the_pages_draw_them():
    """By hand: half of the mass at the lower left, tilted upwards; the last one is not tilted."""
    islands = three_islands()
    torch.testing.assert_close(
        islands.weights @ islands.means, torch.tensor([-0.1, -0.25]).double()
    )
    assert islands.means.sign().tolist() == [[-1, -1], [1, 1], [1, -1]]
    assert covariances(islands)[:, 0, 1].sign().tolist() == [1, -1, 0]
    torch.testing.assert_close(islands.variances.sum(1), torch.tensor([0.5, 0.45, 0.23]).double())


def test_samples_have_the_moments_of_the_mixture():
    """Each mean and covariance within five standard errors; the same seed draws the same."""
    mixture, n = three_islands(), 40_000
    x = mixture.sample(n, torch.Generator().manual_seed(0))
    mean = mixture.weights @ mixture.means
    apart = mixture.means - mean
    within = (mixture.weights[:, None, None] * covariances(mixture)).sum(0)
    cov = within + (mixture.weights[:, None] * apart).T @ apart
    assert ((x.mean(0) - mean).abs() <= 5 * (cov.diagonal() / n).sqrt()).all()
    products = torch.einsum("ni,nj->nij", x - mean, x - mean)
    assert ((products.mean(0) - cov).abs() <= 5 * products.std(0) / n**0.5).all()
    assert torch.equal(x, mixture.sample(n, torch.Generator().manual_seed(0)))


def test_float32_stays_float32():
    eye = torch.eye(2).expand(1, 2, 2)
    mixture = GaussianMixture(torch.ones(1), torch.zeros(1, 2), eye)
    x = mixture.sample(3, torch.Generator().manual_seed(0))
    assert mixture.score(x).dtype == mixture.perturb(0.5, 0.5).log_prob(x).dtype == torch.float32
    torch.testing.assert_close(mixture.score(x), -x)


ONE = torch.ones(1)
EYE = torch.eye(2)[None]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((ONE, torch.zeros(2), EYE), r"shapes must be .*got \[\(1,\), \(2,\), \(1, 2, 2\)\]"),
        ((ONE, torch.zeros(1, 3), EYE), r"shapes must be .*got \[\(1,\), \(1, 3\), \(1, 2, 2\)\]"),
        ((ONE / 2, torch.zeros(1, 2), EYE), r"weights must be > 0 and sum to 1, got \[0.5\]"),
        ((-ONE, torch.zeros(1, 2), EYE), r"weights must be > 0"),
        ((ONE, torch.zeros(1, 2), torch.ones(1, 2, 2).triu()), r"covs must be symmetric"),
        ((ONE, torch.zeros(1, 2), -EYE), r"covs must be positive definite, got the eigenvalue -1"),
    ],
)
def test_what_is_no_mixture_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(*arguments)


NAN = float("nan")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            (ONE, torch.zeros(1, 2).long(), EYE),
            "means must be floating point, got torch.int64",
        ),
        (
            (ONE, torch.zeros(1, 2).double(), EYE),
            "weights must be torch.float64, got torch.float32",
        ),
        ((ONE, torch.zeros(1, 2), EYE.double()), "covs must be torch.float32, got torch.float64"),
        ((ONE, torch.tensor([[NAN, 0]]), EYE), r"means must be finite, got \[\[nan, 0.0\]\]"),
        ((ONE, torch.zeros(1, 2), EYE / 0), "covs must be finite, got"),
        ((ONE, torch.zeros(1, 0), torch.zeros(1, 0, 0)), r"shapes must be .*\(1, 0\)"),
        ((ONE[:0], torch.zeros(0, 2), EYE[:0]), r"shapes must be .*\(0, 2\)"),
    ],
)
def test_what_is_no_real_number_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianMixture(*arguments)


@pytest.mark.parametrize("method", ["log_prob", "score", "laplacian"])
def test_points_of_another_dtype_are_refused_and_none_are_fine(method):
    mixture = three_islands()
    for dtype in (torch.float32, torch.int64):
        with pytest.raises(ValueError, match=r"x must be .*, got torch\.(float32|int64)"):
            getattr(mixture, method)(torch.zeros(4, 2, dtype=dtype))
    assert not len(getattr(mixture, method)(torch.zeros(0, 2).double()))


@pytest.mark.parametrize(
    ("alpha", "sigma", "message"),
    [
        (1, -1.0, "sigma must be >= 0, got -1.0"),
        (1, NAN, "sigma must be a finite number, got nan"),
        (NAN, 1, "alpha must be a finite number, got nan"),
        (torch.ones(2), 1, r"alpha must be a finite number, got tensor\(\[1., 1.\]\)"),
    ],
)
def test_noise_must_be_one_finite_number(alpha, sigma, message):
    with pytest.raises(ValueError, match=message):
        three_islands().perturb(alpha, sigma)


@pytest.mark.parametrize("method", ["log_prob", "score", "laplacian"])
def test_points_of_another_dimension_are_refused(method):
    with pytest.raises(ValueError, match=r"x must have the shape \(n, 2\), got \(4, 3\)"):
        getattr(three_islands(), method)(torch.zeros(4, 3))


def test_noise_and_counts_are_checked():
    mixture = three_islands()
    with pytest.raises(ValueError, match="alpha or sigma must differ from 0, got 0 and 0"):
        mixture.perturb(0, 0)
    with pytest.raises(ValueError, match="alpha or sigma must differ from 0"):
        mixture.posterior_mean(torch.zeros(1, 2, dtype=torch.float64), 0.0, 0.0)
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        mixture.sample(0, torch.Generator())
