"""Formulas are rendered while building; a wrong one is reported at its page and line."""

import re

import pytest

from _ext.katex_fonts import FACE, FOLDER, characters, unicode_range


@pytest.fixture
def formulas(site):
    s = site("_ext.katex")
    s.configure('html_math_renderer = "katex"\nnumfig = True\nmath_numfig = False\n')
    s.configure('myst_enable_extensions = ["amsmath", "dollarmath"]\n')
    s.write("index.md", "# 首页\n")
    return s


def page(build, name="index"):
    return (build.outdir / f"{name}.html").read_text(encoding="utf-8")


def test_inline_formula_is_html_and_mathml_without_a_script(formulas):
    formulas.write("index.md", "# 首页\n\n设 $a_1 = \\frac{1}{2}$ 成立。\n")
    build = formulas.build()
    assert build.code == 0, build.output
    html = page(build)
    assert '<span class="katex-html"' in html
    assert "<msub><mi>a</mi><mn>1</mn></msub>" in html
    assert "katex/katex.min.css" in html
    assert not re.search(r"<script[^>]*(math|katex)", html, re.IGNORECASE)


def test_page_without_formulas_links_no_katex(formulas):
    build = formulas.build()
    assert build.code == 0, build.output
    assert "katex" not in page(build)


def test_equation_number_and_reference_agree_and_start_anew_on_each_page(formulas):
    formulas.write(
        "index.md",
        """
        # 首页

        ```{toctree}
        other
        ```

        $$
        x = 1
        $$ (one)

        $$
        y = 2
        $$ (two)

        见 {eq}`two` 与 {eq}`three`。
        """,
    )
    formulas.write("other.md", "# 另页\n\n$$\nz = 3\n$$ (three)\n")
    build = formulas.build()
    assert build.code == 0, build.output
    html = page(build)
    numbers = re.findall(r'id="equation-(\w+)".*?class="eqno">\((\d+)\)', html, re.DOTALL)
    assert numbers == [("one", "1"), ("two", "2")]
    assert re.search(r'class="headerlink" href="#equation-two"', html)
    assert re.search(r'href="#equation-two">\(2\)</a>', html)
    assert re.search(r'href="other.html#equation-three">\(1\)</a>', html)


def test_amsmath_environment_gets_one_number_of_sphinx_and_none_of_katex(formulas):
    align = "# 首页\n\n\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}\n"
    formulas.write("index.md", align)
    build = formulas.build()
    assert build.code == 0, build.output
    html = page(build)
    assert html.count('class="eqno"') == 1
    assert "eqn-num" not in html


def test_several_lines_align(formulas):
    formulas.write("index.md", "# 首页\n\n$$\na &= b \\\\\n&= c\n$$\n")
    build = formulas.build()
    assert build.code == 0, build.output
    assert page(build).count("<mtr") == 2


def test_chinese_text_and_macros_of_the_configuration(formulas):
    formulas.configure('katex_macros = {"\\\\RR": "\\\\mathbb{R}"}\n')
    formulas.write("index.md", "# 首页\n\n$x \\in \\RR \\text{，实数}$\n")
    build = formulas.build()
    assert build.code == 0, build.output
    assert '<mi mathvariant="double-struck">R</mi>' in page(build)


@pytest.mark.parametrize(
    ("formula", "reason"),
    [
        (r"\nosuchmacro{x}", r"Undefined control sequence: \\nosuchmacro"),
        (r"\frac{a}{b", r"expected '}'"),
        (r"x = 汉", r"Unicode text character \"汉\" used in math mode"),
    ],
)
@pytest.mark.parametrize("display", [False, True])
def test_wrong_formula_fails_with_page_and_line(formulas, formula, reason, display):
    formulas.write(
        "index.md",
        "# 首页\n\n一段。\n\n" + (f"$$\n{formula}\n$$\n" if display else f"式 ${formula}$。\n"),
    )
    build = formulas.build()
    assert build.code == 1
    assert re.search(rf"index\.md:5: WARNING: KaTeX parse error: .*{reason}", build.output), (
        build.output
    )
    assert "[katex]" in build.output


def test_parallel_writers_each_render(formulas):
    pages = [f"p{i}" for i in range(12)]
    formulas.write("index.md", "# 首页\n\n$x$\n\n```{toctree}\n" + "\n".join(pages) + "\n```\n")
    for i, name in enumerate(pages):
        formulas.write(f"{name}.md", f"# 页\n\n$x_{{{i}}}$\n")
    build = formulas.build("html", "-j", "2")
    assert build.code == 0, build.output
    assert all(f"<mn>{i}</mn>" in page(build, name) for i, name in enumerate(pages))


def test_latex_is_left_to_latex(formulas):
    formulas.write("index.md", "# 首页\n\n设 $a_1$ 成立。\n")
    build = formulas.build("latex")
    assert build.code == 0, build.output
    (tex,) = build.outdir.glob("broken.tex")
    assert r"\(a_1\)" in tex.read_text(encoding="utf-8")


def test_a_formula_is_rendered_once_and_again_when_what_it_depends_on_changes(formulas):
    formulas.write("index.md", "# 首页\n\n$x^2$\n\n$\\R$\n")
    formulas.configure(r'katex_macros = {"\\R": "R"}' + "\n")
    assert formulas.build().code == 0
    (kept,) = (f for f in formulas.root.glob("_build/kept/katex/*/*") if "x^2" in f.read_text())
    kept.write_text('{"html": "kept"}', encoding="utf-8")
    formulas.write("index.md", "# 首页\n\n又 $x^2$\n\n$\\R$\n")
    assert "kept" in page(formulas.build())
    formulas.configure(r'katex_macros = {"\\R": "S"}' + "\n")
    html = page(formulas.build())
    assert "kept" not in html
    assert "<mi>S</mi>" in html


# What the pages show in a font of KaTeX's: {"style weight 1px family": its characters}.  Chinese
# in a formula is not KaTeX's, and U+200B takes no ink.
SHOWN = """() => {
  const shown = {};
  for (const formula of document.querySelectorAll(".katex-html")) {
    const walker = document.createTreeWalker(formula, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      if (e.closest(".cjk_fallback")) continue;
      const { fontStyle, fontWeight, fontFamily } = getComputedStyle(e);
      const font = `${fontStyle} ${fontWeight} 16px ${fontFamily.split(",")[0]}`;
      shown[font] = (shown[font] ?? "") + walker.currentNode.data.replaceAll("\\u200b", "");
    }
  }
  return shown;
}"""
SPECIMEN = """async (shown) => {
  document.body.replaceChildren(...Object.entries(shown).map(([font, text]) => {
    const line = document.createElement("p");
    line.style.font = font;
    line.append(...[...text].map((c) => Object.assign(document.createElement("b"), {
      textContent: c, style: "font: inherit; white-space: pre"
    })));
    return line;
  }));
  document.body.getBoundingClientRect();
  await document.fonts.ready;
}"""


def in_other_fonts(tab, shown):
    """Return the characters that a browser does not take from the font they are to be in."""
    tab.evaluate(SPECIMEN, {font: "".join(sorted(text)) for font, text in shown.items()})
    devtools = tab.context.new_cdp_session(tab)
    devtools.send("DOM.enable")
    devtools.send("CSS.enable")
    root = devtools.send("DOM.getDocument", {"depth": -1})["root"]["nodeId"]
    found = devtools.send("DOM.querySelectorAll", {"nodeId": root, "selector": "p > b"})["nodeIds"]
    wanted = [(font, char) for font, text in shown.items() for char in sorted(text)]
    assert len(found) == len(wanted)
    other = []
    for node, (font, char) in zip(found, wanted, strict=True):
        used = devtools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]
        if not all(one["isCustomFont"] for one in used) or not used:
            other.append((font, char))
    return other


@pytest.mark.browser
def test_every_sign_of_a_formula_is_in_a_font_of_katex(browser, built_site):
    tab = browser.new_page()
    shown = {}
    for page in sorted(built_site.rglob("*.html")):
        if "katex.min.css" in page.read_text("utf-8"):
            tab.goto(page.as_uri())
            last = page
            for font, text in tab.evaluate(SHOWN).items():
                shown.setdefault(font, set()).update(text)
    tab.goto(last.as_uri())
    assert {font.split("px ")[1] for font in shown} >= {"KaTeX_Main", "KaTeX_Math", "KaTeX_AMS"}
    assert sum(map(len, shown.values())) > 200
    assert in_other_fonts(tab, shown) == []
    assert in_other_fonts(tab, {"normal 400 16px KaTeX_Main": {"a", "龘"}}) == [
        ("normal 400 16px KaTeX_Main", "龘")
    ]
    tab.close()


def test_the_halves_of_a_font_have_no_character_in_common():
    faces = FACE.findall((FOLDER / "katex.min.css").read_text("utf-8"))
    ranges = {re.search(r"fonts/(.*?)\.woff2", one)[1]: one.partition("range:")[2] for one in faces}
    halved = [name for name in ranges if f"{name}-rest" in ranges]
    assert len(halved) == 3
    for name in halved:
        first, rest = (ranges[half].rstrip("}") for half in (name, f"{name}-rest"))
        assert not characters(first) & characters(rest)
        for half in first, rest:
            assert unicode_range(characters(half)) == half
    assert {name for name in ranges if ranges[name]} == {*halved, *(f"{n}-rest" for n in halved)}
