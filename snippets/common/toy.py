"""Point clouds in the plane for models to learn, made by a formula instead of a download."""

import numpy as np


def two_moons(n: int, noise: float | int = 0.1, seed: int = 0) -> np.ndarray:
    """Return n points (n, 2) of two half circles that reach into each other.

    The upper one is (cos a, sin a), the lower one (1 - cos a, 1/2 - sin a), with a uniform on
    [0, pi]; half of the points lie on each, and normal noise is added.
    Raises: ValueError unless n >= 2 and noise >= 0.
    """
    if n < 2 or noise < 0:
        raise ValueError(f"n must be >= 2 and noise >= 0, got {n} and {noise}")
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, np.pi, n)
    lower = rng.permutation(n) < n // 2
    x = np.where(lower, 1 - np.cos(angle), np.cos(angle))
    y = np.where(lower, 0.5 - np.sin(angle), np.sin(angle))
    return np.stack([x, y], 1) + noise * rng.standard_normal((n, 2))
