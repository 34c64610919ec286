"""Diffusion models from stochastic differential equations: one family of reversals, many solvers.

Every statement is checked on a Gaussian mixture, whose score is exact at every time; networks
appear only to show what changes when the score is learned.

Symbols:

    t            time in [0, 1]: data at 0, noise at 1; eps is the small time at which we stop
    x_t          alpha_t x_0 + sigma_t noise, a row of a batch (n, d)
    f, g^2       drift coefficient and squared diffusion of dx = f(t) x dt + g(t) dw
    s            score_fn(x, t), the gradient of log p_t(x), (n, d)
    lambda       how much noise a reversal adds: 0 the probability-flow ODE, 1 the reverse SDE
    lambda_t     log(alpha_t / sigma_t), half the log signal-to-noise ratio (the function lam)
    NFE          number of evaluations of the score, which is what sampling costs
    D            a denoiser's guess of clean data, (n, d)

Left out: images of more than 8 x 8 pixels, convolutions and attention, distillation.
"""

from .corrector import (
    langevin_step,
    predictor_corrector,
    reverse_diffusion_step,
)
from .denoiser import (
    Denoiser,
    NoisePredictor,
    denoiser_score,
    denoising_flow,
    karras_sigmas,
    train,
)
from .fast import ddim, ddim_step, dpm_solver2, dpm_solver_pp_2m, time_grid
from .flow import probability_flow, reverse_sde_sample, tweedie
from .guidance import (
    dps_score,
    plug_in_score,
    posterior_mixture,
    posterior_score,
)
from .likelihood import (
    bits_per_dim,
    exact_divergence,
    exact_trace,
    log_likelihood,
)
from .ode import solve_ode
from .sdes import (
    VESDE,
    SubVPSDE,
    lam,
    prior_kl,
    prior_log_prob,
    prior_sample,
    prior_std,
    t_of_lam,
)

__all__ = [
    "VESDE",
    "Denoiser",
    "NoisePredictor",
    "SubVPSDE",
    "bits_per_dim",
    "ddim",
    "ddim_step",
    "denoiser_score",
    "denoising_flow",
    "dpm_solver2",
    "dpm_solver_pp_2m",
    "dps_score",
    "exact_divergence",
    "exact_trace",
    "karras_sigmas",
    "lam",
    "langevin_step",
    "log_likelihood",
    "plug_in_score",
    "posterior_mixture",
    "posterior_score",
    "predictor_corrector",
    "prior_kl",
    "prior_log_prob",
    "prior_sample",
    "prior_std",
    "probability_flow",
    "reverse_diffusion_step",
    "reverse_sde_sample",
    "solve_ode",
    "t_of_lam",
    "time_grid",
    "train",
    "tweedie",
]
