"""N-gram language models: counts, smoothing, exact modified Kneser-Ney, and fuzzy matching.

Symbols:

    w, h, h'    a word; its context, the words before it; the context without its first word
    c(hw)       how often w followed h; c(h) is the sum over w
    n_r         how many different n-grams occurred r times
    V           the vocabulary: all words seen, </s> and <unk>, but not <s>
    a(hw)       the adjusted count of Kneser and Ney; D its discount
    q, D_q      the length of the pieces two strings are compared by, and their distance

A sentence is a sequence of words; a string is a sequence of characters, so a string is a sentence
whose words are characters.  Logarithms of probabilities are to base 10, as in ARPA files.
Left out: corpora that do not fit into memory, class-based, skipping and cache models.
"""

from .arpa import BackoffLM, prune, read_arpa, removal_costs, to_arpa, to_backoff
from .arrays import ArrayMKN
from .figures import (
    figure_held_out,
    figure_perplexity,
    figure_surprise,
    figure_unseen,
)
from .kneser_ney import (
    AbsoluteDiscount,
    KneserNey,
    ModifiedKneserNey,
    adjusted_counts,
    modified_discounts,
    ney_discount,
)
from .matching import FuzzyIndex, dice, jaccard, levenshtein, qgram_distance, qgrams
from .model import NgramLM, count_followers
from .smoothing import (
    MLE,
    Interpolated,
    JelinekMercer,
    Katz,
    Lidstone,
    StupidBackoff,
    WittenBell,
    counts_of_counts,
    good_turing,
    katz_discounts,
)
from .tokens import BOS, EOS, UNK, everygrams, ngrams, pad

__all__ = [
    "BOS",
    "EOS",
    "MLE",
    "UNK",
    "AbsoluteDiscount",
    "ArrayMKN",
    "BackoffLM",
    "FuzzyIndex",
    "Interpolated",
    "JelinekMercer",
    "Katz",
    "KneserNey",
    "Lidstone",
    "ModifiedKneserNey",
    "NgramLM",
    "StupidBackoff",
    "WittenBell",
    "adjusted_counts",
    "count_followers",
    "counts_of_counts",
    "dice",
    "everygrams",
    "figure_held_out",
    "figure_perplexity",
    "figure_surprise",
    "figure_unseen",
    "good_turing",
    "jaccard",
    "katz_discounts",
    "levenshtein",
    "modified_discounts",
    "ney_discount",
    "ngrams",
    "pad",
    "prune",
    "qgram_distance",
    "qgrams",
    "read_arpa",
    "removal_costs",
    "to_arpa",
    "to_backoff",
]
