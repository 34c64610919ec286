"""`make lint`: AutoCorrect's rules of Chinese copy over the Markdown files named as arguments."""

import sys
from pathlib import Path

import autocorrect_py


def faults(path: Path) -> list[str]:
    """Return `file:line:column`, what stands there and what should, for each fault of a file."""
    result = autocorrect_py.lint_for(path.read_text(encoding="utf-8"), path.name)
    return [f"{path}:{r.line}:{r.col}: {r.old!r} should be {r.new!r}" for r in result.lines]


if __name__ == "__main__":
    found = [fault for name in sys.argv[1:] for fault in faults(Path(name))]
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
