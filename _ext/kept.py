"""What takes long to make, kept in files under `_build/kept` and named by what it was made from.

As an extension, it keeps the compiled templates, too.
"""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import FileSystemBytecodeCache
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata


def write(path: Path, text: str) -> None:
    """Write a file in one step, so that a parallel build never reads half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


def kept(root: Path, kind: str, source: object, make: Callable[[], Any]) -> Any:
    """Return what was made from `source` before, whatever page asked for it, or make it now."""
    name = hashlib.sha256(json.dumps(source).encode()).hexdigest()
    path = root / "_build/kept" / kind / name[:2] / f"{name[2:]}.json"
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    made = make()
    write(path, json.dumps(made))
    return made


def keep_templates(app: Sphinx) -> None:
    """Let Jinja compile a template once, not at every build."""
    templates = getattr(app.builder, "templates", None)
    if templates:
        folder = Path(app.srcdir, "_build/kept/templates")
        folder.mkdir(parents=True, exist_ok=True)
        templates.environment.bytecode_cache = FileSystemBytecodeCache(str(folder))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Keep the templates."""
    app.connect("builder-inited", keep_templates)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
