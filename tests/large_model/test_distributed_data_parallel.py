"""Bits, bytes on the wire, and every way to fail, on real ranks; against torch.distributed."""

import contextlib
import functools
import gc
import io
import json
import multiprocessing
import os
import runpy
import shutil
import signal
import sys
import threading
import time
import warnings
from collections import deque
from itertools import chain, pairwise, permutations
from pathlib import Path
from types import SimpleNamespace

import coverage
import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributed import run as torchrun
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DistributedSampler

from snippets.common import records
from snippets.large_model import distributed_data_parallel as page
from snippets.large_model.distributed_data_parallel import (
    Bucket,
    CheckpointError,
    Config,
    MiniDDP,
    NoSyncOutcome,
    RanksFailed,
    SyncBatchNorm1d,
    Trainer,
    WireMeter,
    agree,
    all_gather_ring_,
    allreduce_cost,
    checkpoint_table,
    choose_backend,
    join_group,
    latest_checkpoint,
    launch,
    load_checkpoint,
    naive_ring_all_reduce,
    no_sync_table,
    quickstart_ddp,
    quickstart_single,
    reduce_scatter_ring_,
    ring_all_reduce_,
    run_ranks,
    save_checkpoint,
    sharded_step,
    simulate_ring,
)
from snippets.large_model.distributed_data_parallel import ddp_train as training

FOLDER = Path(page.__file__).parent


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """Hide what is there now from garbage collection: ranks would copy all of it to look at it."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def ranks_tell_coverage_first(monkeypatch):
    """A rank is killed once it has reported; whoever watches its lines must hear of them before."""
    pickled = launch.pickle.dumps

    def dumps(end):
        if watching := coverage.Coverage.current():
            watching.save()
        return pickled(end)

    monkeypatch.setattr(launch, "pickle", SimpleNamespace(**vars(launch.pickle) | {"dumps": dumps}))


def failure(fn, n=2, *args, timeout=10.0):
    """Run ranks that must fail; return the message, its lines by rank, and the seconds it took."""
    start = time.monotonic()
    with pytest.raises(RanksFailed) as caught:
        run_ranks(fn, n, *args, timeout=timeout)
    return str(caught.value), caught.value.lines, time.monotonic() - start


# --- run_ranks: results, seeds, and nobody left behind -------------------------------------------


def test_results_come_in_rank_order_and_closures_travel():
    offset = 10
    assert run_ranks(lambda k: offset * k + dist.get_rank(), 3, 2) == [20, 21, 22]


def test_ranks_have_seeds_threads_and_environment_of_their_own():
    def look():
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE")
        return torch.rand(1).item(), torch.get_num_threads(), [os.environ[name] for name in names]

    (a, *rest), (b, *_) = run_ranks(look, 2)
    assert a != b
    assert rest == [1, ["0", "0", "2"]]


@pytest.mark.parametrize(("n", "timeout"), [(0, 1.0), (-1, 1.0), (2, 0.0), (2, -1.0)])
def test_run_ranks_refuses_what_is_not_positive(n, timeout):
    with pytest.raises(ValueError, match=rf"must be positive, got \({n}, {timeout}\)"):
        run_ranks(int, n, timeout=timeout)


def test_ranks_work_after_the_parent_has_used_threads_and_autograd():
    torch.ones(3, requires_grad=True).sum().backward()
    assert len(run_ranks(lambda: torch.ones(3, requires_grad=True).sum().backward(), 2)) == 2


def test_only_the_warning_about_forking_beside_threads_is_silenced():
    text = (
        "This process (pid=1) is multi-threaded, use of fork() may lead to deadlocks in the child."
    )
    with launch._quiet_fork():
        warnings.warn(text, DeprecationWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):
            warnings.warn("another", DeprecationWarning, stacklevel=1)


def test_python_3_12_warns_of_forking_beside_threads():
    leave = threading.Event()
    thread = threading.Thread(target=leave.wait)
    thread.start()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        pid = os.fork()
        if pid == 0:
            os._exit(0)
    os.waitpid(pid, 0)
    leave.set()
    thread.join()
    assert any("multi-threaded" in str(w.message) for w in seen) == (sys.version_info >= (3, 12))


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_ranks_die_with_a_parent_that_is_killed(tmp_path):
    def rank():
        (tmp_path / str(dist.get_rank())).write_text(str(os.getpid()))
        time.sleep(60)

    pid = os.fork()
    if pid == 0:
        run_ranks(rank, 2)
        os._exit(0)
    files = [tmp_path / "0", tmp_path / "1"]
    deadline = time.monotonic() + 15
    while not all(file.exists() and file.read_text() for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    ranks = [int(file.read_text()) for file in files]
    while any(map(alive, ranks)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_agree_names_who_has_what_on_every_rank():
    _, lines, _ = failure(lambda: agree("the number of batches", 3 + dist.get_rank()))
    text = "ValueError: ranks disagree about the number of batches: rank 0 has 3, rank 1 has 4"
    assert lines == {0: text, 1: text}
    assert run_ranks(lambda: agree("x", [1, "a"]), 2) == [None, None]


# --- failures: every rank ends in time and is named ----------------------------------------------


def reduce_something():
    dist.all_reduce(torch.ones(3))


def test_a_rank_that_raises():
    def fn():
        if dist.get_rank() == 1:
            raise ValueError("boom")
        reduce_something()

    message, lines, seconds = failure(fn)
    assert message.startswith("rank 1 of 2: ValueError: boom\nrank 0 of 2: ")
    assert "Connection" in lines[0]
    assert seconds < 5


def test_the_tracebacks_of_the_ranks_are_notes():
    def fn():
        raise ValueError("boom")

    with pytest.raises(RanksFailed) as caught:
        run_ranks(fn, 1)
    assert 'raise ValueError("boom")' in "".join(caught.value.__notes__)


def test_a_rank_that_is_killed():
    def fn():
        if dist.get_rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        reduce_something()

    message, lines, seconds = failure(fn)
    assert message.startswith("rank 1 of 2: killed by SIGKILL")
    assert "Connection" in lines[0]
    assert seconds < 5


def test_a_rank_that_exits():
    message, _, _ = failure(lambda: os._exit(3) if dist.get_rank() else reduce_something())
    assert message.startswith("rank 1 of 2: exited with code 3 and no result")


def hang_in_here():
    time.sleep(30)


def test_a_rank_that_hangs_is_named_with_its_line():
    def fn():
        hang_in_here() if dist.get_rank() == 1 else reduce_something()

    message, lines, seconds = failure(fn, timeout=1.0)
    assert message.startswith("rank 1 of 2: still running after")
    assert "in hang_in_here (test_distributed_data_parallel.py:" in lines[1]
    assert "Timed out" in lines[0] or "timeout" in lines[0]
    assert seconds < 1 + 2 * launch.GRACE + 2


def test_a_rank_that_gives_no_answer_is_somewhere(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(launch.os, "kill", lambda pid, number: asked.append((pid, number)))
    (tmp_path / "stack").touch()
    assert launch._where(SimpleNamespace(pid=7), tmp_path / "stack") == "nobody knows where"
    assert asked == [(7, signal.SIGUSR1)]


def test_all_ranks_hang():
    _, lines, seconds = failure(hang_in_here, timeout=0.5)
    assert all("still running" in line for line in lines.values())
    assert seconds < 4


def test_a_result_that_cannot_travel_is_an_error_and_not_a_hang():
    _, lines, _ = failure(lambda: lambda: None)
    text = "TypeError: a result of type function cannot be pickled: "
    assert all(line.startswith(text) for line in lines.values())


def raise_an_error():
    raise ValueError("boom")


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("end", [raise_an_error, kill_myself, hang_in_here, lambda: os._exit(0)])
def test_no_process_is_left_after_any_failure(end, tmp_path):
    def fn():
        (tmp_path / str(dist.get_rank())).write_text(str(os.getpid()))
        end() if dist.get_rank() else hang_in_here()

    failure(fn, timeout=0.5)
    pids = [int(file.read_text()) for file in tmp_path.iterdir()]
    assert len(pids) == 2
    assert not any(map(alive, pids))


def test_ranks_that_disagree_about_shapes_are_told_so_by_mini_ddp_and_by_torch():
    def fn(wrap):
        wrap(nn.Linear(3, 4 + dist.get_rank()))

    message, lines, _ = failure(fn, 2, MiniDDP)
    assert len(set(lines.values())) == 1
    assert "rank 0 has [('weight', (4, 3)" in message
    assert "rank 1 has [('weight', (5, 3)" in message
    _, lines, _ = failure(fn, 2, DistributedDataParallel)
    assert len(lines) == 2


def test_ranks_that_disagree_about_the_shape_of_a_tensor_do_not_all_return():
    def fn():
        ring_all_reduce_(torch.ones(3000 + 1000 * dist.get_rank()))

    _, lines, seconds = failure(fn, timeout=3.0)
    assert lines[0] == "killed by SIGABRT"
    assert lines[1].startswith("RuntimeError: ")
    assert seconds < 6


def uneven(wrap, batches):
    model = wrap(nn.Linear(1, 1))
    for _ in range(batches[dist.get_rank()]):
        model(torch.ones(1, 1)).sum().backward()


@pytest.mark.parametrize("wrap", [MiniDDP, DistributedDataParallel])
def test_a_rank_with_a_batch_more_fails_because_the_other_has_returned(wrap):
    message, _, seconds = failure(uneven, 2, wrap, (2, 3), timeout=3.0)
    assert message.startswith("rank 1 of 2: RuntimeError")
    assert message.endswith("rank 0 of 2: returned")
    assert seconds < 6


@pytest.mark.parametrize(("divide", "last"), [(True, 0.5), (False, 1.0)])
def test_torch_join_shadows_the_rank_that_has_run_out(divide, last):
    def fn():
        model = DistributedDataParallel(nn.Linear(1, 1, bias=False))
        with model.join(divide_by_initial_world_size=divide):
            for _ in range(2 + dist.get_rank()):
                model.zero_grad()
                model(torch.ones(1, 1)).sum().backward()
        return model.module.weight.grad.item()

    assert run_ranks(fn, 2)[1] == last  # divided by two ranks although one had data, or by one


class Forked(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.unused = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x):
        return self.used(x)


def test_unused_parameters_are_named_at_once_by_mini_ddp_and_a_step_later_by_torch():
    def fn(wrap, steps):
        model = wrap(Forked())
        for _ in range(steps):
            model(torch.ones(1, 2)).sum().backward()

    _, lines, _ = failure(fn, 2, MiniDDP, 1)
    for rank, line in lines.items():
        assert line == f"RuntimeError: rank {rank}: no gradient for unused.bias, unused.weight"
    run_ranks(fn, 2, DistributedDataParallel, 1)
    _, lines, _ = failure(fn, 2, DistributedDataParallel, 2)
    assert all("Expected to have finished reduction" in line for line in lines.values())


# --- the ring ------------------------------------------------------------------------------------


def ring_round(numel, dtype):
    def draw():
        t = torch.randn(numel, generator=torch.Generator().manual_seed(dist.get_rank()))
        return (t * 8).to(dtype)

    mine, theirs, meter = draw(), draw(), WireMeter()
    ring_all_reduce_(mine, meter=meter)
    dist.all_reduce(theirs)
    return mine, theirs, meter


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_ring_equals_all_reduce_has_the_same_bits_everywhere_and_sends_what_it_must(n):
    def fn():
        cases = [(numel, torch.float64) for numel in (0, 1, 2, 3, 7, 1000, 2**16)]
        return [ring_round(*case) for case in [*cases, (7, torch.float32), (5, torch.int64)]]

    for rounds in zip(*run_ranks(fn, n), strict=True):
        first, truth, _ = rounds[0]
        assert all(torch.equal(mine, first) for mine, _, _ in rounds)
        tolerance = 1e-6 if first.dtype == torch.float32 else 1e-14
        assert torch.allclose(first.double(), truth.double(), rtol=tolerance, atol=tolerance * 50)
        if n <= 2 or first.dtype == torch.int64:
            assert torch.equal(first, truth)
        assert sum(meter.sent for _, _, meter in rounds) == 2 * (n - 1) * first.nbytes
        if first.numel() % n == 0 and first.numel():
            assert {meter.sent * n for _, _, meter in rounds} == {2 * (n - 1) * first.nbytes}
            assert {meter.messages for _, _, meter in rounds} == {2 * (n - 1)}


@settings(max_examples=4)
@given(st.integers(1, 3), st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=2, max_size=6))
def test_ring_of_any_shape(n, shapes):
    def draw(shape):
        return torch.arange(float(torch.Size(shape).numel())).view(shape)

    def fn():
        return [ring_all_reduce_(draw(shape) * (dist.get_rank() + 1)) for shape in shapes]

    for tensors in run_ranks(fn, n):
        for t, shape in zip(tensors, shapes, strict=True):
            assert torch.equal(t, draw(shape) * (n * (n + 1) // 2))


def test_the_halves_of_the_ring_are_reduce_scatter_and_all_gather():
    def fn():
        t = torch.arange(9.0) * 10 ** dist.get_rank()
        own = reduce_scatter_ring_(t).clone()
        return own, all_gather_ring_(t)

    ranks = run_ranks(fn, 3)
    want = torch.arange(9.0) * 111
    for rank, (own, whole) in enumerate(ranks):
        assert torch.equal(own, want.chunk(3)[(rank + 1) % 3])
        assert torch.equal(whole, want)


def test_ring_works_in_a_group_that_leaves_ranks_out():
    def fn():
        group = dist.new_group([0, 2])
        t = torch.tensor([1.0, 2.0]) * (dist.get_rank() + 1)
        return ring_all_reduce_(t, group).tolist() if dist.get_rank() != 1 else None

    assert run_ranks(fn, 3) == [[4.0, 8.0], None, [4.0, 8.0]]


@pytest.mark.parametrize("ring", [ring_all_reduce_, reduce_scatter_ring_, all_gather_ring_])
def test_ring_refuses_a_tensor_with_holes(ring):
    _, lines, _ = failure(lambda: ring(torch.ones(4, 4).T[:, :2]), 1)
    assert lines[0] == "ValueError: tensor must be contiguous, got strides (1, 4)"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_naive_ring_costs_n_halves_as_much_and_drifts_from_three_ranks_on(n):
    def fn():
        t, meter = torch.randn(1200), WireMeter()
        total = naive_ring_all_reduce(t, meter=meter)
        return total, ring_all_reduce_(t), meter.sent, meter.messages

    ranks = run_ranks(fn, n)
    assert {(sent, messages) for *_, sent, messages in ranks} == {((n - 1) * 4800, n - 1)}
    totals = [total for total, *_ in ranks]
    assert all(torch.allclose(total, ranks[0][1], atol=1e-5) for total in totals)
    assert all(torch.equal(total, totals[0]) for total in totals) == (n == 2)


@given(st.integers(1, 9))
def test_simulation_gathers_everything_and_never_counts_twice(n):
    steps = simulate_ring(n)
    assert len(steps) == 1 + 2 * (n - 1)
    everybody = frozenset(range(n))
    middle, end = steps[n - 1], steps[-1]
    assert all(middle.has[rank][(rank + 1) % n] == everybody for rank in range(n))
    assert all(share == everybody for row in end.has for share in row)
    for before, after in pairwise(steps):
        assert sorted(target for _, target, _ in after.sends) == list(range(n))
        for source, target, chunk in after.sends:
            if after.phase == "reduce-scatter":
                assert not before.has[source][chunk] & before.has[target][chunk]


def test_simulation_sends_the_chunks_that_the_ring_sends():
    def fn():
        sent, isend = [], dist.isend
        t = torch.arange(4.0)
        base = t.data_ptr()

        def spy(tensor, *args, **kwargs):
            sent.append((tensor.data_ptr() - base) // 4)
            return isend(tensor, *args, **kwargs)

        dist.isend = spy
        ring_all_reduce_(t)
        return sent

    sends = [step.sends for step in simulate_ring(4)[1:]]
    for rank, sent in enumerate(run_ranks(fn, 4)):
        assert sent == [chunk for step in sends for source, _, chunk in step if source == rank]


def test_simulation_refuses_no_ranks():
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        simulate_ring(0)


def fewest_messages(n):
    """Search all orders of one-way messages after which everybody knows every share."""
    start = tuple(1 << rank for rank in range(n))
    goal, seen, queue = tuple([2**n - 1] * n), {start}, deque([(start, 0)])
    while queue:
        state, count = queue.popleft()
        if state == goal:
            return count
        for a, b in permutations(range(n), 2):
            new = (*state[:b], state[b] | state[a], *state[b + 1 :])
            if new not in seen:
                seen.add(new)
                queue.append((new, count + 1))
    return None


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_no_order_of_messages_beats_the_lower_bound(n):
    assert fewest_messages(n) == 2 * (n - 1)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_cost_model_counts_what_the_meters_count(n):
    def fn(algo):
        meter = WireMeter()
        algo(torch.ones(1200), meter=meter)
        return meter

    for meters in run_ranks(lambda: [fn(ring_all_reduce_), fn(naive_ring_all_reduce)], n):
        for name, meter in zip(("ring", "naive"), meters, strict=True):
            assert meter.messages == allreduce_cost(4800, n, 1, 0, name)
            assert meter.sent == allreduce_cost(4800, n, 0, 1, name)


def test_cost_known_values():
    assert allreduce_cost(100, 1, 1, 1) == 0
    assert allreduce_cost(100, 4, 1, 1) == 6 + 150
    assert allreduce_cost(100, 4, 1, 1, "naive") == 3 + 300
    assert allreduce_cost(100, 4, 1, 1, "server") == 6 + 600
    assert allreduce_cost(100, 4, 1, 1, "tree") == 4 + 400
    assert allreduce_cost(100, 4, 1, 1, "halving") == 4 + 150
    assert allreduce_cost(100, 5, 1, 0, "tree") == 6


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((-1, 2, 1, 1), "got -1, 1, 1, 2"),
        ((1, 0, 1, 1), "got 1, 1, 1, 0"),
        ((1, 2, -1, 1), "got 1, -1, 1, 2"),
        ((1, 2, 1, -1), "got 1, 1, -1, 2"),
        ((1, 2, 1, 1, "star"), "got 'star'"),
        ((1, 3, 1, 1, "halving"), "power of two, got N = 3"),
    ],
)
def test_cost_refuses_nonsense(args, message):
    with pytest.raises(ValueError, match=message):
        allreduce_cost(*args)


@pytest.mark.parametrize("setting", ["default", "cap25", "cap10", "cap5"])
def test_mini_ddp_fills_the_buckets_that_torch_comes_to(setting):
    buckets = records.load("large-model/distributed-data-parallel").results["buckets"][setting]
    assert buckets["torch"]["first"] == "36.04"
    assert buckets["torch"]["second"] == buckets["torch"]["third"] == buckets["mini"]
    launched = [i for kind, i in buckets["events"] if kind == "launch"]
    assert launched == list(range(buckets["mini"].count("+") + 1))


# --- MiniDDP -------------------------------------------------------------------------------------


def network(width=8, dtype=torch.float32):
    torch.manual_seed(0)
    layers = [nn.Linear(width, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 4)]
    return nn.Sequential(*layers).to(dtype)


def five_steps(wrap, accumulate=1, dtype=torch.float32):
    rank, n = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
    model = wrap(network(dtype=dtype))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    generator = torch.Generator().manual_seed(1)
    for _ in range(5):
        optimizer.zero_grad()
        for k in range(accumulate):
            x = torch.randn(16, 8, generator=generator, dtype=dtype)[rank::n]
            y = torch.randn(16, 4, generator=generator, dtype=dtype)[rank::n]
            if k < accumulate - 1 and n > 1:
                with model.no_sync():
                    (model(x) - y).square().mean().backward()
            else:
                (model(x) - y).square().mean().backward()
        optimizer.step()
    return [p.detach() for p in model.parameters()]


def apart(left, right):
    return max((a - b).abs().max().item() for a, b in zip(left, right, strict=True))


def small(module):
    return MiniDDP(module, bucket_cap_mb=0.0005, first_bucket_mb=0.0001)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("wrap", [MiniDDP, small], ids=["one bucket", "many buckets"])
def test_two_ranks_give_the_bits_of_torch(wrap, accumulate):
    def fn():
        return [five_steps(kind, accumulate) for kind in (wrap, DistributedDataParallel)]

    assert [apart(mine, theirs) for mine, theirs in run_ranks(fn, 2)] == [0, 0]


@pytest.mark.parametrize("n", [2, 3, 4])
def test_any_number_of_ranks_agrees_with_torch_and_with_one_process(n):
    def fn():
        return [five_steps(wrap, 2, torch.float64) for wrap in (small, DistributedDataParallel)]

    alone = five_steps(lambda module: module, 2, torch.float64)
    mine, (theirs, *_) = zip(*run_ranks(fn, n), strict=True)
    if 16 % n == 0:  # shards of equal size: the mean of means is the mean
        assert apart(mine[0], alone) < 1e-15 * 10
    assert apart(mine[0], theirs) < 1e-15 * 10
    assert all(apart(other, mine[0]) == 0 for other in mine)


def test_rank_zero_decides_how_training_starts_buffers_included():
    def fn():
        torch.manual_seed(dist.get_rank())
        module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        module[1].running_mean += dist.get_rank()
        MiniDDP(module)
        return [t.clone() for t in module.state_dict().values()]

    first, second = run_ranks(fn, 2)
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_buckets_are_in_reverse_order_and_close_when_full():
    def fn():
        model = MiniDDP(nn.Sequential(*(nn.Linear(256, 256) for _ in range(4))), 0.5, 0.25)
        return [bucket.names for bucket in model.buckets]

    assert run_ranks(fn, 1)[0] == [
        ["3.bias", "3.weight"],
        ["2.bias", "2.weight", "1.bias", "1.weight"],
        ["0.bias", "0.weight"],
    ]


def test_reduction_starts_before_the_last_gradient_is_there():
    def fn():
        model = small(network())
        model(torch.ones(1, 8)).sum().backward()
        return model.events

    events = run_ranks(fn, 2)[0]
    kinds = [kind for kind, _ in events]
    assert kinds.index("launch") < len(kinds) - 1 - kinds[::-1].index("ready")
    assert [i for kind, i in events if kind == "launch"] == [0, 1, 2]
    assert kinds[-3:] == ["finish"] * 3


def test_reduction_comes_to_its_end_while_backward_still_runs():
    def fn():
        net = network()
        model, seen = small(net), []

        def wait_for_first_bucket(grad):
            deadline = time.monotonic() + 10
            while not model.buckets[0].work.is_completed() and time.monotonic() < deadline:
                time.sleep(0.001)
            seen.append((model.buckets[0].work.is_completed(), net[0].weight.grad is None))

        def watch(module, args, out):
            out.register_hook(wait_for_first_bucket)

        net[0].register_forward_hook(watch)
        model(torch.ones(1, 8)).sum().backward()
        return seen

    assert run_ranks(fn, 2) == [[(True, True)]] * 2


def test_launches_keep_their_order_when_gradients_do_not():
    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.late, self.early = nn.Linear(64, 64), nn.Linear(64, 64)

        def forward(self, x):  # used in the reverse of the order of definition
            return self.late(self.early(x))

    def fn():
        model = MiniDDP(Crossed(), 0.01, 0.01)
        model(torch.ones(1, 64)).sum().backward()
        return model.events

    events = run_ranks(fn, 2)[0]
    assert [i for kind, i in events if kind == "launch"] == [0, 1]
    assert events[:2] == [("ready", "late.bias"), ("ready", "late.weight")]
    assert events[2][0] == "ready"  # bucket 1 is full, but bucket 0 goes first


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MiniDDP(nn.Linear(1, 1), 0), "ValueError: sizes must be positive, got 0, 1"),
        (lambda: MiniDDP(nn.Linear(1, 1), 25, -1), "sizes must be positive, got 25, -1"),
        (lambda: MiniDDP(nn.Tanh()), "ValueError: module has no parameter that requires grad"),
        (
            lambda: MiniDDP(nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1).double())),
            "ValueError: parameters must be of one dtype, got torch.float32, torch.float64",
        ),
        (
            lambda: MiniDDP(nn.LSTM(1, 1))(torch.ones(1, 1, 1)),
            "TypeError: module must return a tensor, got tuple",
        ),
    ],
)
def test_mini_ddp_refuses(make, message):
    assert message in failure(make, 1)[1][0]


def test_a_bucket_lives_where_its_parameters_live():
    bucket = Bucket(["w"], [torch.empty(2, 3, dtype=torch.float64, device="meta")])
    assert (bucket.flat.device.type, bucket.flat.dtype, bucket.flat.numel()) == (
        "meta",
        torch.float64,
        6,
    )


def test_no_sync_ends_also_when_its_body_raises():
    def fn():
        model = MiniDDP(nn.Linear(1, 1))
        with pytest.raises(KeyError), model.no_sync():
            raise KeyError
        return model.sync

    assert run_ranks(fn, 1) == [True]


def test_forward_without_grad_arms_nothing():
    def fn():
        model = MiniDDP(nn.Linear(1, 1))
        with torch.no_grad():
            model(torch.ones(1, 1))
        return model.armed

    assert run_ranks(fn, 1) == [False]


# --- synchronised batch norm ---------------------------------------------------------------------


def test_batch_norm_over_the_ranks_is_batch_norm_over_the_batch():
    kinds = [
        {"momentum": momentum, "affine": affine, "dtype": torch.float64}
        for momentum in (0.1, None, 0.0)
        for affine in (True, False)
    ]
    x = torch.randn(7, 3, dtype=torch.float64)
    y = torch.randn(7, 3, dtype=torch.float64)

    def step(norm, rows):
        z = x[rows].clone().requires_grad_()
        for _ in range(2):
            (norm(z) * y[rows]).sum().backward()
        grads = [p.grad for p in norm.parameters()]
        eval_out = norm.eval()(x)
        return z.grad, grads, list(norm.buffers()), eval_out

    rows = [[0, 1, 4], [2, 3, 5, 6]]  # of different sizes, too

    def fn():
        return [step(SyncBatchNorm1d(3, **kind), rows[dist.get_rank()]) for kind in kinds]

    for kind, *ranks in zip(kinds, *run_ranks(fn, 2), strict=True):
        grad, grads, buffers, out = step(nn.BatchNorm1d(3, **kind), list(range(7)))
        for (part, _, own_buffers, own_out), own in zip(ranks, rows, strict=True):
            assert torch.allclose(part, grad[own], atol=1e-12)
            assert apart(own_buffers, buffers) < 1e-12
            assert torch.allclose(own_out, out, atol=1e-12)
        for own, other, whole in zip(ranks[0][1], ranks[1][1], grads, strict=True):
            assert torch.allclose(own + other, whole, atol=1e-12)


def test_batch_norm_without_memory_is_that_of_torch():
    x = torch.randn(6, 3)
    ours = run_ranks(lambda: SyncBatchNorm1d(3, track_running_stats=False)(x).detach(), 1)[0]
    torch.testing.assert_close(ours, nn.BatchNorm1d(3, track_running_stats=False)(x).detach())


def test_torch_sync_batch_norm_wants_gpus():
    def fn():
        DistributedDataParallel(nn.SyncBatchNorm(3))(torch.ones(2, 3))

    assert "SyncBatchNorm" in failure(fn, 1)[1][0]


def test_batch_norm_refuses_a_single_row():
    norm = "ValueError: training needs 2 rows over all ranks, got 1"
    assert failure(lambda: SyncBatchNorm1d(3)(torch.ones(1, 3)), 1)[1][0] == norm
    run_ranks(lambda: SyncBatchNorm1d(3)(torch.ones(1, 3)), 2)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 5)])
def test_batch_norm_refuses_what_is_not_a_matrix(shape):
    lines = failure(lambda: SyncBatchNorm1d(3)(torch.ones(shape)), 1)[1]
    assert lines[0] == f"ValueError: input must be batch x features, got shape {shape}"


# --- the trainer ---------------------------------------------------------------------------------


def train(**options):
    return Trainer(Config(**options)).run()


SHORT = {"rows": 48, "every": 2, "dropout": 0.1}
"""Two epochs of three steps: checkpoints after steps 2 and 4, each in the middle of an epoch."""


@functools.cache
def never_interrupted(n):
    """Return what ``n`` ranks come to when nothing fails."""
    return run_ranks(lambda: train(**SHORT), n)


def test_one_two_and_four_ranks_agree():
    alone = train(rows=48)
    assert alone["losses"][-1] < alone["losses"][0] * 0.75
    for n in (1, 2, 4):
        for result in run_ranks(lambda: train(rows=48), n):
            assert result["backend"] == "gloo"
            assert result["losses"] == pytest.approx(alone["losses"], rel=1e-9)
            assert result["parameter_sum"] == pytest.approx(alone["parameter_sum"], rel=1e-6)


def test_accumulation_agrees_with_one_big_batch():
    def losses(accumulate):
        # without batch norm's statistics in the way: only the first step is comparable
        return train(accumulate=accumulate, epochs=1)["losses"]

    assert losses(1)[0] != losses(2)[0]  # batch norm sees other batches
    assert losses(2) == pytest.approx(run_ranks(losses, 2, 2)[0], rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_resume_goes_on_with_the_same_bits(n, tmp_path):
    options = {**SHORT, "save": str(tmp_path)}
    failure(lambda: train(**options, fault="kill:0:5"), n)
    again = run_ranks(lambda: train(**options, resume="latest"), n)
    for before, after in zip(never_interrupted(n), again, strict=True):
        assert after["resumed_from"] == "step-000004.pt"
        assert after["losses"] == before["losses"]
        assert after["parameter_sum"] == before["parameter_sum"]


def test_a_process_without_a_group_resumes_with_the_same_bits(tmp_path):
    whole = train(**SHORT, save=str(tmp_path))
    (tmp_path / "step-000006.pt").unlink()
    again = train(**SHORT, save=str(tmp_path), resume="latest")
    assert again["resumed_from"] == "step-000004.pt"
    assert again["losses"] == whole["losses"]
    assert again["parameter_sum"] == whole["parameter_sum"]


def test_without_settling_four_ranks_resume_with_other_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "settle", lambda self: None)
    whole = run_ranks(lambda: train(**SHORT, save=str(tmp_path)), 4)[0]
    last = str(tmp_path / "step-000004.pt")
    again = run_ranks(lambda: train(**SHORT, resume=last), 4)[0]
    assert again["parameter_sum"] != whole["parameter_sum"]
    assert again["losses"] == pytest.approx(whole["losses"], rel=1e-9)


@pytest.mark.parametrize(
    ("fault", "culprit"),
    [
        ("raise:1:5", "RuntimeError: rank 1 failed at step 5"),
        ("kill:1:5", "killed by SIGKILL"),
        ("hang:1:5", "still running after"),
    ],
)
def test_training_survives_every_fault_by_resuming(fault, culprit, tmp_path):
    options = {**SHORT, "save": str(tmp_path)}
    message, lines, seconds = failure(lambda: train(**options, fault=fault), timeout=2.0)
    assert message.startswith(f"rank 1 of 2: {culprit}")
    assert set(lines) == {0, 1}
    assert seconds < 6
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["step-000002.pt", "step-000004.pt"]
    again = run_ranks(lambda: train(**options, resume="latest"), 2)[0]
    assert again["losses"] == never_interrupted(2)[0]["losses"]


def test_killed_while_writing_a_checkpoint_leaves_the_last_good_one(tmp_path):
    options = {**SHORT, "save": str(tmp_path)}

    def fn():
        def die(fd):
            if len(list(tmp_path.glob("step-*.pt"))) == 2:
                os.ftruncate(fd, 1000)
                os.kill(os.getpid(), signal.SIGKILL)

        training.os.fsync = die
        return train(**options)

    message, _, _ = failure(fn)
    assert message.startswith("rank 0 of 2: killed by SIGKILL")
    names = sorted(file.name for file in tmp_path.iterdir() if not file.name.startswith("."))
    assert names == ["step-000002.pt", "step-000004.pt"]
    again = run_ranks(lambda: train(**options, resume="latest"), 2)[0]
    assert again["resumed_from"] == "step-000004.pt"
    assert again["losses"] == never_interrupted(2)[0]["losses"]


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Give a folder with checkpoints of two ranks after steps 3 and 6, written once."""
    folder = tmp_path_factory.mktemp("checkpoints")
    run_ranks(lambda: train(save=str(folder), epochs=1), 2)
    return folder


def test_a_checkpoint_cut_off_is_refused_by_every_rank_and_skipped_by_latest(checkpoints, tmp_path):
    shutil.copytree(checkpoints, tmp_path, dirs_exist_ok=True)
    last = tmp_path / "step-000006.pt"
    whole = last.read_bytes()
    cuts = [whole[:length] for length in (0, 30, 64, 65, 1000, -1)]
    for i, cut in enumerate(cuts):
        (tmp_path / f"cut-{i}.pt").write_bytes(cut)
        last.write_bytes(cut)
        assert latest_checkpoint(tmp_path) == tmp_path / "step-000003.pt"

    def fn():
        for i in range(len(cuts)):
            text = rf"^rank {dist.get_rank()}: cut-{i}\.pt is damaged"
            with pytest.raises(CheckpointError, match=text):
                train(resume=str(tmp_path / f"cut-{i}.pt"))
        train(resume=str(last))

    _, lines, _ = failure(fn)
    for rank, line in lines.items():
        assert line.startswith(f"CheckpointError: rank {rank}: step-000006.pt is damaged")


def test_a_flipped_bit_is_noticed(tmp_path):
    path = tmp_path / "step-000001.pt"
    save_checkpoint(path, {"model": torch.arange(100.0)})
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"step-000001\.pt is damaged"):
        load_checkpoint(path)


def test_a_checkpoint_that_one_rank_cannot_use_stops_every_rank(checkpoints):
    def refuse(path):
        raise CheckpointError(f"{path.name} is damaged")

    def fn():
        if dist.get_rank() == 1:
            training.load_checkpoint = refuse
        train(resume=str(checkpoints / "step-000006.pt"))

    message, lines, seconds = failure(fn)
    assert message.startswith("rank 1 of 2: CheckpointError: rank 1: step-000006.pt is damaged")
    assert "Connection" in lines[0]
    assert seconds < 5


def test_ranks_that_would_resume_from_different_steps_are_told_so(checkpoints):
    def fn():
        train(resume=str(checkpoints / f"step-00000{(3, 6)[dist.get_rank()]}.pt"))

    _, lines, _ = failure(fn)
    text = "ranks disagree about the step to resume from: rank 0 has 3, rank 1 has 6"
    assert lines == {0: f"ValueError: {text}", 1: f"ValueError: {text}"}


def test_a_checkpoint_of_another_world_size_is_refused_by_every_rank(checkpoints):
    _, lines, _ = failure(lambda: train(save=str(checkpoints), resume="latest"), 4)
    for rank, line in lines.items():
        text = "step-000006.pt was saved by 2 ranks, not 4"
        assert line == f"CheckpointError: rank {rank}: {text}"


def test_a_checkpoint_that_is_not_there(tmp_path):
    _, lines, _ = failure(lambda: train(resume=str(tmp_path / "none.pt")))
    assert "rank 0: none.pt cannot be read: No such file" in lines[0]
    assert latest_checkpoint(tmp_path) is None
    assert train(save=str(tmp_path), resume="latest", epochs=1)["resumed_from"] == ""


def test_a_full_disk_leaves_no_half_checkpoint(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    path = tmp_path / "step-000001.pt"
    save_checkpoint(path, {"step": 1})
    monkeypatch.setattr(training.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"step": 2})
    assert [file.name for file in tmp_path.iterdir()] == ["step-000001.pt"]
    assert load_checkpoint(path) == {"step": 1}


@pytest.mark.parametrize("options", [{"batch": 6}, {"rows": 100}, {"accumulate": 3}])
def test_a_batch_that_cannot_be_shared_is_refused(options):
    with pytest.raises(ValueError, match="batch must be a multiple of"):
        Config(**options).check(4 if "batch" in options else 2)


def test_every_rank_refuses_a_batch_that_cannot_be_shared():
    _, lines, _ = failure(lambda: train(batch=6), 4)
    text = "batch must be a multiple of 8 (ranks x accumulate) and divide rows, "
    assert set(lines.values()) == {f"ValueError: {text}got batch 6, rows 96"}


@pytest.mark.parametrize("name", ["rows", "batch", "accumulate", "epochs", "every"])
def test_sizes_that_are_not_positive_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be >= 1, got 0"):
        Trainer(Config(**{name: 0}))


def test_sampler_pads_and_set_epoch_reshuffles():
    def shares(**options):
        return [list(DistributedSampler(range(10), 4, rank, **options)) for rank in range(4)]

    assert shares(shuffle=False) == [[0, 4, 8], [1, 5, 9], [2, 6, 0], [3, 7, 1]]
    assert {len(share) for share in shares(shuffle=False, drop_last=True)} == {2}
    trainer = Trainer(Config())
    epochs = []
    for trainer.step in range(12):
        epochs.append(trainer.batch().tolist())
    assert sorted(chain(*epochs[:6])) == sorted(chain(*epochs[6:])) == list(range(96))
    assert epochs[:6] != epochs[6:]


def test_backend_is_nccl_with_a_gpu_per_rank_and_gloo_without(monkeypatch):
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    for gpus, want in ((0, "gloo"), (1, "gloo"), (2, "nccl")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda gpus=gpus: gpus)
        backend, device = choose_backend()
        assert (backend, str(device)) == (want, "cuda:1" if want == "nccl" else "cpu")


@pytest.mark.parametrize(("gpus", "asked"), [(2, ["cuda:1", "nccl"]), (1, ["gloo"])])
@pytest.mark.parametrize("start", [quickstart_ddp.main, join_group])
def test_scripts_turn_to_their_own_gpu_and_ask_for_nccl(start, gpus, asked, monkeypatch):
    class AskedError(Exception):
        pass

    said = []

    def init_process_group(backend, **options):
        said.append(backend)
        raise AskedError

    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.delenv("TORCHELASTIC_USE_AGENT_STORE", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: said.append(str(device)))
    monkeypatch.setattr(dist, "init_process_group", init_process_group)
    with pytest.raises(AskedError):
        start()
    assert said == asked


def test_a_gloo_group_trains_on_the_cpu_even_where_there_are_gpus(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    assert str(Trainer(Config()).device) == "cpu"
    assert run_ranks(lambda: str(Trainer(Config()).device), 2) == ["cpu", "cpu"]


# --- torchrun: from a fork here, as a command on the page ----------------------------------------


def test_quick_start_gives_equal_losses_and_says_its_backend(capsys):
    def fn(main):
        os.environ["LOCAL_WORLD_SIZE"] = "2"
        dist.init_process_group = dist.destroy_process_group = lambda *args: None
        with contextlib.redirect_stdout(io.StringIO()) as out:
            main()
        return out.getvalue()

    quickstart_single.main()
    alone = json.loads(capsys.readouterr().out)
    first, second = run_ranks(fn, 2, quickstart_ddp.main)
    assert json.loads(first)["losses"] == pytest.approx(alone["losses"], rel=1e-12)
    assert alone["losses"][-1] < alone["losses"][0] / 4
    assert json.loads(first)["backend"] == "gloo"
    assert second == ""


def forked(main, tmp_path, seconds=60):
    """Call ``main`` in a fork, where nothing is imported again; return what it prints."""

    def run():
        os.setpgid(0, 0)
        with (tmp_path / "printed").open("w") as sys.stdout:
            main()

    process = multiprocessing.get_context("fork").Process(target=run)
    with launch._quiet_fork():
        process.start()
    process.join(seconds)
    with contextlib.suppress(ProcessLookupError):  # whoever is still there
        os.killpg(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == 0
    return (tmp_path / "printed").read_text()


def test_torchrun_restarts_after_a_killed_rank_and_the_bits_are_the_same(tmp_path):
    script = tmp_path / "train.py"  # ddp_train.py without its last line: here workers must return
    script.write_text(f"from {training.__name__} import main\n\nmain()\n")
    agent = ["--standalone", "--nproc-per-node", "2", "--max-restarts", "1"]
    agent += ["--start-method", "fork", "--run-path", str(script)]
    options = [f"--{name}={value}" for name, value in SHORT.items()]
    options += ["--save", str(tmp_path), "--resume", "latest", "--fault", "kill:1:5"]
    printed = forked(lambda: torchrun.main([*agent, *options]), tmp_path)
    result, whole = json.loads(printed), never_interrupted(2)[0]
    assert result["resumed_from"] == "step-000004.pt"
    assert result["losses"] == whole["losses"]
    assert result["parameter_sum"] == whole["parameter_sum"]


def test_the_script_trains_in_one_process(tmp_path, monkeypatch):
    script = str(FOLDER / "ddp_train.py")
    options = [f"--{name}={value}" for name, value in SHORT.items()]
    monkeypatch.setattr(sys, "argv", [script, "--single", *options])
    printed = forked(lambda: runpy.run_path(script, run_name="__main__"), tmp_path)
    assert json.loads(printed) == train(**SHORT)


# --- silent traps and the outlook ----------------------------------------------------------------


@pytest.mark.parametrize("wrap", [DistributedDataParallel, MiniDDP])
def test_habits_of_no_sync(wrap):
    right, wrong = [12.0, 12.0], [8.0, 16.0]
    assert no_sync_table(wrap) == {
        "right": NoSyncOutcome(right, 1),
        "never": NoSyncOutcome(right, 3),
        "first": NoSyncOutcome(wrong, 1),
        "flag": NoSyncOutcome(wrong, 1),
        "backward": NoSyncOutcome(right, 3),
    }


def test_checkpointing_inside_data_parallelism():
    table = checkpoint_table()
    assert {table[key] for key in table if not key[1]} == {"right"}  # hooks variant: always
    reentrant = {(wrap, use): outcome for (wrap, way, use), outcome in table.items() if way}
    assert [reentrant[wrap, "once"] for wrap in ("DDP", "static_graph", "MiniDDP")] == ["right"] * 3
    assert "ready only once" in reentrant["find_unused", "once"]
    assert reentrant["DDP", "shared"] == "wrong"
    assert "ready only once" in reentrant["find_unused", "shared"]
    assert reentrant["static_graph", "shared"] == "right"
    assert reentrant["MiniDDP", "shared"].endswith("became ready twice in one backward")
    assert "Expected to have finished reduction" in reentrant["DDP", "no grad"]
    assert reentrant["find_unused", "no grad"] == reentrant["static_graph", "no grad"] == "wrong"
    assert reentrant["MiniDDP", "no grad"].endswith("no gradient for inner.bias, inner.weight")


@pytest.mark.parametrize("n", [2, 4])
def test_sharding_costs_half_as_much_again_and_keeps_one_nth(n):
    def build():
        torch.manual_seed(0)
        return nn.Sequential(*(nn.Linear(64, 64) for _ in range(4)))

    x = torch.randn(8, 64)
    net = build()
    net(x).square().mean().backward()
    for reshard, gathers in ((True, 8), (False, 4)):
        fn = lambda again: sharded_step(build, x, reshard_after_forward=again)  # noqa: E731
        for result in run_ranks(fn, n, reshard):
            assert result["calls"] == {"allgather": gathers, "reduce_scatter": 4}
            assert result["sent"] == (3 if reshard else 2) * (n - 1) / n
            assert result["kept"] == 1 / n
            assert apart(result["grads"], [p.grad for p in net.parameters()]) < 1e-7
