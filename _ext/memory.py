"""Keeps the memory of a build from growing with the site: no page is held that waits or is done.

The main process resolves pages faster than others write them.  Sphinx by itself would hold all that
wait for a writer, and of every page what it has read from the disk until the build ends.
"""

import time
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.parallel import ParallelTasks
from sphinx.util.typing import ExtensionMetadata

POLL = 0.01  # seconds
add_task = ParallelTasks.add_task


def add_task_in_turn(self: ParallelTasks, *arguments: Any) -> None:
    """Return when a process has begun with the task."""
    add_task(self, *arguments)
    while self._precvs_waiting:
        if not self._join_one():
            time.sleep(POLL)


def forget(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Let go of a page as it was read: nothing asks for it a second time."""
    app.env._pickled_doctree_cache.pop(docname, None)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Take the place of Sphinx's own queue."""
    ParallelTasks.add_task = add_task_in_turn  # type: ignore[assignment, method-assign]
    app.connect("doctree-resolved", forget)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
