"""`make bench`: print ours/rival for every case; exit 1 when a ratio misses its target.

`python -m benchmarks detr score_sde` takes only these modules.

A module of this package offers `cases()`, yielding (name, ours, rival, target): two callables that
take no argument and the largest ratio of their times that we accept.  A fifth item may be another
function to compare them than `measure.ratio`.  One that measures something else than a ratio offers
`report()`, which prints it and returns how many targets were missed.
"""

import importlib
import pkgutil
import sys

import benchmarks
from snippets.common import measure


def main(*names: str) -> int:
    missed = 0
    modules = (info.name for info in pkgutil.iter_modules(benchmarks.__path__))
    found = [name for name in modules if name != "__main__"]
    if unknown := set(names) - set(found):
        sys.exit(f"there is no benchmark {', '.join(sorted(unknown))}, only {', '.join(found)}")
    print(f"{'case':<64}{'ratio':>8}{'target':>8}")
    for name in names or found:
        module = importlib.import_module(f"benchmarks.{name}")
        missed += getattr(module, "report", int)()
        for case, ours, rival, target, *compare in getattr(module, "cases", tuple)():
            ratio = (compare or [measure.ratio])[0](ours, rival)
            missed += ratio > target
            print(f"{case:<64}{ratio:8.2f}{target:8.2f}{'  over' if ratio > target else ''}")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
