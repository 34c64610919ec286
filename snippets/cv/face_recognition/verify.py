"""How good is a verifier: error rates at every threshold, and what may be said of them."""

from math import sqrt

import numpy as np
from jaxtyping import Float

from .checks import check_scores

Array = np.ndarray


def roc(scores: Array, labels: Array) -> tuple[Array, Array, Array]:
    """Return FAR, TAR and threshold at every value that a score takes, falling.

    Eq. (face-recognition-rates).  Pairs of one score are accepted together; the
    first threshold is inf, which accepts none.

    Raises: ValueError unless scores and labels are (n,), scores finite, labels 0
    and 1, both present.
    """
    scores, same = check_scores(scores, labels)
    order = np.argsort(-scores, kind="stable")
    scores, same = scores[order], same[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)
    tar = np.cumsum(same)[last] / same.sum()
    far = np.cumsum(~same)[last] / (~same).sum()
    start = np.zeros(1)
    return (
        np.append(start, far),
        np.append(start, tar),
        np.append(np.inf, scores[last]),
    )


def tar_at_far(scores: Array, labels: Array, far: float) -> float:
    """Return the largest TAR at which FAR is at most far.

    Raises: ValueError unless 0 < far <= 1 and the impostor pairs are enough for
    one of them to be far, and as `roc`.
    """
    _, same = check_scores(scores, labels)
    impostors = int((~same).sum())
    if not 0 < far <= 1:
        raise ValueError(f"far must be > 0 and <= 1, got {far}")
    if far * impostors < 1 - 1e-9:
        raise ValueError(
            f"far={far:g} needs {1 / far:.0f} impostor pairs, got {impostors}",
        )
    fars, tars, _ = roc(scores, labels)
    return float(tars[fars <= far + 1e-12].max())


def eer(scores: Array, labels: Array) -> float:
    """Return the rate at which false acceptance and false rejection are equal.

    Eq. (face-recognition-eer): between two points of the ROC, on the line.

    Raises: ValueError as `roc`.
    """
    far, tar, _ = roc(scores, labels)
    gap = far - (1 - tar)  # rises from -1 to 1
    i = int(np.argmax(gap >= 0))
    part = gap[i - 1] / (gap[i - 1] - gap[i])
    return float(far[i - 1] + part * (far[i] - far[i - 1]))


def best_threshold(scores: Array, labels: Array) -> float:
    """Return the threshold that decides most pairs rightly, the highest one.

    Raises: ValueError as `roc`.
    """
    far, tar, thresholds = roc(scores, labels)
    same = np.asarray(labels, bool)
    right = tar * same.sum() + (1 - far) * (~same).sum()
    # these are counts: rounding must not decide between two of them
    best = int(np.argmax(right > right.max() - 0.5))
    return float(thresholds[best])


def kfold_accuracy(
    scores: Array,
    labels: Array,
    folds: int = 10,
) -> tuple[float, float, Float[Array, " folds"]]:
    """Return mean accuracy, its standard error, and the threshold of every fold.

    Eq. (face-recognition-stderr): each fold, in the given order, is judged by
    the threshold that is best for the others.

    Raises: ValueError unless folds is an integer, 2 <= folds <= n, and both
    labels remain outside every fold, and as `roc`.
    """
    scores, same = check_scores(scores, labels)
    if int(folds) != folds or not 2 <= folds <= len(scores):
        raise ValueError(f"folds must be 2 to {len(scores)}, got {folds}")
    sizes = [len(part) for part in np.array_split(scores, folds)]
    fold = np.repeat(np.arange(folds), sizes)
    for each in (same, ~same):
        if (np.bincount(fold, each) == each.sum()).any():
            raise ValueError("labels must hold both 0 and 1 outside every fold")
    order = np.argsort(-scores, kind="stable")
    falling = scores[order]
    # a row per fold, which sees all pairs but its own
    gain = np.where(same, 1, -1)[order] * (
        fold[order] != np.arange(folds)[:, None]  # (folds, n), by falling score
    )
    last = np.append(np.diff(falling) < 0, True)  # equal scores go together
    right = np.cumsum(gain, axis=1)[:, last]  # up to a constant per fold
    best = np.column_stack([np.zeros(folds), right]).argmax(1)
    thresholds = np.append(np.inf, falling[last])[best]
    hit = (scores >= thresholds[fold]) == same
    accuracy = np.bincount(fold, hit) / sizes
    return (
        float(accuracy.mean()),
        float(accuracy.std(ddof=1) / sqrt(folds)),
        thresholds,
    )


def rank_k(scores: Array, probe: Array, gallery: Array, k: int = 1) -> float:
    """Return how often a probe's mate is among its k most similar ones.

    scores (P, G), identities probe (P,) and gallery (G,); ties count against it.

    Raises: ValueError unless the shapes agree, there is a probe, scores are
    finite, k >= 1, every probe has a mate.
    """
    scores, probe, gallery = map(np.asarray, (scores, probe, gallery))
    wanted = probe.shape + gallery.shape
    if scores.shape != wanted or scores.ndim != 2 or 0 in wanted:
        raise ValueError(
            f"scores must be (P >= 1, G >= 1) = {wanted}, got {scores.shape}",
        )
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, got nan or inf among them")
    if k < 1:
        raise ValueError(f"k must be >= 1, got {k}")
    mate = probe[:, None] == gallery
    if not mate.any(1).all():
        lonely = probe[~mate.any(1)].tolist()
        raise ValueError(f"every probe must have a mate, none for {lonely}")
    best = np.where(mate, scores, -np.inf).max(1, keepdims=True)
    ahead = (~mate & (scores >= best)).sum(1)
    return float((ahead < k).mean())


def pairs(emb: Array, ids: Array) -> tuple[Array, Array]:
    """Return cosine and label of every pair of rows of emb (n, d).

    Raises: ValueError unless emb is (n >= 2, d), finite, without a row of zeros
    and ids is (n,).
    """
    emb, ids = np.asarray(emb, np.float64), np.asarray(ids)
    if emb.ndim != 2 or len(emb) < 2 or ids.shape != emb.shape[:1]:
        raise ValueError(
            f"emb, ids must be (n >= 2, d), (n,), got {emb.shape}, {ids.shape}",
        )
    if not np.isfinite(emb).all():
        raise ValueError("emb must be finite, got nan or inf among it")
    length = np.linalg.norm(emb, axis=1, keepdims=True)
    if not length.all():
        raise ValueError("emb must hold no row of zeros")
    unit = emb / length
    upper = np.triu_indices(len(emb), 1)
    return (unit @ unit.T)[upper], (ids[:, None] == ids)[upper]
