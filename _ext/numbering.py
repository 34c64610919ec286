"""Numbers figures, tables and listings per page: the first figure of every article is figure 1.

Sphinx counts on through the whole site, so a figure added to one page would renumber all later
pages, and the first figure of an article may be the fifth.
"""

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.util.typing import ExtensionMetadata

assign_site_wide = TocTreeCollector.assign_figure_numbers


def assign_per_page(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Let Sphinx number what there is, count anew on each page; return the pages that changed."""
    before = env.toc_fignumbers
    assign_site_wide(self, env)
    for kinds in env.toc_fignumbers.values():
        for numbers in kinds.values():
            numbers.update({name: (i,) for i, name in enumerate(numbers, start=1)})
    return [page for page, kinds in env.toc_fignumbers.items() if kinds != before.get(page)]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put our way of counting in the place of Sphinx's."""
    TocTreeCollector.assign_figure_numbers = assign_per_page  # type: ignore[assignment, method-assign]
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
