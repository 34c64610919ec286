"""Takes out of the theme's files what no page of ours uses and every reader would fetch.

Of the style sheets that is each rule for a class which stands in no page and no script: most of
Bootstrap, of Font Awesome, whose place icons.css takes, and of sphinx-design.  Of the scripts it is
what the theme tells the browser's console, and that it measures every box of code, which would lay
out the whole page at once (site.js watches those that come into sight), and that it looks through
all elements for notes in the margin, which no page has.  Source maps go altogether.

No script stops the reading of a page: all wait for its end and keep their order, but for the
options, into which the theme's template writes at once, and those of the search page.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.builders.html._assets import _JavaScript
from sphinx.util.typing import ExtensionMetadata

STYLES = ("styles/pydata-sphinx-theme.css", "sphinx-design.min.css")
SCRIPTS = ("scripts/pydata-sphinx-theme.js", "scripts/sphinx-book-theme.js")
FONT = re.compile(r"@font-face\{[^}]*Font Awesome[^}]*\}")
RULE = re.compile(r"(?<=[{}])([^{}@]+)\{[^{}]*\}")
CLASS = re.compile(r"\.([A-Za-z_][\w-]*)")
EITHER = re.compile(r":(?:not|is|where)\([^)]*\)?")  # says nothing of what must be there
SAID = r'console\.(?:log|info|debug)\((?:"[^"]*"|`[^`]*`)\)'
MEASURED = r'"complete"===document\.readyState\?(\w+)\(\):window\.addEventListener\("load",\1\)'
SOUGHT = (
    r'document\.querySelectorAll\(\w+\.join\(", "\)\)\.forEach\(\(\w+=>\{\w+\.observe\(\w+\)\}\)\)'
)
IDLE = re.compile(f"{SAID}|{MEASURED}|{SOUGHT}")


def used_names(folder: Path) -> set[str]:
    """Return every class of the pages, and every word of the scripts, which may set one."""
    names: set[str] = set()
    for page in folder.rglob("*.html"):
        for classes in set(re.findall(rb'class="([^"]*)"', page.read_bytes())):
            names.update(classes.decode().split())
    for script in (folder / "_static").rglob("*.js"):
        names.update(re.findall(r"[\w-]+", script.read_text(encoding="utf-8")))
    return names


def trimmed(style: str, names: set[str]) -> str:
    """Return a style sheet without the rules whose every selector wants a class nobody has."""

    def rule(match: re.Match[str]) -> str:
        selectors = (CLASS.findall(EITHER.sub("", one)) for one in match[1].split(","))
        dead = all(not names.issuperset(classes) for classes in selectors)
        return "" if dead else match[0]

    return RULE.sub(rule, FONT.sub("", style))


def _trim(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the files that are useful in part, remove those that are not at all."""
    static = Path(app.outdir, "_static")
    if exception is not None or not (static / SCRIPTS[0]).is_file():
        return
    names = used_names(Path(app.outdir))
    for file in (static / name for name in STYLES):
        file.write_text(trimmed(file.read_text(encoding="utf-8"), names), encoding="utf-8")
    for file in (*(static / name for name in SCRIPTS), Path(app.outdir, "search.html")):
        file.write_text(IDLE.sub("void 0", file.read_text(encoding="utf-8")), encoding="utf-8")
    for file in static.rglob("*.map"):
        file.unlink()
    shutil.rmtree(static / "vendor/fontawesome", ignore_errors=True)


def _deferred(script: _JavaScript) -> _JavaScript:
    """Return a script that waits for the page's end, unless others of the page need it at once."""
    if "documentation_options.js" in str(script.filename):
        return script
    attributes = {"defer": "", **script.attributes}
    return _JavaScript(script.filename, priority=script.priority, **attributes)


def _defer(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Let the scripts of a page wait, those of the search page excepted."""
    if page != "search":
        context["script_files"] = [_deferred(script) for script in context["script_files"]]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Trim at the end of every build, which has copied the theme's files anew."""
    app.connect("html-page-context", _defer, priority=900)
    app.connect("build-finished", _trim)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
