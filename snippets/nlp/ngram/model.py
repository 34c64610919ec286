"""What all models share: counting, probabilities of sentences, perplexity and sampling."""

import math
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.random import Generator

from .tokens import BOS, EOS, UNK, everygrams, pad

Sents = Iterable[Sequence[str]]
Context = tuple[str, ...]
Followers = dict[Context, dict[str, int]]
Model = TypeVar("Model", bound="NgramLM")


def checked(sents: Sents) -> list[Sequence[str]]:
    """Return the sentences as a list.

    Raises: TypeError for one string; ValueError if there are no sentences.
    """
    if isinstance(sents, str):
        raise TypeError(f"expected sentences, got one: write [{sents[:20]!r}]")
    sents = list(sents)
    if not sents:
        raise ValueError("the corpus is empty: expected at least one sentence")
    return sents


def count_followers(sents: Sents, order: int) -> Followers:
    """Count c(hw), as {h: {w: c(hw)}}, for every h of fewer than `order` words.

    Raises: ValueError if order < 1.
    """
    followers: Followers = {}
    for sent in sents:
        for *ctx, word in everygrams(pad(sent, order), order):
            if word != BOS:  # it is a context, but nobody has to predict it
                here = followers.setdefault(tuple(ctx), {})
                here[word] = here.get(word, 0) + 1
    return followers


class NgramLM:
    """A model of order n: the next word given n - 1 words, Eq. (ngram-markov).

    Raises: ValueError if order < 1.
    """

    is_distribution = True

    def __init__(self, order: int):
        """Take the order, which is n."""
        if order < 1:
            raise ValueError(f"order must be >= 1, got {order}")
        self.order = order
        self.vocab: dict[str, None] = {}
        self.followers: Followers = {}

    def fit(self: Model, sents: Sents) -> Model:
        """Count; the vocabulary is every word seen, </s> and <unk>.

        Raises: TypeError for a string; ValueError for nothing, or for <s>, </s>.
        """
        self.followers = count_followers(checked(sents), self.order)
        self.vocab = dict.fromkeys([*self.followers[()], UNK])
        self._estimate()
        return self

    def _estimate(self) -> None:
        """Compute from the counts what `_prob` needs."""
        self.totals = {h: sum(c.values()) for h, c in self.followers.items()}

    def _prob(self, w: str, ctx: Context) -> float:
        """Return p(w|h) of a known word and a context that is not too long."""
        raise NotImplementedError

    def _known(self, w: str) -> str:
        return w if w in self.vocab or w == BOS else UNK

    def _context(self, words: Sequence[str]) -> Context:
        near = words[max(0, len(words) - self.order + 1) :]
        return tuple(map(self._known, near))

    def prob(self, w: str, ctx: Sequence[str] = ()) -> float:
        """Return p(w | the last n - 1 words of ctx); unknown words are <unk>.

        Raises: ValueError before `fit`, and for w = <s>, which nothing predicts.
        """
        if not self.vocab:
            raise ValueError("the model knows nothing yet: call fit first")
        if w == BOS:
            raise ValueError(f"{BOS} starts a sentence; nothing predicts it")
        return self._prob(self._known(w), self._context(ctx))

    def distribution(self, ctx: Sequence[str] = ()) -> dict[str, float]:
        """Return p(w|ctx) for every w of the vocabulary.

        Raises: ValueError before `fit`.
        """
        if not self.vocab:
            raise ValueError("the model knows nothing yet: call fit first")
        near = self._context(ctx)
        return {w: self._prob(w, near) for w in self.vocab}

    def scores(self, sent: Sequence[str]) -> list[float]:
        """Return log10 p of every word given those before it, then of </s>.

        Raises: ValueError if the sentence contains <s> or </s>.
        """
        words = pad(sent, self.order)
        places = (i for i, w in enumerate(words) if w != BOS)
        probs = [self.prob(words[i], words[:i]) for i in places]
        return [math.log10(p) if p else -math.inf for p in probs]

    def logprob(self, sent: Sequence[str]) -> float:
        """Return log10 p of a whole sentence with its end, Eq. (ngram-chain)."""
        return sum(self.scores(sent))

    def cross_entropy(self, sents: Sents, oov: str = "include") -> float:
        """Return bits per token, </s> included, Eq. (ngram-cross-entropy).

        Unknown words count as <unk>; with oov="skip" they do not count.
        Raises: ValueError for another oov, nothing; TypeError for mere scores.
        """
        if oov not in ("include", "skip"):
            raise ValueError(f"oov must be 'include' or 'skip', got {oov!r}")
        if not self.is_distribution:
            name = type(self).__name__
            raise TypeError(f"the scores of {name} do not sum to 1: no entropy")
        tokens = [
            score
            for sent in checked(sents)
            for w, score in zip((*sent, EOS), self.scores(sent), strict=True)
            if oov == "include" or w in self.vocab
        ]
        return -sum(tokens) / len(tokens) * math.log2(10)

    def perplexity(self, sents: Sents, oov: str = "include") -> float:
        """Return 2 to the cross-entropy, Eq. (ngram-perplexity)."""
        return 2 ** self.cross_entropy(sents, oov)

    def sample(self, rng: Generator, T: float = 1.0, limit: int = 50) -> list:
        """Draw words from p^(1/T) until </s> or limit, Eq. (ngram-temperature).

        <unk> is never drawn.  Raises: ValueError unless T > 0 and limit >= 1.
        """
        if not T > 0 or limit < 1:
            raise ValueError(f"expected T > 0, limit >= 1, got {T} and {limit}")
        words = list(pad((), self.order)[:-1])
        start, choices = len(words), [w for w in self.vocab if w != UNK]
        while len(words) < start + limit:
            given = self.distribution(words)
            p = np.array([given[w] for w in choices])
            weights = (p / p.max()) ** (1 / T)
            word = choices[rng.choice(len(choices), p=weights / weights.sum())]
            if word == EOS:
                break
            words.append(word)
        return words[start:]
