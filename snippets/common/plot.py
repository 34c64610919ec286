"""The look of every figure: a palette with a dark twin for each colour, and matplotlib's settings.

Figures use these colours only (with any alpha), so that one drawing serves the light and the dark
page: `{drawn}` writes the dark one by replacing each colour with its twin.  The seven colours of
`CYCLE` reach contrast 3:1 against both papers and stay apart under protanopia, deuteranopia and
tritanopia (tests/common/test_plot.py computes both).  Raster images keep their colours.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

INK = "#1f2933"
"""Text and the lines that carry meaning."""
MUTED = "#5b6672"
"""Axes, ticks and secondary text; contrast above 4.5:1."""
GRID = "#d9dee4"
"""Grid lines and quiet fills."""
PAPER = "#ffffff"
"""What lies behind a figure: the page's background."""
CYCLE = ("#0a4e93", "#ae5518", "#29836e", "#9353da", "#b8871a", "#139db5", "#852c57")
"""Blue, rust, green, violet, gold, cyan, wine: the colours of data, in the order of use."""

_CYCLE_DARK = ("#7ea1ff", "#d8600e", "#1a996b", "#ac64be", "#d4be4b", "#62d1fe", "#f37ab4")


def _ramp(*stops: str, steps: int = 256) -> list[str]:
    """Return `steps` colours interpolated evenly between equally spaced stops."""
    points = [[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops]
    colors = []
    for step in range(steps):
        place = step / (steps - 1) * (len(points) - 1)
        i = min(int(place), len(points) - 2)
        mix = [round(a + (b - a) * (place - i)) for a, b in zip(*points[i : i + 2], strict=True)]
        colors.append("#{:02x}{:02x}{:02x}".format(*mix))
    return colors


_RAMP = _ramp("#eaf2fa", "#6ea6d8", "#0b3f7d")
_RAMP_DARK = _ramp("#1c2733", "#3a78b5", "#d2e7fd")

DARK = {
    **dict(zip(_RAMP, _RAMP_DARK, strict=True)),
    **dict(zip(CYCLE, _CYCLE_DARK, strict=True)),
    INK: "#e6e9ed",
    MUTED: "#9aa5b1",
    GRID: "#38424d",
    PAPER: "#14181e",
}
"""The dark twin of every colour that a figure may use."""


def sequential_colors(n: int) -> list[str]:
    """Return n colours from little (near the paper) to much (far from it), each with a dark twin.

    Raises: ValueError unless 1 <= n <= 256.
    """
    if not 1 <= n <= len(_RAMP):
        raise ValueError(f"n must be between 1 and {len(_RAMP)}, got {n}")
    return [_RAMP[round(i * (len(_RAMP) - 1) / max(1, n - 1))] for i in range(n)]


def style() -> dict[Any, Any]:
    """Return the rcParams that are in force while a figure is made and drawn.

    Widths are measured with the DejaVu fonts that matplotlib ships, so that no font of the machine
    changes a figure; in the SVG the text stays text, set in the reader's Chinese sans-serif.
    """
    from cycler import cycler

    return {
        "axes.axisbelow": True,
        "axes.edgecolor": MUTED,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.labelcolor": INK,
        "axes.labelsize": 12,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=CYCLE),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlecolor": INK,
        "axes.titlesize": 13,
        "boxplot.boxprops.color": INK,
        "boxplot.capprops.color": INK,
        "boxplot.flierprops.color": INK,
        "boxplot.flierprops.markeredgecolor": INK,
        "boxplot.whiskerprops.color": INK,
        "figure.constrained_layout.use": True,
        "figure.dpi": 72,  # what SVG is written with: one pixel is one point, also while laying out
        "figure.edgecolor": "none",
        "figure.facecolor": "none",
        "figure.figsize": (7.2, 3.8),
        "font.family": ["DejaVu Sans"],
        "font.size": 12,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "hatch.color": INK,
        "legend.fontsize": 11.5,
        "legend.frameon": False,
        "legend.labelcolor": INK,
        "lines.linewidth": 2,
        "lines.solid_capstyle": "round",
        "mathtext.fontset": "cm",
        "patch.edgecolor": PAPER,
        "patch.facecolor": CYCLE[0],
        "patch.force_edgecolor": False,
        "savefig.facecolor": "none",
        "savefig.format": "svg",
        "svg.fonttype": "none",
        "svg.hashsalt": "figure",
        "text.color": INK,
        "xtick.color": MUTED,
        "xtick.labelcolor": INK,
        "xtick.labelsize": 11,
        "ytick.color": MUTED,
        "ytick.labelcolor": INK,
        "ytick.labelsize": 11,
    }


def picture(ax: Any, rows: Sequence[Sequence[int]], colors: Sequence[str]) -> None:
    """Shade each cell of value v >= 1 with colors[v - 1], one path a colour, row 0 on top, framed.

    Paths follow the palette into the dark, as a raster image would not.
    """
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    for level, color in enumerate(colors, 1):
        corners: list[tuple[int, int]] = []
        for y, row in enumerate(rows):
            x = 0
            for value, run in groupby(row):
                end = x + len(list(run))
                if value == level:
                    corners += [(x, y), (end, y), (end, y + 1), (x, y + 1), (x, y)]
                x = end
        codes = [Path.MOVETO, *[Path.LINETO] * 3, Path.CLOSEPOLY] * (len(corners) // 5)
        if corners:
            ax.add_patch(PathPatch(Path(corners, codes), fc=color, lw=0))
    width, height = len(rows[0]), len(rows)
    ax.plot((0, width, width, 0, 0), (0, 0, height, height, 0), color=GRID, lw=1)
    ax.set(xlim=(-0.3, width + 0.3), ylim=(height + 0.3, -0.3), aspect="equal")
    ax.set_axis_off()
