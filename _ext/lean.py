"""Takes out of the theme's files what no page of ours uses and every reader would fetch.

That is Font Awesome, whose place icons.css takes (of its rules only the sizes stay), the source
maps, and what the theme tells the browser's console.
"""

import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

ICON = r'[^{}]*\{--fa:"[^"]*"\}'
FONT = r"@font-face\{[^}]*Font Awesome[^}]*\}"
SAID = r'console\.(?:log|info|debug)\((?:"[^"]*"|`[^`]*`)\)'
USELESS = {
    "styles/pydata-sphinx-theme.css": (re.compile(f"{ICON}|{FONT}"), ""),
    "scripts/pydata-sphinx-theme.js": (re.compile(SAID), "void 0"),
}


def _trim(app: Sphinx, exception: Exception | None) -> None:
    """Rewrite the files that are useful in part, remove those that are not at all."""
    static = Path(app.outdir, "_static")
    if exception is not None or not static.is_dir():
        return
    for name, (useless, instead) in USELESS.items():
        file = static / name
        if file.is_file():
            text = file.read_text(encoding="utf-8")
            file.write_text(useless.sub(instead, text), encoding="utf-8")
    for file in static.rglob("*.map"):
        file.unlink()
    shutil.rmtree(static / "vendor/fontawesome", ignore_errors=True)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Trim at the end of every build, which has copied the theme's files anew."""
    app.connect("build-finished", _trim)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
