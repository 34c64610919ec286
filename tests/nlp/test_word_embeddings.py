"""Lookup, counts, word2vec and evaluation, against torch, gensim, numpy and hand counts."""

import re
from inspect import unwrap  # readers have no type checker in front of a function
from itertools import pairwise

import gensim.models.word2vec as theirs
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import check_grad
from torch.nn.functional import embedding, logsigmoid

from snippets.common import records
from snippets.common.corpora import songci
from snippets.nlp.word_embeddings import (
    CBOW,
    RELATIONS,
    SGNS,
    HierarchicalSoftmax,
    analogy,
    build_vocab,
    context_means,
    cooccurrence,
    cosine,
    couplet_accuracy,
    draw,
    embedding_backward,
    embedding_lookup,
    encode,
    evaluate_analogies,
    examples,
    factorize,
    huffman,
    keep_prob,
    most_similar,
    noise_distribution,
    one_hot,
    pmi,
    position_pairs,
    ppmi,
    relation_quads,
    sgns_objective,
    sigmoid,
    skipgram_pairs,
    svd_vectors,
    together_or_alike,
    train,
    unit,
)

CLAUSES = songci("train")[:5000]
RNG = np.random.default_rng(0)
ids_of = st.lists(st.integers(0, 6), min_size=1, max_size=30)


def text(sents, min_count=1):
    words, counts, index = build_vocab(sents, min_count)
    return words, counts, index, *encode(sents, index)


@pytest.fixture(scope="module")
def oracle():
    """gensim's vocabulary of the same clauses, skip-gram with a Huffman tree beside the noise."""
    model = theirs.Word2Vec(min_count=5, sg=1, hs=1, negative=5, sample=1e-3, vector_size=4)
    model.build_vocab([list(clause) for clause in CLAUSES])
    return model


# --- the lookup is a product with one-hot rows ---------------------------------------------------


@given(ids_of)
def test_lookup_is_the_product_with_one_hot_rows_bit_by_bit(ids):
    idx, W = np.array(ids), RNG.normal(size=(7, 3)).astype(np.float32)
    assert np.array_equal(one_hot(idx, 7) @ W, embedding_lookup(W, idx))
    assert np.array_equal(
        embedding_lookup(W, idx), embedding(torch.tensor(ids), torch.from_numpy(W)).numpy()
    )


@given(ids_of)
def test_scatter_is_the_transposed_product_exact_on_integers(ids):
    idx = np.array(ids)
    g = RNG.integers(-9, 9, (len(ids), 3)).astype(np.float32)
    W = torch.zeros(7, 3, requires_grad=True)
    embedding(torch.tensor(ids), W).backward(torch.from_numpy(g))
    assert np.array_equal(one_hot(idx, 7).T @ g, embedding_backward(idx, g, 7))
    assert np.array_equal(embedding_backward(idx, g, 7), W.grad.numpy())


def test_scatter_is_the_same_bits_while_no_id_occurs_three_times():
    idx = np.repeat(RNG.permutation(500)[:200], 2)
    g = RNG.normal(size=(400, 16)).astype(np.float32)
    assert np.array_equal(one_hot(idx, 500).T @ g, embedding_backward(idx, g, 500))


# --- text, pairs, noise and subsampling ----------------------------------------------------------


@given(st.lists(st.text("甲乙丙丁", min_size=1, max_size=6), min_size=1), st.integers(1, 4))
def test_pairs_are_those_that_two_loops_find(sents, window):
    words, _, index, ids, sent_ids = text(sents)
    centre, context = skipgram_pairs(ids, sent_ids, window)
    expected = [
        (a, s[j])
        for s in sents
        for i, a in enumerate(s)
        for j in range(max(0, i - window), min(len(s), i + window + 1))
        if j != i
    ]
    found = [(words[a], words[b]) for a, b in zip(centre, context, strict=True)]
    assert sorted(found) == sorted(expected)
    M = cooccurrence(ids, sent_ids, window, len(words)).toarray()
    assert M.sum() == len(expected)
    assert np.array_equal(M, M.T)
    assert all(M[index[a], index[b]] == expected.count((a, b)) for a, b in set(expected))


def test_a_drawn_radius_keeps_an_offset_with_linearly_falling_chance():
    sent_ids = np.zeros(60_000, dtype=int)
    centre, context = position_pairs(sent_ids, 4, np.random.default_rng(0))
    share = np.bincount(np.abs(centre - context))[1:] / (2 * len(sent_ids))
    assert share == pytest.approx([1, 3 / 4, 2 / 4, 1 / 4], abs=0.01)


def test_no_pair_crosses_a_sentence_and_a_window_may_exceed_the_text():
    centre, context = position_pairs(np.array([0, 0, 1]), 9)
    assert sorted(zip(centre.tolist(), context.tolist(), strict=True)) == [(0, 1), (1, 0)]


def test_means_weigh_each_window_to_one_and_drop_lonely_words():
    _, counts, _, ids, sent_ids = text(["甲乙丙", "丁", "甲甲"])
    center, A = context_means(ids, sent_ids, 2, len(counts))
    assert len(center) == 5
    assert A.sum(axis=1) == pytest.approx(np.ones(5))


def test_vocabulary_runs_from_frequent_to_rare():
    words, counts, index = build_vocab(["甲乙甲", "丙甲乙", "丁"], 2)
    assert (words, counts.tolist(), index) == (["甲", "乙"], [3, 2], {"甲": 0, "乙": 1})
    ids, sent_ids = encode(["丁", "乙丁甲"], index)
    assert (ids.tolist(), sent_ids.tolist()) == ([1, 0], [1, 1])
    assert encode(["丁"], index)[0].shape == (0,)


def test_noise_is_gensims(oracle):
    words, counts, _ = build_vocab(CLAUSES, 5)
    table = np.diff(oracle.cum_table / oracle.cum_table[-1], prepend=0)
    ours = noise_distribution(counts)
    assert len(words) == len(oracle.wv)
    at = [words.index(word) for word in oracle.wv.index_to_key]
    assert ours[at] == pytest.approx(table, abs=1e-8)


def test_subsampling_is_gensims_and_not_the_papers(oracle):
    words, counts, _ = build_vocab(CLAUSES, 5)
    ints = [oracle.wv.get_vecattr(word, "sample_int") for word in words]
    kept = np.array(ints) / (2**32 - 1)
    assert keep_prob(counts, 1e-3) == pytest.approx(kept, abs=1e-8)
    assert kept[0] - keep_prob(counts, 1e-3, "paper")[0] > 0.05


def test_draws_follow_the_distribution():
    noise = noise_distribution(np.array([8, 4, 2, 1]))
    drawn = draw(noise, 100_000, np.random.default_rng(0))
    assert np.bincount(drawn) / 100_000 == pytest.approx(noise, abs=0.005)


# --- counts --------------------------------------------------------------------------------------


def test_pmi_by_hand():
    M = sparse.csr_array([[0, 2.0], [2.0, 4.0]])
    D, row = 8, [2, 6]
    expected = [[0, np.log(2 * D / 12)], [np.log(2 * D / 12), np.log(4 * D / 36)]]
    assert pmi(M, alpha=1).toarray() == pytest.approx(np.array(expected))
    shifted = pmi(M, alpha=1, shift=np.log(5)).toarray()
    assert shifted[1, 1] == pytest.approx(np.log(4 * D / 36) - np.log(5))
    smooth = np.array(row) ** 0.75
    assert pmi(M).toarray()[0, 1] == pytest.approx(np.log(2 / 2 / (smooth[1] / smooth.sum())))
    assert ppmi(M, alpha=1).nnz == 2


def test_vectors_are_numpys_svd_also_where_singular_values_come_in_equal_pairs():
    words, _, _, ids, sent_ids = text(together_or_alike(500))
    X = ppmi(cooccurrence(ids, sent_ids, 1, len(words)), alpha=1)
    U, s, _ = np.linalg.svd(X.toarray())
    for d, p in ((4, 0.5), (4, 0), (20, 1)):
        ours, full = svd_vectors(X, d, p), U[:, :d] * s[:d] ** p
        assert ours @ ours.T == pytest.approx(full @ full.T, abs=1e-8)
    assert np.all(np.diff(np.linalg.norm(svd_vectors(X, 20, 1), axis=0)) < 1e-9)


# --- gradients -----------------------------------------------------------------------------------


def batch(V=9, n=12):
    rng = np.random.default_rng(3)
    return rng.integers(V, size=n), rng.integers(V, size=n), np.array([0, 3, 3, 8])


def filled(model):
    rng = np.random.default_rng(4)
    for table in (model.W_in, model.W_out):
        table[:] = rng.normal(size=table.shape)
    return model


def leaves(model):
    return [
        torch.tensor(table, dtype=torch.float64, requires_grad=True)
        for table in (model.W_in, model.W_out)
    ]


def check_step(model, loss, W, *args):
    """A step with lr = 1 moves both tables by minus autograd's gradient."""
    loss.backward()
    before = [model.W_in.copy(), model.W_out.copy()]
    model.step(*args, lr=1.0)
    for old, table, leaf in zip(before, (model.W_in, model.W_out), W, strict=True):
        assert old - table == pytest.approx(leaf.grad.numpy(), abs=2e-5)


def negative_sampling(h, c, N, k):
    return -logsigmoid((h * c).sum(1)).sum() - k / len(N) * logsigmoid(-(h @ N.T)).sum()


def test_skip_gram_steps_along_autograds_gradient():
    model, (center, context, negatives) = filled(SGNS(9, 5)), batch()
    W = leaves(model)
    loss = negative_sampling(W[0][center], W[1][context], W[1][negatives], model.k)
    assert model.loss(center, context, negatives) == pytest.approx(loss.item() / 12)
    check_step(model, loss, W, center, context, negatives)


def test_cbow_steps_along_autograds_gradient():
    _, _, _, ids, sent_ids = text(["甲乙丙丁戊", "己庚辛壬", "甲丁丁"])
    center, A = context_means(ids, sent_ids, 2, 9)
    model, negatives = filled(CBOW(9, 5)), np.array([1, 1, 7])
    W = leaves(model)
    h = torch.tensor(A.toarray(), dtype=torch.float64) @ W[0]
    loss = negative_sampling(h, W[1][center], W[1][negatives], model.k)
    assert model.loss(A, center, negatives) == pytest.approx(loss.item() / 12)
    check_step(model, loss, W, A, center, negatives)


def test_hierarchical_softmax_steps_along_autograds_gradient():
    counts = np.array([9, 7, 5, 4, 4, 3, 2, 1, 1])
    model, (center, context, _) = filled(HierarchicalSoftmax(counts, 5)), batch()
    W = leaves(model)
    codes, points = huffman(counts)
    loss = -sum(
        logsigmoid(torch.tensor(1 - 2 * codes[c]) * (W[1][points[c]] @ W[0][w])).sum()
        for w, c in zip(center, context, strict=True)
    )
    assert model.loss(center, context) == pytest.approx(loss.item() / 12)
    check_step(model, loss, W, center, context)


def test_one_pair_with_k_negatives_is_word2vecs_loss():
    model = filled(SGNS(9, 5, k=3))
    w, c, noise = np.array([2]), np.array([5]), np.array([1, 4, 8])
    x = model.W_out.astype(float) @ model.W_in[2]
    expected = -np.log(1 / (1 + np.exp(-x[5]))) - np.log(1 / (1 + np.exp(x[noise]))).sum()
    assert model.loss(w, c, noise) == pytest.approx(expected, rel=1e-5)


@given(st.floats(-100, 100))
def test_sigmoid_is_never_further_off_than_its_clipping(x):
    assert sigmoid(np.array([x]))[0] == pytest.approx(
        torch.tensor(x, dtype=torch.float64).sigmoid().item(), abs=1e-13
    )


# --- the tree ------------------------------------------------------------------------------------


def test_huffman_by_hand():
    codes, points = huffman(np.array([5, 2, 1, 1]))
    assert sorted(map(len, codes)) == [1, 2, 3, 3]
    assert [p[0] for p in points] == [2, 2, 2, 2]  # every path starts at the root


@given(st.lists(st.integers(1, 50), min_size=2, max_size=40))
def test_codes_are_prefix_free_complete_and_between_entropy_and_entropy_plus_one(counts):
    counts = np.array(counts)
    codes, points = huffman(counts)
    texts = ["".join(map(str, code)) for code in codes]
    assert all(not b.startswith(a) for a, b in pairwise(sorted(texts)))
    assert sum(2.0 ** -len(code) for code in codes) == 1
    assert [len(c) for c in codes] == [len(p) for p in points]
    p = counts / counts.sum()
    mean, entropy = p @ [len(code) for code in codes], -(p @ np.log2(p))
    assert entropy - 1e-9 <= mean < entropy + 1


def test_total_code_length_is_gensims(oracle):
    words, counts, _ = build_vocab(CLAUSES, 5)
    codes, _ = huffman(counts)
    ours = sum(n * len(code) for n, code in zip(counts, codes, strict=True))
    total = [
        oracle.wv.get_vecattr(w, "count") * len(oracle.wv.get_vecattr(w, "code")) for w in words
    ]
    assert ours == sum(total)


def test_probabilities_of_all_words_add_up_to_one():
    _, counts, _ = build_vocab(CLAUSES, 5)
    model = filled(HierarchicalSoftmax(counts, 8))
    for h in np.random.default_rng(1).normal(size=(5, 8)):
        logs = model.log_prob(h, np.arange(len(counts)))
        assert np.exp(logs).sum() == pytest.approx(1, abs=1e-9)
        assert model.log_prob(h, 3) == logs[3]


# --- training ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SGNS, CBOW, HierarchicalSoftmax])
def test_training_lowers_the_loss_and_repeats_itself(kind):
    _, counts, _, ids, sent_ids = text(together_or_alike(800))

    def learn():
        model = kind(counts if kind is HierarchicalSoftmax else len(counts), 8)
        probe = [*examples(model, ids, sent_ids, 2, np.random.default_rng(0))]
        if kind is not HierarchicalSoftmax:
            probe.append(np.arange(len(counts)))
        before = model.loss(*probe)
        progress = list(train(model, ids, sent_ids, counts, window=2, epochs=4, batch=128, t=1e-2))
        assert progress[0] == 0
        assert all(a < b < 1 for a, b in pairwise(progress))
        return model.W_in, before - model.loss(*probe)

    (first, drop), (second, _) = learn(), learn()
    assert drop > 0.1
    assert np.array_equal(first, second)


def test_the_model_and_the_theorem_speak_of_one_loss():
    _, _, _, ids, sent_ids = text(CLAUSES[:50])
    V = int(ids.max()) + 1
    center, context = skipgram_pairs(ids, sent_ids, 2)
    model = filled(SGNS(V, 4, k=3))
    M = cooccurrence(ids, sent_ids, 2, V).toarray()
    total, _ = sgns_objective(model.W_in @ model.W_out.T, M, 3)
    assert model.loss(center, context, context) * len(center) == pytest.approx(total, rel=1e-5)


def test_two_tables_of_a_minimum_score_pmi_minus_log_k():
    M = np.random.default_rng(0).integers(1, 30, (6, 6)).astype(float)
    W, C = factorize(M, 6)
    target = pmi(sparse.csr_array(M), alpha=1, shift=np.log(5)).toarray()
    assert np.abs(W @ C.T - target).max() < 1e-3


def test_objective_by_finite_differences_and_at_its_minimum():
    M = np.random.default_rng(0).integers(1, 30, (4, 4)).astype(float)
    best = pmi(sparse.csr_array(M), alpha=1, shift=np.log(2)).toarray()
    loss, gradient = sgns_objective(best, M, 2)
    assert gradient == pytest.approx(np.zeros((4, 4)), abs=1e-12)
    assert loss < sgns_objective(best + 0.1, M, 2)[0]
    error = check_grad(
        lambda x: sgns_objective(x.reshape(4, 4), M, 2)[0],
        lambda x: sgns_objective(x.reshape(4, 4), M, 2)[1].ravel(),
        np.zeros(16),
    )
    assert error < 1e-4


# --- evaluation ----------------------------------------------------------------------------------

SQUARE = np.array([[1.0, 0.05], [1, 1], [0, 1], [-1, 0.1], [0, -1], [0, 0]])
NAMES = list("东北西南中空")


def test_neighbours_are_gensims():
    rng = np.random.default_rng(0)
    W, words = rng.normal(size=(50, 8)), [f"w{i}" for i in range(50)]
    table = theirs.KeyedVectors(8)
    table.add_vectors(words, W)
    for w in words:
        expected = [word for word, _ in table.most_similar(w, topn=5)]
        assert most_similar(W, w, 5, words) == expected
        assert most_similar(W, words.index(w), 5) == [words.index(word) for word in expected]
    for a, b, c in rng.permutation(words)[:48].reshape(-1, 3).tolist():
        expected = table.most_similar(positive=[b, c], negative=[a], topn=4)
        assert analogy(W, a, b, c, words=words, n=4) == [word for word, _ in expected]
        with pytest.warns(DeprecationWarning, match="init_sims"):  # gensim's own
            expected = table.most_similar_cosmul(positive=[b, c], negative=[a], topn=4)
        got = analogy(W, a, b, c, "mul", words=words, n=4)
        assert got == [word for word, _ in expected]
        assert cosine(W, a, b, words) == pytest.approx(table.similarity(a, b), abs=1e-6)


def test_all_neighbours_are_the_other_words_and_zeros_stay_zeros():
    assert sorted(most_similar(SQUARE, "东", 99, NAMES)) == sorted("北西南中空")
    assert unit(SQUARE)[5].tolist() == [0, 0]


def test_evaluation_counts_first_answers():
    quads = [("东", "北", "南", "西"), ("东", "北", "南", "中")]
    given = analogy(SQUARE, "东", "北", "南", words=NAMES)[0]
    expected = [given == d for *_, d in quads]
    assert evaluate_analogies(SQUARE, quads, NAMES) == np.mean(expected)


def test_couplets_by_hand():
    W = np.eye(3)
    lines = [(np.array([0, 1]), np.array([0, 1])), (np.array([0, 1]), np.array([1, 0]))]
    assert couplet_accuracy(W, lines) == 0.5


def test_relations_give_every_ordered_pair_of_pairs():
    assert relation_quads({"一": "甲乙 丙丁"}) == [tuple("甲乙丙丁"), tuple("丙丁甲乙")]
    sizes = [len(family.split()) for family in RELATIONS.values()]
    assert len(relation_quads()) == sum(n * (n - 1) for n in sizes)


def test_the_toy_corpus_keeps_its_promises():
    for sentence in together_or_alike(300):
        assert ("忐" in sentence) == ("忑" in sentence)
        assert not {"甲", "乙"} <= set(sentence)
        if "忐" in sentence:
            assert sentence.index("忑") == sentence.index("忐") + 1


# --- what the page says of the record ------------------------------------------------------------


def methods(toy):
    return [toy[name] for name in ("ppmi_svd", "sg", "cbow")]


def test_the_record_bears_out_the_page():
    results = records.load("nlp/word-embeddings").results
    for toy in results["toy"].values():
        assert all(toy[name]["alike"]["least"] > 0.9 for name in ("ppmi_svd", "sg", "cbow"))
        assert all(toy[name]["together"]["most"] < 0.6 for name in ("sg", "cbow"))
        assert toy["scores"]["self"] < toy["scores"]["other"] - 1
    assert all(toy["together"]["most"] < 0.3 for toy in methods(results["toy"]["window1"]))
    assert results["toy"]["window1"]["ppmi_svd"]["together"]["most"] < 0.1
    assert results["toy"]["window4"]["ppmi_svd"]["together"]["least"] > 0.95
    assert results["theorem"]["d60"]["corr"] > 0.9999
    for model in (*results["songci"].values(), *results["gensim"].values()):
        assert model["analogies"]["nearest"] > model["analogies"]["add"]
        assert max(model["analogies"]["add_all"], model["analogies"]["mul_all"]) < 0.03
        assert model["analogies"]["add"] > model["analogies"]["add_all"]
        assert model["couplets"] > 0.54
    assert results["songci"]["sg"]["same_decile"][9] > 0.5
    assert results["songci"]["ppmi_svd"]["same_decile"][0] > 0.4
    assert results["gensim"]["sg"]["speed"] > 0.6
    for name in ("sg", "cbow", "hs"):
        losses = results["songci"][name]["loss"]
        assert losses[-1] < losses[0]


# --- errors --------------------------------------------------------------------------------------

I3, F3 = np.array([0, 1, 2]), np.ones((3, 2), dtype=np.float32)
NONE = np.array([], dtype=int)
COUNTS = np.array([3, 2, 1])
SIZES = np.ones((2, 2)), np.ones((3, 3))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: one_hot(np.array([3]), 3), "idx must lie between 0 and 2, got 3"),
        (lambda: one_hot(I3, 0), "V must be at least 1, got 0"),
        (lambda: embedding_lookup(F3, np.array([-1])), "idx must lie between 0 and 2, got -1"),
        (lambda: embedding_backward(I3, F3, 2), "idx must lie between 0 and 1, got 2"),
        (lambda: embedding_backward(I3[:2], F3, 3), "idx and g must have one length, got 2 and 3"),
        (lambda: build_vocab([]), "no word occurs 1 times: the most frequent occurs 0 times"),
        (lambda: build_vocab(["甲甲"], 3), "no word occurs 3 times: the most frequent occurs 2"),
        (lambda: build_vocab(["甲"], 0), "min_count must be at least 1, got 0"),
        (lambda: keep_prob(COUNTS, 0), "t must be positive, got 0"),
        (lambda: keep_prob(COUNTS, rule="x"), "rule must be 'word2vec' or 'paper', got 'x'"),
        (lambda: keep_prob(np.array([1, 0])), "counts must be positive numbers, got a count of 0"),
        (lambda: noise_distribution(NONE), "counts must be positive numbers, got none"),
        (lambda: position_pairs(I3, 0), "window must be at least 1, got 0"),
        (lambda: skipgram_pairs(I3, I3, 0), "window must be at least 1, got 0"),
        (lambda: skipgram_pairs(I3, I3[:2], 1), "ids and sent_ids must have one length, got 3"),
        (lambda: context_means(I3, I3[:2], 1, 3), "ids and sent_ids must have one length"),
        (lambda: cooccurrence(I3, I3, 1, 0), "V must be at least 1, got 0"),
        (lambda: cooccurrence(I3, I3, 0, 3), "window must be at least 1, got 0"),
        (lambda: pmi(sparse.csr_array((2, 2))), "M must hold positive counts, got none"),
        (lambda: ppmi(sparse.csr_array([[-1.0]])), "M must hold positive counts, got -1"),
        (lambda: svd_vectors(sparse.csr_array(np.eye(4)), 4), "d must be between 1 and 3, got 4"),
        (lambda: svd_vectors(sparse.csr_array(np.eye(4)), 0), "d must be between 1 and 3, got 0"),
        (lambda: SGNS(0, 2), "V must be at least 1, got 0"),
        (lambda: CBOW(3, 0), "d must be at least 1, got 0"),
        (lambda: SGNS(3, 2, k=0), "k must be at least 1, got 0"),
        (lambda: SGNS(3, 2).step(I3, I3 + 1, I3, 0.1), "context must lie between 0 and 2, got 3"),
        (lambda: SGNS(3, 2).step(I3, I3[:2], I3, 0.1), "as many centers as contexts"),
        (lambda: SGNS(3, 2).loss(NONE, NONE, I3), "at least 1, got 0 and 0"),
        (lambda: SGNS(3, 2).loss(I3, I3, NONE), "negatives must hold at least 1 word, got none"),
        (lambda: CBOW(3, 2).step(sparse.csr_array((2, 3)), I3, I3, 0.1), "the shape (3, 3), got"),
        (lambda: huffman(np.array([3])), "a tree needs at least 2 words, got 1"),
        (lambda: HierarchicalSoftmax(COUNTS, 0), "d must be at least 1, got 0"),
        (lambda: HierarchicalSoftmax(COUNTS, 2).log_prob(np.ones(2), 3), "between 0 and 2, got 3"),
        (lambda: HierarchicalSoftmax(COUNTS, 2).step(I3 + 1, I3, 1.0), "center must lie between"),
        (lambda: HierarchicalSoftmax(COUNTS, 2).loss(I3, I3[:2]), "as many centers as contexts"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, window=0), "window must be at least 1, got 0"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, epochs=0), "epochs must be at least 1, got 0"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, lr=0), "lr must be positive, got 0"),
        (lambda: train(SGNS(4, 2), I3, I3, COUNTS), "a count per word of the model: 4, got 3"),
        (lambda: train(SGNS(3, 2), NONE, NONE, COUNTS), "the text holds no word"),
        (lambda: factorize(np.ones((3, 3)), 0), "d must be at least 1, got 0"),
        (lambda: factorize(np.zeros((3, 3)), 2), "M must hold positive counts, got none"),
        (lambda: most_similar(F3, 0, 0), "n must be at least 1, got 0"),
        (lambda: most_similar(F3, 3), "word must lie between 0 and 2, got 3"),
        (lambda: most_similar(F3, "丁", words=list("甲乙丙")), "unknown word '丁': 3 words are"),
        (lambda: most_similar(F3, "丁"), "unknown word '丁': no words were given"),
        (lambda: cosine(F3, "丁", "甲", list("甲乙丙")), "unknown word '丁'"),
        (lambda: analogy(F3, 0, 1, 2, "x"), "method must be 'add' or 'mul', got 'x'"),
        (lambda: analogy(F3, 0, 1, 9), "word must lie between 0 and 2, got 9"),
        (lambda: evaluate_analogies(F3, []), "quads must hold at least 1 quad, got none"),
        (lambda: evaluate_analogies(F3, [(0, 1, 2)]), "a quad has 4 words, got 3"),
        (lambda: couplet_accuracy(F3, []), "lines must hold at least two places, got none"),
        (lambda: couplet_accuracy(F3, [(I3, I3[:2])]), "lines must have one length, got 3 and 2"),
        (lambda: together_or_alike(0), "n must be at least 1, got 0"),
        (
            lambda: unwrap(embedding_lookup)(F3, np.array([0.5])),
            "idx must be integers, got float64",
        ),
        (lambda: cooccurrence(I3, 0 * I3, 1, 2), "ids must lie between 0 and 1, got 2"),
        (lambda: context_means(I3, 0 * I3, 1, 2), "ids must lie between 0 and 1, got 2"),
        (lambda: couplet_accuracy(F3, [(I3, I3 + 1)]), "lines must lie between 0 and 2, got 3"),
        (lambda: draw(np.ones(3), 2, RNG), "noise must add up to 1, got 3"),
        (lambda: draw(NONE, 2, RNG), "noise must add up to 1, got 0"),
        (lambda: examples(SGNS(3, 2), I3, I3, 0, RNG), "window must be at least 1, got 0"),
        (lambda: train(SGNS(3, 2), I3, I3[:2], COUNTS), "ids and sent_ids must have one length"),
        (lambda: train(SGNS(3, 2), I3 + 1, I3, COUNTS), "ids must lie between 0 and 2, got 3"),
        (lambda: train(SGNS(3, 2), I3, I3, 0 * COUNTS), "got a count of 0"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, t=-1), "t must be positive, got -1"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, batch=0), "batch must be at least 1, got 0"),
        (lambda: train(SGNS(3, 2), I3, I3, COUNTS, shared=0), "shared must be at least 1, got 0"),
        (
            lambda: HierarchicalSoftmax(COUNTS, 2).log_prob(np.ones(3), 0),
            "the shape (2,), got (3,)",
        ),
        (lambda: unwrap(factorize)(np.ones((3, 2)), 2), "M must be square, got the shape (3, 2)"),
        (lambda: factorize(np.ones((3, 3)), 2, 0), "k must be at least 1, got 0"),
        (lambda: unwrap(sgns_objective)(*SIZES, 1), "M's shape (3, 3), got"),
        (lambda: sgns_objective(np.ones((2, 2)), np.zeros((2, 2)), 1), "counts, got none"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()
