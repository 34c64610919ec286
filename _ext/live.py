"""`make live`: sphinx-autobuild, but a build is forked from a server that has imported everything.

What we wrote ourselves (`_ext`, `snippets`, conf.py) is imported by each build anew, so that an
edit of it counts; the libraries, which take longer than the build of a page, are imported once.
"""

import importlib
import multiprocessing
import sys
from collections.abc import Sequence
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build
from sphinx_autobuild import __main__ as autobuild
from sphinx_autobuild.build import Builder
from sphinx_autobuild.utils import show_message

LIBRARIES = (
    "matplotlib.backends.backend_svg",
    "matplotlib.pyplot",
    "myst_parser.parsers.sphinx_",
    "myst_parser.sphinx_ext.main",
    "quickjs",
    "sphinx.builders.html",
    "sphinx.search.en",
    "sphinx_book_theme",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "torch",
)


class WarmBuilder(Builder):
    """Builds in a fork of the server."""

    def __call__(self, *, changed_paths: Sequence[Path]) -> None:
        """Build; say what made it necessary and whether it worked."""
        names = [path.relative_to(Path.cwd()).as_posix() for path in changed_paths]
        if names:
            show_message(f"Detected changes ({', '.join(names)})")
        # more than one process pays for a whole site, not for the pages of an edit
        arguments = [*self.sphinx_args, "-j", "1" if names else "auto"]
        build = multiprocessing.get_context("fork").Process(target=_build, args=(arguments,))
        build.start()
        build.join()
        show_message(f"Serving on {self.uri}")


def _build(arguments: list[str]) -> None:
    sys.exit(sphinx_build(arguments))


if __name__ == "__main__":
    from sphinx.application import builtin_extensions

    for name in (*builtin_extensions, *LIBRARIES):
        importlib.import_module(name)
    autobuild.Builder = WarmBuilder
    autobuild.main()
