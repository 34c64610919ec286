"""Boxes: two ways to write one, and how much two of them have in common.

Left out: rotated boxes, gradients through greedy suppression (it has none).
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .checks import check_corners, check_last_axis, check_lists


def box_cxcywh_to_xyxy(b: Tensor) -> Float[Tensor, "... 4"]:
    """Turn centre and size into the upper left and lower right corner.

    Raises:
        ValueError: the last axis does not hold four numbers.
        TypeError: whole numbers.
    """
    check_last_axis("b", b)
    centre, size = b[..., :2], b[..., 2:]
    return torch.cat([centre - size / 2, centre + size / 2], -1)


def box_xyxy_to_cxcywh(b: Tensor) -> Float[Tensor, "... 4"]:
    """Turn two corners into centre and size.

    Raises:
        ValueError: other shapes, or the corners are out of order.
        TypeError: whole numbers.
    """
    check_corners(b=b)
    first, last = b[..., :2], b[..., 2:]
    return torch.cat([(first + last) / 2, last - first], -1)


def box_area(b: Tensor) -> Float[Tensor, "..."]:
    """Return width times height of (x0, y0, x1, y1).

    Raises:
        ValueError: other shapes, or the corners are out of order.
        TypeError: whole numbers.
    """
    check_corners(b=b)
    return _area(b)


def _area(b: Tensor) -> Tensor:
    return (b[..., 2:] - b[..., :2]).prod(-1)


def _iou_union(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Return IoU and union of boxes whose leading axes broadcast."""
    first = torch.maximum(a[..., :2], b[..., :2])
    last = torch.minimum(a[..., 2:], b[..., 2:])
    inter = (last - first).clamp(min=0).prod(-1)
    union = _area(a) + _area(b) - inter
    return inter / union.clamp(min=torch.finfo(union.dtype).tiny), union


def _giou(a: Tensor, b: Tensor) -> Tensor:
    """Return Eq. (detr-giou) of boxes whose leading axes broadcast."""
    iou, union = _iou_union(a, b)
    first = torch.minimum(a[..., :2], b[..., :2])
    last = torch.maximum(a[..., 2:], b[..., 2:])
    hull = (last - first).prod(-1)
    return iou - (hull - union) / hull.clamp(min=torch.finfo(hull.dtype).tiny)


def box_iou(
    a: Tensor,
    b: Tensor,
) -> tuple[Float[Tensor, "n m"], Float[Tensor, "n m"]]:
    """Return IoU and union of all pairs of (n, 4) and (m, 4), Eq. (detr-iou).

    Two boxes without area have the IoU 0.

    Raises:
        ValueError: other shapes, or corners out of order.
        TypeError: whole numbers.
    """
    check_lists(a=a, b=b)
    return _iou_union(a[:, None], b[None])


def generalized_box_iou(a: Tensor, b: Tensor) -> Float[Tensor, "n m"]:
    """Return the GIoU of all pairs of (n, 4) and (m, 4), Eq. (detr-giou).

    Raises:
        ValueError: other shapes, or corners out of order.
        TypeError: whole numbers.
    """
    check_lists(a=a, b=b)
    return _giou(a[:, None], b[None])


def paired_giou(a: Tensor, b: Tensor) -> Float[Tensor, "..."]:
    """Return the GIoU of each box with the one at its place.

    Raises:
        ValueError: the shapes differ, or corners are out of order.
        TypeError: whole numbers.
    """
    check_corners(a=a, b=b)
    if a.shape != b.shape:
        found = tuple(a.shape), tuple(b.shape)
        raise ValueError(f"a and b must have the same shape, got {found}")
    return _giou(a, b)


def nms(boxes: Tensor, scores: Tensor, threshold: float) -> Int[Tensor, " kept"]:
    """Keep boxes, best first, unless a kept one overlaps by IoU > threshold.

    Raises:
        ValueError: not one score per box, corners out of order, or a
            threshold outside [0, 1].
        TypeError: whole numbers.
    """
    check_corners(boxes=boxes)
    if scores.shape != boxes.shape[:1]:
        found = tuple(boxes.shape), tuple(scores.shape)
        raise ValueError(f"boxes (n, 4) need scores (n,), got {found}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in [0, 1], got {threshold}")
    overlaps = box_iou(boxes, boxes)[0] > threshold
    kept: list[int] = []
    for i in scores.argsort(descending=True, stable=True).tolist():
        if not overlaps[i, kept].any():
            kept.append(i)
    return torch.tensor(kept, dtype=torch.long)
