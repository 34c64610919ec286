"""Scenes to detect things in: shapes drawn by code, and real digits on a dark ground.

All randomness comes from the numpy Generator given, so a seed is a scene.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from .boxes import box_xyxy_to_cxcywh

SIZE = 64
SHAPES = ("circle", "square", "triangle")
Scene = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pixels (C, 64, 64) in [0, 1], boxes (m, 4) as corners in pixels, labels (m,)."""


def place_boxes(
    rng: np.random.Generator,
    count: int,
    low: int,
    high: int,
) -> np.ndarray:
    """Return up to count squares of whole pixels that do not overlap.

    Sides are low … high; one that finds no room in 30 tries is left out.

    Raises:
        ValueError: sides do not fit the picture, or count is negative.
    """
    if not 1 <= low <= high <= SIZE:
        raise ValueError(
            f"need 1 <= low <= high <= {SIZE}, got {low} and {high}",
        )
    if count < 0:
        raise ValueError(f"count must be >= 0, got {count}")
    kept = np.empty((0, 4), int)
    for _ in range(count):
        for _ in range(30):
            side = rng.integers(low, high + 1)
            corner = rng.integers(0, SIZE - side + 1, 2)
            first = np.maximum(kept[:, :2], corner)
            last = np.minimum(kept[:, 2:], corner + side)
            if not (first < last).all(1).any():
                kept = np.append(kept, [[*corner, *corner + side]], 0)
                break
    return kept


def shape_mask(kind: int, side: int) -> np.ndarray:
    """Return which pixels of a square the shape covers.

    Raises:
        ValueError: no such shape.
    """
    if not 0 <= kind < len(SHAPES):
        raise ValueError(
            f"kind must lie in 0 … {len(SHAPES) - 1}, got {kind}",
        )
    y, x = np.mgrid[:side, :side]
    across = abs(2 * (x + 0.5) / side - 1)
    down = abs(2 * (y + 0.5) / side - 1)
    if SHAPES[kind] == "circle":
        return across**2 + down**2 <= 1
    if SHAPES[kind] == "triangle":
        return across <= (y + 1.01) / side
    return np.ones((side, side), bool)


def shapes_scene(rng: np.random.Generator, most: int = 3) -> Scene:
    """Draw 1 … most shapes, bright and of any colour, on a dark ground."""
    image = (
        rng.uniform(0.0, 0.3, 3)[:, None, None]  # the ground
        .repeat(SIZE, 1)
        .repeat(SIZE, 2)
    )
    boxes = place_boxes(rng, int(rng.integers(1, most + 1)), 14, 28)
    labels = rng.integers(0, len(SHAPES), len(boxes))
    for (x0, y0, x1, y1), kind in zip(
        boxes.tolist(),
        labels.tolist(),
        strict=True,
    ):
        inside = shape_mask(kind, x1 - x0)
        image[:, y0:y1, x0:x1][:, inside] = rng.uniform(0.4, 1.0, (3, 1))
    image += rng.normal(0, 0.02, image.shape)
    return image.clip(0, 1).astype(np.float32), boxes, labels


def enlarge(digit: np.ndarray, w: int, h: int) -> np.ndarray:
    """Return a small picture stretched to (h, w) by linear interpolation."""
    grid = torch.tensor(digit)[None, None]
    return F.interpolate(grid, (h, w), mode="bilinear")[0, 0].numpy()


def ink(digit: np.ndarray) -> np.ndarray:
    """Return the part of an 8 x 8 digit that holds ink, from 0 … 16 to 0 … 1."""
    digit = digit.reshape(8, 8) / 16
    rows, columns = (np.flatnonzero(digit.max(axis) > 0.2) for axis in (1, 0))
    return digit[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def digits_scene(
    digits: np.ndarray,
    labels: np.ndarray,
    most: int = 3,
) -> Callable[[np.random.Generator], Scene]:
    """Return a maker of scenes with 1 … most of these digits (n, 64).

    Raises:
        ValueError: not n digits of 64 pixels with n labels.
    """
    if digits.shape != (len(labels), 64) or labels.ndim != 1:
        found = digits.shape, labels.shape
        raise ValueError(
            f"digits must be (n, 64) and labels (n,), got {found}",
        )

    def scene(rng: np.random.Generator) -> Scene:
        image = rng.uniform(0, 0.3) + rng.normal(0, 0.04, (1, SIZE, SIZE))
        places = place_boxes(rng, int(rng.integers(1, most + 1)), 16, 32)
        chosen = rng.integers(0, len(digits), len(places))
        boxes = places.copy()
        for k, (x, y, x1, y1) in enumerate(places.tolist()):
            digit, h = ink(digits[chosen[k]]), y1 - y
            w = max(
                4,
                min(x1 - x, round(h * digit.shape[1] / digit.shape[0])),
            )
            boxes[k, 2] = x + w
            image[0, y : y + h, x : x + w] += 0.7 * enlarge(digit, w, h)
        return image.clip(0, 1).astype(np.float32), boxes, labels[chosen]

    return scene


def scenes(
    make: Callable[[np.random.Generator], Scene],
    rng: np.random.Generator,
    count: int,
) -> tuple[Tensor, list[dict[str, Tensor]]]:
    """Return pictures (count, C, 64, 64) and targets, ready to train on.

    Raises:
        ValueError: count < 1.
    """
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    made = [make(rng) for _ in range(count)]
    images = torch.from_numpy(np.stack([image for image, _, _ in made]))
    targets = []
    for _, boxes, labels in made:
        corners = torch.tensor(boxes, dtype=torch.float32) / SIZE
        centred = box_xyxy_to_cxcywh(corners)
        targets.append({"labels": torch.tensor(labels), "boxes": centred})
    return images, targets


def crops(
    make: Callable[[np.random.Generator], Scene],
    rng: np.random.Generator,
    count: int,
    side: int = 32,
) -> tuple[Tensor, Tensor]:
    """Return windows around the first object of scenes, and its label.

    Raises:
        ValueError: count < 1, or the side does not fit the picture.
    """
    if not 1 <= side <= SIZE:
        raise ValueError(f"side must lie in 1 … {SIZE}, got {side}")
    images, targets = scenes(make, rng, count)
    windows = []
    for image, target in zip(images, targets, strict=True):
        corner = (target["boxes"][0, :2] * SIZE).round().long() - side // 2
        x, y = corner.clamp(0, SIZE - side).tolist()
        windows.append(image[:, y : y + side, x : x + side])
    return (
        torch.stack(windows),
        torch.stack([t["labels"][0] for t in targets]),
    )  # the first of each
