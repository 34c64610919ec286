"""The reverse SDE of the mixture, 200 steps of 2000 points, against torchsde, on one score."""

import torch
import torchsde

from snippets.generative.diffusion_as_sde import (
    VPSDE,
    LinearSDE,
    check_time,
    euler_maruyama,
    exact_score,
    reverse_drift,
)
from snippets.generative.gaussian_mixture import three_islands


class Plain(LinearSDE):
    """VP from its two formulas, so that f and g^2 take autograd at every step."""

    def alpha(self, t):
        return (-(0.1 + 9.95 * check_time(t)) * t / 2).exp()

    def sigma(self, t):
        return (1 - self.alpha(t) ** 2).sqrt()


class Reverse:
    """The reverse SDE in torchsde's words: its time s = 1 - t runs forwards."""

    noise_type, sde_type = "diagonal", "ito"

    def __init__(self, sde, score):
        self.sde, self.drift = sde, reverse_drift(sde, score)

    def f(self, s, x):
        return -self.drift(x, 1 - s)

    def g(self, s, x):
        return self.sde.diffusion2(1 - s).sqrt().expand_as(x)


def walk(sde, start, ts):
    drift = reverse_drift(sde, exact_score(sde, three_islands()))
    return euler_maruyama(drift, lambda x, t: sde.diffusion2(t).sqrt(), start, ts)


def cases():
    torch.set_num_threads(1)
    n, points = 200, 2000
    start = torch.randn(points, 2, generator=torch.Generator().manual_seed(0)).double()
    ts = torch.linspace(1, 1e-3, n + 1, dtype=torch.float64)
    vp, plain, islands = VPSDE(), Plain(), three_islands()
    rival = Reverse(vp, exact_score(vp, islands))

    def theirs():
        s = (1 - ts)[[0, -1]]
        return torchsde.sdeint(rival, start, s, method="euler", dt=(ts[0] - ts[1]).item())

    yield (
        "reverse SDE, t-only quantities tabulated / torchsde",
        lambda: walk(vp.tabulate(ts), start, ts),
        theirs,
        0.7,
    )
    yield (
        "reverse SDE, tabulated / f and g^2 by autograd at each step",
        lambda: walk(plain.tabulate(ts), start[:50], ts),
        lambda: walk(plain, start[:50], ts),
        0.5,
    )
