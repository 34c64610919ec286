"""Refuse a page that says what the repository cannot prove.

Each problem is a warning with file and line, which `--fail-on-warning` turns into a failed build.
A page is checked when it is read: when it or its module has changed.  The tree is checked at every
build.
"""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.directives.code import LiteralInclude
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

from _ext import markup
from _ext.last_good import spoil
from _ext.markup import Problem

logger = logging.getLogger(__name__)

POSITIONS = {"lines", "start-at", "start-after", "end-at", "end-before", "prepend", "append"}
SHARED = {"generative/gaussian-mixture"}  # no article of its own: several of a category stand on it
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def module_of(root: Path, docname: str) -> Path:
    """Return the file that holds an article's code, a package's `__init__.py` included."""
    stem = root / "snippets" / docname.replace("-", "_")
    package = stem / "__init__.py"
    return package if package.is_file() else stem.with_suffix(".py")


def is_script(path: Path) -> bool:
    """Tell files that are run, or that lie in a folder which is no package, from modules."""
    return path.stem.endswith("_run") or not path.with_name("__init__.py").is_file()


def sources(module: Path) -> list[Path]:
    """Return a module or all files of a package, with the experiment that goes with it."""
    package = module.name == "__init__.py"
    files = sorted(module.parent.glob("*.py")) if package else [module]
    stem = module.parent if package else module.with_suffix("")
    return [*files, *stem.parent.glob(f"{stem.name}_run.py")]


@lru_cache
def _parse(path: Path, modified: int) -> ast.Module:
    return ast.parse(path.read_bytes(), path.name)


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a file as it is now; one message, however many ask for it."""
    try:
        return _parse(path, path.stat().st_mtime_ns)
    except SyntaxError as error:
        where = f"{path}:{error.lineno or 1}"
        logger.warning("does not parse: %s", error.msg, location=where, type="contract", once=True)
        raise


def public_names(module: Path) -> Iterator[tuple[str, Path, Definition]]:
    """Yield the public functions and classes of a module and those that a package hands on."""
    for node in parse(module).body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node.name, module, node
        elif module.name == "__init__.py" and isinstance(node, ast.ImportFrom) and node.level == 1:
            part = module.parent / f"{node.module}.py"
            handed_on = {alias.name for alias in node.names}
            if part.is_file():
                yield from (found for found in public_names(part) if handed_on & {found[0], "*"})


class Include(LiteralInclude):
    """`literalinclude` by name only: positions in a Python file drift silently."""

    def run(self) -> list[nodes.Node]:
        """Refuse positions and whole modules; remember on the node what it shows."""
        path = Path(self.env.relfn2path(self.arguments[0])[1])
        if path.suffix == ".py" and path.is_file():
            positions = [option for option in self.options if option in POSITIONS]
            whole = "pyobject" not in self.options and not is_script(path)
            if positions:
                self.refuse(f":{positions[0]}: of a Python file: include by :pyobject:")
            elif whole and Path(self.env.srcdir, "snippets") in path.parents:
                self.refuse(f"{path.name} is included whole: include by :pyobject:")
            try:
                parse(path)
            except SyntaxError:
                self.env.note_dependency(path)
                spoil(self.env, self.env.docname)
                return []
        included = super().run()
        for node in included:
            for block in node.findall(nodes.literal_block):
                block["shows"] = (str(path), self.options.get("pyobject"))
        return included

    def refuse(self, message: str) -> None:
        """Warn at the directive's line."""
        location = (self.env.docname, self.lineno)
        logger.warning(message, location=location, type="contract")


def check_shown(document: nodes.document, module: Path, docname: str) -> Iterator[Problem]:
    """The page shows every public name of its module: whole, method by method, or drawn."""
    shown = {block.get("shows") for block in document.findall(nodes.literal_block)}
    drawn = {node["drawn"] for node in document.findall(nodes.Element) if "drawn" in node}
    dotted = "snippets." + docname.replace("-", "_").replace("/", ".")
    for name, path, node in public_names(module):
        parts = [f"{name}.{part.name}" for part in node.body if isinstance(part, Definition)]
        by_parts = isinstance(node, ast.ClassDef) and parts
        figure = re.compile(rf"{re.escape(dotted)}(\.\w+)*\.{name}")
        if not (
            (str(path), name) in shown
            or (by_parts and all((str(path), part) in shown for part in parts))
            or any(figure.fullmatch(each) for each in drawn)
        ):
            yield f"{path}:{node.lineno}", f"{name} is public, but page {docname} never shows it"


def check_equations(document: nodes.document, module: Path, docname: str) -> Iterator[Problem]:
    """The page has every equation that the code cites by its label."""
    labels = {block.get("label") for block in document.findall(nodes.math_block)}
    for path in sources(module):
        text = path.read_text(encoding="utf-8")
        for cited in re.finditer(r"\bEq\.\s+\(([a-z][\w-]*)\)", text):
            if cited[1] not in labels:
                line = text.count("\n", 0, cited.start()) + 1
                yield f"{path}:{line}", f"Eq. ({cited[1]}) is not on page {docname}"


class PageContract(SphinxTransform):
    """Check one page, while its source lines are still apart."""

    default_priority = 790

    def apply(self, **kwargs: object) -> None:
        """Report every problem of the page."""
        for where, message in self.problems():
            location = (self.env.docname, where) if isinstance(where, int) else where
            logger.warning(message, location=location, type="contract")

    def problems(self) -> Iterator[Problem]:
        """Yield what the page and its module, taken together, get wrong."""
        docname, document = self.env.docname, self.document
        page = Path(self.env.doc2path(docname)).read_text(encoding="utf-8")
        yield from markup.check_front_matter(page, docname, self.env.found_docs)
        yield from markup.check_labels(document, docname)
        yield from markup.check_code(document, self.config.highlight_language)
        yield from markup.check_emphasis(document)
        if markup.is_article(docname):
            module = module_of(Path(self.env.srcdir), docname)
            for path in sources(module):
                self.env.note_dependency(path)  # a missing one has the page read at every build
            if module.is_file():
                yield from check_equations(document, module, docname)
                with suppress(SyntaxError):  # already reported
                    yield from check_shown(document, module, docname)


def check_tree(app: Sphinx, env: BuildEnvironment) -> None:
    """One article is one page, one module and one test file, of one name."""
    root = Path(app.srcdir)
    articles = sorted(filter(markup.is_article, env.found_docs))
    problems: list[tuple[tuple[str, int] | str, str]] = []
    first: dict[str, str] = {}
    for docname in articles:
        category, name = docname.replace("-", "_").split("/")
        for partner in module_of(root, docname), root / f"tests/{category}/test_{name}.py":
            if not partner.is_file():
                problems.append(((docname, 1), f"page without {partner.relative_to(root)}"))
        if first.setdefault(name, docname) != docname:
            problems.append(((docname, 1), f"{first[name]} has the same name"))
    modules = {path: path.stem for path in root.glob("snippets/*/*.py")}
    modules |= {path / "__init__.py": path.name for path in root.glob("snippets/*/*/")}
    tests = {path: path.stem.removeprefix("test_") for path in root.glob("tests/*/test_*.py")}
    for path, name in sorted((modules | tests).items()):
        folder, category = path.relative_to(root).parts[:2]
        kind = "module" if folder == "snippets" else "test"
        page = f"{category}/{name}".replace("_", "-")
        free = category in ("common", "site") or name == "__init__" or name.endswith("_run")
        if path.is_file() and not free and page not in SHARED.union(articles):
            problems.append((f"{path}:1", f"{kind} without page {page}.md"))
    for location, message in problems:
        logger.warning(message, location=location, type="contract")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the checks."""
    app.add_directive("literalinclude", Include, override=True)
    app.add_transform(PageContract)
    app.connect("env-updated", check_tree)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
