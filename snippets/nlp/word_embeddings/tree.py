"""Skip-gram with hierarchical softmax: a word is a path of yes-or-no questions."""

import heapq

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse
from scipy.special import log_expit

from .corpus import Ids, check_counts
from .lookup import check_ids, check_positive
from .models import check_pairs, sigmoid

Paths = list[Int[np.ndarray, " _"]]


def huffman(counts: Int[np.ndarray, " V"]) -> tuple[Paths, Paths]:
    """Return each word's code, root first, and the inner nodes on its way.

    Inner nodes are numbered in the order of merging, so that the root is V−2.

    Raises:
        ValueError: there are fewer than 2 counts or one is not positive.
    """
    check_counts(counts)
    V = len(counts)
    if V < 2:
        raise ValueError(f"a tree needs at least 2 words, got {V}")
    heap = [(int(n), i) for i, n in enumerate(counts)]
    heapq.heapify(heap)
    parent, bit = (
        np.zeros(2 * V - 1, dtype=int),  # leaves first, then inner nodes
        np.zeros(2 * V - 1, dtype=int),
    )
    for node in range(V, 2 * V - 1):
        (a, left), (b, right) = heapq.heappop(heap), heapq.heappop(heap)
        parent[[left, right]], bit[right] = node, 1
        heapq.heappush(heap, (a + b, node))
    codes, points = zip(
        *(_path(word, parent, bit) for word in range(V)),
        strict=True,
    )
    return list(codes), [nodes - V for nodes in points]


def _path(
    node: int,
    parent: np.ndarray,
    bit: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bits and the nodes from the root down to a leaf."""
    bits, nodes = [], []
    while node != len(parent) - 1:
        bits.append(bit[node])
        node = parent[node]
        nodes.append(node)
    return np.array(bits[::-1]), np.array(nodes[::-1])


class HierarchicalSoftmax:
    """Skip-gram with a Huffman tree; ``W_out`` has a row per inner node."""

    def __init__(
        self,
        counts: Int[np.ndarray, " V"],
        d: int,
        seed: int = 0,
    ) -> None:
        """Build the tree; start the vectors as word2vec does.

        Raises:
            ValueError: d is below 1, or there are not 2 counts, all positive.
        """
        check_positive(d=d)
        codes, points = huffman(counts)
        V = len(counts)
        rng = np.random.default_rng(seed)
        self.W_in = ((rng.random((V, d)) - 0.5) / d).astype(np.float32)
        self.W_out = np.zeros((V - 1, d), dtype=np.float32)
        self.length = np.array([len(code) for code in codes])
        self.start = np.cumsum(self.length) - self.length
        self.nodes, self.signs = (
            np.concatenate(points),
            1 - 2 * np.concatenate(codes),
        )

    def _questions(self, words: Ids) -> tuple[Ids, Ids, Ids]:
        """Return, for all questions on the words' paths: word, node, sign."""
        asker = np.repeat(np.arange(len(words)), self.length[words])
        first = np.cumsum(self.length[words]) - self.length[words]
        place = np.arange(len(asker)) - first[asker] + self.start[words][asker]
        return asker, self.nodes[place], self.signs[place]

    def log_prob(
        self,
        h: Float[np.ndarray, " d"],
        w: int | Ids,
    ) -> float | np.ndarray:
        """Return log p(w | h) of a word or several, Eq. (word-embeddings-hs).

        Raises:
            ValueError: w is not a word, or h has another width than the model.
        """
        words, d = np.atleast_1d(w), self.W_in.shape[1]
        if np.shape(h) != (d,):
            raise ValueError(f"h must have the shape ({d},), got {np.shape(h)}")
        check_ids("w", words, len(self.W_in))
        asker, node, sign = self._questions(words)
        logs = np.bincount(
            asker,
            log_expit(sign * (self.W_out @ h)[node]),
            len(words),
        )
        return logs if np.ndim(w) else float(logs[0])

    def loss(self, center: Ids, context: Ids) -> float:
        """Return the mean of −log p(context | center).

        Raises:
            ValueError: an id is not a word, or there are no pairs.
        """
        check_pairs(center, context, len(self.W_in))
        asker, node, sign = self._questions(context)
        x = np.einsum("id,id->i", self.W_in[center[asker]], self.W_out[node])
        return -float(log_expit(sign * x).sum()) / len(center)

    def step(self, center: Ids, context: Ids, lr: float | int) -> None:
        """Descend on a batch's summed loss, Eq. (word-embeddings-hs-grad).

        Raises:
            ValueError: an id is not a word, or there are no pairs.
        """
        check_pairs(center, context, len(self.W_in))
        words, row = np.unique(center, return_inverse=True)
        asker, node, sign = self._questions(context)
        H, sign = self.W_in[words], sign.astype(np.float32)
        x = np.einsum("id,id->i", H[row[asker]], self.W_out[node])
        g = sign * (sigmoid(sign * x) - 1)
        G = sparse.csr_array(
            (g, (row[asker], node)),
            shape=(len(H), len(self.W_out)),
        )
        grad_H = G @ self.W_out
        self.W_out -= lr * (G.T @ H)
        self.W_in[words] -= lr * grad_H
