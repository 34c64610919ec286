"""The mixture's score against torch.distributions, and the sliced loss against the implicit one."""

import torch
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal

from snippets.generative.gaussian_mixture import GaussianMixture
from snippets.generative.score_based_models import (
    implicit_score_matching,
    sliced_score_matching,
)


def mixture_of(k, d):
    generator = torch.Generator().manual_seed(0)
    root = torch.randn(k, d, d, generator=generator, dtype=torch.float64) / d**0.5
    covs = root @ root.mT + 0.1 * torch.eye(d, dtype=torch.float64)
    means = 3 * torch.randn(k, d, generator=generator, dtype=torch.float64)
    weights = torch.full((k,), 1 / k, dtype=torch.float64)
    return GaussianMixture(weights, means, covs), covs


def cases():
    torch.set_num_threads(1)
    levels = [0.1, 0.5, 2.0]
    for k, d, n in ((50, 2, 20_000), (100, 64, 1000)):
        mixture, covs = mixture_of(k, d)
        x = mixture.sample(n, torch.Generator().manual_seed(1))

        def ours(mixture=mixture, x=x):
            return [mixture.perturb(1, sigma).score(x) for sigma in levels]

        def theirs(mixture=mixture, covs=covs, x=x):
            eye = torch.eye(x.shape[1], dtype=torch.float64)
            found = []
            for sigma in levels:
                parts = MultivariateNormal(
                    mixture.means, covs + sigma**2 * eye, validate_args=False
                )
                law = MixtureSameFamily(Categorical(mixture.weights), parts, validate_args=False)
                y = x.clone().requires_grad_()
                found.append(torch.autograd.grad(law.log_prob(y).sum(), y)[0])
            return found

        def rebuilt(mixture=mixture, covs=covs, x=x):
            """A Cholesky factor for each point and component, as a batched formula would."""
            eye = torch.eye(x.shape[1], dtype=torch.float64)
            found = []
            for sigma in levels:
                apart = mixture.means - x[:, None]
                noisy = (covs + sigma**2 * eye).expand(len(x), -1, -1, -1)
                root = torch.linalg.cholesky(noisy)
                pulls = torch.cholesky_solve(apart[..., None], root)[..., 0]
                log_det = root.diagonal(dim1=-2, dim2=-1).log().sum(-1)
                log_joint = mixture.weights.log() - (apart * pulls).sum(-1) / 2 - log_det
                share = log_joint.softmax(1)
                found.append((share[..., None] * pulls).sum(1))
            return found

        for mine, other in zip(ours(), theirs(), strict=True):
            torch.testing.assert_close(mine, other)
        name = f"GaussianMixture.score, {k} in {d} dimensions"
        yield f"{name} / torch.distributions and autograd", ours, theirs, 1 / 1.3
        if d == 2:
            for mine, other in zip(ours(), rebuilt(), strict=True):
                torch.testing.assert_close(mine, other)
            yield f"{name} / a Cholesky factor at every point", ours, rebuilt, 1 / 5
    dim = 64
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(dim, 256), torch.nn.SiLU(), torch.nn.Linear(256, dim))
    x = torch.randn(128, dim)

    def step(loss):
        net.zero_grad()
        loss(net, x).mean().backward()

    yield (
        "sliced_score_matching and its backward, 64 dimensions / implicit_score_matching",
        lambda: step(sliced_score_matching),
        lambda: step(implicit_score_matching),
        1 / 8,
    )
