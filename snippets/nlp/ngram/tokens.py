"""Sequences and their n-grams, and the three tokens that no text contains."""

from collections.abc import Iterator, Sequence

BOS, EOS, UNK = "<s>", "</s>", "<unk>"


def ngrams(seq: Sequence, n: int) -> Iterator[tuple]:
    """Yield the windows of n successive items, Eq. (ngram-windows).

    Raises: ValueError if n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    return (tuple(seq[i : i + n]) for i in range(len(seq) - n + 1))


def everygrams(seq: Sequence, n: int) -> Iterator[tuple]:
    """Yield all 1-grams, then all 2-grams, up to the n-grams.

    Raises: ValueError if n < 1.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    return (gram for k in range(1, n + 1) for gram in ngrams(seq, k))


def pad(seq: Sequence[str], n: int) -> tuple[str, ...]:
    """Add one </s>, and one <s> if a model of order n has contexts.

    Raises: ValueError if n < 1, or if the sequence contains <s> or </s> already.
    """
    if n < 1:
        raise ValueError(f"n must be >= 1, got {n}")
    if reserved := {BOS, EOS}.intersection(seq):
        raise ValueError(f"a sentence must not contain {sorted(reserved)}")
    return (*(BOS,) * min(1, n - 1), *seq, EOS)
