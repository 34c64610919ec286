"""Waiting for a breakpoint that never comes: MiniPdb against pdb, MonitoringPdb against nothing."""

import sys
from functools import partial

from snippets.python.debugging_with_pdb import DEMO, MonitoringPdb, import_demo
from snippets.python.debugging_with_pdb_run import BREAKS, under_mini_pdb, under_pdb

TARGETS = {"none": 1.1, "elsewhere": 0.5, "condition": 0.5}


def under_monitoring(mean, values):
    debugger = MonitoringPdb()
    debugger.set_break(DEMO / "utils.py", 19)
    debugger.runcall(mean, values)


def cases():
    mean, values = import_demo("utils").mean, list(range(1, 3001))
    for place, target in TARGETS.items():
        yield (
            f"breakpoint: {place}: MiniPdb / pdb",
            partial(under_mini_pdb, BREAKS[place], values),
            partial(under_pdb, BREAKS[place], values),
            target,
        )
    if sys.version_info >= (3, 12):
        values = list(range(1, 50_001))  # what it costs to begin does not count
        yield (
            "breakpoint: elsewhere: MonitoringPdb / no debugger",
            partial(under_monitoring, mean, values),
            lambda: mean(values) and None,
            1.1,
        )
