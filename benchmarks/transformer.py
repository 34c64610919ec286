"""Attention by blocks, heads and a cache of keys and values, against torch and the naive way."""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from snippets.nlp import transformer as ours


def cases():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    for n in (1024, 2048):
        q, k, v = torch.randn(3, 1, 8, n, 64)
        mask = ours.causal_mask(n, n)
        online = partial(ours.online_attention, q, k, v)
        naive = partial(ours.scaled_dot_product_attention, q, k, v, mask)
        fused = partial(F.scaled_dot_product_attention, q, k, v, is_causal=True)
        yield f"causal attention, n={n}: by blocks / naive", online, naive, 1 / 3
        yield f"causal attention, n={n}: by blocks / torch fused", online, fused, 1 / 0.6

    x = torch.randn(8, 128, 512)
    theirs = nn.MultiheadAttention(512, 8, batch_first=True).eval()
    mine = ours.MultiHeadAttention(512, 8, fused=True).eval()
    mine.load_state_dict(ours.from_torch(theirs.state_dict()))
    with torch.no_grad():
        yield (
            "8 heads, n=128, d=512: ours fused / nn.MultiheadAttention",
            lambda: mine(x),
            lambda: theirs(x, x, x, need_weights=False),
            1 / 0.9,
        )

    model = ours.Transformer(100, 100, 256, 8, 4, 1024, 0.0, 256).eval()
    src = torch.ones(1, 8, dtype=torch.long)
    write = partial(ours.generate, model, src, 1, -1)  # no token is -1: it never ends
    yield (
        "greedy, 256 tokens: with cache / without",
        lambda: write(256),
        lambda: write(256, cache=False),
        1 / 5,
    )
