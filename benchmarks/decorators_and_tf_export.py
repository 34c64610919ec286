"""partial against functools' own, a package's files against namex, late imports against early."""

import contextlib
import functools
import shutil
import sys
import tempfile
from importlib import import_module, invalidate_caches
from pathlib import Path

import namex

from snippets.python.decorators_and_tf_export import exports_of, partial, tf_export, write_api
from snippets.python.decorators_and_tf_export_run import fresh_import, packages

HEADER = """from namex import export
from snippets.python.decorators_and_tf_export import api_export
"""
SYMBOL = """

@export(package="nx_bench", path="nx_bench.nx{i}.symbol{j}")
@api_export("nx{i}.symbol{j}", v1=[])
def symbol{j}(x, y=1):
    return x + y
"""


def power(base: int, exponent: int = 1, *, modulo: int = 1000) -> int:
    return pow(base, exponent, modulo)


def namex_package(folder: Path, symbols: int) -> dict:
    """A package of ten modules whose functions both generators know; return our exports of it."""
    source = folder / "nx_bench" / "src"
    source.mkdir(parents=True)
    for file in (folder / "nx_bench" / "__init__.py", source / "__init__.py"):
        file.write_text("")
    for i in range(10):
        text = "".join(SYMBOL.format(i=i, j=j) for j in range(symbols // 10))
        (source / f"part{i}.py").write_text(HEADER + text)
    sys.path.insert(0, str(folder))
    invalidate_caches()
    for i in range(10):
        import_module(f"nx_bench.src.part{i}")
    found = exports_of().items()
    return {name: export for name, export in found if export.module.startswith("nx_bench.")}


def files(root: Path) -> list[str]:
    """The namespaces that were written, without the private ones."""
    return sorted(p.parent.name for p in root.glob("nx*/__init__.py"))


def cases(symbols: int = 2000):
    ours, rival = (make(power, 3, modulo=7) for make in (partial, functools.partial))
    yield (
        "partial(...)(x) / functools.partial (C)",
        lambda: [ours(i) for i in range(200)],
        lambda: [rival(i) for i in range(200)],
        4.0,
    )

    def plain(x, y=1):
        return x + y

    def named(x, y=1):
        return x + y

    tf_export("bench.named", allow_multiple_exports=True)(named)
    yield (
        "a call of an exported function / of a plain one",
        lambda: [named(i) for i in range(1000)],
        lambda: [plain(i) for i in range(1000)],
        1.1,
    )
    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), [*sys.path]
        exports = namex_package(folder, symbols)

        def by_namex() -> list[str]:
            with contextlib.chdir(folder):
                namex.generate_api_files("nx_bench", code_directory="src")
            return files(folder / "nx_bench")

        def by_us() -> list[str]:
            shutil.rmtree(folder / "mytf", ignore_errors=True)
            write_api(folder / "mytf", exports)
            return files(folder / "mytf")

        yield f"write_api / namex, files of {symbols} names", by_us, by_namex, 1.0
        sys.path[:] = path
    with packages(modules=20, symbols=symbols // 20):
        yield (
            "importing a lazy package / an eager one, 20 modules",
            lambda: fresh_import("lazy").__all__,
            lambda: fresh_import("eager").__all__,
            0.1,
        )
