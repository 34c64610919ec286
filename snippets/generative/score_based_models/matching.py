"""Four losses whose minimiser is the score, and the estimate of a trace that one of them needs."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from snippets.common.checks import check_count

from .checks import Number, check_points, check_sigma, evaluate

Field = Callable[[Tensor], Tensor]


def explicit_score_matching(
    score_fn: Field,
    x: Tensor,
    true_score: Field,
) -> Float[Tensor, " n"]:
    """Return |s(x) - true score|^2 / 2, Eq. (score-based-models-fisher).

    Raises: ValueError unless x is a batch of points and both functions
    return its shape.
    """
    check_points(x)
    apart = evaluate(score_fn, x) - evaluate(true_score, x, "true_score")
    return (apart**2).sum(1) / 2


def _quadratic_forms(
    fn: Field,
    x: Tensor,
    probes: Tensor,
) -> tuple[Float[Tensor, "n d"], Float[Tensor, "p n"]]:
    """Return fn(x), and v . (Jacobian v) for each of the probes (p, n, d).

    One backward pass per probe; rows of fn(x) must not mix rows of x.
    """
    keep = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        s = evaluate(fn, x)
        if not s.requires_grad:
            raise ValueError(
                "score_fn must be differentiable, got a result without gradient",
            )
        forms = []
        for v in probes:
            (v_J,) = torch.autograd.grad(
                s,
                x,
                v,
                retain_graph=True,
                create_graph=keep,
                materialize_grads=True,
            )
            forms.append((v_J * v).sum(1))
    return s if keep else s.detach(), torch.stack(forms)


def implicit_score_matching(score_fn: Field, x: Tensor) -> Float[Tensor, " n"]:
    """Return |s|^2 / 2 + div s, Eq. (score-based-models-ism).

    The divergence costs d backward passes.
    Raises: ValueError unless x is a batch of points and score_fn returns its
    shape and is differentiable.
    """
    check_points(x)
    axes = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    probes = axes[:, None].expand(-1, len(x), -1)
    s, forms = _quadratic_forms(score_fn, x, probes)
    return (s**2).sum(1) / 2 + forms.sum(0)


def _draw_probes(
    x: Tensor,
    n_probes: int,
    kind: str,
    generator: torch.Generator | None,
) -> Float[Tensor, "p n d"]:
    """Draw vectors v with E[v v^T] = I, n_probes for each row of x."""
    check_count("n_probes", n_probes)
    v = torch.empty(n_probes, *x.shape, dtype=x.dtype, device=x.device)
    if kind == "rademacher":
        return 2 * v.bernoulli_(0.5, generator=generator) - 1
    if kind == "gaussian":
        return v.normal_(generator=generator)
    raise ValueError(f"kind must be 'rademacher' or 'gaussian', got {kind!r}")


def hutchinson_trace(
    fn: Field,
    x: Tensor,
    n_probes: int = 1,
    kind: str = "rademacher",
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Estimate the divergence of fn, Eq. (score-based-models-hutchinson).

    Raises: ValueError unless x is a batch of points, n_probes >= 1, kind is
    rademacher or gaussian, and fn is differentiable and returns x's shape.
    """
    check_points(x)
    probes = _draw_probes(x, n_probes, kind, generator)
    return _quadratic_forms(fn, x, probes)[1].mean(0)


def sliced_score_matching(
    score_fn: Field,
    x: Tensor,
    n_projections: int = 1,
    vr: bool = True,
    kind: str = "rademacher",
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Return the sliced loss, Eq. (score-based-models-ssm).

    With vr the square of the score is exact, which reduces the variance.
    Raises: ValueError as `hutchinson_trace`.
    """
    check_points(x)
    probes = _draw_probes(x, n_projections, kind, generator)
    s, forms = _quadratic_forms(score_fn, x, probes)
    along = (probes * s).sum(2)
    square = (s**2).sum(1) if vr else (along**2).mean(0)
    return square / 2 + forms.mean(0)


def denoising_score_matching(
    score_fn: Field,
    x: Tensor,
    sigma: Tensor | Number,
    generator: torch.Generator | None = None,
) -> Float[Tensor, " n"]:
    """Return |sigma s(x + sigma z) + z|^2 / 2, with one noise z for each x.

    Eq. (score-based-models-dsm), with the weight sigma^2.
    Raises: ValueError unless x is a batch of points, sigma > 0, a number or one
    for each point, and score_fn returns x's shape.
    """
    check_points(x)
    level = check_sigma(sigma, x)
    z = torch.empty_like(x).normal_(generator=generator)
    s = evaluate(score_fn, x + level * z)
    return ((level * s + z) ** 2).sum(1) / 2
