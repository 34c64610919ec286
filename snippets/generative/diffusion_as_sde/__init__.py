"""DDPM as a stochastic differential equation, forwards and backwards, in closed form.

All SDEs here are linear with noise that does not depend on x: dx = f(t) x dt + g(t) dw.

Symbols:

    t            time in [0, 1]; noise grows with t, data live at t = 0
    w            Brownian motion; dW are its increments over a grid, (steps, *shape)
    x_t          alpha(t) x_0 + sigma(t) eps, a point (d,) of a batch (n, d)
    f, g^2       drift coefficient d ln alpha / dt and squared diffusion
    s            the score, the gradient of log p_t(x)
    beta, B      rate of the variance-preserving SDE and its integral from 0 to t
    beta_i       variance of step i = 1..T of DDPM's chain; alpha_bar_i = prod(1 - beta_j)

Left out: noise that depends on x, other SDEs than the variance-preserving one, better solvers,
learned scores.
"""

from .brownian import (
    brownian_increments,
    euler_maruyama,
    ito_integral,
    ou_errors,
    ou_increments,
    stratonovich_integral,
)
from .ddpm import (
    ddpm_final_variance,
    ddpm_posterior,
    ddpm_sample,
    ddpm_schedule,
    schedule_of,
)
from .linear import VPSDE, LinearSDE, check_time
from .reverse import exact_score, fokker_planck_residual, reverse_drift

__all__ = [
    "VPSDE",
    "LinearSDE",
    "brownian_increments",
    "check_time",
    "ddpm_final_variance",
    "ddpm_posterior",
    "ddpm_sample",
    "ddpm_schedule",
    "euler_maruyama",
    "exact_score",
    "fokker_planck_residual",
    "ito_integral",
    "ou_errors",
    "ou_increments",
    "reverse_drift",
    "schedule_of",
    "stratonovich_integral",
]
