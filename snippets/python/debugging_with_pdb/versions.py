"""Where the versions of Python differ: each question is put to the running one."""

import re
from tempfile import TemporaryDirectory
from typing import Any

from .sessions import DEMO, demo_with, run_pdb

_SCRIPT = DEMO / "pdb_demo.py"
_GO = ("-c", "continue")
_BEFORE_RETURN = ("    return total", "    breakpoint()\n    return total")
_DIVIDE_BY_ZERO = ("import mean", "import shares\n\nshares([0, 0])")


def _edited(old: str, new: str, *commands: str, **how: Any) -> str:
    """A session of the demo with one piece of text replaced."""
    with TemporaryDirectory() as folder:
        return run_pdb(demo_with(folder, old, new), commands, **how)


def _first(session: str) -> str:
    """The first line, which says where in utils.py the program stopped."""
    return session.partition("\n")[0].removeprefix("> utils.py").removesuffix("()")


def _answer(session: str, command: str) -> str:
    """The first line after a command, an error by its name alone."""
    line = session.partition(f"(Pdb) {command}\n")[2].partition("\n")[0]
    error = re.match(r"\*\*\* (\w+)", line)
    return error[1] if error else line.strip()


def _found(pattern: str, session: str) -> str:
    """The last match of a pattern, line by line."""
    return re.findall(pattern, session, re.M)[-1]


def version_facts() -> dict[str, str]:
    """Return what the running Python answers to the questions of the table."""
    before = _edited(*_BEFORE_RETURN, "c", "c", door=())
    last = _edited("return a + b", "breakpoint()", "c", door=())
    named = run_pdb(_SCRIPT, ["b utils:14", "c", "b mean"])
    crash = _edited(*_DIVIDE_BY_ZERO, "p value", options=_GO)
    place = _found(r"^> utils.py(.*)\(\)$", crash.split("(Pdb) ")[0])
    up = ["b utils:14", "c", "u", "!fruit = 'kiwi'", "cl 1", "c"]
    changed = run_pdb(_SCRIPT, up)
    asked = "exceptions", "p type($_exception)"
    chain = run_pdb(_SCRIPT, asked, arguments=["fig"], options=_GO)
    ended = run_pdb(_SCRIPT, ["q"], arguments=["plum"], options=_GO)
    return {
        "breakpoint() before line 14": _first(before),
        "breakpoint() as the last statement": _first(last),
        "b mean": _found(r"Breakpoint 2 at (.*)", named),
        "frame of a comprehension": place,
        "p value": _answer(crash, "p value"),
        "!fruit = 'kiwi' one frame up": _found(r"^\w+: 6\.0", changed),
        **{command: _answer(chain, command) for command in asked},
        "q after a crash": "restart" if "restarted" in ended else "exit",
    }
