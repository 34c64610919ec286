"""What may go in: images, landmarks, embeddings, scores; each refusal names what it got."""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from torch import Tensor

Pixels = Any  # an image; checked by hand, so that bytes and paths get a plain message


def check_image(img: Pixels) -> UInt8[np.ndarray, "h w 3"]:
    """Return the image if it is one: uint8 RGB (H, W, 3), values 0 to 255.

    Raises: TypeError unless img is an array of uint8; ValueError unless its shape
    is (H, W, 3) with H and W >= 1.
    """
    if not isinstance(img, np.ndarray):
        kind = type(img).__name__
        raise TypeError(
            f"img must be a decoded uint8 RGB array (H, W, 3), got {kind}",
        )
    if img.ndim != 3 or img.shape[2] != 3 or 0 in img.shape:
        raise ValueError(f"img must have the shape (H, W, 3), got {img.shape}")
    if img.dtype != np.uint8:
        raise TypeError(
            f"img must be uint8 with values 0 to 255, got {img.dtype}",
        )
    return img


def check_crops(crops: Tensor) -> None:
    """Refuse what is not a batch of aligned RGB crops, 0 to 255 as floats.

    Raises: ValueError unless the shape is (B, 3, 112, 112) and the values lie
    between 0 and 255, not all of them at most 1; TypeError unless they are floats.
    """
    if crops.ndim != 4 or crops.shape[1:] != (3, 112, 112):
        raise ValueError(
            f"crops must have the shape (B, 3, 112, 112), got {tuple(crops.shape)}",
        )
    if not crops.is_floating_point():
        raise TypeError(f"crops must be floats, got {crops.dtype}")
    low, high = (crops.min().item(), crops.max().item()) if len(crops) else (0, 255)
    if not 0 <= low <= high <= 255 or 0 < high <= 1:
        raise ValueError(
            f"crops must hold raw values 0 to 255, got {low:g} to {high:g}",
        )


def check_points(name: str, points: np.ndarray, n: int | None = None) -> np.ndarray:
    """Return points as float64 (N, 2).

    Raises: ValueError unless there are n finite points, or at least 2 where n is
    None.
    """
    points = np.asarray(points, dtype=np.float64)
    wanted = f"({n or 'N >= 2'}, 2)"
    few = points.ndim != 2 or points.shape[1:] != (2,) or len(points) < 2
    if few or n not in (None, len(points)):
        raise ValueError(f"{name} must have the shape {wanted}, got {points.shape}")
    if not np.isfinite(points).all():
        raise ValueError(f"{name} must be finite, got {points.tolist()}")
    return points


def check_labelled(emb: Tensor, y: Tensor) -> None:
    """Refuse embeddings without one label each.

    Raises: ValueError unless emb is (B, d) and y is (B,); TypeError unless y holds
    integers.
    """
    if emb.ndim != 2 or y.shape != emb.shape[:1]:
        shapes = f"{tuple(emb.shape)} and {tuple(y.shape)}"
        raise ValueError(f"emb and y must have the shapes (B, d) and (B,), got {shapes}")
    if y.is_floating_point() or y.is_complex():
        raise TypeError(f"y must hold integers, got {y.dtype}")


def check_classes(y: Tensor, classes: int) -> None:
    """Refuse labels of classes that do not exist.

    Raises: ValueError unless y lies between 0 and classes - 1.
    """
    if len(y) and not 0 <= int(y.min()) <= int(y.max()) < classes:
        wrong = (int(y.min()), int(y.max()))
        raise ValueError(f"y must lie between 0 and {classes - 1}, got {wrong}")


def check_scores(scores: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return scores of pairs as float64 and labels as Booleans, both (n,).

    Raises: ValueError unless the shapes agree, scores are finite, labels are 0 or 1
    and both occur.
    """
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    if scores.ndim != 1 or scores.shape != labels.shape:
        raise ValueError(
            f"scores and labels must both be (n,), got {scores.shape}, {labels.shape}",
        )
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, got nan or inf among them")
    same = labels == 1
    if not (same | (labels == 0)).all() or same.all() or not same.any():
        raise ValueError(
            f"labels must hold both 0 and 1, got {np.unique(labels).tolist()}",
        )
    return scores, same
