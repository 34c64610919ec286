"""Packs the built site as an EPUB 3 book: formulas as MathML, figures as SVG, fonts of its own.

E-readers lack KaTeX's style sheet, and most lack a Chinese font that can be relied on.  So the book
carries every character it uses, and a figure, which no e-reader lets use the book's fonts, its own.
The files are dated by the last update of an article: the same site and fonts give the same bytes.
"""

import base64
import io
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from html import escape
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import matplotlib
from fontTools.ttLib import TTFont
from lxml import etree
from lxml.html import HtmlElement
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties

from _ext.book import Book, BookError, Page, chinese_font, classed, relink, run, subset_font

HAN = "Noto Sans CJK SC"  # as the figures and the style sheet name it
# The fonts of matplotlib for what the Chinese one lacks, and for code.
OTHERS = {"latin": "DejaVuSans", "mono": "DejaVuSansMono", "math": "STIXGeneral"}
TYPES = {".xhtml": "application/xhtml+xml", ".svg": "image/svg+xml", ".woff": "font/woff"}
TYPES |= {".css": "text/css", ".png": "image/png"}

CONTAINER = """\
<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="EPUB/package.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
"""
PACKAGE = """\
<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="zh-CN">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:uuid:{identifier}</dc:identifier>
<dc:title>{title}</dc:title>
<dc:creator>{author}</dc:creator>
<dc:language>zh-CN</dc:language>
<dc:date>{date}</dc:date>
<dc:rights>© {copyright}</dc:rights>
<dc:source>{address}</dc:source>
<meta property="dcterms:modified">{date}T00:00:00Z</meta>
</metadata>
<manifest>
{manifest}
</manifest>
<spine>
{spine}
</spine>
</package>
"""
DOCUMENT = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="zh-CN" xml:lang="zh-CN">
<head>
<title>{title}</title>
<link rel="stylesheet" type="text/css" href="style.css"/>
</head>
<body>
{body}
</body>
</html>
"""
TITLE_PAGE = """\
<section class="title-page" epub:type="titlepage">
<h1>{title}</h1>
<p>{author}</p>
<p>{date}</p>
<p>© {copyright}<br/>文字与插图采用 CC BY 4.0，代码采用 MIT 许可证<br/>{address}</p>
</section>"""

# Alphabets that MathML names by a variant, which e-readers ignore, by their name in Unicode.
ALPHABETS = {
    "bold": "BOLD",
    "bold-italic": "BOLD ITALIC",
    "double-struck": "DOUBLE-STRUCK",
    "fraktur": "FRAKTUR",
    "script": "SCRIPT",
}

APPLY = "\u2061"  # the invisible sign between a function and its argument
SCRIPTS = {"msub", "msup", "msubsup", "munder", "mover", "munderover"}


def letter(char: str, variant: str) -> str:
    """Return a letter or digit in one of MathML's alphabets, or itself where there is no such.

    >>> letter("E", "double-struck") + letter("R", "double-struck") + letter("+", "script")
    '𝔼ℝ+'
    """
    plain = re.sub("(LATIN|GREEK) |LETTER ", "", unicodedata.name(char, ""))
    alphabet = ALPHABETS[variant]
    for prefix in (f"MATHEMATICAL {alphabet}", alphabet.replace("FRAKTUR", "BLACK-LETTER")):
        with suppress(KeyError):
            return unicodedata.lookup(f"{prefix} {plain}")
    return char


def prepare(book: Book, page: Page) -> None:
    """Turn a page into what an e-reader can show."""
    relink(book, page, lambda target, name: f"{target.slug}.xhtml" + f"#{name}" * bool(name))
    for formula in classed(page.body, "katex"):
        (mathml,) = formula.xpath(".//math")
        simplify(mathml)
        mathml.tail = None
        formula.clear(keep_tail=True)
        formula.append(mathml)
        formula.drop_tag()
    for box in classed(page.body, "katex-display"):
        box.drop_tag()
    for entry in page.body.xpath(".//*[@role='doc-biblioentry']"):  # deprecated
        del entry.attrib["role"]
    for image in page.body.xpath(".//img"):
        image.set("src", "images/" + image.get("src").rpartition("/")[2])


def simplify(mathml: HtmlElement) -> None:
    """Keep a formula's source as its alternative text only, and name its letters by themselves."""
    (source,) = mathml.xpath(".//annotation")
    mathml.set("alttext", source.text)
    source.drop_tree()
    (semantics,) = mathml.xpath("./semantics")
    semantics.drop_tag()
    for leaf in mathml.xpath(".//*[@mathvariant]"):
        variant = leaf.get("mathvariant")
        if variant in ALPHABETS:
            leaf.text = "".join(letter(char, variant) for char in leaf.text)
            del leaf.attrib["mathvariant"]
        elif variant != "normal":
            leaf.set("class", variant)
    for leaf in mathml.xpath(".//mo"):
        if len(leaf) > 0:  # KaTeX's \\bmod
            text = leaf.text_content()
            del leaf[:]
            leaf.text = text
        elif leaf.text == APPLY and leaf.getparent().tag in SCRIPTS:  # its \\max as an index
            leaf.drop_tree()
    for table in mathml.xpath(".//mtable[@columnspacing='']"):
        del table.attrib["columnspacing"]


def document(title: str, body: str) -> bytes:
    """Return an XHTML document of the book."""
    return DOCUMENT.format(title=escape(title), body=body).encode()


def xml(node: HtmlElement) -> str:
    """Write a node of a page as XML."""
    return etree.tostring(node, encoding="unicode", with_tail=False)


def contents(book: Book) -> str:
    """Return the navigation: parts, their articles, and the sections of those."""
    lines, open_lists = ['<nav epub:type="toc" id="toc">', "<h1>目录</h1>", "<ol>"], 0
    for number, page in enumerate(book.pages):
        follows = book.pages[number + 1].depth if number + 1 < len(book.pages) else 1
        lines.append(f'<li><a href="{page.slug}.xhtml">{escape(page.title)}</a>')
        if follows > page.depth:
            lines.append("<ol>")
            open_lists += 1
            continue
        if page.depth > 1 and (sections := list(headings(page))):
            lines += ["<ol>", *sections, "</ol>"]
        lines.append("</li>")
        if follows < page.depth:
            lines += ["</ol>", "</li>"] * (page.depth - follows)
            open_lists -= page.depth - follows
    assert open_lists == 0
    return "\n".join([*lines, "</ol>", "</nav>"])


def headings(page: Page) -> Iterator[str]:
    """Yield the sections of an article as lines of the navigation."""
    for heading in page.body.xpath(f".//h{page.depth + 1}"):
        target = f"{page.slug}.xhtml#{heading.getparent().get('id')}"
        yield f'<li><a href="{escape(target)}">{escape(heading.text_content())}</a></li>'


def font_files(characters: dict[str, set[str]]) -> dict[str, bytes]:
    """Return the subsets of the fonts that have these characters of text, code and formulas.

    Raises: BookError naming characters that no font has.
    """
    folder = Path(matplotlib.get_data_path(), "fonts/ttf")
    fonts = {"han": chinese_font()}
    fonts |= {role: TTFont(folder / f"{name}.ttf") for role, name in OTHERS.items()}
    every = set().union(*characters.values()) - set("\t\n")
    has = {role: every & set(map(chr, font.getBestCmap())) for role, font in fonts.items()}
    if missing := every - set().union(*has.values()):
        raise BookError(f"no font for {' '.join(f'{c} (U+{ord(c):04X})' for c in sorted(missing))}")
    wanted = {
        "han": every,
        "latin": every - has["han"],
        "mono": characters["code"],
        "math": characters["math"] | (every - has["han"] - has["latin"]),
    }
    return {
        f"fonts/{role}.woff": subset_font(font, wanted[role] & has[role])
        for role, font in fonts.items()
    }


def figures(book: Book) -> dict[str, bytes]:
    """Return the drawings, each with the Chinese characters that it shows."""
    images = [source for page in book.pages for source in page.body.xpath(".//img/@src")]
    paths = {source: book.site / "_images" / source.removeprefix("images/") for source in images}
    drawn = {source: path.read_text(encoding="utf-8") for source, path in paths.items()}
    shown = {source: chinese(svg) for source, svg in drawn.items()}
    font = subset_font(chinese_font(), set().union(*shown.values()), flavor=None)
    return {source: with_font(svg, shown[source], font).encode() for source, svg in drawn.items()}


def chinese(svg: str) -> set[str]:
    """Return the characters of a drawing's texts that are no Latin font's."""
    return {char for text in re.findall(r">([^<>]+)<", svg) for char in text if char >= "\u2e80"}


def with_font(svg: str, characters: set[str], font: bytes) -> str:
    """Give a drawing a font of its own, under the name that its texts ask for."""
    if not characters:
        return svg
    data = base64.b64encode(subset_font(TTFont(io.BytesIO(font)), characters)).decode()
    rule = f"@font-face {{font-family: '{HAN}'; src: url(data:font/woff;base64,{data})}}"
    return re.sub(r"(<svg[^>]*>)", rf"\1<style>{rule}</style>", svg, count=1)


def cover(book: Book) -> bytes:
    """Draw the title on a page."""
    font = chinese_font()
    title, _, subtitle = book.title.partition(" · ")
    with tempfile.NamedTemporaryFile(suffix=".otf") as file:
        file.write(subset_font(font, set(book.title + book.author), flavor=None))
        file.flush()
        face = FontProperties(fname=file.name)
        figure = Figure(figsize=(6, 8), dpi=200, facecolor="#0a4e93")
        for height, size, text in ((0.62, 48, title), (0.52, 22, subtitle), (0.1, 14, book.author)):
            figure.text(
                0.5, height, text, size=size, color="white", ha="center", fontproperties=face
            )
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png", metadata={"Software": None})
    return drawn.getvalue()


def files(book: Book) -> dict[str, bytes]:
    """Return all files of the book that its package names, in reading order."""
    title_page = TITLE_PAGE.format(
        title=escape(book.title),
        author=escape(book.author),
        date=book.date,
        copyright=escape(book.copyright),
        address=escape(book.address),
    )
    made = {
        "title.xhtml": document(book.title, title_page),
        "nav.xhtml": document("目录", contents(book)),
    }
    for page in book.pages:
        page.body.tag = "main"
        made[f"{page.slug}.xhtml"] = document(page.title, xml(page.body))
    texts = {
        "text": set().union(*(etree.fromstring(text).itertext() for text in made.values())),
        "code": {text for page in book.pages for text in page.body.xpath(".//pre//text()")},
        "math": {text for page in book.pages for text in page.body.xpath(".//math//text()")},
    }
    characters = {role: set("".join(found)) for role, found in texts.items()}
    made["style.css"] = Path(__file__).with_suffix(".css").read_bytes()
    return made | font_files(characters) | figures(book) | {"cover.png": cover(book)}


def package(book: Book, made: dict[str, bytes]) -> str:
    """Return the package document: what the book is and what it consists of, in order."""
    properties = {"nav.xhtml": ["nav"], "cover.png": ["cover-image"]}
    for name, text in made.items():
        if name.endswith(".xhtml") and b"<math" in text:
            properties.setdefault(name, []).append("mathml")
    manifest, spine = [], []
    for number, name in enumerate(made):
        extra = f' properties="{" ".join(properties[name])}"' if name in properties else ""
        kind = TYPES[Path(name).suffix]
        manifest.append(f'<item id="f{number}" href="{name}" media-type="{kind}"{extra}/>')
        if name.endswith(".xhtml"):
            spine.append(f'<itemref idref="f{number}"/>')
    return PACKAGE.format(
        identifier=uuid5(NAMESPACE_URL, book.address),
        title=escape(book.title),
        author=escape(book.author),
        date=book.date,
        copyright=escape(book.copyright),
        address=escape(book.address),
        manifest="\n".join(manifest),
        spine="\n".join(spine),
    )


def pack(book: Book, made: dict[str, bytes], path: Path) -> None:
    """Write the book; the first file says, uncompressed, that it is one."""
    year, month, day = map(int, book.date.split("-"))
    every = {
        "mimetype": b"application/epub+zip",
        "META-INF/container.xml": CONTAINER.encode(),
        "EPUB/package.opf": package(book, made).encode(),
    } | {f"EPUB/{name}": data for name, data in made.items()}
    with zipfile.ZipFile(path, "w") as packed:
        for name, data in every.items():
            entry = zipfile.ZipInfo(name, (year, month, day, 0, 0, 0))
            stored = name == "mimetype"
            entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            packed.writestr(entry, data)


def write(book: Book, path: Path) -> None:
    """Pack a book.

    Raises: BookError where a Chinese font is missing or no font has a character.
    """
    for page in book.pages:
        prepare(book, page)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="epub-") as folder:
        pack(book, files(book), Path(folder, "book"))
        Path(folder, "book").replace(path)


if __name__ == "__main__":
    run(write, "notes-that-run.epub")
