"""词向量: the embedding layer, vectors from counts, and word2vec in NumPy, with their tests.

Leaves out: several threads, phrases, sub-words, and everything that a network learns above the
table of vectors.

Symbols:
    V, d        number of words, width of a vector
    W           table of word vectors, (V, d); its rows are w
    C, W_out    table of context vectors, (V, d); its rows are c
    X           one-hot matrix of n words, (n, V)
    M           co-occurrence counts #(w, c), (V, V)
    k           negative samples per pair
    h           hidden vector: w in skip-gram, the mean of a window in CBOW
    σ           the logistic function 1/(1 + e⁻ˣ)
"""

from .corpus import (
    build_vocab,
    context_means,
    encode,
    keep_prob,
    noise_distribution,
    position_pairs,
    skipgram_pairs,
)
from .counts import cooccurrence, pmi, ppmi, svd_vectors
from .evaluate import (
    RELATIONS,
    analogy,
    cosine,
    couplet_accuracy,
    evaluate_analogies,
    most_similar,
    relation_quads,
    unit,
)
from .figures import (
    figure_frequency,
    figure_huffman,
    figure_lookup,
    figure_map,
    figure_theorem,
    figure_training,
)
from .lookup import embedding_backward, embedding_lookup, one_hot
from .models import CBOW, SGNS, sigmoid
from .theorem import factorize, sgns_objective
from .toy import together_or_alike
from .training import draw, examples, train
from .tree import HierarchicalSoftmax, huffman

__all__ = [
    "CBOW",
    "RELATIONS",
    "SGNS",
    "HierarchicalSoftmax",
    "analogy",
    "build_vocab",
    "context_means",
    "cooccurrence",
    "cosine",
    "couplet_accuracy",
    "draw",
    "embedding_backward",
    "embedding_lookup",
    "encode",
    "evaluate_analogies",
    "examples",
    "factorize",
    "figure_frequency",
    "figure_huffman",
    "figure_lookup",
    "figure_map",
    "figure_theorem",
    "figure_training",
    "huffman",
    "keep_prob",
    "most_similar",
    "noise_distribution",
    "one_hot",
    "pmi",
    "position_pairs",
    "ppmi",
    "relation_quads",
    "sgns_objective",
    "sigmoid",
    "skipgram_pairs",
    "svd_vectors",
    "together_or_alike",
    "train",
    "unit",
]
