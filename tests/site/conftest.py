"""Builds small sites, mostly broken on purpose, the way `make html` builds the real one."""

import io
import multiprocessing
import os
import sys
import warnings
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from playwright.sync_api import sync_playwright
from sphinx.application import builtin_extensions
from sphinx.cmd.build import main

from _ext.browser import find_browser

ROOT = Path(__file__).parents[2]
for name in (*builtin_extensions, "myst_parser.sphinx_ext.main", "myst_parser.parsers.sphinx_"):
    import_module(name)  # once, not in every forked build

CONF = """
import sys
sys.path.insert(0, {srcdir!r})
project = "broken"
language = "zh_CN"
extensions = {extensions!r}
include_patterns = ["**.md"]
myst_enable_extensions = ["dollarmath"]
html_theme = "basic"
"""
FRONT = {
    "date": "2026-01-11",
    "updated": "2026-01-11",
    "description": "一句话。",
    "tags": "[词]",
    "prerequisites": "[]",
}


@dataclass
class Build:
    """What one run of sphinx-build left behind."""

    code: int
    output: str
    outdir: Path


def _sphinx(source: Path, arguments: list[str], sender) -> None:
    """Run sphinx-build in a forked child that sees the site's own `snippets`, not ours."""
    for name in [n for n in sys.modules if n == "snippets" or n.startswith("snippets.")]:
        del sys.modules[name]
    sys.path[:] = [
        str(source),
        *(p for p in sys.path if Path(p or ".").resolve() != ROOT),
        str(ROOT),
    ]
    os.chdir(source)
    warnings.resetwarnings()  # pytest makes errors of them, a build does not
    warnings.simplefilter("ignore", DeprecationWarning)
    output = sys.stdout = sys.stderr = io.StringIO()
    code = main(arguments)
    sender.send((code, output.getvalue()))


class Site:
    """A site in a temporary folder: write files, build, look at the result."""

    def __init__(self, root: Path, extensions: list[str]):
        self.root = root
        self.write("snippets/__init__.py", "")  # hides the real one
        self.write("conf.py", CONF.format(srcdir=str(root), extensions=extensions))

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")

    def configure(self, text: str) -> None:
        """Add lines to conf.py."""
        with (self.root / "conf.py").open("a", encoding="utf-8") as conf:
            conf.write(text)

    def article(self, name: str, text: str, **front: str) -> None:
        """Write a page below front matter that keeps the contract, but for what `front` says."""
        front = {"category": name.partition("/")[0]} | FRONT | front
        lines = "".join(f"{key}: {value}\n" for key, value in front.items())
        self.write(f"{name}.md", f"---\n{lines}---\n{dedent(text)}")

    def build(
        self, builder: str = "html", *options: str, strict: bool = True, timeout: float = 60
    ) -> Build:
        """Build with the options of the Makefile; never raises for a failed build."""
        outdir = self.root / "_build" / builder
        arguments = ["-b", builder, "--keep-going", "--nitpicky", "--no-color"]
        arguments += ["--fail-on-warning"] * strict
        arguments += [
            "-d",
            str(self.root / "_build/doctrees"),
            *options,
            str(self.root),
            str(outdir),
        ]
        receiver, sender = multiprocessing.Pipe(duplex=False)
        child = multiprocessing.get_context("fork").Process(
            target=_sphinx, args=(self.root, arguments, sender)
        )
        child.start()
        if not receiver.poll(timeout):
            child.kill()
            raise TimeoutError(f"sphinx-build did not end within {timeout} s")
        code, output = receiver.recv()
        child.join()
        return Build(code, output, outdir)


@pytest.fixture
def site(tmp_path):
    """`site("_ext.contract")`: an empty site that loads myst_parser and the named extensions."""
    return lambda *extensions: Site(tmp_path, ["myst_parser", *extensions])


@pytest.fixture(scope="session")
def built_site():
    """The folder that `make html` published, or the one that BUILT_SITE names."""
    folder = Path(os.environ.get("BUILT_SITE", ROOT / "_build/html"))
    if not (folder / "index.html").exists():
        pytest.fail(f"{folder} is missing: run `make html` first")
    return folder


@pytest.fixture(scope="session")
def browser():
    """One headless Chromium for all tests; without any they skip, or fail if REQUIRE_BROWSER=1."""
    try:
        executable = find_browser()
    except FileNotFoundError as error:
        required = os.environ.get("REQUIRE_BROWSER") == "1"
        (pytest.fail if required else pytest.skip)(str(error))
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable)
        yield chromium
        chromium.close()
