"""Fuzzy matching: distances between bags of q-grams, and the edit distance they bound."""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from .tokens import ngrams

PAD = "$"


def qgrams(s: str, q: int, pad: bool = False) -> Counter[str]:
    """Return the bag of substrings of length q, padded with q - 1 `$` if asked.

    Raises: ValueError if q < 1.
    """
    if q < 1:
        raise ValueError(f"q must be >= 1, got {q}")
    fence = PAD * (q - 1) if pad else ""
    return Counter("".join(gram) for gram in ngrams(fence + s + fence, q))


def qgram_distance(a: str, b: str, q: int) -> int:
    """Return |G(a)| + |G(b)| - 2 |G(a) & G(b)|, Eq. (ngram-qgram-distance)."""
    x, y = qgrams(a, q), qgrams(b, q)
    return x.total() + y.total() - 2 * (x & y).total()


def jaccard(x: Counter[str], y: Counter[str]) -> float:
    """Return |x & y| / |x | y|, Eq. (ngram-jaccard); 1 if both are empty."""
    union = (x | y).total()
    return (x & y).total() / union if union else 1.0


def dice(x: Counter[str], y: Counter[str]) -> float:
    """Return 2 |x & y| / (|x| + |y|), Eq. (ngram-jaccard); 1 if both empty."""
    total = x.total() + y.total()
    return 2 * (x & y).total() / total if total else 1.0


def levenshtein(a: str, b: str) -> int:
    """Return the least number of edits from a to b, Eq. (ngram-levenshtein)."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            change = diagonal + (x != y)
            diagonal = row[j]
            row[j] = min(change, row[j - 1] + 1, row[j] + 1)
    return row[-1]


class FuzzyIndex:
    """Find strings within an edit distance; Eq. (ngram-ukkonen) filters first.

    Raises: TypeError for one string; ValueError if q < 1.
    """

    def __init__(self, strings: Iterable[str], q: int = 2):
        """Index the strings by their q-grams."""
        if isinstance(strings, str):
            raise TypeError(
                f"expected several strings, got one: write [{strings[:20]!r}]",
            )
        self.strings, self.q = list(dict.fromkeys(strings)), q
        bags = [qgrams(s, q) for s in self.strings]
        self.sizes = np.array([bag.total() for bag in bags])
        postings: dict[str, list[tuple[int, int]]] = {}
        for i, bag in enumerate(bags):
            for gram, count in bag.items():
                postings.setdefault(gram, []).append((i, count))
        self.postings = {gram: np.array(at).T for gram, at in postings.items()}

    def candidates(self, s: str, k: int) -> list[str]:
        """Return the strings whose q-gram distance does not rule them out.

        Raises: ValueError if k < 0.
        """
        if k < 0:
            raise ValueError(f"k must be >= 0, got {k}")
        bag = qgrams(s, self.q)
        common = np.zeros(len(self.strings), np.int64)
        for gram, count in bag.items():
            if gram in self.postings:
                i, counts = self.postings[gram]
                common[i] += np.minimum(counts, count)
        near = self.sizes + bag.total() - 2 * common <= 2 * self.q * k
        return [self.strings[i] for i in np.flatnonzero(near)]

    def search(self, s: str, k: int) -> list[tuple[int, str]]:
        """Return (distance, string) of all strings within k edits, sorted."""
        found = [(levenshtein(s, t), t) for t in self.candidates(s, k)]
        return sorted((d, t) for d, t in found if d <= k)
