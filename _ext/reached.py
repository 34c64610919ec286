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

READS_SOURCE = {  # or what it says of lines; `inspect` does much else
    "__doc__",
    "co_firstlineno",
    "f_lineno",
    "getcomments",
    "getdoc",
    "getsource",
    "getsourcelines",
    "linecache",
    "lineno",
    "tb_lineno",
    "traceback",
}
READS_FILES = {"open", "read_bytes", "read_text"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)

modules_of = cache(closure)  # read once in a build, however many figures a module has


@cache
def _statements(path: Path, modified: int) -> list[tuple[str, str, frozenset[str]]]:
    """Return name, code and words of each statement of a module; no name if it always runs."""
    found = []
    for node in ast.parse(path.read_bytes(), path.name).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'":
            continue  # it is imported, not run
        words = frozenset(_words(node))
        name = ""
        if isinstance(node, DEFINITIONS) and not node.decorator_list:
            name = node.name
        found.append((name, ast.dump(bare(node)), words))
    return found


def _words(tree: ast.AST) -> Iterator[str]:
    """Yield every name and every text that could be one, docstrings left out."""
    for node in ast.walk(bare(tree)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:  # else its name stands where it is used
            yield from node.name.split(".")
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def bare(tree: ast.AST) -> ast.AST:
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
    kept = [part for part in code if not part[0] or part[0] in words]
    if any(_reads_source(part[2]) for part in kept):
        return [path.read_text(encoding="utf-8") for path in files]
    return [text for _, text, _ in kept]


def _reads_source(words: frozenset[str]) -> bool:
    """Say whether a statement may see comments, layout or docstrings."""
    return bool(
        words & READS_SOURCE
        or ("__file__" in words and words & READS_FILES)
        or any(word.endswith(".py") for word in words)
    )
