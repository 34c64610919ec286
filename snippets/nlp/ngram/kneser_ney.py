"""Absolute discounting and what Kneser and Ney made of it: one formula, three models."""

from collections.abc import Mapping, Sequence

from .model import Context, Followers
from .smoothing import Interpolated, counts_of_counts
from .tokens import BOS

Discounts = tuple[float, float, float]


def adjusted_counts(followers: Followers, order: int) -> Followers:
    """Replace counts below the highest order, Eq. (ngram-adjusted).

    What starts with <s> has nothing on its left and keeps its count.
    """
    top = order - 1
    adjusted: Followers = {}
    for ctx, here in followers.items():
        keep = len(ctx) == top or ctx[:1] == (BOS,)
        adjusted[ctx] = dict(here) if keep else dict.fromkeys(here, 0)
    for ctx, here in followers.items():
        if ctx:
            shorter = adjusted[ctx[1:]]
            for w in here:
                shorter[w] += 1
    return adjusted


def ney_discount(n: Mapping[int, int]) -> float:
    """Return D = n_1 / (n_1 + 2 n_2), Eq. (ngram-ney-discount).

    Raises: ValueError if n_1 or n_2 is 0.
    """
    n1, n2 = n.get(1, 0), n.get(2, 0)
    if not n1 or not n2:
        raise ValueError(f"no discount from n_1 = {n1}, n_2 = {n2}: give d")
    return n1 / (n1 + 2 * n2)


def modified_discounts(n: Mapping[int, int]) -> Discounts:
    """Return D_1, D_2, D_3+, Eq. (ngram-modified-discounts).

    Raises: ValueError if one of n_1 ... n_3 is 0 or some D_i is outside [0, i].
    """
    seen = [n.get(r, 0) for r in range(1, 5)]
    if not all(seen[:3]):
        raise ValueError(f"no discounts from n_1..n_4 = {seen}: give a fallback")
    Y = ney_discount(n)
    D = [i - (i + 1) * Y * seen[i] / seen[i - 1] for i in (1, 2, 3)]
    if not all(0 <= d <= i for i, d in enumerate(D, 1)):
        raise ValueError(f"D_i outside [0, i]: {D} from {seen}: give a fallback")
    return D[0], D[1], D[2]


class AbsoluteDiscount(Interpolated):
    """Take D from every count and share it below, Eq. (ngram-discounting).

    Raises: ValueError unless 0 < d < 1; from `fit` if D cannot be estimated.
    """

    def __init__(self, order: int, d: float | None = None):
        """Take the discount; None estimates one per order."""
        super().__init__(order)
        if d is not None and not 0 < d < 1:
            raise ValueError(f"d must be in (0, 1), got {d}")
        self.d = d

    def _estimate(self) -> None:
        self.followers = self._counts()
        super()._estimate()
        n = [counts_of_counts(self.followers, k) for k in range(self.order)]
        self.discounts = [self._discounts(each) for each in n]
        self._backoff = {
            h: sum(self._discount(a, h) for a in here.values()) / self.totals[h]
            for h, here in self.followers.items()
        }

    def _counts(self) -> Followers:
        return self.followers

    def _discounts(self, n: Mapping[int, int]) -> Discounts:
        return (ney_discount(n) if self.d is None else self.d,) * 3

    def _discount(self, count: int, ctx: Context) -> float:
        return self.discounts[len(ctx)][min(count, 3) - 1]

    def _own(self, w: str, ctx: Context) -> float:
        a = self.followers[ctx].get(w, 0)
        return (a - self._discount(a, ctx)) / self.totals[ctx] if a else 0.0

    def backoff(self, ctx: Context) -> float:
        """Return b(h), the sum of what was taken."""
        return self._backoff[ctx]


class KneserNey(AbsoluteDiscount):
    """Absolute discounting of adjusted counts, Eq. (ngram-adjusted)."""

    def _counts(self) -> Followers:
        return adjusted_counts(self.followers, self.order)


class ModifiedKneserNey(KneserNey):
    """Kneser-Ney with three discounts per order, Eq. (ngram-modified-discounts).

    Raises: ValueError from `fit` if they cannot be estimated without a fallback.
    """

    def __init__(self, order: int, fallback: Sequence[float] | None = None):
        """Take three discounts for orders whose own cannot be estimated."""
        super().__init__(order)
        self.fallback = checked_fallback(fallback)

    def _discounts(self, n: Mapping[int, int]) -> Discounts:
        return discounts_or(self.fallback, n)


def checked_fallback(fallback: Sequence[float] | None) -> Discounts | None:
    """Return three discounts, or None.

    Raises: ValueError unless there are three, the i-th in [0, i].
    """
    if fallback is None:
        return None
    fits = all(0 <= d <= i for i, d in enumerate(fallback, 1))
    if len(fallback) != 3 or not fits:
        raise ValueError(f"fallback must be three D_i in [0, i], got {fallback}")
    return fallback[0], fallback[1], fallback[2]


def discounts_or(fallback: Discounts | None, n: Mapping[int, int]) -> Discounts:
    """Return the estimated discounts, or the fallback where that fails.

    Raises: ValueError if both are missing.
    """
    try:
        return modified_discounts(n)
    except ValueError:
        if fallback is None:
            raise
        return fallback
