"""The same sources give the same bytes, wherever, whenever and however they are built.

Only the stamp of an article is a test run's and not the build's.
"""

import hashlib
import os
import subprocess
import sys
from shutil import copytree, ignore_patterns

from _ext.verified import STAMP
from snippets.common.imports import ROOT


def digests(folder):
    """Return what each published file holds, without stamps."""
    files = (path for path in folder.rglob("*") if ".doctrees" not in path.parts and path.is_file())
    return {
        f"{path.relative_to(folder)}": hashlib.sha256(
            path.read_bytes()
            if path.suffix != ".html"
            else STAMP.sub(r"\1\2", path.read_text("utf-8")).encode()
        ).hexdigest()
        for path in files
    }


def test_a_clean_build_elsewhere_has_the_same_bytes(built_site, tmp_path):
    """With one process instead of several, other hashes of strings, and no network."""
    copy = tmp_path / "another folder"
    copytree(ROOT, copy, ignore=ignore_patterns("_build", ".*", "__pycache__"))
    command = [sys.executable, "-m", "sphinx", "-q", "-j", "1", "-b", "html", ".", "_build/html"]
    other = {"PYTHONHASHSEED": "1", "TZ": "Asia/Tokyo", "PYTHONPATH": str(ROOT / "tests/offline")}
    environment = os.environ | {"OMP_NUM_THREADS": "1"} | other
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours, theirs = digests(built_site), digests(copy / "_build/html")
    assert {name for name in ours | theirs if ours.get(name) != theirs.get(name)} == set()
