"""From a differential equation to a recurrence, and the recurrence as a convolution."""

import numpy as np
from jaxtyping import Float, Inexact
from scipy.linalg import expm

from .checks import check_choice, check_count, check_positive, check_shape

Array = np.ndarray
METHODS = ("zoh", "bilinear", "euler")


def discretize(
    A: Inexact[Array, "..."],
    B: Inexact[Array, "..."],
    dt: float,
    method: str = "zoh",
) -> tuple[Inexact[Array, "N N"], Inexact[Array, "N inputs"]]:
    """Return A_bar and B_bar of x_k = A_bar x_(k-1) + B_bar u_k.

    Eq. (state-space-models-zoh), (state-space-models-bilinear) and
    (state-space-models-euler).

    Raises:
        ValueError: dt <= 0, an unknown method or shapes that do not fit.
    """
    check_positive("dt", dt)
    check_choice("method", method, METHODS)
    N = len(A)
    check_shape("A", A, (N, N))
    check_shape("B", B, (N, -1))
    eye = np.eye(N)
    if method == "euler":
        return eye + dt * A, dt * B
    if method == "bilinear":
        right = np.hstack([eye + dt / 2 * A, dt * B])
        both = np.linalg.solve(eye - dt / 2 * A, right)
    else:  # exp of [[A, B], [0, 0]] holds both, and needs no inverse of A
        below = np.zeros((B.shape[1], N + B.shape[1]))
        both = expm(dt * np.block([[A, B], [below]]))[:N]
    return both[:, :N], both[:, N:]


def ssm_recurrence(
    A_bar: Inexact[Array, "..."],
    B_bar: Inexact[Array, "..."],
    C: Inexact[Array, "..."],
    u: Inexact[Array, "..."],
) -> Inexact[Array, " L"]:
    """Step through the stream with N numbers of memory.

    Eq. (state-space-models-recurrence).

    Raises:
        ValueError: shapes that do not fit.
    """
    check_shape("A_bar", A_bar, (len(A_bar), len(A_bar)))
    check_shape("B_bar", B_bar, (len(A_bar), 1))
    check_shape("C", C, (1, len(A_bar)))
    check_shape("u", u, (-1,))
    x = np.zeros(len(A_bar), np.result_type(A_bar, B_bar, u))
    y = np.zeros(len(u), np.result_type(x, C))
    for k, value in enumerate(u):
        x = A_bar @ x + B_bar[:, 0] * value
        y[k] = C[0] @ x
    return y


def ssm_kernel(
    A_bar: Inexact[Array, "..."],
    B_bar: Inexact[Array, "..."],
    C: Inexact[Array, "..."],
    L: int,
) -> Inexact[Array, " L"]:
    """Return the impulse response by L products of matrix and vector.

    Eq. (state-space-models-kernel).

    Raises:
        ValueError: L < 1, or shapes that do not fit.
    """
    check_count("L", L)
    impulse = np.zeros(L)
    impulse[0] = 1
    return ssm_recurrence(A_bar, B_bar, C, impulse)


def causal_conv_fft(
    u: Float[Array, "*batch L"],
    K: Float[Array, "..."],
) -> Float[Array, "*batch L"]:
    """Convolve in O(L log L); zeros up to L + L - 1 keep the end off the start.

    Eq. (state-space-models-convolution).

    Raises:
        ValueError: u is empty, or K is shorter than u or no vector.
    """
    L = u.shape[-1]
    check_count("the number of steps of u", L)
    check_shape("K", K, (-1,))
    check_count("the number of taps of K", len(K), L)
    spectrum = np.fft.rfft(u, 2 * L) * np.fft.rfft(K[:L], 2 * L)
    return np.fft.irfft(spectrum, 2 * L)[..., :L]
