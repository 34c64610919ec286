"""Search that needs no dictionary: Chinese by single characters and pairs, English by stems.

Python splits the pages and JavaScript the query by the same expression, after NFKC (full-width
letters become plain ones). A page is indexed under every character and every pair of neighbours; a
query asks for its pairs, and for a single character only where it stands alone.
"""

import re
import unicodedata
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish
from sphinx.util.typing import ExtensionMetadata

HAN = r"[\u3400-\u9fff\uf900-\ufaff]"
HAN_RUN = re.compile(f"{HAN}+")
WORD = re.compile(rf"{HAN}+|(?:(?!{HAN})\w)+")


class SearchChinese(SearchEnglish):
    """Splits Chinese into characters and pairs and leaves the rest to the English stemmer."""

    lang = "zh"
    # `var`, because searchtools.js is loaded first and looks the function up by this name.
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.normalize("NFKC").match(/HAN+|(?:(?!HAN)[\p{L}\p{N}_])+/gu) ?? []).flatMap((word) =>
    /^HAN{2}/u.test(word) ? [...word.slice(1)].map((_, i) => word.slice(i, i + 2)) : [word]);
""".replace("HAN", HAN)

    def split(self, input: str) -> list[str]:
        """Return the words, the characters and the pairs that a text is indexed under."""
        terms: list[str] = []
        for word in WORD.findall(unicodedata.normalize("NFKC", input)):
            if HAN_RUN.match(word):
                terms += [*word, *map("".join, pairwise(word))]
            else:
                terms.append(word)
        return terms


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take the place of Sphinx's own Chinese, which wants jieba and does not split queries."""
    app.add_search_language(SearchChinese)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
