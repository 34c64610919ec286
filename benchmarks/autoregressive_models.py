"""NADE's recursion against its naive forms and MADE, and the exact FVSBN against scikit-learn."""

import torch
from sklearn.linear_model import LogisticRegression

from snippets.common.data import small_digits, split
from snippets.generative.autoregressive_models import (
    MADE,
    NADE,
    fit_fvsbn,
    nade_logits_naive,
    nade_sample_naive,
)


def cases():
    torch.set_num_threads(1)
    dim, hidden = 784, 500
    nade, made = NADE(dim, hidden), MADE(dim, [hidden])
    x = torch.bernoulli(torch.full((100, dim), 0.2), generator=torch.Generator().manual_seed(0))

    def step(logits):
        nade.zero_grad()
        logits().sum().backward()

    yield (
        "NADE.sample of 64 / MADE.sample, a full pass per pixel",
        lambda: nade.sample(64),
        lambda: made.sample(64),
        1 / 25,
    )
    yield (
        "NADE.sample of 64 / each hidden state from scratch",
        lambda: nade.sample(64),
        lambda: nade_sample_naive(nade, 64),
        1 / 6,
    )
    yield (
        "NADE forward and backward, B=100 / all hidden states at once",
        lambda: step(lambda: nade(x)),
        lambda: step(lambda: nade_logits_naive(nade, x)),
        1 / 8,
    )
    grey, _ = small_digits()
    digits = torch.tensor(grey >= 8).double()[split(len(grey), 1297)[0]]
    columns = digits.numpy()
    varied = [i for i in range(1, 64) if columns[:, i].min() < columns[:, i].max()]

    def rivals():
        for i in varied:
            rival = LogisticRegression(tol=1e-8, max_iter=5000)
            rival.fit(columns[:, :i], columns[:, i])

    yield (
        "fit_fvsbn of 8 x 8 digits / scikit-learn per pixel",
        lambda: fit_fvsbn(digits),
        rivals,
        1.0,
    )
