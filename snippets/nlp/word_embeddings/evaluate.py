"""What a table of vectors knows: neighbours, analogies, and couplets of the corpus itself."""

from collections.abc import Iterable, Sequence
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from .lookup import check_ids, check_positive

Table = Float[np.ndarray, "V d"]
Ids = Int[np.ndarray, " _"]
Words = Sequence[str] | None
Word = int | str

RELATIONS = {
    "反义": "东西 南北 上下 前后 远近 高低 长短 轻重 浓淡 新旧 来去 开落 晴雨 醉醒 聚散 离合",
    "时令与花": "春桃 夏荷 秋菊 冬梅",
    "动物与叫声": "莺啼 马嘶 猿啸 犬吠",
    "物与颜色": "草绿 花红 雪白 天碧 山青",
    "时辰": "日昼 月夜 朝晓 暮夕",
    "数的后一个": "一二 二三 三四 四五 五六 六七 七八 八九 九十",
    "男与女": "父母 夫妇 男女 翁妪 兄姊 郎娘",
    "物与动作": "酒饮 琴弹 笛吹 诗吟 书读 歌唱 钟敲",
    "动物与住处": "鱼水 鸟林 龙海 虎山",
}
"""Pairs of characters, fixed before any vector was trained."""


def relation_quads(
    relations: dict[str, str] = RELATIONS,
) -> list[tuple[str, ...]]:
    """Return a : b = c : d for any two different pairs of one relation."""
    families = (family.split() for family in relations.values())
    return [
        (*first, *second)  # four characters
        for pairs in families
        for first, second in permutations(pairs, 2)
    ]


def id_of(word: Word, words: Words, V: int) -> int:
    """Return the row of a word, given as itself or as its number.

    Raises:
        ValueError: the word is not among the words, or its number is no row.
    """
    if isinstance(word, str):
        if words is None or word not in words:
            known = (
                "no words were given"  # only numbers will do
                if words is None
                else f"{len(words)} words are known"
            )
            raise ValueError(f"unknown word {word!r}: {known}")
        return words.index(word)
    check_ids("word", np.array([word]), V)
    return int(word)


def unit(W: Table) -> Table:
    """Return the rows scaled to length 1, those of zeros left alone."""
    norms = np.linalg.norm(W, axis=1, keepdims=True)
    return W / np.where(norms > 0, norms, 1)


def cosine(W: Table, a: Word, b: Word, words: Words = None) -> float:
    """Return cos(a, b), Eq. (word-embeddings-cosine).

    Raises:
        ValueError: a word is unknown.
    """
    rows = unit(W[[id_of(word, words, len(W)) for word in (a, b)]])
    return float(rows[0] @ rows[1])


def _best(
    scores: np.ndarray,
    n: int,
    words: Words,
    without: Sequence[int],
) -> list:
    """Return the n best rows or words, some left out."""
    scores = scores.copy()
    scores[list(without)] = -np.inf
    best = np.argsort(
        -scores, kind="stable"
    )[
        : min(
            n, len(scores) - len(set(without))
        )  # never those left out
    ]
    return [int(i) if words is None else words[i] for i in best]


def most_similar(W: Table, w: Word, n: int = 10, words: Words = None) -> list:
    """Return the n words of largest cosine with w, itself left out.

    Raises:
        ValueError: n is below 1 or w is unknown.
    """
    check_positive(n=n)
    row = id_of(w, words, len(W))
    return _best(unit(W) @ unit(W[[row]])[0], n, words, [row])


def analogy(
    W: Table,
    a: Word,
    b: Word,
    c: Word,
    method: str = "add",
    exclude: bool = True,
    words: Words = None,
    n: int = 1,
) -> list:
    """Return the n best answers to a : b = c : ?.

    Eq. (word-embeddings-3cosadd) or Eq. (word-embeddings-3cosmul).

    Raises:
        ValueError: n is below 1, or a word or the method is unknown.
    """
    check_positive(n=n)
    given = [id_of(word, words, len(W)) for word in (a, b, c)]
    scores = _analogy_scores(unit(W), given, method)
    return _best(scores, n, words, given if exclude else [])


def _analogy_scores(
    U: Table,
    given: list[int],
    method: str,
) -> Float[np.ndarray, " V"]:
    """Return the score of every word as the answer."""
    to_a, to_b, to_c = U[given] @ U.T
    if method == "add":
        return to_b - to_a + to_c
    if method == "mul":
        to_a, to_b, to_c = ((x + 1) / 2 for x in (to_a, to_b, to_c))
        return to_b * to_c / (to_a + 1e-3)
    raise ValueError(f"method must be 'add' or 'mul', got {method!r}")


def evaluate_analogies(
    W: Table,
    quads: Sequence[Sequence[Word]],
    words: Words = None,
    method: str = "add",
    exclude: bool = True,
) -> float:
    """Return the share of quads (a, b, c, d) whose first answer is d.

    Raises:
        ValueError: there are no quads, one has not 4 words, a word is unknown,
            or the method has another name.
    """
    if not quads:
        raise ValueError("quads must hold at least 1 quad, got none")
    U = unit(W)
    hits = 0
    for quad in quads:
        if len(quad) != 4:
            raise ValueError(f"a quad has 4 words, got {len(quad)}: {quad}")
        *given, d = (id_of(word, words, len(W)) for word in quad)
        scores = _analogy_scores(U, given, method)
        hits += _best(scores, 1, None, given if exclude else []) == [d]
    return hits / len(quads)


def couplet_accuracy(W: Table, lines: Iterable[tuple[Ids, Ids]]) -> float:
    """Return how often cos(a_i, b_i) > cos(a_i, b_j), j ≠ i, in two lines.

    Raises:
        ValueError: there are no lines, two differ in length, or an id is no
            word.
    """
    U, won, asked = unit(W), 0, 0
    for first, second in lines:
        if len(first) != len(second):
            raise ValueError(
                "lines must have one length, "  # a couplet is parallel
                f"got {len(first)} and {len(second)}",
            )
        for ids in (first, second):
            check_ids("lines", ids, len(W))
        cos = U[first] @ U[second].T
        won += int((np.diag(cos)[:, None] > cos).sum())
        asked += cos.size - len(cos)
    if not asked:
        raise ValueError("lines must hold at least two places, got none")
    return won / asked
