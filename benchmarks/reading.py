"""What the longest pages cost a reader: bytes, formulas, movement, blocked time; all of it in Chromium.

A page is fetched over HTTP, compressed as any static host would, into an empty cache, by a browser
whose processor is slowed down four times; then it is scrolled to its end.  What it leaves out: the
network, which costs what the bytes cost, and the reader's second page, which has most in its cache.
"""

import gzip
import mimetypes
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

SITE = Path(__file__).parents[1] / "_build/html"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SLOWDOWN = 4
PAGES, REPEATS = 5, 3

TARGETS = {
    "bytes": 300_000,  # of everything the page fetches, compressed, fonts and figures included
    "formulas": 1.5,  # seconds until every formula stands in its own font
    "shift": 0.01,  # cumulative layout shift, scrolling included
    "blocking": 150,  # milliseconds by which tasks exceed 50 ms
    "console": 0,
    "foreign": 0,
    "failed": 0,
}

OBSERVE = """
  window.reading = { shift: 0, blocking: 0, formulas: 0 };
  const watch = (type, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note)).observe({ type, buffered: true });
  watch("layout-shift", (entry) => (reading.shift += entry.value));
  watch("longtask", (entry) => (reading.blocking += entry.duration - 50));
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  addEventListener("DOMContentLoaded", async () => {
    await painted();
    await document.fonts.ready;
    await painted();
    reading.formulas = performance.now() / 1000;
  });
"""

SCROLL = """async () => {
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 50));
  }
}"""


@dataclass
class Reading:
    """What one visit of a page cost; a field for each target."""

    bytes: int
    formulas: float
    shift: float
    blocking: float
    console: int
    foreign: int
    failed: int


class _Compressing(SimpleHTTPRequestHandler):
    """Serve files as a static host does: text compressed, fonts and pictures as they are."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            self.send_error(404)
            return
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        body = (_compressed if text else Path.read_bytes)(path)
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if text:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 6)


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a folder on a free port of this machine; give its address."""

    def handler(*args):
        return _Compressing(*args, directory=str(folder))

    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pages(folder: Path) -> list[str]:
    """Every page of a site, the longest first."""
    found = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*.html")}
    return sorted((p for p in found if not p.startswith("_")), key=lambda p: -found[p])


def read(browser: Browser, address: str, slowdown: float = 1) -> Reading:
    """Visit a page with an empty cache and scroll to its end."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    sizes, console, foreign, failed = [], [], [], []
    home = address.split("/")[2]

    def received(response):
        if response.url.startswith("data:"):
            return
        sizes.append(int(response.headers.get("content-length", 0)))
        if response.url.split("/")[2] != home:
            foreign.append(response.url)
        if response.status >= 400:
            failed.append(response.url)

    tab.on("response", received)
    tab.on("requestfailed", lambda request: failed.append(request.url))
    tab.on("console", lambda message: console.append(message.text))
    tab.on("pageerror", lambda error: console.append(str(error)))
    tab.add_init_script(OBSERVE)
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    tab.goto(address, wait_until="load")
    tab.wait_for_function("reading.formulas")
    tab.wait_for_timeout(300 * slowdown)
    seen = tab.evaluate("({...reading})")
    tab.evaluate(SCROLL)
    tab.wait_for_load_state("networkidle")
    moved = tab.evaluate("reading.shift")
    context.close()
    return Reading(
        bytes=sum(sizes),
        formulas=seen["formulas"],
        shift=moved,
        blocking=seen["blocking"],
        console=len(console),
        foreign=len(foreign),
        failed=len(failed),
    )
