"""Forward and gradient against torch and transformers, the counts, the decoders, the records."""

import math
from functools import partial
from inspect import unwrap
from itertools import pairwise, product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig
from transformers.models.bloom.modeling_bloom import build_alibi_tensor
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

from snippets.common import records
from snippets.nlp.transformer import (
    TABLE_3,
    AddNorm,
    DecoderLayer,
    EncoderLayer,
    FeedForward,
    KVCache,
    MultiHeadAttention,
    Transformer,
    alibi_bias,
    causal_mask,
    exact_match,
    from_torch,
    generate,
    gru,
    implied_vocabulary,
    jacobian_norms,
    label_smoothed_nll,
    length_penalty,
    lstm,
    noam_lr,
    online_attention,
    padding_mask,
    parameter_count,
    reverse_batch,
    rope,
    rope_permutation,
    scaled_dot_product_attention,
    sequential_steps,
    shift_matrix,
    sinusoidal,
    tanh_rnn,
    train_to_reverse,
)
from snippets.nlp.transformer.checks import check_at_least
from snippets.nlp.transformer.training import BOS, DIGITS, EOS, PAD, VOCAB

CELLS = {"tanh": (nn.RNN, tanh_rnn), "lstm": (nn.LSTM, lstm), "gru": (nn.GRU, gru)}


def close(a, b, atol=1e-5):
    return torch.allclose(a, b, rtol=1e-4, atol=atol)


def grads(module):
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def same_gradients(mine, theirs, atol=1e-5):
    """Compare the gradients of all weights, torch's renamed as its weights were."""
    ours, expected = grads(mine), from_torch(grads(theirs))
    shared = ours.keys() & expected.keys()
    return shared == expected.keys() and all(close(ours[k], expected[k], atol) for k in shared)


# --- recurrent cells ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize(("n", "b", "d", "h"), [(1, 1, 1, 1), (7, 3, 5, 4), (20, 2, 8, 16)])
def test_cells_equal_torch_forward_and_backward(name, n, b, d, h):
    module, run = CELLS[name]
    theirs = module(d, h)
    mine = [p.detach().clone().requires_grad_() for p in theirs.parameters()]
    x = torch.randn(n, b, d)
    out, expected = run(x, mine), theirs(x)[0]
    assert close(out, expected, 1e-6)
    out.square().sum().backward()
    expected.square().sum().backward()
    assert all(close(m.grad, t.grad) for m, t in zip(mine, theirs.parameters(), strict=True))


def test_cho_resets_before_the_matrix_and_differs():
    params = [p.detach() for p in nn.GRU(64, 64).parameters()]
    x = torch.randn(20, 3, 64)
    assert (gru(x, params) - gru(x, params, reset_after=False)).abs().max() > 0.05
    params[2][:64] = 100  # reset gates open: nothing is left to differ but the place of the bias
    assert close(gru(x, params), gru(x, params, reset_after=False))


@pytest.mark.parametrize("name", CELLS)
def test_jacobian_norms_are_those_of_the_whole_jacobian(name):
    module, run = CELLS[name]
    params = [p.detach().double() for p in module(3, 4).parameters()]
    x = torch.randn(6, 3, dtype=torch.float64)
    whole = torch.autograd.functional.jacobian(lambda x: run(x[:, None], params)[-1, 0], x)
    norms = whole.square().sum(dim=(0, 2)).sqrt()
    assert close(jacobian_norms(partial(run, params=params), x), norms, 1e-12)


@pytest.mark.parametrize("name", CELLS)
def test_a_recurrent_net_waits_in_proportion_to_its_length_and_attention_does_not(name):
    module, run = CELLS[name]
    params = list(module(8, 8).parameters())
    steps = [sequential_steps(run(torch.randn(n, 1, 8), params)[-1].sum()) for n in (8, 16, 24, 32)]
    assert len({b - a for a, b in pairwise(steps)}) == 1
    attention = MultiHeadAttention(8, 2)
    waits = {sequential_steps(attention(torch.randn(1, n, 8))[0, -1].sum()) for n in (8, 32)}
    assert len(waits) == 1


def test_the_longest_of_two_ways_counts():
    x = torch.ones(1, requires_grad=True)  # the leaf is the first link of the chain
    assert sequential_steps(x.exp().sin() + x) == sequential_steps(x + x.exp().sin()) == 4


def test_the_recorded_gradients_say_what_the_page_says():
    found = records.load("nlp/transformer").results["gradients"]
    assert found["tanh"]["high"] < 1e-30
    assert found["lstm"]["high"] < 1e-20
    assert found["gru"]["high"] < 1e-20
    assert 1e-11 < found["lstm1"]["low"] < found["lstm1"]["high"] < 1e-8
    assert 1e-4 < found["lstm2"]["low"] < found["lstm2"]["high"] < 0.1
    assert 0.1 < found["lstm3"]["low"] < found["lstm3"]["high"] < 1
    assert 0.5 < found["attention"]["low"] < found["attention"]["high"] < 2


# --- attention ------------------------------------------------------------------------------------


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([(), (2,), (2, 3)]),
    st.integers(0, 9),
)
def test_attention_equals_torch_with_any_mask(lq, lk, batch, seed):
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator)
    q, k, v = draw(*batch, lq, 4), draw(*batch, lk, 4), draw(*batch, lk, 5)
    mask = draw(*batch, lq, lk) > 0
    for m in (None, mask):
        out, weights = scaled_dot_product_attention(q, k, v, m)
        assert close(out, F.scaled_dot_product_attention(q, k, v, m))
        seen = torch.ones_like(mask) if m is None else m
        assert (weights[~seen] == 0).all()
        assert close(weights.sum(-1), seen.any(-1).float())


def test_gradients_of_attention_equal_torch_and_stay_finite_without_keys():
    leaves = [torch.randn(2, 5, 4, requires_grad=True) for _ in range(3)]
    mask = causal_mask(5, 5).clone()
    mask[2] = False
    out, _ = scaled_dot_product_attention(*leaves, mask)
    assert (out[:, 2] == 0).all()
    mine = torch.autograd.grad(out.square().sum(), leaves)
    rest = [0, 1, 3, 4]
    theirs = F.scaled_dot_product_attention(leaves[0][:, rest], *leaves[1:], mask[rest])
    expected = torch.autograd.grad(theirs.square().sum(), leaves)
    assert all(close(a, b) for a, b in zip(mine, expected, strict=True))


def test_attention_is_kernel_regression():
    k, v = F.normalize(torch.randn(9, 4), dim=1), torch.randn(9, 2)
    q = torch.randn(4)
    kernel = torch.exp(-(q - k).square().sum(1) / 2)
    expected = kernel @ v / kernel.sum()
    assert close(scaled_dot_product_attention(q[None], k, v, scale=1.0)[0][0], expected)


def test_masks():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True] * 4]
    assert padding_mask(torch.tensor([3, 1]))[:, 0, 0].tolist() == [
        [True] * 3,
        [True, False, False],
    ]
    q, k = torch.randn(1, 2, 4), torch.randn(1, 5, 4)
    theirs = F.scaled_dot_product_attention(q, k, k, is_causal=True)
    top_left = torch.ones(2, 5, dtype=torch.bool).tril()
    assert close(theirs, scaled_dot_product_attention(q, k, k, top_left)[0])
    assert not close(theirs, scaled_dot_product_attention(q, k, k, causal_mask(2, 5))[0], 1e-2)


def variants():
    yield "self", lambda x: {}
    yield "causal", lambda x: {"mask": causal_mask(6, 6)}
    yield "cross", lambda x: {"mem": torch.randn(3, 4, 16)}
    yield "padded", lambda x: {"mask": padding_mask(torch.tensor([6, 2, 4]))}


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(("name", "arguments"), list(variants()))
def test_heads_equal_torch_forward_and_backward(name, arguments, bias, fused):
    theirs = nn.MultiheadAttention(16, 4, bias=bias, batch_first=True)
    mine = MultiHeadAttention(16, 4, bias=bias, fused=fused)
    mine.load_state_dict(from_torch(theirs.state_dict()))
    x = torch.randn(3, 6, 16)
    given_ = arguments(x)
    memory, mask = given_.get("mem", x), given_.get("mask")
    if mask is not None:
        mask = ~mask.expand(3, 4, 6, 6).flatten(0, 1)  # torch: True = hidden
    out, expected = mine(x, **given_), theirs(x, memory, memory, attn_mask=mask)
    assert close(out, expected[0])
    if not fused:
        assert close(mine.weights.mean(1), expected[1])
    out.square().sum().backward()
    expected[0].square().sum().backward()
    assert same_gradients(mine, theirs)


@pytest.mark.parametrize("kv", [1, 2, 4])
def test_grouped_heads_are_heads_that_share_keys(kv):
    grouped, full = MultiHeadAttention(16, 4, kv), MultiHeadAttention(16, 4)
    state = grouped.state_dict()
    for name in ("W_k", "W_v"):
        for kind in ("weight", "bias"):
            heads = state[f"{name}.{kind}"].unflatten(0, (kv, 4))
            state[f"{name}.{kind}"] = heads.repeat_interleave(4 // kv, dim=0).flatten(0, 1)
    full.load_state_dict(state)
    x = torch.randn(2, 5, 16)
    assert close(grouped(x), full(x))
    cache = KVCache()
    grouped(x, cache=cache)
    assert cache.held()[0].shape == (2, kv, 5, 4)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("turn", [None, rope, partial(rope, interleaved=False)])
def test_a_cache_gives_the_same_as_the_whole_sequence(turn, fused):
    attention = MultiHeadAttention(16, 4, 2, fused=fused)
    x = torch.randn(2, 7, 16)
    whole = attention(x, mask=causal_mask(7, 7), rope=turn)
    cache, parts = KVCache(), []
    for i, j in ((0, 3), (3, 4), (4, 7)):
        mask = causal_mask(j - i, j)
        parts.append(attention(x[:, i:j], mask=mask, cache=cache, rope=turn))
    assert close(torch.cat(parts, dim=1), whole)
    assert cache.length == 7


def test_memory_is_projected_once_for_a_cache():
    attention, cache = MultiHeadAttention(8, 2), KVCache()
    x, memory = torch.randn(1, 3, 8), torch.randn(1, 5, 8)
    first = attention(x, memory, cache=cache)
    assert torch.equal(attention(x, torch.zeros_like(memory), cache=cache), first)
    assert cache.length == 5


@pytest.mark.parametrize("mask", [None, causal_mask(6, 6)])
def test_a_bias_on_the_scores_fused_or_not(mask):
    plain = MultiHeadAttention(16, 4)
    fused = MultiHeadAttention(16, 4, fused=True)
    fused.load_state_dict(plain.state_dict())
    x, bias = torch.randn(2, 6, 16), alibi_bias(4, 6)
    assert close(plain(x, mask=mask, bias=bias), fused(x, mask=mask, bias=bias))


def test_attention_does_not_see_the_order_until_it_is_told():
    attention, x = MultiHeadAttention(16, 4), torch.randn(1, 6, 16)
    order = torch.randperm(6)
    assert close(attention(x[:, order]), attention(x)[:, order])
    assert not close(attention(x[:, order], rope=rope), attention(x, rope=rope)[:, order], 1e-3)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(0, 20), st.integers(1, 17), st.booleans())
def test_online_attention_is_attention(lq, more, block, causal):
    q, k, v = torch.randn(2, lq, 4), torch.randn(2, lq + more, 4), torch.randn(2, lq + more, 3)
    mask = causal_mask(lq, lq + more) if causal else None
    expected, _ = scaled_dot_product_attention(q, k, v, mask)
    assert close(online_attention(q, k, v, block, causal), expected)


def test_gradients_of_online_attention():
    leaves = [torch.randn(2, 30, 4, requires_grad=True) for _ in range(3)]
    mine = torch.autograd.grad(online_attention(*leaves, block=7).square().sum(), leaves)
    out, _ = scaled_dot_product_attention(*leaves, causal_mask(30, 30))
    expected = torch.autograd.grad(out.square().sum(), leaves)
    assert all(close(a, b) for a, b in zip(mine, expected, strict=True))


# --- positions ------------------------------------------------------------------------------------


def test_sinusoids_shift_by_a_rotation_and_see_distance_only():
    table = sinusoidal(200, 512)
    gram = table @ table.T
    first = gram[0]
    distance = (torch.arange(200)[:, None] - torch.arange(200)).abs()
    assert close(gram, first[distance], 1e-9)
    assert close(table.square().sum(1), torch.full((200,), 256.0, dtype=torch.float64), 1e-9)
    for k in (0, 1, 7, 50):
        turn = shift_matrix(k, 512)
        assert close(table[k:], table[: 200 - k] @ turn.T, 1e-10)
        assert close(turn @ turn.T, torch.eye(512, dtype=torch.float64), 1e-12)


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 50), st.booleans())
def test_rotated_products_depend_on_the_distance_alone(m, n, shift, interleaved):
    q, k = torch.randn(2, 1, 8, dtype=torch.float64)
    turn = partial(rope, interleaved=interleaved)
    here = turn(q, m) @ turn(k, n).T
    there = turn(q, m + shift) @ turn(k, n + shift).T
    assert close(here, there, 1e-10)
    assert close(turn(q, m).norm(), q.norm(), 1e-12)


@pytest.mark.parametrize("offset", [0, 5])
def test_rope_equals_llama_in_both_layouts(offset):
    d, n = 32, 10
    config = LlamaConfig(hidden_size=4 * d, num_attention_heads=4, max_position_embeddings=64)
    q, k = torch.randn(2, 1, 4, n, d)
    cos, sin = LlamaRotaryEmbedding(config)(q, torch.arange(offset, offset + n)[None])
    theirs = apply_rotary_pos_emb(q, k, cos, sin)
    order = rope_permutation(d)
    for x, expected in zip((q, k), theirs, strict=True):
        assert close(rope(x, offset, interleaved=False), expected)
        back = order.argsort()
        mine = rope(x[..., back], offset)[..., order]
        assert close(mine, expected)


def test_rope_is_complex_multiplication():
    x = torch.randn(6, 8, dtype=torch.float64)
    omega = 1e4 ** (-torch.arange(4, dtype=torch.float64) / 4)
    turn = torch.polar(torch.ones(6, 4, dtype=torch.float64), torch.arange(6)[:, None] * omega)
    product_ = torch.view_as_complex(x.view(6, 4, 2)) * turn
    assert close(rope(x), torch.view_as_real(product_).flatten(1), 1e-12)


@pytest.mark.parametrize("heads", [1, 2, 8, 16])
def test_alibi_equals_bloom(heads):
    n = 7
    theirs = build_alibi_tensor(torch.ones(1, n), heads, torch.float32)[:, 0]  # slope times key
    mine = alibi_bias(heads, n)
    assert close(mine[:, -1], theirs - theirs[:, -1:])
    assert close(mine, mine.mT)


# --- layers and the whole model -------------------------------------------------------------------


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("norm_first", [False, True])
def test_encoder_layer_equals_torch_forward_and_backward(norm_first, fused):
    theirs = nn.TransformerEncoderLayer(
        16, 4, 32, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    mine = EncoderLayer(16, 4, 32, 0.0, norm_first, fused=fused)
    mine.load_state_dict(from_torch(theirs.state_dict()))
    x, mask = torch.randn(2, 5, 16), padding_mask(torch.tensor([5, 3]))
    out, expected = mine(x, mask), theirs(x, src_key_padding_mask=~mask[:, 0, 0])
    assert close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    assert same_gradients(mine, theirs, 1e-4)


@pytest.mark.parametrize("norm_first", [False, True])
def test_decoder_layer_equals_torch_forward_and_backward(norm_first):
    theirs = nn.TransformerDecoderLayer(
        16, 4, 32, dropout=0.0, batch_first=True, norm_first=norm_first
    )
    mine = DecoderLayer(16, 4, 32, 0.0, norm_first)
    mine.load_state_dict(from_torch(theirs.state_dict()))
    y, memory = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    out = mine(y, memory, causal_mask(5, 5))
    expected = theirs(y, memory, tgt_mask=~causal_mask(5, 5))
    assert close(out, expected)
    out.square().sum().backward()
    expected.square().sum().backward()
    assert same_gradients(mine, theirs, 1e-4)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
@pytest.mark.parametrize("norm_first", [False, True])
def test_transformer_equals_torch_forward_and_backward(norm_first):
    mine = Transformer(VOCAB, VOCAB, 16, 4, 2, 32, 0.0, 32, norm_first=norm_first)
    theirs = nn.Transformer(16, 4, 2, 2, 32, 0.0, batch_first=True, norm_first=norm_first)
    if not norm_first:  # torch adds two norms that the paper does not have
        theirs.encoder.norm = theirs.decoder.norm = None
    missing = mine.load_state_dict(from_torch(theirs.state_dict()), strict=False)
    assert set(missing.missing_keys) == {
        "src_embedding.weight",
        "tgt_embedding.weight",
        "to_logits.weight",
    }
    src, tgt = reverse_batch(4, 6)
    pad = src == PAD
    hidden = theirs(
        mine.embed(src, mine.src_embedding),
        mine.embed(tgt, mine.tgt_embedding),
        tgt_mask=~causal_mask(8, 8),
        src_key_padding_mask=pad,
        memory_key_padding_mask=pad,
    )
    out, expected = mine(src, tgt), hidden @ mine.to_logits.weight.T
    assert close(out, expected, 1e-4)
    out.square().mean().backward()
    expected.square().mean().backward()
    assert same_gradients(mine, theirs, 1e-5)


def test_nobody_looks_ahead_or_at_padding():
    model = Transformer(VOCAB, VOCAB, 16, 4, 2, 32, 0.0, 32).eval()
    src, tgt = reverse_batch(3, 6)
    out = model(src, tgt)
    changed = tgt.clone()
    changed[:, 5:] = 7
    assert close(model(src, changed)[:, :5], out[:, :5])
    assert close(model(F.pad(src, (0, 4), value=PAD), tgt), out)


def test_words_are_scaled_before_the_position_is_added():
    model = Transformer(9, 9, 8, 2, 1, 16, dropout=0.0, max_len=12)
    tokens, table = torch.tensor([[3, 1, 4], [1, 5, 8]]), model.src_embedding
    expected = 8**0.5 * table.weight[tokens] + sinusoidal(12, 8)[5:8].float()
    assert close(model.embed(tokens, table, 5), expected)


def test_tied_or_not():
    tied = Transformer(9, 9, 8, 2, 1, 16)
    assert tied.src_embedding.weight is tied.tgt_embedding.weight is tied.to_logits.weight
    free = Transformer(9, 7, 8, 2, 1, 16, tie=False)
    assert free(torch.ones(1, 3, dtype=torch.long), torch.ones(1, 2, dtype=torch.long)).shape == (
        1,
        2,
        7,
    )


@pytest.mark.parametrize("norm_first", [False, True])
def test_add_norm(norm_first):
    add, x = AddNorm(8, 0.0, norm_first), torch.randn(1, 3, 8)
    norm = partial(F.layer_norm, normalized_shape=(8,))
    expected = x + torch.sin(norm(x)) if norm_first else norm(x + torch.sin(x))
    assert close(add(x, torch.sin), expected)


def test_feed_forward_works_on_each_position_alone():
    net, x = FeedForward(8, 32), torch.randn(2, 5, 8)
    assert close(net(x)[:, 2:3], net(x[:, 2:3]))


def test_depth_weakens_the_last_gradient_of_pre_norm_only():
    record = records.load("nlp/transformer")
    deep = f"n{record.inputs['depths'][-1]}"
    pre, post = record.results["depth"]["pre"], record.results["depth"]["post"]
    assert pre[deep]["high"] < pre["n2"]["low"] / 2
    assert post[deep]["low"] > post["n2"]["low"]
    roots = [row["times_root"] for row in pre.values()]
    assert max(roots) < 1.5 * min(roots)


# --- counting -------------------------------------------------------------------------------------


@pytest.mark.parametrize("d_model", [16, 32])
@pytest.mark.parametrize("n_layers", [1, 3])
def test_the_formula_counts_the_model(d_model, n_layers):
    model = Transformer(50, 50, d_model, 4, n_layers, 64)
    sizes = {"n_layers": n_layers, "d_model": d_model, "d_ff": 64, "n_heads": 4}
    sizes |= {"d_k": d_model // 4, "d_v": d_model // 4}
    assert parameter_count(50, **sizes) == sum(p.numel() for p in model.parameters())


def test_the_paper_model_and_torch():
    core = parameter_count()
    theirs = nn.Transformer(batch_first=True)
    assert core == 44_138_496
    assert sum(p.numel() for p in theirs.parameters()) == core + 2 * 2 * 512


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize("ffn", [True, False])
def test_one_vocabulary_fits_every_row_but_the_big_one(attention, ffn):
    ranges = {row: implied_vocabulary(row, attention, ffn) for row in TABLE_3}
    big = ranges.pop("big")
    low, high = max(low for low, _ in ranges.values()), min(high for _, high in ranges.values())
    assert 40_932 <= low <= high <= 41_248
    assert big[1] < 37_000 < low


# --- training -------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.integers(2, 9), st.integers(0, 99))
def test_label_smoothing_is_torchs_and_a_mixture(eps, classes, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 5, classes, generator=generator, requires_grad=True)
    t = torch.randint(classes, (2, 5), generator=generator)
    t[0, 0] = -100
    mine = label_smoothed_nll(logits, t, eps)
    theirs = F.cross_entropy(logits.flatten(0, 1), t.flatten(), label_smoothing=eps)
    assert close(mine, theirs, 1e-6)
    ours, expected = (torch.autograd.grad(loss, logits)[0] for loss in (mine, theirs))
    assert close(ours, expected, 1e-6)
    kept = t != -100
    target = (1 - eps) * F.one_hot(t[kept], classes) + eps / classes
    mixture = -(target * logits[kept].log_softmax(-1)).sum(-1).mean()
    assert close(mine, mixture, 1e-6)


def test_the_schedule_rises_to_its_peak_and_falls():
    rates = [noam_lr(step, 512, 400) for step in range(1, 2000)]
    assert rates.index(max(rates)) == 399
    assert math.isclose(noam_lr(4000, 512, 4000), 512**-0.5 / 4000**0.5)
    assert math.isclose(rates[99] / rates[49], 2)
    assert math.isclose(rates[1599] / rates[399], 0.5)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 6), st.integers(0, 99))
def test_rows_are_reversed(size, shortest, more, seed):
    generator = torch.Generator().manual_seed(seed)
    src, tgt = reverse_batch(size, shortest + more, generator, shortest)
    assert src.shape == (size, shortest + more)
    for row, out in zip(src.tolist(), tgt.tolist(), strict=True):
        digits = [token for token in row if token != PAD]
        assert len(digits) >= shortest
        assert min(digits) >= DIGITS
        assert [token for token in out if token != PAD] == [BOS, *reversed(digits), EOS]


def test_training_lowers_the_loss_and_a_cold_start_begins_higher():
    def train(cold):
        torch.manual_seed(0)
        model = Transformer(VOCAB, VOCAB, 32, 4, 1, 32, 0.0, 16)
        before = model.to_logits.weight.detach().clone()
        generator = torch.Generator().manual_seed(1)
        losses = train_to_reverse(model, 1, 4, 16, 50, cold=cold, generator=generator)
        moved = (model.to_logits.weight - before).abs().max().item()
        return losses, moved

    (warm, little), (cold, much) = train(False), train(True)
    assert warm == cold
    assert math.isclose(much / little, 50, rel_tol=1e-3)  # Adam's first step is the rate itself
    model = Transformer(VOCAB, VOCAB, 32, 4, 1, 32, 0.0, 16)
    losses = train_to_reverse(model, 30, 4, 16, 10)
    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_the_recorded_model_reverses():
    found = records.load("nlp/transformer").results["training"]
    assert min(training["greedy"] for training in found.values()) >= 0.98
    assert max(training["greedy"] for training in found.values()) == 1
    assert max(training["cpu_seconds"] for training in found.values()) <= 60
    right, wrong = 0.9 + 0.1 / 13, 0.1 / 13
    floor = -right * math.log(right) - 12 * wrong * math.log(wrong)
    ends = [training["final"] for training in found.values()]
    assert floor < min(ends) < floor + 0.005
    assert max(ends) == found["post"]["final"]  # a peak in the last 20 steps
    src, out = found["post"]["map"]["src"], found["post"]["map"]["out"]
    assert out == [*reversed(src), EOS - DIGITS]


# --- decoding -------------------------------------------------------------------------------------


@pytest.fixture
def model():
    torch.manual_seed(3)
    net = Transformer(VOCAB, VOCAB, 16, 4, 2, 32, 0.0, 64)
    return net.eval()


def score(model, src, tokens):
    """Log-probability of a sequence, by teacher forcing."""
    tgt = torch.tensor([[BOS, *tokens]])
    logp = model(src, tgt[:, :-1]).log_softmax(-1)[0]
    return sum(logp[i, token].item() for i, token in enumerate(tokens))


@pytest.mark.parametrize("beam", [1, 2, 5])
@pytest.mark.parametrize("norm_first", [False, True])
def test_the_cache_changes_nothing(beam, norm_first):
    for seed in range(5):
        torch.manual_seed(seed)
        net = Transformer(VOCAB, VOCAB, 16, 4, 2, 32, 0.0, 64, norm_first=norm_first).eval()
        src, _ = reverse_batch(6, 8)
        with_, without = (generate(net, src, BOS, EOS, 12, cache, beam) for cache in (True, False))
        assert torch.equal(with_, without)


def test_cached_logits_are_the_logits(model):
    src, tgt = reverse_batch(3, 8)
    whole = model(src, tgt)
    caches = [(KVCache(), KVCache()) for _ in model.decoder]
    memory, mask = model.encode(src), model.may_see(src)
    parts = [model.decode(tgt[:, i : i + 1], memory, mask, caches) for i in range(tgt.shape[1])]
    assert close(torch.cat(parts, dim=1), whole)


def test_greedy_takes_the_best_token_every_time(model):
    src, _ = reverse_batch(5, 6)
    out = generate(model, src, BOS, EOS, 9)
    for row, tokens in zip(src, out.tolist(), strict=True):
        tgt = torch.full((1, 1), BOS)
        for token in tokens:
            best = DIGITS - 2 + model(row[None], tgt)[0, -1, 1:].argmax()  # padding excepted
            assert token == best or (token == PAD and EOS in tgt)
            tgt = torch.cat([tgt, torch.tensor([[token]])], dim=1)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 2.0])
def test_a_beam_that_is_wide_enough_finds_the_best_of_all(alpha):
    torch.manual_seed(5)
    vocab, longest = 4, 4  # pad, bos, eos and one more
    net = Transformer(vocab, vocab, 8, 2, 1, 16, 0.0, 8).eval()
    with torch.no_grad():
        net.to_logits.weight.mul_(3)
    src = torch.tensor([[3, 1, 3]])
    found = generate(net, src, BOS, EOS, longest, beam=vocab**longest, alpha=alpha)[0].tolist()
    found = [token for token in found if token != PAD]
    candidates = []
    for n in range(1, longest + 1):
        for tokens in product((1, 2, 3), repeat=n):
            if EOS not in tokens[:-1] and (tokens[-1] == EOS or n == longest):
                penalty = length_penalty(torch.tensor(n), alpha).item()
                candidates.append((score(net, src, tokens) / penalty, list(tokens)))
    assert found == max(candidates)[1]


@pytest.mark.parametrize(("longer", "best"), [(-1.155, [3, EOS]), (-1.18, [EOS, PAD])])
def test_the_penalty_counts_the_tokens_written_and_not_the_first(monkeypatch, model, longer, best):
    """EOS scores -1, 3 EOS a little less: with |Y| = 1 and 2 the limit is 7/6, not 8/7 or 6/5."""

    def written(_, tokens, *rest):
        logp = torch.full((len(tokens), VOCAB), -50.0)
        first = tokens.shape[1] == 1
        logp[:, EOS] = -1.0 if first else longer + 1.1
        logp[:, 3] = -1.1 if first else -50.0
        return logp

    monkeypatch.setattr("snippets.nlp.transformer.decoding._next_logp", written)
    src = torch.tensor([[3]])
    assert generate(model, src, BOS, EOS, 2, beam=2, alpha=1.0)[0].tolist() == best


def test_a_wider_beam_can_find_what_greedy_misses():
    found = {1: 0.0, 4: 0.0}
    for seed in range(20):
        torch.manual_seed(seed)
        net = Transformer(VOCAB, VOCAB, 16, 2, 1, 16, 0.0, 16).eval()
        src, _ = reverse_batch(1, 4)
        for beam in found:
            out = generate(net, src, BOS, EOS, 5, beam=beam, alpha=0.0)[0].tolist()
            found[beam] += score(net, src, [token for token in out if token != PAD])
    assert found[4] > found[1]


def test_exact_match_counts_whole_rows(model):
    src, tgt = reverse_batch(8, 3)
    out = generate(model, src, BOS, EOS, tgt.shape[1] - 1)
    out = F.pad(out, (0, tgt.shape[1] - 1 - out.shape[1]), value=PAD)
    own = torch.cat([tgt[:, :1], out], dim=1)
    assert exact_match(model, src, own) == 1
    own[:2, 1] = own[:2, 1] % 10 + 1
    assert exact_match(model, src, own) == 0.75


def test_a_cache_saves_what_the_page_says(model):
    src, _ = reverse_batch(1, 4, shortest=4)
    flops = []
    for cache in (True, False):
        with FlopCounterMode(display=False) as counter:
            generate(model, src, BOS, -1, 32, cache)  # no token is -1: it never ends
        flops.append(counter.get_total_flops())
    assert flops[0] < flops[1] / 8


# --- errors ---------------------------------------------------------------------------------------


def bad_calls():
    x = torch.randn(2, 5, 8)
    ids = torch.ones(1, 9, dtype=torch.long)
    attention = MultiHeadAttention(8, 2)
    fused = MultiHeadAttention(8, 2, fused=True)
    params = [torch.zeros(4, 3), torch.zeros(4, 1), torch.zeros(4), torch.zeros(4)]
    steps, model = torch.zeros(2, 1, 3), Transformer(9, 9, 8, 2, 1, 8, max_len=8)
    sdpa = scaled_dot_product_attention
    yield "width", lambda: sdpa(x, x[..., :4], x), r"\(2, 5, 8\), \(2, 5, 4\)"
    yield "length", lambda: sdpa(x, x, x[:, :2]), r"one length.*\(2, 2, 8\)"
    wrong = torch.ones(4, 5, dtype=torch.bool)
    yield "mask", lambda: sdpa(x, x, x, wrong), r"mask of shape \(4, 5\).*\(2, 5, 5\)"
    yield "mask of heads", lambda: attention(x, mask=wrong), r"\(4, 5\).*\(2, 2, 5, 5\)"
    yield "mask fused", lambda: fused(x, mask=wrong), r"\(4, 5\).*\(2, 2, 5, 5\)"
    deep = torch.ones(1, 1, 1, 5, 5, dtype=torch.bool)
    yield "mask with too many axes", lambda: attention(x, mask=deep), "does not fit"
    yield "causal", lambda: causal_mask(3, 2), "lk must be at least 3, got 2"
    yield "no query", lambda: causal_mask(0, 2), "lq must be at least 1, got 0"
    yield "lengths", lambda: padding_mask(torch.tensor([2, 0])), r"at least 1, got \[2, 0\]"
    empty = torch.tensor([], dtype=torch.long)
    yield "no lengths", lambda: padding_mask(empty), r"at least 1, got \[\]"
    yield "heads", lambda: MultiHeadAttention(10, 4), "multiple of n_heads.*10, 4, 4"
    yield "kv heads", lambda: MultiHeadAttention(12, 4, 3), "12, 4, 3"
    yield "no heads", lambda: MultiHeadAttention(12, 0), "n_heads must be at least 1, got 0"
    yield "block", lambda: online_attention(x, x, x, 0), "block must be at least 1, got 0"
    yield "online", lambda: online_attention(x, x[:, :2], x[:, :2]), "lk must be at least 5, got 2"
    yield "odd", lambda: sinusoidal(3, 5), "d must be even, .* got 5"
    yield "no positions", lambda: sinusoidal(0, 4), "n must be at least 1, got 0"
    yield "odd shift", lambda: shift_matrix(1, 3), "d must be even"
    yield "odd rope", lambda: rope(x[..., :3]), "d must be even, .* got 3"
    yield "odd permutation", lambda: rope_permutation(3), "d must be even"
    yield "offset", lambda: rope(x, -1), "offset must be at least 0, got -1"
    yield "alibi", lambda: alibi_bias(0, 3), "h must be at least 1, got 0"
    yield "width of ffn", lambda: FeedForward(8, 0), "d_ff must be at least 1, got 0"
    yield "too long", lambda: model(ids, ids), "9 positions, the table has max_len=8"
    yield "generated", lambda: generate(model, ids[:, :3], 1, 2, 9), "9 positions.*max_len=8"
    yield "tie", lambda: Transformer(9, 8), "one vocabulary, got 9 and 8"
    yield "layers", lambda: Transformer(9, 9, n_layers=0), "n_layers must be at least 1"
    yield "vocab", lambda: Transformer(0, 9), "src_vocab must be at least 1, got 0"
    yield "eps", lambda: label_smoothed_nll(x, ids, 1.5), "eps must be between 0 and 1, got 1.5"
    yield "targets", lambda: label_smoothed_nll(x, ids), r"\(2, 5, 8\) and \(1, 9\)"
    all_ignored = torch.full((2, 5), -100)
    yield "ignored", lambda: label_smoothed_nll(x, all_ignored), "every target is -100"
    yield "step", lambda: noam_lr(0, 8, 8), "step must be at least 1, got 0"
    yield "rows", lambda: reverse_batch(0, 3), "size must be at least 1, got 0"
    yield "shortest", lambda: reverse_batch(2, 3, None, 4), "longest must be at least 4, got 3"
    yield "steps", lambda: train_to_reverse(model, 0), "steps must be at least 1, got 0"
    yield "beam", lambda: generate(model, ids, 1, 2, 3, beam=0), "beam must be at least 1, got 0"
    yield "max_len", lambda: generate(model, ids, 1, 2, 0), "max_len must be at least 1, got 0"
    yield "row", lambda: implied_vocabulary("huge"), "base, .*got 'huge'"
    yield "count", lambda: parameter_count(d_k=0), "d_k must be at least 1, got 0"
    yield "vocabulary", lambda: parameter_count(-1), "vocab must be at least 0, got -1"
    # the tests check the annotations too; a reader's call does not
    attend, online = unwrap(MultiHeadAttention.forward), unwrap(online_attention)
    embed = partial(unwrap(Transformer.embed), model, table=model.src_embedding)
    yield (
        "one axis",
        lambda: unwrap(sdpa)(x[0, 0], x[0], x[0]),
        r"axes length and width, got \(8,\)",
    )
    yield "batches", lambda: unwrap(sdpa)(x, *[x[[0, 1, 0]]] * 2), r"one batch, got .*\(3, 5, 8\)"
    bias = torch.zeros(3, 3)
    yield "bias", lambda: sdpa(x, x, x, bias=bias), r"bias of shape \(3, 3\).*\(2, 5, 5\)"
    yield "bias of heads", lambda: attention(x, bias=bias), r"bias of shape \(3, 3\)"
    yield "bias fused", lambda: fused(x, bias=bias), r"bias of shape \(3, 3\).*\(2, 2, 5, 5\)"
    yield (
        "x of heads",
        lambda: attend(attention, x[..., :6]),
        r"x needs .*d_model = 8, got \(2, 5, 6\)",
    )
    yield (
        "x without batch",
        lambda: attend(attention, x[0]),
        r"x needs the axes batch.*got \(5, 8\)",
    )
    yield "memory", lambda: attend(attention, x, x[..., :6]), r"mem needs .*got \(2, 5, 6\)"
    yield "online width", lambda: online(x, x[..., :4], x), r"one width.*\(2, 5, 4\)"
    yield "online length", lambda: online(x, x, x[:, :3]), r"one length.*\(2, 3, 8\)"
    none = x[:, :0]
    yield "online keys", lambda: online(x, none, none, causal=False), "lk .*1, got 0"
    yield "online queries", lambda: online(none, x, x), "lq must be at least 1, got 0"
    yield "empty cache", lambda: KVCache().held(), "the cache holds 0 positions"
    square = torch.ones(2, 2, dtype=torch.long)
    yield (
        "table of lengths",
        lambda: unwrap(padding_mask)(square),
        r"a row of at least 1, got \[\[1",
    )
    yield "rope axes", lambda: unwrap(rope)(x[0, 0]), r"x needs axes n, d.*got \(8,\)"
    yield "rope base", lambda: rope(x, base=0.0), r"base > 0, got .*0\.0"
    yield "norm", lambda: AddNorm(0, 0.0, True), "d_model must be at least 1, got 0"
    few = ids[:, :3]
    yield "token", lambda: model(few * 9, few), r"tokens must be in 0 … 8, got 9"
    yield "negative token", lambda: model(few, -few), r"tokens must be in 0 … 8, got -1"
    yield "one row", lambda: embed(few[0]), r"axes batch, length, got \(3,\)"
    yield "no row", lambda: generate(model, few[:0], 1, 2, 3), r"not be empty, got shape \(0, 3\)"
    yield "bos", lambda: generate(model, few, 99, 2, 3), "tokens must be in 0 … 8, got 99"
    yield "pad", lambda: Transformer(9, 9, 8, 2, 1, 8, pad=9), "pad must be in 0 … 8, got 9"
    yield (
        "class",
        lambda: label_smoothed_nll(x[0], torch.arange(5) + 4),
        "t must be in 0 … 7, got 8",
    )
    yield "rows of match", lambda: unwrap(exact_match)(model, few, ids[[0, 0]]), "rows, got 1 and 2"
    odd = {"in_proj_weight": torch.zeros(7, 2)}
    yield "projections", lambda: from_torch(odd), "in_proj_weight needs 3 d rows, got 7"
    yield (
        "jacobian",
        lambda: unwrap(jacobian_norms)(torch.tanh, x),
        r"axes n, d, got shape \(2, 5, 8\)",
    )
    yield "no history", lambda: sequential_steps(x.sum()), "recorded history, got None"
    for run, gates in ((tanh_rnn, 1), (lstm, 4), (gru, 3)):
        yield (
            f"{run.__name__}, no batch",
            partial(unwrap(run), steps[:, 0], params),
            r"got \(2, 3\)",
        )
        yield (
            f"{run.__name__}, no step",
            partial(unwrap(run), steps[:0], params),
            r"n > 0, got \(0, 1, 3",
        )
        bad = [torch.zeros(2, 5), *params[1:]]
        message = rf"{run.__name__} needs W_ih, .*\({gates}h, 3\).*got \[\(2, 5\)"
        yield run.__name__, partial(run, steps, bad), message
        yield f"{run.__name__}, three", partial(run, steps, bad[:3]), "needs W_ih"


@pytest.mark.parametrize(("name", "call", "message"), list(bad_calls()))
def test_bad_input_is_named(name, call, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        call()


def test_a_mask_must_be_bool():
    x, number = torch.randn(1, 3, 8), torch.zeros(3, 3)
    message = "mask must be bool, True = may attend, got torch.float32"
    for fused in (False, True):
        attention = MultiHeadAttention(8, 2, fused=fused)
        with pytest.raises(TypeError, match=message):
            attention(x, mask=number)


@pytest.mark.parametrize("value", [2.0, "2", None, True])
def test_a_count_must_be_an_integer(value):
    with pytest.raises(TypeError, match="n must be an integer, got"):
        check_at_least(1, n=value)


def test_what_numbers_a_table_must_be_integers():
    model, ids = Transformer(9, 9, 8, 2, 1, 8), torch.ones(1, 3, dtype=torch.long)
    with pytest.raises(TypeError, match=r"tokens must hold integers, got torch\.float32"):
        unwrap(Transformer.embed)(model, ids.float(), model.src_embedding)
    with pytest.raises(TypeError, match=r"t must hold integers, got torch\.bool"):
        unwrap(label_smoothed_nll)(torch.zeros(2, 5), torch.tensor([True, False]))
    with pytest.raises(TypeError, match=r"lengths must be integers, got \[1.5, 2.0\]"):
        unwrap(padding_mask)(torch.tensor([1.5, 2.0]))
