"""What 10,000 exported names cost, what late imports save, and what partial in C saves."""

import functools
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module, invalidate_caches
from pathlib import Path
from statistics import median
from time import process_time
from types import FunctionType, ModuleType
from typing import Any

from snippets.common.measure import ratio
from snippets.python.decorators_and_tf_export import (
    api_export,
    build_api,
    exports_of,
    partial,
    write_api,
)

INPUTS = {"modules": 100, "symbols": 100, "repeats": 9}
CHEAP = {"repeats": 0}  # which modules are loaded, but not how long that takes

SOURCE = """from snippets.python.decorators_and_tf_export import tf_export
"""
SYMBOL = """

@tf_export("space{i}.symbol{j}")
def symbol{j}(x, y=1):
    return x + y
"""


def forget(*roots: str) -> None:
    """Let packages be imported as if for the first time."""
    for name in [name for name in sys.modules if name.split(".")[0] in roots]:
        del sys.modules[name]


@contextmanager
def packages(modules: int, symbols: int) -> Iterator[None]:
    """Write private modules and two public packages over them, ready to be imported."""
    with tempfile.TemporaryDirectory() as folder:
        sys.path.insert(0, folder)
        source = Path(folder, "hidden")
        source.mkdir()
        for i in range(modules):
            text = "".join(SYMBOL.format(i=i, j=j) for j in range(symbols))
            source.joinpath(f"part{i}.py").write_text(SOURCE + text)
        invalidate_caches()
        for i in range(modules):
            import_module(f"hidden.part{i}")
        exports = {k: v for k, v in exports_of().items() if v.module.startswith("hidden.")}
        write_api(Path(folder, "eager"), exports)
        write_api(Path(folder, "lazy"), exports, lazy=True)
        invalidate_caches()
        try:
            yield
        finally:
            sys.path.remove(folder)
            forget("hidden", "eager", "lazy")


def fresh_import(root: str, *names: str) -> ModuleType:
    """Import a package and look up some names, with nothing of it loaded."""
    forget("hidden", "eager", "lazy")
    module = import_module(root)
    for name in names:
        space, _, symbol = name.partition(".")
        getattr(getattr(module, space), symbol)
    return module


def loaded(root: str, *names: str) -> int:
    """Count the private modules that this loads."""
    fresh_import(root, *names)
    return sum(name.startswith("hidden.") for name in sys.modules)


def export_and_build(count: int) -> float:
    """Return the CPU seconds of giving `count` functions a name and building the modules."""
    code = (lambda x, y=1: x + y).__code__
    functions = [FunctionType(code, {"__name__": "cost"}) for _ in range(count)]
    for i, function in enumerate(functions):
        function.__qualname__ = f"f{i}"
    start = process_time()
    for i, function in enumerate(functions):
        api_export(f"cost.space{i % 100}.f{i}")(function)
    exports = {k: v for k, v in exports_of().items() if v.module == "cost"}
    root = build_api("cost_api", exports)
    seconds = process_time() - start
    assert root.cost.space0.f0 is functions[0]
    forget("cost_api")
    return seconds


def call_often(function: Callable[[int], int]) -> list[int]:
    """Call a function of one number 200 times."""
    return [function(i) for i in range(200)]


def run(modules: int, symbols: int, repeats: int) -> dict[str, Any]:
    """Count and time."""
    with packages(modules, symbols):
        results: dict[str, Any] = {
            "names": modules * symbols,
            "loaded": {
                "eager": loaded("eager"),
                "lazy": loaded("lazy"),
                "lazy_one": loaded("lazy", "space0.symbol0"),
            },
        }
        if repeats:
            pair = [lambda root=root: fresh_import(root) for root in ("eager", "lazy")]
            results["eager_over_lazy"] = round(ratio(*pair, repeats=repeats, number=1), 1)
            one = [lambda: fresh_import("eager"), lambda: fresh_import("lazy", "space0.symbol0")]
            results["eager_over_one"] = round(ratio(*one, repeats=repeats, number=1), 1)
    if repeats:
        seconds = median(export_and_build(modules * symbols) for _ in range(repeats))
        results["export_and_build_seconds"] = round(seconds, 3)
        ours, theirs = (make(pow, 3, mod=7) for make in (partial, functools.partial))
        mine, yours = (functools.partial(call_often, call) for call in (ours, theirs))
        results["partial_over_functools"] = round(ratio(mine, yours, repeats=repeats), 1)
    return results
