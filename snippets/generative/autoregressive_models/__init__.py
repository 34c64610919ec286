"""Autoregressive models of binary vectors: FVSBN, NADE and MADE, with exact likelihoods.

Each factorises p(x) by the chain rule into one Bernoulli distribution per variable and models the
logits; what the models differ in is how the conditionals share parameters.

Symbols:

    x        a binary vector of D variables, a row of a batch (B, D)
    x_<i     the variables before the i-th in the order of the model
    l_i      the logit of p(x_i = 1 | x_<i)
    W, b     FVSBN: weights (D, D), used below the diagonal; biases (D,)
    W, c     NADE: input weights (D, H) and biases (H,) of the hidden layer
    V, b     NADE: output weights (D, H) and biases (D,)
    a_i, h_i NADE: hidden pre-activations and activations when x_i is predicted, (B, H)
    m, M     MADE: degrees of the units of a layer, masks (out, in)

Left out: variables that are not binary, convolutions and attention over pixels, latent variables.
"""

from .base import (
    Autoregressive,
    all_states,
    bernoulli_log_prob,
    nats_to_bits_per_dim,
    posterior,
    table_size,
)
from .classifier import ClassConditional, fit_classes
from .fvsbn import FVSBN, fit_fvsbn
from .made import MADE, MaskedLinear, made_degrees, made_masks
from .mixture import BernoulliMixture, fit_mixture
from .nade import NADE, nade_logits_naive, nade_sample_naive
from .training import Fit, fit

__all__ = [
    "FVSBN",
    "MADE",
    "NADE",
    "Autoregressive",
    "BernoulliMixture",
    "ClassConditional",
    "Fit",
    "MaskedLinear",
    "all_states",
    "bernoulli_log_prob",
    "fit",
    "fit_classes",
    "fit_fvsbn",
    "fit_mixture",
    "made_degrees",
    "made_masks",
    "nade_logits_naive",
    "nade_sample_naive",
    "nats_to_bits_per_dim",
    "posterior",
    "table_size",
]
