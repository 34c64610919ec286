"""The embedding layer, as a matrix product and as the table lookup that it is."""

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse


def check_ids(name: str, ids: np.ndarray, V: int) -> None:
    """Raise ValueError unless every id is one of the integers 0 … V−1."""
    if ids.size and ids.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integers, got {ids.dtype}")
    if ids.size and not (ids.min() >= 0 and ids.max() < V):
        bad = ids[(ids < 0) | (ids >= V)][0]
        raise ValueError(f"{name} must lie between 0 and {V - 1}, got {bad}")


def check_positive(**numbers: float | int) -> None:
    """Raise ValueError for the first of the numbers that is below 1."""
    for name, value in numbers.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")


def one_hot(idx: Int[np.ndarray, " n"], V: int) -> Float[np.ndarray, "n V"]:
    """Return the rows of the V × V identity that the ids name.

    Raises:
        ValueError: V is below 1 or an id is not one of 0 … V−1.
    """
    check_positive(V=V)
    check_ids("idx", idx, V)
    X = np.zeros((len(idx), V), dtype=np.float32)
    X[np.arange(len(idx)), idx] = 1
    return X


def embedding_lookup(
    W: Float[np.ndarray, "V d"],
    idx: Int[np.ndarray, " n"],
) -> Float[np.ndarray, "n d"]:
    """Return the rows of W that the ids name, Eq. (word-embeddings-lookup).

    Raises:
        ValueError: an id is not a row of W.
    """
    check_ids("idx", idx, len(W))
    return W[idx]


def embedding_backward(
    idx: Int[np.ndarray, " _"],
    g: Float[np.ndarray, "n d"],
    V: int,
) -> Float[np.ndarray, "V d"]:
    """Return ∂L/∂W, the rows of g summed by id, Eq. (word-embeddings-scatter).

    Raises:
        ValueError: V is below 1, an id is not below V, or the lengths differ.
    """
    check_positive(V=V)
    check_ids("idx", idx, V)
    if len(idx) != len(g):
        raise ValueError(
            f"idx and g must have one length, got {len(idx)} and {len(g)}",
        )
    ones = np.ones(len(idx), dtype=g.dtype)
    return (
        sparse.csr_array(
            (ones, (idx, np.arange(len(idx)))),
            shape=(V, len(idx)),
        )
        @ g
    )
