"""What the longest pages cost a reader in Chromium: bytes, formulas, movement, blocked time.

A page is fetched over HTTP, compressed as any static host would, into an empty cache, by a browser
whose processor is slowed down four times.  What is far away it need not lay out yet, so the reader
then jumps to the middle and to the end, where every formula must stand at once; and she scrolls
from the beginning to the end, which may move nothing and fetches the figures that were far away.
What is left out: the network, which costs what the bytes cost, and the reader's second page, which
has most in its cache.
"""

import gzip
import mimetypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Request, Response, sync_playwright

from _ext.browser import find_browser

SITE = Path(__file__).parents[1] / "_build/html"
SLOWDOWN = 4
PAGES, REPEATS = 5, 3

TARGETS = {
    "bytes": 300_000,  # fetched on opening, compressed, with fonts and the figures that are near
    "formulas": 1.5,  # seconds until every formula in the window stands in its own font
    "jump": 0.5,  # seconds until the same after a jump to the middle or the end, the slower one
    "shift": 0.01,  # sum of all layout shifts, those while scrolling included
    "blocking": 150,  # milliseconds by which tasks exceed 50 ms, before the formulas stand
    "console": 0,  # messages of any kind
    "foreign": 0,  # requests to other hosts
    "failed": 0,  # requests without a good answer
}

OBSERVE = """
  window.reading = { shift: 0, blocking: 0, formulas: 0 };
  const watch = (type, note) =>
    new PerformanceObserver((list) => list.getEntries().forEach(note))
      .observe({ type, buffered: true });
  watch("layout-shift", (entry) => (reading.shift += entry.value));
  watch("longtask", (entry) => (reading.blocking += entry.duration - 50));
  // A frame after the next one.
  const painted = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  window.settled = async () => {
    for (;;) {
      await painted();
      await document.fonts.ready;
      await painted();
      const now = performance.now() / 1000;
      if (!missing()) return now;
    }
  };
  addEventListener("DOMContentLoaded", async () => (reading.formulas = await settled()));
  // Is there a box in the window that waits, as if it were far away, with a formula in it?  The
  // browser tells which boxes wait; to ask for each formula would lay it out.
  const waiting = new Set();
  document.addEventListener("contentvisibilityautostatechange", ({ target, skipped }) => {
    if (skipped && target.querySelector(".katex")) waiting.add(target);
    else waiting.delete(target);
  }, true);
  const missing = () => [...waiting].some((box) => {
    const { top, bottom } = box.getBoundingClientRect();
    return top < innerHeight && bottom > 0;
  });
"""

JUMP = """async (share) => {
  const start = performance.now() / 1000;
  scrollTo(0, share * document.documentElement.scrollHeight);
  return (await settled()) - start;
}"""

SCROLL = """async () => {
  scrollTo(0, 0);
  for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) {
    scrollTo(0, y);
    await new Promise((done) => setTimeout(done, 50));
  }
}"""


class _Compressing(SimpleHTTPRequestHandler):
    """Serve files as a static host does: text compressed, fonts and pictures as they are."""

    def do_GET(self) -> None:
        path = Path(self.translate_path(self.path))
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
    handler = partial(_Compressing, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def pages(folder: Path) -> list[str]:
    """Return every page of a site, the longest first."""
    found = {p.relative_to(folder).as_posix(): p.stat().st_size for p in folder.rglob("*.html")}
    return sorted((p for p in found if not p.startswith("_")), key=lambda p: -found[p])


def read(browser: Browser, address: str, slowdown: float = 1) -> dict[str, float]:
    """Visit a page with an empty cache, jump, scroll to its end; return each target's value."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()
    sizes, console, foreign, failed = [], [], [], []

    def received(response: Response) -> None:
        sizes.append(int(response.headers.get("content-length", 0)))
        if response.status >= 400:
            failed.append(response.url)

    def requested(request: Request) -> None:
        if urlsplit(request.url)[:2] not in (urlsplit(address)[:2], ("data", "")):
            foreign.append(request.url)

    tab.on("request", requested)
    tab.on("response", received)
    tab.on("requestfailed", lambda request: failed.append(request.url))
    tab.on("console", lambda message: console.append(message.text))
    tab.on("pageerror", lambda error: console.append(str(error)))
    tab.add_init_script(OBSERVE)
    context.new_cdp_session(tab).send("Emulation.setCPUThrottlingRate", {"rate": slowdown})
    tab.goto(address, wait_until="networkidle")
    tab.wait_for_function("reading.formulas")
    tab.wait_for_timeout(200)  # long tasks are reported a moment after they end
    opened = {"bytes": sum(sizes), **tab.evaluate("({ ...reading })")}
    opened["jump"] = max(tab.evaluate(JUMP, share) for share in (1 / 2, 1))
    tab.evaluate(SCROLL)
    tab.wait_for_load_state("networkidle")
    scrolled = {"shift": tab.evaluate("reading.shift"), "scrolled": sum(sizes)}
    context.close()
    counts = {"console": len(console), "foreign": len(foreign), "failed": len(failed)}
    return opened | scrolled | counts


def report() -> int:
    """Print the median of each value for the longest pages and the front page; count the misses."""
    try:
        executable = find_browser()
    except FileNotFoundError as error:
        print(f"\nreading: {error}")
        return 1
    if not SITE.is_dir():
        print(f"\nreading: {SITE} is missing: run `make html` first")
        return 1
    missed = 0
    print(f"\n{f'reading, processor {SLOWDOWN} times slower':<41}", end="")
    print("".join(f"{name:>10}" for name in (*TARGETS, "scrolled")))
    print(f"{'target':<41}" + "".join(f"{target:>10g}" for target in TARGETS.values()))
    with sync_playwright() as playwright, serve(SITE) as address:
        browser = playwright.chromium.launch(executable_path=executable)
        for page in (*pages(SITE)[:PAGES], "index.html"):
            visits = [read(browser, f"{address}/{page}", SLOWDOWN) for _ in range(REPEATS)]
            value = {name: median(visit[name] for visit in visits) for name in visits[0]}
            over = [name for name, target in TARGETS.items() if value[name] > target]
            missed += len(over)
            numbers = "".join(f"{value[name]:>10.4g}" for name in (*TARGETS, "scrolled"))
            print(f"{page:<41}{numbers}{'  over: ' + ', '.join(over) if over else ''}")
        browser.close()
    return missed
