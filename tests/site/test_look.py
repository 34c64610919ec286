"""The built site in a browser: offline, in Chinese, in the window, readable in light and dark."""

import re
from html.parser import HTMLParser
from itertools import product

import pytest

browser_test = pytest.mark.browser
WIDTHS = (360, 1280)
MODES = ("light", "dark")
ASSETS = {
    ("script", "src"),
    ("img", "src"),
    ("img", "srcset"),
    ("source", "src"),
    ("source", "srcset"),
    ("iframe", "src"),
    ("object", "data"),
    ("video", "src"),
    ("audio", "src"),
}
LINKED_ASSETS = {"stylesheet", "preload", "icon", "manifest", "modulepreload", "preconnect"}


class _Assets(HTMLParser):
    """Collect what a page makes the browser fetch by itself."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.found += [v for k, v in values.items() if (tag, k) in ASSETS and v]
        if tag == "link" and LINKED_ASSETS & set((values.get("rel") or "").split()):
            self.found.append(values["href"])


def pages(built_site):
    """Every page but 404.html, whose links start from the root of a server."""
    found = (p.relative_to(built_site).as_posix() for p in built_site.rglob("*.html"))
    return sorted(p for p in found if not p.startswith("_") and p != "404.html")


def is_foreign(address):
    return bool(re.match(r"([a-z]+:)?//", address))


def test_no_page_and_no_style_sheet_names_an_asset_of_another_host(built_site):
    foreign = []
    for path in built_site.rglob("*.html"):
        if path.relative_to(built_site).parts[0] != "_static":
            parser = _Assets()
            parser.feed(path.read_text(encoding="utf-8"))
            foreign += [(path.name, a) for a in parser.found if is_foreign(a)]
    for path in built_site.rglob("*.css"):
        urls = re.findall(
            r"(?:url\(|@import\s+)['\"]?([^'\")\s;]+)", path.read_text(encoding="utf-8")
        )
        foreign += [(path.name, u) for u in urls if is_foreign(u)]
    assert not foreign


def test_formulas_load_no_script_and_readers_get_no_renderer(built_site):
    assert not list(built_site.rglob("katex*.js"))
    for path in built_site.rglob("*.html"):
        scripts = re.findall(r"<script[^>]*>", path.read_text(encoding="utf-8"))
        assert not [s for s in scripts if re.search("katex|mathjax", s, re.IGNORECASE)], path


def test_titles(built_site):
    for name in pages(built_site):
        title = re.search(
            r"<title>(.*?)</title>", (built_site / name).read_text(encoding="utf-8"), re.DOTALL
        )[1]
        if name == "index.html":
            assert title == "会跑的笔记 · Notes That Run"
        else:
            assert re.fullmatch(r"[^<]+ · 会跑的笔记", title), (name, title)


@pytest.fixture(scope="module")
def visit(browser, built_site):
    """`visit(page, width, mode)` opens a page offline; what went wrong is in `tab.troubles`."""
    contexts = {
        (width, mode): browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=mode, offline=True
        )
        for width, mode in product(WIDTHS, MODES)
    }
    tabs = {}
    for key, context in contexts.items():
        tab = tabs[key] = context.new_page()
        tab.troubles = []
        tab.on(
            "request", lambda r, t=tab: r.url[:5] in ("file:", "data:") or t.troubles.append(r.url)
        )
        tab.on("requestfailed", lambda r, t=tab: t.troubles.append(f"failed: {r.url}"))
        tab.on("pageerror", lambda e, t=tab: t.troubles.append(str(e)))
        tab.on(
            "console",
            lambda m, t=tab: m.type in ("error", "warning") and t.troubles.append(m.text),
        )

    def open_page(name, width=1280, mode="light"):
        tab = tabs[width, mode]
        tab.troubles.clear()
        tab.goto(f"{built_site.as_uri()}/{name}", wait_until="load")
        return tab

    yield open_page
    for context in contexts.values():
        context.close()


LAYOUT = """() => {
  const wrong = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) wrong.push(`page is ${page.scrollWidth} px wide`);
  const name = (e) => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)}`;
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  for (const box of document.querySelectorAll(".formula, .highlight pre")) {
    if (!visible(box)) continue;
    const edge = box.getBoundingClientRect();
    if (edge.left < -1 || edge.right > innerWidth + 1) wrong.push("outside: " + name(box));
    if (box.scrollWidth > box.clientWidth) {
      const overflow = getComputedStyle(box).overflowX;
      if (overflow !== "auto" && overflow !== "scroll") wrong.push("cut: " + name(box));
      if (box.tabIndex < 0) wrong.push("no focus: " + name(box));
      if (innerWidth >= 1280 && box.matches("pre")) wrong.push("scrolls: " + name(box));
    }
    if (box.scrollHeight > box.clientHeight + 1) wrong.push("cut below: " + name(box));
  }
  for (const base of document.querySelectorAll("span.math .katex-base")) {
    if (!visible(base) || base.closest(".pst-scrollable-table-container")) continue;
    if (base.getBoundingClientRect().right > innerWidth) wrong.push("outside: " + name(base));
  }
  for (const icon of document.querySelectorAll(".fa-solid, .fas, .fab, .far"))
    if (visible(icon) && getComputedStyle(icon, "::before").maskImage === "none")
      wrong.push("no icon: " + icon.className);
  for (const e of document.querySelectorAll("a[href], button, summary, input"))
    if (visible(e) && !(e.textContent.trim() || e.ariaLabel || e.querySelector("img[alt]")))
      wrong.push("nameless: " + e.outerHTML.slice(0, 60));
  const buttons = [...document.querySelectorAll(".search-button__button")].filter(visible);
  if (buttons.length !== 1) wrong.push(`${buttons.length} search buttons`);
  return wrong;
}"""


@browser_test
@pytest.mark.parametrize("width", WIDTHS)
def test_offline_within_the_window_and_one_search_button(visit, built_site, width):
    wrong = {}
    for name in pages(built_site):
        tab = visit(name, width)
        tab.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        tab.add_style_tag(content="section, .highlight { content-visibility: visible !important }")
        # What makes scrolling boxes focusable speaks once per frame, and when fonts have come.
        tab.evaluate("document.body.offsetHeight && document.fonts.ready.then(() => 0)")
        tab.evaluate("new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))")
        if found := tab.troubles + tab.evaluate(LAYOUT):
            wrong[name] = found
    assert not wrong


CONTRAST = """() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return text.startsWith("color(") ? [r * 255, g * 255, b * 255, a] : [r, g, b, a];
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
  const background = (e) =>
    e
      ? over(parse(getComputedStyle(e).backgroundColor), background(e.parentElement))
      : [255, 255, 255];
  const luminance = (color) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = color.map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim()) continue;
    if (e.closest("script, style, noscript, .katex-mathml")) continue;
    if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    const style = getComputedStyle(e);
    const behind = background(e);
    const [x, y] = [luminance(over(parse(style.color), behind)), luminance(behind)];
    const ratio = (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
    if (ratio < 4.5)
      faint[`${e.tagName}.${e.className} ${style.color} on ${behind.map(Math.round)}`] =
        `${ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 20)}`;
  }
  return faint;
}"""


@browser_test
@pytest.mark.parametrize("mode", MODES)
def test_text_links_and_code_stand_out_from_what_is_behind_them(visit, built_site, mode):
    faint = {}
    for name in pages(built_site):
        tab = visit(name, mode=mode)
        assert tab.evaluate("document.documentElement.dataset.theme") == mode
        tab.evaluate("document.querySelectorAll('details').forEach((d) => (d.open = true))")
        faint |= {f"{name}: {k}": v for k, v in tab.evaluate(CONTRAST).items()}
    assert not faint


@browser_test
def test_links_in_text_are_underlined(visit, built_site):
    tab = visit("index.html")
    plain = tab.evaluate(
        """() => [...document.querySelectorAll(".bd-article p a")]
          .filter((a) => !a.matches(".headerlink, .tag, .sd-stretched-link"))
          .filter((a) => !getComputedStyle(a).textDecorationLine.includes("underline"))
          .map((a) => a.textContent)"""
    )
    assert not plain


ENGLISH = """(ours) => {
  const english = new Set();
  const chinese = /[\\u3400-\\u9fff]/;
  const check = (text) => {
    if (/[A-Za-z]{2}/.test(text) && !chinese.test(text)) english.add(text.trim());
  };
  // What the pages themselves are called may be English, and what they say, if a writer said it.
  const named = (ours ? "" : "article, ")
    + "kbd, .bd-docs-nav a, nav.page-toc a, .prev-next-title, script, style, noscript";
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    if (!walker.currentNode.parentElement.closest(named)) check(walker.currentNode.data);
  const spoken = ["title", "aria-label", "placeholder", "data-tooltip", "data-bs-original-title"];
  for (const e of document.querySelectorAll("body *"))
    if (!e.closest("article") || e.matches(".headerlink, .copybtn, summary, nav *"))
      for (const a of spoken) check(e.getAttribute(a) ?? "");
  for (const e of document.querySelectorAll("img"))
    if (!chinese.test(e.alt)) english.add(e.outerHTML.slice(0, 80));
  return [...english];
}"""


TAIWAN = re.compile("列印|搜尋|預設|檔案|模組|連結|螢幕|程式碼|選單|設定")


@browser_test
def test_the_interface_is_chinese(visit, built_site):
    english = {}
    for name in [*pages(built_site), "404.html"]:
        tab = visit(name)
        assert tab.evaluate("document.documentElement.lang") == "zh-CN"
        if found := tab.evaluate(ENGLISH, name in ("404.html", "search.html")):
            english[name] = found
        assert not TAIWAN.findall(tab.content()), name
    assert not english


@browser_test
def test_the_theme_button_offers_light_dark_and_the_system_s(visit):
    tab = visit("index.html", mode="light")
    dark, light = "rgb(20, 24, 30)", "rgb(255, 255, 255)"
    for mode, ground in (("dark", dark), ("light", light), ("auto", light)):
        tab.click(".theme-switch-button")
        tab.click(f".theme-change-button[data-mode={mode}]")
        tab.wait_for_function(
            "(ground) => getComputedStyle(document.body).backgroundColor === ground", arg=ground
        )
        tab.locator(f".theme-switch[data-mode={mode}]").wait_for()


@browser_test
@pytest.mark.parametrize("width", WIDTHS)
def test_menus_open_by_keyboard_and_close_again(visit, width):
    tab = visit("index.html", width)
    field = tab.locator("#pst-search-dialog input")
    tab.keyboard.press("Control+k")
    field.wait_for()
    tab.keyboard.press("Escape")
    field.wait_for(state="hidden")
    articles = tab.locator(".bd-docs-nav").first
    shown = articles.is_visible()
    tab.locator(".primary-toggle").first.focus()
    tab.keyboard.press("Enter")
    articles.wait_for(state="hidden" if shown else "visible")


FOCUSED = """() => {
  const e = document.activeElement;
  const { outlineStyle, outlineWidth } = getComputedStyle(e);
  const ringed = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
  const seen = ringed && e.checkVisibility({ visibilityProperty: true });
  return [e.className || e.textContent.trim(), seen];
}"""


@browser_test
def test_the_keyboard_reaches_search_menu_and_theme_switch(visit):
    tab = visit("index.html")
    reached = []
    for _ in range(40):
        tab.keyboard.press("Tab")
        name, seen = tab.evaluate(FOCUSED)
        assert seen, f"{name} has the focus and does not show it"
        reached.append(name)
        if "theme-switch-button" in name:
            break
    assert reached[0] == "跳到正文"
    wanted = ["search-button-field", "primary-toggle", "theme-switch-button"]
    places = [next((i for i, n in enumerate(reached) if w in n), None) for w in wanted]
    assert None not in places, (wanted, reached)
    assert places == sorted(places)
    tab.keyboard.press("Enter")
    menu = tab.locator(".theme-change-button[data-mode=dark]")
    menu.wait_for()
    tab.keyboard.press("Escape")
    menu.wait_for(state="hidden", timeout=3000)
    assert "theme-switch-button" in tab.evaluate(FOCUSED)[0]
    tab.keyboard.press("Enter")
    menu.wait_for()
    menu.focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    tab.evaluate("localStorage.clear()")


@browser_test
def test_the_search_field_opens_asks_and_closes_by_keyboard(visit):
    tab = visit("index.html")
    tab.locator(".search-button-field").focus()
    tab.keyboard.press("Enter")
    field = tab.locator("#pst-search-dialog input[name=q]")
    field.wait_for()
    assert field.evaluate("(e) => e === document.activeElement")
    tab.keyboard.press("Escape")
    field.wait_for(state="hidden")
    assert "search-button-field" in tab.evaluate(FOCUSED)[0]
    tab.keyboard.press("Enter")
    tab.keyboard.type("梯度")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=*")
    tab.locator("#search-results li a").first.wait_for()


@browser_test
@pytest.mark.parametrize("page", ["index.html", "nlp/ngram.html", "search.html"])
def test_reduced_motion_stops_everything(visit, page):
    tab = visit(page)
    tab.emulate_media(reduced_motion="reduce")
    moving = tab.evaluate(
        """() => [...document.querySelectorAll("*")].flatMap((e) => {
          const style = getComputedStyle(e);
          const long = (times) => times.split(",").some((t) => parseFloat(t) > 0.001);
          return long(style.transitionDuration) || long(style.animationDuration)
            || style.scrollBehavior !== "auto" ? [`${e.tagName}.${e.className}`] : [];
        })"""
    )
    tab.emulate_media(reduced_motion="null")
    assert not moving


PAPER = """() => {
  const wrong = [];
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const unwanted = ".bd-sidebar-primary, .bd-sidebar-secondary, .bd-header-article, .copybtn, "
    + ".drawn-controls, .page-source, #pst-back-to-top, .prev-next-area, .headerlink";
  for (const e of document.querySelectorAll(unwanted))
    if (visible(e)) wrong.push(`on paper: ${e.className}`);
  for (const e of document.querySelectorAll("details"))
    if (!e.open) wrong.push(`shut: ${e.textContent.trim().slice(0, 20)}`);
  for (const e of document.querySelectorAll(".highlight pre, .bd-article p"))
    if (visible(e) && e.scrollWidth > e.clientWidth + 1)
      wrong.push(`cut: ${e.textContent.trim().slice(0, 20)}`);
  for (const [i, e] of [...document.querySelectorAll(".drawn-frame")].entries())
    if (e.parentElement.children.length === 1 && !visible(e)) wrong.push(`no drawing ${i}`);
  if (!visible(document.querySelector("h1"))) wrong.push("no title");
  if (document.documentElement.dataset.theme !== "light") wrong.push("dark paper");
  return wrong;
}"""


@browser_test
@pytest.mark.parametrize("page", ["index.html", "nlp/ngram.html", "generative/score-sde.html"])
def test_paper_shows_all_that_is_to_read_and_nothing_to_press(visit, page):
    tab = visit(page, mode="dark")
    tab.emulate_media(media="print")
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    wrong = tab.evaluate(PAPER)
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    tab.emulate_media(media="screen")
    assert not wrong
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"
    assert not tab.evaluate("document.querySelectorAll('details.sd-dropdown[open]').length")


@browser_test
def test_paper_is_white_and_the_screen_stays_dark(visit):
    tab = visit("index.html", mode="dark")
    theme = "document.documentElement.dataset.theme"
    tab.evaluate(f"addEventListener('beforeprint', () => (window.printed = {theme}))")
    tab.pdf()
    assert tab.evaluate("window.printed") == "light"
    assert tab.evaluate(theme) == "dark"
