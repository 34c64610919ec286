"""Citations as footnotes in Chinese, and a bibliography that is not made anew at every build.

Authors named in a sentence are joined the Chinese way: `Gu 等`, `Kong 与 Valiant`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import entry_points

from pybtex import plugin
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinxcontrib.bibtex.domain import BibtexDomain, get_docnames
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import PersonStyle
from sphinxcontrib.bibtex.style.referencing.foot import FootReferenceStyle

format_all = BibtexDomain.env_updated


@dataclass
class ChineseFoot(FootReferenceStyle):
    """References as footnotes; up to two authors by name, more of them as the first and 等."""

    person: PersonStyle = field(default_factory=lambda: PersonStyle(sep2=" 与 ", other=" 等"))


def format_changed(self: BibtexDomain) -> Iterable[str]:
    """Format the bibliographies if one is new or what they are made from has changed."""
    refs = self.citation_refs
    cited = [*get_docnames(self.env), *map(repr, refs)] if refs else []
    sources = (self.bibdata.bibfiles, cited)
    made = {citation.bibliography_key for citation in self.citations}
    if made == set(self.bibliographies) and self.data.get("made_from") == sources:
        return []
    self.data["made_from"] = sources
    return format_all(self)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make `bibtex_foot_reference_style = "chinese"` known; spare the bibliographies."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "chinese", ChineseFoot)
    BibtexDomain.env_updated = format_changed  # type: ignore[method-assign]
    plugin.entry_points = cache(entry_points)  # asked for a style at each citation
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
