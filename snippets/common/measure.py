"""How many times slower one function is than another, on a machine that is never quiet.

CPU time of this process, not wall time; the two take turns, so that a drift of the clock rate hits
both; the median of the pairs' ratios, so that one interruption does not count.
What it leaves out: time spent in child processes, and confidence intervals.
"""

from collections.abc import Callable
from itertools import repeat
from statistics import median
from time import process_time

RESOLVED = 0.005
"""CPU seconds after which a timing is taken to be well above the clock's resolution."""


def ratio(
    f: Callable[[], object],
    g: Callable[[], object],
    *,
    repeats: int = 9,
    number: int | None = None,
) -> float:
    """Return the median over `repeats` pairs of CPU time of f over CPU time of g.

    A timing makes `number` calls; None takes the first power of two that the faster one resolves.

    Raises: ValueError unless repeats and number are positive, or where g took no time at all.
    """
    if repeats < 1 or (number is not None and number < 1):
        raise ValueError(f"repeats and number must be positive, got {repeats} and {number}")
    if number is None:
        number = 1
        while min(_seconds(f, number), _seconds(g, number)) < RESOLVED:
            number *= 2
    ratios = []
    for turn in range(repeats):
        first, second = (f, g) if turn % 2 == 0 else (g, f)
        times = [_seconds(first, number), _seconds(second, number)]
        f_time, g_time = times if turn % 2 == 0 else reversed(times)
        if g_time == 0:
            raise ValueError(f"{number} calls of g took no measurable time; raise number")
        ratios.append(f_time / g_time)
    return median(ratios)


def _seconds(function: Callable[[], object], number: int) -> float:
    """Return the CPU seconds of `number` calls."""
    start = process_time()
    for call in repeat(function, number):
        call()
    return process_time() - start
