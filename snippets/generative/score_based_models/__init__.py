"""Models of the score, the gradient of log p: how to learn it and how to sample with it.

The losses do without the normaliser, some without the true score; Langevin dynamics turns a score
into samples, and annealing over noise levels makes that work.

Symbols:

    x         points, one in a row (n, d)
    s         a model of the score (n, d)
    sigma     the standard deviation of the noise that is added to the data
    z         standard Gaussian noise (n, d)
    step      the step of Langevin dynamics, alpha; eps is the last one of the annealing
    v         a random projection, E[v v^T] = I
    sigma_1 > ... > sigma_L   the noise levels of the annealing, gamma their ratio
    T         Langevin steps at one level

Left out: networks for large images, the limit of infinitely many levels, score-based likelihoods.
"""

from .langevin import (
    annealed_langevin,
    geometric_sigmas,
    langevin_dynamics,
    ncsnv2_ratio,
    ncsnv2_step,
)
from .matching import (
    denoising_score_matching,
    explicit_score_matching,
    hutchinson_trace,
    implicit_score_matching,
    sliced_score_matching,
)
from .metrics import energy_distance, sliced_wasserstein
from .network import NoiseConditionalScore, train_ncsn

__all__ = [
    "NoiseConditionalScore",
    "annealed_langevin",
    "denoising_score_matching",
    "energy_distance",
    "explicit_score_matching",
    "geometric_sigmas",
    "hutchinson_trace",
    "implicit_score_matching",
    "langevin_dynamics",
    "ncsnv2_ratio",
    "ncsnv2_step",
    "sliced_score_matching",
    "sliced_wasserstein",
    "train_ncsn",
]
