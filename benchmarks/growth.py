"""Whether a page costs the same however many there are: `python -m benchmarks.growth 190 1900`.

The site with its articles copied until there are that many; each copy has its own labels,
equations, names, module, test and permalinks.  It shows the figures of the original's module, which
are kept: drawn from the copy they would be others, and most of what is measured.  A copy ends after
its first section, or 1,900 of them would take an hour; `--whole` keeps it all.  So compare sizes
that are mostly copies.
Prints for each size CPU seconds of all processes and the memory of the largest, per page too.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks.build import copied_site

SECTIONS = 1
BUILD = ["-m", "sphinx", "--keep-going", "-j", "auto", "-q", "-b", "html"]


def copy_article(tree: Path, docname: str, number: int, whole: bool) -> list[str]:
    """Add a copy of an article; return its lines of the manifest of permalinks."""
    folder, _, slug = docname.partition("/")
    package, module = folder.replace("-", "_"), slug.replace("-", "_")
    new, renamed = f"{slug}-c{number}", f"{module}_c{number}"
    own = re.compile(rf"((?<=[(`<])|(?<=:name: )){re.escape(slug)}(?=[/)`>-]|$)", re.MULTILINE)

    page = (tree / f"{docname}.md").read_text("utf-8")
    if not whole:
        parts = re.split(r"(?=^\(.*\)=\n## )", page, flags=re.MULTILINE)[: SECTIONS + 1]
        page = "".join(parts) + "\n```{footbibliography}\n```\n"
    page = own.sub(new, page)
    theirs = rf"(?<!{{drawn}} )(snippets[./]{package}[./]{module})\b"  # not of its figures
    page = re.sub(theirs, rf"\1_c{number}", page)
    page = re.sub(r"\{run\}`[^`]*`", "1", page)  # a record belongs to its module's name
    (tree / folder / f"{new}.md").write_text(page, encoding="utf-8")

    source = tree / "snippets" / package / module
    for path in source.rglob("*.py") if source.is_dir() else [source.with_suffix(".py")]:
        name = f"{renamed}.py" if path.suffix and path.stem == module else renamed
        target = source.with_name(name)
        target = target / path.relative_to(source) if source.is_dir() else target
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(own.sub(new, path.read_text("utf-8")), encoding="utf-8")
    (tree / f"tests/{package}/test_{renamed}.py").touch()

    labels = set(re.findall(r"^\((\S+)\)=$", page, re.MULTILINE))
    return [f"{folder}/{new}", *(f"{folder}/{new}#{label.replace('/', '-')}" for label in labels)]


def grow(tree: Path, pages: int, whole: bool) -> None:
    """Copy the articles in turn until there are that many."""
    found = sorted(path for path in tree.glob("*/*.md") if path.stem != "index")
    articles = [path.relative_to(tree).with_suffix("").as_posix() for path in found]
    lines: list[str] = []
    for i in range(pages - len(articles)):
        number, which = divmod(i, len(articles))
        lines += copy_article(tree, articles[which], number, whole)
    with (tree / "permalinks.txt").open("a", encoding="utf-8") as manifest:
        manifest.writelines(f"{line}\n" for line in lines)


def cost(tree: Path) -> tuple[float, float]:
    """CPU seconds of one build and MB of its largest process."""
    command = [sys.executable, *BUILD, "-d", "_build/doctrees", ".", "_build/html"]
    process = subprocess.Popen(command, cwd=tree, stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(*arguments: str) -> None:
    whole = "--whole" in arguments
    print(f"{'':<34}{'CPU s':>8}{'ms/page':>9}{'MB':>7}{'kB/page':>9}", flush=True)
    for pages in [int(one) for one in arguments if one.isdigit()] or [19, 190]:
        with copied_site() as tree:
            grow(tree, pages, whole)
            edited = min(tree.glob("nlp/*-c*.md"), default=tree / "nlp/ngram.md")
            for name in "cold", "nothing changed", "one page edited":
                if name == "one page edited":
                    edited.write_text(edited.read_text("utf-8") + "\n多一句。\n", encoding="utf-8")
                cpu, memory = cost(tree)
                per_page = f"{cpu / pages * 1000:9.0f}{memory:7.0f}{memory / pages * 1024:9.0f}"
                print(f"{pages} articles, {name:<20}{cpu:8.1f}{per_page}", flush=True)
            size = (tree / f"_build/html/{edited.relative_to(tree)}").with_suffix(".html")
            print(f"{pages} articles, its page has {size.stat().st_size / 1024:.0f} kB", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
