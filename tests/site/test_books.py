"""The books: the whole site as one PDF and as an EPUB.

A PDF that `make pdf` has printed since the site was built is checked as it is; otherwise a few
pages are printed.  The EPUB takes seconds, so it is packed anew from the whole site.
"""

import io
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from unicodedata import normalize

import pytest
from fontTools.ttLib import TTFont
from lxml import etree, html
from pypdf import PdfReader

from _ext import book as books
from _ext import browser, epub, pdf

ROOT = Path(__file__).parents[2]
SOME = ("index.html", "python/index.html", "python/autograd.html", "bibliography.html")
XHTML = "{http://www.w3.org/1999/xhtml}"


def give_up(reason: str) -> None:
    """Skip what needs a program or a font that is missing, or fail if REQUIRE_BOOKS=1."""
    (pytest.fail if os.environ.get("REQUIRE_BOOKS") == "1" else pytest.skip)(reason)


def need(*names: str) -> str:
    """Return the path of one of these programs, or give up."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or give_up(f"none of {', '.join(names)} is installed")


@pytest.fixture(scope="module")
def chinese():
    """A Chinese font is installed."""
    try:
        books.chinese_font()
    except books.BookError as error:
        give_up(str(error))


def squeezed(text: str) -> str:
    """Return a text without white space, its compatibility characters made plain."""
    return re.sub(r"\s+", "", normalize("NFKC", text))


def headings(page: Path) -> list[str]:
    """Return the words of the headings of a built page, H1 to H3, around their formulas."""
    root = html.parse(page, html.HTMLParser(encoding="utf-8")).getroot()
    pieces = []
    for heading in root.xpath("//article//*[self::h1 or self::h2 or self::h3]"):
        for part in heading.xpath(".//*[@class='headerlink' or @class='math']"):
            part.text, part.tail = "\n", f"\n{part.tail or ''}"
            del part[:]
        pieces += [squeezed(piece) for piece in heading.text_content().split("\n")]
    return [piece for piece in pieces if piece.strip("#")]


@pytest.fixture(scope="module")
def whole(built_site):
    return books.read(ROOT)


@pytest.fixture(scope="module")
def printed(built_site, chinese, tmp_path_factory):
    """A PDF and the pages that are in it."""
    need(*browser.NAMES)
    book = books.read(ROOT)
    ready = ROOT / "_build/notes-that-run.pdf"
    newest = max(path.stat().st_mtime for path in built_site.rglob("*.html"))
    if ready.exists() and ready.stat().st_mtime >= newest:
        return ready, book.pages
    book = replace(book, pages=[page for page in book.pages if page.name in SOME])
    path = tmp_path_factory.mktemp("pdf") / "some.pdf"
    pdf.write(book, path)
    return path, book.pages


@pytest.fixture(scope="module")
def packed(built_site, chinese, tmp_path_factory):
    path = tmp_path_factory.mktemp("epub") / "book.epub"
    epub.write(books.read(ROOT), path)
    with zipfile.ZipFile(path) as archive:
        yield path, {name: archive.read(name) for name in archive.namelist()}


def documents(files: dict[str, bytes]) -> dict[str, etree._Element]:
    return {name: etree.fromstring(data) for name, data in files.items() if name[-6:] == ".xhtml"}


def test_the_book_has_every_page_of_the_site_in_the_order_of_the_navigation(whole):
    names = [page.name for page in whole.pages]
    sources = subprocess.check_output(["git", "ls-files", "*.md"], cwd=ROOT, text=True).split()
    pages = {name.replace(".md", ".html") for name in sources if not name[0].isupper()}
    assert set(names) == pages
    assert len(names) == len(set(names))
    assert names[0] == "index.html"
    assert names.index("python/index.html") < names.index("python/autograd.html")


def test_no_book_speaks_of_what_only_the_site_has(whole, built_site):
    front = (built_site / "index.html").read_text("utf-8")
    said = ("右上角", "可以下载这一页", "修改这一页的链接", "订阅源", "折叠着")
    assert all(words in front for words in said)
    text = whole.pages[0].body.text_content()
    assert not [words for words in said if words in text]
    assert "那要靠读的人。" in text


def test_pdftotext_finds_every_heading(printed, built_site):
    path, pages = printed
    tool = need("pdftotext")
    text = squeezed(subprocess.check_output([tool, path, "-"], text=True))
    wanted = [(page.name, one) for page in pages for one in headings(built_site / page.name)]
    assert len(wanted) > 20
    assert [place for place in wanted if place[1] not in text] == []


def test_nothing_is_cut_off_at_the_margins(printed):
    path, _ = printed
    boxes = subprocess.check_output([need("pdftotext"), "-bbox", path, "-"], text=True)
    words = re.findall(r'<word xMin="(\S+)" yMin="\S+" xMax="(\S+)" yMax="\S+">(.*)</word>', boxes)
    assert len(words) > 1000
    assert [word for left, right, word in words if float(left) < 40 or float(right) > 565] == []


def test_every_font_of_the_pdf_is_embedded(printed):
    path, _ = printed
    lines = subprocess.check_output([need("pdffonts"), path], text=True).splitlines()[2:]
    embedded = [re.search(r"\s(yes|no)\s+(yes|no)\s+(yes|no)\s+\d+\s+\d+$", line) for line in lines]
    assert embedded
    assert {match[1] for match in embedded if match} == {"yes"}
    assert all(embedded)
    assert any("KaTeX_Main" in line for line in lines)


def outline(marks, reader, level=1):
    for mark in marks:
        if isinstance(mark, list):
            yield from outline(mark, reader, level + 1)
        else:
            yield level, mark.title, reader.get_destination_page_number(mark)


def test_bookmarks_and_contents_lead_to_every_article(printed):
    path, pages = printed
    reader = PdfReader(path)
    marks = list(outline(reader.outline, reader))
    assert [mark[1] for mark in marks if mark[0] == 1] == [p.title for p in pages if p.depth == 1]
    articles = {title: number for level, title, number in marks if level == 2}
    contents = squeezed(reader.pages[1].extract_text())
    for page in pages:
        if page.depth == 2:
            assert page.title in articles
            number = articles[page.title]
            assert squeezed(page.title) in squeezed(reader.pages[number].extract_text())
            assert f"{squeezed(page.title)}{number + 1}" in contents


def test_links_between_articles_stay_in_the_pdf(printed):
    path, pages = printed
    reader = PdfReader(path)
    places = {name.removeprefix("/") for name in reader.named_destinations}
    aims = [
        (number, link["/Dest"].removeprefix("/"))
        for number, page in enumerate(reader.pages)
        for link in (one.get_object() for one in page.get("/Annots", []))
        if "/Dest" in link
    ]
    assert {aim for _, aim in aims} <= places
    assert {page.slug for page in pages} <= {aim for number, aim in aims if number == 1}
    assert any(aim.startswith("glossary") or "--" in aim for number, aim in aims if number > 2)


def test_the_pdf_says_what_it_is(printed, whole):
    reader = PdfReader(printed[0])
    info = reader.metadata
    assert reader.root_object["/Lang"] == "zh-CN"
    assert (info.title, info.author) == (whole.title, whole.author)
    assert f"{info.creation_date:%Y-%m-%d}" == f"{info.modification_date:%Y-%m-%d}" == whole.date


def test_epubcheck_finds_no_fault(packed):
    need("java")
    jar = Path(sys.prefix).glob("lib/python*/site-packages/epubcheck/**/epubcheck.jar")
    command = ["java", "-jar", next(jar), "--failonwarnings", packed[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_every_formula_of_the_site_is_mathml(packed, whole):
    found = documents(packed[1])
    for page in whole.pages:
        formulas = books.classed(page.body, "katex")
        maths = found[f"EPUB/{page.slug}.xhtml"].iter("{http://www.w3.org/1998/Math/MathML}math")
        sources = [formula.xpath("string(.//annotation)") for formula in formulas]
        assert [math.get("alttext") for math in maths] == sources, page.name
    assert b'class="katex' not in b"".join(packed[1].values())


def test_the_epub_needs_nothing_from_outside(packed):
    for name, document in documents(packed[1]).items():
        for node in document.iter():
            source = node.get("src") or ("" if node.tag == f"{XHTML}a" else node.get("href", ""))
            assert not source or f"EPUB/{source}" in packed[1], (name, source)
        assert document.find(f".//{XHTML}script") is None
    assert not [name for name in packed[1] if re.search(r"dark|search|\.js$", name)]


def test_the_epub_has_every_character_it_shows(packed):
    files = packed[1]
    fonts = {name: data for name, data in files.items() if name.endswith(".woff")}
    has = set().union(*(TTFont(io.BytesIO(data)).getBestCmap() for data in fonts.values()))
    for name, document in documents(files).items():
        text = set("".join(document.itertext())) - set("\n\t")
        assert {char for char in text if ord(char) not in has} == set(), name
    mono = TTFont(io.BytesIO(fonts["EPUB/fonts/mono.woff"])).getBestCmap()
    assert set(map(ord, "def f(x): return [0] >>>")) <= mono.keys()


def test_every_figure_carries_the_chinese_it_shows(packed):
    drawn = {name: data.decode() for name, data in packed[1].items() if name.endswith(".svg")}
    assert len(drawn) > 100
    for name, svg in drawn.items():
        shown = epub.chinese(svg.partition("</style>")[2])
        data = re.search(r"base64,([\w+/=]+)", svg)
        font = TTFont(io.BytesIO(epub.base64.b64decode(data[1]))) if data else None
        assert shown <= set(map(chr, font.getBestCmap() if font else ())), name


def test_navigation_lists_every_page_and_section(packed, whole):
    nav = documents(packed[1])["EPUB/nav.xhtml"]
    links = [link.get("href") for link in nav.iter(f"{XHTML}a")]
    assert {f"{page.slug}.xhtml" for page in whole.pages} <= set(links)
    assert sum("#" in link for link in links) > 100


def test_the_same_site_gives_the_same_pdf(chinese, built_site, tmp_path):
    need(*browser.NAMES)
    made = []
    for number in range(2):
        book = books.read(ROOT)
        pdf.write(replace(book, pages=book.pages[:2]), tmp_path / str(number))
        made.append((tmp_path / str(number)).read_bytes())
    assert made[0] == made[1]


def test_the_same_site_gives_the_same_epub(chinese, built_site, tmp_path):
    made = []
    for number in range(2):
        book = books.read(ROOT)
        some = replace(book, pages=[page for page in book.pages if page.name in SOME])
        epub.write(some, tmp_path / str(number))
        made.append((tmp_path / str(number)).read_bytes())
    assert made[0] == made[1]


@pytest.mark.parametrize(("char", "variant", "said"), [("E", "double-struck", "𝔼")])
def test_letters_of_other_alphabets_are_letters(char, variant, said):
    assert epub.letter(char, variant) == said
    assert epub.letter("R", "double-struck") == "ℝ"
    assert epub.letter("C", "fraktur") == "ℭ"
    assert epub.letter("(", "script") == "("


def test_without_chromium_the_reason_is_said_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setattr(browser.shutil, "which", lambda name: None)
    with pytest.raises(books.BookError, match=r"^no Chromium: none of chromium, .* is installed$"):
        pdf.write(None, tmp_path / "book.pdf")


def test_without_a_chinese_font_the_reason_is_said_in_one_line(monkeypatch):
    monkeypatch.setattr(books, "findSystemFonts", lambda: ["/fonts/DejaVuSans.ttf"])
    with pytest.raises(books.BookError, match="no Chinese font: none of Noto Sans CJK SC, "):
        books.chinese_font()


def test_without_a_site_nothing_is_made(tmp_path, monkeypatch):
    (tmp_path / "conf.py").write_text((ROOT / "conf.py").read_text("utf-8"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match="run `make html` first"):
        books.run(epub.write, "notes-that-run.epub")
    assert not (tmp_path / "_build").exists()
