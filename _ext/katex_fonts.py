"""Takes KaTeX from its npm package: what renders formulas, the style sheet and the fonts.

    npm pack katex && tar -xf katex-*.tgz
    .venv/bin/python -m pip install brotli
    .venv/bin/python -m _ext.katex_fonts package

A font for which our style sheet names a `unicode-range` is cut in two again: these characters in
one file, all others in a second one (`-rest`), which only the pages that show one of them fetch.
To move a character into the first, add it to the range in the style sheet before.
"""

import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

SCRIPT = Path(__file__).with_name("katex.min.js")
FOLDER = Path(__file__).parents[1] / "_static/katex"
HALVED = re.compile(r"fonts/(\w+-\w+)\.woff2\)[^}]*unicode-range:([^}]*)")  # no name-style-rest
FACE = re.compile(r"@font-face\{[^}]*\}")
OLDER = re.compile(r',url\([^)]*\.(?:woff|ttf)\) format\("\w+"\)')  # for browsers without WOFF2


def characters(ranges: str) -> set[int]:
    """Return the code points of a `unicode-range`."""
    bounds = (one.removeprefix("U+").split("-") for one in ranges.split(","))
    return {code for one in bounds for code in range(int(one[0], 16), int(one[-1], 16) + 1)}


def unicode_range(codes: Iterable[int]) -> str:
    """Return code points as a `unicode-range`."""
    bounds: list[list[int]] = []
    for code in sorted(codes):
        if bounds and bounds[-1][1] == code - 1:
            bounds[-1][1] = code
        else:
            bounds.append([code, code])
    return ",".join(f"U+{a:x}" if a == b else f"U+{a:x}-{b:x}" for a, b in bounds)


def part(font: Path, codes: set[int], target: Path) -> None:
    """Write some characters of a font as a font."""
    options = subset.Options(flavor="woff2", name_IDs=["*"], notdef_outline=True)
    made = subset.load_font(font, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(made)
    subset.save_font(made, target, options)


def take(package: Path) -> None:
    """Put what a site needs of KaTeX in the place of what it has."""
    halved = HALVED.findall((FOLDER / "katex.min.css").read_text(encoding="utf-8"))
    style = OLDER.sub("", (package / "dist/katex.min.css").read_text(encoding="utf-8"))
    shutil.copy(package / "LICENSE", FOLDER)
    shutil.copy(package / "dist/katex.min.js", SCRIPT)
    for font in package.glob("dist/fonts/*.woff2"):
        shutil.copy(font, FOLDER / "fonts")
    for name, common in halved:
        font = package / f"dist/fonts/{name}.woff2"
        every, first = set(TTFont(font).getBestCmap()), characters(common)
        face = next(one for one in FACE.findall(style) if f"/{name}." in one)
        halves = ""
        for suffix, codes in ("", every & first), ("-rest", every - first):
            part(font, codes, FOLDER / f"fonts/{name}{suffix}.woff2")
            half = face.replace(f"{name}.", f"{name}{suffix}.")
            halves += f"{half[:-1]};unicode-range:{unicode_range(codes)}}}"
        style = style.replace(face, halves)
    (FOLDER / "katex.min.css").write_text(style, encoding="utf-8")


if __name__ == "__main__":
    take(Path(sys.argv[1]))
