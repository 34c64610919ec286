"""One margin on angles: softmax, SphereFace, CosFace and ArcFace are four points of it."""

from math import log, pi, sin

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize

from .checks import check_classes, check_labelled

EDGE = 1e-6  # cosines are kept this far from -1 and 1, where arccos has no slope


def check_margins(m1: float, m2: float, m3: float) -> None:
    """Refuse margins for which psi would not fall or not be a number.

    Raises: ValueError unless m1 >= 1, 0 <= m2 <= pi and m3 >= 0.
    """
    if not (m1 >= 1 and 0 <= m2 <= pi and m3 >= 0):
        raise ValueError(
            f"need m1 >= 1, 0 <= m2 <= pi, m3 >= 0, got {m1}, {m2}, {m3}",
        )


def margin_cosine(
    cosine: Tensor,
    m1: float = 1.0,
    m2: float = 0.5,
    m3: float = 0.0,
    tail: str = "monotone",
) -> Tensor:
    """Return psi(theta) of the angles with these cosines.

    Eq. (face-recognition-psi); with tail="taylor" Eq. (face-recognition-taylor).

    Raises: ValueError unless m1 >= 1, 0 <= m2 <= pi, m3 >= 0 and tail is
    monotone or, where m1 = 1, taylor.
    """
    check_margins(m1, m2, m3)
    if tail != "monotone" and (tail != "taylor" or m1 != 1):
        raise ValueError(
            f"tail must be monotone, taylor if m1 = 1, got {tail!r}, m1={m1}",
        )
    theta = cosine.clamp(-1 + EDGE, 1 - EDGE).acos()
    phi = m1 * theta + m2
    if tail == "taylor":
        frozen = theta.cos() - m2 * sin(m2)
        return torch.where(phi <= pi, phi.cos(), frozen) - m3
    k = (phi.detach() / pi).floor()
    return (1 - 2 * (k % 2)) * phi.cos() - 2 * k - m3


def margin_logits(
    cosine: Tensor,
    y: Tensor,
    s: float | Tensor = 64.0,
    m1: float = 1.0,
    m2: float = 0.5,
    m3: float = 0.0,
    tail: str = "monotone",
) -> Float[Tensor, "b c"]:
    """Return s cos(theta) for the wrong classes, s psi(theta) for the right one.

    Eq. (face-recognition-logits).  cosine (B, C) of embeddings with classes,
    y (B,); s is a number, or (B, 1).

    Raises: ValueError unless the shapes agree, -1 <= cosine <= 1 and y lies
    between 0 and C - 1, and as `margin_cosine`; TypeError unless y is integer.
    """
    check_labelled(cosine, y)
    if len(cosine) and not cosine.detach().abs().max() <= 1 + 1e-5:
        worst = cosine.detach().abs().max().item()
        raise ValueError(f"cosine must lie between -1 and 1, got {worst:g}")
    check_classes(y, cosine.shape[1])
    right = cosine.gather(1, y[:, None])
    moved = margin_cosine(right, m1, m2, m3, tail)
    return s * cosine.scatter(1, y[:, None], moved.to(cosine.dtype))


class MarginHead(nn.Module):
    """One direction per class; the loss of embeddings with a margin."""

    def __init__(
        self,
        d: int,
        C: int,
        s: float | None = 64.0,
        m1: float = 1.0,
        m2: float = 0.0,
        m3: float = 0.0,
        generator: torch.Generator | None = None,
    ) -> None:
        """Make C directions in d dimensions; s=None takes the length of x for s.

        Raises: ValueError unless d and C are >= 1, s is > 0 or None, and the
        margins as `margin_cosine` wants them.
        """
        super().__init__()
        if min(d, C) < 1:
            raise ValueError(f"d and C must be >= 1, got {d} and {C}")
        if s is not None and not s > 0:
            raise ValueError(f"s must be > 0 or None, got {s}")
        check_margins(m1, m2, m3)
        self.s, self.m1, self.m2, self.m3 = s, m1, m2, m3
        self.weight = nn.Parameter(torch.randn(C, d, generator=generator))

    def cosine(self, x: Tensor) -> Float[Tensor, "b c"]:
        """Return the cosine of each embedding (B, d) with each class.

        Raises: ValueError unless x is (B, d).
        """
        d = self.weight.shape[1]
        if x.ndim != 2 or x.shape[1] != d:
            raise ValueError(f"x must be (B, {d}), got {tuple(x.shape)}")
        return linear(normalize(x), normalize(self.weight))

    def forward(self, x: Tensor, y: Tensor) -> Float[Tensor, ""]:
        """Return the mean cross-entropy, Eq. (face-recognition-loss).

        Raises: ValueError unless x is (B, d), and as `margin_logits`.
        """
        cosine = self.cosine(x)
        s = x.norm(dim=1, keepdim=True) if self.s is None else self.s
        logits = margin_logits(cosine, y, s, self.m1, self.m2, self.m3)
        return cross_entropy(logits, y)


class SphereFace(MarginHead):
    """m1 multiplies the angle; s is the length of the embedding."""

    def __init__(
        self,
        d: int,
        C: int,
        m: float = 4.0,
        s: float | None = None,
    ) -> None:
        """Make the head of d dimensions and C classes."""
        super().__init__(d, C, s, m1=m)


class CosFace(MarginHead):
    """m3 is taken from the cosine."""

    def __init__(self, d: int, C: int, m: float = 0.35, s: float = 64.0) -> None:
        """Make the head of d dimensions and C classes."""
        super().__init__(d, C, s, m3=m)


class ArcFace(MarginHead):
    """m2 is added to the angle."""

    def __init__(self, d: int, C: int, m: float = 0.5, s: float = 64.0) -> None:
        """Make the head of d dimensions and C classes."""
        super().__init__(d, C, s, m2=m)


def smallest_scale(C: int, P: float) -> float:
    """Return the s below which no C classes all reach the probability P.

    Eq. (face-recognition-scale).

    Raises: ValueError unless C >= 2 and 1 / C < P < 1.
    """
    if C < 2 or not 1 / C < P < 1:
        raise ValueError(f"need C >= 2 and 1 / C < P < 1, got C={C}, P={P}")
    return (C - 1) / C * log((C - 1) * P / (1 - P))
