"""Vectors of 宋词 by four roads, the theorem of Levy and Goldberg, the toy corpus, two timings."""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from torch.nn.functional import embedding, one_hot

from snippets.common.corpora import songci, songci_poems
from snippets.common.measure import ratio
from snippets.nlp.word_embeddings import (
    CBOW,
    RELATIONS,
    SGNS,
    HierarchicalSoftmax,
    build_vocab,
    context_means,
    cooccurrence,
    cosine,
    couplet_accuracy,
    encode,
    evaluate_analogies,
    factorize,
    most_similar,
    noise_distribution,
    pmi,
    ppmi,
    relation_quads,
    skipgram_pairs,
    svd_vectors,
    together_or_alike,
    train,
    unit,
)

PARTS = ["lookup", "theorem", "toy", "songci", "gensim", "map"]
MODELS = ["ppmi_svd", "sg", "cbow", "hs"]
INPUTS = {
    "parts": PARTS,
    "widths": [8, 32, 60],
    "windows": [1, 2, 4],
    "toy_sentences": 5_000,
    "seeds": [0, 1, 2, 3, 4],
    "models": MODELS,
    "batches": None,
    "d": 64,
    "window": 5,
    "min_count": 5,
    "k": 5,
    "epochs": {"sg": 5, "cbow": 5, "hs": 2},
    "loss_every": 250,
}
CHEAP = {
    "parts": ["theorem", "toy", "songci"],
    "widths": [8],
    "windows": [2],
    "seeds": [0],
    "models": ["ppmi_svd", "sg", "cbow", "hs"],
    "batches": 250,
}
TOLERANCE = 0.02  # another BLAS adds in another order, and training magnifies that

MAP = {
    "四季": "春夏秋冬暑寒",
    "颜色": "红绿青黄白紫碧翠朱",
    "数": "一二三四五六七八九十百千万",
    "方位": "东西南北上下前后",
    "花木": "桃李杏梅柳荷菊兰竹松",
    "鸟兽虫": "莺燕雁鸥鹤蝶马鱼蝉鸡",
    "情": "愁恨怨忧悲",
}
NEIGHBOURS = "酒马月东愁三"
Corpus = dict[str, Any]


def lookup_costs(V: int = 5000, d: int = 128, n: int = 512) -> dict:
    """Time a product with one-hot rows against the lookup, and its gradient against scattering."""
    torch.set_num_threads(1)
    W, i, G = torch.randn(V, d), torch.randint(V, (n,)), torch.randn(n, d)
    X = one_hot(i, V).float()
    return {
        "V": V,
        "d": d,
        "n": n,
        "forward": round(ratio(lambda: one_hot(i, V).float() @ W, lambda: embedding(i, W)), 1),
        "product_only": round(ratio(lambda: X @ W, lambda: embedding(i, W)), 1),
        "backward": round(ratio(lambda: X.T @ G, lambda: torch.zeros(V, d).index_add_(0, i, G)), 1),
        "one_hot_mb": round(X.nbytes / 1e6, 2),
    }


def theorem(widths: Sequence[int], V: int = 60, window: int = 2, k: int = 5) -> dict:
    """Minimize the loss for several widths; compare scores with PMI − log k."""
    sents = songci("train")
    _, _, index = build_vocab(sents)
    ids, sent_ids = encode(sents, index)
    M = cooccurrence(ids, sent_ids, window, len(index))[:V, :V]
    target = pmi(M, alpha=1, shift=np.log(k)).toarray()
    seen = M.toarray() > 0
    result = {}
    for d in widths:
        W, C = factorize(M.toarray(), d, k)
        scores = W @ C.T
        result[f"d{d}"] = {
            "corr": round(float(np.corrcoef(scores[seen], target[seen])[0, 1]), 8),
            "max_error": float(f"{np.abs(scores - target)[seen].max():.3g}"),
            "points": np.c_[target[seen], scores[seen]][::7].round(3).tolist(),
        }
    return result


def toy(windows: Sequence[int], n: int, seeds: Sequence[int], d: int = 16, k: int = 5) -> dict:
    """Ask three methods how alike 忐 and 忑 are, and how alike 甲 and 乙, seed by seed."""
    result = {}
    for window in windows:
        drawn = [toy_tables(window, n, seed, d, k) for seed in seeds]
        result[f"window{window}"] = {
            name: {
                ask: spread(
                    [round(cosine(tables[name], a, b, words) + 0.0, 3) for words, tables in drawn]
                )
                for ask, (a, b) in {"together": ("忐", "忑"), "alike": ("甲", "乙")}.items()
            }
            for name in ("ppmi_svd", "sg", "cbow")
        } | {"scores": toy_scores(*drawn[0])}
    return result


def toy_tables(window: int, n: int, seed: int, d: int, k: int) -> tuple[list[str], dict]:
    """Return the words of a toy corpus and the tables of three methods, and skip-gram's W_out."""
    words, counts, index = build_vocab(sents := together_or_alike(n, seed))
    ids, sent_ids = encode(sents, index)
    X = ppmi(cooccurrence(ids, sent_ids, window, len(words)), alpha=1)
    tables = {"ppmi_svd": svd_vectors(X, d)}
    for name, kind in {"sg": SGNS, "cbow": CBOW}.items():
        model = kind(len(words), d, k, seed)
        settings = {"window": window, "epochs": 20, "batch": 256, "seed": seed}
        for _ in train(model, ids, sent_ids, counts, **settings):
            pass
        tables[name] = model.W_in
        tables[f"{name}_out"] = model.W_out
    return words, tables


def toy_scores(words: list[str], tables: dict) -> dict[str, float]:
    """Return skip-gram's scores of 忐 in the company of itself and of 忑."""
    pair = [words.index("忐"), words.index("忑")]
    scores = tables["sg"][pair] @ tables["sg_out"][pair[0]]
    return {name: round(float(x), 2) for name, x in zip(("self", "other"), scores, strict=True)}


def spread(values: list[float]) -> dict[str, float]:
    """Return the first of several seeds' values and, where there are several, their range."""
    several = {"least": min(values), "most": max(values)} if len(values) > 1 else {}
    return {"first": values[0]} | several


def corpus(min_count: int) -> Corpus:
    """Return the training clauses as ids, and what the vectors are asked about."""
    words, counts, index = build_vocab(sents := songci("train"), min_count)
    ids, sent_ids = encode(sents, index)
    poems = songci_poems("train") + songci_poems("test")
    regular = (p[3:5] for p in poems if len(p) == 6 and all(len(line) == 7 for line in p))
    known = (pair for pair in regular if set("".join(pair)) <= set(words))
    lines = [tuple(np.array([index[w] for w in line]) for line in pair) for pair in known]
    quads = [quad for quad in relation_quads() if set(quad) <= set(words)]
    names = ["words", "counts", "index", "ids", "sent_ids", "lines", "quads"]
    return dict(zip(names, (words, counts, index, ids, sent_ids, lines, quads), strict=True))


def quality(W: np.ndarray, data: Corpus) -> dict:
    """Return what a table of vectors knows."""
    words, quads = data["words"], data["quads"]

    def hits(method: str, exclude: bool, asked: Sequence = quads) -> float:
        return round(evaluate_analogies(W, asked, words, method, exclude), 4)

    nearest = {c: most_similar(W, c, 1, words)[0] for c in {quad[2] for quad in quads}}
    known = {
        name: [q for q in relation_quads({name: family}) if set(q) <= set(words)]
        for name, family in RELATIONS.items()
    }
    neighbours = {w: "".join(most_similar(W, w, 6, words)) for w in NEIGHBOURS}
    return {
        "couplets": round(couplet_accuracy(W, data["lines"]), 4),
        "analogies": {
            "add": hits("add", True),
            "add_all": hits("add", False),
            "mul": hits("mul", True),
            "mul_all": hits("mul", False),
            "nearest": round(float(np.mean([nearest[c] == d for _, _, c, d in quads])), 4),
        },
        "families": {name: hits("add", True, asked) for name, asked in known.items()},
        "neighbours": neighbours,
        "same_decile": same_decile(W),
        "norm_corr": round(float(np.corrcoef(np.log(data["counts"]), norms(W))[0, 1]), 3),
    }


def norms(W: np.ndarray) -> np.ndarray:
    """Return the length of each word's vector."""
    return np.linalg.norm(W, axis=1)


def same_decile(W: np.ndarray, n: int = 10) -> list[float]:
    """Return, by tenths of frequency, the share of n neighbours from the same tenth."""
    U = unit(W)
    cos = U @ U.T
    np.fill_diagonal(cos, -2)
    nearest = np.argpartition(-cos, n, axis=1)[:, :n]
    tenth = np.arange(len(W)) * 10 // len(W)
    same = (tenth[nearest] == tenth[:, None]).mean(1)
    return [round(float(same[tenth == i].mean()), 3) for i in range(10)]


def held_out(model: Any, data: Corpus, window: int) -> Callable[[], float]:
    """Return a function that gives the model's loss on the test clauses."""
    ids, sent_ids = encode(songci("test"), data["index"])
    rng, noise = np.random.default_rng(1), noise_distribution(data["counts"])
    if isinstance(model, CBOW):
        target, source = context_means(ids, sent_ids, window, len(noise), rng)
    else:
        source, target = skipgram_pairs(ids, sent_ids, window, rng)
    negatives = (
        () if isinstance(model, HierarchicalSoftmax) else (rng.choice(len(noise), 100, p=noise),)
    )
    return lambda: round(model.loss(source, target, *negatives), 4)


def trained(
    name: str,
    data: Corpus,
    d: int,
    window: int,
    k: int,
    epochs: int,
    batches: int | None,
    every: int,
) -> dict:
    """Train a model on 宋词; return its held-out losses and, when it is done, its quality."""
    V = len(data["words"])
    models = {"sg": SGNS, "cbow": CBOW}
    model = models[name](V, d, k) if name in models else HierarchicalSoftmax(data["counts"], d)
    loss = held_out(model, data, window)
    ids, sent_ids, counts = data["ids"], data["sent_ids"], data["counts"]
    steps = train(model, ids, sent_ids, counts, window=window, epochs=epochs)
    losses = [loss()]
    for i, _ in enumerate(islice(steps, batches), 1):
        if i % every == 0:
            losses.append(loss())
    whole = {"epochs": epochs} | quality(model.W_in, data) if batches is None else {}
    return {"loss": losses} | whole


def counted(data: Corpus, d: int, window: int) -> dict:
    """Return the quality of PPMI rows cut to d columns."""
    X = ppmi(cooccurrence(data["ids"], data["sent_ids"], window, len(data["words"])))
    return quality(svd_vectors(X, d), data)


def theirs(data: Corpus, d: int, window: int, min_count: int, k: int, epochs: dict) -> dict:
    """Train gensim with the same settings; return its quality and the ratio of the times."""
    from gensim.models import Word2Vec

    sents, result = [list(clause) for clause in songci("train")], {}
    ids, sent_ids, counts = data["ids"], data["sent_ids"], data["counts"]
    for name, kind in {"sg": SGNS, "cbow": CBOW}.items():
        settings = {"vector_size": d, "window": window, "min_count": min_count, "negative": k}
        gensim = Word2Vec(**settings, sg=int(name == "sg"), sample=0, workers=1, seed=1)
        gensim.build_vocab(sents)

        def learn(model=gensim, epochs=epochs[name]):
            model.train(sents, total_examples=len(sents), epochs=epochs)

        def ours(kind=kind, epochs=epochs[name]):
            model = kind(len(counts), d, k)
            for _ in train(model, ids, sent_ids, counts, window=window, epochs=epochs):
                pass

        def svd():
            svd_vectors(ppmi(cooccurrence(ids, sent_ids, window, len(counts))), d)

        learn()
        table = np.array([gensim.wv[word] for word in data["words"]])
        result[name] = quality(table, data) | {
            "speed": round(1 / ratio(ours, learn, repeats=3, number=1), 2),
            "svd_speed": round(1 / ratio(svd, learn, repeats=3, number=1), 1),
        }
    return result


def on_the_map(data: Corpus, d: int, window: int) -> dict:
    """Return the two strongest directions of the PPMI-SVD vectors of some characters."""
    X = ppmi(cooccurrence(data["ids"], data["sent_ids"], window, len(data["words"])))
    chosen = [data["index"][w] for w in "".join(MAP.values())]
    U = unit(svd_vectors(X, d))[chosen]
    left, s, _ = np.linalg.svd(U - U.mean(0), full_matrices=False)
    places = iter((left[:, :2] * s[:2]).round(3).tolist())
    return {name: {word: next(places) for word in group} for name, group in MAP.items()}


def run(
    parts: list[str],
    widths: list[int],
    windows: list[int],
    toy_sentences: int,
    seeds: list[int],
    models: list[str],
    batches: int | None,
    d: int,
    window: int,
    min_count: int,
    k: int,
    epochs: dict[str, int],
    loss_every: int,
) -> dict[str, Any]:
    """Run the parts that are asked for; timings are no part of a cheap run."""
    data = corpus(min_count)
    words, counts = data["words"], data["counts"]
    result: dict[str, Any] = {
        "corpus": {
            "clauses": len(songci("train")),
            "tokens": len(data["ids"]),
            "V": len(words),
            "couplets": len(data["lines"]),
            "quads": len(data["quads"]),
            "quads_listed": len(relation_quads()),
            "least": int(counts[-1]),
        }
    }
    if "lookup" in parts:
        result["lookup"] = lookup_costs()
    if "theorem" in parts:
        result["theorem"] = theorem(widths)
    if "toy" in parts:
        result["toy"] = toy(windows, toy_sentences, seeds)
    if "songci" in parts:
        result["songci"] = {
            name: counted(data, d, window)
            if name not in epochs
            else trained(name, data, d, window, k, epochs[name], batches, loss_every)
            for name in models
        }
    if "gensim" in parts:
        result["gensim"] = theirs(data, d, window, min_count, k, epochs)
    if "map" in parts:
        result["map"] = on_the_map(data, d, window)
    return result
