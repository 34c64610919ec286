"""The directive `{drawn}`: a figure of a snippet, drawn while the page is read.

    ```{drawn} snippets.python.inheritance_and_mro.figure_diamond
    :alt: 一句话说出图上看见什么
    :name: inheritance-and-mro-fig-diamond
    图注。
    ```

The function takes no argument and returns a Figure, or a list of Figures of equal size: the steps
that the reader walks through.  Drawings are kept and made anew when, and only when, something
changed of the code of ours that the function can reach, of a record (`*_run.json`) beside one of
the modules it imports, of what draws, or matplotlib's version.
A figure that fails is a warning that names the page, the cause and the line of the snippet; the
page keeps the caption and its number, and is read again in the next build.
"""

import hashlib
import importlib
import inspect
import json
import random
import sys
import traceback
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any, NoReturn

import matplotlib
import numpy
from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

from _ext import svg
from _ext.kept import kept, write
from _ext.last_good import spoil
from _ext.reached import modules_of, reached
from _ext.uses import use
from snippets.common import plot
from snippets.common.imports import source_of

logger = logging.getLogger(__name__)

TOOLS = [Path(module.__file__ or "") for module in (svg, plot)] + [Path(__file__)]


class FigureError(Exception):
    """A figure that cannot be had; the message says why and where."""


class drawing(nodes.General, nodes.Element):
    """The frames of a figure.  Its child says in words what they show, for all but HTML."""


def dependencies(module: str, root: Path) -> list[Path]:
    """Return the files that a figure of this module is made from.

    Raises: FigureError where there is no such module or one cannot be parsed.
    """
    if not module.startswith("snippets.") or source_of(module, root) is None:
        raise FigureError(f"there is no module {module}")
    try:
        modules = modules_of(module, root)
    except SyntaxError as error:
        _fail(f"reading {module}", error, root)
    records = (
        root.joinpath(*name.split(".")).with_name(name.rpartition(".")[2] + suffix)
        for name in modules
        for suffix in ("_run.json", ".json" if name.endswith("_run") else "_run.json")
    )
    return [*modules.values(), *sorted({path for path in records if path.is_file()}), *TOOLS]


def ingredients(dotted: str, root: Path) -> tuple[str, list[Path]]:
    """Return a hash of the code, records and tools a figure is made with, and all their files.

    Raises: FigureError.
    """
    module, _, function = dotted.rpartition(".")
    files = dependencies(module, root)
    others = [path for path in files if path.suffix != ".py" or path in TOOLS]
    code = reached(function, [path for path in files if path not in others])
    parts = [matplotlib.__version__, function, *code, *(p.read_text("utf-8") for p in others)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest(), files


def frames_of(dotted: str, made_of: str, root: Path) -> list[dict[str, Any]]:
    """Return the frames of a figure, drawn before if of the same ingredients.

    Raises: FigureError.
    """

    def draw() -> list[dict[str, Any]]:
        logger.info("drawing %s", dotted)
        return [asdict(frame) for frame in _draw(dotted, root)]

    return kept(root, "drawn", made_of, draw)


def _draw(dotted: str, root: Path) -> list[svg.Frame]:
    """Draw, with the same random numbers whatever was drawn before."""
    module, _, function = dotted.rpartition(".")
    try:
        make = getattr(importlib.import_module(module), function, None)
    except (Exception, SystemExit) as error:
        _fail(f"importing {module}", error, root)
    if not callable(make):
        raise FigureError(f"{module} has no function {function}")
    random.seed(0)
    numpy.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
    try:
        return svg.draw(make)
    except (Exception, SystemExit) as error:
        _fail(f"drawing {dotted}", error, root, make)


def _fail(doing: str, error: BaseException, root: Path, make: Any = None) -> NoReturn:
    """Raise a FigureError that names the cause and the deepest line of ours on the way to it.

    What fails after the function `make` has returned is put down to the function.
    """
    code = getattr(inspect.unwrap(make), "__code__", None) if make else None
    stack = [(code.co_filename, code.co_firstlineno)] if code else []
    stack += [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        stack.append((error.filename or "", error.lineno))
    resolved = [(Path(name).resolve(), line) for name, line in stack]
    ours = [(path, line) for path, line in resolved if path.is_relative_to(root / "snippets")]
    place = f" ({ours[-1][0].relative_to(root)}:{ours[-1][1]})" if ours else ""
    message = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    raise FigureError(f"{doing}: {type(error).__name__}: {message}{place}") from error


class Drawn(SphinxDirective):
    """`{drawn} snippets.category.article.figure_name`."""

    required_arguments = 1
    has_content = True
    option_spec = {"alt": directives.unchanged, "name": directives.unchanged}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Return a figure with its caption, and with the drawing unless that fails."""
        dotted, alt = self.arguments[0], self.options.get("alt", "").strip()
        body = self.parse_content_to_nodes()
        if not alt:
            self._warn(f"{dotted} needs :alt: to say in words what one sees")
        if not body or not isinstance(body[0], nodes.paragraph):
            self._warn(f"{dotted} needs a caption")
            body.insert(0, nodes.paragraph("", dotted))
        figure = nodes.figure("", align="default", classes=["drawn"], drawn=dotted)
        self.set_source_info(figure)
        figure += [self._drawing(dotted, alt), nodes.caption("", "", *body[0].children)]
        if len(figure[0].get("frames", ())) > 1:
            figure["classes"].append("drawn-steps")
        if body[1:]:
            figure += nodes.legend("", *body[1:])
        self.add_name(figure)
        return [figure]

    def _drawing(self, dotted: str, alt: str) -> nodes.Element:
        root = Path(self.env.srcdir)
        try:
            frames = frames_of(dotted, use(self.env, ingredients, dotted, root), root)
        except FigureError as error:
            self._warn(str(error))
            return nodes.paragraph("", alt, classes=["drawn-missing"])
        name = dotted.removeprefix("snippets.").replace(".", "-")
        return drawing("", nodes.paragraph("", alt), frames=frames, file=name, alt=alt)

    def _warn(self, message: str) -> None:
        """Report the error, now and in every build until it is mended."""
        location = (self.env.docname, self.lineno)
        logger.warning("drawn: %s", message, location=location, type="drawn")
        spoil(self.env, self.env.docname)


def visit_drawing_html(self, node: drawing) -> NoReturn:
    """Write the frames' files and the HTML that shows them."""
    frames, builder = node["frames"], self.builder
    book = builder.name == "epub"  # which has neither a dark mode nor a window to scroll
    lazy = "" if book else ' loading="lazy"'
    several = len(frames) > 1
    shown = []
    for number, frame in enumerate(frames, 1):
        step = f"第 {number} 步，共 {len(frames)} 步"
        label = f"{step}：{frame['label']}" if frame["label"] else step
        alt = f"{node['alt']}（{label}）" if several else node["alt"]
        images = ""
        for mode in ("light",) if book else ("light", "dark"):
            file = f"{node['file']}{f'-{number}' * several}{'-dark' * (mode == 'dark')}.svg"
            write(Path(builder.outdir, builder.imagedir, file), frame[mode])
            images += (
                f'<img class="only-{mode}" src="{builder.imgpath}/{file}" alt="{escape(alt)}"'
                f' width="{frame["width"]}" height="{frame["height"]}"{lazy} />'
            )
        words = f"<p>{escape(label)}</p>" if several else ""
        shown.append(f'<div class="drawn-frame">{images}{words}</div>')
    if several:
        title = f"分步图，共 {len(frames)} 步"
        opening = f'<div class="drawn-frames" role="group" tabindex="0" aria-label="{title}">'
        shown = [opening, *shown, "</div>"]
    self.body.append("\n".join(shown) + "\n")
    raise nodes.SkipNode


def visit_nothing(self, node: drawing) -> None:
    """Let the child speak."""


def add_script(app: Sphinx, page: str, template: str, context: dict, doctree: Any) -> None:
    """Load the stepping script on the pages that have something to step through."""
    if doctree and any(
        "drawn-steps" in figure["classes"] for figure in doctree.findall(nodes.figure)
    ):
        app.add_js_file("drawn.js", loading_method="defer")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive, its node and its assets."""
    words = (visit_nothing, visit_nothing)
    app.add_node(
        drawing, html=(visit_drawing_html, None), latex=words, text=words, man=words, texinfo=words
    )
    app.add_directive("drawn", Drawn)
    app.add_css_file("drawn.css")
    app.connect("html-page-context", add_script)
    app.setup_extension("_ext.uses")
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
