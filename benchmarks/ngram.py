"""Modified Kneser-Ney against nltk and KenLM, and fuzzy search against looking at every string."""

import tempfile

import kenlm
from nltk.lm import KneserNeyInterpolated
from nltk.lm.preprocessing import padded_everygram_pipeline

from snippets.common.corpora import songci
from snippets.nlp.ngram import ArrayMKN, FuzzyIndex, ModifiedKneserNey, levenshtein, to_arpa

ORDER = 3


def nltk_model(sents):
    model = KneserNeyInterpolated(ORDER)
    model.fit(*padded_everygram_pipeline(ORDER, sents))
    return model


def kenlm_model(sents):
    quiet = kenlm.Config()
    quiet.show_progress, quiet.arpa_complain = False, kenlm.ARPALoadComplain.NONE
    with tempfile.TemporaryDirectory() as folder:
        to_arpa(ModifiedKneserNey(ORDER).fit(sents), f"{folder}/ours.arpa")
        return kenlm.Model(f"{folder}/ours.arpa", quiet)


def cases():
    train = songci("train")
    few = train[:12_000]
    yield (
        "ArrayMKN.fit / nltk KneserNeyInterpolated.fit, 12,000 clauses",
        lambda: ArrayMKN(ORDER).fit(few),
        lambda: nltk_model(few),
        1 / 20,
    )
    arrays, theirs = ArrayMKN(ORDER).fit(train), kenlm_model(train)
    lines = [" ".join(sent) for sent in train]
    yield (
        "ArrayMKN.logprob / kenlm full_scores, every token of 71,216 clauses",
        lambda: arrays.logprob(train),
        lambda: [score for line in lines for score in theirs.full_scores(line)],
        2.0,
    )
    yield (
        "ArrayMKN.logprob / kenlm score, which gives totals only",
        lambda: arrays.logprob(train),
        lambda: [theirs.score(line) for line in lines],
        1 / 0.15,
    )
    slow, one = nltk_model(few), train[0]
    grams = [(w, ["<s>", *one][max(0, i - 1) : i + 1]) for i, w in enumerate(one)]
    tokens = sum(map(len, few)) + len(few)
    assert tokens > 20_000 * len(grams)
    yield (
        f"ArrayMKN.logprob of {tokens:,} tokens / nltk score of {len(grams)}",
        lambda: arrays.logprob(few),
        lambda: [slow.score(w, context) for w, context in grams],
        1.0,
    )
    strings = list(dict.fromkeys(train))[:20_000]
    index = FuzzyIndex(strings)
    yield (
        "FuzzyIndex.search / levenshtein to each of 20,000 clauses",
        lambda: index.search("明月几时友", 1),
        lambda: [s for s in strings if levenshtein("明月几时友", s) <= 1],
        1 / 10,
    )
