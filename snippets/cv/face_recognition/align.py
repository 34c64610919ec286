"""Alignment: the similarity that carries five landmarks to the template, and the warp by it."""

import numpy as np
from jaxtyping import Float, UInt8

from .checks import Pixels, check_image, check_points

ARCFACE_TEMPLATE = np.array(
    [
        [38.2946, 51.6963],  # the eye that lies left in the image
        [73.5318, 51.5014],  # the eye that lies right in it
        [56.0252, 71.7366],  # tip of the nose
        [41.5493, 92.3655],  # corner of the mouth, left in the image
        [70.7299, 92.2041],  # corner of the mouth, right in it
    ]
)


def similarity_transform(
    src: np.ndarray,
    dst: np.ndarray,
    estimate_scale: bool = True,
) -> Float[np.ndarray, "2 3"]:
    """Return the least-squares similarity that carries src to dst.

    Eq. (face-recognition-umeyama); src and dst are points (N, 2).

    Raises: ValueError unless both are (N >= 2, 2), finite and as many, and src
    does not lie in one point (up to rounding).
    """
    src = check_points("src", src)
    dst = check_points("dst", dst, len(src))
    mean_src, mean_dst = src.mean(0), dst.mean(0)
    x, y = src - mean_src, dst - mean_dst
    spread = np.square(x).sum()
    if spread <= 1e-24 * np.square(src).sum():
        raise ValueError(f"src must not lie in one point, got {src.tolist()}")
    u, d, vt = np.linalg.svd(y.T @ x)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = u * sign @ vt
    scale = (d * sign).sum() / spread if estimate_scale else 1.0
    matrix = scale * rotation
    return np.column_stack([matrix, mean_dst - matrix @ mean_src])


def similarity_complex(
    src: Float[np.ndarray, "n 2"],
    dst: Float[np.ndarray, "n 2"],
) -> Float[np.ndarray, "2 3"]:
    """Return the same similarity from one complex division.

    Eq. (face-recognition-complex); for points that have been checked.
    """
    z, w = src @ [1, 1j], dst @ [1, 1j]
    a = np.vdot(z - z.mean(), w) / np.vdot(z - z.mean(), z)
    b = w.mean() - a * z.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def warp_affine(
    img: Pixels,
    M: np.ndarray,
    size: tuple[int, int],
) -> UInt8[np.ndarray, "height width 3"]:
    """Return img (uint8 RGB, 0 to 255) seen through M, bilinear, black outside.

    Eq. (face-recognition-warp).  M (2, 3) carries points (x, y) of img to points
    of the result, whose size is (width, height).

    Raises: ValueError or TypeError unless img is an image; ValueError unless M
    is (2, 3), finite and invertible and size holds two integers >= 1.
    """
    img = check_image(img)
    M = np.asarray(M, dtype=np.float64)
    if M.shape != (2, 3) or not np.isfinite(M).all():
        raise ValueError(f"M must be finite and have the shape (2, 3), got {M}")
    if np.linalg.det(M[:, :2]) == 0:
        raise ValueError(f"M must be invertible, got {M.tolist()}")
    if np.shape(size) != (2,) or any(int(n) != n or n < 1 for n in size):
        raise ValueError(
            f"size must be (width, height), integers >= 1, got {size}",
        )
    width, height = size
    inverse = np.linalg.inv(M[:, :2])
    rows, columns = np.mgrid[:height, :width]
    points = np.stack([columns - M[0, 2], rows - M[1, 2]], axis=-1) @ inverse.T
    return np.rint(_bilinear(img, points)).astype(np.uint8)


def _bilinear(
    img: UInt8[np.ndarray, "h w 3"],
    points: Float[np.ndarray, "height width 2"],
) -> Float[np.ndarray, "height width 3"]:
    """Interpolate img between the four pixels around each point (x, y).

    img is uint8, 0 to 255; the order of its channels does not matter here.
    """
    h, w, _ = img.shape
    padded = np.pad(img.astype(np.float64), ((1, 1), (1, 1), (0, 0)))
    points = points.clip(-1, [w, h]) + 1  # the frame of zeros is the outside
    corner = np.floor(points).astype(int).clip(0, [w, h])
    x, y = corner[..., 0], corner[..., 1]
    fx, fy = np.moveaxis(points - corner, -1, 0)[..., None]
    above = padded[y, x] * (1 - fx) + padded[y, x + 1] * fx
    below = padded[y + 1, x] * (1 - fx) + padded[y + 1, x + 1] * fx
    return above * (1 - fy) + below * fy


def norm_crop(
    img: Pixels,
    landmarks: np.ndarray,
    size: int = 112,
) -> UInt8[np.ndarray, "size size 3"]:
    """Return the face of img (uint8 RGB, 0 to 255) upright, size x size pixels.

    landmarks (5, 2): eyes, nose, mouth corners as (x, y), left ones first.

    Raises: ValueError or TypeError unless img is an image; ValueError unless
    there are five finite landmarks, not in one point, and size is an integer
    >= 1.
    """
    img = check_image(img)
    landmarks = check_points("landmarks", landmarks, 5)
    if int(size) != size or size < 1:
        raise ValueError(f"size must be an integer >= 1, got {size}")
    template = ARCFACE_TEMPLATE * size / 112
    M = similarity_transform(landmarks, template)
    return warp_affine(img, M, (size, size))
