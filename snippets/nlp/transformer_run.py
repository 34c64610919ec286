"""Gradients over distance and depth, and a Transformer that learns to reverse rows of digits."""

from statistics import median
from time import process_time
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snippets.nlp.transformer import (
    EncoderLayer,
    MultiHeadAttention,
    Transformer,
    exact_match,
    generate,
    gru,
    jacobian_norms,
    lstm,
    reverse_batch,
    tanh_rnn,
    train_to_reverse,
)
from snippets.nlp.transformer.training import BOS, DIGITS, EOS, VOCAB

INPUTS = {
    "seeds": [0, 1, 2, 3, 4],
    "n": 100,
    "width": 64,
    "cells": [
        "tanh",
        "orthogonal",
        "orthogonal13",
        "lstm",
        "lstm1",
        "lstm2",
        "lstm3",
        "gru",
        "attention",
    ],
    "depths": [2, 6, 12, 24, 48],
    "norms": ["post", "pre"],
    "model": {"d_model": 64, "n_heads": 4, "n_layers": 2, "d_ff": 128, "dropout": 0.0},
    "trainings": ["post", "pre", "post_cold", "pre_cold"],
    "longest": 12,
    "steps": 1000,
    "batch": 64,
    "warmup": 100,
    "rows": 1000,
    "longer": [13, 14, 16],
}
CHEAP = {
    "cells": ["lstm", "attention"],
    "depths": [2],
    "trainings": ["post"],
    "steps": 12,
    "rows": 0,
}
TOLERANCE = 2e-3  # float32 training: the order of additions differs from machine to machine


def cell(name: str, width: int, seed: int) -> Any:
    """Return a run over (n, batch, width) with torch's initial weights, changed as named."""
    torch.manual_seed(seed)
    if name == "attention":
        attention = MultiHeadAttention(width, 1).double()
        return lambda x: attention(x.transpose(0, 1)).transpose(0, 1)
    kinds = {"l": (nn.LSTM, lstm), "g": (nn.GRU, gru)}
    module, run_cell = kinds.get(name[0], (nn.RNN, tanh_rnn))
    params = [p.detach().double() for p in module(width, width).parameters()]
    if name.startswith("orthogonal"):
        params[1] = nn.init.orthogonal_(params[1], gain=1.3 if name.endswith("13") else 1.0)
    if name[:4] == "lstm" and name[4:]:
        params[2][width : 2 * width] = float(name[4:])
        params[3][width : 2 * width] = 0
    return lambda x: run_cell(x, params)


def gradients(name: str, n: int, width: int, seeds: list[int]) -> dict[str, Any]:
    """Measure |d h_n / d x_t| / |d h_n / d x_n| over the distance n - t, for every seed.

    Attention asks with the last position, so there the reference is the last but one.
    """
    from_last = 1 if name == "attention" else 0
    ratios = {}
    for seed in seeds:
        run_cell = cell(name, width, seed)
        x = torch.randn(n, width, dtype=torch.float64)
        norms = jacobian_norms(run_cell, x).flip(0)[from_last:]
        ratios[str(seed)] = [float(f"{r:.4g}") for r in (norms / norms[0]).tolist()]
    ends = [curve[-1] for curve in ratios.values()]
    middle = [median(at) for at in zip(*ratios.values(), strict=True)]
    return {"curves": ratios, "low": min(ends), "median": middle[-1], "high": max(ends)}


def last_gradient(norm_first: bool, depth: int, width: int, seed: int) -> float:
    """Return the norm of the gradient of the last layer's second feed-forward matrix."""
    torch.manual_seed(seed)
    layers = [EncoderLayer(width, 4, 4 * width, 0.0, norm_first) for _ in range(depth)]
    for parameter in nn.ModuleList(layers).parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
    x = torch.randn(8, 16, width)
    readout, target = torch.randn(width, 100) * width**-0.5, torch.randint(100, (8 * 16,))
    for layer in layers:
        x = layer(x)
    if norm_first:
        x = F.layer_norm(x, (width,))
    weight = layers[-1].feed_forward.down.weight
    loss = F.cross_entropy(x.flatten(0, 1) @ readout, target)
    return torch.autograd.grad(loss, weight)[0].norm().item()


def depth_table(norm: str, depths: list[int], width: int, seeds: list[int]) -> dict[str, Any]:
    """Return median, least and greatest gradient norm for every depth, and median times √N."""
    table = {}
    for depth in depths:
        found = [last_gradient(norm == "pre", depth, width, seed) for seed in seeds]
        middle = median(found)
        table[f"n{depth}"] = {
            "low": round(min(found), 5),
            "median": round(middle, 5),
            "high": round(max(found), 5),
            "times_root": round(middle * depth**0.5, 5),
        }
    return table


def rows_of(rows: int, longest: int, shortest: int = 1) -> tuple[Tensor, Tensor]:
    """Return rows that no training has seen: the same ones for every model."""
    return reverse_batch(rows, longest, torch.Generator().manual_seed(2), shortest)


def attention_map(net: Transformer, longest: int) -> dict[str, Any]:
    """Reverse one row and return it with the weights of the decoder's cross-attention."""
    src = torch.tensor([[(3 * i + 1) % 10 + DIGITS for i in range(longest)]])
    out = generate(net, src, BOS, EOS, longest + 1)
    with torch.no_grad():
        net(src, torch.cat([torch.tensor([[BOS]]), out[:, :-1]], dim=1))
    attentions: list[Any] = [layer.cross for layer in net.decoder]
    maps = [attention.weights[0] for attention in attentions]
    return {
        "src": (src[0] - DIGITS).tolist(),
        "out": (out[0] - DIGITS).tolist(),
        "cross": [
            [[[round(w, 3) for w in row] for row in head.tolist()] for head in layer]
            for layer in maps
        ],
    }


def learn(
    training: str,
    model: dict[str, Any],
    steps: int,
    batch: int,
    warmup: int,
    longest: int,
    rows: int,
    longer: list[int],
) -> dict[str, Any]:
    """Train one variant and test it on fresh rows, on longer rows, greedily and by beam."""
    torch.manual_seed(0)
    net = Transformer(VOCAB, VOCAB, norm_first=training.startswith("pre"), max_len=64, **model)
    cold = training.endswith("cold")
    # the cold start begins with the rate at which the warm one arrives
    start = process_time()
    losses = train_to_reverse(
        net,
        steps,
        longest,
        batch,
        warmup,
        0.15,
        cold=cold,
        generator=torch.Generator().manual_seed(1),
    )
    seconds = process_time() - start
    found: dict[str, Any] = {"losses": [round(loss, 4) for loss in losses]}
    if rows:
        found["cpu_seconds"] = round(seconds)
        found["final"] = round(sum(losses[-20:]) / 20, 4)
        found["greedy"] = exact_match(net, *rows_of(rows, longest))
        if training == "post":
            found["beam4"] = exact_match(net, *rows_of(rows, longest), beam=4)
            found["longer"] = {f"n{n}": exact_match(net, *rows_of(rows, n, n)) for n in longer}
            found["map"] = attention_map(net, longest)
    return found


def run(
    seeds: list[int],
    n: int,
    width: int,
    cells: list[str],
    depths: list[int],
    norms: list[str],
    model: dict[str, Any],
    trainings: list[str],
    longest: int,
    steps: int,
    batch: int,
    warmup: int,
    rows: int,
    longer: list[int],
) -> dict[str, Any]:
    """Measure gradients at initialisation, then train every variant once."""
    torch.set_num_threads(1)
    settings = model, steps, batch, warmup, longest, rows, longer
    return {
        "gradients": {name: gradients(name, n, width, seeds) for name in cells},
        "depth": {norm: depth_table(norm, depths, width, seeds) for norm in norms},
        "training": {name: learn(name, *settings) for name in trainings},
    }
