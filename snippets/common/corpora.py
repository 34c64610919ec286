"""Chinese texts in the public domain that several articles train on, read from files beside this.

宋词: whole poems of the collection 全宋词, from the npm package chinese-poetry 2.0.1 (MIT).
论语: cut at its punctuation and shuffled with a seed; provenance in `data/SOURCES.txt`.
`python -m snippets.common.corpora PACKAGE` derives the first file again from the unpacked package.
"""

import json
import lzma
import re
import sys
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parent / "data"
HELD_OUT = 20  # each 20th poem is kept for testing
CLAUSES = 75_000  # what fits into 0.6 MB


def _part(split: str) -> bool:
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    return split == "test"


def songci_poems(split: str) -> list[list[str]]:
    """Return 宋词 as poems, each a list of clauses such as `明月几时有`.

    Each 20th poem belongs to the test part, so that no poem lies on both sides.
    Raises: ValueError for another split.
    """
    test = _part(split)
    lines = lzma.decompress((DATA / "songci.txt.xz").read_bytes()).decode().splitlines()
    return [line.split() for i, line in enumerate(lines) if (i % HELD_OUT == 0) == test]


def songci(split: str) -> list[str]:
    """Return the clauses of 宋词, in the order of the poems.

    Raises: ValueError for another split.
    """
    return [clause for poem in songci_poems(split) for clause in poem]


def lunyu(split: str) -> list[str]:
    """Return the clauses of 论语: 3,529 to train on, 393 to test on.

    Raises: ValueError for another split.
    """
    _part(split)
    text = (DATA / f"lunyu.{split}.txt").read_text(encoding="utf-8")
    return ["".join(line.split()) for line in text.splitlines()]


def _poems(package: Path) -> Iterator[str]:
    """Yield each new poem without damaged characters as one line, clauses parted by spaces."""
    files = sorted(package.glob("dist/songci/ci.song.*000.json"), key=lambda f: (len(f.name), f))
    seen = set()
    for file in [package / "dist/songci/ci.song.0.json", *files]:
        for entry in json.loads(file.read_text(encoding="utf-8")):
            clauses = re.split("[，。、！？；：]+", "".join(entry["paragraphs"]))
            line = " ".join(filter(None, clauses))
            if re.fullmatch(r"[一-鿿]+( [一-鿿]+)+", line) and line not in seen:
                seen.add(line)
                yield line


def derive_songci(package: Path) -> bytes:
    """Return the bytes of `songci.txt.xz`: the first poems of the package, 75,000 clauses.

    Raises: FileNotFoundError where the folder is not the unpacked package.
    """
    lines, clauses = [], 0
    for line in _poems(package):
        lines.append(line)
        clauses += line.count(" ") + 1
        if clauses >= CLAUSES:
            break
    text = "".join(f"{line}\n" for line in lines).encode()
    return lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    (DATA / "songci.txt.xz").write_bytes(derive_songci(Path(sys.argv[1])))
