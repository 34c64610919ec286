"""Which code of ours a function can reach, so that what it makes is made anew for no other edit.

By name, and rather too much than too little: a definition counts as reached when its name stands
anywhere in code that is, also in a text, and so does what runs when a module is imported.
Comments, layout and docstrings count only where the code could read them.
"""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from snippets.common.imports import closure

READS_SOURCE = {"__doc__", "__file__", "f_lineno", "inspect", "linecache", "tb_lineno", "traceback"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

modules_of = cache(closure)  # read once in a build, however many figures a module has


@cache
def _statements(path: Path, modified: int) -> list[tuple[str, str, frozenset[str]]]:
    """Return name, code and words of each statement of a module; no name if it always runs."""
    found = []
    for node in ast.parse(path.read_bytes(), path.name).body:
        words = frozenset(_words(node))
        name = ""
        if isinstance(node, DEFINITIONS) and not node.decorator_list:
            name = node.name
        found.append((name, ast.dump(_bare(node)), words))
    return found


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield every name and every text that could be one, docstrings left out."""
    for node in ast.walk(_bare(tree)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _bare(tree: ast.AST) -> ast.AST:
    """Take the docstrings out of a tree."""
    for node in ast.walk(tree):
        if isinstance(node, DEFINITIONS) and ast.get_docstring(node, clean=False) is not None:
            node.body[0] = ast.Pass()
    return tree


def reached(function: str, files: Iterable[Path]) -> list[str]:
    """Return the code that a function reaches in the modules of ours that its own imports.

    Raises: SyntaxError.
    """
    files = list(files)
    code = [part for path in files for part in _statements(path, path.stat().st_mtime_ns)]
    words = {function}.union(*(part[2] for part in code if not part[0]))
    new = words
    while new:
        new = set().union(*(part[2] for part in code if part[0] in new)) - words
        words |= new
    if words & READS_SOURCE:
        return [path.read_text(encoding="utf-8") for path in files]
    return [text for name, text, _ in code if not name or name in words]
