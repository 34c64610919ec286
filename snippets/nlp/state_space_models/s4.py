"""S4: the kernel of the LegS system without powers of its matrix; S4D: the diagonal alone."""

import numpy as np
from jaxtyping import Complex, Float, Inexact

from .checks import (
    check_choice,
    check_count,
    check_even,
    check_nonzero,
    check_positive,
    check_shape,
)
from .discretize import discretize
from .hippo import hippo

Array = np.ndarray
Vector = Inexact[Array, " N"]
Loose = Inexact[Array, "..."]  # its shape is checked, with an error of ours
S4D_KINDS = ("lin", "inv", "legs")


def nplr_legs(
    N: int,
) -> tuple[
    Complex[Array, " N"],
    Complex[Array, "N N"],
    Complex[Array, " N"],
    Complex[Array, " N"],
]:
    """Return Lambda, V, P, B: LegS is V (diag(Lambda) - P P*) V*.

    Eq. (state-space-models-nplr); P and B are given in the basis V.

    Raises:
        ValueError: N < 1.
    """
    check_count("N", N)
    A, B = hippo(N)
    P = np.sqrt(np.arange(N) + 0.5)
    skew = A + np.outer(P, P) + np.eye(N) / 2
    frequency, V = np.linalg.eigh(-1j * skew)  # Hermitian: V is unitary
    return -0.5 + 1j * frequency, V, V.conj().T @ P, V.conj().T @ B[:, 0]


def dplr_matrix(Lambda: Vector, P: Loose) -> Complex[Array, "N N"]:
    """Write out diag(Lambda) - P P*.

    Raises:
        ValueError: vectors of unequal length.
    """
    check_shape("P", P, Lambda.shape)
    return np.diag(Lambda) - np.outer(P, P.conj())


def truncate(A_bar: Loose, C: Loose, L: int) -> Vector:
    """Return C (I - A_bar^L), which cuts the generating function after L terms.

    Eq. (state-space-models-truncated).

    Raises:
        ValueError: L < 1 or shapes that do not fit.
    """
    check_count("L", L)
    check_shape("A_bar", A_bar, (len(C), len(C)))
    return C - C @ np.linalg.matrix_power(A_bar, L)


def dplr_kernel(
    Lambda: Vector,
    P: Loose,
    B: Loose,
    C: Loose,
    dt: float,
    L: int,
    *,
    truncated: bool = False,
) -> Float[Array, " L"]:
    """Return the bilinear kernel from L evaluations of a rational function.

    Eq. (state-space-models-woodbury); with ``truncated`` C already carries the
    factor I - A_bar^L, as the parameter that S4 trains does.

    Raises:
        ValueError: dt <= 0, L < 1, vectors of unequal length, or a Lambda of 0.
    """
    check_positive("dt", dt)
    check_count("L", L)
    for name, vector in (("P", P), ("B", B), ("C", C)):
        check_shape(name, vector, Lambda.shape)
    check_nonzero("Lambda", Lambda)
    if not truncated:
        A_bar, _ = discretize(dplr_matrix(Lambda, P), B[:, None], dt, "bilinear")
        C = truncate(A_bar, C, L)
    z = np.exp(-2j * np.pi * np.arange(L) / L)[:, None]
    # R of the equation, finite at z = -1 too
    cauchy = 1 / ((1 - z) / dt - Lambda * (1 + z) / 2)
    products = C * B, C * P, P.conj() * B, P.conj() * P
    CB, CP, PB, PP = (cauchy @ np.stack(products, 1)).T
    half = (1 + z[:, 0]) / 2
    return np.fft.ifft(CB - half * CP * PB / (1 + half * PP)).real


def s4d_init(N: int, kind: str = "lin") -> Complex[Array, " half"]:
    """Return N/2 eigenvalues, one of each conjugate pair.

    Eq. (state-space-models-s4d-init).

    Raises:
        ValueError: N is odd or < 2, or an unknown kind.
    """
    check_even("N", N)
    check_choice("kind", kind, S4D_KINDS)
    n = np.arange(N // 2)
    if kind == "lin":
        return -0.5 + 1j * np.pi * n
    if kind == "inv":
        return -0.5 + 1j * N / np.pi * (N / (2 * n + 1) - 1)
    return nplr_legs(N)[0][N // 2 :]


def s4d_kernel(
    Lambda: Vector,
    B: Loose,
    C: Loose,
    dt: float,
    L: int,
) -> Float[Array, " L"]:
    """Return the ZOH kernel of half the conjugate pairs: a Vandermonde product.

    Eq. (state-space-models-s4d).

    Raises:
        ValueError: dt <= 0, L < 1, vectors of unequal length, or a Lambda of 0.
    """
    check_positive("dt", dt)
    check_count("L", L)
    for name, vector in (("B", B), ("C", C)):
        check_shape(name, vector, Lambda.shape)
    check_nonzero("Lambda", Lambda)
    B_bar = np.expm1(dt * Lambda) / Lambda * B
    powers = np.exp(dt * Lambda[:, None] * np.arange(L))
    return 2 * ((C * B_bar) @ powers).real
