"""Records of experiments too long for a page: run once, kept as JSON, stale once the code changed.

`snippets/<category>/<article>_run.py` defines `INPUTS` (the arguments), `CHEAP` (overrides that
make a prefix of the run affordable for a test) and `run(**inputs)`, which returns a tree of JSON
values.  Beside it lies `<article>_run.json`: inputs, results, versions and a fingerprint of the
code.  `python -m snippets.common.records [article …]` repeats the runs.
"""

import ast
import hashlib
import importlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from snippets.common.imports import ROOT, closure, parse, source_of


class RecordError(Exception):
    """A record that is missing, unreadable or cannot be made; the message names it."""


@dataclass(frozen=True)
class Record:
    """What one run was given, what it found, with which versions and which code."""

    inputs: dict[str, Any]
    results: dict[str, Any]
    versions: dict[str, str]
    fingerprint: str


def module_of(article: str) -> str:
    """Return the run module of an article: `nlp/ngram` → `snippets.nlp.ngram_run`."""
    return f"snippets.{article.replace('-', '_').replace('/', '.')}_run"


def path_of(article: str, root: Path = ROOT) -> Path:
    """Return the place of an article's record, whether or not it exists."""
    return root.joinpath(*module_of(article).split(".")).with_suffix(".json")


def articles(root: Path = ROOT) -> list[str]:
    """Return the articles that have a run module, sorted."""
    runs = (path.relative_to(root / "snippets") for path in root.glob("snippets/*/*_run.py"))
    names = (run.with_suffix("").as_posix().removesuffix("_run") for run in runs)
    return sorted(name.replace("_", "-") for name in names)


def load(article: str, root: Path = ROOT) -> Record:
    """Return an article's record, fresh or stale.

    Raises: RecordError where there is none or where it is not a record.
    """
    path = path_of(article, root)
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise RecordError(f"no record {path.relative_to(root)}; make rerun writes it") from None
    except (ValueError, TypeError) as error:
        raise RecordError(f"unreadable record {path.relative_to(root)}: {error}") from error


def is_stale(article: str, root: Path = ROOT) -> bool:
    """Say whether the code that made the record has changed since.

    Raises: RecordError as `load` does.
    """
    return load(article, root).fingerprint != fingerprint(module_of(article), root)


def fingerprint(module_name: str, root: Path = ROOT) -> str:
    """Return a hash of what a module and all modules of ours that it imports compute.

    Comments, layout, docstrings, `figure_*` functions (also `_figure_*`) and what only they import
    do not count; every supported Python gives the same hash.

    Raises: RecordError where there is no such module.
    """
    if source_of(module_name, root) is None:
        raise RecordError(f"no module {module_name}")
    digest = hashlib.sha256()
    for name, path in closure(module_name, root, read=_bare).items():
        digest.update(f"{name}\n{''.join(_canonical(_bare(path)))}\n".encode())
    return digest.hexdigest()


def _bare(path: Path) -> ast.Module:
    """Return the syntax tree without docstrings and figures."""
    tree = parse(path)
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(tree):
        if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        elif isinstance(node, ast.ImportFrom):
            node.names = [alias for alias in node.names if not _draws(alias.name)]
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.FunctionDef) and _draws(node.name))
        and not (isinstance(node, ast.ImportFrom) and not node.names)
    ]
    return tree


def _draws(name: str) -> bool:
    return name.lstrip("_").startswith("figure_")


def _canonical(value: object) -> Iterator[str]:
    """Yield a text of a syntax tree that `ast.dump` would write differently from Python to Python.

    Fields that are empty do not appear, so neither do those that a later Python added.
    """
    if isinstance(value, ast.JoinedStr):  # 3.12 writes an empty text behind a nested format
        value.values = [part for part in value.values if getattr(part, "value", None) != ""]
    if isinstance(value, ast.AST):
        yield f"{type(value).__name__}("
        for field, child in ast.iter_fields(value):
            if field == "value" or (child not in (None, []) and field not in ("ctx", "kind")):
                yield f"{field}="
                yield from _canonical(child)
        yield ")"
    elif isinstance(value, list):
        yield "["
        for child in value:
            yield from _canonical(child)
        yield "]"
    else:
        yield f"{value!r},"


def differences(part: Any, whole: Any, tolerance: float = 1e-6, path: str = "") -> Iterator[str]:
    """Yield the dotted paths at which the results of a cheap run are not those of the whole run.

    A list may be a prefix of the whole's; numbers agree within the relative `tolerance`.
    """
    if isinstance(part, dict) and isinstance(whole, dict):
        pairs = [(key, value, whole.get(key, _ABSENT)) for key, value in part.items()]
    elif isinstance(part, list) and isinstance(whole, list):
        rest = [_ABSENT] * max(0, len(part) - len(whole))
        pairs = [(str(i), a, b) for i, (a, b) in enumerate(zip(part, whole + rest, strict=False))]
    else:
        if not _agree(part, whole, tolerance):
            yield path
        return
    for key, a, b in pairs:
        yield from differences(a, b, tolerance, f"{path}.{key}" if path else key)


_ABSENT = object()


def _agree(a: object, b: object, tolerance: float) -> bool:
    if type(a) is bool or not isinstance(a, int | float) or not isinstance(b, int | float):
        return a == b
    return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))


def rerun(article: str, overrides: dict[str, Any] | None = None) -> Record:
    """Run an article's experiment, with some inputs overridden, and return the record of it.

    Raises: RecordError where there is no run module or its results are not JSON values.
    """
    name = module_of(article)
    if source_of(name) is None:
        known = ", ".join(articles()) or "none"
        raise RecordError(f"{article!r} has no run module; articles that have one: {known}")
    module = importlib.import_module(name)
    inputs = {**module.INPUTS, **(overrides or {})}
    results = module.run(**inputs)
    try:
        inputs, results = json.loads(json.dumps([inputs, results], allow_nan=False))
    except (TypeError, ValueError) as error:
        raise RecordError(f"{name}.run returned what JSON cannot hold: {error}") from error
    return Record(inputs, results, versions(), fingerprint(name))


def versions() -> dict[str, str]:
    """Return the versions that a number may depend on."""
    return {
        "python": platform.python_version(),
        "numpy": metadata.version("numpy"),
        "torch": metadata.version("torch"),
        "machine": platform.machine(),
    }


def save(article: str, record: Record, root: Path = ROOT) -> None:
    """Write the record in one step: a reader sees the old file or the new one, never half."""
    path = path_of(article, root)
    text = json.dumps(asdict(record), ensure_ascii=False, indent=1, sort_keys=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def main(names: list[str]) -> int:
    """Repeat the named articles' runs, all of them when none is named."""
    try:
        for article in names or articles():
            save(article, rerun(article))
            print(f"wrote {path_of(article).relative_to(ROOT)}")
    except RecordError as error:
        print(f"records: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
