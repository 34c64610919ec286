"""The loop around a model: draw windows, shuffle, let the learning rate fall to zero."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Int

from .corpus import (
    Ids,
    check_counts,
    check_lengths,
    context_means,
    keep_prob,
    noise_distribution,
    skipgram_pairs,
)
from .lookup import check_ids, check_positive
from .models import CBOW, SGNS
from .tree import HierarchicalSoftmax

Model = SGNS | CBOW | HierarchicalSoftmax


def draw(noise: np.ndarray, size: int, rng: np.random.Generator) -> Ids:
    """Return words drawn from a distribution by inverting its sums.

    Raises:
        ValueError: noise does not add up to 1.
    """
    sums = np.cumsum(noise)
    if not len(sums) or abs(sums[-1] - 1) > 1e-6:
        raise ValueError(f"noise must add up to 1, got {sum(noise):g}")
    drawn = np.searchsorted(sums, rng.random(size))
    return np.minimum(drawn, len(noise) - 1)  # the sums may end below 1


def examples(
    model: Model,
    ids: Ids,
    sent_ids: Ids,
    window: int,
    rng: np.random.Generator,
) -> tuple:
    """Return an epoch's inputs and targets, shuffled, for the model's step."""
    if isinstance(model, CBOW):
        target, source = context_means(
            ids,
            sent_ids,
            window,
            len(model.W_in),
            rng,
        )
    else:
        source, target = skipgram_pairs(ids, sent_ids, window, rng)
    order = rng.permutation(len(target))
    return source[order], target[order]


def train(
    model: Model,
    ids: Ids,
    sent_ids: Ids,
    counts: Int[np.ndarray, " V"],
    *,
    window: int = 5,
    epochs: int = 5,
    lr: float | int = 0.025,
    batch: int = 2048,
    shared: int = 64,
    t: float | int | None = None,
    seed: int = 0,
) -> Iterator[float]:
    """Train batch by batch, yielding the part of the training that is done.

    A batch shares ``shared`` negatives; ``t`` subsamples by ``keep_prob``.

    Raises:
        ValueError: window, epochs, batch or shared is below 1, lr or t is not
            positive, the text is empty or not in ids and sent_ids of one
            length, or the model was made for other counts.
    """
    check_positive(window=window, epochs=epochs, batch=batch, shared=shared)
    for name, value in (("lr", lr), ("t", t)):
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be positive, got {value}")
    check_lengths(ids, sent_ids)
    check_ids("ids", ids, len(model.W_in))
    check_counts(counts)
    if not len(ids):
        raise ValueError("the text holds no word that the vocabulary knows")
    if len(counts) != len(model.W_in):
        sizes = f"{len(model.W_in)}, got {len(counts)}"
        raise ValueError(
            f"counts must hold a count per word of the model: {sizes}",
        )
    return _train(
        model,
        ids,
        sent_ids,
        counts,
        window,
        epochs,
        lr,
        batch,
        shared,
        t,
        seed,
    )


def _train(
    model,
    ids,
    sent_ids,
    counts,
    window,
    epochs,
    lr,
    batch,
    shared,
    t,
    seed,
):
    """Yield progress; apart, so that `train` refuses bad arguments at once."""
    rng, noise = np.random.default_rng(seed), noise_distribution(counts)
    for epoch in range(epochs):
        kept = (
            slice(None)  # the whole text
            if t is None
            else rng.random(len(ids)) < keep_prob(counts, t)[ids]
        )
        source, target = examples(
            model,
            ids[kept],
            sent_ids[kept],
            window,
            rng,
        )
        for i in range(0, len(target), batch):
            done = (epoch + i / len(target)) / epochs
            pairs = source[i : i + batch], target[i : i + batch]
            if not isinstance(model, HierarchicalSoftmax):
                pairs = (*pairs, draw(noise, shared, rng))
            model.step(*pairs, lr=lr * max(1 - done, 1e-4))
            yield done
