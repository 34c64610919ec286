"""What a reader takes home of an article: its code as PAGE.zip, the page as notebook PAGE.ipynb.

The archive holds the article's module with all of ours that it and its examples import, the
records and the data beside them, so it runs where it is unpacked.  The notebook carries the same
archive in its first cell and needs nothing else but libraries.  Its prose is the page's Markdown;
an example is a cell with the outputs that the page promises; a figure is the call that draws it,
with the drawing of the page.  What a page runs on some versions of Python only stays text.
"""

import ast
import base64
import io
import json
import re
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util.typing import ExtensionMetadata

from _ext import verified
from _ext.articles import NO_NOTEBOOK
from _ext.doctests import parser
from _ext.drawn import drawing
from _ext.markdown import Piece, Twin, Writer, numbers
from _ext.markup import is_article

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # the first moment that an archive can name
IMPORT = re.compile(r"^\W*(?:import|from) (\w+)|\"(\w+)\": \"[\w/.]+\.gz\"", re.MULTILINE)
NAMES = {  # what is imported under another name than it is installed
    "cv2": "opencv-python-headless",
    "kenlm": "ufal-kenlm",
    "ot": "pot",
    "pyro": "pyro-ppl",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
}
UNPACK = """\
# 放好本页的代码：下面的压缩包与网页上“下载代码”的相同；已经有的文件不动，可以改了再跑。
import base64, io, pathlib, sys, zipfile
CODE = "{code}"
with zipfile.ZipFile(io.BytesIO(base64.b64decode(CODE))) as archive:
    for name in archive.namelist():
        if not pathlib.Path(name).exists():
            archive.extract(name)
sys.path.insert(0, "")"""
PREPARE = """\
# 每个表达式的值都显示，写法与网页相同；图里的字用浏览器的字体；随机数从同一处开始。
import logging, warnings
import matplotlib
from snippets.common import plot{setup}
shell = get_ipython()
shell.ast_node_interactivity = "all"
shell.display_formatter.formatters["text/plain"].pprint = False
shell.run_line_magic("matplotlib", "inline")
shell.run_line_magic("config", "InlineBackend.figure_formats = ['svg']")
matplotlib.rcParams.update(plot.style() | {{"svg.fonttype": "none"}})
warnings.filterwarnings("ignore", "Glyph .* missing")
logging.getLogger("matplotlib").setLevel("ERROR")"""
Cell = dict[str, Any]


@cache
def tree_of(builder: StandaloneHTMLBuilder) -> verified.Tree:
    """Return the files of ours, looked for once in a build."""
    return verified.Tree(Path(builder.srcdir))


def archive(docname: str, tree: verified.Tree) -> bytes:
    """Return the code of an article as a zip; the same files give the same bytes."""
    root = tree.root
    plot = root / "snippets/common/plot.py"
    files = {root / "LICENSE", plot, *verified.code(docname, tree, root / f"{docname}.md", plot)}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for path in sorted(path for path in files if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(root).as_posix(), LONG_AGO)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            packed.writestr(info, path.read_bytes())
    return buffer.getvalue()


def requirements(texts: list[str], root: Path) -> list[str]:
    """Return what of pyproject.toml the code and the examples of an article import."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    known = {
        re.split(r"[\[<>=!~;]", line)[0].replace("_", "-").lower(): line
        for line in [*extras["docs"], *extras["test"], *project["dependencies"]]
    }
    named = {one for text in texts for found in IMPORT.findall(text) for one in found if one}
    wanted = {NAMES.get(name, name.replace("_", "-").lower()) for name in named}
    return sorted(known[name] for name in (wanted | {"torch", "matplotlib"}) & known.keys())


class NotebookWriter(Writer):
    """Takes lists and boxes apart where an example stands in them, which has to be a cell."""

    def pieces(self, node: nodes.Node) -> Iterator[Piece]:
        """Yield the blocks of a node, no example inside another block."""
        nests = isinstance(node, nodes.list_item | nodes.bullet_list | nodes.enumerated_list)
        if nests and any(is_example(inner) for inner in node.findall(nodes.Element)):
            for child in node.children:
                yield from self.pieces(child)
        else:
            yield from super().pieces(node)


def is_example(node: nodes.Element) -> bool:
    """Tell what every supported Python runs."""
    return "testnodetype" in node and not node.get("pyversion")


def prose(text: str) -> Cell:
    """Return a cell of Markdown."""
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def code(source: str, want: str = "", raises: str | None = None) -> Cell:
    """Return a cell of code with the output that the page promises."""
    outputs: list[dict[str, Any]] = []
    if want:
        outputs.append({"output_type": "stream", "name": "stdout", "text": want})
    if raises is not None:
        name, _, value = raises.strip().partition(": ")
        last = {"ename": name, "evalue": value, "traceback": [raises.strip()]}
        outputs.append({"output_type": "error", **last})
    return {
        "cell_type": "code",
        "execution_count": None,
        "metadata": {} if raises is None else {"tags": ["raises-exception"]},
        "outputs": outputs,
        "source": source.rstrip("\n"),
    }


def whole(source: str) -> str:
    """Keep several statements on one line together: a notebook would compile each by itself."""
    try:
        several = len(ast.parse(source).body) > 1
    except SyntaxError:  # which the page expects
        several = False
    return f"exec(compile({source.strip()!r}, '', 'single'))\n" if several else source


def silent(source: str) -> str:
    """Keep the values of a testcode's statements to itself: it shows only what it prints."""
    lines = source.split("\n")
    for node in ast.parse(source).body:
        if isinstance(node, ast.Expr) and not ast.unparse(node).startswith("print("):
            lines[node.lineno - 1] = f"_ = {lines[node.lineno - 1]}"
    return "\n".join(lines)


def session(text: str) -> Iterator[Cell]:
    """Yield the cells of a doctest: one, or one up to each exception, which ends a cell."""
    source = want = ""
    for one in parser.get_examples(text + "\n"):
        source += whole(one.source)
        if one.exc_msg is not None:
            yield code(source, want, one.exc_msg)
            source = want = ""
        want += one.want.replace("<BLANKLINE>\n", "\n") if one.exc_msg is None else ""
    if source:
        yield code(source, want)


def figure(node: drawing, dotted: str) -> Cell:
    """Return the call of a figure's function with the drawings of the page."""
    module, _, name = dotted.rpartition(".")
    star = "*" * (len(node["frames"]) > 1)
    cell = code(f"from {module} import {name}\ndisplay({star}{name}())")
    cell["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": one["light"]}}
        for one in node["frames"]
    ]
    return cell


def answered(cell: Cell, output: str) -> Cell:
    """Return a cell with the output, or the exception, that a testoutput says."""
    raised = parser.get_examples(f">>> _\n{output}\n")[0].exc_msg
    return code(cell["source"], "" if raised else output + "\n", raised)


def cells(pieces: Iterator[Piece]) -> list[Cell]:
    """Return the cells of a page: prose up to the next heading or code, and all code."""
    made: list[Cell] = []
    told: list[str] = []
    for piece in pieces:
        node, new = piece.node, list[Cell]()
        kind = node["testnodetype"] if is_example(node) else ""
        if kind == "testoutput":
            made[-1] = answered(made[-1], node.astext())
            continue
        if isinstance(node, drawing):
            new = [figure(node, node.parent["drawn"])]
        elif kind:
            test = kind == "testcode"
            new = (
                [code(silent(node.astext()))]
                if test
                else [*session(node.get("test", node.astext()))]
            )
        if told and (new or isinstance(node, nodes.title)):
            made.append(prose("\n\n".join(told)))
            told = []
        made += new
        told += [] if new else [piece.text]
    return [*made, prose("\n\n".join(told))] if told else made


def notebook(builder: StandaloneHTMLBuilder, docname: str, document: nodes.document) -> str:
    """Return the page as a notebook."""
    root, config = Path(builder.srcdir), builder.config
    packed = archive(docname, tree_of(builder))
    with zipfile.ZipFile(io.BytesIO(packed)) as opened:
        texts = [opened.read(name).decode() for name in opened.namelist() if name[-3:] == ".py"]
    texts.append((root / f"{docname}.md").read_text(encoding="utf-8"))
    needs = " ".join(f'"{one}"' for one in requirements(texts, root))
    twin = Twin(builder, docname)
    home = urljoin(config.html_baseurl, builder.get_target_uri(docname))

    def link(uri: str) -> str | None:
        return urljoin(home, uri) if uri.partition("#")[0] else None

    writer = NotebookWriter(
        link, lambda node: node["alt"], twin.listing, numbers(twin.env, docname)
    )
    first, *rest = cells(writer.pieces(document))
    unpack = code(UNPACK.format(code=base64.b64encode(packed).decode()))
    unpack["metadata"] = {"jupyter": {"source_hidden": True}}
    needed = f"先安装用到的库：\n\n```console\n$ pip install {needs}\n```"
    every = [
        first,
        prose(needed),
        unpack,
        code(PREPARE.format(setup=config.doctest_global_setup.rstrip())),
        *rest,
    ]
    made = {
        "cells": [{"id": f"cell-{i}", **cell} for i, cell in enumerate(every)],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(made, ensure_ascii=False, indent=1) + "\n"


def write(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Write the archive beside an article, and its notebook unless it cannot have one."""
    builder = app.builder
    if doctree is None or not is_article(page) or not isinstance(builder, StandaloneHTMLBuilder):
        return
    path = Path(builder.get_output_path(page))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".zip").write_bytes(archive(page, tree_of(builder)))
    if page in NO_NOTEBOOK:
        path.with_suffix(".ipynb").unlink(missing_ok=True)
    else:
        path.with_suffix(".ipynb").write_text(notebook(builder, page, doctree), encoding="utf-8")


def clear(app: Sphinx, exception: Exception | None) -> None:
    """Take away the files of articles that are gone."""
    for path in [*Path(app.outdir).glob("*/*.zip"), *Path(app.outdir).glob("*/*.ipynb")]:
        if exception is None and not path.with_suffix(".html").is_file():
            path.unlink()


def setup(app: Sphinx) -> ExtensionMetadata:
    """Write the files while the pages are written."""
    app.connect("html-page-context", write)
    app.connect("build-finished", clear)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
