"""Bytes, forwards and gradients of every schedule, against torch, its profiler and two oracles."""

import heapq
import warnings
from functools import partial
from inspect import unwrap
from itertools import count
from math import isqrt

import pytest
import torch
from checkpoint_schedules import Forward, Revolve
from hypothesis import given
from hypothesis import strategies as st
from pyrevolve import crevolve
from torch import nn
from torch.autograd.graph import saved_tensors_hooks
from torch.profiler import ProfilerActivity, profile
from torch.utils import checkpoint as theirs
from torch.utils.flop_counter import FlopCounterMode

from snippets.common import records
from snippets.large_model import gradient_checkpointing as page
from snippets.large_model.gradient_checkpointing import (
    Block,
    PeakMeter,
    Replay,
    beta,
    chain,
    checkpoint,
    checkpoint_hooks,
    checkpoint_optimal,
    checkpoint_recursive,
    checkpoint_segments,
    checkpoint_sequential,
    compose,
    count_forwards,
    measure_step,
    optimal_cost,
    revolve,
    revolve_cost,
    revolve_schedule,
    sqrt_segments,
    watch_alive,
)

DIVISORS = [k for k in range(1, 65) if 64 % k == 0]
UNIT = 256 * 128 * 4
# gradients in flight: of the tanh's and the layer's input (1 unit each), of weight and bias; loss
WORKSPACE = 2 * UNIT + 128 * 128 * 4 + 128 * 4 + 2 * 4
VARIANTS = [checkpoint, checkpoint_hooks]


def batch(rows=256, width=128):
    return torch.randn(rows, width, requires_grad=True)


def gradients(layers, run, x):
    """Return the output, then the gradients of x and of all parameters, after one backward."""
    leaves = [x, *(p for layer in layers for p in layer.parameters())]
    for leaf in leaves:
        leaf.grad = None
    out = run(x)
    out.square().sum().backward()
    return [out.detach(), *(leaf.grad.clone() for leaf in leaves)]


def same(left, right):
    return len(left) == len(right) and all(
        torch.equal(a, b) for a, b in zip(left, right, strict=True)
    )


# --- the gradients are the same bits -------------------------------------------------------------


@pytest.mark.parametrize("reentrant", [True, False])
@pytest.mark.parametrize("segments", range(1, 13))
def test_segments_give_the_bits_of_plain_backward_and_of_torch(segments, reentrant):
    layers, x = chain(12, 8), batch(4, 8)
    via = checkpoint if reentrant else checkpoint_hooks
    mine = gradients(layers, lambda x: checkpoint_sequential(layers, segments, x, via=via), x)
    rival = partial(theirs.checkpoint_sequential, layers, segments, use_reentrant=reentrant)
    assert same(mine, gradients(layers, compose(layers), x))
    assert same(mine, gradients(layers, rival, x))


@pytest.mark.parametrize("budget", range(1, 14))
def test_schedules_give_the_bits_of_plain_backward(budget):
    layers, x = chain(12, 8), batch(4, 8)
    plain = gradients(layers, compose(layers), x)
    assert same(plain, gradients(layers, lambda x: revolve(layers, budget, x), x))
    assert same(plain, gradients(layers, lambda x: checkpoint_recursive(layers, budget, x), x))
    if budget > 1:
        assert same(plain, gradients(layers, lambda x: checkpoint_optimal(layers, budget, x), x))


@pytest.mark.parametrize(
    "run",
    [
        lambda layers, x: checkpoint_sequential(layers, 3, x),
        lambda layers, x: checkpoint_sequential(layers, 3, x, via=checkpoint_hooks),
        lambda layers, x: checkpoint(partial(checkpoint_sequential, layers, 3), x),
        lambda layers, x: checkpoint_hooks(
            lambda x: checkpoint_sequential(layers, 3, x, via=checkpoint_hooks), x
        ),
        lambda layers, x: revolve(layers, 2, x),
        lambda layers, x: checkpoint_optimal(layers, 3, x),
    ],
    ids=["reentrant", "hooks", "nested", "nested hooks", "revolve", "optimal"],
)
def test_dropout_draws_the_same_masks_and_leaves_the_same_random_state(run):
    layers = [nn.Sequential(nn.Linear(8, 8), nn.Dropout(p)) for p in (0.5, 0.3) * 3]
    x = batch(4, 8)
    torch.manual_seed(1)
    plain, state = gradients(layers, compose(layers), x), torch.get_rng_state()
    torch.manual_seed(1)
    assert same(plain, gradients(layers, lambda x: run(layers, x), x))
    assert torch.equal(state, torch.get_rng_state())


@pytest.mark.parametrize("variant", VARIANTS)
def test_without_random_state_the_output_stays_and_the_gradient_changes(variant):
    x = torch.ones(64, requires_grad=True)
    layers = [nn.Dropout(0.5)]
    torch.manual_seed(1)
    plain = gradients(layers, layers[0], x)
    torch.manual_seed(1)
    out, grad = gradients(layers, lambda x: variant(layers[0], x, preserve_rng_state=False), x)
    assert torch.equal(out, plain[0])
    assert not torch.equal(grad, plain[1])


@pytest.mark.parametrize("variant", VARIANTS)
def test_autocast_of_the_forward_holds_in_the_recomputation(variant):
    layers, x, seen = chain(2, 8), batch(4, 8), []

    def run(x):
        seen.append(torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else None)
        return compose(layers)(x)

    def under_autocast(call):
        def wrapped(x):
            with torch.autocast("cpu", torch.bfloat16):
                return call(x)

        return wrapped

    plain = gradients(layers, under_autocast(run), x)
    mine = gradients(layers, under_autocast(partial(variant, run)), x)
    assert same(plain, mine)
    assert seen == [torch.bfloat16] * 3


@pytest.mark.parametrize("variant", VARIANTS)
def test_other_arguments_and_several_outputs(variant):
    def fn(x, n, index, y):
        return x.sin() * y * n, index + 1, (x * y).cos()

    x, y = (torch.randn(5, requires_grad=True) for _ in range(2))
    index = torch.arange(5)

    def grads(call):
        a, i, b = call(x, 3, index, y)
        assert torch.equal(i, index + 1)
        x.grad = y.grad = None
        (a.sum() + b.square().sum()).backward(retain_graph=True)
        both = [x.grad, y.grad]
        x.grad = y.grad = None
        b.sum().backward()  # one of the outputs only
        return [*both, x.grad, y.grad]

    assert same(grads(fn), grads(partial(variant, fn)))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_function_may_ignore_its_arguments_graph(variant):
    x = torch.ones(3, requires_grad=True)
    out = variant(lambda x: x.detach() * 2, x)
    assert out.tolist() == [2, 2, 2]
    if out.requires_grad:
        out.sum().backward()
    assert x.grad is None


def test_without_grad_mode_everything_is_a_plain_call():
    layers, x = chain(4, 8), torch.randn(2, 8)
    with torch.no_grad():
        outs = [
            compose(layers)(x),
            checkpoint(compose(layers), x),
            checkpoint_hooks(compose(layers), x),
            revolve(layers, 2, x),
            checkpoint_optimal(layers, 2, x),
        ]
    assert all(torch.equal(outs[0], out) for out in outs)


# --- bytes and counts ----------------------------------------------------------------------------


@pytest.mark.parametrize("k", DIVISORS)
def test_live_units_forwards_and_peak_of_equal_segments(k):
    layers, n = chain(64), 64
    cost = measure_step(layers, lambda x: checkpoint_sequential(layers, k, x), batch())
    assert cost.live == (n // k + k - 1) * UNIT
    assert cost.forwards == 2 * n - n // k
    assert cost.peak == cost.live + WORKSPACE


@pytest.mark.parametrize("k", [1, 8, 64])
def test_torch_reentrant_holds_one_unit_more(k):
    layers = chain(64)
    x = batch()
    mine = measure_step(layers, lambda x: checkpoint_sequential(layers, k, x), x)
    rival = partial(theirs.checkpoint_sequential, layers, k, use_reentrant=True)
    its = measure_step(layers, rival, x)
    assert (its.live, its.forwards) == (mine.live, mine.forwards)
    assert its.peak == mine.peak + (UNIT if k > 1 else 0)


@pytest.mark.parametrize("k", [1, 8])
def test_the_profiler_sees_the_same_peak(k):
    layers, x = chain(64), batch()
    run = partial(checkpoint_sequential, layers, k)
    peak = measure_step(layers, run, x).peak
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as prof:
        y = run(x)
        y.sum().backward()
    events = prof.profiler.kineto_results.events()
    memory = sorted((e.start_ns(), e.nbytes()) for e in events if e.name() == "[memory]")
    total = highest = 0
    for _, nbytes in memory:
        total += nbytes
        highest = max(highest, total)
    assert peak <= highest < peak + UNIT  # it also sees temporaries within an operator


@pytest.mark.parametrize("k", DIVISORS)
def test_flops_are_three_forwards_and_the_recomputed_share(k):
    layers, x = chain(64, 16), batch(2, 16)
    with FlopCounterMode(display=False) as forward:
        compose(layers)(x)
    with FlopCounterMode(display=False) as total:
        checkpoint_sequential(layers, k, x).sum().backward()
    assert total.get_total_flops() * k == forward.get_total_flops() * (4 * k - 1)


def test_meter_counts_storages_once_and_lets_them_go():
    old = torch.zeros(10)
    with PeakMeter() as meter:
        old.view(2, 5).add_(1)  # a view and an in-place result of what was there before
        assert meter.cur == 0
        a = torch.ones(10)
        b = a[2:]
        assert meter.cur == 40
        c, d = torch.stack([a, a]).unbind()
        assert meter.cur == 120
        del a, c
        assert meter.cur == 120  # b and d still hold both
        del b, d
        assert meter.cur == 0
    assert meter.peak == max(meter.trace) == 120
    assert meter.ops["ones"] == 1
    assert meter.ops["add_"] == 1


def test_meter_and_hooks_are_removed_after_an_error():
    layers = [nn.Linear(2, 2)]
    with pytest.raises(ZeroDivisionError), PeakMeter(), count_forwards(layers):
        raise ZeroDivisionError
    with pytest.raises(ZeroDivisionError):
        watch_alive(layers, lambda x: 1 / 0, torch.ones(2))
    assert not layers[0]._forward_hooks


def test_every_activation_that_is_watched_dies():
    layers = chain(9, 4)
    moments = watch_alive(layers, lambda x: checkpoint_sequential(layers, 3, x), batch(2, 4))
    forward = [m.layer for m in moments if m.action == "forward"]
    backward = [m.layer for m in moments if m.action == "backward"]
    assert forward == [*range(9), 3, 4, 5, 0, 1, 2]
    assert backward == [8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert max(len(m.alive) for m in moments) == 9 // 3 + 3 - 1
    assert moments[8].alive == {2, 5, 6, 7, 8}


def test_block_keeps_sixteen_units_and_a_checkpointed_one_its_output():
    block, x = Block(128, 4), torch.randn(4, 128, 128, requires_grad=True)
    rows = 4 * 128
    # two norms: mean and 1/std; attention: one log-sum-exp for each row and head
    small = rows * (4 + 4) * 4
    assert measure_step([block], block, x).live == 16 * rows * 128 * 4 + small
    for variant in VARIANTS:
        assert measure_step([block], partial(variant, block), x).live == rows * 128 * 4


@pytest.mark.parametrize(("s", "b", "h", "a"), [(128, 4, 128, 4), (64, 2, 32, 8), (16, 3, 64, 2)])
def test_activation_formula_of_korthikanti_to_the_byte(s, b, h, a):
    block = Block(h, a, dropout=0.1, fused=False).bfloat16()
    x = torch.randn(b, s, h, dtype=torch.bfloat16, requires_grad=True)
    norms = 2 * 2 * 2 * s * b  # mean and 1/std of two norms, which the formula leaves out
    assert measure_step([block], block, x).live == 34 * s * b * h + 5 * a * s * s * b + norms


def test_dropout_of_torch_keeps_a_mask_of_the_type_of_x_on_a_cpu():
    x = torch.ones(64, dtype=torch.bfloat16, requires_grad=True)
    live = [
        measure_step([], run, x).live
        for run in (nn.Dropout(0.5), lambda x: torch.native_dropout(x, 0.5, True)[0])
    ]
    assert live == [64 * (2 + 2), 64 * (2 + 1)]


def blocks_step(run, blocks, x):
    with PeakMeter() as meter:
        y = run(x)
        live = meter.cur
        y.sum().backward()
    return live / (4 * 128 * 128 * 4) / len(blocks), meter.ops


def test_selective_checkpointing_recomputes_what_it_does_not_save():
    blocks = [Block(128, 4) for _ in range(3)]
    x = torch.randn(4, 128, 128, requires_grad=True)
    plain = gradients(blocks, compose(blocks), x)
    matmul = torch.ops.aten.addmm.default
    attention = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default
    for saved, units, matmuls, attentions in [
        ([matmul], 10, 12, 6),
        ([attention], 2.03, 21, 3),
        ([], 1, 21, 6),
    ]:
        context_fn = partial(theirs.create_selective_checkpoint_contexts, saved)
        call = partial(theirs.checkpoint, use_reentrant=False, context_fn=context_fn)
        run = compose([partial(call, block) for block in blocks])
        live, ops = blocks_step(run, blocks, x)
        assert live == pytest.approx(units, abs=0.01)
        assert ops["addmm"] == matmuls
        assert ops["_scaled_dot_product_flash_attention_for_cpu"] == attentions
        assert same(plain, gradients(blocks, run, x))


# --- segments ------------------------------------------------------------------------------------


@given(st.integers(1, 10_000))
def test_sqrt_segments_reaches_the_least_sum(n):
    k = sqrt_segments(n)
    units = n // k + k - 1
    assert units == isqrt(4 * n + 3) - 1  # ⌈2√(n+1)⌉ − 2
    assert all(n // j + j - 1 >= units for j in range(1, n + 1))
    assert n != isqrt(n) ** 2 or k == isqrt(n)


@given(st.integers(1, 30), st.data())
def test_segments_cover_the_chain(n, data):
    k = data.draw(st.integers(1, n))
    seen = []
    sizes = []

    def via(fn, x):
        before = len(seen)
        fn(x)
        sizes.append(len(seen) - before)
        return x

    layers = [lambda x, i=i: seen.append(i) or x for i in range(n)]
    checkpoint_sequential(layers, k, torch.zeros(1), via=via)
    assert seen == list(range(n))
    sizes.append(n - sum(sizes))
    assert len(sizes) == k
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("n", [3, 8, 10, 24])
def test_segments_of_almost_equal_size_keep_the_units_of_the_floor(n):
    layers, x = chain(n, 8), batch(4, 8)
    for k in range(1, n + 1):
        run = partial(checkpoint_sequential, layers, k)
        cost = measure_step(layers, run, x)
        assert cost.live == (n // k + k - 1) * x.nbytes
        assert cost.forwards == 2 * n - n // k
        assert max(len(m.alive) for m in watch_alive(layers, run, x)) * x.nbytes == cost.live


def test_shrinking_segments_beat_equal_ones():
    layers, x = chain(64), batch()
    sizes = [10, 10, 9, 8, 7, 6, 5, 4, 3, 2]
    cost = measure_step(layers, lambda x: checkpoint_segments(layers, sizes, x), x)
    assert (cost.live, cost.forwards) == (11 * UNIT, 126)
    assert optimal_cost(64, 11) == 126


# --- Revolve -------------------------------------------------------------------------------------


def execute(schedule, l, c):  # noqa: E741
    """Check that a schedule is legal and return how often it advances by one step."""
    stored, current, todo, advances = set(), 0, l, 0
    for action, i, *to in schedule:
        at_hand = i == current or i in stored
        if action == "store":
            assert current == i
            stored.add(i)
            assert len(stored) <= c
        elif action == "free":
            stored.remove(i)
        elif action == "forward":
            assert at_hand
            assert to[0] > i
            advances, current = advances + to[0] - i, to[0]
        else:
            assert at_hand
            assert i == todo - 1
            todo, current = i, None
    assert todo == 0
    assert not stored
    return advances


@given(st.integers(1, 40), st.integers(1, 8))
def test_schedule_is_legal_and_costs_what_the_closed_form_says(l, c):  # noqa: E741
    assert execute(revolve_schedule(l, c), l, c) == revolve_cost(l, c)


def test_closed_form_is_the_recursion():
    cost = {}
    for c in range(1, 8):
        for l in range(1, 60):  # noqa: E741
            splits = [m + cost[m, c] + cost[l - m, c - 1] for m in range(1, l)] if c > 1 else []
            cost[l, c] = min(splits, default=l * (l - 1) // 2)
            assert cost[l, c] == revolve_cost(l, c)


@pytest.mark.parametrize("c", range(1, 8))
def test_pyrevolve_agrees(c):
    for l in range(2, 60):  # noqa: E741
        # pyrevolve refuses more snapshots than steps need
        if c < l:
            assert crevolve.numforw(l, c) == revolve_cost(l, c)


@pytest.mark.parametrize("c", range(1, 8))
def test_checkpoint_schedules_agrees_and_counts_the_taping_forwards_too(c):
    for l in range(c + 1, 60):  # noqa: E741
        forwards = sum(a.n1 - a.n0 for a in Revolve(l, c) if isinstance(a, Forward))
        assert forwards == revolve_cost(l, c) + l


@given(st.integers(1, 12), st.integers(0, 8))
def test_beta_is_the_longest_chain(c, r):
    l = beta(c, r)  # noqa: E741
    if l < 2000:
        repeats = revolve_cost(l + 1, c) - revolve_cost(l, c)
        assert repeats == r + 1  # the next step is repeated once more than any before


def fewest_advances(l, c):  # noqa: E741
    """Search all schedules: states are (snapshots, current state, steps left)."""
    queue, seen = [(0, (0,), 0, l)], set()
    while queue:
        cost, stored, current, todo = heapq.heappop(queue)
        if todo == 0:
            return cost
        if (stored, current, todo) in seen:
            continue
        seen.add((stored, current, todo))
        options = [(1, stored, current + 1, todo)] if 0 <= current < todo - 1 else []
        options += [(0, stored, i, todo) for i in stored]
        options += [(0, tuple(j for j in stored if j != i), current, todo) for i in stored]
        if current not in stored and current >= 0 and len(stored) < c:
            options.append((0, tuple(sorted((*stored, current))), current, todo))
        if current == todo - 1:
            options.append((0, stored, -1, todo - 1))
        for more, *state in options:
            heapq.heappush(queue, (cost + more, *state))
    raise AssertionError


@pytest.mark.parametrize("c", [1, 2, 3])
@pytest.mark.parametrize("l", range(1, 10))
def test_no_schedule_whatever_is_cheaper_than_revolve(l, c):  # noqa: E741
    assert fewest_advances(l, c) == revolve_cost(l, c)


@pytest.mark.parametrize("c", [2, 3, 4, 8])
def test_revolve_executes_exactly_the_promised_forwards(c):
    layers = chain(64)
    cost = measure_step(layers, lambda x: revolve(layers, c, x), batch())
    assert cost.forwards == revolve_cost(64, c) + 64
    # c − 1 snapshots, output, a layer's input and output, the incoming gradient
    assert cost.peak == (c - 1 + 4) * UNIT + WORKSPACE


# --- the optimum with taping ---------------------------------------------------------------------


def fewest_forwards(l, m):  # noqa: E741
    """Search all schedules that keep at most m activations, as plain states or as tapes.

    A tape of layer i needs x_i for as long as it lives and holds x_{i+1}.
    """
    queue, seen, tie = [(0, 0, frozenset(), frozenset(), l)], set(), count(1)
    while queue:
        cost, _, plain, taped, todo = heapq.heappop(queue)
        if todo == 0:
            return cost
        if (plain, taped, todo) in seen:
            continue
        seen.add((plain, taped, todo))
        have = plain | {i + 1 for i in taped} | {0}
        options = [(0, plain - {i}, taped) for i in plain if i not in taped]
        if len(plain) + len(taped) < m:
            for i in have - {l}:
                options += [(1, plain | {i + 1}, taped)] if i + 1 not in plain else []
                options += [(1, plain, taped | {i})] if i not in taped else []
        for more, now_plain, now_taped in options:
            heapq.heappush(queue, (cost + more, next(tie), now_plain, now_taped, todo))
        if todo - 1 in taped:
            heapq.heappush(queue, (cost, next(tie), plain, taped - {todo - 1}, todo - 1))
    return None


@pytest.mark.parametrize("m", [2, 3, 4, 5])
@pytest.mark.parametrize("l", range(1, 7))
def test_no_schedule_whatever_is_cheaper_than_the_optimum_with_taping(l, m):  # noqa: E741
    assert fewest_forwards(l, m) == optimal_cost(l, m)


@pytest.mark.parametrize("units", [3, 4, 6, 11, 15, 32, 64])
def test_optimal_schedule_executes_the_promised_forwards_within_the_budget(units):
    layers, x = chain(64, 8), batch(4, 8)
    cost = measure_step(layers, lambda x: checkpoint_optimal(layers, units, x), x)
    moments = watch_alive(layers, lambda x: checkpoint_optimal(layers, units, x), x)
    assert cost.forwards == optimal_cost(64, units)
    assert max(len(m.alive) for m in moments) <= units


def test_optimum_is_never_above_equal_segments():
    for n in (16, 64, 100):
        for k in range(1, n + 1):
            last = n // k  # longer segments come first
            assert optimal_cost(n, last + k - 1) <= 2 * n - last


def test_recorded_schedules_cost_what_the_optimum_promises_or_more():
    results = records.load("large-model/gradient-checkpointing").results
    for units, cost in results["optimal"].items():
        assert cost["forwards"] == optimal_cost(64, int(units.removeprefix("m")))
    for family in ("uniform", "recursive", "revolve"):
        for cost in results[family].values():
            assert cost["forwards"] >= optimal_cost(64, int(cost["live"]))


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_halving_needs_logarithmic_memory_and_the_promised_forwards(n):
    layers, x = chain(n, 8), batch(4, 8)
    run = partial(checkpoint_recursive, layers, 1)
    log2n = n.bit_length() - 1
    cost = measure_step(layers, run, x)
    assert cost.forwards == n + n * log2n // 2
    assert cost.live == (log2n + 1) * x.nbytes
    assert max(len(m.alive) for m in watch_alive(layers, run, x)) == log2n + 1


# --- pitfalls ------------------------------------------------------------------------------------


def test_reentrant_refuses_an_input_without_grad_where_torch_loses_the_gradient():
    layer, x = nn.Linear(2, 2), torch.ones(2)
    with pytest.raises(ValueError, match=r"requires_grad=True, got none.*checkpoint_hooks"):
        checkpoint(layer, x)
    with pytest.raises(ValueError, match="revolve needs an argument tensor"):
        revolve([layer, layer], 1, x)
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad"):
        assert not theirs.checkpoint(layer, x, use_reentrant=True).requires_grad
    checkpoint_hooks(layer, x).sum().backward()
    assert layer.weight.grad is not None


def test_batch_norm_updates_its_average_twice():
    plain, segment = nn.BatchNorm1d(2), nn.BatchNorm1d(2)
    x = torch.randn(8, 2, requires_grad=True)
    plain(x).sum().backward()
    checkpoint(segment, x).sum().backward()
    assert (plain.num_batches_tracked, segment.num_batches_tracked) == (1, 2)
    # after t updates of a constant batch the mean is μ(1 − 0.9^t)
    torch.testing.assert_close(segment.running_mean, plain.running_mean * (1 - 0.9**2) / 0.1)


@pytest.mark.parametrize(("early_stop", "expected"), [(True, [2, 1]), (False, [2, 2])])
def test_early_stop_skips_the_last_layer(early_stop, expected):
    layers, x = [nn.Linear(4, 4), nn.Linear(4, 4)], batch(2, 4)
    for call in (
        partial(checkpoint_hooks, early_stop=early_stop),
        partial(theirs.checkpoint, use_reentrant=False),
    ):
        with theirs.set_checkpoint_early_stop(early_stop), count_forwards(layers) as calls:
            call(compose(layers), x).sum().backward()
        assert calls == expected


def test_torch_without_use_reentrant_warns():
    with pytest.warns(UserWarning, match="use_reentrant"):
        theirs.checkpoint(torch.sin, torch.ones(2, requires_grad=True))


def test_hooks_of_an_outer_meter_do_not_see_what_a_checkpoint_keeps():
    layers, x = chain(4, 8), batch(2, 8)
    seen = []
    with saved_tensors_hooks(lambda t: seen.append(t) or t, lambda t: t):
        x = x.sin()  # so that the segment's input is an activation
        seen.clear()
        checkpoint_hooks(compose(layers), x)
    assert not seen


# --- non-reentrant -------------------------------------------------------------------------------


def test_hooks_allow_autograd_grad_and_second_derivatives():
    x = torch.linspace(-1, 1, 5, requires_grad=True)

    def second(f):
        (first,) = torch.autograd.grad(f(x).sum(), x, create_graph=True)
        return torch.autograd.grad(first.sum(), x)[0]

    def f(x):
        return (x.sin() * x).exp()

    assert torch.equal(second(f), second(partial(checkpoint_hooks, f)))


def test_hooks_recompute_again_for_a_second_backward():
    layers, x = chain(2, 4), batch(2, 4)
    y = checkpoint_hooks(compose(layers), x).sum()
    with count_forwards(layers) as calls:
        y.backward(retain_graph=True)
        first = x.grad.clone()
        x.grad = None
        y.backward()
    assert torch.equal(first, x.grad)
    assert calls == [2, 0]  # the last tanh stops early, twice


@pytest.mark.parametrize("early_stop", [True, False])
@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([3, 2], r"fn saved 2 tensors when run again, but \[\(4,\), \(4,\), \(4,\)\]"),
        ([[2], 3], r"fn saved tensor 0 of shape \(4,\) when run again, but \[\(2,\)"),
    ],
)
def test_hooks_notice_a_function_that_changes(steps, message, early_stop):
    todo = iter(steps)

    def fn(x):
        n = next(todo)
        if isinstance(n, list):
            return x[: n[0]].sin()
        for _ in range(n):
            x = x.sin()
        return x

    y = checkpoint_hooks(fn, torch.ones(4, requires_grad=True), early_stop=early_stop)
    with pytest.raises(RuntimeError, match=message):
        y.sum().backward()


def test_hooks_without_early_stop_notice_a_longer_second_run():
    todo = iter([1, 2])

    def fn(x):
        for _ in range(next(todo)):
            x = x.sin()
        return x

    y = checkpoint_hooks(fn, torch.ones(4, requires_grad=True), early_stop=False)
    with pytest.raises(RuntimeError, match="fn saved tensor 1"):
        y.sum().backward()


# --- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [*VARIANTS, Replay])
def test_what_is_not_callable_is_refused(variant):
    with pytest.raises(TypeError):
        variant("tanh", torch.ones(2, requires_grad=True))


def test_output_that_is_no_tensor_is_refused():
    with pytest.raises(TypeError, match=r"a tensor or a tuple of tensors, got <class 'dict'>"):
        checkpoint(lambda x: {"y": x}, torch.ones(2, requires_grad=True))


@pytest.mark.parametrize(
    "make", [lambda x: checkpoint(torch.sin, x), lambda x: revolve([torch.sin] * 3, 2, x)]
)
def test_reentrant_refuses_autograd_grad_inputs_and_second_derivatives(make):
    x = torch.ones(2, requires_grad=True)
    for attempt in (
        lambda y: torch.autograd.grad(y, x),
        lambda y: y.backward(inputs=[x]),
        lambda y: y.backward(create_graph=True),
    ):
        with warnings.catch_warnings():  # create_graph=True warns of a reference cycle
            warnings.simplefilter("ignore")
            with pytest.raises(RuntimeError, match=r"plain \.backward\(\) only.*checkpoint_hooks"):
                attempt(make(x).sum())


def test_revolve_refuses_a_second_backward_and_a_changed_input():
    x = torch.ones(2, requires_grad=True)
    y = revolve([torch.sin] * 3, 2, x).sum()
    y.backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="once only"):
        y.backward()
    z = x * 1
    y = revolve([torch.sin] * 3, 2, z).sum()
    z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: checkpoint_sequential(chain(3, 2), 0, x), "segments .* between 1 and 3, got 0"),
        (lambda x: checkpoint_sequential(chain(3, 2), 4, x), "segments .* between 1 and 3, got 4"),
        (lambda x: checkpoint_segments(chain(3, 2), [2, 2], x), r"add up to 3, got \[2, 2\]"),
        (lambda x: checkpoint_segments(chain(3, 2), [3, 0], x), r"positive .* got \[3, 0\]"),
        (lambda x: checkpoint_segments(chain(3, 2), [], x), r"add up to 3, got \[\]"),
        (lambda x: checkpoint_recursive(chain(3, 2), 0, x), "leaf must be at least 1, got 0"),
        (lambda x: checkpoint_optimal(chain(3, 2), 1, x), "m must be at least 2 for l = 3"),
        (lambda x: checkpoint_optimal(chain(3, 2), 0, x), "m must be at least 1, got 0"),
        (lambda x: revolve([], 1, x), "layers must be at least 1, got 0"),
        (lambda x: revolve(chain(2, 2), 0, x), "snapshots must be at least 1, got 0"),
        (lambda x: sqrt_segments(0), "n must be at least 1, got 0"),
        (lambda x: beta(-1, 2), "c must be at least 0, got -1"),
        (lambda x: beta(1, -2), "r must be at least 0, got -2"),
        (lambda x: revolve_cost(0, 1), "l must be at least 1, got 0"),
        (lambda x: revolve_cost(1, 0), "c must be at least 1, got 0"),
        (lambda x: revolve_schedule(0, 1), "l must be at least 1, got 0"),
        (lambda x: revolve_schedule(1, 0), "c must be at least 1, got 0"),
        (lambda x: optimal_cost(0, 1), "l must be at least 1, got 0"),
        (lambda x: optimal_cost(5, 1), "m must be at least 2 for l = 5 layers, got 1"),
    ],
)
def test_bad_numbers_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.ones(2, requires_grad=True))


def test_numbers_that_are_no_integers_are_refused():
    with pytest.raises(TypeError):
        checkpoint_sequential(chain(3, 2), 1.5, torch.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match=r"n must be an integer, got 1\.5"):
        page.recompute.check_count("n", 1.5, 1)


def test_a_frozen_leaf_gets_no_gradient_buffer():
    layers, x = chain(2, 4), torch.ones(3, 4)  # x asks for no gradient
    cost = measure_step(layers, compose(layers), x)
    assert x.grad is None
    assert cost.forwards == 2


def test_a_replay_of_nothing_is_refused():
    with pytest.raises(TypeError, match=r"^fn must be callable, got 3$"):
        unwrap(Replay.__init__)(object.__new__(Replay), 3)
