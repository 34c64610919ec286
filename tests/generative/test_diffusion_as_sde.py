"""Each test is a sentence of generative/diffusion-as-sde."""

from itertools import pairwise
from math import exp, log, pi, sqrt

import numpy as np
import pytest
import torch
import torchsde
from scipy.integrate import solve_ivp

from snippets.common.data import small_digits
from snippets.generative.diffusion_as_sde import (
    VPSDE,
    LinearSDE,
    brownian_increments,
    check_time,
    ddpm_final_variance,
    ddpm_posterior,
    ddpm_sample,
    ddpm_schedule,
    euler_maruyama,
    exact_score,
    fokker_planck_residual,
    ito_integral,
    ou_errors,
    ou_increments,
    reverse_drift,
    schedule_of,
    stratonovich_integral,
)
from snippets.generative.diffusion_as_sde.figures import figure_seven
from snippets.generative.gaussian_mixture import three_islands


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def real(values):
    return torch.tensor(values, dtype=torch.float64)


class VE(LinearSDE):
    """Two formulas are enough; the rest is inherited."""

    def alpha(self, t):
        return torch.ones_like(check_time(t))

    def sigma(self, t):
        return 0.01 * (50 / 0.01) ** check_time(t)


class SubVP(LinearSDE):
    def alpha(self, t):
        return VPSDE().alpha(t)

    def sigma(self, t):
        return -torch.expm1(-VPSDE().budget(t))


class Plain(LinearSDE):
    """VP with nothing but its two formulas: all else by autograd."""

    def alpha(self, t):
        return VPSDE().alpha(t)

    def sigma(self, t):
        return VPSDE().sigma(t)


class Rooted(LinearSDE):
    """A root that starts at 0, where it has no slope."""

    def alpha(self, t):
        return 1 + 0 * check_time(t)

    def sigma(self, t):
        return check_time(t).sqrt()


# Brownian motion and its integrals


def test_increments_have_the_variance_of_a_step_and_are_uncorrelated():
    dW = brownian_increments(50, (20_000,), 2.0, seeded())
    assert dW.shape == (50, 20_000)
    assert abs((dW**2).mean().item() / 0.04 - 1) < 5 * sqrt(2 / dW.numel())
    assert abs((dW[:-1] * dW[1:]).mean().item() / 0.04) < 5 / sqrt(dW[1:].numel())
    assert brownian_increments(3, dtype=torch.float32).dtype == torch.float32


@pytest.mark.parametrize("n", [100, 1000])
def test_quadratic_variation_is_the_time_with_spread_root_two_over_n(n):
    squares = (brownian_increments(n, (4000,), 1.0, seeded()) ** 2).sum(0)
    spread = sqrt(2 / n)
    assert abs(squares.mean().item() - 1) < 5 * spread / sqrt(4000)
    assert abs(squares.std().item() / spread - 1) < 5 / sqrt(2 * 4000)


def path(dW):
    return torch.cat([torch.zeros_like(dW[:1]), dW.cumsum(0)])


@pytest.mark.parametrize("n", [100, 1000])
def test_the_two_integrals_of_w(n):
    """Ito falls short of (W^2 - 1) / 2 by sqrt(1 / 2n); Stratonovich telescopes to W^2 / 2."""
    dW = brownian_increments(n, (4000,), 1.0, seeded())
    W = path(dW)
    error = ito_integral(W, dW) - (W[-1] ** 2 - 1) / 2
    rms = (error**2).mean().sqrt().item()
    assert abs(rms / sqrt(1 / (2 * n)) - 1) < 0.07
    torch.testing.assert_close(stratonovich_integral(W, dW), W[-1] ** 2 / 2)
    gap = stratonovich_integral(W, dW) - ito_integral(W, dW)
    torch.testing.assert_close(gap, (dW**2).sum(0) / 2)


def test_the_two_integrals_agree_where_g_depends_on_t_alone():
    """Their difference has the standard deviation h/2 sqrt(int g'^2)."""
    for n in (100, 200):
        dW = brownian_increments(n, (4000,), 1.0, seeded())
        g = torch.linspace(0, 3, n + 1, dtype=torch.float64).sin()[:, None].expand(-1, 4000)
        gap = stratonovich_integral(g, dW) - ito_integral(g, dW)
        expected = 0.5 / n * 3 * sqrt(0.5 + np.sin(6) / 12)
        assert abs((gap**2).mean().sqrt().item() / expected - 1) < 5 / sqrt(2 * 4000)


# Euler-Maruyama


def test_euler_maruyama_is_torchsdes_on_the_same_path():
    """Reverse SDE of the mixture on a fixed path; a fixed path needs a Brownian motion of ours."""

    class Fixed(torchsde.BaseBrownian):
        """The path given on a grid, whoever asks and in whatever order."""

        def __init__(self, ts, dW):
            super().__init__()
            self.ts, self.W = ts, path(dW)

        def _at(self, t):
            return self.W[(self.ts - t).abs().argmin()]

        def __call__(self, ta, tb=None, return_U=False, return_A=False):
            return self._at(tb) - self._at(ta)

        def __repr__(self):
            return "Fixed"

        dtype = property(lambda self: self.W.dtype)
        device = property(lambda self: self.W.device)
        shape = property(lambda self: self.W.shape[1:])
        levy_area_approximation = property(lambda self: "none")

    sde, end = VPSDE(), 0.999
    drift = reverse_drift(sde, exact_score(sde, three_islands()))

    class Reverse:
        noise_type, sde_type = "diagonal", "ito"

        def f(self, s, x):
            return -drift(x, 1 - s)

        def g(self, s, x):
            return sde.diffusion2(1 - s).sqrt().expand_as(x)

    n = 200
    s = torch.linspace(0, end, n + 1, dtype=torch.float64)
    dW = brownian_increments(n, (100, 2), end, seeded())
    x1 = torch.randn(100, 2, generator=seeded(1), dtype=torch.float64)
    theirs = torchsde.sdeint(
        Reverse(), x1, s[[0, -1]], bm=Fixed(s, dW), method="euler", dt=end / n
    )[-1]
    ts = 1 - s
    table = sde.tabulate(ts)
    for own in (sde, table):
        back = reverse_drift(own, exact_score(own, three_islands()))
        ours = euler_maruyama(back, lambda x, t, own=own: own.diffusion2(t).sqrt(), x1, ts, dW)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-11)


def test_a_brownian_interval_asked_differently_is_another_path():
    a, b = (
        torchsde.BrownianInterval(0.0, 1.0, size=(1,), entropy=1, dtype=torch.float64)
        for _ in range(2)
    )
    a(0.0, 0.5)
    assert (a(0.2, 0.3) - b(0.2, 0.3)).abs().item() > 1e-3


@pytest.mark.parametrize("n", [8, 32])
def test_measured_errors_on_ou_are_the_closed_forms(n):
    a, noise, x0, paths = 1.5, 0.8, 2.0, 20_000
    dW, integral = ou_increments(n, (paths,), a, 1.0, seeded())
    ts = torch.linspace(0, 1, n + 1, dtype=torch.float64)
    start = torch.full((paths,), x0, dtype=torch.float64)
    ours = euler_maruyama(lambda x, t: -a * x, lambda x, t: noise, start, ts, dW)
    exact = start
    for jump in integral:
        exact = exp(-a / n) * exact + noise * jump
    strong, mean, var = ou_errors(n, a, noise, x0)
    gap = ours - exact
    assert abs((gap**2).mean().sqrt().item() / strong - 1) < 0.03
    assert abs(gap.mean().item() - mean) < 5 * gap.std().item() / sqrt(paths)
    squares = (ours - ours.mean()) ** 2 - (exact - exact.mean()) ** 2
    assert abs(squares.mean().item() - var) < 5 * squares.std().item() / sqrt(paths)
    truth = noise**2 * (1 - exp(-2 * a)) / (2 * a)
    assert abs(exact.var().item() / truth - 1) < 5 * sqrt(2 / paths)


def test_all_three_errors_on_ou_have_order_one():
    for a, noise, x0 in ((1.5, 0.8, 2.0), (3.0, 1.0, -1.0)):
        coarse, fine = (ou_errors(n, a, noise, x0) for n in (4096, 8192))
        for one, other in zip(coarse, fine, strict=True):
            assert abs(log(one / other, 2) - 1) < 0.01


def test_order_one_half_where_the_noise_depends_on_x():
    """Geometric Brownian motion: the strong error shrinks by the root of 2."""
    n, paths = 1024, 4000
    dW = brownian_increments(n, (paths,), 1.0, seeded())
    errors = []
    for steps in (64, 256, 1024):
        coarse = dW.view(steps, -1, paths).sum(1)
        ts = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
        start = torch.ones(paths, dtype=torch.float64)
        ours = euler_maruyama(lambda x, t: 0.5 * x, lambda x, t: x, start, ts, coarse)
        errors.append(((ours - dW.sum(0).exp()) ** 2).mean().sqrt().item())
    for one, other in pairwise(errors):
        assert 0.4 < log(one / other, 4) < 0.6


def test_paths_grids_and_seeds():
    ts = real([0.0, 0.1, 0.4, 1.0])
    start = torch.zeros(20_000, 1, dtype=torch.float64)
    whole = euler_maruyama(
        lambda x, t: 0 * x, lambda x, t: 1.0, start, ts, None, seeded(), return_path=True
    )
    assert whole.shape == (4, 20_000, 1)
    for step, width in zip(whole.diff(dim=0), ts.diff().tolist(), strict=True):
        assert abs(step.var().item() / width - 1) < 5 * sqrt(2 / 20_000)
    again = euler_maruyama(lambda x, t: 0 * x, lambda x, t: 1.0, start, ts, None, seeded())
    assert torch.equal(again, whole[-1])
    back = euler_maruyama(lambda x, t: 1 + 0 * x, lambda x, t: 0.0, start[:3], ts.flip(0))
    torch.testing.assert_close(back, torch.full_like(back, -1.0))


# Linear SDEs


@pytest.mark.parametrize("sde", [VPSDE(), VPSDE(1, 5), VE(), SubVP()])
def test_moments_follow_from_the_coefficients_by_scipy(sde):
    """Start where the formulas start: VE at its least sigma."""

    def slope(t, y):
        f, g2 = sde.drift_coef(t).item(), sde.diffusion2(t).item()
        return [f * y[0], 2 * f * y[1] + g2]

    start = [sde.alpha(0.0).item(), sde.sigma(0.0).item() ** 2]
    grid = np.linspace(0, 1, 11)
    solved = solve_ivp(slope, (0, 1), start, t_eval=grid, rtol=1e-11, atol=1e-14, method="DOP853")
    t = torch.tensor(grid)
    scale = sde.sigma(1.0).item() ** 2
    torch.testing.assert_close(torch.tensor(solved.y[0]), sde.alpha(t), rtol=0, atol=1e-11)
    ours = torch.tensor(solved.y[1])
    torch.testing.assert_close(ours / scale, sde.sigma(t) ** 2 / scale, rtol=0, atol=1e-10)


@pytest.mark.parametrize("sde", [VPSDE(), SubVP()])
def test_from_coefficients_and_back(sde):
    moments = LinearSDE.from_coefficients(sde.drift_coef, sde.diffusion2)
    t = torch.linspace(0, 1, 777, dtype=torch.float64)
    torch.testing.assert_close(moments.alpha(t), sde.alpha(t), rtol=1e-11, atol=0)
    torch.testing.assert_close(moments.sigma(t) ** 2, sde.sigma(t) ** 2, rtol=0, atol=1e-10)
    assert torch.equal(moments.drift_coef(t), sde.drift_coef(t))
    assert torch.equal(moments.diffusion2(t), sde.diffusion2(t))
    # differentiating what was integrated gives the coefficients back
    inner = t[100:-1]
    f = LinearSDE.drift_coef(moments, inner)
    torch.testing.assert_close(f, sde.drift_coef(inner), rtol=1e-8, atol=0)
    g2 = LinearSDE.diffusion2(moments, inner)
    torch.testing.assert_close(g2, sde.diffusion2(inner), rtol=1e-5, atol=0)
    brownian = LinearSDE.from_coefficients(lambda t: 0.0, lambda t: 4.0)
    torch.testing.assert_close(brownian.sigma(0.25), real(1.0))


def test_from_coefficients_has_order_four_where_f_bends():
    """ln alpha is the integral of f, and sigma^2 = alpha^2 - 1 if g^2 = 2 f."""
    t = torch.linspace(0, 1, 9, dtype=torch.float64)
    errors = []
    for n in (8, 16):
        moments = LinearSDE.from_coefficients(
            lambda t: 3 * (5 * t).sin() ** 2, lambda t: 6 * (5 * t).sin() ** 2, n
        )
        log_alpha = 3 * (t / 2 - (10 * t).sin() / 20)
        off = moments.alpha(t).log() - log_alpha
        var = moments.sigma(t) ** 2 / ((2 * log_alpha).exp() - 1).clamp(min=1e-9) - 1
        errors.append((off.abs().max().item(), var[-1].abs().item()))
    for one, other in zip(*errors, strict=True):
        assert log(one / other, 2) > 3.5


def test_coefficients_by_autograd_are_the_closed_ones():
    t = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    torch.testing.assert_close(Plain().drift_coef(t), VPSDE().drift_coef(t))
    torch.testing.assert_close(Plain().diffusion2(t), VPSDE().diffusion2(t))
    growth = 2 * log(5000) * VE().sigma(t) ** 2
    torch.testing.assert_close(VE().diffusion2(t), growth)
    assert VE().drift_coef(0.3).item() == 0


def test_marginals_by_many_small_steps_and_by_one_leap():
    sde, n, t = VPSDE(), 20_000, 0.3
    x0 = torch.full((n, 1), 2.0, dtype=torch.float64)
    leap = sde.sample(x0, t, seeded())
    ts = torch.linspace(0, t, 401, dtype=torch.float64)
    diffusion = lambda x, t: sde.diffusion2(t).sqrt()  # noqa: E731
    walk = euler_maruyama(sde.forward_drift, diffusion, x0, ts, None, seeded(1))
    mean, std = sde.marginal(x0[:1], t)
    for x in (leap, walk):
        assert abs(x.mean().item() - mean.item()) < 5 * std.item() / sqrt(n) + 0.002
        assert abs(x.std().item() / std.item() - 1) < 5 / sqrt(2 * n) + 0.002


def test_times_that_are_no_floats():
    assert VPSDE().alpha(torch.empty(0)).shape == (0,)
    torch.testing.assert_close(VPSDE().alpha(1), VPSDE().alpha(1.0))
    assert VPSDE().alpha(0.3).dtype == torch.float64


def test_one_time_or_one_per_point():
    sde, x = VPSDE(), torch.ones(3, 2, dtype=torch.float64)
    mean, std = sde.marginal(x, real([0.0, 0.5, 1.0]))
    assert mean.shape == (3, 2)
    assert std.shape == (3, 1)
    for i, t in enumerate((0.0, 0.5, 1.0)):
        one, spread = sde.marginal(x[i : i + 1], t)
        torch.testing.assert_close(mean[i : i + 1], one)
        torch.testing.assert_close(std[i, 0], spread)
    assert sde.sample(x.float(), 0.5, seeded()).dtype == torch.float32
    assert sde.forward_drift(x.float(), 0.5).dtype == torch.float32


def test_a_table_answers_as_the_sde():
    for sde in (VPSDE(), VE()):
        ts = torch.linspace(0.1, 1, 7, dtype=torch.float64)
        table = sde.tabulate(ts)
        for t in ts:
            for name in ("alpha", "sigma", "drift_coef", "diffusion2"):
                torch.testing.assert_close(getattr(table, name)(t), getattr(sde, name)(t))
        with pytest.raises(ValueError, match=r"t must be one of the tabulated times, got 0\.5"):
            table.alpha(0.5001)


# The chain and its limit


@pytest.mark.parametrize(("N", "error"), [(100, 1.0245e-2), (1000, 9.93e-4), (10_000, 9.90e-5)])
def test_the_chain_converges_to_vp_with_order_one(N, error):
    sde = VPSDE()
    _, alpha_bar = schedule_of(sde.discretize(N))
    t = torch.arange(1, N + 1, dtype=torch.float64) / N
    worst = (alpha_bar.sqrt() - sde.alpha(t)).abs().max().item()
    assert worst == pytest.approx(error, rel=2e-3)
    _, exact = schedule_of(sde.discretize(N, exact=True))
    torch.testing.assert_close(exact.sqrt(), sde.alpha(t))


def test_ddpms_schedule_is_vp_of_a_thousand_steps():
    for ours, theirs in zip(
        ddpm_schedule(1000), schedule_of(VPSDE().discretize(1000)), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=0)


@pytest.fixture(scope="module")
def scheduler():
    from diffusers import DDPMScheduler

    def make(variance="fixed_small"):
        return DDPMScheduler(
            1000,
            beta_start=1e-4,
            beta_end=0.02,
            beta_schedule="linear",
            clip_sample=False,
            variance_type=variance,
        )

    return make


def test_the_schedule_is_diffusers(scheduler):
    """Theirs is made in float32, so ours is cast for the comparison."""
    theirs = scheduler()
    betas, alpha_bar = ddpm_schedule(1000)
    torch.testing.assert_close(betas.float(), theirs.betas, rtol=1e-6, atol=0)
    torch.testing.assert_close(alpha_bar.float(), theirs.alphas_cumprod, rtol=2e-5, atol=0)
    single = torch.linspace(1e-4, 0.02, 1000)
    assert torch.equal(theirs.betas, single)
    assert torch.equal(theirs.alphas_cumprod, (1 - single).cumprod(0))


def our_step_and_theirs(theirs, t, variance, schedule, dtype):
    """Step from the same x with the same noise; our t counts from 1, theirs from 0."""
    x, eps = (torch.randn(4, 3, generator=seeded(i), dtype=dtype) for i in (0, 1))
    z = torch.randn(x.shape, generator=seeded(2), dtype=dtype).double()
    a = schedule[1][t - 1]
    x0_hat = (x.double() - (1 - a).sqrt() * eps.double()) / a.sqrt()
    mean, var = ddpm_posterior(x.double(), x0_hat, t, schedule, variance)
    after = theirs.step(eps, t - 1, x, generator=seeded(2)).prev_sample
    return (mean + var.sqrt() * z if t > 1 else mean), after.double()


@pytest.mark.parametrize(("variance", "name"), [("small", "fixed_small"), ("large", "fixed_large")])
@pytest.mark.parametrize("t", [1, 2, 10, 500, 1000])
def test_a_step_is_diffusers_in_double_precision(scheduler, t, variance, name):
    theirs, schedule = scheduler(name), ddpm_schedule(1000)
    theirs.betas, theirs.alphas_cumprod = schedule
    theirs.alphas, theirs.one = 1 - schedule[0], torch.ones((), dtype=torch.float64)
    ours, after = our_step_and_theirs(theirs, t, variance, schedule, torch.float64)
    torch.testing.assert_close(ours, after, rtol=0, atol=1e-11)


def test_single_precision_loses_digits_near_the_data(scheduler):
    """1 - alpha_bar is 3e-4 at the second step, and 1 is kept to 6e-8 only."""
    theirs = scheduler()
    schedule = schedule_of(theirs.betas.double())
    gaps = {}
    for t in (2, 500, 1000):
        ours, after = our_step_and_theirs(theirs, t, "small", schedule, torch.float32)
        gaps[t] = (ours - after).abs().max().item()
    assert 1e-5 < gaps[2] < 1e-3
    assert gaps[500] < 2e-6
    assert gaps[1000] < 2e-6


def test_the_posterior_is_bayes_on_a_grid():
    """q(x_(t-1) | x_t, x_0) from the two densities it comes from, normalised by summing."""
    schedule = ddpm_schedule(10, 0.05, 0.4)
    x0, xt, t = 0.7, -0.4, 6
    before, beta = schedule[1][t - 2], schedule[0][t - 1]
    grid = torch.linspace(-8, 8, 20_001, dtype=torch.float64)
    weight = -((grid - before.sqrt() * x0) ** 2) / (2 * (1 - before))
    weight = (weight - (xt - (1 - beta).sqrt() * grid) ** 2 / (2 * beta)).softmax(0)
    mean = (weight * grid).sum()
    var = (weight * (grid - mean) ** 2).sum()
    ours = ddpm_posterior(real([xt]), real([x0]), t, schedule)
    torch.testing.assert_close(torch.stack([ours[0][0], ours[1]]), torch.stack([mean, var]))


@pytest.mark.parametrize("data_variance", [1.0, 0.3])
def test_the_optimal_variance_is_bayes_without_x0(data_variance):
    """p(x_(t-1) | x_t) for Gaussian data by regression, and beta for unit variance."""
    schedule = ddpm_schedule(10, 0.05, 0.4)
    for t in (1, 5, 10):
        a, beta = schedule[1][t - 1].item(), schedule[0][t - 1].item()
        total = a * data_variance + 1 - a
        before = (total - beta) / (1 - beta)
        expected = before - (1 - beta) * before**2 / total
        x = torch.zeros(1, dtype=torch.float64)
        spread = data_variance * (1 - a) / total
        _, var = ddpm_posterior(x, x, t, schedule, "optimal", spread)
        assert var.item() == pytest.approx(expected)
        if data_variance == 1:
            assert var.item() == pytest.approx(beta)


@pytest.mark.parametrize("variance", ["small", "large", "optimal"])
def test_sampling_has_the_variance_of_the_recursion(variance):
    schedule, s2, n = schedule_of(VPSDE().discretize(10, exact=True)), 0.5, 20_000

    def total(t):
        return (schedule[1][t - 1] * s2 + 1 - schedule[1][t - 1]).item()

    def eps(x, t):
        return (1 - schedule[1][t - 1]).sqrt() * x / total(t)

    spread = {}
    if variance == "optimal":
        spread["x0_variance"] = lambda x, t: s2 * (1 - schedule[1][t - 1]) / total(t)
    x = ddpm_sample(eps, (n,), schedule, variance, seeded(), **spread)
    expected = ddpm_final_variance(schedule, s2, variance)
    assert abs(x.var().item() / expected - 1) < 5 * sqrt(2 / n)


@pytest.mark.parametrize(
    ("T", "small", "large", "point_small", "point_large"),
    [
        (10, 0.549, 0.896, 0.0009, 0.0025),
        (50, 0.858, 0.994, 0.016, 0.046),
        (200, 0.958, 0.9993, 0.112, 0.249),
        (1000, 0.991, 0.9999, 0.413, 0.676),
    ],
)
def test_final_variances(T, small, large, point_small, point_large):
    schedule = schedule_of(VPSDE().discretize(T, exact=True))
    assert ddpm_final_variance(schedule, 1.0, "small") == pytest.approx(small, abs=6e-4)
    assert ddpm_final_variance(schedule, 1.0, "large") == pytest.approx(large, abs=6e-4)
    for s2 in (1.0, 1e-4):
        # the start has variance 1 where x_T has alpha_bar s2 + 1 - alpha_bar
        assert ddpm_final_variance(schedule, s2, "optimal") / s2 == pytest.approx(1, abs=1e-6)
    for name, value in (("small", point_small), ("large", point_large)):
        ratio = ddpm_final_variance(schedule, 1e-4, name) / 1e-4
        assert ratio == pytest.approx(value, abs=6e-4)


@pytest.mark.parametrize("power", [0.25, 0.5, 1.0])
def test_what_the_end_of_the_chain_differs_from_noise(power):
    """KL(q(x_T | x_0) || N(0, 1)) by summing over a grid is the closed form, 1e-5 bits."""
    a = ddpm_schedule(1000)[1][-1]
    grid = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    log_q = -((grid - a.sqrt() * power**0.5) ** 2) / (2 * (1 - a)) - (1 - a).log() / 2
    density = log_q.exp() / sqrt(2 * pi) * (grid[1] - grid[0])
    summed = (density * (log_q + grid**2 / 2)).sum().item()
    closed = ((a * power - a - (-a).log1p()) / 2).item()
    assert summed == pytest.approx(closed, rel=1e-6)
    assert 5e-6 < closed / log(2) < 5e-5


def test_the_seven_of_the_figure_is_the_seven_of_the_doctest():
    pixels = torch.tensor(small_digits()[0][7]).double()
    digit = (pixels - pixels.mean()) / pixels.std()
    torch.testing.assert_close(figure_seven().flatten(), digit)


# Backwards


def test_bayes_and_the_reverse_sde_differ_by_the_second_order():
    """Mean coefficient and variance of p(x_t | x_(t+h)) for Gaussian data."""
    sde, t = VPSDE(), 0.4

    def v(t):
        return (4 * sde.alpha(t) ** 2 + sde.sigma(t) ** 2).item()

    gaps = []
    for h in (0.004, 0.002, 0.001):
        a = (sde.alpha(t + h) / sde.alpha(t)).item()
        mean, var = v(t) * a / v(t + h), v(t) * (1 - a * a * v(t) / v(t + h))
        g2 = sde.diffusion2(t + h).item()
        score = lambda x, time: -x / v(float(time))  # noqa: E731
        drift = reverse_drift(sde, score)(torch.ones(1, dtype=torch.float64), t + h).item()
        gaps.append((mean - (1 - drift * h), var - g2 * h))
    for one, other in pairwise(gaps):
        for a, b in zip(one, other, strict=True):
            assert abs(log(a / b, 2) - 2) < 0.02


def test_bayes_and_the_reverse_sde_differ_by_the_second_order_where_the_score_bends():
    """Mean, and trace of the covariance, of p(x_t | x_(t+h)) for the mixture."""
    sde, mixture, t = VPSDE(), three_islands(), 0.4
    y = mixture.sample(50, seeded())
    drift = reverse_drift(sde, exact_score(sde, mixture))
    law = mixture.perturb(sde.alpha(t), sde.sigma(t))
    gaps = []
    for h in (0.004, 0.002, 0.001):
        later = mixture.perturb(sde.alpha(t + h), sde.sigma(t + h))
        a = sde.alpha(t + h) / sde.alpha(t)
        b2 = sde.sigma(t + h) ** 2 - (a * sde.sigma(t)) ** 2
        mean = law.posterior_mean(y, a, b2.sqrt())
        spread = b2 / a**2 * (2 + b2 * later.laplacian(y))  # b^2 / a times the mean's divergence
        ours = y - h * drift(y, t + h), 2 * h * sde.diffusion2(t + h)
        worst = [(mean - ours[0]).abs().max().item(), (spread - ours[1]).abs().max().item()]
        gaps.append(worst)
    for one, other in pairwise(gaps):
        for wide, narrow in zip(one, other, strict=True):
            assert abs(log(wide / narrow, 2) - 2) < 0.02


@pytest.mark.parametrize("sde", [VPSDE(), VE(), SubVP()])
@pytest.mark.parametrize(("pull", "noise"), [(0, 1), (1, -1), (0.5, 0), (2.5, -4)])
def test_the_mixture_solves_the_fokker_planck_equation(sde, pull, noise):
    mixture = three_islands()

    def log_prob(x, t):
        return mixture.perturb(sde.alpha(t), sde.sigma(t)).log_prob(x)

    for t in (0.05, 0.2, 0.5, 1.0):
        spread = sde.sigma(t)
        x = sde.sample(mixture.sample(50, seeded()), t, seeded(1))
        residual = fokker_planck_residual(sde, log_prob, x, t, pull=pull, noise=noise)
        scale = log_prob(x, torch.tensor(t).double()).exp().max() * sde.diffusion2(t)
        assert residual.abs().max().item() < 1e-13 * max(1, scale / min(1, spread) ** 2)
        if isinstance(sde, VPSDE):
            assert residual.abs().max().item() < 1e-14


@pytest.mark.parametrize(("pull", "noise"), [(0.5, -1), (1, 0), (0, -1), (1, 1)])
def test_the_wrong_factors_do_not(pull, noise):
    sde, mixture = VPSDE(), three_islands()

    def log_prob(x, t):
        return mixture.perturb(sde.alpha(t), sde.sigma(t)).log_prob(x)

    x = mixture.sample(50, seeded())
    residual = fokker_planck_residual(sde, log_prob, x, 0.2, pull=pull, noise=noise)
    assert residual.abs().max().item() > 0.1


@pytest.mark.parametrize("lam", [0.0, 1.0, 2.0])
def test_every_lambda_keeps_the_marginals_and_only_one_the_joint_law(lam):
    """Correlation of x_.2 and x_.4 for N(0, 4) data: the forward one to the power lambda^2."""
    sde, n = VPSDE(), 20_000

    def v(t):
        return 4 * sde.alpha(t) ** 2 + sde.sigma(t) ** 2

    forward = (sde.alpha(0.4) / sde.alpha(0.2) * (v(0.2) / v(0.4)).sqrt()).item()
    assert forward == pytest.approx(0.7463, abs=5e-5)
    ts = torch.linspace(0.6, 0.2, 401, dtype=torch.float64)
    start = v(0.6).sqrt() * torch.randn(n, generator=seeded(), dtype=torch.float64)
    paths = euler_maruyama(
        reverse_drift(sde, lambda x, t: -x / v(t), lam),
        lambda x, t: lam * sde.diffusion2(t).sqrt(),
        start,
        ts,
        None,
        seeded(1),
        return_path=True,
    )
    late, early = paths[200], paths[-1]
    for x, t in ((late, 0.4), (early, 0.2)):
        assert abs(x.var().item() / v(t).item() - 1) < 5 * sqrt(2 / n) + 0.02
    seen = torch.corrcoef(torch.stack([late, early]))[0, 1].item()
    expected = forward ** (lam**2)
    assert abs(seen - expected) < 5 * (1 - expected**2) / sqrt(n) + 0.01


def test_reversal_brings_the_islands_back():
    sde, mixture, n = VPSDE(), three_islands(), 4000
    ts = torch.linspace(1, 1e-3, 301, dtype=torch.float64)
    table = sde.tabulate(ts)
    start = torch.randn(n, 2, generator=seeded(), dtype=torch.float64)
    drift = reverse_drift(table, exact_score(table, mixture))
    x = euler_maruyama(drift, lambda x, t: table.diffusion2(t).sqrt(), start, ts, None, seeded(1))
    nearest = torch.cdist(x, mixture.means).argmin(1).bincount() / n
    truth = mixture.sample(200_000, seeded(2))
    share = torch.cdist(truth, mixture.means).argmin(1).bincount() / 200_000
    assert (nearest - share).abs().max().item() < 0.03
    assert (x.mean(0) - truth.mean(0)).abs().max().item() < 0.1


def test_wrong_factors_have_the_variances_of_the_closed_forms():
    """For N(0, 1) data: exp(-B) for the flow with g^2, 1 + B for the reverse SDE with g^2 / 2."""
    sde, n = VPSDE(), 4000
    budget = sde.budget(1.0).item()
    assert budget == pytest.approx(10.05)
    h = 1 / n
    flow = noisy = right = 1.0
    for t in torch.linspace(1, h, n, dtype=torch.float64).tolist():
        b = sde.beta(t).item()
        flow *= (1 + h * b / 2 - h * b) ** 2
        noisy = (1 + h * b / 2 - h * b / 2) ** 2 * noisy + h * b
        right = (1 + h * b / 2 - h * b) ** 2 * right + h * b
    assert flow == pytest.approx(exp(-budget), rel=0.05)
    assert noisy == pytest.approx(1 + budget, rel=1e-3)
    assert right == pytest.approx(1, abs=3e-3)


# Bad input


ONE = torch.ones(3, 1, dtype=torch.float64)
GRID = torch.linspace(0, 1, 5, dtype=torch.float64)
STILL = (lambda x, t: 0 * x, lambda x, t: 0.0)
SCHEDULE = ddpm_schedule(10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brownian_increments(-3), "n_steps must be an integer >= 1, got -3"),
        (lambda: brownian_increments(True), "n_steps must be an integer >= 1, got True"),
        (lambda: brownian_increments(2, (), 0.0), r"T must be > 0 and finite, got 0\.0"),
        (lambda: brownian_increments(2, (), float("inf")), "T must be > 0 and finite, got inf"),
        (
            lambda: euler_maruyama(*STILL, ONE.long(), GRID),
            r"x0 must hold floats, got torch\.int64",
        ),
        (
            lambda: euler_maruyama(*STILL, ONE, real([0.0, float("nan"), 1.0])),
            r"ts must strictly increase or decrease, got \[0\.0, nan, 1\.0\]",
        ),
        (
            lambda: euler_maruyama(*STILL, ONE, GRID[:0]),
            r"two or more times, got the shape \(0,\)",
        ),
        (lambda: Rooted().diffusion2(0.0), "t must have a finite slope, got 0"),
        (
            lambda: VPSDE(0.1, float("inf")),
            r"0 < beta_min <= beta_max < inf, got 0\.1 and inf",
        ),
        (
            lambda: LinearSDE.from_coefficients(lambda t: t / 0, lambda t: t),
            "f must be finite, got nan",
        ),
        (
            lambda: LinearSDE.from_coefficients(lambda t: t, lambda t: t, True),
            "n_steps must be an integer >= 1, got True",
        ),
        (
            lambda: fokker_planck_residual(VPSDE(), lambda x, t: x, ONE, 0.5),
            r"log_prob_fn must give the shape \(3,\), got \(3, 1\)",
        ),
        (
            lambda: reverse_drift(VPSDE(), STILL[0], float("inf")),
            "lam must be >= 0 and finite, got inf",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 1, SCHEDULE, "optimal", -1.0),
            "x0_variance must be >= 0, got -1",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 1, SCHEDULE, "optimal", float("nan")),
            "x0_variance must be >= 0, got nan",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, True, SCHEDULE),
            "t must be an integer from 1 to 10, got True",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 9, (SCHEDULE[0], SCHEDULE[1][:3])),
            r"schedule must be betas and alpha_bar, got the shapes \[\(10,\), \(3,\)\]",
        ),
        (
            lambda: ddpm_final_variance(SCHEDULE, float("inf")),
            "data_variance must be > 0 and finite, got inf",
        ),
        (lambda: ito_integral(GRID, GRID), r"one more row than dW .* got \(5,\) and \(5,\)"),
        (lambda: stratonovich_integral(GRID, ONE), r"one more row .* got \(5,\) and \(3, 1\)"),
        (lambda: ou_increments(0, (), 1.0), "n_steps must be an integer >= 1, got 0"),
        (lambda: ou_increments(2, (), 0.0), r"a must be > 0 and finite, got 0\.0"),
        (lambda: ou_errors(0, 1.0, 1.0, 1.0), "n_steps must be an integer >= 1, got 0"),
        (lambda: ou_errors(2, -1.0, 1.0, 1.0), r"a must be > 0 and finite, got -1\.0"),
        (
            lambda: euler_maruyama(*STILL, ONE, real([0.0, 0.5, 0.5])),
            r"ts must strictly increase or decrease, got \[0\.0, 0\.5, 0\.5\]",
        ),
        (
            lambda: euler_maruyama(*STILL, ONE, real([0.0, 0.5, 0.2])),
            r"ts must strictly increase or decrease, got",
        ),
        (lambda: euler_maruyama(*STILL, ONE, GRID[:1]), r"two or more times, got the shape \(1,\)"),
        (
            lambda: euler_maruyama(*STILL, ONE, GRID, torch.zeros(5, 3, 1)),
            r"dW must have the shape \(4, 3, 1\), got \(5, 3, 1\)",
        ),
        (
            lambda: euler_maruyama(lambda x, t: x.mT, lambda x, t: 0.0, ONE, GRID),
            r"must keep the shape \(3, 1\), got \(3, 3\)",
        ),
        (lambda: VPSDE().alpha(1.2), r"t must lie in \[0, 1\], got 1\.2"),
        (lambda: VPSDE().sigma(real([0.5, -0.1])), r"t must lie in \[0, 1\], got -0\.1"),
        (lambda: VPSDE().drift_coef(float("nan")), r"t must lie in \[0, 1\], got nan"),
        (lambda: VE().diffusion2(7.0), r"t must lie in \[0, 1\], got 7"),
        (lambda: VPSDE().sample(ONE, -1.0), r"t must lie in \[0, 1\], got -1"),
        (
            lambda: VPSDE().marginal(ONE, GRID),
            r"t must be one number or 3, one per point, got shape \(5,\)",
        ),
        (lambda: VPSDE(0.0, 1.0), r"0 < beta_min <= beta_max < inf, got 0\.0 and 1\.0"),
        (lambda: VPSDE(2.0, 1.0), r"0 < beta_min <= beta_max < inf, got 2\.0 and 1\.0"),
        (lambda: VPSDE().discretize(10), r"beta_max / N must be < 1, got 20\.0 / 10"),
        (lambda: VPSDE().discretize(1), "N must be an integer >= 2, got 1"),
        (lambda: VPSDE().discretize(-5, exact=True), "N must be an integer >= 1, got -5"),
        (
            lambda: LinearSDE.from_coefficients(lambda t: 0 * t, lambda t: t - 0.5),
            r"g2 must be >= 0, got -0\.5",
        ),
        (
            lambda: LinearSDE.from_coefficients(lambda t: 0 * t, lambda t: t, 0),
            "n_steps must be an integer >= 1, got 0",
        ),
        (lambda: VPSDE().tabulate(ONE), r"ts must be a vector, got the shape \(3, 1\)"),
        (lambda: reverse_drift(VPSDE(), STILL[0], -1.0), r"lam must be >= 0 and finite, got -1\.0"),
        (
            lambda: fokker_planck_residual(VPSDE(), lambda x, t: x, GRID, 0.5),
            r"x must have the shape \(n, d\), got \(5,\)",
        ),
        (
            lambda: fokker_planck_residual(VPSDE(), lambda x, t: x, ONE, GRID),
            r"t must be one number, got the shape \(5,\)",
        ),
        (
            lambda: fokker_planck_residual(VPSDE(), lambda x, t: x, ONE, 1.5),
            r"t must lie in \[0, 1\], got 1\.5",
        ),
        (lambda: ddpm_schedule(0), "T must be an integer >= 1, got 0"),
        (lambda: ddpm_schedule(10, 0.1, 1.0), r"betas must lie in \(0, 1\), got 1"),
        (lambda: schedule_of(real([0.5, 0.0])), r"betas must lie in \(0, 1\), got 0"),
        (lambda: schedule_of(ONE), r"betas must be a vector, got the shape \(3, 1\)"),
        (
            lambda: ddpm_posterior(ONE, ONE, 0, SCHEDULE),
            "t must be an integer from 1 to 10, got 0",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 11, SCHEDULE),
            "t must be an integer from 1 to 10, got 11",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 1, SCHEDULE, "huge"),
            r"variance must be one of \('small', 'large', 'optimal'\), got 'huge'",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 1, SCHEDULE, "optimal"),
            "variance 'optimal' needs x0_variance",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE, 1, SCHEDULE, "small", 1.0),
            "variance 'small' does not use x0_variance",
        ),
        (
            lambda: ddpm_posterior(ONE, ONE.mT, 1, SCHEDULE),
            r"must have the same shape, got \(3, 1\) and \(1, 3\)",
        ),
        (
            lambda: ddpm_sample(lambda x, t: x, (2,), SCHEDULE, "tiny"),
            "variance must be one of",
        ),
        (
            lambda: ddpm_sample(lambda x, t: x[:1], (2,), SCHEDULE),
            r"eps_fn must keep the shape \(2,\), got \(1,\)",
        ),
        (
            lambda: ddpm_final_variance(SCHEDULE, 0.0),
            r"data_variance must be > 0 and finite, got 0\.0",
        ),
        (lambda: ddpm_final_variance(SCHEDULE, 1.0, "none"), "variance must be one of"),
    ],
)
def test_bad_input_is_refused_in_plain_words(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_sde_needs_its_two_formulas():
    with pytest.raises(TypeError, match="abstract"):
        LinearSDE()
