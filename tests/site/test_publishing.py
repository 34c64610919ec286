"""`make html` publishes only a build without a fault, and does not forget a fault it has shown."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def make_html(site):
    """A small site and the real Makefile's `html` in it, run with this Python's environment."""
    small = site()
    shutil.copy(ROOT / "Makefile", small.root)
    (small.root / "pyproject.toml").touch()
    (small.root / "constraints.txt").touch()
    command = ["make", "html", f"VENV={sys.prefix}", f"--assume-old={sys.prefix}/.docs"]

    def run():
        result = subprocess.run(command, cwd=small.root, capture_output=True, text=True, timeout=60)
        return result.returncode, result.stdout + result.stderr

    return small, run


def published(small) -> dict[str, bytes]:
    html = small.root / "_build/html"
    return {str(p.relative_to(html)): p.read_bytes() for p in html.rglob("*") if p.is_file()}


def test_a_fault_leaves_the_last_good_build_and_is_reported_again(make_html):
    small, run = make_html
    small.write("index.md", "# 首页\n\n第一版。\n")
    assert run()[0] == 0
    good = published(small)
    assert "第一版" in good["index.html"].decode()

    small.write("index.md", "# 首页\n\n{ref}`nowhere`\n")
    for _ in range(2):
        code, output = run()
        assert code != 0
        assert "index.md:3: WARNING: undefined label: 'nowhere'" in output
        assert published(small) == good

    small.write("index.md", "# 首页\n\n第二版。\n")
    assert run()[0] == 0
    assert "第二版" in published(small)["index.html"].decode()
