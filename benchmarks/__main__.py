"""`make bench`: print ours/rival for every case; exit 1 when a ratio misses its target.

A module of this package offers `cases()`, yielding (name, ours, rival, target): two callables that
take no argument and the largest ratio of their times that we accept.  A fifth item may be another
function to compare them than `measure.ratio`.
"""

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks import build
from snippets.common import measure


def main() -> int:
    missed = 0
    print(f"{'case':<64}{'ratio':>8}{'target':>8}")
    for info in pkgutil.iter_modules(benchmarks.__path__):
        module = importlib.import_module(f"benchmarks.{info.name}")
        for name, ours, rival, target, *compare in getattr(module, "cases", tuple)():
            ratio = (compare or [measure.ratio])[0](ours, rival)
            missed += ratio > target
            print(f"{name:<64}{ratio:8.2f}{target:8.2f}{'  over' if ratio > target else ''}")
    print("\nbuilds of the site, seconds on this machine")
    for name, seconds in build.timings():
        print(f"{name:<64}{seconds:8.1f}")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
