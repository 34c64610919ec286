"""How long a copy of the site takes to build: cold, unchanged, after one edit."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
ARTICLE = "large-model/gradient-checkpointing.md"


@contextmanager
def copied_site(kept: bool = True) -> Iterator[Path]:
    """A copy of the site to edit, with the figures and formulas made so far if `kept`."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder, "site")
        skip = shutil.ignore_patterns(".*", "_build", "__pycache__")
        shutil.copytree(ROOT, tree, ignore=skip)
        if kept and (ROOT / "_build/kept").exists():
            shutil.copytree(ROOT / "_build/kept", tree / "_build/kept")
        yield tree


def _build(tree: Path) -> tuple[float, float]:
    """Seconds and CPU seconds of one build with the options of `make html`."""
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--nitpicky"]
    command += ["-j", "auto", "-q", "-b", "html", "-d", "_build/doctrees", ".", "_build/html"]
    start, before = time.perf_counter(), os.times()
    subprocess.run(command, cwd=tree, check=True)
    after = os.times()
    cpu = sum(after[2:4]) - sum(before[2:4])
    return time.perf_counter() - start, cpu


def timings() -> Iterator[tuple[str, float, float]]:
    """Yield (what was done, seconds, CPU seconds) for a cold, a no-op and a one-page build."""
    with copied_site(kept=False) as tree:
        yield "cold", *_build(tree)
        shutil.rmtree(tree / "_build/html")
        shutil.rmtree(tree / "_build/doctrees")
        yield "cold, figures and formulas kept", *_build(tree)
        yield "nothing changed", *_build(tree)
        page = tree / ARTICLE
        page.write_text(page.read_text(encoding="utf-8") + "\n多一句。\n", encoding="utf-8")
        yield "one page edited", *_build(tree)


def report() -> int:
    """Print what each build took; there is no target."""
    print("\nbuilds of the site, seconds and CPU seconds on this machine")
    for name, seconds, cpu in timings():
        print(f"{name:<64}{seconds:8.1f}{cpu:8.1f}", flush=True)
    return 0
