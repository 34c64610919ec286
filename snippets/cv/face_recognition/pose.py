"""One face into many views, many views into one vector."""

from math import radians

import numpy as np
from jaxtyping import Float, UInt8

from .align import _bilinear
from .checks import Pixels, check_image


def turn(crop: Pixels, degrees: float) -> UInt8[np.ndarray, "h w 3"]:
    """Return an aligned face turned about the vertical axis, as on a cylinder.

    Eq. (face-recognition-turn).  crop is uint8 RGB (H, W, 3), 0 to 255; what the
    camera did not see stays black.

    Raises: ValueError or TypeError unless crop is an image; ValueError unless
    -60 <= degrees <= 60.
    """
    crop = check_image(crop)
    if not -60 <= degrees <= 60:
        raise ValueError(f"degrees must be -60 to 60, got {degrees}")
    height, width, _ = crop.shape
    middle, radius = (width - 1) / 2, width * 0.6
    rows, columns = np.mgrid[:height, :width].astype(float)
    angle = np.arcsin((columns - middle) / radius) - radians(degrees)
    seen = np.abs(angle) < np.pi / 2
    source = np.where(seen, middle + radius * np.sin(angle), -2)
    points = np.stack([source, rows], axis=-1)
    return np.rint(_bilinear(crop, points)).astype(np.uint8)


def one_to_many(
    crop: Pixels,
    degrees: tuple[float, ...] = (-20.0, 20.0),
) -> list[UInt8[np.ndarray, "h w 3"]]:
    """Return a face, its turned views, and the mirror image of each.

    crop is uint8 RGB (H, W, 3), 0 to 255.

    Raises: as `turn`.
    """
    views = [check_image(crop), *(turn(crop, angle) for angle in degrees)]
    return [*views, *(view[:, ::-1].copy() for view in views)]


def many_to_one(emb: np.ndarray) -> Float[np.ndarray, " d"]:
    """Return the unit vector nearest to many embeddings of one person.

    Eq. (face-recognition-template).  emb (n, d).

    Raises: ValueError unless emb is (n >= 1, d), finite, without a row of zeros
    and its directions do not cancel.
    """
    emb = np.asarray(emb, np.float64)
    if emb.ndim != 2 or not len(emb):
        raise ValueError(f"emb must be (n >= 1, d), got {emb.shape}")
    if not np.isfinite(emb).all():
        raise ValueError("emb must be finite, got nan or inf among it")
    length = np.linalg.norm(emb, axis=1, keepdims=True)
    if not length.all():
        raise ValueError("emb must hold no row of zeros")
    total = (emb / length).sum(0)
    size = np.linalg.norm(total)
    if size < 1e-12 * len(emb):
        raise ValueError("emb must not cancel: its directions sum to zero")
    return total / size
