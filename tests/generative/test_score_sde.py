"""Solvers, likelihoods and guidance on exact scores, against five libraries and closed forms."""

from itertools import pairwise
from math import exp, log

import pytest
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler, ScoreSdeVeScheduler
from diffusers.schedulers.deprecated.scheduling_sde_vp import ScoreSdeVpScheduler
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from scipy.stats import norm
from torch.distributions import MultivariateNormal, Normal, kl_divergence
from torchdiffeq import odeint

from snippets.common import records
from snippets.common.toy import two_moons
from snippets.generative.diffusion_as_sde import (
    VPSDE,
    LinearSDE,
    exact_score,
    reverse_drift,
)
from snippets.generative.gaussian_mixture import GaussianMixture, three_islands
from snippets.generative.score_sde import (
    VESDE,
    Denoiser,
    NoisePredictor,
    SubVPSDE,
    bits_per_dim,
    ddim,
    ddim_step,
    denoiser_score,
    denoising_flow,
    dpm_solver2,
    dpm_solver_pp_2m,
    dps_score,
    exact_divergence,
    exact_trace,
    karras_sigmas,
    lam,
    langevin_step,
    log_likelihood,
    plug_in_score,
    posterior_mixture,
    posterior_score,
    predictor_corrector,
    prior_kl,
    prior_log_prob,
    prior_sample,
    prior_std,
    probability_flow,
    reverse_diffusion_step,
    reverse_sde_sample,
    solve_ode,
    t_of_lam,
    time_grid,
    train,
    tweedie,
)
from snippets.generative.score_sde_run import moons_log_prob

ARTICLE = "generative/score-sde"
SDES = {"vp": VPSDE(), "sub-vp": SubVPSDE(), "ve": VESDE()}
every_sde = pytest.mark.parametrize("sde", SDES.values(), ids=SDES)
ISLANDS = three_islands()
EPS = 1e-3


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def real(*values):
    return torch.tensor(values, dtype=torch.float64)


def one_gaussian(variance=1.0, mean=0.0):
    return GaussianMixture(real(1.0), real([mean]), real([[variance]]))


def line():
    """Three components on the real line."""
    return GaussianMixture(
        real(0.5, 0.3, 0.2), real([-1.5], [1.0], [2.5]), real([[0.1]], [[0.4]], [[0.05]])
    )


@pytest.fixture(scope="module")
def flow():
    """Velocity, score, start and exact end of the islands' VP flow."""
    sde = SDES["vp"]
    score = exact_score(sde, ISLANDS)
    velocity = probability_flow(sde, score)
    x = prior_sample(sde, (200, 2), rng())
    y = solve_ivp(
        lambda t, y: velocity(torch.tensor(y).view(-1, 2), real(t)[0]).flatten().numpy(),
        (1.0, EPS),
        x.flatten().numpy(),
        method="DOP853",
        rtol=1e-10,
        atol=1e-10,
    ).y[:, -1]
    return velocity, score, x, torch.tensor(y).view(-1, 2)


# --- the three SDEs ------------------------------------------------------------------------------


@every_sde
def test_drift_and_diffusion_are_those_of_alpha_and_sigma(sde):
    t = torch.linspace(0.01, 1, 50, dtype=torch.float64)
    torch.testing.assert_close(sde.drift_coef(t), LinearSDE.drift_coef(sde, t))
    torch.testing.assert_close(sde.diffusion2(t), LinearSDE.diffusion2(sde, t))


@every_sde
def test_moments_obey_the_equations_of_f_and_g(sde):
    def moments(t, y):
        f, g2 = (rate(real(t)[0]).item() for rate in (sde.drift_coef, sde.diffusion2))
        return [f * y[0], 2 * f * y[1] + g2]

    start = [sde.alpha(0.0).item(), sde.sigma(0.0).item() ** 2]
    end = solve_ivp(moments, (0, 1), start, method="DOP853", rtol=1e-11, atol=1e-13).y[:, -1]
    assert end[0] == pytest.approx(sde.alpha(1.0).item(), rel=1e-8)
    assert end[1] == pytest.approx(sde.sigma(1.0).item() ** 2, rel=1e-8)


def test_the_table_of_the_page():
    vp, sub, ve = SDES.values()
    t = torch.linspace(0, 1, 11, dtype=torch.float64)
    torch.testing.assert_close(vp.alpha(t) ** 2 + vp.sigma(t) ** 2, torch.ones_like(t))
    torch.testing.assert_close(sub.sigma(t), vp.sigma(t) ** 2)
    assert (sub.diffusion2(t) <= vp.diffusion2(t)).all()
    assert (ve.sigma(0.0).item(), ve.sigma(1.0).item()) == pytest.approx((0.01, 50))
    assert [prior_std(sde) for sde in SDES.values()] == [1, 1, 50]


@every_sde
@settings(max_examples=30, deadline=None)
@given(t=st.floats(0.001, 1))
def test_lambda_falls_and_is_inverted(sde, t):
    assert t_of_lam(sde, lam(sde, t)).item() == pytest.approx(t, rel=1e-9)
    assert lam(sde, t) < lam(sde, t * 0.99)


def test_prior_density_and_draws():
    for sde in SDES.values():
        std = prior_std(sde)
        x = prior_sample(sde, (20000, 2), rng())
        theirs = MultivariateNormal(torch.zeros(2).double(), std**2 * torch.eye(2).double())
        torch.testing.assert_close(prior_log_prob(sde, x), theirs.log_prob(x))
        assert x.std().item() == pytest.approx(std, rel=5 / (2 * 40000) ** 0.5)


@every_sde
def test_prior_kl_is_that_of_two_gaussians(sde):
    for v in (0.25, 1.0, 100.0):
        std = (sde.alpha(1.0) ** 2 * v + sde.sigma(1.0) ** 2).sqrt()
        theirs = kl_divergence(Normal(0, std), Normal(0, prior_std(sde)))
        assert prior_kl(sde, v) == pytest.approx(theirs.item(), rel=1e-6, abs=1e-15)


# --- one family of reversals ---------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0, 2.0])
@every_sde
def test_every_member_of_the_family_keeps_the_variance(sde, strength):
    """Moments of a Gaussian along the reversal, by the linear ODE that they obey."""
    back = reverse_drift(sde, exact_score(sde, one_gaussian(0.49)), strength)

    def moments(v, t):
        slope = back(real([1.0]), t)[0, 0]
        return 2 * slope * v - strength**2 * sde.diffusion2(t)

    start = sde.alpha(1.0) ** 2 * 0.49 + sde.sigma(1.0) ** 2
    end, _ = solve_ode(moments, start[None], 1.0, 1e-2, rtol=1e-9, atol=1e-9)
    truth = sde.alpha(1e-2) ** 2 * 0.49 + sde.sigma(1e-2) ** 2
    assert end.item() == pytest.approx(truth.item(), rel=1e-5)


def test_sampling_along_the_family_gives_the_weights():
    """Shares of the islands within five standard errors, whatever the noise."""
    sde, n = SDES["vp"], 4000
    for strength in (0.0, 0.5, 1.0):
        settings = {"lam": strength, "generator": rng(1)}
        x = reverse_sde_sample(sde, exact_score(sde, ISLANDS), (n, 2), 200, **settings)
        nearest = torch.cdist(x, ISLANDS.means).argmin(1)
        truth = torch.cdist(ISLANDS.sample(100_000, rng(2)), ISLANDS.means).argmin(1)
        for k in range(3):
            p = (truth == k).double().mean().item()
            assert (nearest == k).double().mean().item() == pytest.approx(
                p, abs=5 * (p * (1 - p) / n) ** 0.5
            )


def test_without_noise_the_sampler_is_euler_of_the_flow(flow):
    velocity, score, x, _ = flow
    sampled = reverse_sde_sample(SDES["vp"], score, x.shape, 30, lam=0.0, denoise=False, start=x)
    euler, nfe = solve_ode(velocity, x, 1.0, EPS, method="euler", n_steps=30)
    torch.testing.assert_close(sampled, euler)
    assert nfe == 30


def test_path_ends_in_the_sample(flow):
    _, score, x, _ = flow
    one, path = (
        reverse_sde_sample(SDES["vp"], score, x.shape, 10, generator=rng(3), start=x, return_path=p)
        for p in (False, True)
    )
    assert path.shape == (11, *x.shape)
    assert torch.equal(path[-1], one)
    assert torch.equal(path[0], x)


def test_the_last_noise_is_taken_off_by_tweedie(flow):
    _, score, x, _ = flow
    bare, clean = (
        reverse_sde_sample(
            SDES["vp"], score, x.shape, 10, eps=0.2, denoise=d, generator=rng(3), start=x
        )
        for d in (False, True)
    )
    t = real(0.2)[0]
    torch.testing.assert_close(clean, tweedie(SDES["vp"], score(bare, t), bare, t))
    assert (clean - bare).abs().max() > 0.1


def test_tweedie_is_the_posterior_mean(flow):
    _, score, x, _ = flow
    sde = SDES["vp"]
    for t in real(0.1, 0.5, 0.9):
        theirs = ISLANDS.posterior_mean(x, sde.alpha(t), sde.sigma(t))
        torch.testing.assert_close(tweedie(sde, score(x, t), x, t), theirs, rtol=1e-7, atol=1e-7)


# --- the flow is a transport ---------------------------------------------------------------------


@every_sde
def test_on_a_line_the_flow_is_the_inverse_of_one_distribution_function_after_another(sde):
    mixture = line()

    def cdf(x, t):
        noisy = mixture.perturb(sde.alpha(t), sde.sigma(t))
        parts = norm.cdf(x, noisy.means[:, 0], noisy.variances[:, 0].sqrt())
        return float((parts * noisy.weights.numpy()).sum())

    end = mixture.perturb(sde.alpha(1.0), sde.sigma(1.0))
    x = end.sample(12, rng(4))
    flow = probability_flow(sde, exact_score(sde, mixture))
    carried, _ = solve_ode(flow, x, 1.0, EPS, rtol=1e-12, atol=1e-12)
    for a, b in zip(x[:, 0].tolist(), carried[:, 0].tolist(), strict=True):
        quantile = cdf(a, 1.0)
        theirs = brentq(lambda y, q=quantile: cdf(y, EPS) - q, -20, 20, xtol=1e-13)
        assert b == pytest.approx(theirs, abs=1e-9)


@every_sde
def test_a_gaussian_is_mapped_linearly(sde):
    root = torch.randn(3, 3, generator=rng(5), dtype=torch.float64)
    cov, mean = root @ root.mT + 0.1 * torch.eye(3), torch.randn(1, 3, generator=rng(6)).double()
    mixture = GaussianMixture(real(1.0), mean, cov[None])
    x = prior_sample(sde, (50, 3), rng(7))
    flow = probability_flow(sde, exact_score(sde, mixture))
    end, _ = solve_ode(flow, x, 1.0, EPS, rtol=1e-11, atol=1e-11)
    lambdas, Q = torch.linalg.eigh(cov)
    (a, s), (a1, s1) = ((sde.alpha(t), sde.sigma(t)) for t in (EPS, 1.0))
    scale = ((a**2 * lambdas + s**2) / (a1**2 * lambdas + s1**2)).sqrt()
    theirs = a * mean + (x - a1 * mean) @ (Q * scale) @ Q.mT
    torch.testing.assert_close(end, theirs, rtol=0, atol=1e-8)
    again, _ = solve_ode(flow, end, EPS, 1.0, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(again, x, rtol=0, atol=1e-7)


# --- solvers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tol", [1e-3, 1e-6, 1e-9])
def test_rk45_takes_the_steps_of_scipy(flow, tol):
    velocity, _, x, _ = flow
    theirs = solve_ivp(
        lambda t, y: velocity(torch.tensor(y).view(-1, 2), real(t)[0]).flatten().numpy(),
        (1.0, EPS),
        x.flatten().numpy(),
        method="RK45",
        rtol=tol,
        atol=tol,
    )
    end, nfe = solve_ode(velocity, x, 1.0, EPS, rtol=tol, atol=tol)
    assert nfe == theirs.nfev
    torch.testing.assert_close(end.flatten(), torch.tensor(theirs.y[:, -1]), rtol=0, atol=1e-9)


def test_rk45_agrees_with_torchdiffeq_if_that_may_not_pass_the_end(flow):
    velocity, _, x, truth = flow
    ts = real(1.0, EPS)
    theirs = odeint(
        lambda t, y: velocity(y, t), x, ts, rtol=1e-6, atol=1e-6, method="dopri5",
        options={"step_t": ts[1:]},
    )[-1]  # fmt: skip
    mine, _ = solve_ode(velocity, x, 1.0, EPS, rtol=1e-6, atol=1e-6)
    assert (theirs - mine).abs().max() < 1e-3
    assert (mine - truth).abs().max() < 1e-3


def test_torchdiffeq_steps_past_the_end_unless_told():
    seen = []

    def velocity(t, x):
        seen.append(t.item())
        return -x

    odeint(velocity, torch.ones(1).double(), real(1.0, EPS), method="dopri5")
    assert min(seen) < EPS
    seen.clear()
    solve_ode(lambda x, t: velocity(t, x), torch.ones(1, 1).double(), 1.0, EPS)
    assert min(seen) >= EPS


@settings(max_examples=25, deadline=None)
@given(rate=st.floats(-3, 3), t1=st.floats(0.1, 3), sign=st.sampled_from([-1, 1]))
def test_rk45_solves_the_exponential_both_ways(rate, t1, sign):
    end, _ = solve_ode(
        lambda x, t: rate * x, torch.ones(1).double(), 0.0, sign * t1, rtol=1e-9, atol=1e-9
    )
    assert end.item() == pytest.approx(exp(rate * sign * t1), rel=1e-5, abs=1e-8)


def test_rk45_is_of_order_five():
    def one_step(h):  # the tolerance is so wide that one step is taken after the guess
        return solve_ode(
            lambda x, t: x, torch.ones(1).double(), 0.0, h, rtol=1e3, atol=1e3
        )  # fmt: skip

    errors = []
    for h in (0.4, 0.2):
        end, nfe = one_step(h)
        assert nfe == 8
        errors.append(abs(end.item() - exp(h)))
    assert log(errors[0] / errors[1], 2) == pytest.approx(6, abs=0.3)


def test_the_worst_sample_may_rule_the_steps(flow):
    velocity, _, x, truth = flow
    settings = {"rtol": 1e-4, "atol": 1e-4}
    batch, cheap = solve_ode(velocity, x, 1.0, EPS, **settings)
    worst, dear = solve_ode(velocity, x, 1.0, EPS, per_sample=True, **settings)
    assert dear > cheap
    assert (worst - truth).abs().max() < (batch - truth).abs().max()


ORDERS = {
    "euler": (lambda v, s, x, n: solve_ode(v, x, 1.0, EPS, method="euler", n_steps=n), 1),
    "heun": (lambda v, s, x, n: solve_ode(v, x, 1.0, EPS, method="heun", n_steps=n), 2),
    "ddim": (lambda v, s, x, n: ddim(SDES["vp"], s, x, time_grid(SDES["vp"], n)), 1),
    "ddim lambda": (
        lambda v, s, x, n: ddim(SDES["vp"], s, x, time_grid(SDES["vp"], n, spacing="lambda")),
        1,
    ),
    "dpm2": (lambda v, s, x, n: dpm_solver2(SDES["vp"], s, x, time_grid(SDES["vp"], n)), 2),
    "2m": (lambda v, s, x, n: dpm_solver_pp_2m(SDES["vp"], s, x, time_grid(SDES["vp"], n)), 2),
}


@pytest.mark.parametrize("name", ORDERS)
def test_orders_on_the_exact_score(flow, name):
    velocity, score, x, truth = flow
    method, order = ORDERS[name]
    errors = []
    for n in (80, 160):
        end, nfe = method(velocity, score, x, n)
        assert nfe == n * (2 if name in ("heun", "dpm2") else 1)
        errors.append((end - truth).norm(dim=1).mean().item())
    assert log(errors[0] / errors[1], 2) == pytest.approx(order, abs=0.25)


@every_sde
def test_the_fast_solvers_ask_only_for_alpha_and_sigma(sde):
    """So they serve VE as well, from its own prior."""
    score = exact_score(sde, ISLANDS)
    x = prior_sample(sde, (50, 2), rng(28))
    truth, _ = solve_ode(probability_flow(sde, score), x, 1.0, EPS, rtol=1e-8, atol=1e-8)
    ts = time_grid(sde, 80, spacing="lambda")
    for method, bound in ((ddim, 0.1), (dpm_solver2, 0.01), (dpm_solver_pp_2m, 0.01)):
        end, _ = method(sde, score, x, ts)
        assert (end - truth).norm(dim=1).mean() < bound


def test_ddim_is_euler_in_the_coordinates_of_the_article(flow):
    """x / alpha against sigma / alpha; and DPM-Solver-1 in its own words."""
    _, score, x, _ = flow
    sde = SDES["vp"]
    y = x
    for t, s in pairwise(time_grid(sde, 10)):
        noise = -sde.sigma(t) * score(x, t)
        ratio = [sde.sigma(u) / sde.alpha(u) for u in (t, s)]
        euler = sde.alpha(s) * (x / sde.alpha(t) + (ratio[1] - ratio[0]) * noise)
        h = lam(sde, s) - lam(sde, t)
        dpm1 = sde.alpha(s) / sde.alpha(t) * x - sde.sigma(s) * torch.expm1(h) * noise
        x = ddim_step(x, noise, t, s, sde)
        torch.testing.assert_close(x, euler, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(x, dpm1, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ddim(sde, score, y, time_grid(sde, 10))[0], x)


class Table(LinearSDE):
    """The discrete schedule of diffusers, as functions of the step; -1 is the clean end."""

    def __init__(self, alphas_cumprod):
        bars = torch.cat([torch.ones(1), alphas_cumprod]).double()
        self.bars = bars

    def alpha(self, t):
        return self.bars[int(t) + 1].sqrt()

    def sigma(self, t):
        return (1 - self.bars[int(t) + 1]).sqrt()


LINEAR = {"beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear"}


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_ddim_step_is_that_of_diffusers(eta):
    theirs = DDIMScheduler(1000, **LINEAR, clip_sample=False, set_alpha_to_one=True)
    theirs.set_timesteps(10)
    sde = Table(theirs.alphas_cumprod)
    x, noise = torch.randn(2, 4, 3, generator=rng(8))
    for t, s in pairwise([*theirs.timesteps.tolist(), -1]):
        after = theirs.step(noise, t, x, eta=eta, generator=rng(9)).prev_sample
        mine = ddim_step(x.double(), noise.double(), t, s, sde, 0.0)
        if eta:  # diffusers draws in single precision
            mean = theirs.step(noise, t, x, eta=eta, variance_noise=torch.zeros_like(x))
            z = torch.randn(x.shape, generator=rng(9))
            mine = ddim_step(x.double(), noise.double(), t, s, sde, 1.0, rng(9))
            other = torch.randn(x.shape, generator=rng(9), dtype=torch.float64)
            size = (after - mean.prev_sample) / z
            mine = mine + size.double() * (z.double() - other)
        torch.testing.assert_close(mine.float(), after, rtol=1e-5, atol=1e-5)


def test_diffusers_ddim_misses_linspace():
    """With timestep_spacing="linspace" the times lie 111 apart, and a step goes back 100."""
    theirs = DDIMScheduler(1000, **LINEAR, clip_sample=False, timestep_spacing="linspace")
    theirs.set_timesteps(10)
    first, second = theirs.timesteps[:2].tolist()
    assert (first, second) == (999, 888)
    x, noise = torch.randn(2, 4, 3, generator=rng(8))
    sde = Table(theirs.alphas_cumprod)
    after = theirs.step(noise, first, x).prev_sample
    there, beside = (
        ddim_step(x.double(), noise.double(), first, s, sde).float() for s in (899, second)
    )
    torch.testing.assert_close(there, after, rtol=1e-4, atol=1e-4)
    assert (beside - after).abs().max() > 0.01


@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("order", [1, 2])
def test_dpm_solver_pp_is_that_of_diffusers(order):
    theirs = DPMSolverMultistepScheduler(
        1000, **LINEAR, solver_order=order, algorithm_type="dpmsolver++",
        lower_order_final=False, final_sigmas_type="sigma_min",
    )  # fmt: skip
    theirs.set_timesteps(20)
    sde = Table(theirs.alphas_cumprod)
    score = lambda x, t: -(0.3 * x + 0.1 * (x + t / 1000).sin()) / sde.sigma(t)  # noqa: E731
    x = torch.randn(5, 3, generator=rng(10)).double()
    mine_from, times = x, theirs.timesteps.tolist()
    for t in times:
        noise = -sde.sigma(t) * score(x, torch.tensor(t))
        x = theirs.step(noise, t, x).prev_sample
    ts = torch.tensor([*times, 0], dtype=torch.float64)
    method = ddim if order == 1 else dpm_solver_pp_2m
    mine, _ = method(sde, score, mine_from, ts)
    torch.testing.assert_close(mine, x, rtol=2e-5, atol=2e-5)


# --- predictor and corrector ---------------------------------------------------------------------


def test_predictor_and_corrector_of_ve_are_those_of_diffusers():
    theirs = ScoreSdeVeScheduler(100, snr=0.15, sigma_min=0.01, sigma_max=50)
    theirs.set_timesteps(100)
    theirs.set_sigmas(100)
    x, score = torch.randn(2, 6, 3, generator=rng(11))
    corrected = theirs.step_correct(score, x, generator=rng(12)).prev_sample
    z = torch.randn(x.shape, generator=rng(12))
    torch.testing.assert_close(langevin_step(score, x, z, 0.15), corrected, rtol=1e-6, atol=1e-6)
    sde = Ladder(theirs.discrete_sigmas)
    for i in (0, 40, 98):
        t = theirs.timesteps[i]
        step = int((t * 99).long())
        after = theirs.step_pred(score, t, x, generator=rng(13))
        z = torch.randn(x.shape, generator=rng(13))
        mine = reverse_diffusion_step(sde, score, x, step, step - 1, z)
        torch.testing.assert_close(mine.float(), after.prev_sample, rtol=1e-5, atol=1e-5)
        bare = reverse_diffusion_step(sde, score, x, step, step - 1, None)
        torch.testing.assert_close(bare.float(), after.prev_sample_mean, rtol=1e-5, atol=1e-5)


class Ladder(LinearSDE):
    """The discrete noise levels of diffusers' VE scheduler; below the first there is none."""

    def __init__(self, sigmas):
        self.sigmas = torch.cat([torch.zeros(1), sigmas])

    def alpha(self, t):
        return torch.ones(())

    def sigma(self, t):
        return self.sigmas[int(t) + 1]


def test_euler_maruyama_of_vp_is_the_step_of_diffusers():
    theirs = ScoreSdeVpScheduler(1000, beta_min=0.1, beta_max=20, sampling_eps=1e-3)
    theirs.set_timesteps(50)
    sde = SDES["vp"]
    x, output = torch.randn(2, 6, 3, generator=rng(14))
    for t in theirs.timesteps[[0, 20, 40]]:
        after, mean = theirs.step_pred(output, x, t, generator=rng(15))
        z = torch.randn(x.shape, generator=rng(15))
        score = -output / sde.sigma(t)
        h = 1 / len(theirs.timesteps)
        step = x - h * reverse_drift(sde, lambda x, t, s=score: s)(x, t)
        torch.testing.assert_close(step, mean, rtol=1e-5, atol=1e-5)
        noisy = step + (h * sde.diffusion2(t)).sqrt() * z
        torch.testing.assert_close(noisy, after, rtol=1e-5, atol=1e-5)


def test_the_predictor_alone_draws_the_data():
    sde = SDES["ve"]
    x, nfe = predictor_corrector(
        sde, exact_score(sde, ISLANDS), (4000, 2), 300, n_corrector=1, generator=rng(16)
    )
    assert nfe == 300 + 299
    truth = ISLANDS.sample(100_000, rng(17))
    error = truth.std(0) / 4000**0.5
    assert ((x.mean(0) - truth.mean(0)).abs() < 5 * error).all()


# --- likelihood ----------------------------------------------------------------------------------


@every_sde
def test_likelihood_is_exact_if_the_prior_is(sde):
    x = ISLANDS.sample(40, rng(18))
    truth = ISLANDS.perturb(sde.alpha(1e-5), sde.sigma(1e-5)).log_prob(x)
    end = ISLANDS.perturb(sde.alpha(1.0), sde.sigma(1.0))
    settings = {"divergence": exact_divergence(sde, ISLANDS), "rtol": 1e-9}
    score = exact_score(sde, ISLANDS)
    exact, _ = log_likelihood(sde, score, x, prior=end.log_prob, **settings)
    usual, _ = log_likelihood(sde, score, x, **settings)
    assert (exact - truth).abs().max() < 1e-7
    assert 1e-3 < (usual - truth).abs().max() < 5e-2


def test_the_trace_three_ways():
    sde = SDES["vp"]
    x, score = ISLANDS.sample(30, rng(19)), exact_score(sde, ISLANDS)
    t = real(0.3)[0]
    flow = probability_flow(sde, score)
    by_rows = exact_trace(lambda y: flow(y, t), x)
    torch.testing.assert_close(by_rows, exact_divergence(sde, ISLANDS)(x, t))
    exact, _ = log_likelihood(sde, score, x)
    closed, _ = log_likelihood(sde, score, x, divergence=exact_divergence(sde, ISLANDS))
    torch.testing.assert_close(exact, closed)
    seeds = range(10)
    guesses = torch.stack(
        [log_likelihood(sde, score, x, divergence="hutchinson", n_probes=8, seed=i, rtol=1e-3)[0]
         for i in seeds]
    )  # fmt: skip
    apart = (guesses - exact).mean(1)  # a number per draw of probes
    assert apart.mean().abs() < 5 * apart.std() / len(seeds) ** 0.5 + 5e-3


def test_one_probe_is_what_nobody_asked_to_be_more():
    x, score = ISLANDS.sample(3, rng(21)), exact_score(VP, ISLANDS)

    def ask(**how):
        return log_likelihood(
            VP, score, x, divergence="hutchinson", kind="gaussian", rtol=1e-2, **how
        )[0]

    assert torch.equal(ask(), ask(n_probes=1))
    assert not torch.equal(ask(), ask(n_probes=2))


def test_one_probe_is_exact_on_a_line():
    sde = SDES["vp"]
    x, score = line().sample(10, rng(20)), exact_score(sde, line())
    one, _ = log_likelihood(sde, score, x, divergence="hutchinson")
    exact, _ = log_likelihood(sde, score, x)
    torch.testing.assert_close(one, exact, rtol=1e-9, atol=1e-9)


def test_likelihood_of_a_learned_score_integrates_to_one():
    """Whatever the network, the flow's density is a density."""
    model = Denoiser(1, 8, 1)
    sde = SDES["vp"]
    grid = torch.linspace(-8, 8, 1601, dtype=torch.float64)[:, None]
    model = model.double()
    log_p, _ = log_likelihood(sde, denoiser_score(sde, model), grid, rtol=1e-6)
    assert torch.trapezoid(log_p.exp(), grid[:, 0]).item() == pytest.approx(1, abs=1e-3)


def test_bits_of_the_uniform_density():
    for low, high, offset in ((-1, 1, 7), (0, 1, 8)):
        width = high - low
        log_prob = real(-12 * log(width))
        bits = bits_per_dim(log_prob, 12, data_range=width)
        assert bits.item() == pytest.approx(8)
        assert bits.item() - log(width, 2) == pytest.approx(offset)


# --- guidance ------------------------------------------------------------------------------------

MEASURED = (one_gaussian(), real([1.0]), real(1.5), 0.5)


@pytest.mark.parametrize(
    ("make", "mean", "variance"),
    [(posterior_score, 1.2, 0.2), (plug_in_score, 4 / 3, 1 / 9), (dps_score, 1.4725, 0.12496)],
)
def test_moments_under_three_kinds_of_guidance(make, mean, variance):
    sde = SDES["vp"]
    back = reverse_drift(sde, make(sde, *MEASURED))

    def moments(y, t):
        at = back(real([0.0], [1.0]), t)[:, 0]
        slope = at[1] - at[0]
        return torch.stack([at[0] + slope * y[0], 2 * slope * y[1] - sde.diffusion2(t)])

    end, _ = solve_ode(moments, real(0.0, 1.0), 1.0, 1e-6, rtol=1e-9, atol=1e-9)
    assert end.tolist() == pytest.approx([mean, variance], abs=5e-5)


def test_the_posterior_mixture_is_bayes_by_counting_on_a_grid():
    mixture, A, y, std = ISLANDS, real([1.0, -0.5]), real(0.7), 0.4
    posterior = posterior_mixture(mixture, A, y, std)
    axis = torch.linspace(-5, 5, 401, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    log_p = mixture.log_prob(grid) + Normal(y, std).log_prob(grid @ A[0])
    p = log_p.softmax(0) / (axis[1] - axis[0]) ** 2
    torch.testing.assert_close(posterior.log_prob(grid).exp(), p, rtol=1e-6, atol=1e-9)


def test_the_posterior_score_is_bayes_at_every_time():
    """s(x) + grad log p_t(y | x), with p_t(y | x) from the posterior of x_0 given x_t."""
    sde, mixture = SDES["vp"], one_gaussian(0.7, 0.3)
    x, t = real([0.4], [-1.0]), real(0.35)[0]
    a, s = sde.alpha(t), sde.sigma(t)
    variance = 1 / (1 / 0.7 + a**2 / s**2)
    seen = 0.25 + variance  # of y given x_t
    slope = variance * a / s**2
    mean = mixture.posterior_mean(x, a, s)
    bayes = exact_score(sde, mixture)(x, t) + slope * (1.5 - mean) / seen
    mine = posterior_score(sde, mixture, *MEASURED[1:])(x, t)
    torch.testing.assert_close(mine, bayes)


# --- learned scores ------------------------------------------------------------------------------


def test_preconditioning_makes_input_and_target_of_unit_size():
    """EDM's two demands, on data of standard deviation sigma_data."""
    model = Denoiser(1, 4, 1, sigma_data=0.7)
    x0 = 0.7 * torch.randn(200_000, 1, generator=rng(21))
    for sigma in (0.01, 0.7, 20.0):
        noisy = x0 + sigma * torch.randn(x0.shape, generator=rng(22))
        c_skip, c_out, c_in, c_noise = model.coefficients(torch.tensor(sigma))
        assert (c_in * noisy).std().item() == pytest.approx(1, abs=0.01)
        assert ((x0 - c_skip * noisy) / c_out).std().item() == pytest.approx(1, abs=0.01)
        assert c_noise.item() == pytest.approx(log(sigma) / 4)


def test_both_losses_are_denoising_score_matching():
    x = torch.randn(64, 2, generator=rng(23))
    model = Denoiser(2, 8, 1)
    z = torch.randn(64, 1, generator=rng(24))
    sigma = (-1.2 + 1.2 * z).exp()
    generator = rng(24)
    loss = model.loss(x, generator)
    again = rng(24)
    torch.randn(64, 1, generator=again)
    noisy = x + sigma * torch.empty_like(x).normal_(generator=again)
    c_out = model.coefficients(sigma)[1]
    by_hand = (((model(noisy, sigma) - x) / c_out) ** 2).mean()
    torch.testing.assert_close(loss, by_hand)
    bare = NoisePredictor(SDES["vp"], 2, 8, 1)
    loss = bare.loss(x, rng(25))
    again = rng(25)
    t = 1e-3 + (1 - 1e-3) * torch.rand(64, 1, generator=again, dtype=torch.float64)
    noise = torch.empty_like(x).normal_(generator=again)
    noisy = (SDES["vp"].alpha(t).float() * x + SDES["vp"].sigma(t).float() * noise).float()
    torch.testing.assert_close(loss, ((bare(noisy, t) - noise) ** 2).mean(), rtol=1e-4, atol=1e-4)


def test_the_score_of_a_denoiser_in_the_time_of_an_sde():
    """If D is the exact posterior mean, so is the score of p_t."""
    mixture = ISLANDS

    class Exact(Denoiser):
        def forward(self, x, sigma):
            return mixture.posterior_mean(x, 1.0, sigma)

    model, x, t = Exact(2), ISLANDS.sample(20, rng(26)), real(0.4)[0]
    for sde in SDES.values():
        mine = denoiser_score(sde, model)(x, t)
        torch.testing.assert_close(mine, exact_score(sde, mixture)(x, t), rtol=1e-6, atol=1e-6)
    ve = mixture.perturb(1.0, 3.0).score(x)
    torch.testing.assert_close(denoising_flow(model)(x, 3.0), -3.0 * ve)


def test_karras_levels():
    sigmas = karras_sigmas(4, 0.002, 80)
    root = sigmas ** (1 / 7)
    torch.testing.assert_close(root.diff(), root.diff()[:1].expand(4))
    assert (sigmas[0].item(), sigmas[-1].item()) == (80, 0.002)


def test_a_short_training_learns_two_moons():
    x = torch.tensor(two_moons(4000, 0.1)).float()
    model = Denoiser(2, 32, 2, sigma_data=x.std().item())
    before = model.loss(x, rng(27)).item()
    losses = train(model, x, steps=300)
    assert len(losses) == 300
    assert sum(losses[-50:]) / 50 < 0.9 * before
    assert train(Denoiser(2, 32, 2, sigma_data=x.std().item()), x, steps=300) == losses


def test_density_of_the_moons_integrates_to_one():
    axis = torch.linspace(-2.2, 3.2, 181, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    p = moons_log_prob(grid, 0.1, 200).exp().view(181, 181)
    total = torch.trapezoid(torch.trapezoid(p, axis), axis)
    assert total.item() == pytest.approx(1, abs=1e-6)


def test_recorded_orders():
    """The statements of the page about the table of orders."""
    found = records.load(ARTICLE).results["orders"]
    for n in ("n10", "n20", "n40", "n80", "n160"):
        assert found["euler"][n] < found["ddim_time"][n] < found["ddim_lambda"][n]


# --- bad input -----------------------------------------------------------------------------------

POINTS = torch.zeros(3, 2, dtype=torch.float64)
NAN = float("nan")
VP = SDES["vp"]
SCORE = exact_score(VP, ISLANDS)
FALL = real(1.0, 0.5)
A, Y = real([1.0, 0.0]), real(1.0)
ERRORS = [
    (lambda: VESDE(1.0, 0.5), "need 0 < sigma_min < sigma_max, got 1.0 and 0.5"),
    (lambda: VESDE(0.0, 1.0), "got 0.0 and 1.0"),
    (lambda: VESDE().sigma(1.2), r"t must lie in \[0, 1\], got 1.2"),
    (lambda: SubVPSDE().sigma(-0.1), r"t must lie in \[0, 1\], got -0.1"),
    (lambda: SubVPSDE(0.0), "beta_min"),
    (lambda: t_of_lam(VP, -7.0), "value must lie between -5.025 and .*, got -7.0"),
    (lambda: prior_log_prob(VP, POINTS[0]), r"x must have the shape \(n, d\).*got \(2,\)"),
    (lambda: prior_sample(VP, (0, 2)), r"shape must be \(n, d\) with both >= 1, got \(0, 2\)"),
    (lambda: VESDE(0.01, float("inf")), "got 0.01 and inf"),
    (lambda: VESDE().sigma(NAN), r"t must lie in \[0, 1\], got nan"),
    (lambda: prior_kl(VP, NAN), "data_var must be finite and >= 0, got nan"),
    (
        lambda: reverse_sde_sample(VP, SCORE, (4, 2), 5, start=POINTS),
        r"start must have the shape \(4, 2\), got \(3, 2\)",
    ),
    (lambda: solve_ode(SCORE, POINTS, 0.0, NAN), "finite and differ, got 0.0 and nan"),
    (lambda: solve_ode(SCORE, POINTS * NAN, 1.0, 0.1), "finite floating-point numbers, got .*nan"),
    (lambda: solve_ode(SCORE, POINTS.long(), 1.0, 0.1), "finite floating-point numbers"),
    (lambda: solve_ode(SCORE, POINTS[:0], 1.0, 0.1), "finite floating-point numbers"),
    (
        lambda: solve_ode(lambda x, t: x[:, :1], POINTS, 1.0, 0.1),
        r"f must return the shape \(3, 2\), got \(3, 1\)",
    ),
    (lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, rtol=NAN), "rtol and atol must be > 0, got nan"),
    (
        lambda: solve_ode(SCORE, POINTS, 1.0, 0.5, method="euler", ts=real(1.0, 0.2, 0.5)),
        "from 1.0 to 0.5 without turning, got",
    ),
    (lambda: dpm_solver_pp_2m(VP, SCORE, POINTS, real(1.0, 0.0)), "ts must end where sigma > 0"),
    (lambda: langevin_step(POINTS + 1, POINTS, POINTS, -1.0), "snr must be .*> 0, got -1.0"),
    (lambda: langevin_step(POINTS[:1], POINTS, POINTS), r"share a shape \(n, d\), got"),
    (lambda: langevin_step(POINTS, POINTS, POINTS), "score must not vanish"),
    (
        lambda: reverse_diffusion_step(VP, POINTS, POINTS, 0.5, 1.0, None),
        "s must be earlier than t, got 1.0 and 0.5",
    ),
    (
        lambda: predictor_corrector(VP, SCORE, (3, 2), 5, n_corrector=True),
        "n_corrector must be an integer >= 1, got True",
    ),
    (
        lambda: log_likelihood(VP, SCORE, POINTS, prior=lambda x: x),
        r"prior must return the shape \(3,\), got \(3, 2\)",
    ),
    (
        lambda: Denoiser(2)(torch.zeros(3, 2), torch.ones(2, 1)),
        r"need one sigma or \(3, 1\), got \(2, 1\)",
    ),
    (lambda: karras_sigmas(3, rho=0.0), "rho must be .*> 0, got 0.0"),
    (lambda: prior_kl(VP, -1.0), "data_var must be .*>= 0, got -1.0"),
    (lambda: probability_flow(VP, SCORE)(POINTS, real(1.5)[0]), r"t must lie in \[0, 1\]"),
    (lambda: reverse_sde_sample(VP, SCORE, (3, 2), 0), "n_steps must be .*>= 1, got 0"),
    (lambda: reverse_sde_sample(VP, SCORE, (3, 2), 5, lam=-1.0), "lam must be >= 0 and finite"),
    (lambda: reverse_sde_sample(VP, SCORE, (3, 2), 5, eps=0.0), "eps must lie between 0 and 1"),
    (lambda: reverse_sde_sample(VP, SCORE, (3,), 5), r"shape must be \(n, d\).*got \(3,\)"),
    (lambda: solve_ode(SCORE, POINTS, 0.0, 1.0, method="rk4"), "method must be .*got 'rk4'"),
    (lambda: solve_ode(SCORE, POINTS, 1.0, 1.0), "t0 and t1 must be .*differ, got 1.0 and 1.0"),
    (lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, n_steps=5), "rk45 chooses its steps"),
    (lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, rtol=0.0), "rtol and atol must be > 0, got 0.0"),
    (lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, method="euler"), "either n_steps or ts"),
    (
        lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, method="euler", n_steps=0),
        "n_steps must be .*>= 1, got 0",
    ),
    (
        lambda: solve_ode(SCORE, POINTS, 1.0, 0.1, method="heun", ts=FALL),
        "ts must go from 1.0 to 0.1",
    ),
    (
        lambda: solve_ode(lambda x, t: x / 0 * 0, POINTS + 1, 0.0, 1.0),
        "rk45 cannot go on at t = 0",
    ),
    (lambda: time_grid(VP, 0), "n_steps must be .*>= 1, got 0"),
    (lambda: time_grid(VP, 3, 1.0), "eps must lie between 0 and 1, got 1.0"),
    (lambda: time_grid(VP, 3, spacing="log"), "spacing must be time or lambda, got 'log'"),
    (lambda: ddim_step(POINTS, POINTS[:1], 1.0, 0.5, VP), r"one shape, got \(3, 2\) and \(1, 2\)"),
    (lambda: ddim_step(POINTS, POINTS, 1.0, 0.5, VP, 2.0), r"eta must lie in \[0, 1\], got 2.0"),
    (lambda: ddim_step(POINTS, POINTS, 0.5, 1.0, VP), "s must be earlier than t, got 1.0 and 0.5"),
    (lambda: ddim(VP, SCORE, POINTS, FALL.flip(0)), r"two falling times or more, got \[0.5, 1.0"),
    (lambda: dpm_solver2(VP, SCORE, POINTS, FALL[:1]), "two falling times"),
    (lambda: dpm_solver_pp_2m(VP, SCORE, POINTS, FALL[:1]), "two falling times"),
    (lambda: predictor_corrector(VP, SCORE, (3, 2), 0), "n_steps must be .*>= 1, got 0"),
    (
        lambda: predictor_corrector(VP, SCORE, (3, 2), 5, n_corrector=-1),
        "n_corrector must be .*got -1",
    ),
    (lambda: predictor_corrector(VP, SCORE, (3, 2), 5, snr=0.0), "snr must be .*> 0, got 0.0"),
    (lambda: exact_trace(lambda x: x, POINTS[0]), r"x must have the shape \(n, d\)"),
    (lambda: log_likelihood(VP, SCORE, POINTS[0]), r"x must have the shape \(n, d\)"),
    (lambda: log_likelihood(VP, SCORE, POINTS, divergence="trace"), "divergence must be .*'trace'"),
    (lambda: log_likelihood(VP, SCORE, POINTS, n_probes=0), "n_probes must be .*>= 1, got 0"),
    (lambda: log_likelihood(VP, SCORE, POINTS, prior="normal"), "prior must be .*got 'normal'"),
    (lambda: log_likelihood(VP, SCORE, POINTS, eps=0.0), "eps must lie between 0 and 1, got 0.0"),
    (
        lambda: log_likelihood(VP, SCORE, POINTS, divergence="hutchinson", kind="uniform"),
        "kind must be",
    ),
    (lambda: bits_per_dim(Y, 0), "dim must be .*>= 1, got 0"),
    (lambda: bits_per_dim(Y, 2, levels=0), "levels must be .*>= 1, got 0"),
    (lambda: bits_per_dim(Y, 2, data_range=0.0), "data_range must be .*> 0, got 0.0"),
    (lambda: Denoiser(0), "dim must be .*>= 1, got 0"),
    (lambda: Denoiser(2, sigma_data=0.0), "sigma_data must be .*> 0, got 0.0"),
    (lambda: Denoiser(2, spread=0.0), "spread must be .*> 0, got 0.0"),
    (lambda: Denoiser(2)(torch.zeros(3, 3), 1.0), r"need x \(n, 2\) and sigma > 0, got \(3, 3\)"),
    (lambda: Denoiser(2)(torch.zeros(3, 2), 0.0), r"need x \(n, 2\) and sigma > 0, got .* and 0"),
    (lambda: NoisePredictor(VP, 2, 0), "width must be .*>= 1, got 0"),
    (lambda: NoisePredictor(VP, 2)(torch.zeros(3, 3), 0.5), r"shape \(n, 2\), got \(3, 3\)"),
    (lambda: NoisePredictor(VP, 2)(torch.zeros(3, 2), 1.5), r"t must lie in \[0, 1\], got 1.5"),
    (lambda: train(Denoiser(2), torch.zeros(3), steps=1), r"x must have the shape \(n, d\)"),
    (lambda: train(Denoiser(2), torch.zeros(3, 2), steps=0), "steps must be .*>= 1, got 0"),
    (lambda: train(Denoiser(2), torch.zeros(3, 2), steps=1, batch=0), "batch must be .*got 0"),
    (lambda: karras_sigmas(0), "n_steps must be .*>= 1, got 0"),
    (lambda: karras_sigmas(3, 80.0, 1.0), "need 0 < sigma_min < sigma_max, got 80.0 and 1.0"),
    (
        lambda: posterior_score(VP, ISLANDS, A[0], Y, 0.1),
        r"A and y must be \(m, 2\) and \(m,\), got \(2,\) and \(1,\)",
    ),
    (lambda: plug_in_score(VP, ISLANDS, A, real(1.0, 2.0), 0.1), "A and y must be"),
    (lambda: dps_score(VP, ISLANDS, A, Y, 0.0), "noise_std must be .*> 0, got 0.0"),
    (lambda: posterior_mixture(ISLANDS, A, Y, -1.0), "noise_std must be .*> 0, got -1.0"),
]


@pytest.mark.parametrize(("call", "message"), ERRORS)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
