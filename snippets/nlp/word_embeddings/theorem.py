"""What negative sampling converges to: the loss summed over the corpus, and its minimum."""

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.special import expit, log_expit

from .lookup import check_positive

Table = Float[np.ndarray, "V V"]


def sgns_objective(x: Table, M: Table, k: float | int) -> tuple[float, Table]:
    """Return the loss of all scores x and its gradient.

    Eq. (word-embeddings-objective).

    Raises:
        ValueError: x and M differ in shape, or M counts nothing.
    """
    if x.shape != M.shape:
        raise ValueError(f"x must have M's shape {M.shape}, got {x.shape}")
    if not M.any():
        raise ValueError("M must hold positive counts, got none")
    noise = k * np.outer(M.sum(1), M.sum(0)) / M.sum()
    loss = -(M * log_expit(x) + noise * log_expit(-x)).sum()
    return float(loss), noise * expit(x) - M * expit(-x)


def factorize(
    M: Table, d: int, k: float | int = 5, seed: int = 0, steps: int = 3000
) -> tuple[Float[np.ndarray, "V d"], Float[np.ndarray, "V d"]]:
    """Return W and C whose scores W Cᵀ minimize the loss, found by L-BFGS.

    Raises:
        ValueError: d or k is below 1, or M is not square or counts nothing.
    """
    check_positive(d=d, k=k)
    if M.ndim != 2 or len(M) != M.shape[1]:
        raise ValueError(f"M must be square, got the shape {M.shape}")
    if not M.any():
        raise ValueError("M must hold positive counts, got none")
    V = len(M)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        W, C = flat.reshape(2, V, d)
        loss, g = sgns_objective(W @ C.T, M, k)
        return (
            loss / M.sum(),  # so that the tolerances mean the same for any text
            np.concatenate([g @ C, g.T @ W]).ravel() / M.sum(),
        )

    start = np.random.default_rng(seed).normal(0, 0.1, 2 * V * d)
    options = {
        "maxiter": steps,
        "maxfun": 2 * steps,
        "ftol": 1e-15,
        "gtol": 1e-9,
    }
    found = minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        options=options,
    )
    W, C = found.x.reshape(2, V, d)
    return W, C
