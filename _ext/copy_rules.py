"""`make lint`: rules of Chinese copy over the Markdown files named as arguments.

AutoCorrect sees to spaces and to the width of punctuation.  The rest is seen to here: a line holds
one sentence, names are spelled as in the glossary, and a term that a page introduces as
“中文（English）” is in it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import autocorrect_py

ROOT = Path(__file__).parents[1]
# Names that stand in no entry of the glossary.
NAMES = ["GitHub", "Linux", "NumPy", "ONNX", "OpenCV", "PyPI", "PyTorch", "Python", "SciPy"]
NAMES += ["TensorFlow", "Unicode"]
# Directives whose body is prose; that of the others is code, or data.
PROSE = {"admonition", "card", "dropdown", "drawn", "epigraph", "figure", "note", "tip", "warning"}
INLINE = re.compile(r"(\{[\w:-]+\})?(`+)(?!`).+?(?<!`)\2(?!`)|\$[^$]+\$|\]\([^)]*\)|https?:[!-~]+")
SENTENCE_END = re.compile(r"[。！？](?=.)(?![」』”’）》\]*_]*\s*$)(?!\*\*)")


def lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of prose with their numbers; each piece of code or formula is one digit."""
    fences: list[str] = []
    closing = "---" if text.startswith("---\n") else ""
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        fence = re.match(r"(`{3,}|:{3,})(?:\{([\w-]+)\})?(.*)", stripped)
        if closing:
            if number > 1 and stripped.startswith(closing):
                closing = ""
        elif fences and stripped == fences[-1]:
            fences.pop()
        elif fence and fence[2] in PROSE:
            fences.append(fence[1])
        elif fence:
            closing = fence[1]
        elif stripped.startswith("$$") and stripped.count("$$") == 1:
            closing = "$$"
        elif not re.match(r":[\w-]+:|[|%#]|\([\w/-]+\)=$", stripped):
            yield number, INLINE.sub("0", line)


def two_sentences(line: str) -> Iterator[str]:
    """Find sentences that begin on another's line, after a heading in bold at the earliest."""
    inner = re.sub("（[^（）]*）|“[^“”]*”", lambda quoted: "0" * len(quoted[0]), line)
    for end in SENTENCE_END.finditer(inner):
        yield f"a sentence begins on another's line: {line[end.end() : end.end() + 12].strip()}"


def misspelled(line: str, names: set[str]) -> Iterator[str]:
    """Find English names whose capitals are not those of the glossary."""
    spelled = {word for name in names for word in re.findall(r"[A-Za-z][A-Za-z0-9]+", name)}
    proper = {word.lower(): word for word in spelled if word.lower() != word}
    for word in re.findall(r"(?<![\w./-])[A-Za-z][A-Za-z0-9]+(?![\w/-]|\.\w)", line):
        right = proper.get(word.lower(), word)
        if word not in spelled and word != right:
            yield f"{word} is spelled {right}"


def undefined(line: str, names: set[str]) -> Iterator[str]:
    """Find terms introduced with their English name that no entry of the glossary explains."""
    known = {name.lower() for name in names}
    for term in re.findall(r"[\u4e00-\u9fff]（([A-Za-z][A-Za-z ’'–-]+)）", line):
        if term.lower() not in known:
            yield f"{term} is not in glossary.md"


def glossary(text: str) -> set[str]:
    """Return the Chinese and English names of all terms."""
    entries = text.partition("```{glossary}\n")[2].partition("\n```")[0]
    return {line for line in entries.splitlines() if line and not line.startswith(" ")}


def faults(path: Path, names: set[str]) -> list[str]:
    """Return `file:line`, and what is wrong there, for each fault of a file."""
    text = path.read_text(encoding="utf-8")
    result = autocorrect_py.lint_for(text, path.name)
    found = [(r.line, f"{r.col}: {r.old!r} should be {r.new!r}") for r in result.lines]
    for number, line in lines(text):
        if re.search(r"[\u4e00-\u9fff]", line):
            for rule in two_sentences(line), misspelled(line, names), undefined(line, names):
                found += ((number, f" {fault}") for fault in rule)
    return [f"{path}:{number}:{what}" for number, what in sorted(found)]


if __name__ == "__main__":
    names = glossary((ROOT / "glossary.md").read_text(encoding="utf-8")) | set(NAMES)
    found = [fault for name in sys.argv[1:] for fault in faults(Path(name), names)]
    print(*found, sep="\n", end="\n" if found else "")
    sys.exit(bool(found))
