"""Search that needs no dictionary: Chinese by single characters and pairs, English by stems.

Python splits the pages and JavaScript the query by the same expression, after NFKC (full-width
letters become plain ones). A page is indexed under every character and every pair of neighbours; a
query asks for its pairs, and for a single character only where it stands alone.

Most pairs stand on one page only, and their names would fill the index. So the pairs share BUCKETS
names: the index lists no page too few, and the texts (search_texts.py) sort out those too many.
"""

import re
import unicodedata
from itertools import pairwise

from sphinx.application import Sphinx
from sphinx.search import IndexBuilder
from sphinx.search.en import SearchEnglish
from sphinx.util.typing import ExtensionMetadata

HAN = r"[\u3400-\u9fff\uf900-\ufaff]"
HAN_RUN = re.compile(f"{HAN}+")
WORD = re.compile(rf"{HAN}+|(?:(?!{HAN})\w)+")
BUCKETS = 6133  # a prime; a page of 3,600 pairs and characters fills 43 % of them


def bucket(han: str) -> str:
    """Return the name that a character or a pair is indexed under: one of BUCKETS characters."""
    first, second = map(ord, han.ljust(2, "\0"))
    return chr(0x3400 + (first * 7919 + second) % BUCKETS)


class SearchChinese(SearchEnglish):
    """Names Chinese characters and pairs and leaves the rest to the English stemmer."""

    lang = "zh"
    # `var`, because searchtools.js is loaded first and looks the function up by this name.
    js_splitter_code = r"""
var splitQuery = (query) =>
  (query.normalize("NFKC").match(/HAN+|(?:(?!HAN)[\p{L}\p{N}_])+/gu) ?? []).flatMap((word) =>
    !/^HAN/u.test(word) ? [word] : [...word.slice(1) || "\0"].map((next, i) =>
      String.fromCharCode(0x3400 + (word.charCodeAt(i) * 7919 + next.charCodeAt()) % BUCKETS)));
""".replace("HAN", HAN).replace("BUCKETS", str(BUCKETS))

    def split(self, input: str) -> list[str]:
        """Return the words of a text and the names of its characters and pairs."""
        terms: list[str] = []
        for word in WORD.findall(unicodedata.normalize("NFKC", input)):
            if HAN_RUN.match(word):
                terms += map(bucket, [*word, *map("".join, pairwise(word))])
            else:
                terms.append(word)
        return terms


freeze = IndexBuilder.freeze


def freeze_without_entries(self: IndexBuilder) -> dict:
    """Leave out the entries of the general index, which an incremental build would forget.

    Each is a term that stands on its page, so the words find it.
    """
    return freeze(self) | {"indexentries": {}}


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take the place of Sphinx's own Chinese, which wants jieba and does not split queries."""
    app.add_search_language(SearchChinese)
    IndexBuilder.freeze = freeze_without_entries  # type: ignore[method-assign]
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
