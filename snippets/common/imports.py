"""Which modules of ours a module needs: the closure of its imports, read from the source.

Nothing is imported, so a module that fails to import still has a closure.
What it leaves out: names given to `importlib` at run time, and modules outside `snippets`.
"""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
"""The folder that holds the package `snippets`."""


def source_of(name: str, root: Path = ROOT) -> Path | None:
    """Return the file of a dotted module name of ours, None where there is no such module."""
    base = root.joinpath(*name.split("."))
    candidates = (base / "__init__.py", base.with_suffix(".py"))
    return next((path for path in candidates if path.is_file()), None)


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a source file; a `SyntaxError` names the file."""
    return ast.parse(path.read_bytes(), filename=str(path))


def imported_names(tree: ast.AST, package: str) -> Iterator[str]:
    """Yield every dotted name that import statements in `tree` may load as a module.

    `from a import b` yields both `a` and `a.b`: only the files can tell whether b is a module.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: 1 - node.level or None] if node.level else []
            base = ".".join([*parents, *([node.module] if node.module else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def closure(
    name: str, root: Path = ROOT, read: Callable[[Path], ast.Module] = parse
) -> dict[str, Path]:
    """Return {module name: file} of `name` and all it imports from its own top-level package.

    `read` may leave parts of a tree out, and with them the imports made there.
    """
    found: dict[str, Path] = {}
    waiting = [name]
    while waiting:
        module = waiting.pop()
        path = source_of(module, root)
        if path is None or module in found or module.split(".")[0] != name.split(".")[0]:
            continue
        found[module] = path
        parent = module.rpartition(".")[0]
        package = module if path.name == "__init__.py" else parent
        waiting += [parent] if parent else []
        waiting += imported_names(read(path), package)
    return dict(sorted(found.items()))
