"""Models as lists of n-grams: writing and reading ARPA files, and leaving n-grams out."""

import math
from os import PathLike
from pathlib import Path
from typing import NoReturn

from .model import Context, NgramLM, Sents
from .smoothing import Interpolated, Katz
from .tokens import BOS, UNK

Listed = dict[Context, dict[str, float]]
Weights = dict[Context, float]
ZERO = -99.0  # how ARPA files write the logarithm of 0
TINY = 1e-12  # below it, a mass is what rounding left of 0


class BackoffLM(NgramLM):
    """A list of p(w|h), and weights for what is not listed, Eq. (ngram-backoff).

    Raises: ValueError if there are no 1-grams; TypeError from `fit`.
    """

    def __init__(self, listed: Listed, weights: Weights):
        """Take {h: {w: p(w|h)}} and {h: weight}."""
        super().__init__(max(map(len, listed), default=0) + 1)
        if not listed.get(()):
            raise ValueError("expected p(w) of some word for the empty context")
        listed[()].setdefault(UNK, 0.0)
        self.listed, self.weights = listed, weights
        self.vocab = dict.fromkeys(listed[()])

    def fit(self, sents: Sents) -> NoReturn:
        """Refuse: this model is made of probabilities, not of text."""
        raise TypeError("a BackoffLM is read or pruned, not fitted")

    def _prob(self, w: str, ctx: Context) -> float:
        here = self.listed.get(ctx, {})
        if w in here:
            return here[w]
        return self.backoff(ctx) * self._prob(w, ctx[1:])

    def backoff(self, ctx: Context) -> float:
        """Return the weight of a context, 1 where none is written."""
        return self.weights.get(ctx, 1.0)


Backing = Interpolated | Katz | BackoffLM


def to_backoff(model: object) -> BackoffLM:
    """List a model's probabilities; every p(w|h) stays the same.

    Raises: TypeError unless the model backs off; ValueError before `fit`.
    """
    if not isinstance(model, Backing):
        raise TypeError(
            f"{type(model).__name__} does not back off: nothing to list",
        )
    if not model.vocab:
        raise ValueError("the model knows nothing yet: call fit first")
    if isinstance(model, BackoffLM):
        listed: Listed = {ctx: dict(here) for ctx, here in model.listed.items()}
        return BackoffLM(listed, dict(model.weights))
    listed = {
        ctx: {w: model.prob(w, ctx) for w in (here if ctx else model.vocab)}
        for ctx, here in model.followers.items()
    }
    weights = {ctx: model.backoff(ctx) for ctx in model.followers if ctx}
    return BackoffLM(listed, weights)


def _log10(p: float) -> str:
    return f"{math.log10(p) if p else ZERO:.10g}"


def to_arpa(model: object, path: str | PathLike[str]) -> None:
    """Write a model so that KenLM and others read it.

    Raises: as `to_backoff`; ValueError if a word is empty or has white space.
    """
    backoff = to_backoff(model)
    if odd := [w for w in backoff.vocab if w.split() != [w]]:
        raise ValueError(f"an ARPA file cannot hold the words {odd[:5]}")
    sections: list[list[str]] = [[] for _ in range(backoff.order)]
    if backoff.order > 1:
        sections[0].append(f"{ZERO:g}\t{BOS}\t{_log10(backoff.backoff((BOS,)))}")
    for ctx, here in backoff.listed.items():
        for w, p in here.items():
            gram = (*ctx, w)
            fields = [_log10(p), " ".join(gram)]
            if gram in backoff.weights:
                fields.append(_log10(backoff.weights[gram]))
            sections[len(ctx)].append("\t".join(fields))
    lines = ["\\data\\"]
    lines += [f"ngram {k}={len(part)}" for k, part in enumerate(sections, 1)]
    for k, section in enumerate(sections, 1):
        lines += ["", f"\\{k}-grams:", *section]
    text = "\n".join([*lines, "", "\\end\\", ""])
    Path(path).write_text(text, encoding="utf-8")


def read_arpa(path: str | PathLike[str]) -> BackoffLM:
    """Read a model from an ARPA file.

    Raises: ValueError naming the line that is not as it should be.
    """
    listed: Listed = {}
    weights: Weights = {}
    promised: dict[int, int] = {}
    found: dict[int, int] = {}
    k = 0
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, 1):
        try:
            if line.startswith("\\") and line.endswith("-grams:"):
                k = int(line[1:-7])
            elif line.startswith("ngram ") and not k:
                order, count = line[6:].split("=")
                promised[int(order)] = int(count)
            elif line.strip() and not line.startswith("\\"):
                _read_entry(line, k, listed, weights)
                found[k] = found.get(k, 0) + 1
        except ValueError as error:
            where = f"{path}:{number}"
            raise ValueError(f"{where}: not a line of ARPA: {line!r}") from error
    if not promised or found != promised:
        raise ValueError(f"{path}: n-grams promised {promised}, found {found}")
    return BackoffLM(listed, weights)


def _read_entry(line: str, k: int, listed: Listed, weights: Weights) -> None:
    """Enter one n-gram: log10 p, k words, perhaps log10 of a weight."""
    log_p, *gram = line.split()
    if len(gram) == k + 1:
        weight = float(gram.pop())
        weights[tuple(gram)] = 10**weight if weight > ZERO else 0.0
    if len(gram) != k or k < 1:
        raise ValueError(f"expected {k} words")
    *ctx, w = gram
    p = 10 ** float(log_p) if float(log_p) > ZERO else 0.0
    if gram != [BOS]:
        listed.setdefault(tuple(ctx), {})[w] = p


def _left_and_free(model: BackoffLM, ctx: Context) -> tuple[float, float]:
    """Return what p(.|h) and p(.|h') give to the words not listed after h."""
    here = model.listed[ctx]
    lower = sum(model._prob(w, ctx[1:]) for w in here)
    return max(0.0, 1 - sum(here.values())), max(0.0, 1 - lower)


def removal_costs(model: BackoffLM, ctx: Context) -> dict[str, float]:
    """Return D(p || p') in nats if hw is left out, by w: Eq. (ngram-pruning).

    Raises: ValueError for a context that the model does not list.
    """
    if ctx not in model.listed:
        raise ValueError(f"expected a context that the model lists, got {ctx!r}")
    left, free = _left_and_free(model, ctx)
    steps = (model._prob(v, ctx[:i]) for i, v in enumerate(ctx) if v != BOS)
    arrive = math.prod(steps)
    costs = {}
    for w, p in model.listed[ctx].items():
        low = model._prob(w, ctx[1:])
        after = (left + p) / (free + low)  # the weight if w had to back off too
        cost = p * math.log(p / (after * low)) if p else 0.0
        if left > TINY and free > TINY:
            cost += left * math.log(left / free / after)
        costs[w] = arrive * cost
    return costs


def prune(model: object, threshold: float) -> BackoffLM:
    """Leave out n-grams that each raise perplexity by less than the threshold.

    Contexts of longer n-grams stay; then all weights anew, Eq. (ngram-alpha).
    Raises: as `to_backoff`; ValueError if threshold < 0.
    """
    if not threshold >= 0:
        raise ValueError(f"threshold must be >= 0, got {threshold}")
    pruned = to_backoff(model)
    for k in range(pruned.order - 1, 0, -1):
        for ctx in [ctx for ctx in pruned.listed if len(ctx) == k]:
            for w, cost in removal_costs(pruned, ctx).items():
                needed = (*ctx, w) in pruned.listed
                if math.expm1(cost) < threshold and not needed:
                    del pruned.listed[ctx][w]
            if not pruned.listed[ctx]:
                del pruned.listed[ctx], pruned.weights[ctx]
    for ctx in sorted(pruned.listed, key=len)[1:]:
        left, free = _left_and_free(pruned, ctx)
        pruned.weights[ctx] = left / free if free > TINY else 0.0
    return BackoffLM(pruned.listed, pruned.weights)
