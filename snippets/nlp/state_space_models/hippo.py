"""HiPPO: the best polynomial memory of a stream is itself a linear differential equation."""

from collections.abc import Callable, Iterable
from itertools import pairwise

import numpy as np
from jaxtyping import Float
from numpy.polynomial.legendre import leggauss, legvander
from scipy.linalg import expm, lu_factor, lu_solve

from .checks import check_choice, check_count, check_positive, check_shape

Array = np.ndarray
Pair = tuple[Float[Array, "N N"], Float[Array, "N 1"]]
METHODS = ("zoh", "bilinear", "euler")


def legendre_basis(
    s: Float[Array, " points"],
    N: int,
) -> Float[Array, "points N"]:
    """Evaluate sqrt(2n+1) P_n(2s-1), the orthonormal basis of [0, 1].

    Eq. (state-space-models-basis).

    Raises:
        ValueError: N < 1.
    """
    check_count("N", N)
    return legvander(2 * s - 1, N - 1) * np.sqrt(2 * np.arange(N) + 1)


def legendre_project(
    f: Callable[[Array], Array],
    N: int,
    T: float,
    breaks: Iterable[float] = (),
) -> Float[Array, " N"]:
    """Project f on [0, T] by Gauss quadrature, piecewise between the breaks.

    Eq. (state-space-models-coefficients); exact for polynomial pieces of
    degree below 400 - N.

    Raises:
        ValueError: N < 1, T <= 0, or a break outside (0, T).
    """
    check_count("N", N)
    check_positive("T", T)
    breaks = tuple(breaks)
    if any(not 0 < b < T for b in breaks):
        raise ValueError(f"breaks must lie in (0, {T}), got {breaks}")
    ends = np.unique([0.0, *breaks, T]) / T
    nodes, weights = leggauss(200)
    c = np.zeros(N)
    for a, b in pairwise(ends):
        s = a + (b - a) * (nodes + 1) / 2
        c += (b - a) / 2 * (f(T * s) * weights) @ legendre_basis(s, N)
    return c


def reconstruct(
    c: Float[Array, "..."],
    s: Float[Array, " points"],
) -> Float[Array, " points"]:
    """Return the remembered function at the fractions s of its interval.

    Eq. (state-space-models-reconstruct).

    Raises:
        ValueError: c is empty or no vector.
    """
    check_shape("c", c, (-1,))
    return legendre_basis(s, len(c)) @ c


def _legs(N: int) -> Pair:
    root = np.sqrt(2 * np.arange(N) + 1)
    A = -np.tril(np.outer(root, root), -1) - np.diag(np.arange(N) + 1.0)
    return A, root[:, None]


def _legt(N: int) -> Pair:
    n = np.arange(N)
    root = np.sqrt(2 * n + 1)
    sign = np.where(n[:, None] >= n, 1.0, (-1.0) ** (n[:, None] - n))
    return -np.outer(root, root) * sign, root[:, None]


def _lmu(N: int) -> Pair:
    n = np.arange(N)[:, None]
    sign = np.where(n >= n.T, (-1.0) ** (n - n.T + 1), -1.0)
    return (2 * n + 1) * sign, (2 * n + 1) * (-1.0) ** n


def _lagt(N: int) -> Pair:
    return -np.tril(np.ones((N, N))), np.ones((N, 1))


def _fout(N: int) -> Pair:
    # basis of [0, 1]: 1, then sqrt(2) cos and sqrt(2) sin of 2 pi k r in turn;
    # of an even N the last state stays empty, for a cos needs its sin
    at_zero = np.zeros(N)
    at_zero[0], at_zero[1 : N - 1 : 2] = 1, np.sqrt(2)
    A = -2 * np.outer(at_zero, at_zero)
    for cos in range(1, N - 1, 2):
        frequency = np.pi * (cos + 1)
        A[cos, cos + 1], A[cos + 1, cos] = -frequency, frequency
    return A, 2 * at_zero[:, None]


KINDS = {"legs": _legs, "legt": _legt, "lmu": _lmu, "lagt": _lagt, "fout": _fout}


def hippo(N: int, kind: str = "legs") -> Pair:
    """Return A and B with the minus sign inside A: x' = A x + B u.

    'legs' is to be divided by t, Eq. (state-space-models-legs); 'legt' and
    'lmu' remember a window of length 1, Eq. (state-space-models-legt); 'fout'
    too, with Fourier's basis; 'lagt' forgets exponentially.

    Raises:
        TypeError: N is not an integer.
        ValueError: N < 1 or an unknown kind.
    """
    check_count("N", N)
    check_choice("kind", kind, tuple(KINDS))
    return KINDS[kind](N)


def legs_matvec(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """Multiply by the LegS matrix in O(N), by one cumulative sum.

    Eq. (state-space-models-matvec), for the last axis of x.

    Raises:
        ValueError: x is a single number.
    """
    check_count("the number of axes of x", np.ndim(x))
    n = np.arange(x.shape[-1])
    root = np.sqrt(2 * n + 1)
    return n * x - root * np.cumsum(root * x, axis=-1)


def legs_online(
    u: Float[Array, "..."],
    N: int,
    method: str = "zoh",
) -> Float[Array, "L N"]:
    """Return the memory after every sample, each updated from the one before.

    Eq. (state-space-models-online); 'zoh' is exact for a staircase u.

    Raises:
        ValueError: no sample, u no vector, N < 1 or an unknown method.
    """
    check_count("N", N)
    check_choice("method", method, METHODS)
    check_shape("u", u, (-1,))
    check_count("the number of samples", len(u))
    A, B = hippo(N)
    memory = np.zeros((len(u), N))
    memory[0, 0] = u[0]  # so far the stream was constant
    for k in range(1, len(u)):
        memory[k] = _legs_step(A, B[:, 0], memory[k - 1], u[k], k, method)
    return memory


def _legs_step(
    A: Array,
    B: Array,
    c: Array,
    u: float,
    k: int,
    method: str,
) -> Array:
    """Go from t = k to k+1 while u stays.

    Eq. (state-space-models-online) and (state-space-models-online-approximate).
    """
    if method == "euler":
        return c + (A @ c + B * u) / k
    if method == "bilinear":
        right = c + (A @ c + B * u) / (2 * k) + B * u / (2 * (k + 1))
        return lu_solve(lu_factor(np.eye(len(c)) - A / (2 * (k + 1))), right)
    rest = -np.linalg.solve(A, B) * u  # where x' = 0
    return rest + expm(A * np.log((k + 1) / k)) @ (c - rest)
