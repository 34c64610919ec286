"""Memory, kernels, scans and blocks, against scipy, transformers, mambapy and torch."""

import re
from math import comb, factorial, pi

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mambapy.mamba import MambaBlock
from mambapy.mamba import MambaConfig as MambapyConfig
from scipy import linalg, signal
from scipy.special import eval_laguerre, eval_legendre
from torch._higher_order_ops.associative_scan import associative_scan
from torch.nn import functional as F
from transformers import MambaConfig
from transformers.models.mamba.modeling_mamba import MambaMixer
from transformers.models.mamba2.modeling_mamba2 import mamba2_chunk_scan
from transformers.models.rwkv.modeling_rwkv import rwkv_linear_attention_cpu

from snippets.common import records
from snippets.nlp import state_space_models as page
from snippets.nlp import state_space_models_run as experiment
from snippets.nlp.state_space_models import (
    LRU,
    Mamba,
    WKVState,
    causal_conv_fft,
    combine,
    decay_mask,
    discretize,
    dplr_kernel,
    dplr_matrix,
    hippo,
    legendre_basis,
    legendre_project,
    legs_matvec,
    legs_online,
    linear_attention,
    nplr_legs,
    odd_even,
    outer_scan,
    reconstruct,
    retention_chunkwise,
    retention_parallel,
    retention_recurrent,
    ring_gain,
    s4d_init,
    s4d_kernel,
    scan,
    scan_chunked,
    scan_hillis_steele,
    scan_sequential,
    selective_scan,
    ssd,
    ssm_kernel,
    ssm_recurrence,
    truncate,
    wkv,
)
from snippets.nlp.state_space_models.checks import check_count, check_positive
from snippets.nlp.state_space_models.scan import check_operands

RECORD = records.load("nlp/state-space-models").results
METHODS = ("zoh", "bilinear", "euler")
KINDS = ("legs", "legt", "lmu", "lagt", "fout")
rng = np.random.default_rng(0)


def wave(t):
    return np.sin(4 * pi * t) + 0.5 * np.cos(10 * pi * t + 1)


def far(a, b):
    return np.abs(np.asarray(a) - np.asarray(b)).max()


def double(*shape):
    return torch.randn(*shape, dtype=torch.double)


# --- HiPPO ---------------------------------------------------------------------------------------


def test_basis_is_scipys_and_orthonormal():
    x, w = np.polynomial.legendre.leggauss(64)
    s = (x + 1) / 2
    basis = legendre_basis(s, 32)
    for n in range(32):
        assert far(basis[:, n], np.sqrt(2 * n + 1) * eval_legendre(n, x)) < 1e-12
    assert far(basis.T @ (basis * w[:, None] / 2), np.eye(32)) < 1e-12


def test_polynomials_come_back_exactly():
    poly = np.polynomial.Polynomial([1.0, -2.0, 0.5, 3.0])
    c = legendre_project(poly, 6, 2.0)
    s = np.linspace(0, 1, 11)
    assert far(reconstruct(c, s), poly(2 * s)) < 1e-11
    assert far(c[4:], 0) < 1e-11


@pytest.mark.parametrize(
    ("f", "slope"), [(lambda t: abs(t - 0.37), -1.5), (lambda t: 1.0 * (t > 0.37), -0.5)]
)
def test_error_falls_with_the_stated_power(f, slope):
    c = legendre_project(f, 256, 1.0, [0.37])
    total = (c**2).sum()
    tails = [(total - (c[:n] ** 2).sum()) ** 0.5 for n in (8, 16, 32)]
    assert np.diff(np.log2(tails)) == pytest.approx([slope, slope], abs=0.12)


def test_legs_derivative_is_the_matrix():
    """d/dt of the projection by differences, against (A c + B f)/t."""
    A, B = hippo(12)
    t, h = 0.8, 1e-4
    before, after = (legendre_project(wave, 12, t + s * h) for s in (-1, 1))
    right = (A @ legendre_project(wave, 12, t) + B[:, 0] * wave(t)) / t
    assert far((after - before) / (2 * h), right) < 1e-5 * np.abs(right).max()


def windowed(basis, f, t, weight=lambda r: np.ones_like(r), end=1.0, N=8):
    x, w = np.polynomial.legendre.leggauss(300)
    r = end * (x + 1) / 2
    return np.array([(f(t - r) * basis(n, r) * weight(r) * w).sum() * end / 2 for n in range(N)])


def fourier(n, r):
    if n == 0:
        return np.ones_like(r)
    wave_ = np.cos if n % 2 else np.sin
    return np.sqrt(2) * wave_(2 * pi * ((n + 1) // 2) * r)


CLOSED = {  # kind: basis over the age r, weight, age at which the weight is nothing, a fitting f
    "legt": (
        lambda n, r: np.sqrt(2 * n + 1) * eval_legendre(n, 1 - 2 * r),
        lambda r: np.ones_like(r),
        1.0,
        lambda t: 1 + t - t**3,
    ),
    "lagt": (eval_laguerre, lambda r: np.exp(-r), 60.0, np.cos),
    "fout": (fourier, lambda r: np.ones_like(r), 1.0, lambda t: 1 + np.sin(2 * pi * t)),
}


@pytest.mark.parametrize("kind", CLOSED)
def test_windowed_derivative_is_the_matrix_where_the_window_is_represented(kind):
    basis, weight, end, f = CLOSED[kind]
    N = 9 if kind == "fout" else 8
    A, B = hippo(N, kind)
    c = [windowed(basis, f, 2 + s * 1e-4, weight, end, N) for s in (-1, 0, 1)]
    assert far((c[2] - c[0]) / 2e-4, A @ c[1] + B[:, 0] * f(2.0)) < 1e-6


def test_lmu_is_legt_in_another_scale():
    n = np.arange(16)
    scale = np.diag((-1.0) ** n * np.sqrt(2 * n + 1))
    (A, B), (A_lmu, B_lmu) = hippo(16, "legt"), hippo(16, "lmu")
    assert far(scale @ A @ np.linalg.inv(scale), A_lmu) < 1e-12
    assert far(scale @ B, B_lmu) < 1e-12


@pytest.mark.parametrize("N", [2, 4, 8])
def test_lmu_delays_by_the_pade_approximant(N):
    A, B = hippo(N, "lmu")
    # the closed form of the approximant of exp(-s), numerator N-1, denominator N
    weights = [factorial(2 * N - 1 - k) / factorial(2 * N - 1) for k in range(N + 1)]
    top = np.polynomial.Polynomial([(-1) ** k * comb(N - 1, k) * weights[k] for k in range(N)])
    bottom = np.polynomial.Polynomial([comb(N, k) * weights[k] for k in range(N + 1)])
    s = 1j * np.linspace(0, 6, 25)
    ours = [np.ones(N) @ np.linalg.solve(z * np.eye(N) - A, B[:, 0]) for z in s]
    assert far(ours, top(s) / bottom(s)) < 1e-10


@pytest.mark.parametrize("N", [1, 2, 8, 32])
def test_legs_eigenvalues_are_minus_1_to_minus_n(N):
    assert far(np.sort(np.linalg.eigvals(hippo(N)[0]).real), -np.arange(N, 0, -1)) < 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_forgets(kind):
    for N in (1, 2, 5, 16):
        A, B = hippo(N, kind)
        assert A.shape == (N, N)
        assert B.shape == (N, 1)
        assert np.linalg.eigvals(A).real.max() < 1e-9


@given(st.integers(1, 80))
def test_matvec_by_cumulative_sum(N):
    x = rng.standard_normal((3, N))
    dense = x @ hippo(N)[0].T
    assert far(legs_matvec(x), dense) <= 1e-12 * max(1, np.abs(dense).max())


def test_zoh_is_exact_for_a_staircase():
    L = 60
    u = rng.standard_normal(L)
    stairs = legendre_project(
        lambda t: u[np.minimum((t * L).astype(int), L - 1)], 16, 1.0, np.arange(1, L) / L
    )
    assert far(legs_online(u, 16)[-1], stairs) < 1e-12


@pytest.mark.parametrize(("method", "order"), [("zoh", 2), ("bilinear", 2), ("euler", 1)])
def test_online_approaches_quadrature(method, order):
    errors = []
    for L in (200, 400):
        u = wave((np.arange(L) + 0.5) / L)
        errors.append(far(legs_online(u, 16, method)[-1], legendre_project(wave, 16, 1.0)))
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("method", ["euler", "bilinear"])
def test_an_online_step_solves_its_equation(method):
    A, B = hippo(5)
    u = rng.standard_normal(12)
    c = legs_online(u, 5, method)
    for k in range(1, 12):
        left, right = ((A @ c[j] + B[:, 0] * u[k]) / (j + 1) for j in (k - 1, k))
        slope = left if method == "euler" else (left + right) / 2
        assert far(c[k] - c[k - 1], slope) < 1e-11 * max(1, np.abs(c).max())


def test_timescale_equivariance():
    slow = legendre_project(wave, 16, 1.0)
    fast = legendre_project(lambda t: wave(3 * t), 16, 1 / 3)
    assert far(slow, fast) < 1e-12


def test_gradient_falls_like_one_over_t():
    for L in (100, 200, 400):
        impulse = np.zeros(L)
        impulse[L // 2] = 1
        norm = L * np.linalg.norm(legs_online(impulse, 16)[-1])
        expected = np.linalg.norm(legendre_basis(np.array([0.5]), 16))
        assert norm == pytest.approx(expected, rel=0.02)


def test_lti_legs_has_warped_legendre_responses():
    A, B = hippo(8)
    for t in (0.1, 0.7, 2.0):
        warped = np.exp(-t) * legendre_basis(np.exp(np.array([-t])), 8)[0]
        assert far(linalg.expm(t * A) @ B[:, 0], warped) < 1e-12


# --- discretisation and convolution --------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_discretize_is_scipys(kind, method):
    A, B = hippo(8, kind)
    C, D = rng.standard_normal((1, 8)), np.zeros((1, 1))
    theirs = signal.cont2discrete((A, B, C, D), 0.05, method)
    for ours, other in zip(discretize(A, B, 0.05, method), theirs, strict=False):
        assert far(ours, other) < 1e-13


def test_scipys_bilinear_changes_c_and_d_too():
    A, B = hippo(8)
    C, D = np.ones((1, 8)), np.zeros((1, 1))
    _, _, C_bar, D_bar, _ = signal.cont2discrete((A, B, C, D), 0.05, "bilinear")
    assert far(C, C_bar) > 0.1
    assert D_bar[0, 0] > 0.1


def test_scipys_simulation_is_one_step_late():
    A_bar, B_bar = discretize(*hippo(4), 0.1)
    C, u = rng.standard_normal((1, 4)), rng.standard_normal(30)
    _, y, _ = signal.dlsim((A_bar, B_bar, C, np.zeros((1, 1)), 1), u)
    ours = ssm_recurrence(A_bar, B_bar, C, u)
    assert far(y[1:, 0], ours[:-1]) < 1e-12


def test_zoh_needs_no_inverse_of_a():
    A, B = np.array([[0.0, 1.0], [0.0, 0.0]]), np.array([[0.0], [1.0]])
    A_bar, B_bar = discretize(A, B, 2.0)
    assert far(A_bar, [[1, 2], [0, 1]]) < 1e-15
    assert far(B_bar, [[2], [2]]) < 1e-15


@pytest.mark.parametrize("L", [1, 2, 33, 128])
def test_recurrence_is_convolution_is_scan(L):
    A, B = hippo(6)
    A_bar, B_bar = discretize(A, B, 0.05, "bilinear")
    C, u = rng.standard_normal((1, 6)), rng.standard_normal(L)
    stepped = ssm_recurrence(A_bar, B_bar, C, u)
    kernel = ssm_kernel(A_bar, B_bar, C, L)
    assert far(stepped, causal_conv_fft(u, kernel)) < 1e-12
    assert far(stepped, np.convolve(u, kernel)[:L]) < 1e-12
    values, V = np.linalg.eig(A_bar)
    drive = np.outer(u, np.linalg.solve(V, B_bar[:, 0]))[None]
    b = torch.as_tensor(drive, dtype=torch.complex128)
    states = scan(torch.as_tensor(values).to(b).expand_as(b), b)[0].numpy()
    assert far(stepped, (states @ (C @ V)[0]).real) < 1e-9


# --- S4 ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("N", [1, 2, 8, 64])
def test_nplr_rebuilds_legs(N):
    Lambda, V, P, B = nplr_legs(N)
    A, B_legs = hippo(N)
    assert (Lambda.real == -0.5).all()
    assert far(V.conj().T @ V, np.eye(N)) < 1e-12
    assert far(V @ dplr_matrix(Lambda, P) @ V.conj().T, A) < 1e-11
    assert far(V @ B, B_legs[:, 0]) < 1e-12


def test_highest_frequency_grows_with_the_square():
    ratios = [nplr_legs(N)[0].imag.max() / (N**2 / pi) for N in (16, 64, 256)]
    assert ratios == pytest.approx([0.9936, 0.9996, 0.999975], abs=1e-5)


@pytest.mark.parametrize("L", [1, 2, 64, 101])
@pytest.mark.parametrize("N", [2, 16, 64])
def test_dplr_kernel_is_the_naive_one(N, L):
    Lambda, V, P, B = nplr_legs(N)
    A, B_legs = hippo(N)
    C = rng.standard_normal(N)
    A_bar, B_bar = discretize(A, B_legs, 0.02, "bilinear")
    naive = ssm_kernel(A_bar, B_bar, C[None], L)
    ours = dplr_kernel(Lambda, P, B, C @ V, 0.02, L)
    assert far(ours, naive) < 1e-12 * np.abs(naive).max()
    cut = truncate(discretize(dplr_matrix(Lambda, P), B[:, None], 0.02, "bilinear")[0], C @ V, L)
    again = dplr_kernel(Lambda, P, B, cut, 0.02, L, truncated=True)
    assert far(again, ours) < 1e-12 * np.abs(naive).max()


def test_without_the_truncation_the_tail_folds_back():
    Lambda, V, P, B = nplr_legs(16)
    C = np.ones(16) @ V
    right = dplr_kernel(Lambda, P, B, C, 0.002, 64)
    wrong = dplr_kernel(Lambda, P, B, C, 0.002, 64, truncated=True)
    folded = dplr_kernel(Lambda, P, B, C, 0.002, 256 * 64).reshape(256, 64).sum(0)
    assert far(right, wrong) > 0.05 * np.abs(right).max()
    assert far(folded, wrong) < 1e-9 * np.abs(right).max()


def test_s4d_inits_have_the_papers_values():
    assert far(s4d_init(8, "lin"), -0.5 + 1j * pi * np.arange(4)) == 0
    n = np.arange(4)
    assert far(s4d_init(8, "inv"), -0.5 + 1j * 8 / pi * (8 / (2 * n + 1) - 1)) < 1e-12
    half = s4d_init(64, "legs")
    assert (half.imag > 0).all()
    whole = nplr_legs(64)[0]
    assert far(np.sort(whole.imag[:32]), np.sort(-half.imag)) < 1e-9
    inv = np.sort(s4d_init(64, "inv").imag)
    assert inv[-1] / half.imag.max() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("kind", ["lin", "inv", "legs"])
def test_s4d_kernel_is_the_diagonal_system(kind):
    half = s4d_init(16, kind)
    B, C = (rng.standard_normal(8) + 1j * rng.standard_normal(8) for _ in range(2))
    values, drive, read = (np.concatenate([x, x.conj()]) for x in (half, B, C))
    A_bar, B_bar = discretize(np.diag(values), drive[:, None], 0.01)
    assert far(s4d_kernel(half, B, C, 0.01, 99), ssm_kernel(A_bar, B_bar, read[None], 99)) < 1e-11


# --- scans ---------------------------------------------------------------------------------------

SCANS = [scan, odd_even, scan_hillis_steele, scan_chunked, lambda a, b: scan_chunked(a, b, 5)]


@given(st.tuples(*[st.tuples(st.integers(-9, 9), st.integers(-9, 9))] * 3))
def test_combination_is_associative(triple):
    first, second, third = (tuple(map(torch.tensor, pair)) for pair in triple)
    left = combine(combine(first, second), third)
    assert left == combine(first, combine(second, third))


@settings(max_examples=60)
@given(st.integers(1, 70), st.booleans())
def test_all_scans_agree(L, is_complex):
    dtype = torch.complex128 if is_complex else torch.double
    a, b = 0.6 * torch.randn(2, L, 3, dtype=dtype), torch.randn(2, L, 3, dtype=dtype)
    walked = scan_sequential(a, b)
    for other in SCANS:
        assert (other(a, b) - walked).abs().max() < 1e-10


def test_scan_is_exact_on_integers_and_equal_to_torchs():
    a = torch.randint(-1, 2, (2, 100, 3)).double()
    b = torch.randint(-9, 10, (2, 100, 3)).double()
    for other in SCANS:
        assert torch.equal(other(a, b), scan_sequential(a, b))
    _, theirs = associative_scan(combine, (a, b), dim=1, combine_mode="generic")
    assert torch.equal(scan(a, b), theirs)


@pytest.mark.parametrize("dtype", [torch.double, torch.complex128])
@pytest.mark.parametrize("L", [1, 2, 5, 8])
def test_scan_has_the_right_first_and_second_derivatives(L, dtype):
    a, b = (torch.randn(2, L, 2, dtype=dtype, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(scan, (a, b))
    assert torch.autograd.gradgradcheck(scan, (a, b))


@pytest.mark.parametrize("name", ["odd_even", "hillis_steele", "chunked", "sequential"])
def test_recorded_counts_grow_as_stated(name):
    for length, table in RECORD["counts"].items():
        L = int(length[1:])
        rounds, per_step = table[name]["rounds"], table[name]["per_step"]
        log = L.bit_length() - 1
        expected = {
            "sequential": (L, L, 1, 1),
            "odd_even": (3 * log, 3 * log, 2.5, 3),
            "hillis_steele": (2 * log, 2 * log, 2 * log - 4, 2 * log),
            "chunked": (64 + L // 64 + 2, 64 + L // 64 + 2, 3, 3.1),
        }[name]
        assert expected[0] <= rounds <= expected[1]
        assert expected[2] <= per_step <= expected[3]


def test_recorded_ratios_grow_with_length():
    ratios = [RECORD["faster"][f"l{L}"]["odd_even"] for L in (64, 1024, 16384)]
    assert ratios == sorted(ratios)
    assert ratios[-1] > 20


# --- LRU -----------------------------------------------------------------------------------------


def test_lru_is_its_recurrence():
    lru = LRU(3, 5, 0.5, 0.95).double()
    u = double(2, 20, 3)
    values, B, C = lru.eigenvalues(), torch.view_as_complex(lru.B), torch.view_as_complex(lru.C)
    h, outputs = torch.zeros(2, 5, dtype=torch.complex128), []
    for t in range(20):
        h = values * h + lru.gamma_log.exp() * (u[:, t].to(B) @ B.T)
        outputs.append((h @ C.T).real + lru.D * u[:, t])
    assert torch.allclose(lru(u), torch.stack(outputs, 1))


def test_lru_starts_on_its_ring_evenly():
    lru = LRU(1, 20_000, 0.5, 0.9, max_phase=0.3)
    radius, angle = lru.eigenvalues().abs(), lru.eigenvalues().angle()
    assert radius.min() >= 0.5 - 1e-5
    assert radius.max() <= 0.9 + 1e-5
    assert angle.max() < 0.3 + 1e-5
    inner = (radius < (0.5 * (0.5**2 + 0.9**2)) ** 0.5).float().mean()  # half of the area
    assert inner.item() == pytest.approx(0.5, abs=0.02)


def test_gamma_keeps_the_states_of_size_one():
    lru = LRU(4, 2000, 0.9, 0.99)
    u = torch.randn(1, 1500, 4)
    with torch.no_grad():
        power = lru.states(u)[:, -300:].abs().square().mean().item()
        lru.gamma_log.zero_()
        raw = lru.states(u)[:, -300:].abs().square().mean().item()
    assert power == pytest.approx(1, abs=0.1)
    assert raw == pytest.approx(ring_gain(0.9, 0.99), rel=0.1)


def test_lru_stays_stable_whatever_is_learnt():
    lru = LRU(2, 50)
    with torch.no_grad():
        lru.nu_log.uniform_(-5, 5)
    assert lru.eigenvalues().abs().max() < 1


# --- Mamba ---------------------------------------------------------------------------------------


def same_gradients(ours, theirs, x):
    for net in (ours, theirs):
        net(x).square().sum().backward()
    mine = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        size = parameter.grad.abs().max()
        assert (mine[name].grad - parameter.grad).abs().max() <= 1e-5 * size


def hf_mixer():
    config = MambaConfig(hidden_size=64, state_size=16, conv_kernel=4, expand=2, time_step_rank=4)
    return MambaMixer(config, 0)


def mambapy_block():
    return MambaBlock(MambapyConfig(d_model=64, n_layers=1))


@pytest.mark.parametrize("make", [hf_mixer, mambapy_block])
@pytest.mark.parametrize("L", [1, 3, 50])
def test_mamba_takes_their_weights_and_gives_their_outputs(make, L):
    theirs, ours, x = make(), Mamba(64), torch.randn(2, L, 64)
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    assert (ours(x) - theirs(x)).abs().max() < 1e-6
    same_gradients(ours, theirs, x)


def test_mamba_starts_with_steps_between_a_thousandth_and_a_tenth():
    mamba = Mamba(2048)
    dt, bound = F.softplus(mamba.dt_proj.bias), 128**-0.5
    assert 0.001 * 0.999 <= dt.min() < 0.0011
    assert 0.09 < dt.max() <= 0.1 * 1.001
    assert dt.log10().mean().item() == pytest.approx(-2, abs=0.05)  # evenly in the logarithm
    assert 0.99 * bound < mamba.dt_proj.weight.abs().max() <= bound
    assert torch.allclose(-mamba.A_log.exp(), -torch.arange(1.0, 17).expand(4096, -1))
    assert torch.equal(mamba.D, torch.ones(4096))


def test_step_is_forward():
    mamba, x = Mamba(16).double(), double(3, 40, 16)
    cache, outputs = mamba.empty_cache(3), []
    for t in range(40):
        y, cache = mamba.step(x[:, t], cache)
        outputs.append(y)
    assert torch.allclose(torch.stack(outputs, 1), mamba(x), atol=1e-12)


def test_a_step_costs_the_same_however_long_the_text_was():
    mamba, x = Mamba(16), torch.randn(1, 16)
    cache, costs = mamba.empty_cache(1), set()
    with torch.no_grad():
        for _ in range(2000):
            with experiment.Counter() as counter:
                _, cache = mamba.step(x, cache)
            costs.add((counter.calls, counter.numbers, *(part.numel() for part in cache)))
    assert len(costs) == 1
    assert all(costs.pop())


def test_step_is_mambapys_step():
    theirs, ours, x = mambapy_block(), Mamba(64), torch.randn(2, 9, 64)
    ours.load_state_dict(theirs.state_dict())
    cache, their_cache = ours.empty_cache(2), (None, torch.zeros(2, 128, 3))
    for t in range(9):
        y, cache = ours.step(x[:, t], cache)
        their_y, their_cache = theirs.step(x[:, t], their_cache)
        assert (y - their_y).abs().max() < 1e-6


def test_selective_scan_is_its_definition():
    u, delta = double(2, 7, 3), double(2, 7, 3).exp()
    A, B, C, D = -double(3, 4).exp(), double(2, 7, 4), double(2, 7, 4), double(3)
    for b_bar in ("euler", "zoh"):
        h, outputs = torch.zeros(2, 3, 4, dtype=torch.double), []
        for t in range(7):
            step = delta[:, t, :, None]
            gain = step if b_bar == "euler" else (torch.exp(step * A) - 1) / A
            h = torch.exp(step * A) * h + gain * B[:, t, None] * u[:, t, :, None]
            outputs.append((h * C[:, t, None]).sum(-1) + D * u[:, t])
        ours = selective_scan(u, delta, A, B, C, D, b_bar=b_bar)
        assert torch.allclose(ours, torch.stack(outputs, 1), atol=1e-10)


def test_theorem_1_holds_for_zoh_and_fails_for_euler():
    x, z = double(1, 60, 1), 3 * double(1, 60, 1)
    one = torch.ones(1, 60, 1).double()
    gate, h, gated = torch.sigmoid(z), torch.zeros(1, 1).double(), []
    for t in range(60):
        h = (1 - gate[:, t]) * h + gate[:, t] * x[:, t]
        gated.append(h)
    gated = torch.stack(gated, 1)
    found = {
        b_bar: selective_scan(x, F.softplus(z), -one[0, :1], one, one, b_bar=b_bar)
        for b_bar in ("zoh", "euler")
    }
    assert (found["zoh"] - gated).abs().max() < 1e-14
    assert (found["euler"] - gated).abs().max() > 1


def test_a_choosing_step_latches_and_no_lti_system_does():
    """The constructive proof of the page, for many placements."""
    for seed in range(20):
        torch.manual_seed(seed)
        said = torch.rand(1, 50, 1) < 0.2
        said[:, 0] = True
        words = torch.where(said, torch.randn(1, 50, 1), 0.0).double()
        delta = torch.where(said, 40.0, 0.0).double()
        one = torch.ones(1, 50, 1).double()
        held = selective_scan(words, delta, -one[0, :1], one, one, b_bar="zoh")
        when = torch.where(said, torch.arange(50)[:, None], 0).cummax(1).values
        assert (held - words.gather(1, when)).abs().max() < 1e-12


# --- duality -------------------------------------------------------------------------------------


@pytest.mark.parametrize("L", [1, 5, 33])
def test_retention_has_three_equal_forms_and_is_a_scan(L):
    q, k, v = double(2, L, 4), double(2, L, 4), double(2, L, 3)
    whole = retention_parallel(q, k, v, 0.9)
    for other in (
        retention_recurrent(q, k, v, 0.9),
        retention_chunkwise(q, k, v, 0.9, 7),
        outer_scan(q, k, v, torch.full((2, L), 0.9).double()),
    ):
        assert torch.allclose(whole, other, atol=1e-12)


def transformers_ssd(q, k, v, log_a, chunk):
    one = torch.ones(*log_a.shape, 1)
    # with one head and dt = 1 the decay is A, the same at every step
    return mamba2_chunk_scan(
        v[:, :, None], one, log_a[0, :1].clone(), k[:, :, None], q[:, :, None], chunk
    )[:, :, 0]


def test_retention_is_transformers_mamba2_with_a_constant_decay():
    q, k, v = torch.randn(2, 30, 4), torch.randn(2, 30, 4), torch.randn(2, 30, 3)
    log_a = torch.full((2, 30), 0.9).log()
    theirs = transformers_ssd(q, k, v, log_a, 8)
    assert (retention_parallel(q, k, v, 0.9) - theirs).abs().max() < 1e-5


def test_ssd_is_transformers_mamba2():
    q, k, v = torch.randn(2, 30, 4), torch.randn(2, 30, 4), torch.randn(2, 30, 3)
    dt = torch.rand(2, 30, 1) + 0.1
    theirs = mamba2_chunk_scan(
        v[:, :, None], dt, torch.tensor([-1.0]), k[:, :, None], q[:, :, None], 8
    )[:, :, 0]
    assert (ssd(q, k, dt * v, -dt[..., 0], 8) - theirs).abs().max() < 1e-5


@pytest.mark.parametrize("chunk", [1, 7, 50, 64])
def test_ssd_is_the_masked_matrix_and_the_recurrence(chunk):
    q, k, v, log_a = double(2, 50, 4), double(2, 50, 4), double(2, 50, 3), -double(2, 50).exp()
    whole = (q @ k.mT * decay_mask(log_a)) @ v
    assert torch.allclose(ssd(q, k, v, log_a, chunk), whole, atol=1e-11)
    assert torch.allclose(outer_scan(q, k, v, log_a.exp()), whole, atol=1e-11)


@pytest.mark.parametrize("n", [1, 4, 8])
def test_blocks_below_the_diagonal_have_the_rank_of_the_state(n):
    q, k, log_a = double(1, 64, n), double(1, 64, n), -0.1 * double(1, 64).exp()
    M = (q @ k.mT * decay_mask(log_a))[0]
    for cut in (16, 32, 50):
        assert torch.linalg.matrix_rank(M[cut:, :cut]) == min(n, cut, 64 - cut)


def test_linear_attention_is_two_scans():
    q, k, v = double(2, 20, 4), double(2, 20, 4), double(2, 20, 3)
    a = torch.ones(2, 20).double()
    phi_q, phi_k = F.elu(q) + 1, F.elu(k) + 1
    top = outer_scan(phi_q, phi_k, v, a)
    bottom = outer_scan(phi_q, phi_k, torch.ones(2, 20, 1).double(), a)
    assert torch.allclose(linear_attention(q, k, v), top / bottom)


def wkv_by_softmax(w, u, k, v):
    L = k.shape[1]
    t = torch.arange(L)
    age = (t[:, None] - t - 1)[..., None]
    scores = torch.where(age < 0, u + k[:, None], k[:, None] - age * w)
    scores = scores.masked_fill((age < -1)[None], -torch.inf)
    return (scores.softmax(2) * v[:, None]).sum(2)


@pytest.mark.parametrize("L", [1, 2, 40])
def test_wkv_is_a_softmax_over_time_and_transformers_loop(L):
    w, u, k, v = torch.randn(8), torch.randn(8), 3 * torch.randn(2, L, 8), torch.randn(2, L, 8)
    ours, _ = wkv(w.exp(), u, k, v)
    theirs, _ = rwkv_linear_attention_cpu(w, u, k, v)
    assert (ours - theirs).abs().max() < 1e-6
    assert (ours - wkv_by_softmax(w.exp(), u, k, v)).abs().max() < 1e-5


def test_wkv_is_two_scans():
    w, u, k, v = double(3).exp(), double(3), double(2, 20, 3), double(2, 20, 3)
    a, here = torch.exp(-w).expand_as(k), torch.exp(u + k)
    before = [
        torch.cat([torch.zeros_like(x[:, :1]), scan(a, k.exp() * x)[:, :-1]], 1)
        for x in (v, torch.ones_like(v))
    ]
    expected = (before[0] + here * v) / (before[1] + here)
    assert torch.allclose(wkv(w, u, k, v)[0], expected, atol=1e-12)


def test_nonnegative_factors_never_turn_back_on_constant_input():
    for a in (0.0, 0.3, 0.99, 1.0):
        steps = scan(torch.full((1, 50), a), torch.full((1, 50), 0.7)).double().diff()
        assert (steps >= -1e-6).all()
    turning = scan(torch.full((1, 50), -0.9), torch.full((1, 50), 0.7)).diff()
    assert (turning > 0).any()
    assert (turning < 0).any()


def test_wkv_goes_on_from_its_state_and_does_not_overflow():
    w, u, k, v = torch.rand(4), torch.randn(4), 100 * torch.randn(2, 30, 4), torch.randn(2, 30, 4)
    whole, end = wkv(w, u, k, v)
    first, middle = wkv(w, u, k[:, :11], v[:, :11])
    second, last = wkv(w, u, k[:, 11:], v[:, 11:], middle)
    assert torch.equal(torch.cat([first, second], 1), whole)
    assert all(map(torch.equal, last, end))
    assert whole.isfinite().all()
    assert isinstance(end, WKVState)


# --- the recorded runs ---------------------------------------------------------------------------


def curves(task, core, rate="rate_0_01"):
    return RECORD[task][core][rate]["curves"]


def test_recall_is_learnt_by_the_lru_and_not_by_the_tanh_rnn():
    learnt = min(curve[-1] for curve in curves("recall", "lru"))
    for core, rates in (("rnn", ("0_01", "0_003", "0_001")), ("lstm", ("0_01", "0_003"))):
        for rate in rates:
            assert max(map(max, curves("recall", core, f"rate_{rate}"))) < min(0.6, learnt - 0.3)
    for rate in ("0_01", "0_003"):
        assert max(map(max, curves("recall", "lstm", f"rate_{rate}"))) < 0.2


def test_selection_wins_on_the_latest_word():
    mamba, fixed = curves("latest", "mamba"), curves("latest", "lti")
    assert min(curve[-1] for curve in mamba) > max(curve[-1] for curve in fixed)


def test_the_compared_nets_are_of_one_size():
    sizes = [RECORD["recall"][core]["parameters"] for core in ("lru", "rnn", "lstm")]
    assert max(sizes) / min(sizes) < 1.05
    mamba, fixed = (RECORD["latest"][core]["parameters"] for core in ("mamba", "lti"))
    assert mamba <= fixed


def test_the_fixed_block_does_not_look_at_its_input():
    block = experiment.FixedMamba(4)
    seen = [block.parameters_at(torch.randn(1, 3, 8)) for _ in range(2)]
    assert all(map(torch.equal, *seen))


# --- bad input -----------------------------------------------------------------------------------

eye, one_row = np.eye(2), np.ones((1, 2))
half = s4d_init(4)
abc = [torch.ones(1, 3, 2), torch.ones(1, 3, 2)]
qkv = [torch.ones(1, 3, 2)] * 3
us = [torch.ones(2), torch.ones(2), torch.ones(1, 3, 2), torch.ones(1, 3, 2)]
selective = [torch.ones(1, 3, 2), torch.ones(1, 3, 2), -torch.ones(2, 4)] + [
    torch.ones(1, 3, 4)
] * 2


def replaced(values, place, value):
    return [value if i == place else old for i, old in enumerate(values)]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: hippo(0), ValueError, "N must be >= 1, got 0"),
        (lambda: check_count("N", 2.5), TypeError, "N must be an integer, got 2.5"),
        (lambda: hippo(True), TypeError, "N must be an integer, got True"),
        (
            lambda: hippo(2, "legp"),
            ValueError,
            "kind must be one of legs, legt, lmu, lagt, fout, got 'legp'",
        ),
        (lambda: legendre_basis(np.ones(1), 0), ValueError, "N must be >= 1, got 0"),
        (lambda: legendre_project(np.sin, 0, 1.0), ValueError, "N must be >= 1, got 0"),
        (lambda: legendre_project(np.sin, 2, 0.0), ValueError, "T must be finite and > 0, got 0.0"),
        (
            lambda: legendre_project(np.sin, 2, 1.0, [2.0]),
            ValueError,
            "breaks must lie in (0, 1.0), got (2.0,)",
        ),
        (
            lambda: legs_online(np.zeros(0), 2),
            ValueError,
            "the number of samples must be >= 1, got 0",
        ),
        (lambda: legs_online(np.zeros(3), 0), ValueError, "N must be >= 1, got 0"),
        (
            lambda: legs_online(np.zeros(3), 2, "rk4"),
            ValueError,
            "method must be one of zoh, bilinear, euler, got 'rk4'",
        ),
        (
            lambda: legs_online(np.zeros((3, 2)), 2),
            ValueError,
            "u must have shape ('any',), got (3, 2)",
        ),
        (
            lambda: reconstruct(eye, np.ones(1)),
            ValueError,
            "c must have shape ('any',), got (2, 2)",
        ),
        (lambda: reconstruct(np.ones(0), np.ones(1)), ValueError, "N must be >= 1, got 0"),
        (
            lambda: check_positive("dt", "a"),
            TypeError,
            "dt must be a number, got 'a'",
        ),
        (lambda: check_positive("dt", True), TypeError, "dt must be a number, got True"),
        (
            lambda: ssm_recurrence(eye, one_row.T, one_row, eye),
            ValueError,
            "u must have shape ('any',), got (2, 2)",
        ),
        (
            lambda: causal_conv_fft(np.ones(2), eye),
            ValueError,
            "K must have shape ('any',), got (2, 2)",
        ),
        (lambda: truncate(eye, np.ones(2), -1), ValueError, "L must be >= 1, got -1"),
        (
            lambda: truncate(eye, np.ones(3), 2),
            ValueError,
            "A_bar must have shape (3, 3), got (2, 2)",
        ),
        (
            lambda: s4d_kernel(0 * half, half, half, 1.0, 4),
            ValueError,
            "Lambda must be nonzero, got a 0",
        ),
        (
            lambda: dplr_kernel(0 * half, half, half, half, 1.0, 4),
            ValueError,
            "Lambda must be nonzero, got a 0",
        ),
        (
            lambda: LRU(2, 2)(torch.ones(1, 0, 2)),
            ValueError,
            "the number of steps of u must be >= 1, got 0",
        ),
        (
            lambda: selective_scan(*[x[:, :0] if x.dim() == 3 else x for x in selective]),
            ValueError,
            "the number of steps of u must be >= 1, got 0",
        ),
        (
            lambda: Mamba(4).step(torch.ones(1, 4), Mamba(4, d_conv=3).empty_cache(1)),
            ValueError,
            "cache.window must have shape (1, 8, 4), got (1, 8, 3)",
        ),
        (
            lambda: decay_mask(torch.zeros(3)),
            ValueError,
            "log_a must have shape ('any', 'any'), got (3,)",
        ),
        (
            lambda: wkv(*replaced(us, 0, torch.full((2,), torch.nan))),
            ValueError,
            "the decay w must be >= 0, got nan",
        ),
        (
            lambda: wkv(us[0], us[1], us[2][:, :0], us[3][:, :0]),
            ValueError,
            "the number of steps of k must be >= 1, got 0",
        ),
        (
            lambda: wkv(*us, WKVState(*[torch.zeros(1, 3)] * 3)),
            ValueError,
            "state.num must have shape (1, 2), got (1, 3)",
        ),
        (lambda: discretize(eye, eye, 0.0), ValueError, "dt must be finite and > 0, got 0.0"),
        (lambda: discretize(eye, eye, np.inf), ValueError, "dt must be finite and > 0, got inf"),
        (
            lambda: discretize(eye, eye, 0.1, "foh"),
            ValueError,
            "method must be one of zoh, bilinear, euler, got 'foh'",
        ),
        (
            lambda: discretize(one_row, eye, 0.1),
            ValueError,
            "A must have shape (1, 1), got (1, 2)",
        ),
        (
            lambda: discretize(eye, one_row, 0.1),
            ValueError,
            "B must have shape (2, 'any'), got (1, 2)",
        ),
        (
            lambda: ssm_recurrence(eye, one_row, one_row, np.ones(3)),
            ValueError,
            "B_bar must have shape (2, 1), got (1, 2)",
        ),
        (
            lambda: ssm_recurrence(eye, one_row.T, one_row.T, np.ones(3)),
            ValueError,
            "C must have shape (1, 2), got (2, 1)",
        ),
        (
            lambda: ssm_recurrence(one_row, one_row.T, one_row, np.ones(3)),
            ValueError,
            "A_bar must have shape (1, 1), got (1, 2)",
        ),
        (lambda: ssm_kernel(eye, one_row.T, one_row, 0), ValueError, "L must be >= 1, got 0"),
        (
            lambda: causal_conv_fft(np.ones(4), np.ones(3)),
            ValueError,
            "the number of taps of K must be >= 4, got 3",
        ),
        (
            lambda: causal_conv_fft(np.ones(0), np.ones(3)),
            ValueError,
            "the number of steps of u must be >= 1, got 0",
        ),
        (lambda: nplr_legs(0), ValueError, "N must be >= 1, got 0"),
        (lambda: dplr_matrix(half, np.ones(3)), ValueError, "P must have shape (2,), got (3,)"),
        (
            lambda: dplr_kernel(half, half, half, half, -1.0, 4),
            ValueError,
            "dt must be finite and > 0, got -1.0",
        ),
        (lambda: dplr_kernel(half, half, half, half, 1.0, 0), ValueError, "L must be >= 1, got 0"),
        (
            lambda: dplr_kernel(half, half, half, np.ones(3), 1.0, 4),
            ValueError,
            "C must have shape (2,), got (3,)",
        ),
        (lambda: s4d_init(3), ValueError, "N must be even (conjugate pairs), got 3"),
        (lambda: s4d_init(0), ValueError, "N must be >= 2, got 0"),
        (
            lambda: s4d_init(4, "quad"),
            ValueError,
            "kind must be one of lin, inv, legs, got 'quad'",
        ),
        (
            lambda: s4d_kernel(half, half, half, 0.0, 4),
            ValueError,
            "dt must be finite and > 0, got 0.0",
        ),
        (lambda: s4d_kernel(half, half, half, 1.0, 0), ValueError, "L must be >= 1, got 0"),
        (
            lambda: s4d_kernel(half, np.ones(3), half, 1.0, 4),
            ValueError,
            "B must have shape (2,), got (3,)",
        ),
        (lambda: scan_chunked(*abc, 0), ValueError, "Q must be >= 1, got 0"),
        (lambda: LRU(0, 2), ValueError, "d_model must be >= 1, got 0"),
        (lambda: LRU(2, True), TypeError, "N must be an integer, got True"),
        (lambda: LRU(2, 2, 0.9, 0.5), ValueError, "need 0 <= r_min < r_max <= 1, got 0.9 and 0.5"),
        (lambda: LRU(2, 2, max_phase=0.0), ValueError, "max_phase must be > 0, got 0.0"),
        (
            lambda: LRU(2, 2)(torch.ones(1, 3, 5)),
            ValueError,
            "u must have shape ('any', 'any', 2), got (1, 3, 5)",
        ),
        (lambda: ring_gain(0.5, 1.0), ValueError, "need 0 <= r_min < r_max < 1, got 0.5 and 1.0"),
        (
            lambda: selective_scan(*replaced(selective, 0, torch.ones(3))),
            ValueError,
            "u must have shape ('any', 'any', 'any'), got (3,)",
        ),
        (
            lambda: selective_scan(*replaced(selective, 1, torch.ones(1, 3, 1))),
            ValueError,
            "delta must have shape (1, 3, 2), got (1, 3, 1)",
        ),
        (
            lambda: selective_scan(*replaced(selective, 2, torch.ones(3, 4))),
            ValueError,
            "A must have shape (2, 'any'), got (3, 4)",
        ),
        (
            lambda: selective_scan(*replaced(selective, 4, torch.ones(1, 3, 5))),
            ValueError,
            "C must have shape (1, 3, 4), got (1, 3, 5)",
        ),
        (
            lambda: selective_scan(*selective, torch.ones(3)),
            ValueError,
            "D must have shape (2,), got (3,)",
        ),
        (
            lambda: selective_scan(*selective, b_bar="foh"),
            ValueError,
            "b_bar must be one of euler, zoh, got 'foh'",
        ),
        (
            lambda: selective_scan(*replaced(selective, 2, torch.zeros(2, 4)), b_bar="zoh"),
            ValueError,
            "A must be nonzero for b_bar='zoh', got a 0",
        ),
        (lambda: Mamba(4, d_conv=0), ValueError, "d_conv must be >= 1, got 0"),
        (lambda: Mamba(True), TypeError, "d_model must be an integer, got True"),
        (
            lambda: Mamba(4)(torch.ones(1, 3, 5)),
            ValueError,
            "x must have shape ('any', 'any', 4), got (1, 3, 5)",
        ),
        (
            lambda: Mamba(4).step(torch.ones(1, 5), Mamba(4).empty_cache(1)),
            ValueError,
            "x must have shape ('any', 4), got (1, 5)",
        ),
        (
            lambda: Mamba(4).step(torch.ones(2, 4), Mamba(4).empty_cache(1)),
            ValueError,
            "cache.h must have shape (2, 8, 16), got (1, 8, 16)",
        ),
        (lambda: Mamba(4).empty_cache(0), ValueError, "batch must be >= 1, got 0"),
        (
            lambda: ssd(*qkv, torch.ones(1, 3)),
            ValueError,
            "log_a must be finite and <= 0 everywhere",
        ),
        (
            lambda: ssd(*qkv, -torch.ones(1, 4)),
            ValueError,
            "log_a must have shape (1, 3), got (1, 4)",
        ),
        (lambda: ssd(*qkv, -torch.ones(1, 3), 0), ValueError, "chunk must be >= 1, got 0"),
        (
            lambda: outer_scan(*qkv, torch.ones(1, 4)),
            ValueError,
            "a must have shape (1, 3), got (1, 4)",
        ),
        (
            lambda: wkv(*replaced(us, 0, -torch.ones(2))),
            ValueError,
            "the decay w must be >= 0, got -1",
        ),
        (
            lambda: wkv(*replaced(us, 1, torch.ones(3))),
            ValueError,
            "u must have shape (2,), got (3,)",
        ),
        (
            lambda: wkv(*replaced(us, 2, torch.ones(3))),
            ValueError,
            "k must have shape ('any', 'any', 'any'), got (3,)",
        ),
        (
            lambda: wkv(*replaced(us, 3, torch.ones(1, 4, 2))),
            ValueError,
            "v must have shape (1, 3, 2), got (1, 4, 2)",
        ),
        (
            lambda: Mamba(4)(torch.ones(1, 0, 4)),
            ValueError,
            "the number of steps of x must be >= 1, got 0",
        ),
        (
            lambda: legs_matvec(np.array(1.0)),
            ValueError,
            "the number of axes of x must be >= 1, got 0",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call()


@pytest.mark.parametrize("scan_", [scan, scan_sequential, scan_hillis_steele, scan_chunked])
def test_scans_refuse_what_does_not_fit(scan_):
    one = torch.ones(1, 3, 2)
    shapes = "a and b must have one shape (batch, length >= 1, ...), got "
    for a, b in ((one, one[:, :2]), (one[:, :0], one[:, :0]), (one[0, 0], one[0, 0])):
        with pytest.raises(ValueError, match="^" + re.escape(shapes)):
            scan_(a, b)
    message = "a and b must have one floating or complex dtype, got torch.int64 and torch.int64"
    with pytest.raises(TypeError, match="^" + re.escape(message)):
        check_operands(one.long(), one.long())
    with pytest.raises(TypeError):
        scan_(one.long(), one.long())


@pytest.mark.parametrize("form", [retention_parallel, retention_recurrent, retention_chunkwise])
def test_attentions_refuse_what_does_not_fit(form):
    q = torch.ones(1, 3, 2)
    for gamma in (0.0, 1.5, float("nan")):
        with pytest.raises(ValueError, match=r"^gamma must be above 0 and at most 1, got"):
            form(q, q, q, gamma)
    for attend in (linear_attention, lambda q, k, v: form(q, k, v, 0.5)):
        with pytest.raises(ValueError, match=r"^k must have shape \(1, 3, 2\), got \(1, 3, 4\)"):
            attend(q, torch.ones(1, 3, 4), q)
        with pytest.raises(ValueError, match=r"^v must have shape \(1, 3, 'any'\), got"):
            attend(q, q, torch.ones(1, 4, 2))
        with pytest.raises(ValueError, match=r"^q must have shape \(batch, length >= 1, n\), got"):
            attend(q[0], q, q)


def test_every_figure_draws():
    from matplotlib import rc_context

    from snippets.common import plot

    with rc_context(plot.style()):
        for name in page.__all__:
            if name.startswith("figure_"):
                assert getattr(page, name)()
