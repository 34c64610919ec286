"""Losses, traces, dynamics and schedules against closed forms, autograd, SciPy and POT."""

import warnings
from math import inf, nan

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.stats import energy_distance as scipy_energy_distance
from scipy.stats import norm
from torch.autograd.functional import jacobian

from snippets.generative.gaussian_mixture import GaussianMixture, three_islands
from snippets.generative.score_based_models import (
    NoiseConditionalScore,
    annealed_langevin,
    denoising_score_matching,
    energy_distance,
    explicit_score_matching,
    geometric_sigmas,
    hutchinson_trace,
    implicit_score_matching,
    langevin_dynamics,
    ncsnv2_ratio,
    ncsnv2_step,
    sliced_score_matching,
    sliced_wasserstein,
    train_ncsn,
)

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # an old escape in its source, noticed while compiling it
    import ot


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=rng(seed), dtype=torch.float64)


def within(values, expected, errors=5):
    """The mean of independent values is the expected one, up to so many standard errors."""
    assert abs(values.mean() - expected) <= errors * values.std() / len(values) ** 0.5


def curved(x):
    """A field with a full Jacobian that differs from row to row."""
    matrix = normal(x.shape[1], x.shape[1], seed=7).to(x.dtype)
    return torch.sin(x @ matrix) - x**3 / 4


def jacobians(fn, x):
    return torch.stack([jacobian(lambda y: fn(y[None])[0], row) for row in x])


# --- losses --------------------------------------------------------------------------------------


def test_explicit_loss_is_half_the_squared_distance():
    x = normal(6, 3)
    loss = explicit_score_matching(curved, x, lambda y: -y)
    torch.testing.assert_close(loss, ((curved(x) + x) ** 2).sum(1) / 2)


def test_implicit_loss_has_the_trace_of_the_jacobian():
    x = normal(6, 3)
    trace = jacobians(curved, x).diagonal(dim1=1, dim2=2).sum(1)
    expected = (curved(x) ** 2).sum(1) / 2 + trace
    torch.testing.assert_close(implicit_score_matching(curved, x), expected)


def test_implicit_loss_of_the_true_score_uses_the_laplacian():
    mixture = three_islands()
    x = mixture.sample(50, rng())
    expected = (mixture.score(x) ** 2).sum(1) / 2 + mixture.laplacian(x)
    torch.testing.assert_close(implicit_score_matching(mixture.score, x), expected)


@pytest.mark.parametrize("slope", [-0.3, -1.0, 0.5])
def test_explicit_minus_implicit_is_the_same_constant_for_every_model(slope):
    mixture = three_islands()
    x = mixture.sample(100_000, rng())
    constant = (mixture.score(x) ** 2).sum(1) / 2
    fields = (lambda y: slope * y, lambda y: torch.sin(y) * slope)
    for field in fields:
        with torch.no_grad():
            gap = explicit_score_matching(field, x, mixture.score)
            gap = gap - implicit_score_matching(field, x)
        within(gap - constant, 0)


def test_sliced_loss_averages_to_the_implicit_one():
    x = normal(1, 3).expand(40_000, 3)
    with torch.no_grad():
        expected = implicit_score_matching(curved, x[:1]).item()
        for vr in (True, False):
            for kind in ("rademacher", "gaussian"):
                loss = sliced_score_matching(curved, x, 2, vr, kind, rng())
                within(loss, expected)


def test_sliced_loss_along_all_axes_is_exact():
    """Rademacher probes in one dimension are +-1, whose squares are 1."""
    x = normal(9, 1)
    for vr in (True, False):
        exact = implicit_score_matching(curved, x)
        torch.testing.assert_close(sliced_score_matching(curved, x, 1, vr, generator=rng()), exact)


@pytest.mark.parametrize("sigma", [1.0, 0.3, 0.1])
def test_denoising_loss_of_the_best_score_is_the_floor(sigma):
    x = normal(100_000, 2)
    loss = denoising_score_matching(lambda y: -y / (1 + sigma**2), x, sigma, rng(1))
    within(loss, 1 / (1 + sigma**2))


def test_denoising_loss_is_explicit_loss_plus_a_constant():
    mixture, sigma = three_islands(), 0.4
    noisy = mixture.perturb(1, sigma)
    x = mixture.sample(200_000, rng())
    y = x + sigma * normal(200_000, 2, seed=1)
    floor = denoising_score_matching(noisy.score, x, sigma, rng(1))
    for slope in (-0.3, -1.0):
        field = lambda z, slope=slope: slope * z  # noqa: E731
        gap = denoising_score_matching(field, x, sigma, rng(1)) - floor
        within(gap - sigma**2 * explicit_score_matching(field, y, noisy.score), 0)


def test_each_point_may_have_its_own_sigma():
    x, sigma = normal(5, 2), torch.tensor([0.1, 0.2, 0.5, 1.0, 2.0])
    eps = torch.empty_like(x).normal_(generator=rng(3))
    level = sigma.double()[:, None]
    expected = ((level * -(x + level * eps) + eps) ** 2).sum(1) / 2
    loss = denoising_score_matching(lambda y: -y, x, sigma, rng(3))
    torch.testing.assert_close(loss, expected)


NOISY = three_islands().perturb(1, 0.5)
LOSSES = {
    "explicit": lambda s, x, noisy, g: explicit_score_matching(s, noisy, NOISY.score),
    "implicit": lambda s, x, noisy, g: implicit_score_matching(s, noisy),
    "sliced": lambda s, x, noisy, g: sliced_score_matching(s, noisy, generator=g),
    "denoising": lambda s, x, noisy, g: denoising_score_matching(s, x, 0.5, g),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_gaussian_model_has_the_same_minimiser_under_every_loss(loss):
    """s = -P (x - m) is quadratic in its parameters: one Newton step, in 20 batches."""
    x = three_islands().sample(100_000, rng())
    noisy = x + 0.5 * torch.empty_like(x).normal_(generator=rng(1))
    found, generator = [], rng(2)
    for part, noisy_part in zip(x.chunk(20), noisy.chunk(20), strict=True):
        theta = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        value = loss(
            lambda y, theta=theta: y @ theta[:4].view(2, 2) + theta[4:],
            part,
            noisy_part,
            generator,
        ).mean()
        (gradient,) = torch.autograd.grad(value, theta, create_graph=True)
        hessian = torch.stack(
            [torch.autograd.grad(one, theta, retain_graph=True)[0] for one in gradient]
        )
        found.append(-torch.linalg.solve(hessian, gradient.detach()))
    found = torch.stack(found)
    mixture = NOISY
    mean = mixture.weights @ mixture.means
    apart = mixture.means - mean
    cov = (mixture.axes * mixture.variances[:, None]) @ mixture.axes.mT
    cov = (mixture.weights[:, None, None] * cov).sum(0)
    precision = torch.linalg.inv(cov + (mixture.weights[:, None] * apart).T @ apart)
    expected = torch.cat([-precision.ravel(), precision @ mean])
    error = found.std(0) / 20**0.5
    # each batch's minimiser is biased by about the square of its error
    assert ((found.mean(0) - expected).abs() <= 5 * error + 0.002).all()
    assert (error < 0.02).all()


def test_gradients_reach_the_parameters_and_only_where_wanted():
    slope = torch.tensor(-0.5, dtype=torch.float64, requires_grad=True)
    x = normal(1000, 2)
    for loss in (
        implicit_score_matching(lambda y: slope * y, x),
        sliced_score_matching(lambda y: slope * y, x, generator=rng()),
    ):
        (gradient,) = torch.autograd.grad(loss.mean(), slope)
        assert gradient.item() == pytest.approx((slope * (x**2).sum(1).mean() + 2).item())
    with torch.no_grad():
        assert not implicit_score_matching(lambda y: slope * y, x).requires_grad


# --- traces --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rademacher", "gaussian"])
def test_one_probe_has_the_variance_of_the_formula(kind):
    d, n = 4, 100_000
    S = normal(d, d, seed=5)
    S = S + S.T
    x = torch.zeros(n, d, dtype=torch.float64)
    with torch.no_grad():
        draws = hutchinson_trace(lambda y: y @ S, x, 1, kind, rng())
    off = S - S.diag().diag()
    variance = 2 * ((off if kind == "rademacher" else S) ** 2).sum().item()
    within(draws, S.trace().item())
    within((draws - S.trace()) ** 2, variance)


def test_sixteen_probes_have_a_sixteenth_of_the_variance():
    S = normal(3, 3, seed=5)
    x = torch.zeros(50_000, 3, dtype=torch.float64)
    with torch.no_grad():
        one, many = (hutchinson_trace(lambda y: y @ S, x, k, generator=rng()) for k in (1, 16))
    assert (one.var() / many.var()).item() == pytest.approx(16, rel=0.05)


def test_backward_passes_are_counted():
    class Counted(torch.autograd.Function):
        passes = 0

        @staticmethod
        def forward(ctx, x):
            return -x

        @staticmethod
        def backward(ctx, g):
            Counted.passes += 1
            return -g

    x = normal(8, 64)
    with torch.no_grad():
        for loss, passes in ((implicit_score_matching, 64), (sliced_score_matching, 1)):
            Counted.passes = 0
            loss(Counted.apply, x)
            assert Counted.passes == passes


# --- Langevin ------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.5, 0.1])
def test_langevin_on_a_gaussian_is_too_wide_by_the_formula(step):
    x = langevin_dynamics(lambda y: -y, normal(50_000, 1), step, int(10 / step), rng())
    within(x[:, 0] ** 2, 1 / (1 - step / 2))


def two_islands():
    means = torch.tensor([[5.0, 5.0], [-5.0, -5.0]], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64).expand(2, 2, 2)
    return GaussianMixture(torch.tensor([0.8, 0.2], dtype=torch.float64), means, eye)


def test_langevin_keeps_the_weights_of_its_start_and_annealing_recovers_the_right_ones():
    two, n = two_islands(), 3000
    start = 16 * torch.rand(n, 2, generator=rng(), dtype=torch.float64) - 8
    plain = langevin_dynamics(two.score, start, 0.1, 1000, rng(1))[:, 0] > 0
    within(plain.double(), 0.5)
    annealed = annealed_langevin(
        lambda y, sigma: two.perturb(1, sigma).score(y),
        20 * normal(n, 2),
        geometric_sigmas(20, 1, 10),
        0.1,
        100,
        generator=rng(2),
    )
    within((annealed[:, 0] > 0).double(), 0.8)


def test_annealing_is_langevin_with_the_steps_of_the_schedule_and_a_tweedie_step():
    x0, sigmas = normal(7, 2), geometric_sigmas(2, 0.5, 3)
    score = lambda y, sigma: -y / (1 + sigma**2)  # noqa: E731
    x, generator = x0, rng()
    for sigma in (2.0, 1.0, 0.5):
        field = lambda y, sigma=sigma: score(y, sigma)  # noqa: E731
        x = langevin_dynamics(field, x, 0.01 * sigma**2 / 0.25, 4, generator)
    noisy = annealed_langevin(score, x0, sigmas, 0.01, 4, denoise=False, generator=rng())
    torch.testing.assert_close(noisy, x)
    clean = annealed_langevin(score, x0, sigmas, 0.01, 4, generator=rng())
    torch.testing.assert_close(clean, x + 0.25 * score(x, 0.5))


def test_float32_and_the_start_are_left_alone():
    x0 = torch.zeros(3, 2)
    x = annealed_langevin(lambda y, sigma: -y, x0, geometric_sigmas(2, 1, 2), 0.1, 2)
    assert x.dtype == torch.float32
    assert torch.equal(x0, torch.zeros(3, 2))


def test_sigmas_are_geometric():
    np.testing.assert_allclose(geometric_sigmas(50, 0.01, 232), np.geomspace(50, 0.01, 232))


@pytest.mark.parametrize("dim", [5, 64, 3072, 100_000])
def test_ratio_is_the_root_of_the_equation(dim):
    def equation(gamma):
        middle = (2 * dim) ** 0.5 * (gamma - 1)
        return norm.cdf(middle + 3 * gamma) - norm.cdf(middle - 3 * gamma) - 0.5

    assert ncsnv2_ratio(dim) == pytest.approx(brentq(equation, 1, 100, xtol=1e-13), abs=1e-7)


def test_step_reaches_the_published_value_and_the_least_spread():
    sigmas = geometric_sigmas(50, 0.01, 232)
    assert ncsnv2_step(sigmas, 5) == pytest.approx(6.184e-6, rel=1e-4)
    gamma = (sigmas[0] / sigmas[1]).item()

    def spread(eps, steps=5):  # the variance, step by step
        e, variance = eps / 0.01**2, gamma**2
        for _ in range(steps):
            variance = (1 - e) ** 2 * variance + 2 * e
        return variance

    best = ncsnv2_step(sigmas, 5)
    grid = np.linspace(0.5, 1.5, 101) * best
    assert min(spread(eps) for eps in grid) >= spread(best) - 1e-12


@pytest.mark.parametrize("gamma", [1.01, 1.4, 3.0])
def test_one_step_a_level_has_a_closed_form(gamma):
    sigmas = torch.tensor([gamma**2, gamma, 1.0], dtype=torch.float64)
    assert ncsnv2_step(sigmas, 1) == pytest.approx(1 - 1 / gamma**2, abs=1e-5)


# --- the network ---------------------------------------------------------------------------------


def test_an_untrained_network_is_silent_and_its_loss_half_the_dimension():
    net = NoiseConditionalScore(3)
    x = torch.randn(20_000, 3, generator=rng())
    assert not net(x, 0.1).any()
    within(denoising_score_matching(lambda y: net(y, 0.5), x, 0.5, rng(1)).detach(), 1.5)


def test_the_network_is_its_formula():
    """F(c_in x, ln sigma) / sigma, c_in = 1 / sqrt(sigma^2 + sigma_data^2), F with short cuts."""
    net = NoiseConditionalScore(3, 8, 2, sigma_data=0.6)
    net.layers[-1].weight.data.normal_(generator=rng())
    x, sigma = torch.randn(5, 3, generator=rng()), torch.linspace(0.1, 2, 5)
    c_in = 1 / (sigma**2 + 0.36).sqrt()
    first, inner, last = net.layers
    h = torch.nn.functional.silu(first(torch.cat([c_in[:, None] * x, sigma.log()[:, None]], 1)))
    expected = last(h + torch.nn.functional.silu(inner(h))) / sigma[:, None]
    torch.testing.assert_close(net(x, sigma), expected)


def test_the_learning_rate_falls_in_a_line_to_zero(monkeypatch):
    rates, step = [], torch.optim.Adam.step

    def watched(self, *args, **kwargs):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.Adam, "step", watched)
    train_ncsn(NoiseConditionalScore(2, 4, 1), GOOD, torch.ones(1), 4, lr=1e-2)
    assert rates == pytest.approx([1e-2, 0.75e-2, 0.5e-2, 0.25e-2])


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_training_ends_on_the_floor_and_not_on_zero(sigma):
    net, x = NoiseConditionalScore(1, 32, 2), normal(50_000, 1).float()
    losses = train_ncsn(net, x, torch.tensor([sigma]), 400, batch=1024, lr=1e-2)
    assert losses[0] == pytest.approx(0.5, abs=0.1)
    within(torch.tensor(losses[-100:]), 0.5 / (1 + sigma**2))


def test_a_small_network_learns_the_scores_of_all_levels():
    mixture, sigmas = three_islands(), geometric_sigmas(2, 0.5, 4)
    x = mixture.sample(4000, rng()).float()
    net = NoiseConditionalScore(2, 64, 2)
    losses = train_ncsn(net, x, sigmas, 1000, lr=1e-2)
    assert len(losses) == 1000
    for sigma in sigmas.tolist():
        noisy = mixture.perturb(1, sigma)
        y = noisy.sample(2000, rng(1))
        with torch.no_grad():
            missed = explicit_score_matching(
                lambda z, sigma=sigma: net(z.float(), sigma), y, noisy.score
            )
        assert missed.mean() < 0.1 * (noisy.score(y) ** 2).sum(1).mean() / 2


def test_training_is_reproducible():
    x = torch.randn(50, 2, generator=rng())
    runs = [train_ncsn(NoiseConditionalScore(2, 8, 1), x, torch.ones(1), 5) for _ in range(2)]
    assert runs[0] == runs[1]


# --- distances -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(50, 50), (40, 70), (1, 9)])
def test_one_dimensional_distances_are_those_of_pot_and_scipy(n, m):
    x, y = normal(n, 1), 2 * normal(m, 1, seed=1) + 1
    exact = ot.emd2_1d(x[:, 0].numpy(), y[:, 0].numpy()) ** 0.5
    assert sliced_wasserstein(x, y, 3) == pytest.approx(exact, rel=1e-10)
    if min(n, m) < 2:
        return
    biased = scipy_energy_distance(x[:, 0].numpy(), y[:, 0].numpy()) ** 2
    pairs = [torch.cdist(z, z).mean().item() / (len(z) - 1) for z in (x, y)]
    assert energy_distance(x, y) == pytest.approx(biased - sum(pairs), rel=1e-9)


def test_sliced_distance_is_that_of_pot_for_the_same_directions():
    x, y = normal(60, 3), normal(80, 3, seed=1) + 0.5
    v = torch.randn(25, 3, generator=rng(4), dtype=torch.float64)
    v = (v / v.norm(dim=1, keepdim=True)).T.numpy()
    theirs = ot.sliced_wasserstein_distance(x.numpy(), y.numpy(), projections=v)
    assert sliced_wasserstein(x, y, 25, seed=4) == pytest.approx(theirs, rel=1e-10)


def test_sliced_distance_is_below_the_full_one():
    x, y = normal(60, 3), normal(60, 3, seed=1) + 0.5
    cost = ot.dist(x.numpy(), y.numpy())
    full = ot.emd2(np.full(60, 1 / 60), np.full(60, 1 / 60), cost) ** 0.5
    assert 0 < sliced_wasserstein(x, y) < full


def test_energy_distance_is_zero_on_average_for_one_law_and_not_for_two():
    same = torch.tensor(
        [energy_distance(normal(50, 2, seed=i), normal(50, 2, seed=1000 + i)) for i in range(200)]
    )
    within(same, 0)
    assert same.min() < 0
    assert energy_distance(normal(200, 2), normal(200, 2, seed=1) + 1) > 0.3


# --- bad input -----------------------------------------------------------------------------------

GOOD = torch.zeros(4, 2)
POINTS = {
    "explicit": lambda x: explicit_score_matching(torch.neg, x, torch.neg),
    "implicit": lambda x: implicit_score_matching(torch.neg, x),
    "sliced": lambda x: sliced_score_matching(torch.neg, x),
    "denoising": lambda x: denoising_score_matching(torch.neg, x, 1.0),
    "trace": lambda x: hutchinson_trace(torch.neg, x),
    "langevin": lambda x: langevin_dynamics(torch.neg, x, 0.1, 1),
    "annealed": lambda x: annealed_langevin(lambda y, sigma: -y, x, torch.ones(1), 0.1, 1),
    "wasserstein": lambda x: sliced_wasserstein(x, GOOD),
    "energy": lambda x: energy_distance(x, GOOD),
    "training": lambda x: train_ncsn(NoiseConditionalScore(2), x, torch.ones(1), 1),
}


@pytest.mark.parametrize("call", POINTS.values(), ids=POINTS)
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(4), r"x0? must have the shape \(n, d\), n, d >= 1, got \(4,\)"),
        (torch.zeros(0, 2), r"x0? must have the shape .* got \(0, 2\)"),
        (torch.zeros(4, 0), r"x0? must have the shape .* got \(4, 0\)"),
        (torch.zeros(4, 2, dtype=torch.int64), r"x0? must be floating point, got torch.int64"),
        (torch.tensor([[0.0, 1], [nan, 2]]), r"x0? must be finite, got row 1: \[nan, 2.0\]"),
        (torch.tensor([[inf, 1.0]]), r"x0? must be finite, got row 0: \[inf, 1.0\]"),
    ],
)
def test_what_is_no_batch_of_points_is_refused(call, x, message):
    with pytest.raises(ValueError, match=message):
        call(x)


WRONG = {
    "explicit": lambda: explicit_score_matching(torch.neg, GOOD, lambda x: -x[:, :1]),
    "implicit": lambda: implicit_score_matching(lambda x: -x[:, :1], GOOD),
    "sliced": lambda: sliced_score_matching(lambda x: x.sum(1), GOOD),
    "denoising": lambda: denoising_score_matching(lambda x: x.sum(), GOOD, 1.0),
    "trace": lambda: hutchinson_trace(lambda x: x.T, GOOD),
    "langevin": lambda: langevin_dynamics(lambda x: x[:, :1], GOOD, 0.1, 1),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_a_score_of_another_shape_is_refused(call):
    with pytest.raises(ValueError, match=r"must return the shape of x, \(4, 2\), got"):
        call()


@pytest.mark.parametrize("loss", [implicit_score_matching, sliced_score_matching, hutchinson_trace])
def test_a_score_without_gradient_is_refused(loss):
    with pytest.raises(ValueError, match="score_fn must be differentiable"):
        loss(lambda x: -x.detach(), GOOD)


def test_a_score_that_does_not_depend_on_a_coordinate_is_fine():
    constant = torch.ones(4, 2, requires_grad=True)
    loss = implicit_score_matching(lambda x: constant * 2, GOOD)
    assert loss.tolist() == [4.0] * 4


@pytest.mark.parametrize("sigma", [0, -1.0, nan, inf, torch.tensor([1.0, 0, 1, 1])])
def test_a_noise_level_must_be_positive(sigma):
    for call in (
        lambda: denoising_score_matching(torch.neg, GOOD, sigma),
        lambda: NoiseConditionalScore(2)(GOOD, sigma),
    ):
        with pytest.raises(ValueError, match=r"sigma must be finite and > 0, got (0|-1|nan|inf)"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: denoising_score_matching(torch.neg, GOOD, torch.ones(3)),
            r"sigma must be a number or \(4,\), got \(3,\)",
        ),
        (lambda: hutchinson_trace(torch.neg, GOOD, 0), "n_probes must be an integer >= 1, got 0"),
        (
            lambda: sliced_score_matching(torch.neg, GOOD, -1),
            "n_probes must be an integer >= 1, got -1",
        ),
        (
            lambda: hutchinson_trace(torch.neg, GOOD, 1, "sphere"),
            "kind must be 'rademacher' or 'gaussian', got 'sphere'",
        ),
        (
            lambda: langevin_dynamics(torch.neg, GOOD, 0, 1),
            "step must be finite and > 0, got 0",
        ),
        (
            lambda: langevin_dynamics(torch.neg, GOOD, nan, 1),
            "step must be finite and > 0, got nan",
        ),
        (
            lambda: langevin_dynamics(torch.neg, GOOD, 0.1, 0),
            "n_steps must be an integer >= 1, got 0",
        ),
        (
            lambda: langevin_dynamics(lambda x: -(x**3), GOOD + 9, 1.0, 9, rng()),
            "the walk left the finite numbers, the step 1 is too large",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.tensor([1.0, 2.0]), 0.1, 1),
            r"sigmas must fall and be > 0, got \[1.0, 2.0\]",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.tensor([1.0, nan]), 0.1, 1),
            r"sigmas must fall and be > 0, got \[1.0, nan\]",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.tensor([1.0, 0.0]), 0.1, 1),
            r"sigmas must fall and be > 0",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.ones(0), 0.1, 1),
            r"sigmas must have the shape \(L,\), got \(0,\)",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.ones(1), -0.1, 1),
            "eps must be finite and > 0, got -0.1",
        ),
        (
            lambda: annealed_langevin(lambda x, s: -x, GOOD, torch.ones(1), 0.1, 0),
            "n_steps must be an integer >= 1, got 0",
        ),
        (lambda: geometric_sigmas(1, 2, 5), "need L >= 2 levels that fall, got L = 5 from 1 to 2"),
        (lambda: geometric_sigmas(2, 1, 1), "need L >= 2 levels that fall, got L = 1 from 2 to 1"),
        (lambda: geometric_sigmas(2, 0, 5), "sigma_L must be finite and > 0, got 0"),
        (lambda: geometric_sigmas(nan, 1, 5), "sigma_1 must be finite and > 0, got nan"),
        (lambda: geometric_sigmas(2, 1, 0), "L must be an integer >= 1, got 0"),
        (lambda: ncsnv2_ratio(4), "dim must be >= 5, or any ratio will do, got 4"),
        (lambda: ncsnv2_ratio(0), "dim must be an integer >= 1, got 0"),
        (
            lambda: ncsnv2_step(torch.tensor([3.0, 2.0, 1.0]), 5),
            r"sigmas must be geometric, got \[3.0, 2.0, 1.0\]",
        ),
        (lambda: ncsnv2_step(torch.ones(1), 5), r"sigmas must be geometric, got \[1.0\]"),
        (
            lambda: ncsnv2_step(torch.tensor([1.0, 2.0]), 5),
            r"sigmas must fall and be > 0",
        ),
        (lambda: ncsnv2_step(torch.tensor([2.0, 1.0]), 0), "T must be an integer >= 1, got 0"),
        (lambda: NoiseConditionalScore(0), "dim must be an integer >= 1, got 0"),
        (lambda: NoiseConditionalScore(2, 0), "hidden must be an integer >= 1, got 0"),
        (lambda: NoiseConditionalScore(2, 8, 0), "depth must be an integer >= 1, got 0"),
        (
            lambda: NoiseConditionalScore(2, sigma_data=0),
            "sigma_data must be finite and > 0, got 0",
        ),
        (
            lambda: NoiseConditionalScore(3)(GOOD, 1.0),
            r"x must have the shape \(n, 3\), got \(4, 2\)",
        ),
        (
            lambda: NoiseConditionalScore(2)(GOOD.double(), 1.0),
            "x must be torch.float32, got torch.float64",
        ),
        (lambda: NoiseConditionalScore(2)(GOOD.long(), 1.0), "x must be torch.float32, got"),
        (
            lambda: explicit_score_matching(torch.neg, GOOD, lambda x: None),
            r"true_score must return the shape of x, \(4, 2\), got NoneType",
        ),
        (
            lambda: train_ncsn(NoiseConditionalScore(2), GOOD, torch.ones(1), 0),
            "steps must be an integer >= 1, got 0",
        ),
        (
            lambda: train_ncsn(NoiseConditionalScore(2), GOOD, torch.ones(1), 1, batch=0),
            "batch must be an integer >= 1, got 0",
        ),
        (
            lambda: train_ncsn(NoiseConditionalScore(2), GOOD, torch.tensor([1.0, 2.0]), 1),
            "sigmas must fall and be > 0",
        ),
        (
            lambda: sliced_wasserstein(GOOD, torch.zeros(4, 3)),
            r"x and y must be \(n, d\) and \(m, d\), n, m >= 1, got \(4, 2\) and \(4, 3\)",
        ),
        (lambda: sliced_wasserstein(GOOD, GOOD, 0), "n must be an integer >= 1, got 0"),
        (
            lambda: sliced_wasserstein(GOOD, torch.full((2, 2), nan)),
            "y must be finite, got row 0",
        ),
        (
            lambda: energy_distance(GOOD, torch.zeros(1, 2)),
            r"n, m >= 2, got \(4, 2\) and \(1, 2\)",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
