"""Knows the articles: their front matter, their length, and which builds on which.

An article is a page whose front matter has a `date`.
"""

import datetime
import json
import re
import unicodedata
from dataclasses import dataclass

from docutils import nodes
from sphinx.environment import BuildEnvironment

HANZI_PER_MINUTE = 400
WORDS_PER_MINUTE = 200
CODE_LINES_PER_MINUTE = 30


NO_NOTEBOOK = {"python/debugging-with-pdb"}  # in a kernel a debugger sees the kernel's frames too


@dataclass(frozen=True)
class Article:
    """What the rest of the site knows of an article: its front matter and its length."""

    docname: str
    title: str
    description: str
    date: datetime.date
    updated: datetime.date
    tags: list[str]
    prerequisites: list[str]
    minutes: int

    @property
    def category(self) -> str:
        """The folder, which is also the category."""
        return self.docname.partition("/")[0]

    @property
    def module(self) -> str:
        """The dotted name of the article's module."""
        return "snippets." + self.docname.replace("-", "_").replace("/", ".")

    @property
    def tests(self) -> str:
        """The path of the article's tests."""
        return tests_of(self.docname)


def tests_of(docname: str) -> str:
    """Return the path of an article's tests."""
    folder, _, name = docname.replace("-", "_").partition("/")
    return f"tests/{folder}/test_{name}.py"


def _strings(text: str) -> list[str]:
    """Read a list of strings, which front matter hands on as JSON."""
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"not a list of strings: {text}")
    return value


def articles(env: BuildEnvironment) -> list[Article]:
    """Return all articles, newest first; the page contract reports broken front matter."""
    found = []
    for docname in env.found_docs:
        meta = env.metadata[docname]
        try:
            article = Article(
                docname=docname,
                title=env.titles[docname].astext(),
                description=meta["description"],
                date=datetime.date.fromisoformat(meta["date"]),
                updated=datetime.date.fromisoformat(meta["updated"]),
                tags=_strings(meta["tags"]),
                prerequisites=_strings(meta["prerequisites"]),
                minutes=meta["minutes"],
            )
        except (KeyError, ValueError):
            continue
        found.append(article)
    return sorted(found, key=lambda a: (-a.date.toordinal(), a.docname))


def needed_articles(every: list[Article]) -> dict[str, list[str]]:
    """Return the prerequisites of each article that are articles themselves."""
    names = {a.docname for a in every}
    return {a.docname: [p for p in a.prerequisites if p in names] for a in every}


def learning_path(env: BuildEnvironment) -> list[Article]:
    """Return all articles, each after its prerequisites, else in the order of the categories."""
    chapters = env.toctree_includes.get(env.config.root_doc, [])
    places = {index.removesuffix("/index"): place for place, index in enumerate(chapters)}
    known = {a.docname: a for a in articles(env)}
    needs = needed_articles(list(known.values()))
    path: list[Article] = []
    seen: set[str] = set()

    def visit(name: str) -> None:
        if name not in seen:
            seen.add(name)
            for need in needs[name]:
                visit(need)
            path.append(known[name])

    for name in sorted(known, key=lambda n: (places.get(known[n].category, len(places)), n)):
        visit(name)
    return path


def tag_page(tag: str) -> str:
    """Name the page of a tag: lower case, letters of any script kept, all else a hyphen."""
    slug = re.sub(r"[^\w+.]+", "-", unicodedata.normalize("NFC", tag).casefold()).strip("-.")
    return f"tags/{slug or '-'}"


def reading_minutes(doctree: nodes.document) -> int:
    """Estimate the minutes a page takes, at least one.

    A minute is 400 汉字, 200 Latin words or inline formulas, or 30 lines of code or of displayed
    formulas, empty lines not counted.
    """
    lines = [
        line
        for kind in (nodes.literal_block, nodes.doctest_block, nodes.math_block)
        for block in doctree.findall(kind)
        for line in block.astext().splitlines()
        if line.strip()
    ]
    prose = [
        "x" if isinstance(text.parent, nodes.math) else text.astext()
        for text in doctree.findall(nodes.Text)
        if not isinstance(text.parent, nodes.FixedTextElement)
    ]
    hanzi = len(re.findall(r"[\u3400-\u9fff]", " ".join(prose)))
    words = len(re.findall(r"\w+", " ".join(prose), re.ASCII))
    minutes = hanzi / HANZI_PER_MINUTE + words / WORDS_PER_MINUTE
    return max(1, round(minutes + len(lines) / CODE_LINES_PER_MINUTE))
