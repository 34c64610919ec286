"""Ranks on one machine: fork them, hear from each, and never wait longer than promised.

Made for pages and tests, where a rank must be there at once; for real jobs there is torchrun.
Left out: GPUs (a forked child cannot use CUDA once the parent has), several machines, restarts.
"""

import contextlib
import faulthandler
import importlib
import multiprocessing
import os
import pickle
import re
import signal
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
import torch.distributed as dist

GRACE = 1.0
"""Seconds that the other ranks get to say how they end, once one has failed."""


_TRANSPORT = re.compile("gloo|[Tt]imed out|timeout|by peer|pair closure|Broken pipe")
"""What the transport says when another rank has gone."""

_NOISE = re.compile(
    r"\[[^\]]*gloo[^\]]*\]\s*"  # the line of gloo's source
    r"| \[[\d.]+\]:\d+"  # an address
    "| This is typically.*"  # advice
)
"""What is left out of the transport's messages."""


class _End(NamedTuple):
    """How a rank ended; suspicion 0: returned, 1: victim of others, or more."""

    suspicion: int
    what: Any
    traceback: str = ""


class RanksFailed(RuntimeError):
    """Some rank did not return; the message has a line per rank, suspects first.

    Attributes:
        lines: what each rank ended in, by rank.
    """

    def __init__(self, ends: dict[int, _End]) -> None:
        """Word the message; tracebacks of the ranks become notes."""
        self.lines = dict[int, str]()
        for rank, end in ends.items():
            self.lines[rank] = end.what if end.suspicion else "returned"
        order = sorted(ends, key=lambda rank: (-ends[rank].suspicion, rank))
        n = len(ends)
        lines = [f"rank {rank} of {n}: {self.lines[rank]}" for rank in order]
        super().__init__("\n".join(lines))
        for rank in order:
            if ends[rank].traceback:
                self.add_note(f"rank {rank}: {ends[rank].traceback}")


def run_ranks(
    fn: Callable[..., Any],
    world_size: int,
    *args: Any,
    timeout: int | float = 20.0,
) -> list[Any]:
    """Call ``fn(*args)`` on forked ranks joined by gloo, return their results.

    Each rank has one thread and a seed of its own.  No collective and no rank
    lasts longer than ``timeout`` seconds; after a failure the others get
    ``GRACE`` more.  None is left behind.

    Raises:
        ValueError: ``world_size`` or ``timeout`` is not positive.
        RanksFailed: a rank raised, died or did not end in time.
    """
    if world_size < 1 or timeout <= 0:
        got = world_size, timeout
        raise ValueError(f"world_size, timeout must be positive, got {got}")
    importlib.import_module("torch._dynamo")  # for DDP: once, not in every rank
    processes, receivers = [], {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            for rank in range(world_size):
                task = fn, args, rank, world_size, Path(folder), timeout
                process, receiver = _fork_rank(*task)
                processes.append(process)
                receivers[receiver] = rank
            ends = _hear(receivers, processes, timeout, Path(folder))
        finally:
            for process in processes:
                process.kill()
                process.join()
            for receiver in receivers:
                receiver.close()
    if any(end.suspicion for end in ends.values()):
        raise RanksFailed(ends)
    return [ends[rank].what for rank in range(world_size)]


def _fork_rank(*task: Any) -> tuple[Any, Connection]:
    """Start a rank; return its process and the pipe on which it will report."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    task = *task, sender
    process = context.Process(target=_rank_main, args=task, daemon=True)
    with _quiet_fork():
        process.start()
    sender.close()  # so that the end of the rank is the end of the pipe
    return process, receiver


@contextlib.contextmanager
def _quiet_fork():
    """Silence Python 3.12's warning that forking beside threads may deadlock.

    It is right in general: a lock that another thread holds at the fork stays
    locked for ever.  Here the other threads are torch's idle workers, and a
    child that hangs all the same is killed at its time-out: an error at worst.
    """
    with warnings.catch_warnings():
        text = ".*multi-threaded.*fork"
        warnings.filterwarnings("ignore", text, DeprecationWarning)
        yield


def _hear(
    receivers: dict[Any, int], processes: list[Any], timeout: float, folder: Path
) -> dict[int, _End]:
    """Collect how every rank ends, killing those that do not."""
    start = time.monotonic()
    deadline = start + timeout + GRACE
    waiting, ends = set(receivers), dict[int, _End]()
    while waiting:
        ready = wait(list(waiting), max(0.0, deadline - time.monotonic()))
        if not ready:
            break
        for receiver in cast(list[Connection], ready):
            waiting.remove(receiver)
            rank = receivers[receiver]
            try:
                ends[rank] = pickle.loads(receiver.recv_bytes())
            except EOFError:
                processes[rank].join()
                ends[rank] = _End(4, _obituary(processes[rank].exitcode))
            if ends[rank].suspicion:
                deadline = min(deadline, time.monotonic() + GRACE)
    for receiver in waiting:
        rank = receivers[receiver]
        where = _where(processes[rank], folder / f"rank{rank}.stack")
        lasted = f"{time.monotonic() - start:.1f} s"
        ends[rank] = _End(2, f"still running after {lasted}, {where}; killed")
    return ends


def _obituary(exitcode: int) -> str:
    if exitcode >= 0:
        return f"exited with code {exitcode} and no result"
    return f"killed by {signal.Signals(-exitcode).name}"


def _where(process: Any, stack: Path) -> str:
    """Ask a rank that hangs for its line; it answers even from inside C code."""
    os.kill(process.pid, signal.SIGUSR1)
    frame = r'File "(.*)", line (\d+) in (\w+)'
    for _ in range(20):
        time.sleep(0.01)
        if found := re.search(frame, stack.read_text()):
            return f"in {found[3]} ({Path(found[1]).name}:{found[2]})"
    return "nobody knows where"


def _rank_main(
    fn: Callable[..., Any],
    args: tuple,
    rank: int,
    world_size: int,
    folder: Path,
    timeout: float,
    sender: Connection,
) -> None:
    """Be one rank: join the group, call the function, report, leave."""
    threading.Thread(target=_die_with_parent, daemon=True).start()
    faulthandler.disable()  # a rank that aborts gets a line from us, not a page
    stack = (folder / f"rank{rank}.stack").open("w")
    faulthandler.register(signal.SIGUSR1, stack, all_threads=False)
    torch.set_num_threads(1)
    torch.manual_seed(rank)  # forked ranks would otherwise draw the same numbers
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if sys.platform == "linux" else "lo0"
    numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size}
    os.environ |= {name: str(number) for name, number in numbers.items()}
    try:
        dist.init_process_group(
            "gloo",
            init_method=f"file://{folder}/rendezvous",
            rank=rank,
            world_size=world_size,
            timeout=timedelta(seconds=timeout),
        )
        dist.barrier()  # who fails at once must not keep the others from joining
        end = _pack(fn(*args))
        dist.destroy_process_group()
    except BaseException as error:
        end = pickle.dumps(_autopsy(error))
    sender.send_bytes(end)


def _pack(result: Any) -> bytes:
    """Pickle a result; the error is the same on every version of Python."""
    try:
        return pickle.dumps(_End(0, result))
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        text = f"a result of type {type(result).__name__} cannot be pickled"
        raise TypeError(f"{text}: {error}") from error


def _die_with_parent() -> None:
    """Leave no orphan, even where the parent is killed and cleans up nothing."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _autopsy(error: BaseException) -> _End:
    """Word an error; the transport's is taken to follow from another rank's."""
    text = str(error)
    transport = isinstance(error, dist.DistError) or _TRANSPORT.search(text)
    text = f"{type(error).__name__}: {_NOISE.sub('', text)}".split("\n")[0]
    return _End(1 if transport else 3, text, traceback.format_exc())


def agree(what: str, value: Any) -> None:
    """Check that all ranks have an equal value, before one waits in vain.

    Raises:
        ValueError: the ranks disagree; every rank is told which has what.
    """
    values: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(values, value)
    if any(other != values[0] for other in values):
        who = ", ".join(f"rank {r} has {v}" for r, v in enumerate(values))
        raise ValueError(f"ranks disagree about {what}: {who}")
