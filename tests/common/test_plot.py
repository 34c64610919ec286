"""snippets/common/plot.py: every colour reads well in both modes and to every eye."""

import itertools
import math

import matplotlib
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from snippets.common import plot

MODES = {"light": lambda color: color, "dark": plot.DARK.get}

# Machado, Oliveira and Fernandes 2009, severity 1, for linear RGB.
VISION = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
# Ottosson 2020: linear RGB to cone responses, their cube roots to Oklab.
CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def linear(color):
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def product(matrix, vector):
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def contrast(a, b):
    """WCAG 2.2's contrast ratio."""
    dark, light = sorted(product([(0.2126, 0.7152, 0.0722)], linear(c))[0] for c in (a, b))
    return (light + 0.05) / (dark + 0.05)


def seen(color, vision):
    """The colour's place in Oklab, as an eye of that kind sees it."""
    rgb = [min(1, max(0, c)) for c in product(VISION[vision], linear(color))]
    return product(OKLAB, [c ** (1 / 3) for c in product(CONES, rgb)])


def test_contrast_agrees_with_the_definition():
    assert contrast("#000000", "#ffffff") == 21
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("mode", MODES)
def test_colours_stand_out_from_the_paper(mode):
    paint = MODES[mode]
    assert min(contrast(paint(c), paint(plot.PAPER)) for c in plot.CYCLE) >= 3
    assert contrast(paint(plot.MUTED), paint(plot.PAPER)) >= 4.5
    assert contrast(paint(plot.INK), paint(plot.PAPER)) >= 7
    assert contrast(paint(plot.GRID), paint(plot.PAPER)) < 3


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("mode", MODES)
def test_the_cycle_can_be_told_apart(mode, vision):
    """0.02 is about the least difference that an eye sees; five times that is plain."""
    places = [seen(MODES[mode](color), vision) for color in plot.CYCLE]
    assert min(itertools.starmap(math.dist, itertools.combinations(places, 2))) > 0.1


@pytest.mark.parametrize("n", [1, 2, 9, 256])
def test_sequential_colors_lead_away_from_the_paper_in_both_modes(n):
    colors = plot.sequential_colors(n)
    assert len(colors) == n
    for paint in MODES.values():
        distances = [contrast(paint(color), paint(plot.PAPER)) for color in colors]
        assert all(b > a * 0.995 for a, b in itertools.pairwise(distances))
        assert n == 1 or distances[-1] > 4.5


@pytest.mark.parametrize("n", [0, -1, 257])
def test_there_are_at_most_256_sequential_colors(n):
    with pytest.raises(ValueError, match="between 1 and 256"):
        plot.sequential_colors(n)


def test_every_colour_has_a_dark_twin():
    used = {plot.INK, plot.MUTED, plot.GRID, plot.PAPER, *plot.CYCLE, *plot.sequential_colors(256)}
    assert used == set(plot.DARK)


def test_matplotlib_knows_every_setting_of_the_style():
    with matplotlib.rc_context(plot.style()):
        assert matplotlib.rcParams["svg.fonttype"] == "none"


def test_a_picture_is_one_path_a_colour_with_row_0_on_top():
    ax = Figure().subplots()
    plot.picture(ax, [[0, 1, 1], [2, 0, 1]], [plot.INK, plot.CYCLE[0], plot.CYCLE[1]])
    ink, blue = ax.patches  # nothing has the third level
    assert [to_hex(patch.get_facecolor()) for patch in (ink, blue)] == [plot.INK, plot.CYCLE[0]]
    boxes = [[*box.min(0), *box.max(0)] for box in ink.get_path().to_polygons()]
    assert boxes == [[1, 0, 3, 1], [2, 1, 3, 2]]
    assert blue.get_path().get_extents().extents.tolist() == [0, 1, 1, 2]
    assert ax.yaxis_inverted()
    assert ax.lines[0].get_xydata().max(0).tolist() == [3, 2]
