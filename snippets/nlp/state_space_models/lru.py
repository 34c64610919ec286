"""The linear recurrent unit: a diagonal complex recurrence, initialised on a ring."""

from math import log, pi

import torch
from jaxtyping import Complex, Float
from torch import Tensor, nn

from .checks import check_count, check_shape
from .scan import scan


class LRU(nn.Module):
    """A diagonal linear recurrence with |lambda| < 1 by its parametrisation.

    Eq. (state-space-models-lru); Orvieto et al. 2023, section 3.
    """

    def __init__(
        self,
        d_model: int,
        N: int,
        r_min: float = 0.0,
        r_max: float = 1.0,
        max_phase: float = 2 * pi,
    ) -> None:
        """Draw N eigenvalues evenly from the ring r_min <= |lambda| <= r_max.

        Raises:
            TypeError: a size is not an integer.
            ValueError: a size < 1, not 0 <= r_min < r_max <= 1, or
                max_phase <= 0.
        """
        super().__init__()
        check_count("d_model", d_model)
        check_count("N", N)
        if not 0 <= r_min < r_max <= 1:
            got = f"got {r_min} and {r_max}"
            raise ValueError(f"need 0 <= r_min < r_max <= 1, {got}")
        if not max_phase > 0:
            raise ValueError(f"max_phase must be > 0, got {max_phase}")
        # the area of a ring grows with the square of its radius
        squared = torch.rand(N) * (r_max**2 - r_min**2) + r_min**2
        squared = squared.clamp(1e-6, 1 - 1e-6)
        phase = (torch.rand(N) * max_phase).clamp(min=1e-6)
        self.nu_log = nn.Parameter((-squared.log() / 2).log())
        self.theta_log = nn.Parameter(phase.log())
        self.gamma_log = nn.Parameter((1 - squared).log() / 2)
        self.B = nn.Parameter(torch.randn(N, d_model, 2) / (2 * d_model) ** 0.5)
        self.C = nn.Parameter(torch.randn(d_model, N, 2) / N**0.5)
        self.D = nn.Parameter(torch.randn(d_model))

    def eigenvalues(self) -> Complex[Tensor, " N"]:
        """Return lambda = exp(-exp(nu) + i exp(theta))."""
        decay, phase = self.nu_log.exp(), self.theta_log.exp()
        return torch.exp(torch.complex(-decay, phase))

    def states(self, u: Float[Tensor, "..."]) -> Complex[Tensor, "batch L N"]:
        """Return all states, by a parallel scan.

        Raises:
            ValueError: u is not of the model's width, or has no step.
        """
        check_shape("u", u, (-1, -1, len(self.D)))
        check_count("the number of steps of u", u.shape[1])
        B = torch.view_as_complex(self.B) * self.gamma_log.exp()[:, None]
        drive = u.to(B.dtype) @ B.T
        return scan(self.eigenvalues().expand_as(drive), drive)

    def forward(self, u: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return Re(C h) + D u."""
        C = torch.view_as_complex(self.C)
        return (self.states(u) @ C.T).real + self.D * u


def ring_gain(r_min: float, r_max: float) -> float:
    """Return the mean of 1/(1 - |lambda|^2) over the ring: E|h|^2 without gamma.

    Eq. (state-space-models-ring).

    Raises:
        ValueError: no 0 <= r_min < r_max < 1.
    """
    if not 0 <= r_min < r_max < 1:
        raise ValueError(f"need 0 <= r_min < r_max < 1, got {r_min} and {r_max}")
    return log((1 - r_min**2) / (1 - r_max**2)) / (r_max**2 - r_min**2)
