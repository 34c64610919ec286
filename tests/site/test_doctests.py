"""The builder `doctest`: no wrong output, hang or example that nobody runs gets past it."""

import re
import textwrap
import time
from pathlib import Path

import pytest


@pytest.fixture
def page(site):
    """Write a page of the given text, run its examples, return the exit code and the faults."""
    s = site("_ext.doctests")

    def run(*texts: str, conf: str = "", options: tuple = ("-j", "2")):
        s.configure(conf)
        names = ["index", *(f"page{i}" for i in range(2, len(texts) + 1))]
        for name, text in zip(names, texts, strict=True):
            s.write(f"{name}.md", f"---\norphan:\n---\n# 标题\n\n{text}")
        build = s.build("doctest", *options)
        found = re.findall(rf"^{s.root}/(\w+\.md:\d+): ERROR: (.*)$", build.output, re.M)
        return build.code, [f"{where}: {what}" for where, what in found], build.output

    return run


GOOD = """\
```{doctest}
>>> 1 + 1
2
>>> print("a   b")
a b
>>> list(range(30))
[0, 1, ..., 29]
>>> int("x")
Traceback (most recent call last):
ValueError: invalid literal ...
```

```{testcode}
for i in range(2):
    print(i)
    print()
```

```{testoutput}
0

1

```

```{testcode}
raise KeyError("k")
```

```{testoutput}
Traceback (most recent call last):
  ...
KeyError: 'k'
```

```{testcode}
quiet = 1
```
"""


def test_right_outputs_pass(page):
    code, faults, output = page(GOOD)
    assert (code, faults) == (0, []), output
    assert "index: 7 examples, 0 failures" in output
    assert "== 7 examples, 0 failures in " in output


def test_wrong_output_of_a_doctest_names_its_line(page):
    code, faults, output = page("```{doctest}\n>>> a = 1\n\n>>> a\n2\n>>> a\n1\n```")
    assert (code, faults) == (1, ["index.md:9: wrong outcome of"]), output
    assert re.search(r"Expected:\n    2\nGot:\n    1\n", output)
    assert "3 examples, 1 failures" in output


@pytest.mark.parametrize(
    ("shown", "printed"),
    [("[1, ..., 29]", "[1, 2, 29]"), ("a1 ... 23 ...", "a1 b 23 c 24 d")],
)
def test_output_that_is_right_only_because_of_an_ellipsis_may_not_show_other_digits(
    page, shown, printed
):
    """Each digit on a page counts: one that could be altered unnoticed is a fault."""
    code, faults, output = page(f"```{{doctest}}\n>>> print({printed!r})\n{shown}\n```")
    loose = shown == "a1 ... 23 ..."
    assert (code, faults) == (int(loose), ["index.md:7: wrong outcome of"] * loose), output
    assert ("this would pass as well: a1 ... 24 ..." in output) == loose


def test_wrong_output_of_testcode_names_its_line(page):
    text = "```{testcode}\n:hide:\n\nx = 1\nprint(x)\n```\n\n```{testoutput}\n2\n```"
    code, faults, output = page(text)
    assert (code, faults) == (1, ["index.md:9: wrong outcome of"]), output


def test_line_inside_other_directives(page):
    code, faults, output = page("````{note}\n文\n\n```{doctest}\n>>> 1\n2\n```\n````")
    assert (code, faults) == (1, ["index.md:10: wrong outcome of"]), output


def test_output_that_the_page_does_not_mention(page):
    code, faults, _ = page("```{testcode}\nprint(1)\n```\n\n文。")
    assert (code, faults) == (1, ["index.md:7: wrong outcome of"])


def test_true_is_not_one(page):
    assert page("```{doctest}\n>>> True\n1\n```")[0] == 1


def test_traceback_names_the_lines_of_the_page(page):
    text = "```{testcode}\ndef f():\n    return 1 / 0\n\n\nf()\n```"
    code, faults, output = page(text)
    assert (code, faults) == (1, ["index.md:7: wrong outcome of"])
    assert re.search(r'File "index.md", line 11, in <module>\n    f\(\)', output), output
    assert 'File "index.md", line 8, in f' in output
    assert "ZeroDivisionError: division by zero" in output


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("raise SystemExit(0)", "SystemExit: 0"),
        ("x = (", "SyntaxError: '(' was never closed"),
        ("import warnings; warnings.warn('old')", "UserWarning: old"),
    ],
)
def test_no_exception_gets_past(page, code, what):
    exit_code, faults, output = page(f"```{{testcode}}\n{code}\n```")
    assert (exit_code, faults) == (1, ["index.md:7: wrong outcome of"])
    assert what in output


def test_wrong_exception(page):
    text = "```{doctest}\n>>> int('x')\nTraceback (most recent call last):\nTypeError: x\n```"
    code, faults, output = page(text)
    assert (code, faults) == (1, ["index.md:7: wrong outcome of"])
    assert "TypeError: x\n" in output
    assert "ValueError: invalid literal" in output


def test_failure_counts_without_warnings_as_errors(site):
    s = site("_ext.doctests")
    s.write("index.md", "# 标题\n\n```{doctest}\n>>> 1\n2\n```\n")
    build = s.build("doctest", strict=False)
    assert build.code == 1
    assert "build finished with problems" in build.output


def test_a_hang_is_ended_and_the_other_pages_go_on(page):
    hang = "```{doctest}\n>>> x = 1\n>>> import time; time.sleep(60)\n```"
    start = time.perf_counter()
    code, faults, output = page(hang, "```{doctest}\n>>> 1\n2\n```", conf="doctest_timeout = 0.5\n")
    assert time.perf_counter() - start < 20
    assert code == 1
    assert sorted(faults) == [
        "index.md:8: the page did not end within 0.5 s",
        "page2.md:7: wrong outcome of",
    ], output


@pytest.mark.parametrize(("jobs", "meet"), [("1", False), ("2", True)])
def test_as_many_pages_run_at_a_time_as_asked_for(page, tmp_path, jobs, meet):
    talk = """\
    ```{{testcode}}
    import pathlib, time
    pathlib.Path({mine!r}).touch()
    end = time.monotonic() + {limit}
    while not pathlib.Path({other!r}).exists() and time.monotonic() < end:
        time.sleep(0.01)
    met = pathlib.Path({other!r}).exists()
    ```
    ```{{doctest}}
    >>> met
    {met}
    ```
    """
    a, b, limit = str(tmp_path / "a"), str(tmp_path / "b"), 30 if meet else 0.5
    texts = [
        textwrap.dedent(talk).format(mine=a, other=b, limit=limit, met=meet),  # too early for b
        textwrap.dedent(talk).format(mine=b, other=a, limit=limit, met=True),
    ]
    in_turn = "-D", "doctest_seed=5"
    code, faults, output = page(*texts, options=("-j", jobs, *in_turn))
    assert (code, faults) == (0, []), output


def test_a_hang_takes_the_processes_it_started_with_it(page, tmp_path):
    hang = """\
    ```{testcode}
    import multiprocessing, signal, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    rank = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
    rank.start()
    open("rank", "w").write(str(rank.pid))
    rank.join()
    ```
    """
    code, faults, output = page(
        hang.replace("    ```", "```").replace("\n    ", "\n"), conf="doctest_timeout = 1\n"
    )
    assert code == 1
    assert faults == ["index.md:7: the page did not end within 1 s"], output
    rank = Path("/proc", (tmp_path / "rank").read_text())
    assert not rank.exists() or " Z " in (rank / "stat").read_text()


def test_a_page_that_leaves_a_process_behind(page):
    text = """\
```{testcode}
import multiprocessing, time
multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,)).start()
```
"""
    code, faults, output = page(text, conf="doctest_timeout = 1\n")
    assert code == 1
    assert faults == ["index.md:7: the page left a process or a thread running"], output


def test_a_snippet_that_fails_to_import_is_named_with_its_line(page, tmp_path):
    (tmp_path / "snippets").mkdir(exist_ok=True)
    (tmp_path / "snippets/half.py").write_text('"""Half done."""\n\nraise RuntimeError("half")\n')
    code, faults, output = page("```{doctest}\n>>> import snippets.half\n>>> 1\n1\n```")
    assert (code, faults) == (1, ["index.md:7: wrong outcome of"]), output
    assert re.search(r'snippets/half.py", line 3, in <module>', output)
    assert "RuntimeError: half" in output


def test_a_page_that_dies_is_a_failure(page):
    code, faults, output = page("```{doctest}\n>>> import os; os.kill(os.getpid(), 9)\n```")
    assert code == 1
    assert faults == ["index.md:7: the page's process died: exit code -9"], output


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            "```{testcode}\nprint(1)\n```\n\n```{testoutput} defualt\n1\n```",
            "index.md:11: testoutput names a group, but a page is one session",
        ),
        (
            "```{testcode}\nprint(1)\n```\n\n```{testoutput}\n1\n```\n\n```{testoutput}\n2\n```",
            "index.md:15: testoutput without a testcode of its own before it",
        ),
        (
            "```{doctest}\n>>> 1\n1\n```\n\n```{testoutput}\n1\n```",
            "index.md:12: testoutput without a testcode of its own before it",
        ),
        ("```{doctest}\nx = 1\n```", "index.md:7: doctest without an example"),
        (
            "```{doctest}\n>>> if True:\n...print(1)\n```",
            "index.md:7: line 2 of the docstring for <string> lacks blank after ...: '...print(1)'",
        ),
    ],
)
def test_examples_that_nobody_would_run(page, text, fault):
    code, faults, output = page(text)
    assert code == 1
    assert fault in faults, output


def test_nothing_to_test_is_a_failure(page):
    code, _, output = page("文。")
    assert code == 1
    assert "ERROR: no page has an example: nothing was tested" in output


def test_skip_is_not_obeyed(page):
    assert page("```{doctest}\n>>> 1  # doctest: +SKIP\n2\n```")[0] == 1
    assert page("```{doctest}\n:options: +SKIP\n>>> 1\n2\n```")[0] == 1


def test_versions_and_conditions_skip(page):
    text = """\
```{doctest}
:pyversion: < 3
>>> 1
2
```

```{testcode}
:pyversion: < 3
print(1)
```

```{testoutput}
:pyversion: < 3
2
```

```{doctest}
:skipif: limit == 7
>>> 1
2
```

```{doctest}
:pyversion: ">= 3"
>>> limit
7
```
"""
    code, faults, output = page(text, conf="doctest_global_setup = 'limit = 7'\n")
    assert (code, faults) == (0, []), output
    assert "== 1 examples, 0 failures" in output


def test_options_of_one_block_and_one_example(page):
    text = "```{doctest}\n:options: -ELLIPSIS\n>>> 1.0\n1...\n```\n"
    assert page(text + "\n```{doctest}\n>>> 1.0 # doctest: -ELLIPSIS\n1...\n```")[1] == [
        "index.md:8: wrong outcome of",
        "index.md:13: wrong outcome of",
    ]


def test_every_page_starts_from_the_same_state(page):
    change = """\
```{testcode}
import os, random, sys
import numpy as np
os.environ["LEFT"] = "over"
os.chdir("..")
sys.path.append("left")
sys.modules["json"] = None
random.seed(1)
np.left = 1
left = 1
```
"""
    look = """\
```{doctest}
>>> import os, random, sys
>>> import numpy as np
>>> "LEFT" in os.environ, os.path.exists("conf.py"), "left" in sys.path
(False, True, False)
>>> import json
>>> hasattr(np, "left"), "left" in globals()
(False, False)
>>> drawn == random.Random(0).random()
True
```
"""
    conf = "doctest_global_setup = 'import random; random.seed(0); drawn = random.random()'\n"
    code, faults, output = page(change, look, conf=conf)
    assert (code, faults) == (0, []), output


def test_classes_of_a_page_can_be_pickled_and_functions_read(page):
    text = """\
```{testcode}
import inspect, pickle


class Pair:
    def swap(self):
        pass


print(type(pickle.loads(pickle.dumps(Pair()))) is Pair)
print(inspect.getsource(Pair.swap))
```

```{testoutput}
True
    def swap(self):
        pass
```
"""
    code, faults, output = page(text)
    assert (code, faults) == (0, []), output


ONE = "```{doctest}\n>>> 1\n1\n```"


def test_pages_run_in_an_order_that_only_the_seed_decides(page):
    def order(*options):
        code, faults, output = page(*[ONE] * 8, options=("-j", "1", *options))
        assert (code, faults) == (0, []), output
        seed = re.search(r"order of the pages: (-D) (doctest_seed=\d+)", output).groups()
        return seed, re.findall(r"^(\w+): 1 examples", output, re.MULTILINE)

    seed, names = order()
    assert sorted(names) == ["index", *(f"page{i}" for i in range(2, 9))]
    assert order(*seed) == (seed, names)
    assert len({tuple(order("-D", f"doctest_seed={i}")[1]) for i in range(1, 4)}) == 3
