"""`{drawn}`: what it draws, when it draws again, and how each error reads."""

import ast
import importlib
import os
import re
import shutil
import sys
import warnings
import xml.etree.ElementTree as ET
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from _ext import svg
from _ext.drawn import TOOLS, dependencies
from _ext.reached import bare, reached
from snippets.common import plot
from snippets.common.imports import ROOT

MODULE = '''
"""A figure."""

from snippets.toy.numbers import NUMBERS


def _build():
    from matplotlib.figure import Figure

    fig = Figure(figsize=(7.2, 3))
    ax = fig.add_subplot()
    ax.plot(NUMBERS)
    return fig, ax


def figure_one():
    fig, ax = _build()
    ax.set_xlabel("步数 $t$")
    return fig
'''

PAGE = """
# 一页

见 {numref}`fig-one`。

```{drawn} snippets.toy.page.figure_one
:alt: 一条折线
:name: fig-one
折线，$y = t$。

第二段。
```
"""


@pytest.fixture
def toy(site):
    """A site of one page that draws one figure."""
    made = site("_ext.drawn")
    made.configure("numfig = True\n")
    shutil.copytree(ROOT / "snippets/common", made.root / "snippets/common")
    for package in ("snippets", "snippets/toy"):
        made.write(f"{package}/__init__.py", "")
    made.write("snippets/toy/numbers.py", "NUMBERS = [1, 3, 2]\n")
    made.write("snippets/toy/unrelated.py", "x = 1\n")
    made.write("snippets/toy/page.py", MODULE)
    made.write("index.md", PAGE)
    return made


def drawings(build) -> int:
    return build.output.count("drawing snippets.")


def page(build) -> str:
    return (build.outdir / "index.html").read_text(encoding="utf-8")


def replace(made, name, old, new):
    text = (made.root / name).read_text(encoding="utf-8")
    assert old in text
    made.write(name, text.replace(old, new))


def figure_body(made, *lines):
    """Have figure_one end with these lines."""
    body = "\n".join(f"    {line}" for line in lines)
    made.write("snippets/toy/page.py", f"{MODULE.rpartition('    return fig')[0]}{body}\n")


def later(made, name):
    """Give the file a younger modification time, and leave its content."""
    path = made.root / name
    stamp = path.stat().st_mtime + 10
    os.utime(path, (stamp, stamp))


# -- what comes out ------------------------------------------------------------------------------


def test_a_figure_is_numbered_captioned_and_drawn_for_both_modes(toy):
    build = toy.build()
    assert build.code == 0, build.output
    html = page(build)
    assert 'href="#fig-one"><span class="std std-numref">图 1</span>' in html
    assert re.search(r'<figure class="drawn align-default" id="fig-one">', html)
    assert re.search(r'caption-number">图 1 </span><span class="caption-text">折线', html)
    assert "<p>第二段。</p>" in html
    images = [dict(re.findall(r'([a-z]+)="([^"]*)"', tag)) for tag in re.findall("<img.*?>", html)]
    assert [image["class"] for image in images] == ["only-light", "only-dark"]
    for image in images:
        assert (image["alt"], image["loading"]) == ("一条折线", "lazy")
        assert (image["width"], image["height"]) == ("720", "300")
        assert (build.outdir / image["src"]).read_text(encoding="utf-8").endswith("</svg>\n")


def test_nothing_is_written_into_the_source_tree(toy):
    before = {path for path in toy.root.rglob("*") if path.suffix != ".pyc"}
    toy.build()
    after = {path for path in toy.root.rglob("*") if path.suffix != ".pyc"}
    assert {
        p for p in after - before if "_build" not in p.parts and p.name != "__pycache__"
    } == set()


@pytest.mark.parametrize("builder", ["latex", "epub", "text", "man", "dirhtml", "singlehtml"])
def test_every_builder_says_or_shows_it(toy, builder):
    toy.configure('version = "1"\ncopyright = "2026"\n')
    figure_body(toy, "return [_build()[0], _build()[0]]")
    build = toy.build(builder)
    assert build.code == 0, build.output
    text = "".join(
        path.read_text(encoding="utf-8")
        for path in build.outdir.rglob("*")
        if path.suffix in {".tex", ".xhtml", ".txt", ".1", ".html"}
    )
    assert "一条折线" in text
    for word in ("only-dark", "drawn.js", "loading="):
        assert (word in text) == (builder in {"dirhtml", "singlehtml"})


def test_a_list_of_figures_becomes_steps_that_need_no_script(toy):
    figure_body(
        toy,
        "frames = [_build()[0] for _ in range(3)]",
        "frames[1].set_label('第二步 <说明>')",
        "return frames",
    )
    build = toy.build()
    assert build.code == 0, build.output
    html = page(build)
    assert '<figure class="drawn drawn-steps align-default" id="fig-one">' in html
    assert 'role="group" tabindex="0" aria-label="分步图，共 3 步"' in html
    assert html.count('class="drawn-frame"') == 3
    assert "<p>第 1 步，共 3 步</p>" in html
    assert "<p>第 2 步，共 3 步：第二步 &lt;说明&gt;</p>" in html
    assert 'alt="一条折线（第 2 步，共 3 步：第二步 &lt;说明&gt;）"' in html
    assert "drawn.js" in html


def test_a_page_without_steps_loads_no_script(toy):
    assert "drawn.js" not in page(toy.build())


# -- when it draws again -------------------------------------------------------------------------


def test_a_second_build_draws_nothing_and_reads_nothing(toy):
    assert drawings(toy.build()) == 1
    again = toy.build()
    assert (again.code, drawings(again)) == (0, 0)
    assert "0 added, 0 changed, 0 removed" in again.output


@pytest.mark.parametrize("name", ["page.py", "numbers.py"])
def test_a_new_modification_time_alone_draws_and_reads_nothing(toy, name):
    toy.build()
    later(toy, f"snippets/toy/{name}")
    again = toy.build()
    assert "0 added, 0 changed, 0 removed" in again.output
    assert (again.code, drawings(again)) == (0, 0)


def test_a_change_in_an_imported_module_draws_again_and_changes_the_page(toy):
    before = toy.build()
    old = (before.outdir / "_images/toy-page-figure_one.svg").read_bytes()
    replace(toy, "snippets/toy/numbers.py", "3, 2", "3, 4")
    assert drawings(toy.build()) == 1
    assert (before.outdir / "_images/toy-page-figure_one.svg").read_bytes() != old


def test_a_change_two_imports_away_draws_again(toy):
    toy.write("snippets/toy/numbers.py", "from .deep import NUMBERS\n")
    toy.write("snippets/toy/deep.py", "NUMBERS = [1, 2]\n")
    toy.build()
    toy.write("snippets/toy/deep.py", "NUMBERS = [2, 1]\n")
    assert drawings(toy.build()) == 1


def test_a_change_in_a_module_that_is_not_imported_draws_nothing(toy):
    toy.build()
    toy.write("snippets/toy/unrelated.py", "x = 2\n")
    again = toy.build()
    assert drawings(again) == 0
    assert "0 added, 0 changed, 0 removed" in again.output


def test_a_change_of_the_page_draws_nothing(toy):
    toy.build()
    replace(toy, "index.md", "折线，", "一条折线，")
    again = toy.build()
    assert drawings(again) == 0
    assert "一条折线，" in page(again)


def test_a_new_record_beside_the_module_draws_again(toy):
    toy.write("snippets/toy/page_run.json", "{}\n")
    toy.build()
    toy.write("snippets/toy/page_run.json", "{ }\n")
    assert drawings(toy.build()) == 1


def test_only_code_that_the_figure_reaches_draws_again(toy):
    """Not a comment, a docstring or another function; but what it calls, and what imports run."""
    text = (toy.root / "snippets/toy/page.py").read_text("utf-8")
    helper = '\n\ndef helper():\n    """Help."""\n    return {}\n\n\ndef other():\n    return {}\n'
    called = text.replace("    return fig", "    helper()\n    return fig")
    toy.write("snippets/toy/page.py", called + helper.format(1, 1))
    assert drawings(toy.build()) == 1
    for same in (
        "# a comment\n" + called + helper.format(1, 1),
        called + helper.format(1, 1).replace("Help.", "Help!"),
        called + helper.format(1, 2),
    ):
        toy.write("snippets/toy/page.py", same)
        build = toy.build()
        assert "0 added, 0 changed, 0 removed" in build.output, same
        assert drawings(build) == 0, same
    for number, changed in enumerate(
        (
            helper.format(2, 1),
            helper.format(2, 1) + "other()\n",
            helper.format("__doc__", 1),
            helper.format("__doc__", 1).replace("Help.", "Help!"),
            helper.format("globals()['oth' 'er']()", 3),
            helper.format("globals()['oth' 'er']()", 4),
        )
    ):
        toy.write("snippets/toy/page.py", called + changed)
        assert drawings(toy.build()) == 1, number


@pytest.mark.parametrize(
    "reads",
    [
        "open(__file__).read()",
        "Path(__file__).read_text()",
        "inspect.getsource(other)",
        "list(HERE.glob('*.py'))",
        "sys._getframe().f_lineno",
    ],
)
def test_a_figure_that_can_see_comments_is_drawn_again_for_a_comment(toy, reads):
    text = (toy.root / "snippets/toy/page.py").read_text("utf-8")
    text = (
        "import inspect\nimport sys\nfrom pathlib import Path\nHERE = Path(__file__).parent\n"
        + text
    )
    other = "\n\ndef other():\n    return {}\n"
    toy.write("snippets/toy/page.py", text + other.format(reads))
    assert drawings(toy.build()) == 1
    toy.write("snippets/toy/page.py", text + other.format(reads) + "# a comment\n")
    assert drawings(toy.build()) == 0, "the figure does not call it"
    text = text.replace("    return fig", "    other()\n    return fig")
    for comment in "", "# a comment\n":
        toy.write("snippets/toy/page.py", text + other.format(reads) + comment)
        assert drawings(toy.build()) == 1


def test_what_a_module_does_as_a_program_or_merely_imports_is_not_reached(tmp_path):
    path = tmp_path / "page.py"
    code = "from other import helper\n\ndef figure_one():\n    name.helped = 1\n\n{}"
    rest = "def helper():\n    return {0}\n\ndef helped():\n    return {0}\n\n"
    rest += "if __name__ == '__main__':\n    helper({0})\n"
    found = []
    for number in 1, 2:
        path.write_text(code.format(rest.format(number)), "utf-8")
        os.utime(path, ns=(number, number))
        found.append(reached("figure_one", [path]))
    assert found[0] == found[1]
    assert len(found[0]) == 2, "the import and the figure"


FIGURES = sorted(
    name
    for page in ROOT.glob("*/*.md")
    for name in re.findall(r"^```\{drawn\} (\S+)", page.read_text("utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("dotted", FIGURES[6::16])
def test_a_real_figure_runs_nothing_that_it_is_not_known_to_reach(dotted):
    module, _, function = dotted.rpartition(".")
    files = [path for path in dependencies(module, ROOT) if path.suffix == ".py"]
    files = [path for path in files if path not in TOOLS]
    known = set(reached(function, files))
    ran = set()

    def note(frame, event, argument):
        ran.add((frame.f_code.co_filename, frame.f_code.co_qualname.partition(".")[0]))

    make = getattr(importlib.import_module(module), function)
    sys.setprofile(note)
    try:
        svg.draw(make)
    finally:
        sys.setprofile(None)
    assert function in {name for _, name in ran}
    for path in files:
        for node in ast.parse(path.read_bytes()).body:
            if (str(path), getattr(node, "name", "")) in ran and not node.decorator_list:
                code = ast.dump(bare(node))
                assert code in known or path.read_text("utf-8") in known, node.name
    ours = {Path(name) for name, _ in ran if name.startswith(str(ROOT / "snippets"))}
    assert ours <= {*files, *TOOLS}


def test_another_builder_shares_the_drawings(toy):
    assert drawings(toy.build()) == 1
    assert drawings(toy.build("text")) == 0


def test_a_lost_drawing_is_drawn_again(toy):
    toy.build()
    shutil.rmtree(toy.root / "_build/kept")
    later(toy, "index.md")
    assert drawings(toy.build()) == 1


def test_reading_in_parallel_draws_the_same(toy):
    (toy.root / "index.md").unlink()
    names = [f"p{i}" for i in range(8)]
    for name in names:
        toy.write(f"{name}.md", PAGE.replace("fig-one", f"fig-{name}"))
    toy.write("index.md", "# 首页\n\n```{toctree}\n" + "\n".join(names) + "\n```\n")
    build = toy.build("html", "-j", "2")
    assert build.code == 0, build.output
    assert [(build.outdir / f"{n}.html").read_text().count("<img") for n in names] == [2] * 8
    replace(toy, "snippets/toy/numbers.py", "3, 2", "3, ")
    figure_body(toy, "return fig if len(NUMBERS) > 2 else None")
    for _ in range(2):
        assert toy.build("html", "-j", "2").output.count("WARNING: drawn: ") == 8


@pytest.mark.parametrize("module", ["random", "numpy.random", "torch"])
def test_random_numbers_do_not_depend_on_what_was_drawn_before(toy, module):
    figure_body(toy, "ax.set_title(str(draw()))", "return fig")
    text = (toy.root / "snippets/toy/page.py").read_text(encoding="utf-8")
    draw = "lambda: torch.rand(1).item()" if module == "torch" else f"{module}.random"
    toy.write(
        "snippets/toy/page.py",
        f"import {module}\ndraw = {draw}\n{text}\n\ndef figure_zero():\n    return figure_one()\n",
    )
    first = toy.build()
    alone = (first.outdir / "_images/toy-page-figure_one.svg").read_bytes()
    toy.write("index.md", PAGE.replace("_one", "_zero").replace("fig-one", "fig-zero") + PAGE)
    replace(toy, "snippets/toy/numbers.py", "[1, 3, 2]", "[1, 3, 2 + 0]")
    assert drawings(toy.build()) == 2
    assert (first.outdir / "_images/toy-page-figure_one.svg").read_bytes() == alone


# -- errors --------------------------------------------------------------------------------------


def fails(made, *parts, line=5):
    """The build fails with one warning, which names page and line and says all of this."""
    build = made.build()
    assert build.code == 1
    warnings = [text for text in build.output.splitlines() if "WARNING" in text]
    assert len(warnings) == 1, build.output
    assert f"index.md:{line}: WARNING: drawn: " in warnings[0]
    for part in parts:
        assert part in warnings[0]
    assert "Traceback" not in build.output
    return build


@pytest.mark.parametrize("option", ["", ":alt:", ":alt:   "])
def test_a_figure_needs_an_alt(toy, option):
    replace(toy, "index.md", ":alt: 一条折线", option or ":class: x")
    if not option:
        replace(toy, "index.md", ":class: x\n", "")
    fails(toy, "snippets.toy.page.figure_one needs :alt:")


def test_a_figure_needs_a_caption(toy):
    replace(toy, "index.md", "折线，$y = t$。\n\n第二段。\n", "")
    fails(toy, "snippets.toy.page.figure_one needs a caption")


@pytest.mark.parametrize("name", ["snippets.toy.nowhere.figure_one", "os.path.join", "figure_one"])
def test_an_unknown_module(toy, name):
    replace(toy, "index.md", "snippets.toy.page.figure_one", name)
    fails(toy, f"there is no module {name.rpartition('.')[0]}")


def test_an_unknown_function(toy):
    replace(toy, "index.md", "figure_one", "figure_two")
    fails(toy, "snippets.toy.page has no function figure_two")


def test_a_function_that_is_taken_away(toy):
    toy.build()
    replace(toy, "snippets/toy/page.py", "def figure_one", "def figure_two")
    fails(toy, "snippets.toy.page has no function figure_one")


def test_an_import_error_in_a_module_that_the_snippet_imports(toy):
    toy.write("snippets/toy/numbers.py", "x = 1\nimport not_installed\n")
    fails(
        toy,
        "importing snippets.toy.page: ModuleNotFoundError: No module named 'not_installed'",
        "(snippets/toy/numbers.py:2)",
    )


def test_a_syntax_error_in_a_module_that_the_snippet_imports(toy):
    toy.write("snippets/toy/numbers.py", "x = 1\nNUMBERS = [1, 2\n")
    fails(toy, "SyntaxError: '[' was never closed (snippets/toy/numbers.py:2)")


def test_a_snippet_that_raises_names_its_deepest_line(toy):
    toy.write("snippets/toy/numbers.py", "NUMBERS = object()\n")
    line = MODULE.strip().splitlines().index("    ax.plot(NUMBERS)") + 1
    fails(toy, "drawing snippets.toy.page.figure_one: ", f"(snippets/toy/page.py:{line})")


def test_a_snippet_that_exits_does_not_end_the_build(toy):
    figure_body(toy, "raise SystemExit(3)")
    fails(toy, "SystemExit: 3 (snippets/toy/page.py:")


@pytest.mark.parametrize("value", ["None", "[]", "[fig, 3]", "'text'", "ax"])
def test_something_else_than_a_figure(toy, value):
    figure_body(toy, f"return {value}")
    fails(toy, "not a Figure or a list of Figures")


def test_frames_of_different_sizes(toy):
    figure_body(toy, "from matplotlib.figure import Figure", "return [fig, Figure((3, 3))]")
    fails(toy, "returned frames of different sizes")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import warnings; warnings.warn('careful', stacklevel=1)", "UserWarning: careful"),
        ("ax.set_title('a\\ue000b')", "UserWarning: Glyph 57344"),
        ("ax.set_title('a', color='red')", "DrawingError: colours that plot.DARK does not know"),
    ],
)
def test_what_would_look_wrong_fails_the_build(toy, line, message):
    figure_body(toy, line, "return fig")
    fails(toy, "drawing snippets.toy.page.figure_one: ", message, " (snippets/toy/page.py:")


def test_an_error_stays_an_error_until_it_is_mended_and_leaves_what_was_built(toy):
    good = toy.build()
    replace(toy, "snippets/toy/numbers.py", "[1, 3, 2]", "[1, 3, 2")
    for _ in range(2):
        failed = fails(toy, "SyntaxError")
        assert '<figure class="drawn align-default" id="fig-one">' in page(failed)
        assert "一条折线" in page(failed)
        assert (failed.outdir / "_images/toy-page-figure_one.svg").is_file()
    replace(toy, "snippets/toy/numbers.py", "[1, 3, 2", "[1, 3, 2]")
    mended = toy.build()
    assert (mended.code, drawings(mended)) == (0, 0)
    assert page(mended) == page(good)


def test_a_failed_figure_does_not_spoil_its_neighbour(toy):
    (toy.root / "index.md").write_text(
        PAGE + PAGE.replace("# 一页", "").replace("fig-one", "fig-two").replace("_one", "_two"),
        encoding="utf-8",
    )
    build = toy.build()
    assert build.code == 1
    assert page(build).count("<img") == 2
    assert "has no function figure_two" in build.output


# -- the drawing itself --------------------------------------------------------------------------


def chinese(**text):
    fig = Figure(figsize=(7.2, 3))
    ax = fig.add_subplot(title="检查点 Checkpoint", xlabel="第 $k$ 层（共 $\\sqrt{L}$ 段）")
    ax.text(0.5, 0.5, "中文", **text)
    ax.text(0.2, 0.2, "class A:\n    pass", family="monospace")
    return fig


def texts(drawn: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]


def test_text_stays_text_and_formulas_become_paths():
    frame = svg.draw(chinese)[0]
    said = texts(frame.light)
    assert not any(" " in text for text in said)  # which SVG would trim: they are U+00A0
    said = [text.replace("\xa0", " ") for text in said]
    assert {"检查点 Checkpoint", "中文", "第 ", " 层（共 ", " 段）", "    pass"} <= set(said)
    assert not any("$" in text or "L" in text for text in said)
    assert "'Noto Sans CJK SC'" in frame.light
    assert "monospace" in frame.light
    assert "'DejaVu Sans'" not in frame.light


def test_drawings_are_the_same_with_and_without_chinese_fonts(monkeypatch):
    with_all = svg.draw(chinese)
    manager = font_manager.fontManager
    own = [font for font in manager.ttflist if font.fname.startswith(matplotlib.get_data_path())]
    assert own
    monkeypatch.setattr(manager, "ttflist", own)
    manager._findfont_cached.cache_clear()
    font_manager._get_font.cache_clear()
    assert svg.draw(chinese) == with_all


def test_a_汉字_is_one_em_wide():
    sizes = []

    def measure(text):
        def make():
            fig = Figure(figsize=(7.2, 3), layout="none")
            sizes.append(fig.text(0.5, 0.5, text, size=20).get_window_extent())
            return fig

        svg.draw(make)
        return sizes[-1].width

    em = 20
    assert measure("中") == pytest.approx(em, rel=0.01)
    assert measure("中文（字）") == pytest.approx(5 * em, rel=0.01)
    assert measure("中a") == pytest.approx(em + measure("a"), rel=0.01)
    assert measure("中$k$") == pytest.approx(em + measure("$k$"), rel=0.01)
    assert sizes[0].height >= 0.99 * em


def test_the_dark_drawing_is_the_light_one_with_the_twins_of_its_colours():
    frame = svg.draw(lambda: chinese(color=plot.CYCLE[3], alpha=0.5))[0]
    color = re.compile(r"#[0-9a-f]{6}\b(?=[;\"])")
    used = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", frame.light))
    assert {plot.INK, plot.GRID, plot.CYCLE[3]} <= used <= set(plot.DARK)
    assert set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", frame.dark)) == {
        plot.DARK[c] for c in used
    }
    assert color.sub("", frame.light) == color.sub("", frame.dark)


BLACK = "colours that plot.DARK does not know: #000000"


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda ax: warnings.warn("old", DeprecationWarning, 1), "DeprecationWarning: old"),
        (lambda ax: ax.legend(), "UserWarning: No artists with labels"),
        (lambda ax: ax.figure.set_size_inches(0.5, 0.2), "UserWarning: constrained_layout not"),
        (lambda ax: ax.set_title("a\ue000"), "UserWarning: Glyph 57344"),
        (lambda ax: ax.set_title("古\U00020000"), "no Chinese font is sure to have 𠀀 (U+20000)"),
        (lambda ax: ax.set_title("好\U0001f642"), "no Chinese font is sure to have 🙂 (U+1F642)"),
        (lambda ax: ax.set_title("$中$"), "[U+4e2d], substituting with a dummy symbol"),
        (lambda ax: ax.set_title(r"$\nope$"), "Unknown symbol: \\nope"),
        (lambda ax: ax.set_title("a", fontfamily="SimHei"), "Font family 'SimHei' not found"),
        (lambda ax: ax.set_title("a", color="red"), "#ff0000"),
        (lambda ax: ax.plot([1], "o", c="#123456"), "#123456"),
        (lambda ax: ax.bar([1], 1, hatch="/", facecolor="y"), "#bfbf00"),
        (lambda ax: ax.set_title("a", color="black"), BLACK),
        (lambda ax: ax.set_title("$a$", color="black"), BLACK),
        (lambda ax: ax.axhspan(0, 1, color="k"), BLACK),
        (lambda ax: ax.scatter([1], [1], c="k"), BLACK),
        (lambda ax: ax.plot([0, 1], color="k"), BLACK),
    ],
)
def test_what_would_look_wrong_raises(do, message):
    def make():
        fig = Figure(figsize=(3, 2))
        do(fig.add_subplot())
        return fig

    with pytest.raises(Exception) as caught:  # noqa: PT011
        svg.draw(make)
    assert message in f"{caught.typename}: {caught.value}"


def test_a_layout_that_differs_in_its_last_digit_gives_the_same_bytes():
    def make(left):
        fig = Figure(figsize=(7.2, 3))
        fig.set_layout_engine("none")
        fig.add_axes((left, 0.1, 0.8, 0.8)).plot([1, 2])
        return fig

    drawn = [svg.draw(lambda left=left: make(left))[0] for left in (0.1, 0.1 + 1e-15)]
    assert drawn[0] == drawn[1]


def test_two_drawings_have_the_same_bytes_and_no_date():
    first, second = svg.draw(chinese), svg.draw(chinese)
    assert first == second
    assert "date" not in first[0].light


def test_drawing_leaves_matplotlib_as_it_was():
    before = dict(matplotlib.rcParams), matplotlib.backends.backend_svg.RendererSVG
    with pytest.raises(ZeroDivisionError):
        svg.draw(lambda: 1 / 0)
    svg.draw(chinese)
    assert (dict(matplotlib.rcParams), matplotlib.backends.backend_svg.RendererSVG) == before


def test_a_raster_image_keeps_its_colours():
    def make():
        fig = Figure(figsize=(2, 2))
        fig.add_subplot().imshow([[0, 1], [1, 0]], cmap="viridis")
        return fig

    frame = svg.draw(make)[0]
    image = re.compile(r"data:image/png;base64,\s*([^\"]+)")
    assert image.search(frame.light)[1] == image.search(frame.dark)[1]


def test_cells_of_a_heat_map_take_their_twins():
    def make():
        from matplotlib.colors import ListedColormap

        fig = Figure(figsize=(3, 3))
        fig.add_subplot().pcolormesh(
            [[0, 1], [2, 3]], cmap=ListedColormap(plot.sequential_colors(4))
        )
        return fig

    frame = svg.draw(make)[0]
    assert all(color in frame.light for color in plot.sequential_colors(4))
    assert all(plot.DARK[color] in frame.dark for color in plot.sequential_colors(4))


# -- in the browser ------------------------------------------------------------------------------


@pytest.fixture
def steps(toy, browser):
    """`steps(**context options)`: the page of a figure of three steps, opened."""
    toy.configure('html_static_path = ["_static"]\n')
    (toy.root / "_static").mkdir()
    for name in ("drawn.css", "drawn.js"):
        shutil.copy(ROOT / "_static" / name, toy.root / "_static")
    figure_body(toy, "return [_build()[0] for _ in range(3)]")
    build = toy.build()
    assert build.code == 0, build.output
    contexts = []

    def visit(**options):
        contexts.append(browser.new_context(**options))
        opened = contexts[-1].new_page()
        opened.clock.install()
        opened.goto((build.outdir / "index.html").as_uri())
        return opened

    yield visit
    for context in contexts:
        context.close()


def seen(opened) -> list[str]:
    return opened.locator(".drawn-frame p:visible").all_inner_texts()


@pytest.mark.browser
def test_the_buttons_and_the_slider_step(steps):
    opened = steps()
    back, following = opened.get_by_label("上一步"), opened.get_by_label("下一步")
    slider = opened.get_by_label("步骤")
    assert seen(opened) == ["第 1 步，共 3 步"]
    assert back.is_disabled()
    following.click()
    assert seen(opened) == ["第 2 步，共 3 步"]
    assert slider.input_value() == "2"
    assert opened.get_by_role("status").inner_text() == "第 2 步，共 3 步"
    slider.focus()
    opened.keyboard.press("ArrowRight")
    assert seen(opened) == ["第 3 步，共 3 步"]
    assert slider.get_attribute("aria-valuetext") == "第 3 步，共 3 步"
    assert following.is_disabled()
    back.focus()
    opened.keyboard.press("Enter")
    assert seen(opened) == ["第 2 步，共 3 步"]


@pytest.mark.browser
def test_it_plays_when_asked_to_the_last_step_and_not_before(steps):
    opened = steps()
    opened.clock.fast_forward(60_000)
    assert seen(opened) == ["第 1 步，共 3 步"]
    opened.get_by_label("播放").click()
    assert seen(opened) == ["第 2 步，共 3 步"]
    assert opened.get_by_label("暂停").count() == 1
    opened.clock.run_for(1300)
    assert seen(opened) == ["第 3 步，共 3 步"]
    assert opened.get_by_label("暂停").count() == 0
    opened.get_by_label("播放").click()
    assert seen(opened) == ["第 1 步，共 3 步"]
    opened.get_by_label("暂停").click()
    opened.clock.run_for(60_000)
    assert seen(opened) == ["第 1 步，共 3 步"]


@pytest.mark.browser
def test_who_wants_less_motion_gets_no_play_button(steps):
    opened = steps(reduced_motion="reduce")
    assert not opened.locator(".drawn-play").is_visible()
    opened.get_by_label("下一步").click()
    assert seen(opened) == ["第 2 步，共 3 步"]
    opened.locator(".drawn-play").dispatch_event("click")
    opened.clock.run_for(60_000)
    assert seen(opened) == ["第 3 步，共 3 步"]


@pytest.mark.browser
def test_without_javascript_every_step_can_be_scrolled_to(steps):
    opened = steps(java_script_enabled=False, viewport={"width": 390, "height": 800})
    assert len(seen(opened)) == 3
    for frame in opened.locator(".drawn-frame").all():
        frame.scroll_into_view_if_needed()
        box = frame.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    assert opened.locator(".drawn-frames").get_attribute("tabindex") == "0"


@pytest.mark.browser
def test_on_paper_stand_the_first_and_the_last_step_without_controls(steps):
    opened = steps()
    opened.emulate_media(media="print")
    assert seen(opened) == ["第 1 步，共 3 步", "第 3 步，共 3 步"]
    assert not opened.locator(".drawn-controls").is_visible()
    assert opened.locator("img.only-light:visible").count() == 2
    assert opened.locator("img.only-dark:visible").count() == 0


@pytest.mark.browser
def test_stepping_moves_nothing(steps):
    opened = steps()
    heights = set()
    for _ in range(3):
        heights.add(opened.locator("figure").bounding_box()["height"])
        opened.locator('[aria-label="下一步"]').dispatch_event("click")
    assert len(heights) == 1


@pytest.mark.browser
def test_a_drawing_has_its_place_before_it_is_loaded(steps):
    opened = steps(viewport={"width": 1000, "height": 800})
    drawing = opened.locator("img.only-light").first
    loaded = drawing.bounding_box()
    opened.route("**/*.svg", lambda route: None)  # never answered
    opened.reload(wait_until="domcontentloaded")
    assert not drawing.evaluate("img => img.complete")
    assert drawing.bounding_box() == loaded
