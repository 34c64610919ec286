"""The house rules that need no build: who may import whom."""

import ast
import sys
from pathlib import Path

import pytest
import yaml

from _ext.contract import SHARED

ROOT = Path(__file__).parents[2]
FOUNDATION = {"numpy", "scipy", "torch", "jaxtyping"} | set(sys.stdlib_module_names)
ORACLES = {"cv2", "gensim"}  # `make rerun` has the test extra, so a recorded run may use them
PLOTTING = {"matplotlib", "cycler"}


def imports(tree: ast.AST, plotters: str, drawing: bool = False):
    """Yield every imported name with whether a function named `plotters…` imports it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, drawing) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from ((f"{node.module}.{alias.name}", drawing) for alias in node.names)
        plotter = isinstance(node, ast.FunctionDef) and node.name.startswith(plotters)
        yield from imports(node, plotters, drawing or plotter)


def faults(root: Path):
    """Yield every import below `snippets` that the layers forbid, as (file, name)."""
    for path in sorted(root.glob("snippets/*/**/*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        category, article = parts[1], parts[2].removesuffix("_run")
        page = root / f"{category}/{article}.md".replace("_", "-")
        allowed = {"snippets.common", f"snippets.{category}.{article}"}
        if category != "common" and page.is_file():
            front_matter = yaml.safe_load(page.read_text("utf-8").split("---\n")[1])
            before = [entry.replace("-", "_").split("/") for entry in front_matter["prerequisites"]]
            shared = [entry.replace("-", "_").split("/") for entry in SHARED]
            before += [entry for entry in shared if entry[0] == category]
            allowed |= {"snippets." + ".".join(entry) for entry in before}
        package = path.with_name("__init__.py").is_file()  # else scripts, which import each other
        scripts = set() if package else {script.stem for script in path.parent.glob("*.py")}
        plotters = "" if category == "common" else "figure_"
        for name, drawing in imports(ast.parse(path.read_text("utf-8")), plotters):
            root_name = name.split(".")[0]
            layer = ".".join(name.split(".")[:3])
            ours = layer in allowed or layer.startswith("snippets.common.")
            ours = ours or root_name in scripts
            free = FOUNDATION | (ORACLES if path.stem.endswith("_run") else set())
            if not (ours or root_name in free or (drawing and root_name in PLOTTING)):
                yield str(path.relative_to(root)), name


def test_layers():
    assert list(faults(ROOT)) == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("import math, numpy as np", None),
        ("from torch.utils import checkpoint", None),
        ("from snippets.common import plot", None),
        ("from snippets.common.plot import style", None),
        ("from snippets.nlp.ngram import count", None),
        ("from .other import x", None),
        ("def figure_a():\n    from matplotlib.figure import Figure", None),
        ("import snippets.python.first", None),
        ("if TYPE_CHECKING:\n    from matplotlib.figure import Figure", None),
        ("import matplotlib", "matplotlib"),
        ("def draw():\n    import matplotlib.pyplot", "matplotlib.pyplot"),
        ("class A:\n    import tests.conftest", "tests.conftest"),
        ("from _ext import contract", "_ext.contract"),
        ("from snippets.python import second", "snippets.python.second"),
        ("def figure_a():\n    import pandas", "pandas"),
    ],
)
@pytest.mark.parametrize("name", ["ngram.py", "ngram/part.py", "ngram_run.py"])
def test_layers_of_one_module(tmp_path, code, fault, name):
    module = tmp_path / "snippets/nlp" / name
    module.parent.mkdir(parents=True)
    module.write_text(code)
    page = tmp_path / "nlp/ngram.md"
    page.parent.mkdir()
    page.write_text("---\nprerequisites: [python/first, 概率]\n---\n# N-Gram\n")
    assert [name for _, name in faults(tmp_path)] == ([fault] if fault else [])


def test_a_recorded_run_may_import_an_oracle_and_a_module_may_not(tmp_path):
    folder = tmp_path / "snippets/nlp"
    folder.mkdir(parents=True)
    (folder / "ngram.py").write_text("import gensim")
    (folder / "ngram_run.py").write_text("from gensim.models import Word2Vec")
    assert list(faults(tmp_path)) == [("snippets/nlp/ngram.py", "gensim")]


def test_common_imports_no_article(tmp_path):
    module = tmp_path / "snippets/common/plot.py"
    module.parent.mkdir(parents=True)
    module.write_text("from snippets.nlp.ngram import count")
    assert list(faults(tmp_path)) == [("snippets/common/plot.py", "snippets.nlp.ngram.count")]


def test_common_plots_in_any_function_but_not_when_imported(tmp_path):
    module = tmp_path / "snippets/common/plot.py"
    module.parent.mkdir(parents=True)
    module.write_text("def style():\n    import matplotlib\n\nfrom cycler import cycler")
    assert list(faults(tmp_path)) == [("snippets/common/plot.py", "cycler.cycler")]


def test_only_articles_of_the_category_import_what_it_shares(tmp_path):
    shared = "from snippets.generative.gaussian_mixture import GaussianMixture"
    for article in "nlp/ngram", "generative/gan":
        module, page = tmp_path / f"snippets/{article}.py", tmp_path / f"{article}.md"
        module.parent.mkdir(parents=True)
        module.write_text(shared)
        page.parent.mkdir()
        page.write_text("---\nprerequisites: []\n---\n# 一\n")
    name = "snippets.generative.gaussian_mixture.GaussianMixture"
    assert list(faults(tmp_path)) == [("snippets/nlp/ngram.py", name)]


def test_scripts_in_a_folder_that_is_no_package_import_each_other(tmp_path):
    folder = tmp_path / "snippets/nlp/ngram/demo"
    folder.mkdir(parents=True)
    (folder / "counts.py").write_text("import math")
    (folder / "script.py").write_text("from counts import count\nimport pandas")
    assert list(faults(tmp_path)) == [("snippets/nlp/ngram/demo/script.py", "pandas")]
    (folder / "__init__.py").write_text("")
    found = [name for _, name in faults(tmp_path)]
    assert found == ["counts.count", "pandas"]
