"""The stamp “已验证” of an article: when and with which versions its doctests and tests passed.

Two runs note which articles passed: the builder `doctest` in `_build/doctest`, pytest in
`_build/pytest`.  A note holds a digest of all that was tried: the page, its tests, and what of
`snippets` they reach.  A build of the site notes the digests of what it shows.  `publish` stamps
the pages of which all three digests are one and clears all others, so that what was edited since,
never tried or has failed bears no stamp, and clean builds have the same bytes whoever tested.
"""

import ast
import datetime
import hashlib
import json
import platform
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.environment import BuildEnvironment
from sphinx.util.typing import ExtensionMetadata

from _ext.articles import tests_of
from _ext.contract import parse
from _ext.markup import is_article
from snippets.common.imports import closure, source_of

NAMED = re.compile(r"\b(snippets(?:\.\w+)*)(?: import \(?([\w\s,.]*))?")
TIMINGS = re.compile(r"\bfrom benchmarks\.(\w+) import")
STAMP = re.compile(r'(<p class="article-verified">)[^\n]*(</p>)')
TEXT = "已验证：<time>{date}</time>，Python {python}，torch {torch}"


def modules(text: str) -> Iterator[str]:
    """Yield every dotted name below `snippets` that a page or a test file may import."""
    for base, names in NAMED.findall(text):
        for name in ["", *re.findall(r"\w+", names)]:
            parts = [*base.split("."), name]
            yield from (".".join(parts[:i]) for i in range(1, len(parts) + bool(name)))


@cache
def _imports(path: Path, modified: int) -> ast.Module:
    found = [n for n in ast.walk(parse(path)) if isinstance(n, ast.Import | ast.ImportFrom)]
    return ast.Module(body=[*found], type_ignores=[])


def imports(path: Path) -> ast.Module:
    """Return the import statements of a file as it is now, read once for all articles."""
    return _imports(path, path.stat().st_mtime_ns)


def code(docname: str, root: Path, *users: Path) -> set[Path]:
    """Return the files of ours that an article and its users name, import and read."""
    own = root / "snippets" / docname.replace("-", "_")
    name = ".".join(own.relative_to(root).parts)
    text = "\n".join(path.read_text(encoding="utf-8") for path in users if path.is_file())
    timings = {root / f"benchmarks/{named}.py" for named in TIMINGS.findall(text)}
    timings |= {root / "benchmarks/__init__.py"} if timings else set()
    text += "\n".join(path.read_text(encoding="utf-8") for path in timings if path.is_file())
    compared = root.joinpath("tests", own.parent.name).glob("*")
    files = timings | {path for path in compared if path.name in text}
    for module in {name, f"{name}_run", *modules(text)}:
        if source_of(module, root) not in {None, *files}:
            files |= set(closure(module, root, read=imports).values())
    common = root / "snippets/common"
    data = common.glob("data/*") if common / "corpora.py" in files else ()
    files |= {*own.parent.glob(f"{own.name}_run.json"), *own.rglob("*"), *data}
    return {path for path in files if path.is_file() and "__pycache__" not in path.parts}


def evidence(docname: str, root: Path) -> set[Path]:
    """Return all files that the doctests and tests of an article depend on."""
    page, tests = root / f"{docname}.md", root / tests_of(docname)
    compared = {path for path in tests.parent.glob("*") if not path.name.startswith("test_")}
    files = {page, tests, root / "conf.py", root / "tests/conftest.py", *compared}
    return {path for path in files if path.is_file()} | code(docname, root, page, tests)


def digests(docnames: Iterable[str], root: Path) -> dict[str, str]:
    """Return a digest of the evidence of each article of which all modules can be read."""
    found = {}
    for docname in filter(is_article, docnames):
        digest = hashlib.sha256()
        try:
            for path in sorted(evidence(docname, root)):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(root).as_posix()} {content}\n".encode())
        except SyntaxError:
            continue
        found[docname] = digest.hexdigest()
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
        app.builder.evidence = digests(app.env.found_docs, Path(app.srcdir))  # type: ignore[attr-defined]


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
        shown = unchanged(app.builder.evidence, Path(app.srcdir))  # type: ignore[attr-defined]
        text = json.dumps(shown, indent=1, sort_keys=True) + "\n"
        (app.outdir / ".evidence.json").write_text(text, encoding="utf-8")
        publish(Path(app.outdir))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Frame the build."""
    app.connect("env-before-read-docs", begin)
    app.connect("env-updated", overtaken)
    app.connect("build-finished", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
