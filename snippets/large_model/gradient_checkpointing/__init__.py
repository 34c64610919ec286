"""Gradient checkpointing: keep few activations, compute the others again when backward needs them.

Symbols: n or l, number of layers of a chain; k, number of segments; c, number of snapshots, the
input's one included; r, how often a step is repeated at most; m, number of activations that may be
alive; x_i, the activation that enters layer i (x_0 is the input). One *unit* is the size of one
layer's activation.

Left out: layers of unequal cost and size, several devices, offloading.
"""

from .figures import (
    figure_pareto,
    figure_revolve,
    figure_steps,
    figure_trace,
    figure_u_curve,
)
from .meter import Moment, PeakMeter, StepCost, count_forwards, measure_step, watch_alive
from .models import Block, chain
from .recompute import (
    Replay,
    checkpoint,
    checkpoint_hooks,
    checkpoint_segments,
    checkpoint_sequential,
    compose,
    sqrt_segments,
)
from .schedules import (
    beta,
    checkpoint_optimal,
    checkpoint_recursive,
    optimal_cost,
    revolve,
    revolve_cost,
    revolve_schedule,
)

__all__ = [
    "Block",
    "Moment",
    "PeakMeter",
    "Replay",
    "StepCost",
    "beta",
    "chain",
    "checkpoint",
    "checkpoint_hooks",
    "checkpoint_optimal",
    "checkpoint_recursive",
    "checkpoint_segments",
    "checkpoint_sequential",
    "compose",
    "count_forwards",
    "figure_pareto",
    "figure_revolve",
    "figure_steps",
    "figure_trace",
    "figure_u_curve",
    "measure_step",
    "optimal_cost",
    "revolve",
    "revolve_cost",
    "revolve_schedule",
    "sqrt_segments",
    "watch_alive",
]
