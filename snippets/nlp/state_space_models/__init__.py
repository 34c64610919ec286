"""State space models: from HiPPO's polynomial memory through S4 and LRU to Mamba and its dual.

Symbols: u, input; x or h, state; y, output; N, size of the state; L, length; dt or delta, step;
A, B, C, D, the matrices of x' = A x + B u, y = C x + D u; A_bar, B_bar, the discrete ones; K, the
kernel; c, coefficients of Legendre polynomials; Lambda, eigenvalues; P, the low-rank correction.

Left out: kernels for accelerators, several heads, convolutions and norms around the blocks.
"""

from .discretize import causal_conv_fft, discretize, ssm_kernel, ssm_recurrence
from .duality import (
    WKVState,
    decay_mask,
    linear_attention,
    outer_scan,
    retention_chunkwise,
    retention_parallel,
    retention_recurrent,
    ssd,
    wkv,
)
from .figures import (
    figure_conditioning,
    figure_eigenvalues,
    figure_growth,
    figure_impulse,
    figure_learning,
    figure_masks,
    figure_memory,
    figure_rates,
    figure_scan,
)
from .hippo import hippo, legendre_basis, legendre_project, legs_matvec, legs_online, reconstruct
from .lru import LRU, ring_gain
from .mamba import Mamba, MambaCache, selective_scan
from .s4 import dplr_kernel, dplr_matrix, nplr_legs, s4d_init, s4d_kernel, truncate
from .scan import combine, odd_even, scan, scan_chunked, scan_hillis_steele, scan_sequential

__all__ = [
    "LRU",
    "Mamba",
    "MambaCache",
    "WKVState",
    "causal_conv_fft",
    "combine",
    "decay_mask",
    "discretize",
    "dplr_kernel",
    "dplr_matrix",
    "figure_conditioning",
    "figure_eigenvalues",
    "figure_growth",
    "figure_impulse",
    "figure_learning",
    "figure_masks",
    "figure_memory",
    "figure_rates",
    "figure_scan",
    "hippo",
    "legendre_basis",
    "legendre_project",
    "legs_matvec",
    "legs_online",
    "linear_attention",
    "nplr_legs",
    "odd_even",
    "outer_scan",
    "reconstruct",
    "retention_chunkwise",
    "retention_parallel",
    "retention_recurrent",
    "ring_gain",
    "s4d_init",
    "s4d_kernel",
    "scan",
    "scan_chunked",
    "scan_hillis_steele",
    "scan_sequential",
    "selective_scan",
    "ssd",
    "ssm_kernel",
    "ssm_recurrence",
    "truncate",
    "wkv",
]
