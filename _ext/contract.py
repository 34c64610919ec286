"""Refuse a page that says what the repository cannot prove.

Each problem is a warning with file and line, which `--fail-on-warning` turns into a failed build.
What a page alone decides is checked when it is read, what the tree decides at every build.
"""

import ast
import datetime
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import yaml
from docutils import nodes
from pygments.lexers import PythonLexer, get_lexer_by_name
from pygments.util import ClassNotFound
from sphinx.directives.code import LiteralInclude
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

logger = logging.getLogger(__name__)

# A line of a page, a node of it or "file:line", and what is wrong there.
Problem = tuple[int | nodes.Node | str, str]

KEYS = {"category", "date", "updated", "description", "tags", "prerequisites"}
POSITIONS = {"lines", "start-at", "start-after", "end-at", "end-before", "prepend", "append"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_article(docname: str) -> bool:
    """Tell articles from category pages and the pages at the root."""
    return docname.count("/") == 1 and not docname.endswith("/index")


def module_of(root: Path, docname: str) -> Path:
    """Return the file that holds an article's code, a package's `__init__.py` included."""
    stem = root / "snippets" / docname.replace("-", "_")
    package = stem / "__init__.py"
    return package if package.is_file() else stem.with_suffix(".py")


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


def public_names(module: Path) -> Iterator[tuple[str, Path, ast.stmt]]:
    """Yield the public functions and classes of a module, or those that a package hands on."""
    tree = parse(module)
    for node in tree.body:
        if isinstance(node, DEFINITIONS) and not node.name.startswith("_"):
            yield node.name, module, node
        elif isinstance(node, ast.ImportFrom) and node.level == 1 and node.module:
            handed_on = {alias.name for alias in node.names}
            part = module.parent / f"{node.module.replace('.', '/')}.py"
            yield from (found for found in public_names(part) if handed_on & {found[0], "*"})


class Include(LiteralInclude):
    """`literalinclude` by name only: positions in a Python file drift silently."""

    def run(self) -> list[nodes.Node]:
        """Refuse positions and whole modules; remember on the node what it shows."""
        path = Path(self.env.relfn2path(self.arguments[0])[1])
        if path.suffix == ".py" and path.is_file():
            positions = [option for option in self.options if option in POSITIONS]
            whole = "pyobject" not in self.options and not path.stem.endswith("_run")
            if positions:
                self.refuse(f":{positions[0]}: of a Python file: include by :pyobject:")
            elif whole and Path(self.env.srcdir, "snippets") in path.parents:
                self.refuse(f"{path.name} is included whole: include by :pyobject:")
            try:
                parse(path)
            except SyntaxError:
                self.env.note_dependency(path)
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


def nobody_runs(block: nodes.Element, default: str) -> str | None:
    """Return why a code block proves nothing, or None."""
    if "testnodetype" in block or "shows" in block:
        return None
    language = block.get("language", default)
    if language in ("none", "default", "guess"):
        return "a code block without a language: run it, or say text, console, yaml …"
    try:
        lexer = get_lexer_by_name(language)
        python = isinstance(lexer, PythonLexer) or "python" in lexer.name.lower()
    except ClassNotFound:
        python = "py" in language
    if python or re.search(r"^\s*>>> ", block.astext(), re.MULTILINE):
        return f"Python that nobody runs ({language}): use doctest, testcode or literalinclude"
    return None


def check_code(document: nodes.document, default: str) -> Iterator[Problem]:
    """Every Python block is run or included by name."""
    for block in document.findall(nodes.literal_block):
        if why := nobody_runs(block, default):
            yield block, why


def check_labels(document: nodes.document, slug: str | None) -> Iterator[Problem]:
    """H1 to H3 and equations carry ASCII labels, in an article prefixed by its slug."""
    for section in document.findall(nodes.section):
        level = 1
        outer = section.parent
        while isinstance(outer, nodes.section):
            level, outer = level + 1, outer.parent
        labels = [name for name in section["names"] if document.nametypes.get(name)]
        wanted = r"[a-z0-9/-]+" if slug is None else slug if level == 1 else rf"{slug}/[a-z0-9/-]+"
        if not labels and level <= 3:
            yield section, f"heading without a label: write ({wanted})= above it"
        for label in labels:
            if not re.fullmatch(wanted, label):
                yield section, f"label {label!r} of a heading is not {wanted}"
    for block in document.findall(nodes.math_block):
        label = block.get("label")
        named = label and slug and "amsmath" not in block["classes"]  # those get random ones
        if named and not re.fullmatch(rf"{slug}-[a-z0-9-]+", label):
            yield block, f"label {label!r} of an equation is not {slug}-[a-z0-9-]+"


def prose(node: nodes.Node) -> str:
    """Return the text of a node in which code, formulas and bare addresses are one letter."""
    if isinstance(node, nodes.Text):
        return str(node)
    opaque = (nodes.literal, nodes.math, nodes.raw, nodes.FixedTextElement)
    if isinstance(node, opaque) or node.get("refuri") == node.astext() != "":
        return "x"
    return "".join(prose(child) for child in node.children)


def check_emphasis(node: nodes.Element) -> Iterator[Problem]:
    """No emphasis mark survives in the text of a page."""
    for child in node.children:
        if not isinstance(child, nodes.TextElement):
            if not isinstance(child, (nodes.docinfo, nodes.field_list, nodes.system_message)):
                yield from check_emphasis(child)
        elif not isinstance(child, (nodes.FixedTextElement, nodes.math_block)):
            text = prose(child)
            mark = re.search(r"\*\*|__|\*[^*\s](?:[^*]*[^*\s])?\*", text)
            if mark:
                line = (child.line or 1) + text.count("\n", 0, mark.start())
                near = text[mark.start() : mark.start() + 12].split("\n")[0]
                yield line, f"emphasis that did not take effect: {near}"


def check_front_matter(page: str, docname: str, found: set[str]) -> Iterator[Problem]:
    """The front matter has exactly the keys of an article, each well formed."""
    match = re.match(r"---\n(.*?)^---$", page, re.DOTALL | re.MULTILINE)
    try:
        node = yaml.compose(match[1]) if match else None
        data = yaml.safe_load(match[1]) if match else None
    except yaml.YAMLError:
        return  # the parser reports it
    data = data if isinstance(data, dict) else {}
    keys = node.value if isinstance(node, yaml.MappingNode) else []
    line = {key.value: key.start_mark.line + 2 for key, _ in keys}
    wanted = KEYS if is_article(docname) else data.keys() & {"description"}
    for key in sorted(wanted - data.keys()):
        yield 1, f"front matter lacks {key}"
    for key in sorted(data.keys() - wanted, key=str):
        yield line.get(key, 1), f"front matter has an unknown key {key}"
    text = data.get("description", "…")
    if not isinstance(text, str) or not 0 < len(text) <= 60:
        yield line["description"], "description is not a sentence of at most 60 characters"
    if not is_article(docname) or wanted != data.keys():
        return
    folder = docname.partition("/")[0]
    if data["category"] != folder:
        yield line["category"], f"category is not the folder {folder}"
    dates = [data["date"], data["updated"]]
    for key, value in zip(("date", "updated"), dates, strict=True):
        if type(value) is not datetime.date:
            yield line[key], f"{key} is not a date like 2026-01-11"
    if all(type(value) is datetime.date for value in dates) and dates[0] > dates[1]:
        yield line["updated"], "updated is before date"
    for key in ("tags", "prerequisites"):
        value = data[key]
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            yield line[key], f"{key} is not a list of strings"
        elif key == "tags" and not value:
            yield line[key], "tags is empty"
        elif key == "prerequisites":
            for entry in value:
                if re.fullmatch(r"[a-z0-9-]+/[a-z0-9-]+", entry) and entry not in found:
                    yield line[key], f"prerequisite {entry} is not a page"


def check_module(document: nodes.document, module: Path, docname: str) -> Iterator[Problem]:
    """The page shows every public name of its module and has every equation it cites."""
    shown = {block.get("shows") for block in document.findall(nodes.literal_block)}
    drawn = {node["drawn"] for node in document.findall(nodes.Element) if "drawn" in node}
    dotted = "snippets." + docname.replace("-", "_").replace("/", ".") + "."
    for name, path, node in public_names(module):
        methods = [n.name for n in getattr(node, "body", ()) if isinstance(n, DEFINITIONS)]
        in_parts = isinstance(node, ast.ClassDef) and methods
        if (str(path), name) in shown or any(
            figure.startswith(dotted) and figure.endswith(f".{name}") for figure in drawn
        ):
            continue
        if not in_parts or any((str(path), f"{name}.{part}") not in shown for part in methods):
            yield f"{path}:{node.lineno}", f"{name} is public, but page {docname} never shows it"
    labels = {block.get("label") for block in document.findall(nodes.math_block)}
    for path in sorted(module.parent.glob("*.py")) if module.stem == "__init__" else [module]:
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
        docname, root = self.env.docname, Path(self.env.srcdir)
        slug = docname.partition("/")[2] if is_article(docname) else None
        page = Path(self.env.doc2path(docname)).read_text(encoding="utf-8")
        yield from check_front_matter(page, docname, self.env.found_docs)
        yield from check_labels(self.document, slug)
        yield from check_code(self.document, self.config.highlight_language)
        yield from check_emphasis(self.document)
        if slug:
            module = module_of(root, docname)
            for path in module.parent.glob("*.py") if module.stem == "__init__" else [module]:
                self.env.note_dependency(path)  # a missing one has the page read at every build
            if module.is_file():
                with suppress(SyntaxError):  # already reported
                    yield from check_module(self.document, module, docname)


def check_tree(app, env) -> None:
    """One article is one page, one module and one test file, of one name."""
    root = Path(app.srcdir)
    pages = {
        docname.replace("-", "_"): docname for docname in env.found_docs if is_article(docname)
    }
    slugs: dict[str, str] = {}
    problems: list[tuple[object, str]] = []
    for name, docname in sorted(pages.items()):
        slug = docname.partition("/")[2]
        test = Path(
            "tests", docname.split("/")[0].replace("-", "_"), f"test_{name.split('/')[1]}.py"
        )
        for partner in (module_of(root, docname), root / test):
            if not partner.is_file():
                problems.append(((docname, 1), f"page without {partner.relative_to(root)}"))
        if slugs.setdefault(slug, docname) != docname:
            problems.append(((docname, 1), f"{slugs[slug]} has the same name"))
    for path in sorted([*root.glob("snippets/*/*.py"), *root.glob("snippets/*/*/__init__.py")]):
        part = path.parent if path.parents[2].name == "snippets" else path.with_suffix("")
        name = f"{part.parent.name}/{part.name}"
        free = part.parent.name == "common" or part.name == "__init__" or name.endswith("_run")
        if not free and name not in pages:
            problems.append((f"{path}:1", f"module without page {name.replace('_', '-')}.md"))
    for path in sorted(root.glob("tests/*/test_*.py")):
        name = f"{path.parent.name}/{path.stem.removeprefix('test_')}"
        if path.parent.name not in ("common", "site") and name not in pages:
            problems.append((f"{path}:1", f"test without page {name.replace('_', '-')}.md"))
    for location, message in problems:
        logger.warning(message, location=location, type="contract")


def setup(app):
    """Register the checks."""
    app.add_directive("literalinclude", Include, override=True)
    app.add_transform(PageContract)
    app.connect("env-updated", check_tree)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
