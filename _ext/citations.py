"""Authors named in a sentence, the Chinese way: `Gu 等`, `Kong 与 Valiant`."""

from dataclasses import dataclass, field

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinxcontrib.bibtex.plugin import register_plugin
from sphinxcontrib.bibtex.style.referencing import PersonStyle
from sphinxcontrib.bibtex.style.referencing.foot import FootReferenceStyle


@dataclass
class ChineseFoot(FootReferenceStyle):
    """References as footnotes; up to two authors by name, more of them as the first and 等."""

    person: PersonStyle = field(default_factory=lambda: PersonStyle(sep2=" 与 ", other=" 等"))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Make `bibtex_foot_reference_style = "chinese"` known."""
    register_plugin("sphinxcontrib.bibtex.style.referencing", "chinese", ChineseFoot)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
