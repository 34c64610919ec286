"""The built site as one book: its pages in reading order, without what only a browser needs.

`make pdf` and `make epub` take the pages that `make html` has published, so a book says what the
site says: the same numbers, listings and answers.  Every link leads into the book where its target
is in the book, and to the site's address where it is not.
"""

import io
import posixpath
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from runpy import run_path
from urllib.parse import unquote, urljoin, urlsplit

from fontTools import subset
from fontTools.ttLib import TTCollection, TTFont
from lxml import html
from lxml.html import HtmlElement
from matplotlib.font_manager import findSystemFonts

CHINESE = ("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC")  # free to be passed on
BROWSERS_ONLY = ("headerlink", "only-dark", "only-site", "sd-summary-state-marker")


class BookError(Exception):
    """A book that cannot be made; the message says what is missing."""


@dataclass(frozen=True)
class Page:
    """A page of the site: its file, its title, how deep in the book it lies, and its article."""

    name: str
    title: str
    depth: int  # of its heading: 1 for a part, 2 for an article
    body: HtmlElement

    @property
    def slug(self) -> str:
        """Return the name as one word."""
        return self.name.removesuffix(".html").replace("/", "-")


@dataclass(frozen=True)
class Book:
    """All pages and what the title page says of them."""

    site: Path
    title: str
    author: str
    copyright: str
    address: str
    date: str  # of the last update of an article
    pages: list[Page]


def read(root: Path) -> Book:
    """Read the site that is published below a checkout of the project.

    Raises: BookError where there is none.
    """
    config = run_path(str(root / "conf.py"))
    site = root / "_build/html"
    if not (site / "index.html").is_file():
        raise BookError(f"{site} is missing: run `make html` first")
    front = html.parse(site / "index.html", html.HTMLParser(encoding="utf-8")).getroot()
    files = [("index.html", config["html_title"], 1), *chapters(front)]
    pages = [Page(name, title, depth, article(site / name)) for name, title, depth in files]
    colored = colors((site / "_static/pygments.css").read_text(encoding="utf-8"))
    for page in pages:
        clean(page.body, page.depth, colored)
    dates = [date for page in pages for date in page.body.xpath(".//time/@datetime")]
    return Book(
        site=site,
        title=config["project"],
        author=config["author"],
        copyright=config["copyright"],
        address=config["html_baseurl"],
        date=max(dates, default="2000-01-01"),
        pages=pages,
    )


def chapters(front: HtmlElement) -> Iterator[tuple[str, str, int]]:
    """Yield the pages that the navigation lists: file, title and depth."""
    for nav in classed(front, "bd-docs-nav"):
        for link in nav.xpath(".//li/a"):
            level = re.search(r"toctree-l(\d)", link.getparent().get("class"))
            assert level is not None
            yield unquote(link.get("href")), link.text_content(), int(level[1])


def article(path: Path) -> HtmlElement:
    """Return what a page says, without the frame around it."""
    root = html.parse(path, html.HTMLParser(encoding="utf-8")).getroot()
    (body,) = classed(root, "bd-article")
    body.drop_tree()
    body.tail = None
    return body


def colors(css: str) -> set[str]:
    """Return the classes of code that do not look, on light ground, like all other code."""
    plain = re.search(r"^[^{}]*light[^{}]*\.highlight \{.*?(color: #\w+) \}", css, re.MULTILINE)
    assert plain is not None
    rules = re.findall(r"light[^{}]*\.highlight \.(\w+) \{ (.*?) \}", css)
    return {name for name, look in rules if look != plain[1]}


def classed(body: HtmlElement, name: str) -> list[HtmlElement]:
    """Return the elements of a class, in order."""
    return body.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]")


def clean(body: HtmlElement, depth: int, colored: set[str]) -> None:
    """Remove what needs a browser, open the answers, and put the headings below the part's."""
    for name in BROWSERS_ONLY:
        for thing in classed(body, name):
            thing.drop_tree()
    for thing in body.xpath(".//button | .//script | .//style | .//link"):
        thing.drop_tree()
    for name in ("loading", "tabindex"):
        for node in body.xpath(f".//*[@{name}]"):
            del node.attrib[name]
    for token in body.xpath(".//pre//span"):
        if token.get("class") not in colored and not token.get("id"):
            token.drop_tag()
    for answer in body.xpath(".//details"):
        answer.tag = "div"
        answer.set("class", "answer")
        answer.attrib.pop("open", None)
    for summary in body.xpath(".//summary"):
        summary.tag = "p"
        summary.set("class", "answer-title")
    for card in classed(body, "sd-card"):
        open_card(card)
    for heading in body.xpath(".//h1 | .//h2 | .//h3 | .//h4 | .//h5"):
        heading.tag = f"h{min(6, int(heading.tag[1]) + depth - 1)}"


def open_card(card: HtmlElement) -> None:
    """Let the title of a card be its link, which in a browser lies over the whole card."""
    for link in classed(card, "sd-stretched-link"):
        (title,) = classed(card, "sd-card-title")
        link.drop_tree()
        for child in link:
            child.drop_tree()
        link.attrib.pop("class")
        link.text, title.text, link.tail = (title.text or "").strip(), None, None
        title.insert(0, link)


def relink(book: Book, page: Page, inside: Callable[[Page, str], str]) -> None:
    """Let the links of a page lead to `inside(page, anchor)` of the book, or to the site."""
    pages = {one.name: one for one in book.pages}
    for link in page.body.xpath(".//a[@href]"):
        parts = urlsplit(link.get("href"))
        if parts.scheme or parts.netloc:
            continue
        path = posixpath.join(posixpath.dirname(page.name), unquote(parts.path))
        name = posixpath.normpath(path) if parts.path else page.name
        if name in pages:
            link.set("href", inside(pages[name], unquote(parts.fragment)))
        else:
            link.set("href", urljoin(urljoin(book.address, page.name), link.get("href")))


def chinese_font() -> TTFont:
    """Open the regular weight of an installed Chinese font that may be passed on.

    Raises: BookError where none is installed.
    """
    for path in sorted(findSystemFonts()):
        if re.search(r"(CJK|SansSC|HanSans).*Regular", path):
            file = io.BytesIO(Path(path).read_bytes())
            faces = (
                TTCollection(file, lazy=True) if path.endswith("c") else [TTFont(file, lazy=True)]
            )
            for face in faces:
                if face["name"].getBestFamilyName() in CHINESE:
                    return face
    names = ", ".join(CHINESE)
    raise BookError(f"no Chinese font: none of {names} is installed (Debian: fonts-noto-cjk)")


def subset_font(font: TTFont, characters: set[str], flavor: str | None = "woff") -> bytes:
    """Return a font, which is used up, with no characters but the given ones that it has."""
    options = subset.Options(flavor=flavor, layout_features=[], notdef_outline=True)
    options.drop_tables += ["FFTM"]  # FontForge's time stamp
    font.recalcTimestamp = False  # the same font and characters give the same bytes
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=map(ord, characters))
    subsetter.subset(font)
    made = io.BytesIO()
    subset.save_font(font, made, options)
    return made.getvalue()


def run(write: Callable[[Book, Path], None], name: str) -> None:
    """Write the book of the checkout in the current folder; say in one line why if that fails."""
    try:
        write(read(Path.cwd()), Path.cwd() / "_build" / name)
    except BookError as error:
        sys.exit(str(error))
    print(f"Open _build/{name}")
