"""Maximum likelihood by Adam, keeping what a held-out part likes best."""

from copy import deepcopy
from math import inf
from typing import NamedTuple

import torch
from torch import Tensor

from snippets.common.checks import check_count

from .base import Autoregressive


class Fit(NamedTuple):
    """What training saw: the best step and the held-out NLL at each check."""

    best_step: int
    history: list[float]


def fit(
    model: Autoregressive,
    x: Tensor,
    valid: Tensor,
    *,
    steps: int,
    every: int = 100,
    batch: int = 100,
    lr: float = 1e-3,
    seed: int = 0,
) -> Fit:
    """Minimise Eq. (autoregressive-models-nll) in place, with early stopping.

    Raises: ValueError unless x and valid are non-empty binary batches, sizes are
    >= 1 and lr is positive and finite.
    """
    for name, size in (("steps", steps), ("every", every), ("batch", batch)):
        check_count(name, size)
    if not 0 < lr < inf:
        raise ValueError(f"lr must be positive and finite, got {lr}")
    for name, data in (("x", x), ("valid", valid)):
        model.check(data)
        if not len(data):
            raise ValueError(f"{name} must hold vectors, got 0")
    model.start(x)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr)
    best, kept, history = (float("inf"), 0), deepcopy(model.state_dict()), []
    for step in range(1, steps + 1):
        rows = torch.randint(len(x), (batch,), generator=generator)
        optimizer.zero_grad()
        model.loss(x[rows], generator).backward()
        optimizer.step()
        if step % every == 0 or step == steps:
            with torch.no_grad():
                history.append(-model.log_prob(valid).mean().item())
            if history[-1] < best[0]:
                best, kept = (history[-1], step), deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return Fit(best[1], history)
