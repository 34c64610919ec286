"""Skip-gram and CBOW with negative sampling, in NumPy; the loss is computed only when asked for."""

import numpy as np
from jaxtyping import Float
from scipy import sparse
from scipy.special import log_expit

from .corpus import Ids
from .lookup import check_ids, check_positive

Vectors = Float[np.ndarray, "_ d"]
Scores = Float[np.ndarray, "*shape"]


def sigmoid(x: Scores) -> Scores:
    """Return σ(x) = 1/(1 + e⁻ˣ), for |x| above 30 that of ±30."""
    return 1 / (1 + np.exp(-x.clip(-30, 30)))


def check_pairs(center: Ids, context: Ids, V: int) -> None:
    """Raise ValueError unless a batch holds pairs of words."""
    check_ids("center", center, V)
    check_ids("context", context, V)
    if len(center) != len(context) or not len(center):
        sizes = f"{len(center)} and {len(context)}"
        raise ValueError(
            "a batch needs as many centers as contexts, at least 1, "  # pairs
            f"got {sizes}",
        )


class SGNS:
    """Skip-gram with negative sampling; ``W_in`` holds the word vectors."""

    def __init__(self, V: int, d: int, k: int = 5, seed: int = 0) -> None:
        """Start as word2vec: small random word vectors, context vectors zero.

        Raises:
            ValueError: V, d or k is below 1.
        """
        check_positive(V=V, d=d, k=k)
        rng = np.random.default_rng(seed)
        self.W_in = ((rng.random((V, d)) - 0.5) / d).astype(np.float32)
        self.W_out = np.zeros((V, d), dtype=np.float32)
        self.k = k

    def loss(self, center: Ids, context: Ids, negatives: Ids) -> float:
        """Return the mean loss of the pairs, Eq. (word-embeddings-batch).

        Raises:
            ValueError: an id is no word, lengths differ, or negatives are none.
        """
        self._check(center, context, negatives)
        return self._loss(self.W_in[center], context, negatives)

    def step(
        self,
        center: Ids,
        context: Ids,
        negatives: Ids,
        lr: float | int,
    ) -> None:
        """Descend on a batch's summed loss; the pairs share the negatives.

        Raises:
            ValueError: an id is no word, lengths differ, or negatives are none.
        """
        self._check(center, context, negatives)
        words, row = np.unique(center, return_inverse=True)
        grad = self._descend(self.W_in[words], row, context, negatives, lr)
        self.W_in[words] -= lr * grad

    def _check(self, center: Ids, context: Ids, negatives: Ids) -> None:
        """Raise ValueError unless a batch fits the model."""
        check_pairs(center, context, len(self.W_in))
        check_ids("negatives", negatives, len(self.W_in))
        if not len(negatives):
            raise ValueError("negatives must hold at least 1 word, got none")

    def _loss(self, H: Vectors, target: Ids, negatives: Ids) -> float:
        """Return the mean loss of hidden vectors, each with one target."""
        weight = self.k / len(negatives)
        positive = log_expit((H * self.W_out[target]).sum(1)).sum()
        negative = log_expit(-(H @ self.W_out[negatives].T)).sum()
        return -float(positive + weight * negative) / len(H)

    def _descend(
        self,
        H: Vectors,
        row: Ids,
        target: Ids,
        negatives: Ids,
        lr: float | int,
    ) -> Float[np.ndarray, "_ d"]:
        """Update output vectors; return ∂L/∂H, Eq. (word-embeddings-ns-grad).

        Pair i predicts target[i] from the hidden vector H[row[i]].
        """
        weight = np.float32(self.k / len(negatives)) * np.bincount(
            row,
            minlength=len(H),
        )
        words, column = np.unique(target, return_inverse=True)
        C, N = self.W_out[words], self.W_out[negatives]
        g_pos = sigmoid(np.einsum("id,id->i", H[row], C[column])) - 1
        g_neg = weight.astype(np.float32)[:, None] * sigmoid(H @ N.T)
        G = sparse.csr_array(
            (g_pos, (row, column)),
            shape=(len(H), len(words)),
        )
        grad_H = G @ C + g_neg @ N
        self.W_out[words] -= lr * (G.T @ H)
        np.subtract.at(self.W_out, negatives, lr * (g_neg.T @ H))
        return grad_H


class CBOW(SGNS):
    """Continuous bag of words, negative sampling: a window's mean predicts."""

    def loss(  # type: ignore[override]
        self, contexts: sparse.csr_array, center: Ids, negatives: Ids
    ) -> float:
        """Return the mean loss of the windows, a row of weights 1/m each.

        Raises:
            ValueError: an id is no word, lengths differ, or negatives are none.
        """
        self._check_windows(contexts, center, negatives)
        return self._loss(contexts @ self.W_in, center, negatives)

    def step(  # type: ignore[override]
        self,
        contexts: sparse.csr_array,
        center: Ids,
        negatives: Ids,
        lr: float | int,
    ) -> None:
        """Descend on a batch's summed loss, Eq. (word-embeddings-cbow).

        Raises:
            ValueError: an id is no word, lengths differ, or negatives are none.
        """
        self._check_windows(contexts, center, negatives)
        H = contexts @ self.W_in
        grad = self._descend(H, np.arange(len(H)), center, negatives, lr)
        self.W_in -= lr * (contexts.T @ grad)

    def _check_windows(
        self,
        contexts: sparse.csr_array,
        center: Ids,
        negatives: Ids,
    ) -> None:
        """Raise ValueError unless a batch of windows fits the model."""
        shape = (len(center), len(self.W_in))
        if contexts.shape != shape:
            raise ValueError(
                f"contexts must have the shape {shape}, got {contexts.shape}",
            )
        self._check(center, center, negatives)
