"""A step of a 784-128-64-10 MLP in torch and HIPS autograd; micrograd number by number."""

import random

import autograd as hips
import autograd.numpy as hnp
import numpy as np
import torch
from micrograd.engine import Value
from micrograd.nn import MLP

from snippets.python.autograd import Tensor


def classifiers():
    """The same step, forward and backward, in float64: ours, torch, HIPS; each returns the loss."""
    rng = np.random.default_rng(0)
    x, labels, rows = rng.normal(size=(64, 784)), rng.integers(0, 10, 64), np.arange(64)
    weights = []
    for n, m in ((784, 128), (128, 64), (64, 10)):
        weights += [rng.normal(size=(n, m)) / n**0.5, np.zeros(m)]

    own = [Tensor(w, requires_grad=True) for w in weights]
    ours_x = Tensor(x)

    def ours():
        h = ours_x
        for i in (0, 2, 4):
            h = h @ own[i] + own[i + 1]
            h = h.tanh() if i < 4 else h
        for w in own:
            w.grad = None
        loss = -h.log_softmax()[rows, labels].mean()
        loss.backward()
        return loss.item()

    params = [torch.tensor(w, requires_grad=True) for w in weights]
    torch_x, torch_labels = torch.tensor(x), torch.tensor(labels)

    def theirs():
        h = torch_x
        for i in (0, 2, 4):
            h = h @ params[i] + params[i + 1]
            h = h.tanh() if i < 4 else h
        for w in params:
            w.grad = None
        loss = torch.nn.functional.cross_entropy(h, torch_labels)
        loss.backward()
        return loss.item()

    def loss_of(w):
        h = x
        for i in (0, 2, 4):
            h = hnp.dot(h, w[i]) + w[i + 1]
            h = hnp.tanh(h) if i < 4 else h
        h = h - hnp.max(h, axis=1, keepdims=True)
        h = h - hnp.log(hnp.sum(hnp.exp(h), axis=1, keepdims=True))
        return -hnp.mean(h[rows, labels])

    value_and_grad = hips.value_and_grad(loss_of)
    return ours, theirs, lambda: float(value_and_grad(weights)[0])


def scalars():
    """A step of a 2-16-16-1 MLP on 100 samples: ours a hundred times, micrograd once."""
    rng = np.random.default_rng(0)
    samples = rng.normal(size=(100, 2))
    points = Tensor(samples)
    own = [Tensor(rng.normal(size=s), True) for s in ((2, 16), 16, (16, 16), 16, (16, 1), 1)]

    def ours():
        for _ in range(100):
            h = (points @ own[0] + own[1]).relu()
            h = (h @ own[2] + own[3]).relu() @ own[4] + own[5]
            (h * h).sum().backward()

    random.seed(0)
    net = MLP(2, [16, 16, 1])

    def theirs():
        outputs = [net([Value(float(a)), Value(float(b))]) for a, b in samples]
        sum((y * y for y in outputs), Value(0.0)).backward()

    return ours, theirs


def cases():
    torch.set_num_threads(1)
    ours, theirs, old = classifiers()
    yield "MLP step, batch 64: own engine / torch, 1 thread", ours, theirs, 1.5
    yield "MLP step, batch 64: own engine / HIPS autograd", ours, old, 0.8
    yield "MLP of 337 weights: 100 steps of own engine / 1 of micrograd", *scalars(), 100 / 5000
