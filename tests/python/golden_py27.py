"""Ask a real Python 2.7 in which order it searches classes; writes classic_mro_py27.json.

Run by hand as ``python2.7 tests/python/golden_py27.py > tests/python/classic_mro_py27.json``.
Only the standard library of Python 2.7 is used.
"""
# ruff: noqa: B905, UP031 - the syntax of Python 2.7

import code
import itertools
import json
import sys
import types

NAMES = "ABCD"
DIAMOND = [
    "class A%s:",
    "    def save(self): return 'A.save'",
    "",
    "class B(A): pass",
    "",
    "class C(A):",
    "    def save(self): return 'C.save'",
    "",
    "class D(B, C): pass",
    "",
    "D().save()",
    "hasattr(D, '__mro__')",
]


def hierarchies(n):
    """Yield the bases of n classes, each written as a string of earlier names."""
    choices = [
        ["".join(p) for k in range(i + 1) for p in itertools.permutations(NAMES[:i], k)]
        for i in range(n)
    ]
    return itertools.product(*choices)


def lookup_order(bases, metaclass, roots):
    """Find the attribute, delete it where it was found, look again, until it is gone."""
    made = {}
    for name, parents in zip(NAMES, bases):
        made[name] = metaclass(name, tuple(made[p] for p in parents) or roots, {"where": name})
    last = made[name]
    order = ""
    while hasattr(last, "where"):
        order += last.where
        delattr(made[last.where], "where")
    return order


def transcript(lines):
    """Type the lines into an interactive console and return what the screen then shows."""
    console = code.InteractiveConsole()
    screen, stdout, sys.stdout = [], sys.stdout, None
    prompt = ">>> "
    try:
        for line in lines:
            screen.append((prompt + line).rstrip())
            sys.stdout = sink = Sink()
            prompt = "... " if console.push(line) else ">>> "
            screen.extend(sink.text.splitlines())
    finally:
        sys.stdout = stdout
    return screen


class Sink:
    """A file that keeps what is written to it."""

    text = ""

    def write(self, text):
        """Keep the text."""
        self.text += text


def main():
    """Write one hierarchy a line: its bases and the order in which the last class is searched."""
    known = [["", "A", "A", "BC"], ["", "A", "", "BC"]]  # the diamond and the tree
    classic = [
        (bases, lookup_order(bases, types.ClassType, ()))
        for n in range(1, 5)
        for bases in hierarchies(n)
    ]
    sessions = {
        "classic_diamond": [line.replace("%s", "") for line in DIAMOND],
        "new_style_diamond": [line.replace("%s", "(object)") for line in DIAMOND]
        + ["super(B, D()).save()"],
    }
    parts = [("python", json.dumps("%d.%d.%d" % sys.version_info[:3]))]
    parts += [(name, json.dumps(transcript(sessions[name]), indent=0)) for name in sorted(sessions)]
    parts += [
        ("new_style_orders", json.dumps([[b, lookup_order(b, type, (object,))] for b in known])),
        ("classic_orders", "[\n%s\n]" % ",\n".join(json.dumps([list(b), o]) for b, o in classic)),
    ]
    body = ",\n".join('"%s": %s' % part for part in parts)
    sys.stdout.write("{\n%s\n}\n" % body.replace(" \n", "\n"))


if __name__ == "__main__":
    main()
