"""Eigenfaces: the directions in which faces differ most, by one thin SVD."""

import numpy as np
from jaxtyping import Float


class PCA:
    """Project rows of a matrix on their k main directions, whitened or not."""

    def __init__(self, k: int, whiten: bool = False) -> None:
        """Keep k directions.

        Raises: ValueError unless k is an integer >= 1.
        """
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"k must be an integer >= 1, got {k!r}")
        self.k, self.whiten = k, whiten

    def fit(self, X: np.ndarray) -> "PCA":
        """Find mean, components (k, d), variances (k,) of the rows of X (n, d).

        Eq. (face-recognition-pca).

        Raises: ValueError unless X is (n, d) and finite with k <= min(n, d) and
        n >= 2, or where whitening would divide by zero.
        """
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or len(X) < 2 or self.k > min(X.shape):
            raise ValueError(
                f"X must be (n >= 2, d), both >= {self.k}, got {X.shape}",
            )
        if not np.isfinite(X).all():
            raise ValueError("X must be finite, got nan or inf among it")
        self.mean = X.mean(0)
        _, d, vt = np.linalg.svd(X - self.mean, full_matrices=False)
        self.variance = d[: self.k] ** 2 / (len(X) - 1)
        if self.whiten and self.variance[-1] <= 1e-12 * self.variance[0]:
            raise ValueError(f"whitening needs {self.k} variances > 0")
        largest = np.abs(vt[: self.k]).argmax(1)
        sign = np.sign(vt[range(self.k), largest])
        self.components = vt[: self.k] * sign[:, None]
        return self

    def transform(self, X: np.ndarray) -> Float[np.ndarray, "n k"]:
        """Return the coordinates of rows of X (n, d).

        Eq. (face-recognition-whiten).

        Raises: ValueError before `fit`, and unless X has as many columns as the
        fitted one.
        """
        if not hasattr(self, "mean"):
            raise ValueError("fit must come before transform")
        X = np.asarray(X, np.float64)
        if X.ndim != 2 or X.shape[1] != len(self.mean):
            raise ValueError(f"X must be (n, {len(self.mean)}), got {X.shape}")
        Z = (X - self.mean) @ self.components.T
        return Z / np.sqrt(self.variance) if self.whiten else Z

    def inverse(self, Z: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n d"]:
        """Return the faces that coordinates stand for, in the range of X."""
        scale = np.sqrt(self.variance) if self.whiten else 1.0
        return Z * scale @ self.components + self.mean
