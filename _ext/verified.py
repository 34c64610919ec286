"""The stamp “已验证” of an article: when and with which versions its doctests and tests passed.

Two runs note which articles passed: the builder `doctest` in `_build/doctest`, pytest in
`_build/pytest`.  A note holds a digest of all that was tried: the page, its tests, and what of
`snippets` they reach.  A build of the site notes the digests of what it shows.  `publish` stamps
the pages of which all three digests are one and clears all others, so that what was edited since,
never tried or has failed bears no stamp, and clean builds have the same bytes whoever tested.
"""

import datetime
import hashlib
import json
import os
import platform
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache, partial
from importlib import metadata
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

from _ext.articles import tests_of
from _ext.contract import parse
from _ext.kept import kept
from _ext.markup import is_article
from snippets.common.imports import imported_names, source_of

NAMED = re.compile(r"\b(snippets(?:\.\w+)*)(?: import \(?([\w\s,.]*))?")
FILE = re.compile(r"\w[\w.-]*\.\w+", re.ASCII)
TIMINGS = re.compile(r"\bfrom benchmarks\.(\w+) import")
STAMP = re.compile(r'(<p class="article-verified">)[^\n]*(</p>)')
TEXT = "已验证：<time>{date}</time>，Python {python}，torch {torch}"


def modules(text: str) -> Iterator[str]:
    """Yield every dotted name below `snippets` that a page or a test file may import."""
    for base, names in dict.fromkeys(NAMED.findall(text)):
        for name in ["", *re.findall(r"\w+", names)]:
            parts = [*base.split("."), name]
            yield from (".".join(parts[:i]) for i in range(1, len(parts) + bool(name)))


class Tree:
    """The files of ours as they are now: what articles share is looked for and read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.source_of = cache(partial(source_of, root=root))
        self.needs = cache(self._needs)
        self.listed = cache(self._listed)
        self.line = cache(self._line)

    def _needs(self, module: str) -> list[str]:
        """Return the modules of ours that a module imports itself, and the package it is in."""
        path = self.source_of(module)
        if path is None:
            return []
        parent = module.rpartition(".")[0]
        package = module if path.name == "__init__.py" else parent

        def names() -> list[str]:
            every = sorted({parent, *imported_names(parse(path), package)})
            return [name for name in every if name.partition(".")[0] == "snippets"]

        made_from = [sys.version_info[:2], package, path.read_text(encoding="utf-8")]
        return list(filter(self.source_of, kept(self.root, "imports", made_from, names)))

    def _listed(self, folder: Path) -> tuple[dict[str, Path], set[Path]]:
        """Return the files in a folder by name, and those of them that are no tests."""
        files = {path.name: path for path in folder.glob("*") if path.is_file()}
        return files, {path for name, path in files.items() if not name.startswith("test_")}

    def _line(self, path: Path) -> str:
        """Return the name of a file and a digest of what it holds."""
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        return f"{path.relative_to(self.root).as_posix()} {content}\n"

    def closure(self, modules: set[str]) -> set[Path]:
        """Return the files of modules of ours and of all that they import."""
        found, waiting = set(modules), [*modules]
        while waiting:
            new = set(self.needs(waiting.pop())) - found
            found |= new
            waiting += new
        return {path for path in map(self.source_of, found) if path}


def code(docname: str, tree: Tree, *users: Path) -> set[Path]:
    """Return the files of ours that an article and its users name, import and read."""
    root = tree.root
    own = root / "snippets" / docname.replace("-", "_")
    name = ".".join(own.relative_to(root).parts)
    text = "\n".join(path.read_text(encoding="utf-8") for path in users if path.is_file())
    timings = {root / f"benchmarks/{named}.py" for named in TIMINGS.findall(text)}
    timings |= {root / "benchmarks/__init__.py"} if timings else set()
    text += "\n".join(path.read_text(encoding="utf-8") for path in timings if path.is_file())
    compared, _ = tree.listed(root / "tests" / own.parent.name)
    files = timings | {compared[name] for name in compared.keys() & set(FILE.findall(text))}
    files |= tree.closure({name, f"{name}_run", *modules(text)})
    common = root / "snippets/common"
    data = tree.listed(common / "data")[1] if common / "corpora.py" in files else ()
    files |= {own.with_name(f"{own.name}_run.json"), *own.rglob("*"), *data}
    return {path for path in files if path.is_file() and "__pycache__" not in path.parts}


def evidence(docname: str, tree: Tree) -> set[Path]:
    """Return all files that the doctests and tests of an article depend on."""
    root, tests = tree.root, tree.root / tests_of(docname)
    page = root / f"{docname}.md"
    files = {page, tests, root / "conf.py", root / "tests/conftest.py"}
    files |= tree.listed(tests.parent)[1]
    return {path for path in files if path.is_file()} | code(docname, tree, page, tests)


def digests(docnames: Iterable[str], root: Path) -> dict[str, str]:
    """Return a digest of the evidence of each article of which all modules can be read."""
    found, tree = {}, Tree(root)
    for docname in filter(is_article, docnames):
        try:
            lines = sorted(map(tree.line, evidence(docname, tree)))
        except SyntaxError:
            continue
        found[docname] = hashlib.sha256("".join(lines).encode()).hexdigest()
    return found


def states(root: Path) -> dict[str, tuple[int, int]]:
    """Return when each file that evidence may hold was written, and its size."""
    found = {}
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name[0] not in "._"]
        for path in (os.path.join(folder, name) for name in files):
            stat = os.stat(path)
            found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def unchanged(before: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return the digests that are the same now as before a run."""
    return dict(before.items() & digests(before, root).items())


def read(path: Path) -> dict[str, Any]:
    """Return the notes of a run, none where there was no run."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def note(path: Path, tried: Iterable[str], passed: Mapping[str, str]) -> None:
    """Note of the articles tried which passed, with what and when; forget it of the others."""
    circumstances = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "python": platform.python_version(),
        "torch": metadata.version("torch").partition("+")[0],
    }
    old = {docname: kept for docname, kept in read(path).items() if docname not in set(tried)}
    new = {docname: {"digest": digest} | circumstances for docname, digest in passed.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(old | new, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def stamp(digest: str, doctests: dict[str, str], tests: dict[str, str]) -> str:
    """Return the stamp of an article, empty unless both runs passed with what the page shows."""
    alike = all(doctests.get(key) == tests.get(key) for key in ("digest", "python", "torch"))
    if not alike or doctests.get("digest") != digest:
        return ""
    return TEXT.format_map(doctests | {"date": min(doctests["date"], tests["date"])})


def publish(html: Path) -> None:
    """Stamp the pages of a built site that have earned it and clear the others."""
    doctests, tests = (read(html.with_name(run) / "verified.json") for run in ("doctest", "pytest"))
    for docname, digest in read(html / ".evidence.json").items():
        path = html / f"{docname}.html"
        page = path.read_text(encoding="utf-8")
        text = stamp(digest, doctests.get(docname, {}), tests.get(docname, {}))
        if (stamped := STAMP.sub(rf"\g<1>{text}\2", page)) != page:
            path.write_text(stamped, encoding="utf-8")


def begin(app: Sphinx, *_: object) -> None:
    """Take the digests before any page is read."""
    if isinstance(app.builder, StandaloneHTMLBuilder):
        root = Path(app.srcdir)
        app.builder.states = states(root)  # type: ignore[attr-defined]
        app.builder.evidence = digests(app.env.found_docs, root)  # type: ignore[attr-defined]


def overtaken(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages that another builder has read since they were written."""
    if not isinstance(app.builder, StandaloneHTMLBuilder):
        return []
    pages = {name: Path(app.builder.get_output_path(name)) for name in env.found_docs}
    read = {name: Path(env.doctreedir, f"{name}.doctree") for name in pages}
    modified = {path: path.stat().st_mtime_ns for path in pages.values() if path.is_file()}
    return sorted(n for n in pages if read[n].stat().st_mtime_ns > modified.get(pages[n], 0))


def finish(app: Sphinx, exception: Exception | None) -> None:
    """Note what the site shows, and stamp it."""
    if exception is None and isinstance(app.builder, StandaloneHTMLBuilder):
        root, shown = Path(app.srcdir), app.builder.evidence  # type: ignore[attr-defined]
        if states(root) != app.builder.states:  # type: ignore[attr-defined]
            shown = unchanged(shown, root)
        text = json.dumps(shown, indent=1, sort_keys=True) + "\n"
        (app.outdir / ".evidence.json").write_text(text, encoding="utf-8")
        publish(Path(app.outdir))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Frame the build."""
    app.connect("env-before-read-docs", begin)
    app.connect("env-updated", overtaken)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
