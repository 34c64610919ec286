"""Sessions are real and repeatable; both debuggers stop where pdb stops; versions as tabled."""

import gc
import io
import linecache
import os
import pdb
import re
import signal
import socket
import subprocess
import sys
import trace
from bdb import Breakpoint
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snippets.python import debugging_with_pdb_run as run
from snippets.python.debugging_with_pdb import (
    DEMO,
    MiniPdb,
    MonitoringPdb,
    Stop,
    demo_with,
    import_demo,
    post_mortem_transcript,
    remote_set_trace,
    run_pdb,
    serve_commands,
    transcript,
    version_facts,
)
from snippets.python.debugging_with_pdb import sessions as typed

ROOT = Path(__file__).parents[2]
UTILS = DEMO / "utils.py"
SCRIPT = DEMO / "pdb_demo.py"
demo = import_demo("pdb_demo")
utils = import_demo("utils")

since_312 = pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is newer")


@pytest.fixture(autouse=True)
def tracing_is_left_as_found():
    """Whoever traces the tests (coverage does) still does so afterwards.

    The garbage collector waits: hypothesis has it call Python, which would be traced, too.
    """
    before = sys.gettrace()
    gc.disable()
    yield
    gc.enable()
    assert sys.gettrace() is before
    assert Breakpoint.bpbynumber == [None]


# sessions


WALK = ["n", "n", "s", "b 14", "c", "p total", "u", "p fruit", "q"]


def test_session_looks_typed():
    assert transcript(demo.report, "apple", commands=WALK).splitlines() == [
        "> pdb_demo.py(12)report()",
        "-> try:",
        "(Pdb) n",
        "> pdb_demo.py(13)report()",
        "-> prices = PRICES[fruit]",
        "(Pdb) n",
        "> pdb_demo.py(16)report()",
        "-> middle = mean(prices)",
        "(Pdb) s",
        "--Call--",
        "> utils.py(9)mean()",
        "-> def mean(values):",
        "(Pdb) b 14",
        "Breakpoint 1 at utils.py:14",
        "(Pdb) c",
        "> utils.py(14)mean()",
        "-> return total / len(values)",
        "(Pdb) p total",
        "18",
        "(Pdb) u",
        "> pdb_demo.py(16)report()",
        "-> middle = mean(prices)",
        "(Pdb) p fruit",
        "'apple'",
        "(Pdb) q",
    ]


def test_sessions_repeat_and_name_no_folder():
    commands = ["b utils:13", "tbreak utils:11", "c", "w", "b", "cl 1", "c"]
    sessions = [
        lambda: transcript(demo.report, "apple", commands=commands),
        lambda: post_mortem_transcript(demo.report, "plum", commands=["w", "q"]),
        lambda: run_pdb(SCRIPT, ["b utils.add", "c", "w", "q"]),
        lambda: run_pdb(SCRIPT, ["q"], options=["-c", "c"], arguments=["plum"]),
    ]
    for session in sessions:
        text = session()
        assert text == session()
        assert str(DEMO) not in text
        assert not re.search(r"^[> ] .*/.*\(\d+\)|at /", text, re.M)


def test_folders_with_spaces_are_stripped_too(tmp_path):
    folder = tmp_path / "a folder (1)"
    folder.mkdir()
    script = demo_with(folder, "return a + b", "return a + b / 1 / 1")
    session = run_pdb(script, ["b utils:6", "c", "w", "q"])
    assert "Breakpoint 1 at utils.py:6\n" in session
    assert "> utils.py(6)add()\n-> return a + b / 1 / 1\n" in session
    assert "folder" not in session


def test_in_process_and_subprocess_tell_the_same_from_the_breakpoint_on():
    commands = ["b utils:13, value > 2", "c", "p value, total", "cl 1", "r"]
    here = transcript(demo.report, "apple", commands=[*commands, "q"])
    there = run_pdb(SCRIPT, [*commands, "q"])
    start = "> utils.py(13)mean()"
    assert here[here.index(start) :] == there[there.index(start) :]
    assert "--Return--\n> utils.py(14)mean()->6.0" in here


def test_standard_output_and_the_readers_settings_stay_out(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONBREAKPOINT", "0")
    (tmp_path / ".pdbrc").write_text("p 'from .pdbrc'\n")
    stop = demo_with(tmp_path, "    return total", "    breakpoint()\n    return total")
    (tmp_path / ".pdbrc").unlink()
    assert run_pdb(stop, ["p total", "c", "c"], door=()).startswith("> utils.py(")
    (tmp_path / ".pdbrc").write_text("p 'from .pdbrc'\n")
    assert ".pdbrc" not in transcript(demo.main, ["apple"], commands=["c"])
    assert transcript(demo.main, ["apple"], commands=["c"]).endswith("apple: 6.0\n")
    assert capsys.readouterr() == ("", "")


def test_stdin_and_stdout_are_put_back_even_after_an_error():
    before = sys.stdin, sys.stdout, sys.stderr
    with pytest.raises(ZeroDivisionError):
        transcript(demo.report, "plum", commands=["c"])
    transcript(demo.report, "apple", commands=["interact", "fruit"])
    assert before == (sys.stdin, sys.stdout, sys.stderr)


def test_sessions_leave_ctrl_c_to_the_reader():
    handler = signal.getsignal(signal.SIGINT)
    transcript(demo.report, "apple", commands=["b utils:13", "c", "c", "c", "c"])
    assert signal.getsignal(signal.SIGINT) is handler


def test_session_quits_when_commands_run_out():
    answers = []
    transcript(lambda: answers.append(demo.report("apple")), commands=["s"])
    assert answers == []
    transcript(lambda: answers.append(demo.report("apple")), commands=["c"])
    assert answers == ["apple: 6.0"]
    past = transcript(utils.add, 1, 2, commands=["r", "s"])
    assert "--Return--\n> utils.py(6)add()->3" in past


def test_changing_a_variable_changes_the_answer():
    answers = []
    commands = ["b utils:14", "c", "!total = sum(values)", "c"]
    transcript(lambda: answers.append(demo.report("apple")), commands=commands)
    assert answers == ["apple: 5.0"]


def test_demo_is_wrong_for_apples_right_for_pears_and_mended_by_one_word(tmp_path):
    assert run_pdb(SCRIPT, [], door=()) == "apple: 6.0\npear: 4.0\n"
    mended = demo_with(tmp_path, "add(value, value)", "add(total, value)")
    assert run_pdb(mended, [], door=()) == "apple: 5.0\npear: 4.0\n"


def test_shares_are_parts_of_the_sum():
    assert utils.shares([1, 1, 2]) == [0.25, 0.25, 0.5]


def test_page_shows_the_files_that_are_debugged():
    page = (ROOT / "python/debugging-with-pdb.md").read_text("utf-8")
    for path in (UTILS, SCRIPT):
        assert f"```{{literalinclude}} ../{path.relative_to(ROOT)}\n:caption: {path.name}" in page


def test_breakpoint_zero_changes_nothing(tmp_path):
    stop = demo_with(tmp_path, "    return total", "    breakpoint()\n    return total")
    silent = run_pdb(stop, [], door=(), environ={"PYTHONBREAKPOINT": "0"})
    assert silent == run_pdb(SCRIPT, [], door=())


def test_pytest_stops_where_a_test_fails(tmp_path):
    demo_with(tmp_path, "return a + b", "return b + a")
    test = tmp_path / "test_mean.py"
    test.write_text("from utils import mean\n\ndef test_mean():\n    assert mean([2]) == 3\n")
    door = ("-m", "pytest", "--pdb", "-p", "no:cacheprovider", "-p", "no:jaxtyping")
    session = run_pdb(test, ["p mean([2])", "q"], door=door)
    assert (
        "> test_mean.py(4)test_mean()\n-> assert mean([2]) == 3\n(Pdb) p mean([2])\n4.0" in session
    )


def test_post_mortem_shows_the_frames_of_the_exception_and_no_more():
    session = post_mortem_transcript(demo.report, "plum", commands=["w", "u", "u", "q"])
    assert session.count("(16)report()") == 2
    assert "*** Oldest frame" in session
    assert "test_debugging" not in session


# the two debuggers against pdb


class Recorder(pdb.Pdb):
    """pdb, noting where it stops for a command and at what."""

    def __init__(self, commands):
        typed = io.StringIO("".join(f"{c}\n" for c in commands))
        super().__init__(stdin=typed, stdout=io.StringIO(), nosigint=True, readrc=False)
        self.use_rawinput, self.stops, self.event = False, [], ""

    def user_call(self, frame, arg):
        self.event = "call"
        super().user_call(frame, arg)

    def user_line(self, frame):
        self.event = "line"
        super().user_line(frame)

    def user_return(self, frame, arg):
        self.event = "return"
        super().user_return(frame, arg)

    def user_exception(self, frame, found):
        self.event = "exception"
        super().user_exception(frame, found)

    def interaction(self, frame, found):
        if frame.f_globals["__name__"] == "bdb":  # behind the last return, in pdb itself
            return self.set_continue()
        self.stops.append(Stop(frame.f_code.co_name, frame.f_lineno, self.event))
        return super().interaction(frame, found)


def both(func, args, commands, breaks):
    """Where pdb and MiniPdb stop, and how the call ends under each."""
    stops, ends = [], []
    for make in (Recorder, MiniPdb):
        Breakpoint.clearBreakpoints()
        debugger, before = make(commands), sys.gettrace()
        for (file, line), how in breaks.items():
            debugger.set_break(str(file), line, **how)
        try:
            ends.append(debugger.runcall(func, *args))
        except Exception as error:
            ends.append(repr(error))
        finally:
            sys.settrace(before)
        stops.append(debugger.stops)
    Breakpoint.clearBreakpoints()
    return stops, ends


letters = st.lists(st.sampled_from("ssssnnnrrc"), max_size=30)


@given(
    letters,
    st.sampled_from(["apple", "pear", "plum", "fig"]),
    st.dictionaries(
        st.sampled_from([(UTILS, 6), (UTILS, 11), (UTILS, 13), (UTILS, 14), (SCRIPT, 16)]),
        st.fixed_dictionaries(
            {
                "temporary": st.booleans(),
                "cond": st.sampled_from([None, "True", "total > 2", "value == 9", "missing"]),
            }
        ),
        max_size=3,
    ),
)
def test_mini_pdb_stops_where_pdb_stops(commands, fruit, breaks):
    stops, ends = both(demo.report, [fruit], commands, breaks)
    assert stops[0] == stops[1]
    assert ends[0] == ends[1]


def programs(draw, depth=3):
    """Source of functions f0, f1, ... that loop, branch, raise, catch and call the next one."""
    lines = []
    for i in range(depth):
        lines.append(f"def f{i}(x):")
        lines.append(f"    x = x + {i}")
        for _ in range(draw(st.integers(1, 3))):
            call = f"f{i + 1}(x)" if i + 1 < depth else "x * 2"
            lines += draw(
                st.sampled_from(
                    [
                        [f"    x = {call}"],
                        ["    for k in range(2):", f"        x += {call}"],
                        ["    if x % 2:", f"        x = {call}", "    else:", "        x += 1"],
                        [
                            "    try:",
                            f"        x = {call} // (x % 3)",
                            "    except ZeroDivisionError:",
                            "        x = 7",
                        ],
                        [f"    x = 10 // ({call} % 4)"],
                        ["    while x > 5:", "        x -= 4"],
                    ]
                )
            )
        lines.append("    return x % 10")
    return "\n".join(lines) + "\n"


@given(st.data())
def test_mini_pdb_stops_where_pdb_stops_in_random_programs(tmp_path_factory, data):
    source = programs(data.draw)
    path = tmp_path_factory.getbasetemp() / "random_program.py"
    path.write_text(source)
    linecache.checkcache(str(path))
    names = {"__name__": "random_program"}
    exec(compile(source, str(path), "exec"), names)  # noqa: S102 - made by hypothesis
    code = [i for i, line in enumerate(source.splitlines(), 1) if "else" not in line]
    lines = data.draw(st.lists(st.sampled_from(code), max_size=2))
    breaks = {(path, n): {} for n in lines if not source.splitlines()[n - 1].endswith("try:")}
    stops, ends = both(names["f0"], [data.draw(st.integers(0, 9))], data.draw(letters), breaks)
    assert stops[0] == stops[1]
    assert ends[0] == ends[1]


def test_stepping_everywhere_stops_at_every_line_that_trace_counts():
    mini = MiniPdb("s" * 99)
    mini.runcall(demo.report, "apple")
    tracer = trace.Trace(count=1, trace=0)
    before = sys.gettrace()
    tracer.runfunc(demo.report, "apple")
    sys.settrace(before)
    counts = tracer.results().counts
    ours = {str(SCRIPT), str(UTILS)}
    lines = sum(count for (file, _), count in counts.items() if file in ours)
    assert lines == sum(stop.event == "line" for stop in mini.stops) == 16


def test_ignore_counts_down_as_in_pdb():
    for ignore in range(5):
        mini = MiniPdb()
        mini.set_break(UTILS, 13, ignore=ignore)
        mini.runcall(utils.mean, [2, 4, 9])
        commands = ["b utils:13", f"ignore 1 {ignore}", *"cccc"][: 6 - min(ignore, 3)]
        session = transcript(utils.mean, [2, 4, 9], commands=commands)
        assert session.count("> utils.py(13)mean()") == len(mini.stops) - 1 == max(3 - ignore, 0)


def test_mini_pdb_returns_what_the_function_returns_and_quits_quietly():
    assert MiniPdb().runcall(demo.report, "apple") == "apple: 6.0"
    assert MiniPdb("q").runcall(demo.report, "apple") is None
    assert MiniPdb("").runcall(demo.report, "apple") is None
    with pytest.raises(ZeroDivisionError):
        MiniPdb().runcall(demo.report, "plum")


def test_code_without_breakpoints_runs_untraced():
    seen = []
    mini = MiniPdb()
    mini.set_break(UTILS, 19)

    def look(value):
        seen.append(sys._getframe().f_trace)
        return value

    mini.runcall(lambda: [look(value) for value in range(3)])
    assert seen == [None] * 3


def test_in_generators_mini_pdb_stops_at_yields_and_pdb_does_not():
    def squares():
        for i in range(2):
            yield i * i

    def total():
        return sum(squares())

    stops, _ = both(total, [], "sssnnnnn", {})
    theirs, ours = ([stop.event for stop in each if stop.function == "squares"] for each in stops)
    assert ours.count("return") > theirs.count("return")
    assert MiniPdb().runcall(total) == 1


@since_312
@given(
    st.sampled_from([None, "value > 2", "total == 0", "missing"]),
    st.booleans(),
    st.integers(0, 3),
    st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_monitoring_pdb_stops_where_mini_pdb_stops(cond, temporary, ignore, values):
    found = []
    for debugger in (MiniPdb(), MonitoringPdb()):
        for line in (6, 13):
            how = {"cond": cond if line == 13 else None, "temporary": temporary, "ignore": ignore}
            debugger.set_break(UTILS, line, **how)
        assert debugger.runcall(utils.mean, values) == utils.mean(values)
        found.append(debugger.stops)
    assert found[0][1:] == found[1]  # MiniPdb stops on entry, too


@since_312
def test_monitoring_pdb_leaves_nothing_behind():
    tool = sys.monitoring.DEBUGGER_ID
    debugger = MonitoringPdb()
    debugger.set_break(UTILS, 13)
    for _ in range(2):  # DISABLE is undone for the next run
        debugger.stops.clear()
        debugger.runcall(utils.mean, [2, 4, 9])
        assert len(debugger.stops) == 3
    with pytest.raises(ZeroDivisionError):
        debugger.runcall(utils.mean, [])
    assert sys.monitoring.get_tool(tool) is None
    utils.mean([1, 2])
    assert len(debugger.stops) == 3


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="sys.monitoring exists")
def test_monitoring_pdb_says_which_python_it_needs():
    with pytest.raises(RuntimeError, match=r"needs Python 3\.12, this is 3\.11"):
        MonitoringPdb()


# remote


def remote(tmp_path, server, commands, value="apple"):
    """The session of a job that waits for commands, and what it printed."""
    host, port = server.getsockname()
    stop = f"    breakpoint({host!r}, {port})\n    return total"
    script = demo_with(tmp_path, "    return total", stop)
    hook = "snippets.python.debugging_with_pdb.remote_set_trace"
    environ = os.environ | {"PYTHONBREAKPOINT": hook, "PYTHONPATH": str(ROOT)}
    job = [sys.executable, "-W", "error", script, value]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    with subprocess.Popen(job, env=environ, **pipes) as process:
        try:
            return serve_commands(server, commands), process.communicate(timeout=60)[0]
        finally:
            process.kill()


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_remote_session_changes_the_answer_of_another_process(tmp_path, server):
    session, said = remote(tmp_path, server, ["p total", "!total = sum(values)", "c"])
    assert "(Pdb) p total\n18\n(Pdb) !total = sum(values)\n(Pdb) c\n" in session
    assert session.startswith("> utils.py(")
    assert said == "apple: 5.0\n"


def test_remote_session_carries_letters_of_several_bytes(tmp_path, server):
    """More than one piece of 4096 bytes, which ends inside a letter."""
    session, _ = remote(tmp_path, server, ["p 'a' + '梨' * 9000", "c"])
    assert "'a" + "梨" * 9000 + "'" in session


def test_remote_quit_ends_the_job(tmp_path, server):
    session, said = remote(tmp_path, server, ["w", "q"])
    assert "main(sys.argv[1:]" in session
    assert "BdbQuit" in said
    assert "ResourceWarning" not in said


def test_remote_faults_are_named(tmp_path, server):
    with pytest.raises(ValueError, match=r"never asked for \['p 1'\]"):
        remote(tmp_path, server, ["c", "p 1"])
    with pytest.raises(TimeoutError):
        serve_commands(server, [], timeout=0.05)
    with pytest.raises(TypeError, match="list of commands, got text 'c'"):
        serve_commands(server, "c")
    host, port = server.getsockname()
    server.close()
    with pytest.raises(ConnectionError, match=f"no debugger listens at {host}:{port}"):
        remote_set_trace(host, port)


# versions, costs, errors


def test_version_table_is_what_this_python_does():
    page = (ROOT / "python/debugging-with-pdb.md").read_text("utf-8")
    rows = re.findall(r"^\|(.*)\|$", page[page.index("| 问 |") :].split("\n\n")[0], re.M)
    head, _, *body = [[cell.strip() for cell in row.split(" | ")] for row in rows]
    column = head.index(f"{sys.version_info[0]}.{sys.version_info[1]}")
    assert [row[column].strip("`") for row in body] == list(version_facts().values())


def test_events_are_what_a_count_by_hand_gives():
    """n values: mean's 4 lines once or n times each, and add's one line n times."""
    for n in (1, 5, 100):
        numbers = list(range(n))
        lines = 1 + (n + 1) + n + 1 + n
        assert run.count_events(numbers) == {"call": n + 1, "line": lines, "return": n + 1}


def test_recorded_costs_tell_what_the_page_tells():
    from snippets.common import records

    slower = records.load("python/debugging-with-pdb").results["slower"]
    assert slower["none"]["pdb"] < 2
    assert slower["noop"]["function"] < slower["elsewhere"]["MiniPdb"]
    assert slower["elsewhere"]["MiniPdb"] < 0.5 * slower["elsewhere"]["pdb"]
    assert slower["condition"]["MiniPdb"] < 0.5 * slower["condition"]["pdb"]


def test_what_a_debugger_is_asked_wrongly_is_named(tmp_path):
    with pytest.raises(TypeError, match="expected a list of commands, got text 'nn'"):
        transcript(demo.report, "apple", commands="nn")
    with pytest.raises(ValueError, match=r"one line per command, got 'n\\nn'"):
        run_pdb(SCRIPT, ["n\nn"])
    with pytest.raises(ValueError, match=r"never asked for \['n', 'p 1'\]"):
        transcript(demo.report, "apple", commands=["c", "n", "p 1"])
    with pytest.raises(ValueError, match=r"never asked for \['p 1'\]"):
        run_pdb(SCRIPT, ["q", "p 1"])
    with pytest.raises(FileNotFoundError, match=r"no script 'nowhere\.py'"):
        run_pdb("nowhere.py", [])
    with pytest.raises(ValueError, match="report raised nothing"):
        post_mortem_transcript(demo.report, "apple", commands=["q"])
    with pytest.raises(ModuleNotFoundError, match=r"no sessions\.py in the demo"):
        import_demo("sessions")
    with pytest.raises(ValueError, match="expected 'value' once in the demo, found 12"):
        demo_with(tmp_path, "value", "x")
    forever = demo_with(tmp_path, "import sys", "import sys, time; time.sleep(600)")
    with pytest.raises(subprocess.TimeoutExpired):
        run_pdb(forever, ["c"], timeout=0.3)


@pytest.mark.parametrize("make", [MiniPdb, pytest.param(MonitoringPdb, marks=since_312)])
def test_impossible_breakpoints_are_named(make):
    debugger = make()
    for line in (2, 99, 0):
        with pytest.raises(ValueError, match=rf"no code at .*utils\.py:{line}$"):
            debugger.set_break(UTILS, line)
    with pytest.raises(ValueError, match="expected to ignore 0 hits or more, got -1"):
        debugger.set_break(UTILS, 13, ignore=-1)
    with pytest.raises(ValueError, match="not a condition: 'value ='"):
        debugger.set_break(UTILS, 13, cond="value =")


def test_unknown_commands_are_named():
    with pytest.raises(ValueError, match=r"expected one of .*, got 'x'"):
        MiniPdb("nx").runcall(demo.report, "apple")


def test_figures_draw_in_both_modes():
    from _ext import svg
    from snippets.python import debugging_with_pdb as module

    for name in ("figure_stops", "figure_cost"):
        (drawn,) = svg.draw(getattr(module, name))
        assert drawn.light != drawn.dark


def test_benchmark_runs_what_it_compares():
    from benchmarks.debugging_with_pdb import cases

    for name, ours, rival, target in cases():
        assert ours() == rival(), name
        assert target > 0


def test_a_keyboard_without_commands_is_at_its_end():
    screen = io.StringIO()
    keyboard = typed._Keyboard(["c"], screen)
    assert [keyboard.readline(), keyboard.readline()] == ["c\n", ""]
    assert screen.getvalue() == "c\n"
