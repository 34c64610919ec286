"""Training on 宋词 against gensim and against a loop over pairs; lookup against a product."""

import numpy as np
from gensim.models import Word2Vec

from snippets.common import measure
from snippets.common.corpora import songci
from snippets.nlp import word_embeddings as ours


def loop(W, C, centers, contexts, negatives, lr):
    """Skip-gram with negative sampling as it is usually first written: pair by pair."""
    for w, c, noise in zip(centers, contexts, negatives, strict=True):
        rows = np.array([c, *noise])
        g = lr * (ours.sigmoid(C[rows] @ W[w]) - np.eye(1, len(rows), dtype=np.float32)[0])
        step = g @ C[rows]
        np.subtract.at(C, rows, np.outer(g, W[w]))
        W[w] -= step


def few_calls(f, g):
    """Compare with ten calls a timing: as many as a lookup resolves would multiply for minutes."""
    return measure.ratio(f, g, number=10)


def cases():
    clauses = songci("train")[:20_000]
    words, counts, index = ours.build_vocab(clauses, 5)
    ids, sent_ids = ours.encode(clauses, index)
    V, d, rng = len(words), 64, np.random.default_rng(0)
    sents = [list(clause) for clause in clauses]

    def rival(sg):
        model = Word2Vec(vector_size=d, window=5, min_count=5, sg=sg, sample=0, workers=1)
        model.build_vocab(sents)
        return lambda: model.train(sents, total_examples=len(sents), epochs=1)

    for name, kind, sg in (("SGNS", ours.SGNS, 1), ("CBOW", ours.CBOW, 0)):
        model = kind(V, d)

        def mine(model=model):
            for _ in ours.train(model, ids, sent_ids, counts, epochs=1):
                pass

        yield f"{name}, one pass / gensim", mine, rival(sg), 1 / 0.6 if sg else 3.0

    gensim = rival(1)
    yield (
        "PPMI-SVD / five passes of gensim's skip-gram",
        lambda: ours.svd_vectors(ours.ppmi(ours.cooccurrence(ids, sent_ids, 5, V)), d),
        lambda: [gensim() for _ in range(5)],
        1 / 3,
    )

    center, context = (pairs[:2048] for pairs in ours.skipgram_pairs(ids, sent_ids, 5))
    model = ours.SGNS(V, d)
    shared = rng.integers(V, size=64)
    negatives = rng.integers(V, size=(len(center), 5))
    yield (
        "SGNS.step / a loop over 2048 pairs",
        lambda: model.step(center, context, shared, 0.025),
        lambda: loop(model.W_in, model.W_out, center, context, negatives, 0.025),
        1 / 25,
    )

    W, idx = rng.normal(size=(5000, 128)).astype(np.float32), rng.integers(5000, size=512)
    yield (
        "embedding_lookup / one_hot @ W",
        lambda: ours.embedding_lookup(W, idx),
        lambda: ours.one_hot(idx, 5000) @ W,
        1 / 50,
        few_calls,
    )
