"""`constraints.txt`: CI installs only files known by their hashes, which fit pyproject.toml."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PYTHONS = ("3.11.0", "3.11.14", "3.12.12", "3.13.9")


def locked() -> list[tuple[Requirement, list[str]]]:
    """Return each requirement of the lock with its hashes."""
    text = re.sub("^#.*\n", "", (ROOT / "constraints.txt").read_text("utf-8"), flags=re.MULTILINE)
    parts = [line.split(" --hash=") for line in text.replace("\\\n   ", "").splitlines()]
    return [(Requirement(first), hashes) for first, *hashes in parts]


def wanted() -> list[Requirement]:
    """Return all that the project, its extras and its build ask for."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    project = pyproject["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    lists += [pyproject["build-system"]["requires"]]
    requirements = [Requirement(text) for one in lists for text in one]
    return [each for each in requirements if each.name != project["name"]]


def test_every_locked_requirement_is_one_version_with_hashes():
    for requirement, hashes in locked():
        assert re.fullmatch("==[^=*,]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        for one in hashes:
            assert re.fullmatch("sha256:[0-9a-f]{64} ?", one), (requirement.name, one)


@pytest.mark.parametrize("python", PYTHONS)
def test_every_requirement_of_the_project_is_locked_within_its_range(python):
    machine = {
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": "linux",
        "platform_machine": "x86_64",
        "platform_python_implementation": "CPython",
        "implementation_name": "cpython",
    }
    versions: dict[str, str] = {}
    for requirement, _ in locked():
        if requirement.marker is None or requirement.marker.evaluate(machine):
            name = canonicalize_name(requirement.name)
            assert name not in versions, f"{name} is locked twice for Python {python}"
            versions[name] = str(requirement.specifier).removeprefix("==")
    for requirement in wanted():
        version = versions.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name} is not in constraints.txt: run make lock"
        assert requirement.specifier.contains(version), f"{requirement} is locked at {version}"


def test_no_file_of_the_lock_carries_cuda():
    """CI needs none of it, and it would be by far the largest part."""
    names = {requirement.name: str(requirement.specifier) for requirement, _ in locked()}
    assert names["torch"].endswith("+cpu")
    assert not [name for name in names if name.startswith(("nvidia", "cuda")) or name == "triton"]
