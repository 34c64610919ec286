"""How long a copy of the site takes to build: cold, unchanged, after one edit."""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARTICLE = "large-model/gradient-checkpointing.md"


def _build(tree: Path) -> float:
    """Seconds of one build with the options of `make html`."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky"]
    command += ["-j", "auto", "-q", "-b", "html", "-d", "_build/doctrees", ".", "_build/html"]
    start = time.perf_counter()
    subprocess.run(command, cwd=tree, check=True)
    return time.perf_counter() - start


def timings() -> Iterator[tuple[str, float]]:
    """Yield (what was done, seconds) for a cold, a no-op and a one-page build."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "site")
        skip = shutil.ignore_patterns(".*", "_build", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=skip)
        yield "cold", _build(tree)
        yield "nothing changed", _build(tree)
        page = tree / ARTICLE
        page.write_text(page.read_text(encoding="utf-8") + "\n多一句。\n", encoding="utf-8")
        yield "one page edited", _build(tree)
