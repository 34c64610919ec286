"""`make live`: sphinx-autobuild, but a build is forked from a server that has imported everything.

What we wrote ourselves (`_ext`, `snippets`, conf.py) is imported by each build anew, so that an
edit of it counts; the libraries, which take longer than the build of a page, are imported once.

A save is one build.  Where figures have to be drawn again, it shows the old ones; the new ones are
drawn meanwhile, and a second build puts them, all together, in their places.
"""

import gc
import importlib
import multiprocessing
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from sphinx.cmd.build import main as sphinx_build
from sphinx_autobuild import __main__ as autobuild
from sphinx_autobuild.build import Builder
from sphinx_autobuild.utils import show_message

OURS = {"__main__", "_ext", "snippets"}
NEWS = Path("_build/live/figures.drawn")  # the only file beneath _build that starts a build


class WarmBuilder(Builder):
    """Builds in a fork of the server, which then imports the libraries that its first build has."""

    def __call__(self, *, changed_paths: Sequence[Path]) -> None:
        """Build, and say what made it necessary."""
        os.environ["PREVIEW"] = "text" if set(changed_paths) - {NEWS.resolve()} else "all"
        if changed_paths:
            names = sorted(os.path.relpath(path) for path in changed_paths)
            show_message(f"Detected changes ({', '.join(names)})")
        # more than one process pays for a whole site, not for the pages of an edit
        arguments = [*self.sphinx_args, "-j", "1" if changed_paths else "auto"]
        fork = multiprocessing.get_context("fork")
        receiver, sender = fork.Pipe(duplex=False)
        build = fork.Process(target=_build, args=(arguments, sender))
        build.start()
        sender.close()
        with suppress(EOFError):  # it died, and has said why
            libraries = receiver.recv()
            if not changed_paths:
                _import(["torch", *libraries])  # the figures need torch, if one is drawn again
        build.join()
        show_message(f"Serving on {self.uri}")


def _build(arguments: list[str], sender: Connection) -> None:
    """Run Sphinx, send the names of the libraries it has imported, leave the figures to another."""
    if os.environ["PREVIEW"] == "text":
        gc.disable()  # it looks through all libraries, and the memory is given back in a moment
    sphinx_build(arguments)
    sender.send([name for name in sys.modules if name.partition(".")[0] not in OURS])
    postponed = importlib.import_module("_ext.uses").postponed
    if postponed and os.fork() == 0:  # not a Process, for which its parent would wait
        try:
            _draw(postponed)
        finally:
            os._exit(0)


def _draw(postponed: list[tuple]) -> None:
    """Draw the figures that are out of date, and have them shown unless there are newer ones."""
    drawn = importlib.import_module("_ext.drawn")
    turn = NEWS.with_suffix(".drawing")
    turn.write_text(str(os.getpid()))
    for question, arguments in postponed:
        if question is drawn.ingredients and turn.read_text() == str(os.getpid()):
            with suppress(Exception):  # the second build will fail in the same way, and say so
                drawn.frames_of(arguments[0], question(*arguments)[0], arguments[1])
    if turn.read_text() == str(os.getpid()):
        turn.replace(NEWS)


def _import(names: list[str]) -> None:
    for name in names:
        with suppress(ImportError):
            importlib.import_module(name)


if __name__ == "__main__":
    autobuild.Builder = WarmBuilder
    autobuild.main()
