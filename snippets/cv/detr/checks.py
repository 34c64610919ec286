"""Refuse bad input before any work, naming the value and what was expected."""

import numpy as np
import torch
from torch import Tensor


def check_last_axis(name: str, boxes: Tensor) -> None:
    """Let floats pass whose last axis holds four numbers.

    Raises:
        ValueError: other shapes.
        TypeError: whole numbers, whose halves would be lost.
    """
    if not boxes.is_floating_point():
        raise TypeError(f"{name} must be floats, got {boxes.dtype}")
    if not boxes.ndim or boxes.shape[-1] != 4:
        shape = tuple(boxes.shape)
        raise ValueError(f"{name} must have the shape (..., 4), got {shape}")


def check_corners(**named: Tensor) -> None:
    """Let boxes pass whose first corner is the upper left one.

    Raises:
        ValueError: other shapes, corners out of order, or NaN.
        TypeError: whole numbers.
    """
    for name, boxes in named.items():
        check_last_axis(name, boxes)
        ordered = (boxes[..., :2] <= boxes[..., 2:]).all(-1)
        if not ordered.all():
            bad = boxes[~ordered][0].tolist()
            raise ValueError(
                f"{name} must be (x0, y0, x1, y1) with x0 <= x1 and y0 <= y1, got {bad}"
            )


def check_lists(**named: Tensor) -> None:
    """Let corners pass that are lists of boxes (n, 4).

    Raises:
        ValueError: other shapes, corners out of order, or NaN.
        TypeError: whole numbers.
    """
    check_corners(**named)
    for name, boxes in named.items():
        if boxes.ndim != 2:
            raise ValueError(f"{name} must have the shape (n, 4), got {tuple(boxes.shape)}")


def check_valid(valid: Tensor, images: Tensor) -> None:
    """Let a mask pass that says of each pixel whether it is one.

    Raises:
        ValueError: another shape, or not bool.
    """
    size = images.shape[0], *images.shape[2:]
    if valid.shape != size or valid.dtype != torch.bool:
        found = tuple(valid.shape), valid.dtype
        raise ValueError(f"valid must be {size} and bool, got {found}")


def check_outputs(outputs: dict) -> None:
    """Let predictions pass whose logits and boxes belong together.

    Raises:
        ValueError: a key is missing, or the shapes do not fit.
    """
    missing = {"pred_logits", "pred_boxes"} - outputs.keys()
    if missing:
        raise ValueError(
            f"outputs lack {sorted(missing)}, got {sorted(outputs)}",
        )
    logits, boxes = outputs["pred_logits"], outputs["pred_boxes"]
    if logits.ndim != 3 or not len(logits) or boxes.shape != (*logits.shape[:2], 4):
        found = tuple(logits.shape), tuple(boxes.shape)
        raise ValueError(
            f"outputs must be (B, N, K + 1) and (B, N, 4), B >= 1, got {found}",
        )


def check_targets(targets: list[dict], batch: int, num_classes: int) -> None:
    """Let targets pass that this model can be trained on.

    Raises:
        ValueError: not one per image, a label that is no class, shapes that do
            not fit, or boxes that are not (cx, cy, w, h) in [0, 1].
    """
    if len(targets) != batch:
        raise ValueError(
            f"{batch} images need as many targets, got {len(targets)}",
        )
    for i, target in enumerate(targets):
        missing = {"labels", "boxes"} - target.keys()
        if missing:
            raise ValueError(f"target {i} lacks {sorted(missing)}, got {sorted(target)}")
        labels, boxes = target["labels"], target["boxes"]
        if labels.ndim != 1 or labels.dtype != torch.int64:
            found = tuple(labels.shape), labels.dtype
            raise ValueError(f"target {i}: labels must be (m,) and int64, got {found}")
        if boxes.shape != (len(labels), 4):
            shape = tuple(boxes.shape)
            raise ValueError(
                f"target {i} has {len(labels)} labels, so boxes must be "
                f"({len(labels)}, 4), got {shape}"
            )
        if len(labels) and not (labels.min() >= 0 and labels.max() < num_classes):
            raise ValueError(
                f"target {i}: labels must lie in 0 … {num_classes - 1}, got {labels.tolist()}"
            )
        if not ((boxes >= 0) & (boxes <= 1)).all():
            raise ValueError(
                f"target {i}: boxes must be (cx, cy, w, h) in [0, 1], got {boxes.tolist()}"
            )


def check_cost(cost: np.ndarray) -> None:
    """Let a finite matrix pass.

    Raises:
        ValueError: not two axes, or an entry is infinite or NaN.
    """
    if cost.ndim != 2:
        raise ValueError(f"cost must have the shape (n, m), got {cost.shape}")
    if not np.isfinite(cost).all():
        bad = cost[~np.isfinite(cost)][0]
        raise ValueError(f"cost must be finite, got {bad}")
