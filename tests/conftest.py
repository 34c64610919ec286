"""Fixtures and profiles shared by every test, and the note of which articles' tests passed."""

import os
from pathlib import Path
from runpy import run_path

import pytest
import torch
from hypothesis import settings

from _ext import verified
from _ext.articles import tests_of

run_path(str(Path(__file__).with_name("offline") / "sitecustomize.py"))  # no test has a network

settings.register_profile("repeatable", derandomize=True, deadline=None, max_examples=200)
settings.load_profile("repeatable")


class Verdict:
    """Finds the articles of which every test ran, and passed or did not apply to this machine."""

    def __init__(self, root: Path):
        pages = (path.relative_to(root).with_suffix("").as_posix() for path in root.glob("*/*.md"))
        self.root, self.articles = root, {tests_of(page): page for page in sorted(pages)}
        self.before = verified.digests(self.articles.values(), root)
        self.passed, self.tried, self.faulty = set(), set(), set()

    def pytest_deselected(self, items):
        """Count a file as faulty of which only a part is run."""
        self.faulty |= {item.location[0] for item in items}

    def pytest_collection_finish(self, session):
        """Likewise where a part was asked for by name; and expect every test to be run."""
        self.waiting = {item.nodeid for item in session.items}
        self.faulty |= {name.split("::")[0] for name in session.config.args if "::" in name}

    def pytest_runtest_logreport(self, report):
        """Take notice of one phase of a test."""
        file = report.nodeid.split("::")[0]
        self.tried.add(file)
        if report.failed:
            self.faulty.add(file)
        elif report.when == "teardown":
            self.waiting.discard(report.nodeid)
        elif report.when == "call" and report.passed:
            self.passed.add(file)

    def pytest_sessionfinish(self):
        """Write the note, and with it the stamps."""
        cut_short = {nodeid.split("::")[0] for nodeid in self.waiting}
        good = self.passed - self.faulty - cut_short
        now = verified.unchanged(self.before, self.root)
        tried = {page for file, page in self.articles.items() if file in self.tried}
        passed = {page: now[page] for page in tried & now.keys() if tests_of(page) in good}
        verified.note(self.root / "_build/pytest/verified.json", tried, passed)
        verified.publish(self.root / "_build/html")


def pytest_sessionstart(session):
    session.config.pluginmanager.register(Verdict(session.config.rootpath))


@pytest.fixture(autouse=True)
def deterministic_torch():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 1)))
    torch.manual_seed(0)
