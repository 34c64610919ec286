"""Prints the built site as one PDF, by an installed Chromium.

Chromium prints the book, and then the first pages once more: only now the table of contents can say
on which page an article begins.  The bookmarks are ours, for Chromium makes them from tags, a node
for every coloured word of code, which nearly doubles the file and differs from print to print; who
listens is better served by the site and the EPUB.  The dates are replaced by the date of the last
update of an article, so the same site gives the same bytes.
"""

import re
import subprocess
import tempfile
from html import escape
from pathlib import Path

from lxml import html
from lxml.html import HtmlElement
from pypdf import PdfReader, PdfWriter
from pypdf.generic import IndirectObject, NameObject, TextStringObject

from _ext.book import Book, BookError, Page, chinese_font, classed, relink, run
from _ext.browser import find_browser

STYLES = (
    "_static/pygments.css",
    "_static/katex/katex.min.css",
    "_static/drawn.css",
    "_static/sphinx-design.min.css",
    "_static/site.css",
)
LIMIT = 1800  # seconds for one print
DOCUMENT = """\
<!DOCTYPE html>
<html lang="zh-CN" data-theme="light">
<head>
<meta charset="utf-8">
<base href="{base}/">
<title>{title}</title>
{links}
<style>
{style}
{heads}
</style>
</head>
<body>
<main class="bd-article">
<section id="book-title">
<p class="book-title">{title}</p>
<p class="book-author">{author}</p>
<p class="book-date">{date}</p>
<p class="book-rights">© {copyright}<br>
文字与插图采用 CC BY 4.0，代码采用 MIT 许可证<br>
{address}</p>
</section>
<nav id="book-contents">
<h1>目录</h1>
<ol>
{contents}
</ol>
</nav>
{articles}
</main>
<div hidden>
{places}
</div>
<script>
{script}
</script>
</body>
</html>
"""


def anchor(page: Page, name: str = "") -> str:
    """Name an anchor of a page among those of all pages; without a name, the page's beginning."""
    return f"{page.slug}--{name}" if name else page.slug


def prepare(book: Book) -> None:
    """Give every page anchors of its own, and every formula words instead of hidden MathML."""
    for page in book.pages:
        relink(book, page, lambda target, name: "#" + anchor(target, name))
        for name in ("id", "aria-labelledby"):
            for node in page.body.xpath(f".//*[@{name}]"):
                node.set(name, anchor(page, node.get(name)))
        for image in page.body.xpath(".//img"):
            image.set("src", re.sub(r"^(\.\./)+", "", image.get("src")))
        for formula in classed(page.body, "katex"):
            (mathml,) = classed(formula, "katex-mathml")
            formula.set("role", "img")
            formula.set("aria-label", mathml.xpath("string(.//annotation)"))
            mathml.drop_tree()
        page.body.tag = "section"
        page.body.set("class", f"book-page book-depth-{page.depth}")
        page.body.set("id", anchor(page))
        page.body.set("style", f"page: {page.slug}")


def headings(page: Page) -> list[HtmlElement]:
    """Return the headings that become bookmarks."""
    return page.body.xpath(".//h1 | .//h2 | .//h3 | .//h4")


def typeset(book: Book, pages: list[Page], numbers: dict[str, int]) -> str:
    """Return the title, the table of contents and some pages of the book as one HTML document."""
    contents = "\n".join(
        f'<li class="book-depth-{page.depth}"><a href="#{page.slug}">'
        f"<span>{escape(page.title)}</span><span>{1 + numbers.get(page.slug, 0)}</span></a></li>"
        for page in book.pages
    )
    # Chromium names the places that something links to, be it hidden; bookmarks need them all.
    places = "\n".join(
        f'<a href="#{heading.getparent().get("id")}"></a>'
        for page in pages
        for heading in headings(page)
    )
    heads = "\n".join(
        f"@page {page.slug} {{ @top-right {{ content: {_css_string(page.title)} }} }}"
        for page in book.pages
    )
    here = Path(__file__)
    return DOCUMENT.format(
        base=book.site.as_uri(),
        title=escape(book.title),
        author=escape(book.author),
        date=book.date,
        copyright=escape(book.copyright),
        address=escape(book.address),
        links="\n".join(f'<link rel="stylesheet" href="{style}">' for style in STYLES),
        style=here.with_suffix(".css").read_text(encoding="utf-8"),
        script=here.with_suffix(".js").read_text(encoding="utf-8"),
        heads=heads,
        contents=contents,
        places=places,
        articles="\n".join(html.tostring(page.body, encoding="unicode") for page in pages),
    )


def _css_string(text: str) -> str:
    return '"' + re.sub(r'["\\<]', lambda found: f"\\{ord(found[0]):x} ", text) + '"'


def print_pdf(browser: str, text: str, pdf: Path) -> None:
    """Print an HTML document.

    Raises: BookError with what Chromium said where it leaves no PDF.
    """
    document = pdf.with_suffix(".html")
    document.write_text(text, encoding="utf-8")
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={pdf.parent / 'profile'}", "--allow-file-access-from-files"]
    command += ["--no-pdf-header-footer", "--disable-pdf-tagging", "--virtual-time-budget=600000"]
    command += [f"--print-to-pdf={pdf}", document.as_uri()]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired as error:
        raise BookError(f"{browser} did not print within {LIMIT} s") from error
    if done.returncode != 0 or not pdf.is_file():
        raise BookError(f"{browser} printed nothing: {done.stderr.strip()[-500:]}")


def page_numbers(pdf: PdfReader) -> dict[str, int]:
    """Return on which page, counted from nought, each named place of a PDF lies."""
    numbers = {}
    for name, place in pdf.named_destinations.items():
        number = pdf.get_destination_page_number(place)
        if number is not None:
            numbers[name.removeprefix("/")] = number
    return numbers


def bookmark(writer: PdfWriter, book: Book, numbers: dict[str, int]) -> None:
    """Add the outline: parts, articles and the two levels of sections below."""
    above: list[tuple[int, IndirectObject]] = []
    for page in book.pages:
        for heading in headings(page):
            level, title = int(heading.tag[1]), " ".join(heading.text_content().split())
            above = [(outer, mark) for outer, mark in above if outer < level]
            parent = above[-1][1] if above else None
            number = numbers[heading.getparent().get("id")]
            mark = writer.add_outline_item(title=title, page_number=number, parent=parent)
            above.append((level, mark))


def finish(printed: Path, front: Path, book: Book, numbers: dict[str, int]) -> PdfWriter:
    """Return the printed book with the final first pages, bookmarks, its author and its date."""
    writer = PdfWriter(clone_from=printed)
    for target, page in zip(writer.pages, PdfReader(front).pages, strict=False):
        for part in ("/Contents", "/Resources"):
            target[NameObject(part)] = page.raw_get(part).clone(writer)
    bookmark(writer, book, numbers)
    writer.root_object[NameObject("/Lang")] = TextStringObject("zh-CN")
    date = f"D:{book.date.replace('-', '')}000000Z"
    writer.add_metadata(
        {"/Author": book.author, "/Creator": "", "/CreationDate": date, "/ModDate": date}
    )
    return writer


def write(book: Book, path: Path) -> None:
    """Print a book.

    Raises: BookError where Chromium or a Chinese font is missing, or does not do its work.
    """
    try:
        browser = find_browser()
    except FileNotFoundError as error:
        raise BookError(str(error)) from error
    chinese_font()
    prepare(book)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="pdf-") as folder:
        whole, front, final = (Path(folder, name) for name in ("whole", "front", "final"))
        print_pdf(browser, typeset(book, book.pages, {}), whole)
        numbers = page_numbers(PdfReader(whole))
        if missing := [page.name for page in book.pages if page.slug not in numbers]:
            raise BookError(f"{browser} did not print {', '.join(missing)}")
        print_pdf(browser, typeset(book, [], numbers), front)
        finish(whole, front, book, numbers).write(final)
        final.replace(path)


if __name__ == "__main__":
    run(write, "notes-that-run.pdf")
