"""Debugger sessions as text: what a reader would see who typed the commands."""

import importlib
import io
import os
import re
import subprocess
import sys
from bdb import BdbQuit, Breakpoint
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, redirect_stderr, redirect_stdout, suppress
from itertools import chain
from pathlib import Path
from pdb import Pdb
from types import ModuleType
from typing import Any
from unittest.mock import patch

DEMO = Path(__file__).parent / "demo"

_PROMPT = re.compile(r"(\((?:Pdb|com)\) |Clear all breaks\? )")
_FOLDER = re.compile(  # before name(line), name:line and, in tracebacks, name", line
    r'(?m)(^[> ] |\bat |^ *File ")(?:\S.*)?[/\\]'
    r'(?=[^/\\\n]+(?:\(\d+\)|:\d+$|", line))'
)


def import_demo(name: str) -> ModuleType:
    """Import `pdb_demo` or `utils` as a script beside them does: by bare name.

    Raises ModuleNotFoundError if the folder has no such file.
    """
    if not (DEMO / f"{name}.py").is_file():
        raise ModuleNotFoundError(f"no {name}.py in the demo", name=name)
    with _beside_demo():
        return importlib.import_module(name)


def _beside_demo() -> Any:
    """For a while, let the demo's files be found as by a script among them."""
    return patch.object(sys, "path", [str(DEMO), *sys.path])


def _checked(commands: Iterable[str]) -> list[str]:
    """Return the commands as a list, if each is one line of text."""
    if isinstance(commands, str):
        raise TypeError(f"expected a list of commands, got text {commands!r}")
    found = list(commands)
    for command in found:
        if not isinstance(command, str) or "\n" in command:
            raise ValueError(f"expected one line per command, got {command!r}")
    return found


def _without_folders(text: str) -> str:
    """Strip the folders off the file names in a debugger's output."""
    return _FOLDER.sub(r"\1", text)


class _Keyboard:
    """A stdin that types commands: each appears in the output as well."""

    def __init__(self, commands: Iterable[str], screen: io.StringIO) -> None:
        self.left = _checked(commands)
        self.screen = screen

    def readline(self, size: int = -1) -> str:
        """Return the next command, or the empty text that means end of input."""
        if not self.left:
            return ""
        line = self.left.pop(0) + "\n"
        self.screen.write(line)
        return line


def _session(commands: Iterable[str], drive: Callable[[Pdb], object]) -> str:
    """Let `drive` run a debugger that reads the commands; return the output."""
    screen = io.StringIO()
    keyboard: Any = _Keyboard(commands, screen)
    before, stdin = sys.gettrace(), sys.stdin
    Breakpoint.clearBreakpoints()  # their numbers are counted per process
    debugger = Pdb(stdin=keyboard, stdout=screen, nosigint=True, readrc=False)
    with ExitStack() as stack:
        stack.callback(Breakpoint.clearBreakpoints)
        stack.callback(sys.settrace, before)
        stack.callback(setattr, sys, "stdin", stdin)
        stack.enter_context(_beside_demo())
        stack.enter_context(redirect_stdout(screen))
        stack.enter_context(redirect_stderr(screen))
        stack.enter_context(suppress(BdbQuit))  # a `q` after the last return
        sys.stdin = keyboard
        drive(debugger)
    if keyboard.left:
        raise ValueError(f"the debugger never asked for {keyboard.left}")
    return _without_folders(screen.getvalue())


def transcript(
    func: Callable[..., object],
    *args: Any,
    commands: Iterable[str],
    **kw: Any,
) -> str:
    """Return the session of `Pdb.runcall(func, ...)`; out of commands, it quits.

    Raises ValueError if the function ends before all commands were read.
    """
    return _session(commands, lambda pdb: pdb.runcall(func, *args, **kw))


def post_mortem_transcript(
    func: Callable[..., object], *args: Any, commands: Iterable[str], **kw: Any
) -> str:
    """Return the session that examines the exception in which a call ends.

    Raises ValueError if it ends without one, or before all commands were read.
    """
    try:
        func(*args, **kw)
    except Exception as error:
        failed = error
        frames = error.__traceback__
        failed.__traceback__ = frames and frames.tb_next  # without this one
    else:
        raise ValueError(f"{func.__name__} raised nothing: no frames to examine")
    chained = sys.version_info >= (
        3,
        13,
    )  # `exceptions` needs the exception itself
    found: Any = failed if chained else failed.__traceback__

    def drive(debugger: Pdb) -> None:
        debugger.reset()
        debugger.interaction(None, found)

    return _session(commands, drive)


def _environment(home: Path) -> dict[str, str]:
    """The environment without the reader's own settings of Python and pdb."""
    ours = {"PYTHONBREAKPOINT", "PYTHONPATH"}
    clean = {name: text for name, text in os.environ.items() if name not in ours}
    return clean | {"HOME": str(home), "TERM": "dumb", "PYTHON_COLORS": "0"}


def run_pdb(
    script: str | Path,
    commands: Iterable[str],
    *,
    arguments: Sequence[str] = (),
    options: Sequence[str] = (),
    door: Sequence[str] = ("-m", "pdb"),
    environ: Mapping[str, str] | None = None,
    timeout: int | float = 60,
) -> str:
    """Return the session of `python -m pdb options script arguments`, a process.

    Raises ValueError if not all commands were read; subprocess.TimeoutExpired.
    """
    path, typed = Path(script).resolve(), _checked(commands)
    if not path.is_file():
        raise FileNotFoundError(f"no script {str(script)!r}")
    done = subprocess.run(
        [
            sys.executable,
            "-B",
            "-X",
            "utf8",
            *door,
            *options,
            path.name,
            *arguments,
        ],
        input="".join(f"{command}\n" for command in typed),
        env=_environment(path.parent) | dict(environ or {}),
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=timeout,
    )
    session = _echoed(done.stdout, typed).replace(f"{path.parent}{os.sep}", "")
    return _without_folders(session)


def _echoed(output: str, typed: list[str]) -> str:
    """Put each command behind the prompt it answers: a pipe does not echo."""
    first, *turns = _PROMPT.split(output)
    prompts, answers = turns[::2], turns[1::2]
    if len(typed) > len(prompts):
        raise ValueError(f"the debugger never asked for {typed[len(prompts) :]}")
    lines = [f"{command}\n" for command in typed]
    lines += [""] * (len(prompts) - len(typed))
    turns = list(chain(*zip(prompts, lines, answers, strict=True)))
    return "".join([first, *turns])


def demo_with(folder: str | Path, old: str, new: str) -> Path:
    """Copy the demo into a folder, one text replaced; return the script there.

    Raises ValueError unless the text occurs exactly once in the two files.
    """
    texts = {path.name: path.read_text("utf-8") for path in DEMO.glob("*.py")}
    if (count := sum(text.count(old) for text in texts.values())) != 1:
        raise ValueError(f"expected {old!r} once in the demo, found {count}")
    for name, text in texts.items():
        Path(folder, name).write_text(text.replace(old, new), "utf-8")
    return Path(folder, "pdb_demo.py")
