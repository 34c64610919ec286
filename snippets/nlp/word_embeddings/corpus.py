"""From sentences to ids, pairs of words and the two distributions that word2vec draws from."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from .lookup import check_ids, check_positive

Ids = Int[np.ndarray, " _"]


def build_vocab(
    sents: Iterable[Sequence[str]],
    min_count: int = 1,
) -> tuple[list[str], Int[np.ndarray, " V"], dict[str, int]]:
    """Return the words from frequent to rare, their counts, and their ids.

    Raises:
        ValueError: min_count is below 1, or no word occurs so often.
    """
    check_positive(min_count=min_count)
    counter = Counter(word for sent in sents for word in sent)
    kept = sorted((-n, word) for word, n in counter.items() if n >= min_count)
    if not kept:
        most = max(counter.values(), default=0)
        raise ValueError(
            f"no word occurs {min_count} times: "  # an empty text too
            f"the most frequent occurs {most} times",
        )
    words = [word for _, word in kept]
    counts = np.array([-n for n, _ in kept])
    return words, counts, {word: i for i, word in enumerate(words)}


def encode(
    sents: Iterable[Sequence[str]],
    index: dict[str, int],
) -> tuple[Ids, Ids]:
    """Return the ids of all known words and their sentences' numbers."""
    found = [
        (index[w], s)  # one row per known word
        for s, sent in enumerate(sents)
        for w in sent
        if w in index
    ]
    ids, sent_ids = np.array(found, dtype=np.int64).reshape(-1, 2).T
    return ids, sent_ids


def keep_prob(
    counts: Int[np.ndarray, " V"],
    t: float | int = 1e-3,
    rule: str = "word2vec",
) -> Float[np.ndarray, " V"]:
    """Return the chance of each word to stay in the text.

    Eq. (word-embeddings-keep-paper) or Eq. (word-embeddings-keep-code).

    Raises:
        ValueError: t or a count is not positive, or the rule has another name.
    """
    if t <= 0:
        raise ValueError(f"t must be positive, got {t}")
    check_counts(counts)
    ratio = t / (counts / counts.sum())
    rules = {"paper": np.sqrt(ratio), "word2vec": np.sqrt(ratio) + ratio}
    if rule not in rules:
        raise ValueError(f"rule must be 'word2vec' or 'paper', got {rule!r}")
    return np.minimum(rules[rule], 1)


def noise_distribution(
    counts: Int[np.ndarray, " V"],
    alpha: float | int = 0.75,
) -> Float[np.ndarray, " V"]:
    """Return the negative samples' distribution, Eq. (word-embeddings-noise).

    Raises:
        ValueError: there are no counts or one is not positive.
    """
    check_counts(counts)
    weights = counts.astype(float) ** alpha
    return weights / weights.sum()


def check_counts(counts: np.ndarray) -> None:
    """Raise ValueError unless there are counts and all are positive."""
    if not len(counts) or counts.min() <= 0:
        found = f"a count of {counts.min()}" if len(counts) else "none"
        raise ValueError(f"counts must be positive numbers, got {found}")


def _neighbours(
    sent_ids: Ids,
    window: int,
    rng: np.random.Generator | None,
) -> Iterator[tuple[Ids, Ids]]:
    """Yield, offset by offset, positions of centres and of their contexts."""
    check_positive(window=window)
    n = len(sent_ids)
    radius = (
        np.full(n, window)  # the whole window
        if rng is None
        else rng.integers(1, window + 1, n)
    )
    for offset in range(1, window + 1):
        left = np.flatnonzero(sent_ids[:-offset] == sent_ids[offset:])
        for centre, context in ((left, left + offset), (left + offset, left)):
            near = radius[centre] >= offset
            yield centre[near], context[near]


def position_pairs(
    sent_ids: Ids,
    window: int,
    rng: np.random.Generator | None = None,
) -> tuple[Ids, Ids]:
    """Return the positions of all pairs (centre, context) within a sentence.

    With ``rng`` each centre draws its own radius from 1 … window (word2vec).

    Raises:
        ValueError: window is below 1.
    """
    both = zip(*_neighbours(sent_ids, window, rng), strict=True)
    centre, context = (np.concatenate(part) for part in both)
    return centre, context


def skipgram_pairs(
    ids: Ids,
    sent_ids: Ids,
    window: int,
    rng: np.random.Generator | None = None,
) -> tuple[Ids, Ids]:
    """Return the words of all pairs, Eq. (word-embeddings-pairs).

    Raises:
        ValueError: window is below 1, or ids and sent_ids differ in length.
    """
    check_lengths(ids, sent_ids)
    centre, context = position_pairs(sent_ids, window, rng)
    return ids[centre], ids[context]


def check_lengths(ids: Ids, sent_ids: Ids) -> None:
    """Raise ValueError unless each word has the number of its sentence."""
    if len(ids) != len(sent_ids):
        message = "ids and sent_ids must have one length"
        raise ValueError(f"{message}, got {len(ids)} and {len(sent_ids)}")


def context_means(
    ids: Ids,
    sent_ids: Ids,
    window: int,
    V: int,
    rng: np.random.Generator | None = None,
) -> tuple[Ids, sparse.csr_array]:
    """Return the centres with a context and a row of weights 1/m for each.

    Raises:
        ValueError: window is below 1, an id is not below V, or the lengths
            of ids and sent_ids differ.
    """
    check_lengths(ids, sent_ids)
    check_ids("ids", ids, V)
    centre, context = position_pairs(sent_ids, window, rng)
    size = np.bincount(centre, minlength=len(ids))
    weights = (1 / size[centre]).astype(np.float32)
    A = sparse.csr_array(
        (weights, (centre, ids[context])),
        shape=(len(ids), V),
    )
    return ids[size > 0], A[np.flatnonzero(size)]
