"""Our own code may use nothing deprecated while the site is built, either."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = """
import runpy, types, warnings
import sphinx.cmd.build
from sphinx.deprecation import RemovedInNextVersionWarning
runpy.run_path("conf.py")
warn = compile("warn('old', category)", "a file", "exec")
for module in "_ext.katex", "snippets.nlp.ngram", "matplotlib.figure", "snippets_of_others":
    names = vars(types.ModuleType(module)) | {"warn": warnings.warn}
    for category in (
        DeprecationWarning, PendingDeprecationWarning, FutureWarning, RemovedInNextVersionWarning
    ):
        try:
            exec(warn, names | {"category": category})
        except category:
            print(module)
"""


def test_a_build_fails_where_our_code_uses_what_is_deprecated():
    """Whether Python, a library or Sphinx says so; what libraries do is theirs to mend."""
    done = subprocess.run([sys.executable, "-c", BUILD], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["_ext.katex"] * 4 + ["snippets.nlp.ngram"] * 4, done.stderr
