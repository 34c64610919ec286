"""Sphinx configuration: only what differs from the defaults."""

import os
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parent
sys.path.insert(0, str(ROOT))
for old in DeprecationWarning, PendingDeprecationWarning, FutureWarning:  # in what we wrote
    warnings.filterwarnings("error", category=old, module=r"(_ext|snippets)\.")

project = "会跑的笔记 · Notes That Run"
author = "会跑的笔记的作者们"
copyright = "2026, 会跑的笔记的作者们"
language = "zh_CN"
html_title = "会跑的笔记"

# The one setting behind "edit this page", the source links and the feed's addresses.
repository_url = "https://github.com/notes-that-run/notes-that-run"
html_baseurl = "https://notes-that-run.github.io/"

extensions = [
    "_ext.accessible",
    "_ext.cards",
    "_ext.chinese",
    "_ext.contract",
    "_ext.doctests",
    "_ext.downloads",
    "_ext.drawn",
    "_ext.feed",
    "_ext.heights",
    "_ext.katex",
    "_ext.kept",
    "_ext.last_good",
    "_ext.lean",
    "_ext.listings",
    "_ext.markdown",
    "_ext.memory",
    "_ext.navigation",
    "_ext.not_found",
    "_ext.numbering",
    "_ext.permalinks",
    "_ext.plain",
    "_ext.run",
    "_ext.search_texts",
    "_ext.search_zh",
    "_ext.verified",
    "_ext.wording",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "_ext.citations",
    "sphinxcontrib.bibtex",
]

if "PREVIEW" in os.environ:  # set by _ext.live
    for published_only in "_ext.cards", "_ext.downloads", "_ext.lean", "_ext.verified":
        extensions.remove(published_only)

# The source folder is the repository's root, so sources are named, never excluded.
include_patterns = [
    "index.md",
    "glossary.md",
    "bibliography.md",
    *(f"{category}/*.md" for category in ("python", "nlp", "generative", "cv", "large-model")),
]
exclude_patterns = [".*", "_build"]  # not even looked through: .venv alone has 50,000 files

myst_enable_extensions = [
    "amsmath",
    "attrs_block",
    "attrs_inline",
    "colon_fence",
    "deflist",
    "dollarmath",
]
myst_dmath_allow_space = False
bibtex_bibfiles = ["references.bib"]
bibtex_reference_style = "author_year"
bibtex_foot_reference_style = "chinese"
bibtex_tooltips = False  # footnotes have none, and each entry would be formatted twice
highlight_language = "python"
numfig = True
math_numfig = False  # equations are numbered per page
copybutton_exclude = ".linenos, .gp, .go"

doctest_global_setup = """
import os
import torch
torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
torch.manual_seed(0)
"""

linkcheck_retries = 3
linkcheck_report_timeouts_as_broken = True

html_math_renderer = "katex"
html_theme = "sphinx_book_theme"
html_favicon = "_static/favicon.svg"
html_css_files = ["icons.css", "site.css"]
html_js_files = [("site.js", {"defer": ""})]
html_static_path = ["_static"]
html_sidebars = {"**": ["site-head.html", "sbt-sidebar-nav.html"]}
html_copy_source = False  # a page links its source in the repository
html_context = {"default_mode": "auto"}
html_theme_options = {
    "repository_url": repository_url,
    "repository_branch": "main",
    "use_edit_page_button": True,
    "use_download_button": False,
    "use_fullscreen_button": False,
    "search_bar_text": "搜索文章与术语",
    "toc_title": "本页目录",
    "show_toc_level": 2,  # all of it: a list that unfolds while one scrolls moves
    "article_footer_items": ["page-source.html"],
    "footer_content_items": ["site-footer.html"],
    "navbar_persistent": [],
    "logo": {"text": html_title},
}
templates_path = ["_templates"]
