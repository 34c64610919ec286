"""What a page costs a reader, as far as every machine agrees on it; `make bench` has the rest."""

import gzip
import re
from urllib.request import urlopen

import pytest

from benchmarks import reading

COUNTED = ("bytes", "shift", "console", "foreign", "failed")
SLOWER = 4  # times the target: what a busy machine may need, with its processor at full speed


@pytest.mark.browser
def test_the_longest_pages_are_light_still_and_silent(browser, built_site):
    over = {}
    with reading.serve(built_site) as address:
        for page in (*reading.pages(built_site)[: reading.PAGES], "index.html", "search.html"):
            found = reading.read(browser, f"{address}/{page}")
            limits = {name: reading.TARGETS[name] for name in COUNTED}
            limits |= {name: SLOWER * reading.TARGETS[name] for name in ("formulas",)}
            if missed := {n: found[n] for n, limit in limits.items() if found[n] > limit}:
                over[page] = missed
    assert not over


@pytest.mark.browser
def test_what_moves_speaks_and_fetches_is_seen(browser, tmp_path):
    """The measure can fail: each count rises on a page that is made to miss it."""
    (tmp_path / "bad.html").write_text(
        """<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
        <p id="late" hidden style="height: 300px">迟来的</p><p>正文</p>
        <img src="none.png" alt=""><img src="http://localhost:1/x.png" alt="">
        <script>
          console.log("说话");
          setTimeout(() => (late.hidden = false), 200);
          for (const end = performance.now() + 300; performance.now() < end; );
        </script>""",
        encoding="utf-8",
    )
    with reading.serve(tmp_path) as address:
        found = reading.read(browser, f"{address}/bad.html")
    assert found["shift"] > 0.01
    assert found["blocking"] > 150
    assert found["console"] >= 1
    assert (found["foreign"], found["failed"]) == (1, 2)
    assert found["bytes"] > 0


def test_text_is_compressed_and_fonts_are_not(tmp_path):
    (tmp_path / "a.css").write_text("a" * 1000)
    (tmp_path / "a.woff2").write_bytes(b"a" * 1000)
    with reading.serve(tmp_path) as address:
        names = (f"{address}/{name}" for name in ("a.css", "a.woff2"))
        css, font = (urlopen(name).read() for name in names)  # noqa: S310
    assert gzip.decompress(css) == b"a" * 1000
    assert font == b"a" * 1000


def test_no_page_is_heavy(built_site):
    """Every page: itself, and each style sheet, script and preload that its head names."""
    heavy = {}
    size = {}
    for page in reading.pages(built_site):
        file = built_site / page
        head = file.read_text("utf-8").partition("</head>")[0]
        named = re.findall(r'<(?:script|link)[^>]*?(?:src|href)="([^":?]+\.(?:css|js))', head)
        files = {file, *((file.parent / name).resolve() for name in named)}
        for one in files - size.keys():
            size[one] = len(gzip.compress(one.read_bytes(), 6)) if one.is_file() else 0
        if sum(size[one] for one in files) > 250_000:  # leaves room for the fonts of formulas
            heavy[page] = sum(size[one] for one in files)
    assert not heavy


def test_nothing_is_published_that_no_page_fetches(built_site):
    static = built_site / "_static"
    assert not list(static.rglob("*.map"))
    assert not (static / "vendor").exists() or not list(static.rglob("fa-*.woff2"))
    styles = (static / "styles/pydata-sphinx-theme.css").read_text("utf-8")
    assert "@font-face" not in styles
