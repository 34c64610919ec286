"""The commands: what the READMEs, the Makefile and the CI files say of them agrees."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text("utf-8"))
    for path in sorted((ROOT / ".github/workflows").glob("*.yaml"))
}


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


def runs(job: dict) -> list[str]:
    """What a job runs, in order, for every value of its matrix."""
    steps = [step["run"] for step in job["steps"] if "run" in step]
    checks = job.get("strategy", {}).get("matrix", {}).get("check", [""])
    return [step.replace("${{ matrix.check }}", check) for check in checks for step in steps]


def test_ci_files_call_make_targets_and_install_what_books_need():
    """The runners have Chromium and Java, but neither a Chinese font nor pdftotext."""
    jobs = {name: runs(job) for flow in WORKFLOWS.values() for name, job in flow["jobs"].items()}
    script = (ROOT / ".ci/run").read_text("utf-8")
    packages = re.search(r"apt-get install.*\n(.*)", script)[1]
    needed = [name for name in packages.split() if name not in ("chromium", "default-jre-headless")]
    install = "sudo apt-get install -qq -y --no-install-recommends " + " ".join(needed)
    for name, steps in jobs.items():
        assert set(steps) <= {"sudo apt-get update -qq", install, *(f"make {t}" for t in targets())}
        assert (install in steps) == bool({"make test", "make stress"} & set(steps)), name
    assert all(flow["env"]["REQUIRE_BOOKS"] == 1 for flow in WORKFLOWS.values())
    hosted = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text("utf-8"))
    assert hosted["build"]["commands"][0] == "make html"
    script = (ROOT / ".ci/run").read_text("utf-8")
    assert set(re.findall(r"^make .*", script, re.MULTILINE)) <= {f"make {t}" for t in targets()}


@pytest.mark.parametrize(("workflow", "job"), [("ci", "test"), ("weekly", "newest")])
def test_workflows_cover_every_supported_python(workflow, job):
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    supported = re.findall(r"Python :: (3\.\d+)", project)
    matrix = WORKFLOWS[workflow]["jobs"][job]["strategy"]["matrix"]
    assert matrix["python"] == supported == ["3.11", "3.12", "3.13"]


@pytest.mark.parametrize("workflow", WORKFLOWS)
def test_workflows_may_only_read_and_name_their_actions_by_commit(workflow):
    assert WORKFLOWS[workflow]["permissions"] == {"contents": "read"}
    for job in WORKFLOWS[workflow]["jobs"].values():
        assert "permissions" not in job
        actions = [step["uses"] for step in job["steps"] if "uses" in step]
        assert all(re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", action) for action in actions)


def test_only_the_weekly_workflow_takes_versions_that_are_not_pinned_and_no_cache():
    """GitHub sets CI; an empty one is none to make."""
    assert "CI" not in WORKFLOWS["ci"]["env"]
    assert WORKFLOWS["weekly"]["env"]["CI"] == ""
    assert WORKFLOWS["weekly"]["env"]["PIP_NO_CACHE_DIR"] == 1
    for ci, pinned in ("", False), ("true", True):
        dry = make("--dry-run", "--what-if=pyproject.toml", f"CI={ci}", "html").stdout
        assert ("--require-hashes --requirement constraints.txt" in dry) == pinned


def test_no_shell_reads_the_name_of_an_article():
    for target in targets():
        assert "typed" not in make("--dry-run", target, "ARTICLE=typed", "TITLE=typed").stdout


def test_every_week_everything_is_run():
    """But what serves, writes, or only packs what another has made."""
    run = {step for job in WORKFLOWS["weekly"]["jobs"].values() for step in runs(job)}
    left = {"help", "live", "bench", "permalinks", "lock", "dist", "new", "clean"}
    assert {f"make {target}" for target in set(targets()) - left} <= run


def test_links_alone_may_fail():
    """Other people's servers gate nothing."""
    jobs = WORKFLOWS["weekly"]["jobs"]
    assert [name for name, job in jobs.items() if job.get("continue-on-error")] == ["links"]
    assert [step["run"] for step in jobs["links"]["steps"] if "run" in step] == ["make links"]
    others = [job for name, job in jobs.items() if name != "links"]
    others += list(WORKFLOWS["ci"]["jobs"].values())
    assert "make links" not in str(others)


def test_second_run_does_no_set_up_work():
    """`make test` has set up everything but what only these targets need."""
    changed = max((ROOT / name).stat().st_mtime for name in ("pyproject.toml", "constraints.txt"))
    needs = {"lint": "lint", "lock": "lock", "oldest": "lock", "pdf": "books", "epub": "books"}
    stamps = {target: ROOT / f".venv/.{extra}" for target, extra in needs.items()}
    due = {t for t, at in stamps.items() if not at.exists() or at.stat().st_mtime < changed}
    for target in set(targets()) - due:
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
    code = code.replace("_build/html", str(built_site))
    exec(code, {"shutil": shutil})  # noqa: S102 - from our Makefile
    with zipfile.ZipFile(tmp_path / "site.zip") as packed:
        files = [name for name in packed.namelist() if not name.endswith("/")]
        assert not any(name.startswith(("/", "..")) for name in files)
        assert len(files) == sum(path.is_file() for path in built_site.rglob("*")) > 100
        assert packed.testzip() is None
        assert packed.read("index.html") == (built_site / "index.html").read_bytes()
