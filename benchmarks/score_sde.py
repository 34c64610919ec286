"""The adaptive solver against two libraries, divergences in closed form, sampling to one error."""

import torch
from scipy.integrate import solve_ivp
from torchdiffeq import odeint

from snippets.generative.diffusion_as_sde import VPSDE, exact_score
from snippets.generative.gaussian_mixture import GaussianMixture, three_islands
from snippets.generative.score_sde import (
    exact_divergence,
    exact_trace,
    prior_sample,
    probability_flow,
    solve_ode,
)


def cases():
    torch.set_num_threads(1)
    sde, islands = VPSDE(), three_islands()
    flow = probability_flow(sde, exact_score(sde, islands))
    x = prior_sample(sde, (2000, 2), torch.Generator().manual_seed(0))
    eps, tolerance = 1e-3, {"rtol": 1e-6, "atol": 1e-6}
    ts = torch.tensor([1.0, eps], dtype=torch.float64)

    def flat(t, y):
        at = torch.tensor(t, dtype=torch.float64)
        return flow(torch.from_numpy(y).view(-1, 2), at).numpy().ravel()

    yield (
        "rk45 of the flow, 2000 points, tol 1e-6 / scipy RK45",
        lambda: solve_ode(flow, x, 1.0, eps, **tolerance),
        lambda: solve_ivp(flat, (1.0, eps), x.numpy().ravel(), **tolerance),
        1.15,
    )
    yield (
        "rk45 of the flow, 2000 points, tol 1e-6 / torchdiffeq dopri5",
        lambda: solve_ode(flow, x, 1.0, eps, **tolerance),
        lambda: odeint(
            lambda t, y: flow(y, t),
            x,
            ts,
            **tolerance,
            method="dopri5",
            options={"step_t": ts[1:]},
        ),
        1.0,
    )
    yield (
        "sampling to error 1e-3: rk45, 50 calls / euler, 600 calls",
        lambda: solve_ode(flow, x, 1.0, eps, rtol=1e-3, atol=1e-3),
        lambda: solve_ode(flow, x, 1.0, eps, method="euler", n_steps=600),
        1 / 8,
    )
    generator = torch.Generator().manual_seed(1)
    d, k = 16, 10
    means = torch.randn(k, d, generator=generator, dtype=torch.float64)
    covs = torch.eye(d, dtype=torch.float64).expand(k, d, d)
    many = GaussianMixture(torch.full((k,), 1 / k, dtype=torch.float64), means, covs)
    points, t = many.sample(1000, generator), torch.tensor(0.3, dtype=torch.float64)
    wide = probability_flow(sde, exact_score(sde, many))
    closed = exact_divergence(sde, many)
    yield (
        "divergence of 16-d flow, closed form / 16 backward passes",
        lambda: closed(points, t),
        lambda: exact_trace(lambda y: wide(y, t), points),
        1 / 8,
    )
