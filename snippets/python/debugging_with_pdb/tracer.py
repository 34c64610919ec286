"""Debuggers that stop where pdb stops: on ``sys.settrace`` and ``sys.monitoring``."""

import linecache
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from types import CodeType, FrameType
from typing import Any, NamedTuple

COMMANDS = ("s", "n", "r", "c", "q")
_NOWHERE: FrameType | None = None


class Stop(NamedTuple):
    """Where a debugger stopped, and at what: call, line, return or exception."""

    function: str
    lineno: int
    event: str


class _Quit(Exception):
    """Ends the debugged program, as pdb's `q` does."""


@dataclass
class _Break:
    cond: CodeType | None
    temporary: bool
    ignore: int
    enabled: bool = True

    def hit(self, frame: FrameType) -> bool:
        """Whether to stop here and now; a condition that raises stops, too."""
        if not self.enabled:
            return False
        try:
            names = frame.f_globals, frame.f_locals
            holds = self.cond is None or eval(self.cond, *names)
        except Exception:
            return True
        if not holds:
            return False
        if self.ignore:
            self.ignore -= 1
            return False
        self.enabled = not self.temporary
        return True


class _Breakpoints:
    """What both debuggers share: where to stop, and where they stopped."""

    def __init__(self) -> None:
        self.stops: list[Stop] = []
        self._breaks: dict[str, dict[int, _Break]] = {}
        self._known: dict[int, tuple[CodeType, dict[int, _Break]]] = {}

    def set_break(
        self,
        file: str | os.PathLike[str],
        line: int,
        *,
        cond: str | None = None,
        temporary: bool = False,
        ignore: int = 0,
    ) -> None:
        """Stop at a line if `cond` holds, but not the first `ignore` times.

        Raises ValueError if the line is blank, `cond` is wrong, or ignore < 0.
        """
        path = os.path.abspath(file)
        text = linecache.getline(path, line).strip()
        if not text or text.startswith("#"):
            raise ValueError(f"no code at {os.fspath(file)}:{line}")
        if ignore < 0:
            raise ValueError(f"expected to ignore 0 hits or more, got {ignore}")
        try:
            test = None if cond is None else compile(cond, "<condition>", "eval")
        except SyntaxError as error:
            raise ValueError(f"not a condition: {cond!r}") from error
        self._breaks.setdefault(path, {})[line] = _Break(test, temporary, ignore)
        self._known.clear()

    def _breaks_in(self, code: CodeType) -> dict[int, _Break]:
        """Return the breakpoints of one function, by line."""
        known = self._known.get(id(code))  # to hash the code takes longer
        if known is None:
            inside = {line for _, _, line in code.co_lines() if line is not None}
            there = self._breaks.get(os.path.abspath(code.co_filename), {})
            known = code, {line: there[line] for line in inside & there.keys()}
            self._known[id(code)] = known
        return known[1]


class MiniPdb(_Breakpoints):
    """A debugger in Python: `commands` are the letters s, n, r, c, q."""

    def __init__(self, commands: Iterable[str] = repeat("c")) -> None:
        """Take the commands; by default, go on from breakpoint to breakpoint."""
        super().__init__()
        self._commands = iter(commands)

    def runcall(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Call a function, stopping; None if the commands quit or ran out.

        Raises ValueError at a letter that is no command.
        """
        self._anywhere, self._frame, self._leaving = True, _NOWHERE, _NOWHERE
        self._bottom = _NOWHERE  # who calls func
        before = sys.gettrace()
        sys.settrace(self._trace)
        try:
            return func(*args, **kw)
        except _Quit:
            return None
        finally:
            sys.settrace(before)

    def _trace(self, frame: FrameType, event: str, arg: object) -> Any:
        """Stop at this event or not, Eq. (debugging-with-pdb-stop)."""
        if event == "call":
            if self._bottom is _NOWHERE:
                self._bottom = frame.f_back
                return self._trace
            if not self._anywhere and not self._breaks_in(frame.f_code):
                return None  # the whole call runs at full speed
        wanted = self._anywhere or frame is self._frame
        if event == "return":
            wanted = wanted or frame is self._leaving
        elif event == "line" and not wanted:
            found = self._breaks_in(frame.f_code).get(frame.f_lineno)
            wanted = found is not None and found.hit(frame)
        if wanted:
            self._stop(frame, event)
            if event == "return" and frame is self._frame:
                self._anywhere = True  # it cannot stop there any more
        return self._trace

    def _stop(self, frame: FrameType, event: str) -> None:
        """Note the stop, obey a command, Eq. (debugging-with-pdb-commands)."""
        self.stops.append(Stop(frame.f_code.co_name, frame.f_lineno, event))
        command = next(self._commands, "q")
        if command not in COMMANDS:
            raise ValueError(f"expected one of {COMMANDS}, got {command!r}")
        if command == "q":
            raise _Quit
        self._anywhere = command == "s"
        self._frame = {"n": frame, "r": frame.f_back}.get(command, _NOWHERE)
        self._leaving = frame if command == "r" else _NOWHERE
        for above in self._callers(frame):
            watched = command != "c" or self._breaks_in(above.f_code)
            above.f_trace = self._trace if watched else None
        if command == "c" and not self._breaks:
            sys.settrace(None)

    def _callers(self, frame: FrameType | None) -> Iterator[FrameType]:
        """Yield the frame and those that wait for it, up to the debugger."""
        while frame is not None and frame is not self._bottom:
            yield frame
            frame = frame.f_back


class MonitoringPdb(_Breakpoints):
    """Breakpoints at no cost elsewhere, from Python 3.12 on."""

    def __init__(self) -> None:
        """Raises RuntimeError before Python 3.12."""
        super().__init__()
        self._events: Any = getattr(sys, "monitoring", None)
        if self._events is None:
            raise RuntimeError(f"needs Python 3.12, this is {sys.version[:4]}")

    def runcall(self, func: Callable[..., Any], *args: Any, **kw: Any) -> Any:
        """Call a function and note a stop whenever it reaches a breakpoint."""
        with self._watching():
            return func(*args, **kw)

    @contextmanager
    def _watching(self) -> Iterator[None]:
        """Have Python report every function entered, until we leave."""
        m = self._events
        tool, watched = m.DEBUGGER_ID, []

        def started(code: CodeType, offset: int) -> object:
            if self._breaks_in(code):
                m.set_local_events(tool, code, m.events.LINE)
                watched.append(code)
            return m.DISABLE  # once per function is enough

        m.use_tool_id(tool, "MonitoringPdb")
        m.register_callback(tool, m.events.PY_START, started)
        m.register_callback(tool, m.events.LINE, self._line)
        m.set_events(tool, m.events.PY_START)
        m.restart_events()
        try:
            yield
        finally:
            m.set_events(tool, 0)
            for code in watched:
                m.set_local_events(tool, code, 0)
            m.free_tool_id(tool)

    def _line(self, code: CodeType, lineno: int) -> object:
        """Stop at a line that has a breakpoint, and drop all others for good."""
        found = self._breaks_in(code).get(lineno)
        if found is None or not found.enabled:
            return self._events.DISABLE  # never again at this place
        frame: FrameType | None = sys._getframe(1)
        while frame and frame.f_code is not code:
            frame = frame.f_back
        if frame and found.hit(frame):
            self.stops.append(Stop(code.co_name, lineno, "line"))
        return None
