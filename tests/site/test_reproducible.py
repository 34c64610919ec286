"""The same sources give the same bytes, wherever, whenever and however they are built.

Only the stamp of an article is a test run's and not the build's.
"""

import ast
import hashlib
import os
import subprocess
import sys
from shutil import copytree, ignore_patterns, rmtree

import pytest

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


def functions(tree):
    """Return the functions of a module."""
    return [node for node in tree.body if isinstance(node, ast.FunctionDef)]


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


EXTENSIONS = {path.stem: ast.parse(path.read_text("utf-8")) for path in ROOT.glob("_ext/*.py")}


@pytest.mark.parametrize(
    "name",
    [name for name, tree in EXTENSIONS.items() if any(n.name == "setup" for n in functions(tree))],
)
def test_every_extension_says_that_it_may_run_in_parallel(name):
    (setup,) = (node for node in functions(EXTENSIONS[name]) if node.name == "setup")
    said = ast.literal_eval(setup.body[-1].value)
    assert said["parallel_read_safe"] is said["parallel_write_safe"] is True


def test_one_process_and_two_write_the_same_bytes(site):
    local = [f"_ext.{name}" for name in ("chinese", "katex", "last_good", "listings", "numbering")]
    s = site(*local, "_ext.search_texts", "_ext.search_zh", "_ext.permalinks", "_ext.feed")
    s.configure('html_math_renderer = "katex"\nnumfig = True\n')
    s.configure(f"templates_path = [{str(ROOT / '_templates')!r}]\n")
    s.configure('html_sidebars = {"**": ["globaltoc.html"]}\n')
    s.configure('html_baseurl = "https://notes.example/"\n')
    pages = [f"p{i}" for i in range(12)]
    s.write("index.md", "# 首页\n\n```{toctree}\n" + "\n".join(pages) + "\n```\n")
    for i, page in enumerate(pages):
        formula = f"\n$$x^{{{i}}}$$ ({page}-x)\n\n见 {{eq}}`p{11 - i}-x`、{{ref}}`p{11 - i}`。\n"
        s.write(f"{page}.md", f"({page})=\n# 第 {i} 篇\n\n一句\n又一句。\n{formula}")
    outcomes = []
    for jobs in "1", "2":
        build = s.build("html", "-j", jobs)
        assert build.code == 0, build.output
        outcomes.append(digests(build.outdir))
        rmtree(s.root / "_build")
    assert outcomes[0] == outcomes[1]
