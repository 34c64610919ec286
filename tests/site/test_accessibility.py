"""Pages for everybody: axe-core finds nothing, in light and dark, of any impact."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT

from benchmarks.reading import pages, serve

browser_test = pytest.mark.browser

# axe takes minutes for a thousand tokens of code.  They and the formulas are text without any
# meaning of its own, so one of each look is enough: of those whose element and everything around
# it have the same names and classes, which is all that a style sheet of ours can tell apart.
ONE_OF_EACH_LOOK = """() => {
  document.querySelectorAll("details").forEach((box) => (box.open = true));
  const seen = new Set();
  const again = [...document.querySelectorAll("pre span, .katex")].filter((e) => {
    const look = [];
    for (let a = e; a !== document.body; a = a.parentElement) look.push(a.localName, a.className);
    const size = seen.size;
    return seen.add(look.join(" ")).size === size;
  });
  for (const e of again) e.replaceWith(e.textContent);
}"""

AXE = """async (mode) => {
  document.documentElement.dataset.theme = mode;
  const { violations } = await axe.run({ resultTypes: ["violations"] });
  return violations.flatMap(({ id, impact, nodes }) =>
    nodes.map((node) => `${mode}: ${impact}: ${id}: ${node.html.slice(0, 120)}`));
}"""


@pytest.fixture(scope="module")
def audit(browser, built_site):
    """`audit(page)` tells what axe finds on a page in light and in dark."""
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    with serve(built_site) as address:

        def found(name):
            tab.goto(f"{address}/{name}")
            tab.evaluate(ONE_OF_EACH_LOOK)
            tab.evaluate(AXE_SCRIPT)
            return [fault for mode in ("light", "dark") for fault in tab.evaluate(AXE, mode)]

        yield found
        tab.close()


@browser_test
def test_axe_finds_nothing_on_any_page(audit, built_site):
    faults = {name: found for name in pages(built_site) if (found := audit(name))}
    assert not faults


@browser_test
def test_axe_finds_what_is_wrong(audit, tmp_path, built_site):
    """It does look: at colours, names and roles, at the first token of a look as at the last."""
