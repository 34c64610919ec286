"""`make stress`: doctests and tests once for each hash seed and number of threads, under load.

SEEDS and THREADS are lists of numbers, PAGES the pages to run (all when there is none) and TESTS
what pytest is to run; all come from the environment.  A seed decides the hashes of strings and the
order of pages and tests.  Meanwhile processes that compute without end keep half of the cores busy.
Whatever fails is reported and the rest goes on; the exit code is 1 if anything did.
"""

import multiprocessing
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCTEST = ["sphinx", "-b", "doctest", "-d", "_build/doctrees", "-q", "-j", "auto", "--no-color"]
DOCTEST += ["-D", "doctest_timeout=1800"]
FAULTS = re.compile(r"^(?:FAILED|ERROR) .*|^.*:\d+: ERROR: .*|^INTERNALERROR> .*", re.MULTILINE)


def spin() -> None:
    """Compute until the process that wanted it is gone."""
    parent = os.getppid()
    while os.getppid() == parent:
        pass


@contextmanager
def load(cores: int) -> Iterator[None]:
    """Keep that many cores busy."""
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=spin, daemon=True) for _ in range(cores)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def faults(command: list[str], seed: int, threads: int) -> list[str]:
    """Run a command; return what it reports as failed, or the end of what it said."""
    variables = {"PYTHONHASHSEED": str(seed), "OMP_NUM_THREADS": str(threads)}
    variables["OMP_WAIT_POLICY"] = "PASSIVE"  # a thread that spins while it waits starves the other
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode == 0:
        return []
    return FAULTS.findall(done.stdout) or [f"exit code {done.returncode}: {done.stdout[-2000:]}"]


def main(seeds: list[int], threads: list[int], pages: list[str], tests: list[str]) -> int:
    """Run everything for every seed and number of threads; return how many runs failed."""
    bad = 0
    for count in threads:
        for seed in seeds:
            commands = {
                "doctest": [*DOCTEST, f"-Ddoctest_seed={seed + 1}", ".", "_build/stress", *pages],
                "pytest": ["pytest", "-q", "-rfE", f"--randomly-seed={seed}", *tests],
            }
            for name, command in commands.items():
                with load(max(1, (os.cpu_count() or 1) // 2)):
                    found = faults(command, seed, count)
                bad += bool(found)
                result = f"{len(found)} failures" if found else "passed"
                print(f"seed {seed}, {count} threads, {name}: {result}", *found, sep="\n  ")
                sys.stdout.flush()
    return bad


if __name__ == "__main__":
    seeds, threads, pages, tests = (
        os.environ.get(name, "").split() for name in ("SEEDS", "THREADS", "PAGES", "TESTS")
    )
    sys.exit(main([int(n) for n in seeds], [int(n) for n in threads], pages, tests) > 0)
