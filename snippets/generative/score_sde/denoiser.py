"""Learned scores: a network with EDM's preconditioning, and one that predicts the bare noise."""

from math import pi

import torch
from jaxtyping import Float
from torch import Tensor, nn

from snippets.common.checks import check_count
from snippets.generative.diffusion_as_sde import LinearSDE, check_time
from snippets.generative.score_based_models import denoising_score_matching
from snippets.generative.score_based_models.checks import (
    Number,
    check_points,
    check_positive,
)

from .ode import Field
from .sdes import Time


class Network(nn.Module):
    """A residual multilayer perceptron of x and a number: how noisy x is."""

    def __init__(self, dim: int, width: int, depth: int, seed: int) -> None:
        """Make depth residual layers.

        Raises: ValueError unless all sizes are >= 1.
        """
        super().__init__()
        for name, n in ("dim", dim), ("width", width), ("depth", depth):
            check_count(name, n)
        self.first = nn.Linear(dim + 16, width)
        layers = [nn.Linear(width, width) for _ in range(depth)]
        self.layers = nn.ModuleList(layers)
        self.last = nn.Linear(width, dim)
        self.dim, generator = dim, torch.Generator().manual_seed(seed)
        for layer in (self.first, *self.layers, self.last):
            bound = layer.in_features**-0.5
            nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, noise: Tensor) -> Float[Tensor, "n d"]:
        """Return the output for points (n, d) and noise numbers (n, 1)."""
        angle = noise * 2.0 ** torch.arange(-2, 6, dtype=x.dtype)
        h = self.first(torch.cat([x, angle.sin(), angle.cos()], 1))
        for layer in self.layers:
            h = h + layer(nn.functional.silu(h))
        return self.last(nn.functional.silu(h))


class Denoiser(nn.Module):
    """D(x, sigma), the guess of clean data, Eq. (score-sde-edm)."""

    def __init__(
        self,
        dim: int,
        width: int = 64,
        depth: int = 2,
        sigma_data: Number = 0.5,
        middle: Number = -1.2,
        spread: Number = 1.2,
        seed: int = 0,
    ) -> None:
        """Train on noise with log sigma ~ N(middle, spread^2).

        Raises: ValueError unless sizes are >= 1, sigma_data and spread > 0.
        """
        super().__init__()
        check_positive("sigma_data", sigma_data)
        check_positive("spread", spread)
        self.net = Network(dim, width, depth, seed)
        self.sigma_data, self.middle, self.spread = sigma_data, middle, spread

    def coefficients(self, sigma: Tensor) -> tuple[Tensor, ...]:
        """Return c_skip, c_out, c_in, c_noise, Eq. (score-sde-edm)."""
        total = sigma**2 + self.sigma_data**2
        c_skip, c_in = self.sigma_data**2 / total, 1 / total.sqrt()
        return c_skip, sigma * self.sigma_data * c_in, c_in, sigma.log() / 4

    def forward(self, x: Tensor, sigma: Tensor | Number) -> Float[Tensor, "n d"]:
        """Return D(x, sigma), x (n, d), one sigma or one a row (n, 1).

        Raises: ValueError unless x is (n, dim) and sigma > 0.
        """
        sigma = torch.as_tensor(sigma, dtype=x.dtype)
        check_points(x)
        if sigma.numel() != 1 and sigma.shape != (len(x), 1):
            shape = tuple(sigma.shape)
            raise ValueError(f"need one sigma or ({len(x)}, 1), got {shape}")
        if x.shape[1] != self.net.dim or not (sigma > 0).all():
            got = f"{tuple(x.shape)} and {sigma.min().item():g}"
            expected = f"x (n, {self.net.dim}) and sigma > 0"
            raise ValueError(f"need {expected}, got {got}")
        c_skip, c_out, c_in, c_noise = self.coefficients(sigma)
        return c_skip * x + c_out * self.net(c_in * x, c_noise.expand(len(x), 1))

    def score(self, x: Tensor, sigma: Tensor | Number) -> Float[Tensor, "n d"]:
        """Return the score of the data with noise sigma: (D - x) / sigma^2.

        Raises: ValueError as forward.
        """
        sigma = torch.as_tensor(sigma, dtype=x.dtype)
        return (self(x, sigma) - x) / sigma**2

    def loss(self, x: Tensor, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean of |D - x_0|^2 / (c_out^2 d), with noise drawn anew.

        It is denoising score matching with the weight 1 / c_out^2.
        """
        z = torch.randn(len(x), 1, generator=generator, dtype=x.dtype)
        sigma = (self.middle + self.spread * z).exp()
        each = denoising_score_matching(
            lambda noisy: self.score(noisy, sigma),
            x,
            sigma[:, 0],
            generator,
        )
        weight = sigma**2 / self.coefficients(sigma)[1] ** 2
        return 2 * (weight[:, 0] * each).mean() / x.shape[1]


class NoisePredictor(nn.Module):
    """The bare epsilon network of DDPM: what noise is in x_t?"""

    def __init__(
        self,
        sde: LinearSDE,
        dim: int,
        width: int = 64,
        depth: int = 2,
        seed: int = 0,
    ) -> None:
        """Train on times drawn evenly from [0.001, 1].

        Raises: ValueError unless all sizes are >= 1.
        """
        super().__init__()
        self.sde, self.net = sde, Network(dim, width, depth, seed)

    def forward(self, x: Tensor, t: Time) -> Float[Tensor, "n d"]:
        """Return the noise seen in x (n, dim) at one time, or (n, 1).

        Raises: ValueError unless x is (n, dim) and t in [0, 1].
        """
        check_points(x)
        if x.shape[1] != self.net.dim:
            shape = f"(n, {self.net.dim})"
            got = tuple(x.shape)
            raise ValueError(f"x must have the shape {shape}, got {got}")
        t = check_time(t).to(x.dtype)
        return self.net(x, (4 * pi * t).expand(len(x), 1))

    def score(self, x: Tensor, t: Time) -> Float[Tensor, "n d"]:
        """Return the score of p_t: minus the noise over sigma_t.

        Raises: ValueError as forward.
        """
        return -self(x, t) / self.sde.sigma(t).to(x.dtype)

    def loss(self, x: Tensor, generator: torch.Generator) -> Float[Tensor, ""]:
        """Return the mean of |guess - noise|^2 / d, times drawn anew.

        It is denoising score matching with the weight sigma^2.
        """
        t = torch.rand(len(x), 1, generator=generator, dtype=torch.float64)
        t = 1e-3 + (1 - 1e-3) * t
        each = denoising_score_matching(
            lambda noisy: self.score(noisy, t),
            self.sde.alpha(t).to(x.dtype) * x,
            self.sde.sigma(t)[:, 0],
            generator,
        )
        return 2 * each.mean() / x.shape[1]


def denoiser_score(sde: LinearSDE, model: Denoiser) -> Field:
    """Return the score of p_t from a denoiser, Eq. (score-sde-rescale)."""

    def score(x: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = sde.alpha(t), sde.sigma(t)
        return model.score(x / alpha, sigma / alpha) / alpha

    return score


def denoising_flow(model: Denoiser) -> Field:
    """Return (x - D) / sigma, Eq. (score-sde-edm-flow); time is sigma."""
    return lambda x, sigma: (x - model(x, sigma)) / sigma


def train(
    model: Denoiser | NoisePredictor,
    x: Tensor,
    *,
    steps: int,
    batch: int = 256,
    lr: Number = 2e-3,
    seed: int = 0,
) -> list[float]:
    """Minimise model.loss by Adam, the rate a falling cosine; return losses.

    Raises: ValueError unless x is (n, d), steps and batch are >= 1.
    """
    check_points(x)
    check_count("steps", steps)
    check_count("batch", batch)
    generator = torch.Generator().manual_seed(seed)
    adam = torch.optim.Adam(model.parameters(), lr=lr)
    rate = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    losses = []
    for _ in range(steps):
        rows = torch.randint(len(x), (batch,), generator=generator)
        loss = model.loss(x[rows], generator)
        adam.zero_grad()
        loss.backward()
        adam.step()
        rate.step()
        losses.append(loss.item())
    return losses


def karras_sigmas(
    n_steps: int,
    sigma_min: Number = 0.002,
    sigma_max: Number = 80.0,
    rho: Number = 7.0,
) -> Tensor:
    """Return n_steps + 1 falling noise levels, Eq. (score-sde-karras).

    Raises: ValueError unless n_steps >= 1, rho > 0, 0 < sigma_min < sigma_max.
    """
    check_count("n_steps", n_steps)
    check_positive("rho", rho)
    if not 0 < sigma_min < sigma_max:
        ends = f"{sigma_min} and {sigma_max}"
        raise ValueError(f"need 0 < sigma_min < sigma_max, got {ends}")
    first, last = sigma_max ** (1 / rho), sigma_min ** (1 / rho)
    roots = torch.linspace(first, last, n_steps + 1, dtype=torch.float64)
    sigmas = roots**rho
    sigmas[0], sigmas[-1] = sigma_max, sigma_min
    return sigmas
