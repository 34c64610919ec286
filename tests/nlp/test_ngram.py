"""The claims of the page on n-gram language models."""

import json
import math
import random
from collections import Counter
from functools import cache
from itertools import pairwise, product
from pathlib import Path

import kenlm
import ngram as ngram_package
import nltk.lm
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nltk.lm.preprocessing import padded_everygram_pipeline
from nltk.util import everygrams as nltk_everygrams
from nltk.util import ngrams as nltk_ngrams
from rapidfuzz.distance import Levenshtein

from snippets.common.corpora import lunyu, songci
from snippets.nlp import ngram
from snippets.nlp.ngram import (
    BOS,
    EOS,
    MLE,
    UNK,
    AbsoluteDiscount,
    ArrayMKN,
    BackoffLM,
    FuzzyIndex,
    JelinekMercer,
    Katz,
    KneserNey,
    Lidstone,
    ModifiedKneserNey,
    NgramLM,
    StupidBackoff,
    WittenBell,
    adjusted_counts,
    count_followers,
    counts_of_counts,
    dice,
    everygrams,
    good_turing,
    jaccard,
    katz_discounts,
    levenshtein,
    modified_discounts,
    ney_discount,
    ngrams,
    pad,
    prune,
    qgram_distance,
    qgrams,
    read_arpa,
    removal_costs,
    to_arpa,
    to_backoff,
)

GOLDEN = json.loads((Path(__file__).parent / "ngram_kenlm.json").read_text())["orders"]
TRAIN, TEST = lunyu("train"), lunyu("test")
TOY = ["ab", "aab", "b", "abb", "ba", "aabb"]
FALLBACK = (0.5, 1.0, 1.5)
SMOOTHED = [JelinekMercer, WittenBell, Katz, AbsoluteDiscount, KneserNey, ModifiedKneserNey]
NAMES = ["JelinekMercer", "WittenBell", "Katz", "Absolute", "KneserNey", "ModifiedKneserNey"]
CORPORA = st.lists(st.text("abc", max_size=6), min_size=1, max_size=12)


@cache
def trained(make, order):
    """A model of the whole training text; the tests only ask it."""
    return make(order).fit(TRAIN)


@cache
def scored(make, order):
    """Its scores of the whole test text."""
    return [score for sent in TEST for score in trained(make, order).scores(sent)]


@pytest.fixture(scope="module")
def fitted():
    """Every smoothed model of order 3 that an ARPA file can hold."""
    return {name: trained(make, 3) for name, make in zip(NAMES, SMOOTHED, strict=True)}


@cache
def listed(make):
    """A model of order 3 as a list of n-grams; most are slow to list, so of a shorter text."""
    long = make in (Katz, ModifiedKneserNey)
    model = trained(make, 3) if long else make(3).fit(TRAIN[:700])
    return model, to_backoff(model)


def kenlm_scores(path, sents):
    model = kenlm.Model(str(path))
    return [p for sent in sents for p, _, _ in model.full_scores(" ".join(sent))]


# Counting


@given(st.text("abc", max_size=8), st.integers(1, 5))
def test_windows_are_those_of_nltk(s, n):
    assert list(ngrams(s, n)) == list(nltk_ngrams(s, n))
    assert Counter(everygrams(s, n)) == Counter(nltk_everygrams(s, max_len=n))


@given(CORPORA, st.integers(1, 4))
def test_followers_are_the_counts_of_all_windows(sents, order):
    followers = count_followers(sents, order)
    flat = Counter({(*h, w): c for h, here in followers.items() for w, c in here.items()})
    windows = Counter(g for s in sents for g in everygrams(pad(s, order), order))
    windows.pop((BOS,), None)
    assert flat == windows
    assert sum(followers[()].values()) == sum(len(s) + 1 for s in sents)


# Distributions


@pytest.mark.parametrize(
    "make",
    [
        lambda: Lidstone(3, 1.0),
        lambda: Lidstone(3, 0.01),
        lambda: JelinekMercer(3, [0.9, 0.5, 0.3]),
        lambda: JelinekMercer(3, [0.0, 1.0, 0.0]),
        lambda: WittenBell(3),
        lambda: Katz(3, k=2),
        lambda: AbsoluteDiscount(3),
        lambda: AbsoluteDiscount(3, d=0.75),
        lambda: KneserNey(3),
        lambda: KneserNey(3, d=0.75),
        lambda: ModifiedKneserNey(3, fallback=FALLBACK),
    ],
)
def test_sums_to_one_over_the_vocabulary_for_every_context(make):
    model = make()
    estimated = isinstance(model, Katz) or getattr(model, "d", 0) is None
    model.fit(TRAIN[: 45 if estimated else 25])  # fewer give no discounts
    contexts = list(model.followers)
    assert len(contexts) > 140
    if estimated:  # all contexts of a longer text: test_every_context_of_the_whole_text…
        contexts = contexts[:3] + contexts[3::4]
    contexts += [("不", "曾见"), ("曾见",), (BOS, "曾见")]
    for ctx in contexts:
        p = model.distribution(ctx)
        assert BOS not in p
        assert EOS in p
        assert UNK in p
        assert all(0 <= x <= 1 for x in p.values())
        assert math.isclose(sum(p.values()), 1, abs_tol=1e-9)


def every_row(model):
    """Yield each context with p(w|h) of all words at once, from what the model keeps for it."""
    place = {w: i for i, w in enumerate(model.vocab)}
    rows = {}
    for ctx in sorted(model.followers, key=len):
        here = list(model.followers[ctx])
        lower = rows[ctx[1:]] if ctx else np.full(len(place), 1 / len(place))
        row, seen = model.backoff(ctx) * lower, [place[w] for w in here]
        if isinstance(model, Katz):  # Eq. (ngram-katz): instead of the lower order
            row[seen] = [model._scale[ctx] * model._discounted(w, ctx) for w in here]
        else:  # Eq. (ngram-interpolated): on top of it
            row[seen] += [model._own(w, ctx) for w in here]
        if len(ctx) < model.order - 1:
            rows[ctx] = row
        yield ctx, row


@pytest.mark.parametrize("name", NAMES)
def test_every_context_of_the_whole_text_sums_to_one(fitted, name):
    model, words, worst, contexts = fitted[name], list(fitted[name].vocab), 0.0, 0
    rng = random.Random(0)
    for ctx, row in every_row(model):
        worst = max(worst, abs(row.sum() - 1))
        assert 0 <= row.min() <= row.max() <= 1
        if contexts % 16 == 0:  # any word, most of them unseen in this context
            i = rng.randrange(len(words))
            assert math.isclose(row[i], model.prob(words[i], ctx), rel_tol=1e-9)
        contexts += 1
    assert worst < 1e-9
    assert contexts == len(model.followers) == 7697
    p = model.distribution(("子", "曰"))
    assert math.isclose(sum(p.values()), 1, abs_tol=1e-9)


def test_arrays_give_away_one_in_every_context_of_all_clauses():
    arrays = ArrayMKN(5).fit(songci("train"))
    contexts = 0
    for k in range(5):
        ctx = arrays.tables[k] // arrays.radix if k else np.zeros(arrays.radix, np.int64)
        total = np.bincount(ctx, arrays.own[k][:-1]) + arrays.backoff[k][: ctx.max() + 1]
        some = np.bincount(ctx) > 0
        assert np.abs(total[some] - 1).max() < 1e-9
        contexts += some.sum()
    assert contexts > 500_000


@settings(max_examples=40)
@given(CORPORA, st.integers(1, 4), st.integers(0, 6))
def test_sums_to_one_on_any_corpus(sents, order, which):
    model = [
        Lidstone(order, 0.5),
        JelinekMercer(order),
        WittenBell(order),
        AbsoluteDiscount(order, d=0.5),
        KneserNey(order, d=0.9),
        ModifiedKneserNey(order, fallback=FALLBACK),
        MLE(order),
    ][which].fit(sents)
    for ctx in model.followers:
        assert math.isclose(sum(model.distribution(ctx).values()), 1, abs_tol=1e-9)


def test_mle_and_stupid_backoff_are_the_exceptions():
    mle, stupid = trained(MLE, 3), trained(StupidBackoff, 3)
    assert sum(mle.distribution(("不", "曾见")).values()) == 0
    sums = [sum(stupid.distribution(h).values()) for h in list(stupid.followers)[:16]]
    assert sum(abs(total - 1) > 0.01 for total in sums) > 8
    assert max(sums) > 1.2


@pytest.mark.parametrize("order", [1, 2, 3])
def test_all_strings_of_a_toy_language_sum_to_one(order):
    model = Lidstone(order, 0.1).fit(TOY)
    total = sum(10 ** model.logprob(s) for k in range(7) for s in product("ab", repeat=k))
    alive, ended = {(): 1.0}, 0.0  # word by word: whatever has not ended is still alive
    for _ in range(7):
        longer = {}
        for s, p in alive.items():
            ctx = pad(s, order)[:-1]
            ended += p * model.prob(EOS, ctx)
            longer |= {(*s, w): p * model.prob(w, ctx) for w in "ab"}
        alive = longer
    assert math.isclose(total, ended)
    far = MLE(order).fit(TOY)
    masses = [sum(10 ** far.logprob(s) for s in product("ab", repeat=k)) for k in range(10)]
    assert 0.96 < sum(masses) < 1 + 1e-12


def test_the_relative_count_maximises_the_likelihood():
    rng = np.random.default_rng(0)
    counts = np.array([5, 3, 2, 1])
    best = counts / counts.sum()
    for q in rng.dirichlet(np.ones(4), 1000):
        assert counts @ np.log(q) <= counts @ np.log(best)
    model = MLE(2).fit(["a"] * 5 + ["b"] * 3 + ["c"] * 2 + ["d"])
    assert [model.prob(w, (BOS,)) for w in "abcd"] == pytest.approx(best)


def test_counts_are_softmax_regression_on_a_one_hot_context():
    model = Lidstone(2, 0.5).fit(TOY)
    contexts, words = [BOS, "a", "b"], ["a", "b", EOS, UNK]
    soft = torch.tensor(
        [[model.followers[(h,)].get(w, 0) + 0.5 for w in words] for h in contexts]
    ).double()
    W = torch.zeros(3, 4, dtype=torch.double, requires_grad=True)
    for _ in range(600):
        loss = -(soft * torch.log_softmax(torch.eye(3).double() @ W, 1)).sum()
        (slope,) = torch.autograd.grad(loss, W)
        W = (W - 0.15 * slope).detach().requires_grad_()
    ours = torch.tensor([[model.prob(w, (h,)) for w in words] for h in contexts])
    assert (torch.softmax(W, 1) - ours).abs().max() < 1e-6


# KenLM


@pytest.mark.parametrize("order", [2, 3])
def test_golden_figures_of_kenlm(order):
    golden = GOLDEN[str(order)]
    model, arrays = trained(ModifiedKneserNey, order), ArrayMKN(order).fit(TRAIN)
    for ours, array, theirs in zip(
        model.discounts, arrays.discounts, golden["discounts_D1_D2_D3"], strict=True
    ):
        assert list(ours) == list(array) == pytest.approx(theirs, rel=1e-12)
    tokens = sum(len(sent) + 1 for sent in TEST)
    assert tokens == golden["tokens_incl_eos"] == 2172
    for sent, theirs in zip(TEST, golden["first20_sentence_log10"], strict=False):
        assert abs(model.logprob(sent) - theirs) < 1e-6 * (len(sent) + 1)
    total = sum(scored(ModifiedKneserNey, order))
    assert abs(total - golden["total_log10"]) < 1e-6 * tokens
    assert abs(arrays.logprob(TEST).sum() - total) < 1e-9
    assert abs(model.perplexity(TEST) - golden["ppl"]) < 1e-5


def test_the_last_new_word_is_what_kenlm_would_miscount():
    """Issues 405 and 427 of kpu/kenlm: it takes that word's plain count for the adjusted one."""

    def last(sents):
        counts = count_followers(sents, 2)
        w = list(dict.fromkeys("".join(sents)))[-1]
        return w, counts[()][w], adjusted_counts(counts, 2)[()][w]

    assert last(["rot", "oar", "oat"]) == ("a", 2, 1)
    assert last(TRAIN)[1:] == (1, 1)  # so that the golden figures are not affected


@pytest.mark.parametrize("name", NAMES)
def test_kenlm_reads_our_models(name, tmp_path):
    model, backoff = listed(SMOOTHED[NAMES.index(name)])
    to_arpa(backoff, tmp_path / "ours.arpa")
    theirs = kenlm_scores(tmp_path / "ours.arpa", TEST)
    make = SMOOTHED[NAMES.index(name)]
    whole = model is trained(make, 3)
    ours = scored(make, 3) if whole else [p for sent in TEST for p in model.scores(sent)]
    pairs = [(a, b) for a, b in zip(ours, theirs, strict=True) if a > -math.inf]
    assert len(theirs) == 2172
    assert len(pairs) == 2172 - 3 * (name == "Katz")
    assert max(abs(a - b) for a, b in pairs) < 1e-6
    assert all(b < -90 for a, b in zip(ours, theirs, strict=True) if a == -math.inf)


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_kenlm_agrees_per_token_at_every_order(order, tmp_path):
    train, test = songci("train")[:400], songci("test")[:600]
    model = ModifiedKneserNey(order, FALLBACK).fit(train)
    arrays = ArrayMKN(order, FALLBACK).fit(train)
    to_arpa(model, tmp_path / "ours.arpa")
    theirs = np.array(kenlm_scores(tmp_path / "ours.arpa", test))
    ours = arrays.logprob(test)
    assert len(ours) == len(theirs) > 3000
    assert np.abs(ours - theirs).max() < 1e-6
    some = np.concatenate([model.scores(sent) for sent in test[:100]])
    assert np.abs(ours[: len(some)] - some).max() < 1e-12


@settings(max_examples=60)
@given(CORPORA, st.lists(st.text("abcx", max_size=5), min_size=1, max_size=4), st.integers(1, 5))
def test_arrays_equal_dictionaries(train, test, order):
    model = ModifiedKneserNey(order, FALLBACK).fit(train)
    arrays = ArrayMKN(order, FALLBACK).fit(train)
    ours = [score for sent in test for score in model.scores(sent)]
    assert arrays.logprob(test) == pytest.approx(ours, abs=1e-12)


def test_unknown_may_be_a_word_of_the_corpus():
    train = [["a", UNK, "b"], ["a", "b"], [UNK]]
    model = ModifiedKneserNey(2, FALLBACK).fit(train)
    arrays = ArrayMKN(2, FALLBACK).fit(train)
    test = [["a", "x"], ["x", "b"]]
    ours = [score for sent in test for score in model.scores(sent)]
    assert arrays.logprob(test) == pytest.approx(ours)
    assert math.isclose(sum(model.distribution(("a",)).values()), 1)


# Estimates


def test_discount_of_ney_is_the_first_modified_one():
    adjusted = adjusted_counts(count_followers(TRAIN, 3), 3)
    for k in range(3):
        n = counts_of_counts(adjusted, k)
        assert modified_discounts(n)[0] == pytest.approx(ney_discount(n))


def test_leaving_one_out_bounds_the_discount():
    n = counts_of_counts(count_followers(songci("train")[:6000], 2), 1)

    def slope(d):
        rest = sum(r * n_r / (r - 1 - d) for r, n_r in n.items() if r > 1)
        return n[1] / d - rest

    low, high = 1e-6, 1 - 1e-6
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    assert low < ney_discount(n) < low + 0.1


def test_katz_frees_exactly_the_mass_of_good_turing():
    n = counts_of_counts(count_followers(songci("train")[:6000], 2), 1)
    d = katz_discounts(n, 5)
    assert sum(r * n[r] * (1 - d[r - 1]) for r in range(1, 6)) == pytest.approx(n[1])
    mu = [(1 - d[r - 1]) / (1 - good_turing(n, r) / r) for r in range(1, 6)]
    assert mu == pytest.approx([mu[0]] * 5)


def test_scarce_data_break_katz():
    model = trained(Katz, 3)
    raw = katz_discounts(counts_of_counts(model.followers, 0), 5)
    assert raw[2] > 1
    assert model.discounts[0][2] == 1
    assert scored(Katz, 3).count(-math.inf) == 3
    assert model.perplexity(TEST) == math.inf


def test_kneser_ney_keeps_the_unigrams():
    followers = count_followers(TRAIN[:1000], 2)
    adjusted = adjusted_counts(followers, 2)[()]
    d, n = 0.75, sum(followers[()].values())
    q = {w: a / sum(adjusted.values()) for w, a in adjusted.items()}
    mean: Counter[str] = Counter()
    for h, here in followers.items():
        if h:
            for w in q:
                own = max(here.get(w, 0) - d, 0) + d * len(here) * q[w]
                mean[w] += own / n
    assert all(math.isclose(mean[w], followers[()][w] / n) for w in q)


def test_em_never_makes_it_worse_and_finds_the_best_weight():
    train, held = TRAIN[:1000], TRAIN[1000:1040]
    model = JelinekMercer(3).fit(train)
    entropies = model.tune(held, 40)
    assert len(entropies) == 41
    assert all(a >= b - 1e-12 for a, b in pairwise(entropies))
    best = model.cross_entropy(held)
    for k in range(3):
        for change in (-0.02, 0.02):
            found = model.lambdas[k]
            model.lambdas[k] += change
            assert model.cross_entropy(held) > best
            model.lambdas[k] = found


# nltk


def same_grams(sents, order):
    """Our conventions for nltk: one <s>, never predicted."""
    return [
        [g for g in everygrams(pad(s, order), order) if g[-1] != BOS and g != (BOS,)] for s in sents
    ]


class Ours:
    """Leave out what nltk does not have: the uniform distribution below the unigrams."""

    def _prob(self, w, ctx):
        if not ctx:
            return self.followers[()].get(w, 0) / self.totals[()]
        return super()._prob(w, ctx)


class OurWittenBell(Ours, WittenBell):
    pass


class OurAbsolute(Ours, AbsoluteDiscount):
    pass


class OurKneserNey(Ours, KneserNey):
    pass


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MLE(3), nltk.lm.MLE(3)),
        (Lidstone(3, 0.1), nltk.lm.Lidstone(0.1, 3)),
        (Lidstone(3), nltk.lm.Laplace(3)),
        (OurWittenBell(3), nltk.lm.WittenBellInterpolated(3)),
        (OurAbsolute(3, 0.7), nltk.lm.AbsoluteDiscountingInterpolated(3, discount=0.7)),
        (OurKneserNey(2, 0.7), nltk.lm.KneserNeyInterpolated(2, discount=0.7)),
        (StupidBackoff(3), nltk.lm.StupidBackoff(0.4, 3)),
    ],
)
def test_nltk_with_our_conventions(ours, theirs):
    train = TRAIN[:60]
    ours.fit(train)
    theirs.vocab = nltk.lm.Vocabulary(unk_label=UNK)
    if hasattr(theirs, "estimator"):
        theirs.estimator.vocab = theirs.vocab
    theirs.fit(same_grams(train, ours.order), [*"".join(train), *[EOS] * len(train)])
    assert len(theirs.vocab) == len(ours.vocab)
    cases = 0
    for ctx in [h for h in ours.followers if len(h) == ours.order - 1][:12]:
        for w in ours.vocab:
            assert ours.prob(w, ctx) == pytest.approx(theirs.score(w, ctx), abs=1e-12)
            cases += 1
    assert cases > 1000


def test_kneser_ney_of_nltk_is_no_distribution():
    firsts = len({sent[0] for sent in TRAIN[:200]})
    for d in (0.1, 0.75):
        model = nltk.lm.KneserNeyInterpolated(3, discount=d)
        model.fit(*padded_everygram_pipeline(3, TRAIN[:200]))
        total = sum(model.score(w, (BOS,)) for w in model.vocab)
        assert total == pytest.approx(1 + d / firsts, abs=1e-12)
        assert model.score(BOS, (BOS,)) > 0


# Perplexity and sampling


def test_perplexity_of_a_uniform_model_is_its_number_of_words():
    model = Lidstone(1, 1e12).fit(TOY)
    assert model.perplexity(TOY) == pytest.approx(len(model.vocab))


def test_perplexity_is_the_geometric_mean_of_inverse_probabilities(fitted):
    model = fitted["ModifiedKneserNey"]
    p = [10**score for score in scored(ModifiedKneserNey, 3)]
    assert model.perplexity(TEST) == pytest.approx(math.prod(x ** (-1 / len(p)) for x in p))


def test_skipping_unknown_words_is_another_question():
    model = trained(Katz, 2)
    unknown = sum(w not in model.vocab for sent in TEST for w in sent)
    assert unknown == 103
    better = trained(ModifiedKneserNey, 2)
    assert model.perplexity(TEST) < better.perplexity(TEST)
    assert model.perplexity(TEST, "skip") > better.perplexity(TEST, "skip")
    toy = WittenBell(1).fit(TOY)
    p = [toy.prob(w) for w in ("a", EOS)]
    assert toy.perplexity(["axx"], "skip") == pytest.approx(math.prod(p) ** (-1 / 2))
    p += [toy.prob(UNK)] * 2
    assert toy.perplexity(["axx"]) == pytest.approx(math.prod(p) ** (-1 / 4))


def test_samples_follow_the_model():
    model = WittenBell(2).fit(TOY)
    rng = np.random.default_rng(0)
    first = Counter((model.sample(rng, limit=1) or [EOS])[0] for _ in range(4000))
    p = model.distribution((BOS,))
    known = 1 - p[UNK]
    assert UNK not in first
    for w in ("a", "b", EOS):
        assert abs(first[w] / 4000 - p[w] / known) < 0.03


def test_temperature_goes_from_the_best_word_to_all_words():
    model = WittenBell(2).fit(TOY)
    rng = np.random.default_rng(0)
    p = model.distribution((BOS,))
    cold = {(model.sample(rng, T=0.01, limit=1) or [EOS])[0] for _ in range(50)}
    assert cold == {max(p, key=p.get)}
    hot = Counter((model.sample(rng, T=1e6, limit=1) or [EOS])[0] for _ in range(3000))
    assert all(abs(count / 3000 - 1 / 3) < 0.04 for count in hot.values())


# ARPA and pruning


@pytest.mark.parametrize("name", ["Katz", "ModifiedKneserNey"])
def test_arpa_round_trip(name, tmp_path):
    model, backoff = listed(SMOOTHED[NAMES.index(name)])
    to_arpa(backoff, tmp_path / "a.arpa")
    back = read_arpa(tmp_path / "a.arpa")
    for sent in TEST[:100]:
        assert back.scores(sent) == pytest.approx(model.scores(sent), abs=1e-8)
    to_arpa(back, tmp_path / "b.arpa")
    assert (tmp_path / "a.arpa").read_text() == (tmp_path / "b.arpa").read_text()


def test_zero_stays_zero_in_arpa(tmp_path):
    model = BackoffLM({(): {"a": 0.5, "b": 0.0, EOS: 0.5}, ("a",): {EOS: 1.0}}, {("a",): 0.0})
    to_arpa(model, tmp_path / "zero.arpa")
    back = read_arpa(tmp_path / "zero.arpa")
    assert back.prob("b") == back.prob(UNK) == back.prob("a", "a") == back.backoff(("a",)) == 0


def divergence(p, q):
    """Relative entropy of two models' next words, in nats, over all contexts of the toy."""
    total = 0.0
    for ctx in product([BOS, "a", "b"], ["a", "b"]):
        first = 1.0 if ctx[0] == BOS else p.prob(ctx[0])
        arrive = first * p.prob(ctx[1], ctx[:1])
        for w, x in p.distribution(ctx).items():
            if x:
                total += arrive * x * math.log(x / q.prob(w, ctx))
    return total


def test_the_cost_of_leaving_out_is_the_relative_entropy():
    model = to_backoff(KneserNey(3, d=0.6).fit(TOY))
    cases = 0
    for ctx in [h for h in model.listed if len(h) == 2]:
        for w, cost in removal_costs(model, ctx).items():
            other = to_backoff(model)
            del other.listed[ctx][w]
            free = 1 - sum(other.prob(v, ctx[1:]) for v in other.listed[ctx])
            other.weights[ctx] = (1 - sum(other.listed[ctx].values())) / free
            assert cost == pytest.approx(divergence(model, other), abs=1e-12)
            assert cost >= 0
            cases += 1
    assert cases > 8


def test_pruning(tmp_path):
    model = ModifiedKneserNey(3, FALLBACK).fit(TRAIN[:400])
    sizes, lists = [], to_backoff(model)
    for threshold in (0.0, 1e-4, 1e9):
        small = prune(lists, threshold)
        if not threshold:
            assert small.perplexity(TEST[:99]) == pytest.approx(model.perplexity(TEST[:99]))
        sizes.append(sum(map(len, small.listed.values())))
        for ctx in [(), (BOS,), ("子",), ("子", "曰"), (BOS, "子")]:
            assert math.isclose(sum(small.distribution(ctx).values()), 1, abs_tol=1e-9)
        if small.order > 1:  # KenLM reads no model of order 1
            to_arpa(small, tmp_path / "small.arpa")
            theirs = kenlm_scores(tmp_path / "small.arpa", TEST[:100])
            ours = [score for sent in TEST[:100] for score in small.scores(sent)]
            assert ours == pytest.approx(theirs, abs=1e-6)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > sizes[1] > sizes[2] == len(model.vocab)
    to_arpa(model, tmp_path / "direct.arpa")  # not listed before
    to_arpa(lists, tmp_path / "lists.arpa")
    assert (tmp_path / "direct.arpa").read_text() == (tmp_path / "lists.arpa").read_text()
    assert prune(model, 1e9).listed == small.listed


# Fuzzy matching


def edited(rng, s, alphabet, edits):
    s = list(s)
    for _ in range(edits):
        i = rng.randrange(len(s) + 1)
        s[i : i + rng.randrange(2)] = rng.choices(alphabet, k=rng.randrange(2))
    return "".join(s)


def test_levenshtein_equals_rapidfuzz():
    rng = random.Random(0)
    cases = Counter()
    for _ in range(21_000):
        a = "".join(rng.choices("abcd", k=rng.randrange(12)))
        if rng.random() < 0.5:
            b = edited(rng, a, "abcd", rng.randrange(5))
        else:
            b = "".join(rng.choices("abcd", k=rng.randrange(12)))
        d = levenshtein(a, b)
        assert d == Levenshtein.distance(a, b)
        cases[d] += 1
    assert cases.total() == 21_000
    assert len(cases) > 8


def test_jaccard_of_padded_bags_is_the_similarity_of_the_ngram_package():
    rng = random.Random(1)
    for _ in range(2000):
        a, b = ("".join(rng.choices("abc", k=rng.randrange(1, 9))) for _ in range(2))
        for q in (1, 2, 3):
            ours = jaccard(qgrams(a, q, pad=True), qgrams(b, q, pad=True))
            theirs = ngram_package.NGram.compare(a, b, N=q)
            assert ours == pytest.approx(theirs)


@given(st.text("ab", max_size=12), st.text("ab", max_size=12), st.integers(1, 4))
def test_lemma_of_ukkonen(a, b, q):
    assert qgram_distance(a, b, q) <= 2 * q * levenshtein(a, b)


@given(st.text("ab", max_size=12), st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_qgram_distance_is_a_pseudometric(a, b, c):
    assert qgram_distance(a, b, 2) == qgram_distance(b, a, 2)
    assert qgram_distance(a, c, 2) <= qgram_distance(a, b, 2) + qgram_distance(b, c, 2)
    x, y = qgrams(a, 2), qgrams(b, 2)
    assert 0 <= jaccard(x, y) <= dice(x, y) <= 1


@pytest.mark.parametrize("q", [1, 2, 3])
def test_the_filter_loses_nothing(q):
    strings = songci("test")[:600]
    index = FuzzyIndex(strings, q)
    rng = random.Random(q)
    for _ in range(12):
        s = edited(rng, rng.choice(strings), "山水花月人", 2)
        for k in (0, 1, 2):
            brute = sorted((d, t) for t in set(strings) if (d := levenshtein(s, t)) <= k)
            assert index.search(s, k) == brute
            assert set(index.candidates(s, k)) >= {t for _, t in brute}


@given(st.lists(st.text("ab", max_size=9), unique=True, max_size=8), st.text("ab", max_size=9))
def test_the_filter_is_the_qgram_distance(strings, s):
    index = FuzzyIndex(strings, 2)
    for k in (0, 1, 2):
        assert index.candidates(s, k) == [t for t in strings if qgram_distance(s, t, 2) <= 4 * k]


# Bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: ngrams("abc", 0), ValueError, "n must be >= 1, got 0"),
        (lambda: everygrams("abc", 0), ValueError, "n must be >= 1, got 0"),
        (lambda: pad("abc", 0), ValueError, "n must be >= 1, got 0"),
        (lambda: pad(["a", EOS], 2), ValueError, "must not contain"),
        (lambda: NgramLM(0), ValueError, "order must be >= 1, got 0"),
        (lambda: ArrayMKN(0), ValueError, "order must be >= 1, got 0"),
        (lambda: count_followers(TOY, 0), ValueError, "n must be >= 1, got 0"),
        (lambda: MLE(2).fit([]), ValueError, "corpus is empty"),
        (lambda: MLE(2).fit("abc"), TypeError, "expected sentences, got one"),
        (lambda: MLE(2).fit([["a", BOS]]), ValueError, "must not contain"),
        (lambda: ArrayMKN(2).fit([]), ValueError, "corpus is empty"),
        (lambda: ArrayMKN(2).fit("abc"), TypeError, "expected sentences, got one"),
        (lambda: ArrayMKN(2).fit([[EOS]]), ValueError, "must not contain"),
        (lambda: ArrayMKN(2).fit(TOY), ValueError, "give a fallback"),
        (lambda: ArrayMKN(2).logprob(TOY), ValueError, "call fit first"),
        (lambda: ArrayMKN(2, (1.0,)), ValueError, "fallback must be three"),
        (lambda: ArrayMKN(2, FALLBACK).fit(TOY).logprob([]), ValueError, "is empty"),
        (lambda: ArrayMKN(2, FALLBACK).fit(TOY).logprob("ab"), TypeError, "got one"),
        (lambda: MLE(2).prob("a"), ValueError, "call fit first"),
        (lambda: MLE(2).distribution(), ValueError, "call fit first"),
        (lambda: MLE(2).fit(TOY).prob(BOS), ValueError, "nothing predicts it"),
        (lambda: MLE(2).fit(TOY).scores([EOS]), ValueError, "must not contain"),
        (lambda: MLE(2).fit(TOY).perplexity(TOY, "drop"), ValueError, "got 'drop'"),
        (lambda: MLE(2).fit(TOY).perplexity([]), ValueError, "is empty"),
        (lambda: MLE(2).fit(TOY).perplexity("ab"), TypeError, "got one"),
        (lambda: StupidBackoff(2).fit(TOY).perplexity(TOY), TypeError, "do not sum to 1"),
        (lambda: MLE(2).fit(TOY).sample(np.random.default_rng(), T=0.0), ValueError, "T > 0"),
        (lambda: MLE(2).fit(TOY).sample(np.random.default_rng(), limit=0), ValueError, "limit"),
        (lambda: Lidstone(2, 0.0), ValueError, "gamma must be > 0 and finite, got 0.0"),
        (lambda: Lidstone(2, math.inf), ValueError, "gamma must be > 0 and finite"),
        (lambda: JelinekMercer(2, [0.5]), ValueError, "need 2 lambdas"),
        (lambda: JelinekMercer(1, [1.5]), ValueError, r"in \[0, 1\], got \[1.5\]"),
        (lambda: JelinekMercer(2).fit(TOY).tune(TOY, 0), ValueError, "steps must be >= 1"),
        (lambda: JelinekMercer(2).fit(TOY).tune([]), ValueError, "is empty"),
        (lambda: JelinekMercer(2).tune(TOY), ValueError, "call fit first"),
        (lambda: good_turing({1: 3}, 0), ValueError, "expected r >= 1"),
        (lambda: good_turing({1: 3}, 2), ValueError, "got 2 and 0"),
        (lambda: katz_discounts({1: 3}, 1), ValueError, "k must be >= 2, got 1"),
        (lambda: katz_discounts({1: 3}, 2), ValueError, "got 2 and 0"),
        (lambda: katz_discounts({1: 3, 2: 1, 3: 1}, 2), ValueError, "choose k other"),
        (lambda: Katz(2, k=1), ValueError, "k must be >= 2, got 1"),
        (lambda: Katz(2).fit(TOY), ValueError, "n_r > 0"),
        (lambda: StupidBackoff(2, 0.0), ValueError, "alpha must be in"),
        (lambda: AbsoluteDiscount(2, 1.0), ValueError, r"d must be in \(0, 1\), got 1.0"),
        (lambda: KneserNey(2, 0.0), ValueError, r"d must be in \(0, 1\), got 0.0"),
        (lambda: ney_discount({1: 3}), ValueError, "give d"),
        (lambda: AbsoluteDiscount(1).fit(["ab"]), ValueError, "give d"),
        (lambda: modified_discounts({1: 3, 2: 1}), ValueError, "give a fallback"),
        (lambda: modified_discounts({1: 9, 2: 1, 3: 9}), ValueError, "outside"),
        (lambda: ModifiedKneserNey(2).fit(TOY), ValueError, "give a fallback"),
        (lambda: ModifiedKneserNey(2, (0.5, 2.5, 1.0)), ValueError, "fallback must be three"),
        (lambda: BackoffLM({}, {}), ValueError, "empty context"),
        (lambda: BackoffLM({(): {"a": 1.0}}, {}).fit(TOY), TypeError, "read or pruned"),
        (lambda: to_arpa(WittenBell(2), "x"), ValueError, "call fit first"),
        (lambda: to_arpa(MLE(2).fit(TOY), "x"), TypeError, "MLE does not back off"),
        (lambda: prune(Lidstone(2).fit(TOY), 0.1), TypeError, "Lidstone does not back off"),
        (lambda: to_backoff(KneserNey(2)), ValueError, "call fit first"),
        (
            lambda: removal_costs(to_backoff(WittenBell(2).fit(TOY)), ("z",)),
            ValueError,
            "expected a context that the model lists",
        ),
        (lambda: FuzzyIndex("abc"), TypeError, "expected several strings, got one"),
        (lambda: to_arpa(WittenBell(1).fit([["a b"]]), "x"), ValueError, "cannot hold"),
        (lambda: prune(WittenBell(2).fit(TOY), -1.0), ValueError, "threshold must be >= 0"),
        (lambda: qgrams("abc", 0), ValueError, "q must be >= 1, got 0"),
        (lambda: qgram_distance("abc", "a", 0), ValueError, "q must be >= 1, got 0"),
        (lambda: FuzzyIndex(["a"], 0), ValueError, "q must be >= 1, got 0"),
        (lambda: FuzzyIndex(["a"]).search("a", -1), ValueError, "k must be >= 0, got -1"),
    ],
)
def test_bad_input(call, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        call()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing here\n", r"bad.arpa:1: not a line of ARPA: 'nothing here'"),
        ("\\data\\\nngram 1=2\n\n\\1-grams:\n-1\ta\n\n\\end\\\n", "promised {1: 2}, found {1: 1}"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-x\ta\n\n\\end\\\n", "bad.arpa:5: not a line"),
        ("\\data\\\nngram 1=1\n\n\\1-grams:\n-1\ta b c\n\n\\end\\\n", "bad.arpa:5: not a line"),
        ("", r"promised {}, found {}"),
    ],
)
def test_bad_arpa(tmp_path, text, message):
    path = tmp_path / "bad.arpa"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_arpa(path)


def test_no_sentence_needs_to_hold_a_word():
    assert MLE(2).fit([""]).prob(EOS, (BOS,)) == 1
    assert FuzzyIndex([], 2).search("a", 1) == []


# Figures


@pytest.mark.parametrize("name", [n for n in dir(ngram) if n.startswith("figure_")])
def test_figures_can_be_drawn(name):
    made = getattr(ngram, name)()
    assert made


def test_an_arpa_file_of_order_one_says_no_start(tmp_path):
    to_arpa(WittenBell(1).fit(["ab", "a"]), tmp_path / "one.arpa")
    text = (tmp_path / "one.arpa").read_text("utf-8")
    assert "ngram 1=4" in text
    assert BOS not in text


def test_what_the_shorter_context_gives_back_whole_costs_nothing_to_leave_out(tmp_path):
    half, quarter = np.log10([0.5, 0.25]).tolist()
    ones = f"-99\t{BOS}\t0\n{half}\ta\t-99\n{quarter}\t{EOS}\n{quarter}\t{UNK}\n"
    twos = f"{quarter}\ta a\n{half}\ta {EOS}\n{quarter}\ta {UNK}\n"  # all of the words
    head = "\\data\\\nngram 1=4\nngram 2=3\n\n"
    text = f"{head}\\1-grams:\n{ones}\n\\2-grams:\n{twos}\n\\end\\\n"
    (tmp_path / "whole.arpa").write_text(text, "utf-8")
    costs = removal_costs(read_arpa(tmp_path / "whole.arpa"), ("a",))
    assert costs == {w: pytest.approx(0, abs=1e-12) for w in ("a", EOS, UNK)}
