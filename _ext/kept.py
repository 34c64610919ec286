"""What takes long to make, kept in files under `_build/kept` and named by what it was made from.

As an extension, it keeps the compiled templates, too, and clears away what has long been unused.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import FileSystemBytecodeCache
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

DAY = 24 * 60 * 60  # seconds
LONG = 30 * DAY


def write(path: Path, text: str) -> None:
    """Write a file in one step, so that a parallel build never reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def age(path: Path) -> float:
    """Return for how many seconds a file has not been used, to the day."""
    return time.time() - path.stat().st_mtime


def kept(root: Path, kind: str, source: object, make: Callable[[], Any]) -> Any:
    """Return what was made from `source` before, whatever page asked for it, or make it now."""
    name = hashlib.sha256(json.dumps(source).encode()).hexdigest()
    path = root / "_build/kept" / kind / name[:2] / f"{name[2:]}.json"
    if path.is_file():
        if age(path) > DAY:
            os.utime(path)
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    write(path, json.dumps(made))
    return made


def prune(app: Sphinx, exception: Exception | None) -> None:
    """Remove what no build has used for long."""
    for path in Path(app.srcdir, "_build/kept").glob("*/*/*.json"):
        if exception is None and age(path) > LONG:
            path.unlink()


def prune_after_all(app: Sphinx, env: BuildEnvironment, docnames: list[str]) -> None:
    """Prune at the end of a build that reads every page, for others use but a part."""
    if len(docnames) == len(env.found_docs):
        app.connect("build-finished", prune)


def keep_templates(app: Sphinx) -> None:
    """Let Jinja compile a template once, not at every build."""
    templates = getattr(app.builder, "templates", None)
    if templates:
        folder = Path(app.srcdir, "_build/kept/templates")
        folder.mkdir(parents=True, exist_ok=True)
        templates.environment.bytecode_cache = FileSystemBytecodeCache(str(folder))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Keep the templates and prune."""
    app.connect("builder-inited", keep_templates)
    app.connect("env-before-read-docs", prune_after_all)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
