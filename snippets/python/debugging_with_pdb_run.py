"""What it costs to wait for a breakpoint: times slower than without a debugger, and events."""

import sys
from bdb import Breakpoint
from collections import Counter
from collections.abc import Callable
from functools import partial
from io import StringIO
from pdb import Pdb
from typing import Any

from snippets.common.measure import ratio
from snippets.python.debugging_with_pdb import DEMO, MiniPdb, import_demo

mean = import_demo("utils").mean

INPUTS = {"values": 3000, "repeats": 15}
CHEAP = {"repeats": 0}  # events only: they are the same everywhere

UTILS = str(DEMO / "utils.py")
BREAKS: dict[str, tuple[int, str | None] | None] = {
    "none": None,
    "elsewhere": (19, None),
    "condition": (13, "value < 0"),
}


def under_pdb(place: tuple[int, str | None] | None, values: list[int]) -> None:
    """Run `mean` under pdb, which waits for a breakpoint that never stops it."""
    Breakpoint.clearBreakpoints()
    debugger = Pdb(stdin=StringIO("c\n" * 9), stdout=StringIO(), nosigint=True, readrc=False)
    if place:
        debugger.set_break(UTILS, place[0], cond=place[1])
    before = sys.gettrace()
    debugger.runcall(mean, values)
    sys.settrace(before)  # pdb leaves none
    Breakpoint.clearBreakpoints()


def under_mini_pdb(place: tuple[int, str | None] | None, values: list[int]) -> None:
    """Run `mean` under MiniPdb in the same way."""
    debugger = MiniPdb()
    if place:
        debugger.set_break(UTILS, place[0], cond=place[1])
    debugger.runcall(mean, values)


def traced(trace: Callable[..., Any], values: list[int]) -> None:
    """Run `mean` under a trace function."""
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        mean(values)
    finally:
        sys.settrace(before)


def noop(frame: Any, event: str, arg: Any) -> Any:
    """Do nothing, for every event."""
    return noop


def count_events(values: list[int]) -> dict[str, int]:
    """Count what Python reports to a trace function while `mean` runs."""
    counts: Counter[str] = Counter()

    def count(frame: Any, event: str, arg: Any) -> Any:
        if frame.f_code.co_filename == UTILS:  # the garbage collector may call Python, too
            counts[event] += 1
        return count

    traced(count, values)
    return dict(counts)


def run(values: int, repeats: int) -> dict[str, Any]:
    """Compare `mean` under debuggers with `mean` alone."""
    numbers = list(range(1, values + 1))
    results: dict[str, Any] = {"events": count_events(numbers)}
    if not repeats:
        return results

    def times(debug: Callable[..., None], first: Any) -> float:
        """Return how many times slower a debugger is than nothing."""
        pair = partial(debug, first, numbers), partial(mean, numbers)
        return round(ratio(*pair, repeats=repeats, number=4), 1)

    debuggers = {"pdb": under_pdb, "MiniPdb": under_mini_pdb}
    results["slower"] = {
        place: {name: times(debug, BREAKS[place]) for name, debug in debuggers.items()}
        for place in BREAKS
    }
    results["slower"]["noop"] = {"function": times(traced, noop)}
    return results
