"""The picture that a link to an article shows: of the right size, light, and without a box."""

import re
from pathlib import Path

import pytest
from matplotlib.ft2font import FT2Font
from PIL import Image, ImageFont

from _ext import cards

ROOT = Path(__file__).parents[2]


@pytest.fixture
def notes(site):
    s = site("_ext.cards")
    s.configure("html_baseurl = 'https://notes.example/site/'\n")
    s.write("index.md", "# 首页\n\n```{toctree}\nnlp/index\n```\n")
    s.write("nlp/index.md", "# 模型\n\n```{toctree}\none\n```\n")
    return s


def build(s, title):
    s.article("nlp/one", f"# {title}\n\n正文。\n")
    done = s.build("html")
    assert done.code == 0, done.output
    return done, (done.outdir / "nlp/one.html").read_text("utf-8")


def test_an_article_has_a_card(notes):
    done, page = build(notes, "`N-Gram` 语言模型")
    url = "https://notes.example/site/_cards/nlp-one.png"
    assert page.count(f'<meta property="og:image" content="{url}" />') == 1
    assert '<meta property="og:image:alt" content="N-Gram 语言模型，模型，broken" />' in page
    with Image.open(done.outdir / "_cards/nlp-one.png") as card:
        assert (card.format, card.size) == ("PNG", (1200, 630))
    assert "og:image" not in (done.outdir / "index.html").read_text("utf-8")


def test_a_title_beyond_the_font_has_no_card_and_the_build_says_so(notes):
    done, page = build(notes, "龘靐模型")
    assert "no card for nlp/one: _ext/card.otf lacks 靐龘" in done.output
    assert "og:image" not in page
    assert not (done.outdir / "_cards/nlp-one.png").exists()


def test_the_card_of_a_page_that_is_gone_goes_too(notes):
    done, _ = build(notes, "模型")
    (notes.root / "nlp/one.md").unlink()
    notes.write("nlp/index.md", "# 模型\n\n正文。\n")
    assert notes.build("html").code == 0
    assert not (done.outdir / "_cards/nlp-one.png").exists()


def test_every_article_has_a_card_that_is_light(built_site):
    pages = [p for p in built_site.glob("*/*.html") if "article-verified" in p.read_text("utf-8")]
    assert len(pages) >= 19
    for path in pages:
        found = re.findall(r'property="og:image" content="[^"]*/(_cards/[^"]*)"', path.read_text())
        assert len(found) == 1, f"{path}: run python -m _ext.cards with the font it names"
        card = built_site / found[0]
        assert card.stat().st_size <= 40_000
        with Image.open(card) as image:
            assert image.size == (1200, 630)


def test_no_character_of_a_title_is_drawn_as_a_box():
    known = FT2Font(str(cards.FONT)).get_charmap()
    font = ImageFont.truetype(str(cards.FONT), 60)
    box = bytes(font.getmask("\uffff"))
    assert 0xFFFF not in known
    for char in set(cards.titles(ROOT)) - {"\n", " "}:
        assert known.get(ord(char), 0) > 0, char
        assert bytes(font.getmask(char)) != box, char


@pytest.mark.parametrize("title", ["一" * 40, "对象：身份、类型、值；参数传递", "A" * 30, "x"])
def test_a_title_stays_inside_its_card(title):
    image = cards.card(title, "Python", "会跑的笔记").convert("RGB")
    paper = image.getpixel((1199, 0))
    border = image.crop((1200 - cards.MARGIN + 4, 0, 1200, 630))
    assert border.getcolors() == [(border.width * border.height, paper)]
    for y in 146, 478:  # between category, title and site
        assert image.crop((25, y, 1200, y + 8)).getcolors() == [(1175 * 8, paper)]
    assert image.tobytes() == cards.card(title, "Python", "会跑的笔记").convert("RGB").tobytes()


def test_no_line_begins_with_a_stop():
    font = ImageFont.truetype(str(cards.FONT), 60)
    title = "对象：身份、类型、值；参数传递"
    for width in range(150, 900, 10):
        lines = list(cards.wrapped(title, font, width))
        assert "".join(lines) == title
        assert not any(line[0] in "：、；" for line in lines)
