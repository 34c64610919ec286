"""Chinese copy: what `make lint` refuses in prose, and what it leaves alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from _ext.copy_rules import NAMES, faults, glossary

ROOT = Path(__file__).parents[2]
TERMS = "```{glossary}\n梯度检查点\ngradient checkpointing\n  省内存。\n\nSVD\n  分解。\n```\n"


@pytest.fixture
def found(tmp_path):
    """Return the faults of a page of the given text, without its path."""

    def check(text: str) -> list[str]:
        page = tmp_path / "page.md"
        page.write_text(text, encoding="utf-8")
        names = glossary(TERMS) | set(NAMES)
        return [fault.removeprefix(f"{page}:") for fault in faults(page, names)]

    return check


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("你好,世界。", "1: '你好,世界。' should be '你好，世界。'"),
        ("用Python写。", "1: '用Python写。' should be '用 Python 写。'"),
        ("第一句。第二句。", " a sentence begins on another's line: 第二句。"),
        ("真的吗？真的。", " a sentence begins on another's line: 真的。"),
        ("- 一句。又一句", " a sentence begins on another's line: 又一句"),
        ("“一句。”又说。后面", " a sentence begins on another's line: 后面"),
        ("用 pytorch 写。", " pytorch is spelled PyTorch"),
        ("用 Numpy 写。", " Numpy is spelled NumPy"),
        ("分解（svd）", " svd is spelled SVD"),
        ("这是锚框（anchor）。", " anchor is not in glossary.md"),
    ],
)
@pytest.mark.parametrize(
    "lead", ["", "---\ntags: [a]\n---\n", "```text\n一？二\n```\n", "$$\na\n$$\n"]
)
def test_faults(found, text, fault, lead):
    line = lead.count("\n") + 1
    assert found(f"{lead}{text}\n") == [f"{line}:{fault}"]


@pytest.mark.parametrize(
    "text",
    [
        "一句。\n又一句。",
        "**小标题。** 一句。",
        "（一句。又一句。）",
        "他说“一句。又一句。”",
        "一句。）",
        "# 一？二",
        "| 一句。又一句。 | 二 |",
        "`pytorch` 与 {doc}`numpy` 与 [文档](https://numpy.org/numpy) 与 torch.numpy",
        "```python\nimport numpy  # 一句。又一句。\n```",
        "$x。y$ 与 $$a。b$$",
        "{term}`梯度检查点`（gradient checkpointing）与梯度检查点（Gradient checkpointing）",
        "函数（`f(x)`）",
        "numpy is English. So is this.",
        "````{note}\n一句。\n```text\n一句。又一句。\n```\n````",
    ],
)
def test_what_is_left_alone(found, text):
    assert [fault for fault in found(text + "\n") if "should be" not in fault] == []


def test_faults_in_the_body_of_a_directive_of_prose(found):
    text = "````{note}\n```text\n一句。又一句。\n```\n用 numpy。\n````\n用 scipy。\n"
    assert found(text) == ["5: numpy is spelled NumPy", "7: scipy is spelled SciPy"]


def test_names_of_the_glossary():
    assert glossary(TERMS) == {"梯度检查点", "gradient checkpointing", "SVD"}
    assert len(glossary((ROOT / "glossary.md").read_text("utf-8"))) > 400


def test_the_command_fails_when_there_is_a_fault(tmp_path):
    page = tmp_path / "page.md"
    for text, code in ("一句。\n", 0), ("一句。又一句。\n", 1):
        page.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "_ext.copy_rules", str(page)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == code, done.stdout
        assert done.stdout == f"{page}:1: a sentence begins on another's line: 又一句。\n" * code


def test_a_term_that_the_glossary_lacks_fails_the_build(site):
    s = site()
    s.write("index.md", f"# 术语\n\n{TERMS}\n{{term}}`梯度检查点`\n")
    assert s.build("dummy").code == 0
    s.write("index.md", f"# 术语\n\n{TERMS}\n{{term}}`梯度检查站`\n")
    build = s.build("dummy")
    assert build.code == 1
    assert "term not in glossary: '梯度检查站'" in build.output
