"""Draws a matplotlib figure as two SVG texts, one for light and one for dark pages.

The bytes depend on the figure and on matplotlib's version, not on the machine's fonts: widths come
from the DejaVu fonts that matplotlib ships, a 汉字 is one em wide, and text stays text, for the
reader's own fonts to show.  Formulas become paths, also those inside a Chinese label.

What would look wrong raises: a warning or a log message of matplotlib (a missing glyph is one), a
汉字 that no reader's font can be trusted to have, a colour without a dark twin.  A raster image is
the one thing that stays the same in both modes.
"""

import io
import logging
import math
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from unicodedata import east_asian_width

import matplotlib
from matplotlib.backends import backend_svg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from snippets.common import plot

PIXELS_PER_INCH = 100
RASTER_DPI = 200
SANS = (
    "'Helvetica Neue', Arial, 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', 'Source Han Sans SC', 'WenQuanYi Micro Hei', sans-serif"
)
MONO = f"ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', {SANS}"


class DrawingError(Exception):
    """A figure that can be drawn, but would not look as it should."""


@dataclass(frozen=True)
class Frame:
    """One drawing in both modes, its size in CSS pixels, and its own caption."""

    light: str
    dark: str
    width: int
    height: int
    label: str


def draw(make: Callable[[], Figure | list[Figure]]) -> list[Frame]:
    """Call a figure function and draw what it returns: one frame, or the frames of a step figure.

    Raises: DrawingError, a Warning of matplotlib, or whatever the function raises.
    """
    with matplotlib.rc_context(plot.style()), _strict(), _renderer(_Renderer):
        made = make()
        figures = made if isinstance(made, list) else [made]
        if not figures or not all(isinstance(figure, Figure) for figure in figures):
            raise DrawingError(f"returned {made!r:.80}, not a Figure or a list of Figures")
        frames = [_frame(figure) for figure in figures]
    if len({(frame.width, frame.height) for frame in frames}) > 1:
        raise DrawingError("returned frames of different sizes")
    return frames


def _frame(figure: Figure) -> Frame:
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(buffer, format="svg", metadata=nothing, dpi=RASTER_DPI)
    light = re.sub(r"font-family: [^;\"]*", _readers_fonts, buffer.getvalue())
    width, height = (round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())
    return Frame(light, darken(light), width, height, str(figure.get_label()))


def _readers_fonts(measured: re.Match[str]) -> str:
    return f"font-family: {MONO if 'Mono' in measured[0] else SANS}"


def darken(svg: str) -> str:
    """Return an SVG of matplotlib's with every colour replaced by its dark twin.

    Raises: DrawingError naming the colours that have none.
    """
    if strange := sorted(set(_colors(ET.fromstring(svg))) - set(plot.DARK)):
        raise DrawingError(f"colours that plot.DARK does not know: {', '.join(strange)}")
    color = re.compile(r'((?:fill|stroke|stop-color)(?:: |="))(#[0-9a-f]{6})')
    return color.sub(lambda match: match[1] + plot.DARK[match[2]], svg)


def _colors(element: ET.Element, fill: str = "#000000") -> Iterator[str]:
    """Yield the colours in use, also the black that SVG falls back on where nothing is said."""
    style = dict(re.findall(r"([a-z-]+): ([^;]+)", element.get("style", "")))
    declared = {**element.attrib, **style}
    fill = declared.get("fill", fill)
    tag = element.tag.rpartition("}")[2]
    drawn = (fill if tag in {"path", "rect", "text", "use"} else "", declared.get("stroke", ""))
    yield from (color for color in (*drawn, declared.get("stop-color", "")) if color[:1] == "#")
    for child in element:
        # What stands in <defs> is drawn by a <use>, which has its own colours; hatches say theirs.
        yield from _colors(child, "none" if tag == "defs" else fill)


class _Renderer(backend_svg.RendererSVG):
    """Measures without the machine's fonts; keeps text as text and makes formulas paths."""

    def get_text_width_height_descent(self, s, prop, ismath):
        pieces = [self._measure(*piece, prop) for piece in _pieces(s, ismath)]
        widths, ascents, descents = zip(*pieces, strict=True)
        return sum(widths), max(ascents) + max(descents), max(descents)

    def _measure(self, s, ismath, prop):
        """Return width, ascent and descent of a text or a formula."""
        wide = [] if ismath else [char for char in s if east_asian_width(char) in "WF"]
        for char in wide:
            if not _in_chinese_fonts(char):
                raise DrawingError(f"no Chinese font is sure to have {char} (U+{ord(char):04X})")
        narrow = s if not wide else "".join(char for char in s if char not in wide)
        width, height, descent = super().get_text_width_height_descent(narrow, prop, ismath)
        em = prop.get_size_in_points() if wide else 0
        return width + em * len(wide), max(height - descent, 0.88 * em), max(descent, 0.12 * em)

    def draw_text(self, gc, x, y, s, prop, angle, ismath=False, mtext=None):
        pieces = list(_pieces(s, ismath))
        for piece, is_formula in pieces:
            # draw() restores the setting.
            matplotlib.rcParams["svg.fonttype"] = "path" if is_formula else "none"
            anchor = mtext if len(pieces) == 1 else None
            shown = piece if is_formula else piece.replace(" ", "\xa0")  # SVG would collapse them
            super().draw_text(gc, x, y, shown, prop, angle, is_formula, anchor)
            width, _, _ = self._measure(piece, is_formula, prop)
            x += width * math.cos(math.radians(angle))
            y -= width * math.sin(math.radians(angle))

    def _get_clip_attrs(self, gc):
        """Clip to a millionth of a point, for layouts vary by less, and the name would tell."""
        box = gc.get_clip_rectangle()
        if box is not None:
            gc.set_clip_rectangle(Bbox.from_bounds(*(round(value, 6) for value in box.bounds)))
        return super()._get_clip_attrs(gc)


def _pieces(s: str, ismath: bool) -> Iterator[tuple[str, bool]]:
    """Yield the texts and the $formulas$ of a label, in order, and whether each is a formula."""
    if not ismath:
        yield s, False
        return
    for i, piece in enumerate(re.split(r"((?<!\\)\$.*?(?<!\\)\$)", s)):
        if piece:
            yield (piece, True) if i % 2 else (piece.replace(r"\$", "$"), False)


def _in_chinese_fonts(char: str) -> bool:
    """Say whether a 汉字 or full-width sign is one of GBK's, which every system's fonts cover."""
    try:
        return bool(char.encode("gbk"))
    except UnicodeEncodeError:
        return False


@contextmanager
def _renderer(renderer: type[backend_svg.RendererSVG]) -> Iterator[None]:
    """Have matplotlib write SVG, and measure for its layouts, with the given renderer."""
    original = backend_svg.RendererSVG
    setattr(backend_svg, "RendererSVG", renderer)  # noqa: B010
    try:
        yield
    finally:
        setattr(backend_svg, "RendererSVG", original)  # noqa: B010


class _Raise(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        raise DrawingError(record.getMessage())


@contextmanager
def _strict() -> Iterator[None]:
    """Turn every warning, and every warning that matplotlib only logs, into an exception."""
    log, handler = logging.getLogger("matplotlib"), _Raise(logging.WARNING)
    log.addHandler(handler)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    finally:
        log.removeHandler(handler)
