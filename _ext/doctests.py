"""Run every example of every page: the builder `doctest`, in place of Sphinx's own.

A page is one session in a process of its own: it starts from the same state whatever ran before,
and neither its crash nor its hang stops the others.  There, warnings are errors.
"""

import ast
import contextlib
import doctest
import io
import multiprocessing
import os
import random
import re
import signal
import sys
import textwrap
import time
import traceback
import types
import warnings
from collections.abc import Set
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.builders import Builder
from sphinx.ext import doctest as stock
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

from _ext import verified

logger = logging.getLogger(__name__)
checker = doctest.OutputChecker()
parser = doctest.DocTestParser()

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.DONT_ACCEPT_TRUE_FOR_1
Fault = tuple[int, str]  # a line of a page and what is wrong there


def loose(want: str, got: str, flags: int) -> str | None:
    """Name a digit of a right output that could be another one and would still count as right."""
    for digit in re.finditer("[0-9]", want):
        other = str((int(digit[0]) + 1) % 10)
        altered = want[: digit.start()] + other + want[digit.end() :]
        if checker.check_output(altered, got, flags):
            line = altered[altered.rfind("\n", 0, digit.start()) + 1 :].partition("\n")[0]
            return f"this would pass as well: {line}"
    return None


@dataclass
class Example:
    """Code with its line on the page, the mode to compile it in and what it must print or raise."""

    source: str
    line: int
    mode: str
    flags: int
    want: str = ""
    exc_msg: str | None = None
    answered: bool = True

    def run(self, page: str, namespace: dict) -> str | None:
        """Return what is wrong with the outcome, or None; tracebacks name the page's own lines."""
        out = io.StringIO()
        tree: Any
        try:
            with contextlib.redirect_stdout(out):
                tree = compile(self.source, page, self.mode, ast.PyCF_ONLY_AST, dont_inherit=True)
                ast.increment_lineno(tree, self.line - 1)
                code = compile(tree, page, self.mode, dont_inherit=True)
                exec(code, namespace)  # noqa: S102 - running pages is the job
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raised = "".join(traceback.format_exception_only(error))
            if isinstance(error, SyntaxError):  # without the excerpt and its carets
                raised = f"{type(error).__name__}: {error.msg}\n"
            if self.exc_msg and checker.check_output(self.exc_msg, raised, self.flags):
                return loose(self.exc_msg, raised, self.flags)
            frames = error.__traceback__ and error.__traceback__.tb_next  # without this method
            report = "".join(traceback.format_exception(type(error), error, frames))
            expected = f"Expected:\n{self.want}Got:\n" if self.exc_msg else ""
            return f"{expected}{report}"
        if checker.check_output(self.want, out.getvalue(), self.flags):
            return loose(self.want, out.getvalue(), self.flags)
        return checker.output_difference(self, out.getvalue(), self.flags)  # type: ignore[arg-type]


class Located:
    """Makes a directive note the line where its content starts and whether this Python skips it."""

    def run(self) -> list[nodes.Node]:
        """Refine the node that Sphinx's directive makes."""
        (node,) = super().run()  # type: ignore[misc]
        node.line = self.lineno + self.content_offset + 1  # type: ignore[attr-defined]
        spec = self.options.get("pyversion")  # type: ignore[attr-defined]
        running = ".".join(map(str, sys.version_info[:3]))
        node["pyversion"] = spec
        node["skip"] = bool(spec) and not stock.is_allowed_version(spec, running)
        return [node]


class Doctest(Located, stock.DoctestDirective):
    """Input and output as in an interactive session."""


class Testcode(Located, stock.TestcodeDirective):
    """Code that prints nothing or what the testoutput after it says."""


class Testoutput(Located, stock.TestoutputDirective):
    """What the testcode before it prints, or the traceback it ends in."""


def toggled(flags: int, options: dict[int, bool]) -> int:
    """Switch single comparison flags on and off."""
    for flag, on in options.items():
        flags = flags | flag if on else flags & ~flag
    return flags


def collect(document: nodes.document, flags: int, setup: str) -> tuple[list[Example], list[Fault]]:
    """Return a page's examples in order, and the directives that would never be run."""
    examples: list[Example] = []
    faults: list[Fault] = []
    for block in document.findall(lambda n: isinstance(n, nodes.Element) and "testnodetype" in n):
        kind, line, options = block["testnodetype"], block.line, block["options"]
        source = block.get("test", block.astext()) + "\n"
        chosen = toggled(flags, options)
        if "skipif" in block and not block["skip"]:
            known: dict[str, object] = {}
            exec(setup, known)  # noqa: S102 - from conf.py
            block["skip"] = eval(block["skipif"], known)  # noqa: S307 - running pages is the job
        if block["skip"]:
            continue
        if block["groups"] != ["default"]:
            faults.append((line, f"{kind} names a group, but a page is one session"))
        elif kind == "testcode" and source.strip():
            examples.append(Example(source, line, "exec", chosen, answered=False))
        elif kind == "testoutput":
            if not examples or examples[-1].answered:
                faults.append((line, "testoutput without a testcode of its own before it"))
                continue
            last, raises = examples[-1], parser.get_examples(f">>> _\n{source}")[0].exc_msg
            last.want, last.exc_msg, last.answered = source, raises, True
            last.flags = chosen | doctest.DONT_ACCEPT_BLANKLINE
        else:
            try:
                found = parser.get_examples(source)
            except ValueError as error:
                faults.append((line, str(error)))
                continue
            if not found:
                faults.append((line, f"{kind} without an example"))
            for one in found:
                own = toggled(chosen, one.options)
                at = line + one.lineno
                examples.append(Example(one.source, at, "single", own, one.want, one.exc_msg))
    return examples, faults


def session(page: str, examples: list[Example], setup: str, sender: Connection) -> None:
    """Run a page's examples in this process and send (line, None) before, (line, fault) after."""
    os.setsid()  # whatever the page starts can be ended with it
    main = sys.modules["__main__"] = types.ModuleType("__main__")
    exec(setup, main.__dict__)  # noqa: S102 - from conf.py
    warnings.simplefilter("error")
    for example in examples:
        sender.send((example.line, None))
        if fault := example.run(page, main.__dict__):
            code = textwrap.indent(example.source, "    ")
            sender.send((example.line, f"wrong outcome of\n{code}{fault}"))
    sender.send(None)


class Session:
    """A page's examples in a process of its own, for `limit` seconds at most."""

    def __init__(self, page: str, examples: list[Example], setup: str, limit: float):
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self.child = context.Process(target=session, args=(page, examples, setup, sender))
        self.child.start()
        sender.close()
        self.examples, self.faults = examples, list[Fault]()
        self.line, self.limit = examples[0].line, limit
        self.began = time.monotonic()

    def left(self) -> float:
        """Return the seconds that remain to it."""
        return max(0, self.began + self.limit - time.monotonic())

    def ended(self) -> bool:
        """Take the next message, if there is one; return whether it was the last to wait for."""
        if not self.receiver.poll():
            if not self.left():
                self.faults.append((self.line, f"the page did not end within {self.limit:g} s"))
            return not self.left()
        try:
            news = self.receiver.recv()
        except EOFError:
            self.child.join()
            died = f"the page's process died: exit code {self.child.exitcode}"
            self.faults.append((self.line, died))
            return True
        if news is None:
            self.child.join(min(5, self.limit))
            if self.child.is_alive():
                self.faults.append((self.line, "the page left a process or a thread running"))
            return True
        self.line, fault = news
        if fault:
            self.faults.append(news)
        return False

    def close(self) -> None:
        """End the process with all that it started."""
        assert self.child.pid
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.kill()
        self.child.join()
        self.receiver.close()


class Examples(Builder):
    """Runs the pages, as many at a time as `-j` says; one that fails in any way fails the build."""

    name = "doctest"
    epilog = "Every example of every page gives what the page says."
    total = faulty = 0
    at_a_time = 1

    @property
    def failed(self) -> bool:
        """Whether an example failed or none was found."""
        return bool(self.faulty or not self.total)

    def get_outdated_docs(self) -> set[str]:
        """Run every page, every time."""
        return self.env.found_docs

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Return no address: nothing is written."""
        return ""

    def write_documents(self, docnames: Set[str]) -> None:
        """Run the pages and report, page by page and in sum."""
        setup = self.config.doctest_global_setup
        exec(setup, {})  # noqa: S102 - from conf.py; imports once what every session imports
        waiting, running = self.in_random_order(docnames), dict[str, Session]()
        self.ended, self.blamed = set[str](), set[str]()
        root = Path(self.srcdir)
        before = verified.digests(docnames, root)
        start = time.monotonic()
        try:
            while waiting or running:
                if waiting and len(running) < self.at_a_time:
                    running |= self.open_page(waiting.pop())
                    continue
                soonest = min(one.left() for one in running.values())
                wait([one.receiver for one in running.values()], soonest)
                for docname in [name for name, one in running.items() if one.ended()]:
                    self.report(docname, running[docname])
                    running.pop(docname).close()
        finally:
            for one in running.values():
                one.close()
        if not self.total:
            logger.error("no page has an example: nothing was tested")
        now = verified.unchanged(before, root)
        passed = {name: now[name] for name in now.keys() & self.ended - self.blamed}
        verified.note(Path(self.outdir, "verified.json"), docnames, passed)
        verified.publish(Path(self.outdir).with_name("html"))
        took = time.monotonic() - start
        logger.info("== %d examples, %d failures in %.1f s ==", self.total, self.faulty, took)

    def in_random_order(self, docnames: Set[str]) -> list[str]:
        """Shuffle the pages, for none may need another; say how to have the same order again."""
        seed = self.config.doctest_seed or random.randrange(1, 10**6)
        logger.info("order of the pages: -D doctest_seed=%d", seed)
        return random.Random(seed).sample(sorted(docnames), len(docnames))

    def open_page(self, docname: str) -> dict[str, Session]:
        """Start a page's session, if it has examples; report what would never be run."""
        document = self.env.get_doctree(docname)
        flags, setup = self.config.doctest_default_flags, self.config.doctest_global_setup
        examples, faults = collect(document, flags, setup)
        self.blame(docname, faults)
        if not examples:
            return {}
        page = os.path.relpath(self.env.doc2path(docname))
        return {docname: Session(page, examples, setup, self.config.doctest_timeout)}

    def blame(self, docname: str, faults: list[Fault]) -> None:
        """Log what is wrong with a page, line by line."""
        self.faulty += len(faults)
        self.blamed |= {docname} if faults else set()
        for line, message in sorted(faults):
            logger.error("%s", message.rstrip(), location=(docname, line))

    def report(self, docname: str, ended: Session) -> None:
        """Log how a page's session went."""
        self.blame(docname, ended.faults)
        self.ended.add(docname)
        self.total += len(ended.examples)
        counts = f"{len(ended.examples)} examples, {len(ended.faults)} failures"
        took = time.monotonic() - ended.began
        logger.info("%s: %s in %.1f s", docname, counts, took)


def take_jobs(app: Sphinx) -> None:
    """Tell the builder what `-j` says."""
    if isinstance(app.builder, Examples):
        app.builder.at_a_time = app.parallel


def set_exit_code(app: Sphinx, exception: Exception | None) -> None:
    """Let the command fail whether or not warnings are errors."""
    if getattr(app.builder, "failed", False):
        app.statuscode = 1


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the builder and its three directives."""
    app.add_directive("doctest", Doctest)
    app.add_directive("testcode", Testcode)
    app.add_directive("testoutput", Testoutput)
    app.add_builder(Examples)
    app.connect("builder-inited", take_jobs)
    app.add_config_value("doctest_global_setup", "", "", (str,))
    app.add_config_value("doctest_default_flags", FLAGS, "", (int,))
    app.add_config_value("doctest_seed", 0, "", (int,))
    app.add_config_value("doctest_timeout", 300, "", (int, float))
    app.connect("build-finished", set_exit_code)
    return {
        "version": "1",
        "env_version": 1,
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
