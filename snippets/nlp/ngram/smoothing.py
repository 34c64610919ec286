"""The ladder of smoothing, up to Good-Turing: who pays for what was never seen."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from .model import Context, Followers, NgramLM, Sents, checked
from .tokens import pad


class MLE(NgramLM):
    """Maximum likelihood, Eq. (ngram-mle); 0 after a context never seen."""

    def _prob(self, w: str, ctx: Context) -> float:
        here = self.followers.get(ctx)
        return here.get(w, 0) / self.totals[ctx] if here else 0.0


class Lidstone(NgramLM):
    """Add gamma to every count, Eq. (ngram-lidstone); gamma = 1 is Laplace.

    Raises: ValueError unless gamma > 0.
    """

    def __init__(self, order: int, gamma: float = 1.0):
        """Take the order and the pseudo-count."""
        super().__init__(order)
        if not 0 < gamma < math.inf:
            raise ValueError(f"gamma must be > 0 and finite, got {gamma}")
        self.gamma = gamma

    def _prob(self, w: str, ctx: Context) -> float:
        count = self.followers.get(ctx, {}).get(w, 0)
        total = self.totals.get(ctx, 0)
        return (count + self.gamma) / (total + self.gamma * len(self.vocab))


class Interpolated(NgramLM):
    """p(w|h) = own(w, h) + backoff(h) p(w|h'), Eq. (ngram-interpolated)."""

    def _prob(self, w: str, ctx: Context) -> float:
        while ctx not in self.followers:  # the empty context always is
            ctx = ctx[1:]
        lower = self._prob(w, ctx[1:]) if ctx else 1 / len(self.vocab)
        return self._own(w, ctx) + self.backoff(ctx) * lower

    def _own(self, w: str, ctx: Context) -> float:
        """Return what a seen context says by itself."""
        raise NotImplementedError

    def backoff(self, ctx: Context) -> float:
        """Return the mass that a seen context leaves to the shorter one."""
        raise NotImplementedError


class JelinekMercer(Interpolated):
    """One weight per order, Eq. (ngram-jelinek-mercer).

    `lambdas[k]` is for contexts of k words.
    Raises: ValueError unless there are `order` weights, each between 0 and 1.
    """

    def __init__(self, order: int, lambdas: Sequence[float] | None = None):
        """Take the weights; without them all are 1/2 until `tune`."""
        super().__init__(order)
        self.lambdas = [0.5] * order if lambdas is None else list(lambdas)
        fits = all(0 <= x <= 1 for x in self.lambdas)
        if len(self.lambdas) != order or not fits:
            raise ValueError(f"need {order} lambdas in [0, 1], got {lambdas}")

    def _own(self, w: str, ctx: Context) -> float:
        share = self.followers[ctx].get(w, 0) / self.totals[ctx]
        return self.lambdas[len(ctx)] * share

    def backoff(self, ctx: Context) -> float:
        """Return 1 - lambda."""
        return 1 - self.lambdas[len(ctx)]

    def tune(self, heldout: Sents, steps: int = 20) -> list[float]:
        """Fit the weights to held-out text, Eq. (ngram-em); return entropies.

        Raises: ValueError if steps < 1, or as `cross_entropy` does.
        """
        if steps < 1:
            raise ValueError(f"steps must be >= 1, got {steps}")
        heldout = checked(heldout)
        entropies = []
        for _ in range(steps):
            entropies.append(self.cross_entropy(heldout))
            self._em_step(heldout)
        return [*entropies, self.cross_entropy(heldout)]

    def _em_step(self, heldout: list[Sequence[str]]) -> None:
        """Set each weight to the share of arriving tokens that stop there."""
        arrived, stopped = [0.0] * self.order, [0.0] * self.order
        for sent in heldout:
            words = pad(sent, self.order)
            for i in range(self.order > 1, len(words)):
                ctx = self._context(words[:i])
                w, here = self._known(words[i]), 1.0
                for start in range(len(ctx) + 1):
                    h = ctx[start:]
                    if h in self.followers:
                        stop = here * self._own(w, h) / self._prob(w, h)
                        arrived[len(h)] += here
                        stopped[len(h)] += stop
                        here -= stop
        pairs = zip(stopped, arrived, self.lambdas, strict=True)
        self.lambdas = [s / a if a else old for s, a, old in pairs]


class WittenBell(Interpolated):
    """New words stay as likely as they were here, Eq. (ngram-witten-bell)."""

    def _own(self, w: str, ctx: Context) -> float:
        here = self.followers[ctx]
        return here.get(w, 0) / (self.totals[ctx] + len(here))

    def backoff(self, ctx: Context) -> float:
        """Return T / (c + T)."""
        types = len(self.followers[ctx])
        return types / (self.totals[ctx] + types)


def counts_of_counts(counts: Followers, k: int) -> Counter[int]:
    """Count n-grams with contexts of k words by their counts: {r: n_r}."""
    tables = (here for ctx, here in counts.items() if len(ctx) == k)
    return Counter(c for here in tables for c in here.values())


def good_turing(n: Mapping[int, int], r: int) -> float:
    """Return r* = (r + 1) n_{r+1} / n_r, Eq. (ngram-good-turing).

    Raises: ValueError if r < 1 or n_r = 0.
    """
    if r < 1 or not n.get(r, 0):
        raise ValueError(f"expected r >= 1, n_r > 0, got {r} and {n.get(r, 0)}")
    return (r + 1) * n.get(r + 1, 0) / n[r]


def katz_discounts(n: Mapping[int, int], k: int) -> list[float]:
    """Return d_1 ... d_k, Eq. (ngram-katz-discount).

    Raises: ValueError if k < 2, if one of n_1 ... n_k is 0, or no mass is free.
    """
    if k < 2:
        raise ValueError(f"k must be >= 2, got {k}")
    ratios = [good_turing(n, r) / r for r in range(1, k + 1)]
    common = (k + 1) * n.get(k + 1, 0) / n[1]
    if common == 1:
        raise ValueError(
            f"(k+1) n_(k+1) = n_1 = {n[1]}: choose k other than {k}",
        )
    return [(ratio - common) / (1 - common) for ratio in ratios]


class Katz(NgramLM):
    """Discount what was seen, back off only for what was not, Eq. (ngram-katz).

    A discount outside (0, 1], which scarce data produce, is replaced by 1.
    Raises: ValueError if k < 2, and from `fit` where some n_r, r <= k, is 0.
    """

    def __init__(self, order: int, k: int = 5):
        """Take the order and the count above which counts are trusted."""
        super().__init__(order)
        if k < 2:
            raise ValueError(f"k must be >= 2, got {k}")
        self.k = k

    def _estimate(self) -> None:
        super()._estimate()
        n = [counts_of_counts(self.followers, k) for k in range(self.order)]
        raw = [katz_discounts(each, self.k) for each in n]
        self.discounts = [[d if 0 < d <= 1 else 1.0 for d in row] for row in raw]
        self._alpha: dict[Context, float] = {}
        self._scale: dict[Context, float] = {}
        for ctx in sorted(self.followers, key=len):  # shorter contexts first
            here = self.followers[ctx]
            kept = sum(self._discounted(w, ctx) for w in here)
            free = 1 - sum(self._lower(w, ctx) for w in here)
            spread = free > 1e-12  # else all words were seen: nobody in need
            self._alpha[ctx] = max(0.0, 1 - kept) / free if spread else 0.0
            self._scale[ctx] = 1.0 if spread else 1 / kept

    def _discounted(self, w: str, ctx: Context) -> float:
        count = self.followers[ctx][w]
        d = self.discounts[len(ctx)][count - 1] if count <= self.k else 1.0
        return d * count / self.totals[ctx]

    def _lower(self, w: str, ctx: Context) -> float:
        return self._prob(w, ctx[1:]) if ctx else 1 / len(self.vocab)

    def _prob(self, w: str, ctx: Context) -> float:
        while ctx not in self.followers:
            ctx = ctx[1:]
        if w in self.followers[ctx]:
            return self._scale[ctx] * self._discounted(w, ctx)
        return self._alpha[ctx] * self._lower(w, ctx)

    def backoff(self, ctx: Context) -> float:
        """Return alpha(h), the weight that makes the sum 1."""
        return self._alpha[ctx]


class StupidBackoff(NgramLM):
    """Relative counts, alpha times per step back, Eq. (ngram-stupid): scores.

    Raises: ValueError unless 0 < alpha <= 1; TypeError from `cross_entropy`.
    """

    is_distribution = False

    def __init__(self, order: int, alpha: float = 0.4):
        """Take the order and the factor of a step back."""
        super().__init__(order)
        if not 0 < alpha <= 1:
            raise ValueError(f"alpha must be in (0, 1], got {alpha}")
        self.alpha = alpha

    def _prob(self, w: str, ctx: Context) -> float:
        if w in self.followers.get(ctx, {}):
            return self.followers[ctx][w] / self.totals[ctx]
        return self.alpha * self._prob(w, ctx[1:]) if ctx else 0.0
