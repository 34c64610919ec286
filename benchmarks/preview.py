"""How long `make live` takes to show an edit: from the save to the page that a reload brings.

Ten edits of pages and ten of the code of snippets, one after the other, in a copy of the site.  The
figures that such code draws come later; they are waited for, but not counted.  `python -m
benchmarks preview` prints each edit; the target is for all but the slowest of the twenty (p95).
"""

import ast
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from websockets.sync.client import connect

from benchmarks.build import copied_site

TARGET = 2.0  # seconds
PATIENCE = 120  # seconds that an edit may take on a busy machine before we give up
SHOWN = re.compile(r"```\{literalinclude\} \.\./(\S+\.py)\n(?::.*\n)*?:pyobject: (\w+)\n")


def free_port() -> int:
    """A port of the loopback interface on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@dataclass
class Live:
    """A running `make live`."""

    process: subprocess.Popen
    port: int
    log: Path

    def get(self, name: str, suffix: str = ".html") -> str:
        """Return a page, or another file, as it is served now."""
        with urlopen(f"http://127.0.0.1:{self.port}/{name}{suffix}") as file:
            return file.read().decode()

    def rest(self) -> None:
        """Wait until figures that had to be drawn again are shown, too."""
        drawing = self.log.with_name("live") / "figures.drawing"
        quiet = 0
        while quiet < 5:  # the build that shows them begins a moment after they are drawn
            time.sleep(0.1)
            quiet = 0 if drawing.exists() or self.is_building() else quiet + 1

    def is_building(self) -> bool:
        """Say whether the last build that has begun has not ended."""
        log = self.log.read_text()
        return log.rfind("Serving on") < log.rfind("Detected changes")

    def cpu(self) -> float:
        """CPU seconds of the server and of all builds that have ended, on Linux; elsewhere 0."""
        total, tree = 0, [self.process.pid]
        for pid in tree:
            stat = Path(f"/proc/{pid}/stat")
            if stat.exists():
                total += sum(map(int, stat.read_text().rpartition(")")[2].split()[11:15]))
                children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
                tree += map(int, children)
        return total / os.sysconf("SC_CLK_TCK")


@contextmanager
def live(tree: Path) -> Iterator[Live]:
    """`make live` in a tree, once it serves; ended with all that it started."""
    port, log = free_port(), tree / "_build/live.log"
    log.parent.mkdir(exist_ok=True)
    command = ["make", "live", f"PORT={port}", f"VENV={Path(sys.prefix)}"]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=tree, stdout=output, stderr=subprocess.STDOUT, process_group=0
        )
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except ConnectionRefusedError:
                if process.poll() is not None:
                    raise RuntimeError(log.read_text()) from None
                time.sleep(0.1)
        yield Live(process, port, log)
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def edit_page(tree: Path, docname: str, text: str) -> None:
    """Add a paragraph at the end of a page."""
    path = tree / f"{docname}.md"
    path.write_text(f"{path.read_text('utf-8')}\n{text}\n", encoding="utf-8")


def edit_snippet(tree: Path, docname: str, text: str) -> None:
    """Add a line to the first function that a page shows."""
    file, name = SHOWN.search((tree / f"{docname}.md").read_text("utf-8")).groups()
    path = tree / file
    source = path.read_text("utf-8")
    for node in ast.parse(source).body:
        if getattr(node, "name", None) == name:
            last = node.body[-1]
            line = min(part.lineno for part in [last, *getattr(last, "decorator_list", [])])
            lines = source.splitlines(keepends=True)
            lines.insert(line - 1, " " * last.col_offset + f"_ = '{text}'\n")
            path.write_text("".join(lines), encoding="utf-8")


def shown(site: Live, docname: str, edit, tree: Path, text: str) -> float:
    """Seconds from an edit until the page is announced and served with it."""
    with connect(f"ws://127.0.0.1:{site.port}/websocket-reload") as socket:
        start = time.perf_counter()
        edit(tree, docname, text)
        while text not in site.get(docname):
            socket.recv(timeout=PATIENCE)
        return time.perf_counter() - start


def seconds() -> Iterator[tuple[str, float, float]]:
    """Yield (what was edited, seconds to see it, CPU seconds)."""
    with copied_site() as tree, live(tree) as site:
        articles = sorted(tree.glob("*/*.md"), key=lambda path: path.stat().st_size)
        names = [f"{p.parent.name}/{p.stem}" for p in articles if p.stem != "index"]
        spread = [names[i * (len(names) - 1) // 8] for i in range(9)]
        edits = [(edit_page, name) for name in [*spread, "glossary"]]
        edits += [(edit_snippet, name) for name in [*spread, spread[4]]]
        for i, (edit, name) in enumerate(edits):
            before = site.cpu()
            took = shown(site, name, edit, tree, f"edit{i}")
            site.rest()
            yield f"{edit.__name__} {name}", took, site.cpu() - before


def report() -> int:
    """Print each edit and the 95th percentile; 1 if that is over the target."""
    print("\nmake live, seconds from a save to the page shown, and CPU seconds")
    took = []
    for name, wall, cpu in seconds():
        print(f"{name:<64}{wall:8.2f}{cpu:8.2f}", flush=True)
        took.append(wall)
    p95 = sorted(took)[-2]
    over = p95 > TARGET
    name = f"p95 of {len(took)} edits at load {os.getloadavg()[0]:.1f}"
    print(f"{name:<64}{p95:8.2f}{TARGET:8.2f}{'  over' * over}")
    return over
