"""The card that a link to an article shows elsewhere: its title, category and site as a picture.

`card.otf` holds the characters that the cards need, of Noto Sans CJK SC Bold (SIL Open Font License
1.1, in `card.LICENSE`), so a machine needs no Chinese font.  A title with a character beyond them
gets no card, never a picture with boxes, and the build says so.  Where Noto Sans CJK is installed,

    python -m _ext.cards /usr/share/fonts/opentype/noto/NotoSansCJK-Bold.ttc

takes the characters of the present titles into `card.otf`.
"""

import re
import sys
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from docutils import nodes
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageDraw, ImageFont
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

from _ext.markup import is_article
from snippets.common import plot

logger = logging.getLogger(__name__)

FONT = Path(__file__).with_name("card.otf")
SIZE = (1200, 630)
MARGIN = 90
HEIGHT = 320  # of the title
SPACING = 1.35
COLORS = 32  # of the palette: enough for the edges of letters
ALWAYS = "".join(map(chr, range(0x20, 0x7F))) + "·，。：；？！、（）《》“”‘’—…–"


def missing(text: str) -> str:
    """Return the characters of a text that the font does not have."""
    known = FT2Font(str(FONT)).get_charmap()
    return "".join(sorted({char for char in text if ord(char) not in known}))


def wrapped(text: str, font: ImageFont.FreeTypeFont, width: float) -> Iterator[str]:
    """Yield lines no wider than `width`, none of which begins with a stop or inside a word."""
    line = ""
    for word in re.findall(r"[!-~]+ ?|.[，。：；？！、）》”’…]*", text):
        if line and font.getlength(line + word.rstrip()) > width:
            yield line.strip()
            line = ""
        line += word
    yield line.strip()


def card(title: str, category: str, site: str) -> Image.Image:
    """Draw a card, the title as large as fits between the category and the site."""
    image = Image.new("RGB", SIZE, plot.PAPER)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 24, SIZE[1]), fill=plot.CYCLE[0])
    small = ImageFont.truetype(str(FONT), 38)
    for points in range(96, 30, -2):
        font = ImageFont.truetype(str(FONT), points)
        lines = list(wrapped(title, font, SIZE[0] - 2 * MARGIN))
        widest, height = max(map(font.getlength, lines)), len(lines) * SPACING * points
        if height <= HEIGHT and widest <= SIZE[0] - 2 * MARGIN:
            break
    draw.text((MARGIN, 84), category, plot.CYCLE[0], small)
    for i, line in enumerate(lines):
        place = (MARGIN, (SIZE[1] - height) / 2 + i * SPACING * points)
        draw.text(place, line, plot.INK, font)
    draw.text((MARGIN, SIZE[1] - 128), site, plot.MUTED, small)
    return image.quantize(COLORS, dither=Image.Dither.NONE)


def write(
    app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None
) -> None:
    """Draw the card of an article and name it in the page's head."""
    env, builder = app.env, app.builder
    if doctree is None or not is_article(page) or not isinstance(builder, StandaloneHTMLBuilder):
        return
    index = f"{page.partition('/')[0]}/index"
    category = env.titles[index].astext() if index in env.titles else page.partition("/")[0]
    title, site = env.titles[page].astext(), app.config.project
    if absent := missing(title + category + site):
        logger.info("no card for %s: _ext/card.otf lacks %s", page, absent)
        return
    path = Path(app.outdir, "_cards", f"{page.replace('/', '-')}.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    card(title, category, site).save(path, optimize=True)
    width, height = map(str, SIZE)
    properties = {
        "og:image": urljoin(app.config.html_baseurl, f"_cards/{path.name}"),
        "og:image:width": width,
        "og:image:height": height,
        "og:image:alt": f"{title}，{category}，{site}",
    }
    tags = [f'<meta property="{k}" content="{escape(v)}" />' for k, v in properties.items()]
    tags.append('<meta name="twitter:card" content="summary_large_image" />')
    context["metatags"] = context.get("metatags", "") + "\n    " + "\n    ".join(tags)


def clear(app: Sphinx, exception: Exception | None) -> None:
    """Take away the cards of articles that are gone."""
    wanted = {f"{page.replace('/', '-')}.png" for page in app.env.found_docs}
    for path in Path(app.outdir, "_cards").glob("*.png"):
        if exception is None and path.name not in wanted:
            path.unlink()


def titles(root: Path) -> str:
    """Return the first headings of all pages and the site's name."""
    pages = [*root.glob("*/*.md"), root / "conf.py"]
    texts = (path.read_text(encoding="utf-8") for path in pages)
    first = re.compile(r"^(# |project = ).*", re.MULTILINE)
    return "".join(match[0] for text in texts if (match := first.search(text)))


def take(source: str, text: str) -> None:
    """Write the characters of a text, and those that titles are likely to need, as the font."""
    from fontTools import subset

    options = subset.Options(font_number=face(source), hinting=False, layout_features=[])
    font = subset.load_font(source, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=text + ALWAYS)
    subsetter.subset(font)
    subset.save_font(font, str(FONT), options)


def face(source: str) -> int:
    """Return the number of the simplified Chinese face in a collection."""
    from fontTools.ttLib import TTCollection

    names = [str(font["name"].getDebugName(1)) for font in TTCollection(source).fonts]
    return names.index("Noto Sans CJK SC")


def setup(app: Sphinx) -> ExtensionMetadata:
    """Draw while the pages are written."""
    app.connect("html-page-context", write)
    app.connect("build-finished", clear)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    take(sys.argv[1], titles(Path.cwd()))
