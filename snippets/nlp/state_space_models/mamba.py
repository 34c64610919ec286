"""The selective scan, and a Mamba block with the parameter names of every other implementation."""

from math import ceil, log
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from .checks import check_choice, check_count, check_shape
from .scan import scan

B_BARS = ("euler", "zoh")


def selective_scan(
    u: Float[Tensor, "..."],
    delta: Float[Tensor, "..."],
    A: Float[Tensor, "..."],
    B: Float[Tensor, "..."],
    C: Float[Tensor, "..."],
    D: Float[Tensor, "..."] | None = None,
    *,
    b_bar: str = "euler",
) -> Float[Tensor, "..."]:
    """Scan with a step, an input and an output matrix that depend on the input.

    Eq. (state-space-models-selective); ``b_bar`` 'zoh' is the paper's eq. 4,
    'euler' is what the shipped code computes.

    Raises:
        ValueError: shapes that do not fit, no step, an unknown b_bar, or a 0
            in A for 'zoh'.
    """
    check_shape("u", u, (-1, -1, -1))
    batch, L, d = u.shape
    check_count("the number of steps of u", L)
    check_shape("delta", delta, (batch, L, d))
    check_shape("A", A, (d, -1))
    for name, value in (("B", B), ("C", C)):
        check_shape(name, value, (batch, L, A.shape[1]))
    if D is not None:
        check_shape("D", D, (d,))
    check_choice("b_bar", b_bar, B_BARS)
    if b_bar == "zoh" and (A == 0).any():
        raise ValueError("A must be nonzero for b_bar='zoh', got a 0")
    a = delta[..., None] * A
    gain = delta[..., None] if b_bar == "euler" else torch.expm1(a) / A
    h = scan(torch.exp(a), gain * (B[:, :, None] * u[..., None]))
    y = (h @ C[..., None])[..., 0]
    return y if D is None else y + D * u


class MambaCache(NamedTuple):
    """All that a Mamba block remembers, however long the text was."""

    window: Float[Tensor, "batch d_inner d_conv"]
    h: Float[Tensor, "batch d_inner d_state"]


class Mamba(nn.Module):
    """Gu & Dao 2023, fig. 3; parameters named as in the authors' code."""

    def __init__(
        self,
        d_model: int,
        d_state: int = 16,
        d_conv: int = 4,
        expand: int = 2,
    ) -> None:
        """Make layers; steps start between 0.001 and 0.1, A at -1 to -d_state.

        Raises:
            TypeError: a size is not an integer.
            ValueError: a size < 1.
        """
        super().__init__()
        check_count("d_model", d_model)
        check_count("d_state", d_state)
        check_count("d_conv", d_conv)
        check_count("expand", expand)
        d_inner, rank = expand * d_model, ceil(d_model / 16)
        self.split = [rank, d_state, d_state]
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(
            d_inner,
            d_inner,
            d_conv,
            padding=d_conv - 1,
            groups=d_inner,
        )
        self.x_proj = nn.Linear(d_inner, sum(self.split), bias=False)
        self.dt_proj = nn.Linear(rank, d_inner)
        A = torch.arange(1.0, d_state + 1)
        self.A_log = nn.Parameter(A.log().repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model, bias=False)
        dt = torch.exp(log(1e-3) + torch.rand(d_inner) * log(100))
        with torch.no_grad():  # softplus(bias) = dt
            self.dt_proj.weight.uniform_(-(rank**-0.5), rank**-0.5)
            self.dt_proj.bias.copy_(dt + torch.log(-torch.expm1(-dt)))

    def parameters_at(
        self,
        x: Float[Tensor, "*batch d_inner"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return delta, A, B and C as this input asks for them."""
        dt, B, C = self.x_proj(x).split(self.split, -1)
        return F.softplus(self.dt_proj(dt)), -self.A_log.exp(), B, C

    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Run over whole sequences.

        Raises:
            ValueError: x is not of the model's width, or holds no step.
        """
        check_shape("x", x, (-1, -1, self.out_proj.out_features))
        check_count("the number of steps of x", x.shape[1])
        u, gate = self.in_proj(x).chunk(2, -1)
        u = F.silu(self.conv1d(u.mT)[..., : x.shape[1]].mT)
        y = selective_scan(u, *self.parameters_at(u), self.D)
        return self.out_proj(y * F.silu(gate))

    def empty_cache(self, batch: int) -> MambaCache:
        """Return the memory of having seen nothing."""
        check_count("batch", batch)
        d_inner, _, d_conv = self.conv1d.weight.shape
        new = self.A_log.new_zeros
        h = new(batch, *self.A_log.shape)
        return MambaCache(new(batch, d_inner, d_conv), h)

    def step(
        self,
        x: Float[Tensor, "..."],
        cache: MambaCache,
    ) -> tuple[Float[Tensor, "batch d_model"], MambaCache]:
        """Read one token in a time that does not depend on how many came before.

        Raises:
            ValueError: x is not of the model's width, or the cache of another
                batch size.
        """
        check_shape("x", x, (-1, self.out_proj.out_features))
        check_shape("cache.h", cache.h, (len(x), *self.A_log.shape))
        taps, bias = self.conv1d.weight[:, 0], self.conv1d.bias
        check_shape("cache.window", cache.window, (len(x), *taps.shape))
        u, gate = self.in_proj(x).chunk(2, -1)
        window = torch.cat([cache.window[..., 1:], u[..., None]], -1)
        u = F.silu((window * taps).sum(-1) + bias)  # type: ignore[operator]
        delta, A, B, C = self.parameters_at(u)
        drive = (delta * u)[..., None] * B[:, None]
        h = torch.exp(delta[..., None] * A) * cache.h + drive
        y = (h @ C[..., None])[..., 0] + self.D * u
        out = self.out_proj(y * F.silu(gate))
        return out, MambaCache(window, h)
