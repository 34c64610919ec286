"""How good are the detections: COCO's average precision, and panoptic quality.

Left out: crowd regions, object sizes, average recall.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

COCO_THRESHOLDS = tuple((np.arange(10) * 0.05 + 0.5).round(2).tolist())
"""0.50, 0.55 … 0.95: the IoU thresholds over which COCO averages."""


def _overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the IoU of all pairs of (n, 4) and (m, 4) in double precision."""
    first = np.maximum(a[:, None, :2], b[None, :, :2])
    last = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (last - first).clip(0).prod(-1)
    area_a, area_b = (np.prod(c[:, 2:] - c[:, :2], axis=-1) for c in (a, b))
    return inter / np.maximum(area_a[:, None] + area_b - inter, np.finfo(float).tiny)


def match_detections(
    iou: np.ndarray,
    thresholds: np.ndarray,
) -> np.ndarray:
    """Say for each threshold and detection, best first, if it finds an object.

    A detection takes the free object with the greatest IoU >= threshold, the
    last one of several; iou is (detections, objects).
    """
    hits = np.zeros((len(thresholds), len(iou)), bool)
    if not iou.size:
        return hits
    free = np.ones((len(thresholds), iou.shape[1]), bool)
    rows = np.arange(len(thresholds))
    least = np.minimum(thresholds, 1 - 1e-10)
    for d, overlap in enumerate(iou[:, ::-1]):  # argmax takes the first one
        best = np.where(free, overlap, -1.0).argmax(1)
        hits[:, d] = free[rows, best] & (overlap[best] >= least)
        free[rows, best] &= ~hits[:, d]
    return hits


def interpolated_ap(hits: np.ndarray, objects: int) -> float:
    """Return the mean, over recalls 0 … 1, of the best precision from there on.

    Eq. (detr-ap); hits of all images, best score first.

    Raises:
        ValueError: fewer objects than hits, or none.
    """
    if objects < max(1, hits.sum()):
        raise ValueError(
            f"need an object for every hit and at least one, got {objects}",
        )
    found = hits.cumsum()
    precision = found / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    places = np.searchsorted(found / objects, np.linspace(0, 1, 101))
    return float(np.append(envelope, 0)[places].mean())


_NOTHING = np.empty(0), np.empty((0, 4))


def _sort(dets: dict, max_dets: int | None = None) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """Return scores and boxes of each class of an image, best first, at most max_dets."""
    scores, labels = np.asarray(dets["scores"], float), np.asarray(dets["labels"])
    boxes = np.asarray(dets["boxes"], float).reshape(-1, 4)
    found = {}
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        own = own[(-scores[own]).argsort(kind="stable")[:max_dets]]
        found[int(label)] = scores[own], boxes[own]
    return found


def _check_images(
    dets: Sequence[dict],
    gts: Sequence[dict],
    thresholds: np.ndarray,
) -> None:
    if len(dets) != len(gts):
        raise ValueError(
            f"{len(gts)} images need as many detections, got {len(dets)}",
        )
    if not thresholds.size or not ((thresholds > 0) & (thresholds <= 1)).all():
        raise ValueError(
            f"iou_thresholds must lie in (0, 1], got {thresholds.tolist()}",
        )
    for name, images, keys in (
        ("dets", dets, ("boxes", "scores", "labels")),
        ("gts", gts, ("boxes", "labels")),
    ):
        for i, image in enumerate(images):
            missing = set(keys) - image.keys()
            if missing:
                raise ValueError(f"{name}[{i}] lacks {sorted(missing)}, got {sorted(image)}")
            sizes = [len(image[key]) for key in keys]
            if len(set(sizes)) != 1:
                raise ValueError(
                    f"{name}[{i}]: {keys} must have one length, got {sizes}",
                )
            _check_values(f"{name}[{i}]", image)


def _check_values(name: str, image: dict) -> None:
    boxes = np.asarray(image["boxes"], float)
    if boxes.size and boxes.shape[1:] != (4,):
        raise ValueError(f"{name}: boxes must be (n, 4), got {boxes.shape}")
    ordered = (boxes.reshape(-1, 2, 2)[:, 0] <= boxes.reshape(-1, 2, 2)[:, 1]).all(1)
    if not ordered.all():
        bad = boxes[~ordered][0].tolist()
        raise ValueError(f"{name}: boxes must have x0 <= x1 and y0 <= y1, got {bad}")
    labels = np.asarray(image["labels"])
    if labels.size and (labels.dtype.kind not in "iu" or labels.min() < 0):
        raise ValueError(f"{name}: labels must be whole and >= 0, got {labels.tolist()}")
    scores = np.asarray(image.get("scores", 0.0), float)
    if not np.isfinite(scores).all():
        raise ValueError(f"{name}: scores must be finite, got {scores.tolist()}")


def average_precision(
    dets: Sequence[dict],
    gts: Sequence[dict],
    iou_thresholds: Sequence[float] = COCO_THRESHOLDS,
    max_dets: int = 100,
) -> dict[str, Any]:
    """Return "ap", its mean at each threshold "by_threshold", and "table".

    dets holds boxes (corners), scores, labels of each image, gts boxes and
    labels.  The table is (thresholds, classes), -1 for a class without an
    object, which no mean counts.

    Raises:
        ValueError: lengths differ, a threshold outside (0, 1], or max_dets < 1.
    """
    thresholds = np.asarray(iou_thresholds, float)
    _check_images(dets, gts, thresholds)
    if max_dets < 1:
        raise ValueError(f"max_dets must be at least 1, got {max_dets}")
    best = [_sort(image, max_dets) for image in dets]
    truth = [_sort({"scores": np.ones(len(gt["labels"]))} | gt) for gt in gts]
    classes = max((c for one in best + truth for c in one), default=-1) + 1
    table = np.full((len(thresholds), classes), -1.0)
    for label in {c for one in truth for c in one}:
        own = [one.get(label, _NOTHING) for one in best]
        wanted = [one.get(label, _NOTHING) for one in truth]
        hits = [
            match_detections(_overlaps(found, objects), thresholds)
            for (_, found), (_, objects) in zip(own, wanted, strict=True)
        ]
        order = (-np.concatenate([s for s, _ in own])).argsort(kind="stable")
        count = sum(len(s) for s, _ in wanted)
        for t, row in enumerate(np.concatenate(hits, 1)[:, order]):
            table[t, label] = interpolated_ap(row, count)
    return _summary(table)


def _summary(table: Float[np.ndarray, "t k"]) -> dict[str, Any]:
    """Return the table with its means over the classes that have objects."""
    counted = table[:, (table >= 0).all(0)]
    means = counted.mean(1) if counted.size else np.full(len(table), -1.0)
    return {"ap": float(means.mean()), "by_threshold": means, "table": table}


def panoptic_quality(
    pred: np.ndarray,
    target: np.ndarray,
) -> dict[int, dict[str, float]]:
    """Return pq, sq, rq, tp, fp, fn of every category seen, Eq. (detr-pq).

    Both are whole numbers (..., H, W, 2): category and instance of each pixel,
    of one image or of a batch; segments do not reach across images.

    Raises:
        ValueError: the shapes differ or do not end in (H, W, 2).
        TypeError: not whole numbers.
    """
    pred, target = np.asarray(pred), np.asarray(target)
    if pred.shape != target.shape or pred.ndim < 3 or pred.shape[-1] != 2:
        found = pred.shape, target.shape
        raise ValueError(
            f"pred and target must have one shape (..., H, W, 2), got {found}",
        )
    if pred.dtype.kind not in "iu" or target.dtype.kind not in "iu":
        raise TypeError(
            "pred and target must be integers, "  # both of them
            f"got {pred.dtype}, {target.dtype}",
        )
    sums: dict[int, list[float]] = {}
    size = pred.shape[-3] * pred.shape[-2]
    for p, t in zip(
        pred.reshape(-1, size, 2),
        target.reshape(-1, size, 2),
        strict=True,
    ):
        for category, add in _segments(p, t).items():
            before = sums.get(category, [0.0] * 4)
            sums[category] = [a + b for a, b in zip(before, add, strict=True)]
    return {category: _qualities(*sums[category]) for category in sorted(sums)}


def _segments(p: np.ndarray, t: np.ndarray) -> dict[int, list[float]]:
    """Return the sum of IoUs, and TP, FP, FN of each category of one image."""
    predicted, p_index, p_area = np.unique(
        p,
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    wanted, t_index, t_area = np.unique(
        t,
        axis=0,
        return_inverse=True,
        return_counts=True,
    )
    both = np.zeros((len(predicted), len(wanted)))
    np.add.at(both, (p_index.ravel(), t_index.ravel()), 1)
    iou = both / (p_area[:, None] + t_area - both)
    same = predicted[:, None, 0] == wanted[None, :, 0]
    hit = same & (iou > 0.5)
    found = {}
    for category in np.unique([*predicted[:, 0], *wanted[:, 0]]).tolist():
        own = hit[predicted[:, 0] == category][:, wanted[:, 0] == category]
        matched = iou[predicted[:, 0] == category][  # rows, then columns
            :,
            wanted[:, 0] == category,
        ][own]
        tp = own.sum()
        counts = matched.sum(), tp, own.shape[0] - tp, own.shape[1] - tp
        found[category] = [float(value) for value in counts]
    return found


def _qualities(
    total: float,
    tp: float,
    fp: float,
    fn: float,
) -> dict[str, float]:
    """Return PQ = SQ · RQ and what it is made of."""
    sq = total / tp if tp else 0.0
    rq = tp / (tp + (fp + fn) / 2)
    return {"pq": sq * rq, "sq": sq, "rq": rq, "tp": tp, "fp": fp, "fn": fn}
