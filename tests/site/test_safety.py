"""What ruff's rules S do not see: foreign files that could run code, sockets open to others."""

import ast
import doctest
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```\{(doctest|testcode)\}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LISTENING = {"bind", "create_server", "HTTPServer", "ThreadingHTTPServer", "TCPServer"}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def faults(code: str):
    """Yield the calls that load a pickle of torch's, or that listen to more than this machine."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if called == "torch.load" and options.get("weights_only") != "True":
            yield f"{called} without weights_only=True"
        if called.rpartition(".")[2] in LISTENING and node.args:
            address = node.args[0]
            host = address.elts[0] if isinstance(address, ast.Tuple) else None
            if isinstance(host, ast.Constant) and host.value not in LOOPBACK:
                yield f"{called} on {host.value!r}"
        if options.get("shell") == "True" or called in ("os.system", "os.popen", "tempfile.mktemp"):
            yield called


def code_of(page: Path):
    """Yield the code that a page runs."""
    for kind, body in FENCE.findall(page.read_text("utf-8")):
        text = re.sub(r"\A(:\w+:.*\n)+", "", body)
        examples = doctest.DocTestParser().get_examples(text) if kind == "doctest" else ()
        yield from (example.source for example in examples) if examples else [text]


def parses(code: str) -> bool:
    """Tell code from what a page shows to be a syntax error."""
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def test_no_code_of_the_repository_is_unsafe():
    sources = [
        path
        for folder in ("snippets", "_ext", "benchmarks", "tests")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ]
    assert len(sources) > 200
    found = [(path, fault) for path in sources for fault in faults(path.read_text("utf-8"))]
    assert found == []


def test_no_code_of_a_page_is_unsafe():
    pages = sorted(ROOT.glob("*/*.md"))
    blocks = [(page.name, code) for page in pages for code in code_of(page) if parses(code)]
    assert len(blocks) > 1000
    assert [(name, fault) for name, code in blocks for fault in faults(code)] == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("torch.load(f, weights_only=True)", None),
        ("torch.load(f)", "torch.load without weights_only=True"),
        ("torch.load(f, weights_only=False)", "torch.load without weights_only=True"),
        ("socket.create_server(('127.0.0.1', 0))", None),
        ("socket.create_server(('', 0))", "socket.create_server on ''"),
        ("s.bind(('0.0.0.0', 80))", "s.bind on '0.0.0.0'"),
        ("HTTPServer(('localhost', 0), H)", None),
        ("subprocess.run(c, shell=True)", "subprocess.run"),
        ("os.system(c)", "os.system"),
        ("tempfile.mktemp()", "tempfile.mktemp"),
    ],
)
def test_what_is_unsafe(code, fault):
    assert list(faults(code)) == ([fault] if fault else [])


def test_code_of_a_page(tmp_path):
    page = tmp_path / "a.md"
    hidden, inner = ":hide:\n\nos.system(c)\n", ">>> a\n1\n>>> b\n"
    page.write_text(f"```{{testcode}}\n{hidden}```\n````{{note}}\n```{{doctest}}\n{inner}```\n````")
    assert list(code_of(page)) == ["\nos.system(c)\n", "a\n", "b\n"]


def test_ruff_sees_the_rest():
    """Pickle, eval, exec, shells, addresses asked at will: each exception says why, on its line."""
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["ruff"]["lint"]
    assert "S" in lint["select"]
    ignored = {rule for rule in lint["ignore"] if rule.startswith("S") and rule[1].isdigit()}
    assert ignored == {"S101", "S311", "S314", "S603", "S607"}
