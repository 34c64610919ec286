"""Perplexity on 宋词 for every rung of the ladder and every order, and what the ladder rests on."""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np

from snippets.common.corpora import songci
from snippets.nlp.ngram import (
    BOS,
    AbsoluteDiscount,
    ArrayMKN,
    JelinekMercer,
    Katz,
    KneserNey,
    Lidstone,
    ModifiedKneserNey,
    NgramLM,
    WittenBell,
    everygrams,
    pad,
    prune,
)

INPUTS = {
    "corpus": "songci",
    "tuning": 3000,
    "seed": 0,
    "orders": [1, 2, 3, 4, 5],
    "methods": [
        "laplace",
        "lidstone",
        "jelinek_mercer",
        "witten_bell",
        "katz",
        "absolute",
        "kneser_ney",
        "modified",
    ],
    "gammas": [1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001],
    "thresholds": [0.0, 1e-9, 1e-8, 3e-8, 1e-7, 1e-6],
}
CHEAP = {"orders": [1, 2], "methods": ["laplace", "modified"], "thresholds": []}

PLAIN = {
    "witten_bell": WittenBell,
    "katz": Katz,
    "absolute": AbsoluteDiscount,
    "kneser_ney": KneserNey,
    "modified": ModifiedKneserNey,
}


def fitted(
    method: str, order: int, train: list[str], tuning: int, gammas: list[float]
) -> tuple[NgramLM, dict[str, Any]]:
    """Fit to all of train; parameters are chosen on its last clauses, fitted to the others."""
    if method in PLAIN:
        return PLAIN[method](order).fit(train), {}
    if method == "laplace":
        return Lidstone(order).fit(train), {}
    fit, held = train[:-tuning], train[-tuning:]
    if method == "lidstone":
        model = Lidstone(order).fit(fit)
        found = []
        for model.gamma in gammas:
            found.append((model.perplexity(held), model.gamma))
        gamma = min(found)[1]
        return Lidstone(order, gamma).fit(train), {"gamma": gamma}
    mixed = JelinekMercer(order).fit(fit)
    mixed.tune(held, 15)
    weights = {f"k{k}": round(x, 3) for k, x in enumerate(mixed.lambdas)}
    return JelinekMercer(order, mixed.lambdas).fit(train), {"lambdas": weights}


def grams(sents: Iterable[str], n: int) -> list[tuple[str, ...]]:
    """Return all n-grams that somebody has to predict."""
    every = (gram for sent in sents for gram in everygrams(pad(sent, max(n, 2)), n))
    return [gram for gram in every if len(gram) == n and gram[-1] != BOS]


def unseen(train: list[str], test: list[str], n: int) -> float:
    """Return the share of the test's n-grams that training never saw."""
    known = set(grams(train, n))
    asked = grams(test, n)
    return round(sum(gram not in known for gram in asked) / len(asked), 4)


def held_out_counts(train: list[str], most: int = 9) -> dict[str, float]:
    """Return the mean count in the odd clauses of bigrams seen r times in the even ones."""
    one, other = (Counter(grams(train[i::2], 2)) for i in (0, 1))
    sums, types = Counter[int](), Counter(one.values())
    for gram, r in one.items():
        sums[r] += other[gram]
    return {f"r{r}": round(sums[r] / types[r], 3) for r in range(1, most + 1)}


def plausible(train: list[str], test: list[str], order: int, seed: int) -> dict[str, Any]:
    """Return how often a clause beats a shuffle of its own characters."""
    rng = np.random.default_rng(seed)
    shuffled = ["".join(rng.permutation(list(clause))) for clause in test]
    pairs = [(a, b) for a, b in zip(test, shuffled, strict=True) if a != b]
    model = ArrayMKN(order).fit(train)
    ends = np.cumsum([len(a) + 1 for a, _ in pairs])[:-1]
    ours, theirs = (
        np.array([part.sum() for part in np.split(model.logprob(side), ends)])
        for side in zip(*pairs, strict=True)
    )
    better = ours > theirs + 1e-9  # an order-1 model only differs by rounding
    return {"pairs": len(pairs), "better": round(float(better.mean()), 4)}


def pruned(train: list[str], test: list[str], thresholds: list[float]) -> dict[str, Any]:
    """Return how many n-grams are left, and the perplexity, after pruning order 3."""
    table: dict[str, Any] = {}
    if not thresholds:
        return table
    model = ModifiedKneserNey(3).fit(train)
    for number, threshold in enumerate(thresholds):
        small = prune(model, threshold)
        kept = sum(map(len, small.listed.values()))
        table[f"t{number}"] = {"kept": kept, "ppl": round(small.perplexity(test), 3)}
    return table


def run(
    corpus: str,
    tuning: int,
    seed: int,
    orders: list[int],
    methods: list[str],
    gammas: list[float],
    thresholds: list[float],
) -> dict[str, Any]:
    """Fit every method at every order; perplexity is over what has a probability above 0."""
    assert corpus == "songci"
    train, test = songci("train"), songci("test")
    known = set().union(*train)
    results: dict[str, Any] = {
        "clauses": {"train": len(train), "test": len(test)},
        "vocabulary": len(known) + 2,
        "tokens": {
            "train": len("".join(train)) + len(train),
            "test": len("".join(test)) + len(test),
        },
        "oov": sum(c not in known for clause in test for c in clause),
        "unseen": {f"n{n}": unseen(train, test, n) for n in orders},
        "held_out": held_out_counts(train),
        "plausible": {f"n{n}": plausible(train, test, n, seed) for n in orders},
        "pruned": pruned(train, test, thresholds),
        "ppl": {},
        "zeros": {},
        "tuned": {},
    }
    for method in methods:
        for n in orders:
            model, parameters = fitted(method, n, train, tuning, gammas)
            scores = [score for sent in test for score in model.scores(sent)]
            some = [score for score in scores if score > -math.inf]
            results["ppl"].setdefault(method, {})[f"n{n}"] = round(
                10 ** (-sum(some) / len(some)), 2
            )
            results["zeros"].setdefault(method, {})[f"n{n}"] = len(scores) - len(some)
            if parameters:
                results["tuned"].setdefault(method, {})[f"n{n}"] = parameters
            print(method, n, results["ppl"][method][f"n{n}"], flush=True)
            del model
    return results
