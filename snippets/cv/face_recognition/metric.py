"""Losses that compare embeddings with each other instead of with a class."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .checks import check_classes, check_labelled


def squared_distances(a: Tensor, b: Tensor) -> Float[Tensor, "n m"]:
    """Return all squared distances between the rows of a (n, d) and b (m, d)."""
    lengths = a.square().sum(1)[:, None] + b.square().sum(1)
    return (lengths - 2 * a @ b.T).clamp(min=0)


def contrastive_loss(
    a: Tensor,
    b: Tensor,
    same: Tensor,
    margin: float = 1.0,
) -> Float[Tensor, ""]:
    """Pull pairs of one identity together, push the others margin apart.

    Eq. (face-recognition-contrastive).  a and b are (n, d), same (n,) Booleans.

    Raises: ValueError unless the shapes agree and margin > 0; TypeError unless
    same is Boolean.
    """
    if a.ndim != 2 or a.shape != b.shape or same.shape != a.shape[:1]:
        shapes = [tuple(one.shape) for one in (a, b, same)]
        raise ValueError(f"a, b, same must be (n, d), (n, d), (n,): {shapes}")
    if same.dtype != torch.bool:
        raise TypeError(f"same must be Boolean, got {same.dtype}")
    if not margin > 0:
        raise ValueError(f"margin must be > 0, got {margin}")
    distance = (a - b).norm(dim=1)
    gap = (margin - distance).clamp(min=0)
    return torch.where(same, distance.square(), gap.square()).mean() / 2


def mine(
    squared: Float[Tensor, "n n"],
    y: Int[Tensor, " n"],
    margin: float,
    mining: str,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return anchors, positives and negatives of the triplets that mining takes.

    Eq. (face-recognition-mining).

    Raises: ValueError unless mining is semihard, hard or all.
    """
    kinds = ("semihard", "hard", "all")
    if mining not in kinds:
        raise ValueError(f"mining must be one of {kinds}, got {mining!r}")
    same = y[:, None] == y
    pairs = same & ~torch.eye(len(y), dtype=torch.bool)
    # lead[a, p, n]: how much farther n is from a than p
    lead = squared[:, None, :] - squared[:, :, None]
    taken = pairs[:, :, None] & ~same[:, None, :] & (lead <= margin)
    if mining == "semihard":
        taken &= lead > 0
    elif mining == "hard":
        taken &= lead <= 0
    a, p, n = torch.nonzero(taken, as_tuple=True)
    return a, p, n


def triplet_loss(
    emb: Tensor,
    y: Tensor,
    margin: float = 0.2,
    mining: str = "semihard",
) -> Float[Tensor, ""]:
    """Return the mean loss of the mined triplets, 0 where there is none.

    Eq. (face-recognition-triplet).  emb (B, d), y (B,).

    Raises: ValueError unless the shapes agree, emb is finite, margin > 0 and
    mining is known; TypeError unless y holds integers.
    """
    check_labelled(emb, y)
    if not emb.isfinite().all():
        raise ValueError("emb must be finite, got nan or inf among it")
    if not margin > 0:
        raise ValueError(f"margin must be > 0, got {margin}")
    squared = squared_distances(emb, emb)
    a, p, n = mine(squared.detach(), y, margin, mining)
    losses = (squared[a, p] - squared[a, n] + margin).clamp(min=0)
    return losses.sum() / max(1, len(a))


def center_loss(emb: Tensor, y: Tensor, centers: Tensor) -> Float[Tensor, ""]:
    """Return half the mean squared distance to the centre of one's class.

    Eq. (face-recognition-center).  emb (B, d), y (B,), centers (C, d).

    Raises: ValueError unless the shapes agree and y lies between 0 and C - 1;
    TypeError unless y is integer.
    """
    _check_centers(centers, emb, y)
    return (emb - centers[y]).square().sum(1).mean() / 2


def _check_centers(centers: Tensor, emb: Tensor, y: Tensor) -> None:
    """Refuse centres of another width, and labels of centres there are not."""
    check_labelled(emb, y)
    if centers.ndim != 2 or centers.shape[1] != emb.shape[1]:
        raise ValueError(
            f"centers must be (C, {emb.shape[1]}), got {tuple(centers.shape)}",
        )
    check_classes(y, len(centers))


@torch.no_grad()
def update_centers(
    centers: Tensor,
    emb: Tensor,
    y: Tensor,
    rate: float = 0.5,
) -> None:
    """Move the centres towards the embeddings of their class, in place.

    Eq. (face-recognition-center-update).  centers (C, d), emb (B, d), y (B,).

    Raises: as `center_loss`.
    """
    _check_centers(centers, emb, y)
    pull = torch.zeros_like(centers).index_add_(0, y, centers[y] - emb)
    count = y.bincount(minlength=len(centers))[:, None]
    centers -= rate * pull / (1 + count)
