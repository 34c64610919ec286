"""Vectors from counting: co-occurrence, pointwise mutual information, truncated SVD."""

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.sparse.linalg import svds

from .corpus import Ids, skipgram_pairs
from .lookup import check_ids, check_positive


def cooccurrence(
    ids: Ids,
    sent_ids: Ids,
    window: int,
    V: int,
) -> sparse.csr_array:
    """Return M with M[w, c] = how often c stands within the window of w.

    Raises:
        ValueError: window or V is below 1, an id is not below V, or the
            lengths differ.
    """
    check_positive(V=V)
    check_ids("ids", ids, V)
    center, context = skipgram_pairs(ids, sent_ids, window)
    return sparse.csr_array(
        (np.ones(len(center)), (center, context)),
        shape=(V, V),
    )


def pmi(
    M: sparse.csr_array,
    alpha: float | int = 0.75,
    shift: float | int = 0,
) -> sparse.csr_array:
    """Return PMI − shift where M is positive, Eq. (word-embeddings-pmi).

    Pairs never seen, whose PMI is −∞, are left out.

    Raises:
        ValueError: M is empty or has a negative entry.
    """
    M = sparse.csr_array(M)
    M.eliminate_zeros()
    if not M.nnz or M.data.min() < 0:
        found = "none" if not M.nnz else f"{M.data.min():g}"
        raise ValueError(f"M must hold positive counts, got {found}")
    row, column = M.sum(axis=1), M.sum(axis=0) ** alpha
    w, c = M.nonzero()
    ratio = M.data * column.sum() / (row[w] * column[c])
    return sparse.csr_array((np.log(ratio) - shift, (w, c)), shape=M.shape)


def ppmi(
    M: sparse.csr_array, alpha: float | int = 0.75, shift: float | int = 0
) -> sparse.csr_array:
    """Return max(PMI − shift, 0), Eq. (word-embeddings-ppmi).

    Raises:
        ValueError: M is empty or has a negative entry.
    """
    X = pmi(M, alpha, shift)
    X.data = np.maximum(X.data, 0)
    X.eliminate_zeros()
    return X


def svd_vectors(
    X: sparse.csr_array,
    d: int,
    p: float | int = 0.5,
) -> Float[np.ndarray, "V d"]:
    """Return U_d Σ_d^p, strongest column first, Eq. (word-embeddings-svd).

    Raises:
        ValueError: d is below 1 or not below both sides of X.
    """
    if not 1 <= d < min(X.shape):
        raise ValueError(
            f"d must be between 1 and {min(X.shape) - 1}, got {d}",
        )
    # so that a repetition agrees: the solver would start anywhere
    start = np.random.default_rng(0).normal(size=min(X.shape))
    U, s, _ = svds(sparse.csr_array(X), k=d, v0=start)
    return U[:, ::-1] * s[::-1] ** p
