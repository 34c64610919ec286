"""Modified Kneser-Ney on whole corpora at once: the same numbers from sorted arrays."""

from collections.abc import Sequence
from itertools import chain, repeat

import numpy as np
from jaxtyping import Bool, Float, Int64

from .kneser_ney import Discounts, checked_fallback, discounts_or
from .model import Sents, checked
from .tokens import BOS, EOS

_UNK, _EOS, _BOS = 0, 1, 2  # their numbers; words start at 3
Ints = Int64[np.ndarray, " n"]  # one per token, with every <s> and </s>
Bools = Bool[np.ndarray, " n"]


class ArrayMKN:
    """`ModifiedKneserNey` in arrays; k-grams are numbered by Eq. (ngram-key).

    Raises: ValueError if order < 1, or for a wrong fallback.
    """

    def __init__(self, order: int, fallback: Sequence[float] | None = None):
        """Take the order and discounts for where none can be estimated."""
        if order < 1:
            raise ValueError(f"order must be >= 1, got {order}")
        self.order = order
        self.fallback = checked_fallback(fallback)
        self.index: dict[str, int] = {}

    def fit(self, sents: Sents) -> "ArrayMKN":
        """Number all k-grams, count, discount.

        Raises: as `ModifiedKneserNey.fit` does.
        """
        sents = checked(sents)
        words = dict.fromkeys(chain.from_iterable(sents))
        if reserved := {BOS, EOS} & words.keys():
            raise ValueError(f"a sentence must not contain {sorted(reserved)}")
        words.pop("<unk>", None)
        self.index = {w: i for i, w in enumerate(words, 3)} | {"<unk>": _UNK}
        self.radix = len(self.index) + 2
        w, start = self._encode(sents)
        self._number(w, start)
        self._discount()
        return self

    def _encode(self, sents: list[Sequence[str]]) -> tuple[Ints, Bools]:
        """Return sentences as numbers, <s> and </s> too, and where <s> is."""
        lengths = np.fromiter(map(len, sents), np.int64, len(sents))
        first = np.cumsum(lengths + 2) - lengths - 2
        inside = np.ones(lengths.sum() + 2 * len(sents), bool)
        inside[first] = inside[first + lengths + 1] = False
        w = np.full(len(inside), _EOS, np.int64)
        w[first] = _BOS
        found = map(self.index.get, chain.from_iterable(sents), repeat(_UNK))
        w[inside] = np.fromiter(found, np.int64, lengths.sum())
        start = np.zeros(len(w), bool)
        start[first] = True
        return w, start

    def _keys(self, w: Ints, ids: Ints, start: Bools) -> tuple[Ints, Ints]:
        """Return every context's number, -1 for none, and Eq. (ngram-key)."""
        ctx = np.empty_like(ids)
        ctx[0], ctx[1:] = -1, ids[:-1]
        ctx[start] = -1
        return ctx, ctx * self.radix + w

    def _number(self, w: Ints, start: Bools) -> None:
        """Fill `tables` with sorted keys and `counts` with adjusted counts."""
        self.tables = [np.arange(self.radix)]
        self.counts = [np.bincount(w, minlength=self.radix)]
        ids = w
        for _ in range(1, self.order):
            ctx, keys = self._keys(w, ids, start)
            valid = np.flatnonzero(ctx >= 0)
            table, first, rank, count = np.unique(keys[valid], True, True, True)
            left = np.bincount(ids[valid[first]], minlength=len(self.counts[-1]))
            # no left extension: it starts with <s>, and keeps its count
            self.counts[-1] = np.where(left > 0, left, self.counts[-1])
            self.tables.append(table)
            self.counts.append(count)
            ids = np.full(len(w), -1)
            ids[valid] = rank
        self.counts[0][_BOS] = 0  # never predicted

    def _discount(self) -> None:
        """Fill `own` and `backoff` by order, Eq. (ngram-discounting)."""
        self.own: list[np.ndarray] = []
        self.backoff: list[np.ndarray] = []
        self.discounts: list[Discounts] = []
        contexts = 1  # of unigrams: the empty one
        for table, a in zip(self.tables, self.counts, strict=True):
            ctx = table // self.radix  # 0 for all unigrams
            n = dict(enumerate(np.bincount(np.minimum(a, 5)).tolist()))
            D = discounts_or(self.fallback, n)
            taken = np.array([0.0, *D])[np.minimum(a, 3)]
            total = np.bincount(ctx, a, contexts)
            some = np.maximum(total, 1)  # nothing follows </s>
            sums = np.bincount(ctx, taken, contexts)
            b = np.where(total > 0, sums / some, 1.0)
            own = (a - taken) / some[ctx]
            self.own.append(np.append(own, 0.0))  # [-1]: not seen
            self.backoff.append(np.append(b, 1.0))
            self.discounts.append(D)
            contexts = len(table)

    def logprob(self, sents: Sents) -> Float[np.ndarray, " tokens"]:
        """Return log10 p of every token of all sentences, each with its </s>.

        Raises: ValueError before `fit`, for nothing; TypeError for a string.
        """
        if not self.index:
            raise ValueError("the model knows nothing yet: call fit first")
        w, start = self._encode(checked(sents))
        p = self.own[0][w] + self.backoff[0][0] / (self.radix - 1)  # all but <s>
        ids = w
        for k in range(1, self.order):
            if not len(self.tables[k]):
                break  # no sentence is that long
            ctx, keys = self._keys(w, ids, start)
            place = np.searchsorted(self.tables[k], keys)
            place[place == len(self.tables[k])] = 0
            ids = np.where(self.tables[k][place] == keys, place, -1)
            p = self.own[k][ids] + self.backoff[k][ctx] * p
        return np.log10(p[~start])
