"""The commands: what the READMEs, the Makefile and the CI files say of them agrees."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def make(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


def commands(readme: str) -> list[str]:
    """Every `make …` of a README, in order."""
    return re.findall(r"(?:`|\$ )(make [^`#\n]+?)(?=`|\s+#|\n)", (ROOT / readme).read_text("utf-8"))


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)


def test_both_readmes_name_the_same_commands_in_the_same_order():
    assert commands("README.md") == commands("README.zh-CN.md")
    assert commands("README.md")[:2] == ["make html", "make test"]


def test_readme_lists_every_target():
    assert {command.split()[1] for command in commands("README.md")} == set(targets())


def test_help_describes_every_target():
    described = re.findall(r"^  make ([a-z]+)", make("help").stdout, re.MULTILINE)
    assert described == targets()


def test_ci_files_call_make_targets_only():
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text("utf-8"))
    steps = [
        step["run"] for job in workflow["jobs"].values() for step in job["steps"] if "run" in step
    ]
    assert steps
    assert all(re.fullmatch(r"make [a-z]+", step) for step in steps)
    hosted = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text("utf-8"))
    assert hosted["build"]["commands"][0] == "make html"
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert set(re.findall(r"^make .*", script, re.MULTILINE)) <= {f"make {t}" for t in targets()}


def test_workflow_covers_every_supported_python():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yaml").read_text("utf-8"))
    supported = re.findall(r"Python :: (3\.\d+)", project)
    assert (
        workflow["jobs"]["test"]["strategy"]["matrix"]["python"]
        == supported
        == ["3.11", "3.12", "3.13"]
    )


def test_second_run_does_no_set_up_work():
    """`make test` has set up everything but what only `make lint` needs, which may be due."""
    stamp = ROOT / ".venv/.lint"
    changed = max((ROOT / name).stat().st_mtime for name in ("pyproject.toml", "constraints.txt"))
    due = not stamp.exists() or stamp.stat().st_mtime < changed
    for target in set(targets()) - ({"lint"} if due else set()):
        assert "pip install" not in make("--dry-run", target).stdout, target


def test_changed_dependencies_are_installed():
    assert "pip install" in make("--dry-run", "--what-if=pyproject.toml", "html").stdout


def test_an_old_python_is_refused_with_a_reason(tmp_path):
    (tmp_path / "Makefile").write_text(MAKEFILE, encoding="utf-8")
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "constraints.txt").touch()
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\nexec python3 -c "import sys; sys.version_info = (3, 10); $2"\n')
    old.chmod(0o755)
    result = make("html", f"PYTHON={old}", cwd=tmp_path)
    assert result.returncode != 0
    assert "3.11, 3.12 or 3.13 is required, got 3.10" in result.stderr
    assert not (tmp_path / ".venv").exists()


def test_the_packed_site_is_the_built_one(built_site, tmp_path):
    """As `make dist` packs it: same files, same bytes, and nothing outside its folder."""
    command = re.search(r"import shutil; (.*)'$", make("--dry-run", "dist").stdout, re.MULTILINE)
    code = command[1].replace("_build/notes-that-run", str(tmp_path / "site"))
    exec(code.replace("_build/html", str(built_site)), {"shutil": shutil})
    with zipfile.ZipFile(tmp_path / "site.zip") as packed:
        files = [name for name in packed.namelist() if not name.endswith("/")]
        assert not any(name.startswith(("/", "..")) for name in files)
        assert len(files) == sum(path.is_file() for path in built_site.rglob("*")) > 100
        assert packed.testzip() is None
        assert packed.read("index.html") == (built_site / "index.html").read_bytes()
