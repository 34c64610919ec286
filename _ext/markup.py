"""What a page gets wrong by itself: its code blocks, labels, emphasis and front matter."""

import datetime
import re
from collections.abc import Iterator, Set

import yaml
from docutils import nodes
from pygments.lexers import PythonLexer, get_lexer_by_name
from pygments.util import ClassNotFound

# A line of the page, a node of it or "file:line", and what is wrong there.
Problem = tuple[int | nodes.Node | str, str]

KEYS = {"category", "date", "updated", "description", "tags", "prerequisites"}


def is_article(docname: str) -> bool:
    """Tell articles from category pages and the pages at the root."""
    return docname.count("/") == 1 and not docname.endswith("/index")


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
        if isinstance(block.parent, nodes.system_message):
            continue
        if why := nobody_runs(block, default):
            yield block, why


def check_labels(document: nodes.document, docname: str) -> Iterator[Problem]:
    """H1 to H3 and equations carry ASCII labels, in an article prefixed by its slug."""
    slug = docname.partition("/")[2] if is_article(docname) else None
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


def check_front_matter(page: str, docname: str, found: Set[str]) -> Iterator[Problem]:
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
