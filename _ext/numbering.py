"""Numbers figures, tables and listings per page: the first figure of every article is figure 1.

Sphinx counts on through the whole site, so a figure added to one page would renumber all later
pages, and the first figure of an article may be the fifth; and it opens every page to count.
"""

from collections.abc import Set
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors import EnvironmentCollector
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.util.typing import ExtensionMetadata


def numbers_of(env: BuildEnvironment, doctree: nodes.document) -> dict[str, dict[str, Any]]:
    """Return kind by kind the number of each equation, and each captioned thing, that has an id."""
    standard, math = env.domains.standard_domain, env.domains.math_domain
    numbers: dict[str, dict[str, Any]] = {}
    for node in doctree.findall(lambda node: isinstance(node, nodes.Element) and node["ids"]):
        kind = math.get_enumerable_node_type(node)
        if standard.get_numfig_title(node):
            kind = standard.get_enumerable_node_type(node)
        if kind:
            of_its_kind = numbers.setdefault(kind, {})
            of_its_kind[node["ids"][0]] = (len(of_its_kind) + 1,)
    return numbers


class Numbers(EnvironmentCollector):
    """Counts on each page when it is read."""

    def clear_doc(self, app: Sphinx, env: BuildEnvironment, docname: str) -> None:
        """Forget a page's numbers."""
        env.toc_fignumbers.pop(docname, None)

    def merge_other(
        self, app: Sphinx, env: BuildEnvironment, docnames: Set[str], other: BuildEnvironment
    ) -> None:
        """Take over what another process has counted."""
        env.toc_fignumbers |= {name: other.toc_fignumbers[name] for name in docnames}

    def process_doc(self, app: Sphinx, doctree: nodes.document) -> None:
        """Count on the page that has just been read."""
        numbers = numbers_of(app.env, doctree) if app.config.numfig else {}
        app.env.toc_fignumbers[app.env.current_document.docname] = numbers


def assign_nothing(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Leave the numbers as they are."""
    return []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Put our way of counting in the place of Sphinx's."""
    TocTreeCollector.assign_figure_numbers = assign_nothing  # type: ignore[method-assign]
    app.add_env_collector(Numbers)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
