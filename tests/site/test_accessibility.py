"""Pages for everybody: axe-core finds nothing, in light and dark, of any impact."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from benchmarks.reading import pages, serve

pytestmark = pytest.mark.browser
MODES = ("light", "dark")

# axe takes minutes for the tokens and formulas of one article, and most of them to judge colours.
# So it gets one of each look: of those elements which no style sheet can tell apart, because they
# and all that is around them have the same names and classes.  Tokens and formulas mean nothing to
# the other rules: a page keeps one of each look.  Every other element stands before every rule but
# the one for contrast, which sees each look once on the whole site.
LOOK = """
const looks = new Map([[null, ""]]);
const look = (e) => {
  const style = e?.getAttribute("style")?.replace(/--(lines|height):[^;]*/, "") ?? ""; // no looks
  const own = e && `${e.localName}.${e.className}${style}`;
  if (!looks.has(e)) looks.set(e, `${look(e.parentElement)} ${own}`);
  return looks.get(e);
};
"""

PRUNE = (
    "() => {"
    + LOOK
    + """
  document.querySelectorAll("details").forEach((box) => (box.open = true));
  const all = document.head.appendChild(document.createElement("style"));
  all.textContent = "* { content-visibility: visible !important; }";
  const seen = new Set();
  const again = [...document.querySelectorAll("pre span, .katex")].filter((e) => {
    const size = seen.size;
    return seen.add(look(e)).size === size || e.closest("th"); // axe reads no MathML there
  });
  for (const e of again) e.replaceWith(e.textContent);
}"""
)

AXE = (
    """async (mode) => {
  document.documentElement.dataset.theme = mode;
"""
    + LOOK
    + """
  const judged = new Set(JSON.parse(sessionStorage[mode] ?? "[]"));
  const fresh = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (e.closest("script, style, noscript, .katex-mathml")) continue;
    if (!walker.currentNode.data.trim() || judged.has(look(e))) continue;
    judged.add(look(e));
    fresh.push(e);
  }
  sessionStorage[mode] = JSON.stringify([...judged]);
  const resultTypes = ["violations"];
  const every = await axe.run({ resultTypes, rules: { "color-contrast": { enabled: false } } });
  const colours = fresh.length
    ? await axe.run({ include: fresh }, { resultTypes, runOnly: ["color-contrast"] })
    : { violations: [] };
  return [...every.violations, ...colours.violations].flatMap(({ id, impact, nodes }) =>
    nodes.map((node) => `${mode}: ${impact}: ${id}: ${node.html.slice(0, 120)}`));
}"""
)


@pytest.fixture
def audit(browser):
    """`audit(address)` tells what axe finds on a page in light and in dark."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    tab = context.new_page()

    def found(address):
        tab.goto(address)
        tab.evaluate(PRUNE)
        tab.evaluate(AXE_SCRIPT)
        return [fault for mode in MODES for fault in tab.evaluate(AXE, mode)]

    yield found
    context.close()


def test_axe_finds_nothing_on_any_page(audit, built_site):
    with serve(built_site) as address:
        faults = {
            name: found for name in pages(built_site) if (found := audit(f"{address}/{name}"))
        }
    assert not faults
