"""`make stress`: it hands seeds and threads on, reports what fails and goes on."""

import os
import time

import pytest

from tests import stress

FAILING = """
import os, random, sys
def test_hash_seed(): assert os.environ["PYTHONHASHSEED"] == "3"
def test_threads(): assert os.environ["OMP_NUM_THREADS"] == "2"
"""


def test_failures_are_named_and_do_not_stop_the_rest(monkeypatch, capfd, tmp_path):
    (tmp_path / "test_it.py").write_text(FAILING)
    monkeypatch.setattr(stress, "DOCTEST", ["platform"])
    assert stress.main([3, 4], [1, 2], [], ["-p", "no:cacheprovider", str(tmp_path)]) == 3
    lines = capfd.readouterr().out.splitlines()
    reported = [line for line in lines if line.startswith("seed ")]
    assert reported == [
        "seed 3, 1 threads, doctest: passed",
        "seed 3, 1 threads, pytest: 1 failures",
        "seed 4, 1 threads, doctest: passed",
        "seed 4, 1 threads, pytest: 2 failures",
        "seed 3, 2 threads, doctest: passed",
        "seed 3, 2 threads, pytest: passed",
        "seed 4, 2 threads, doctest: passed",
        "seed 4, 2 threads, pytest: 1 failures",
    ]
    failed = sorted(line.split("::")[1].split(" ")[0] for line in lines if "FAILED" in line)
    assert failed == ["test_hash_seed"] * 2 + ["test_threads"] * 2


def test_a_run_that_dies_is_a_failure():
    (fault,) = stress.faults(["no_such_module"], seed=0, threads=1)
    assert fault.startswith("exit code 1: ")
    assert "No module named no_such_module" in fault


def test_the_faults_of_pages_are_found():
    text = "reading\n/a/nlp/ngram.md:12: ERROR: wrong outcome of\n    x\nExpected:\n    1\n"
    assert stress.FAULTS.findall(text) == ["/a/nlp/ngram.md:12: ERROR: wrong outcome of"]


def test_load_keeps_cores_busy_only_meanwhile(monkeypatch, tmp_path):
    def mark():
        (tmp_path / str(os.getpid())).touch()
        time.sleep(60)

    monkeypatch.setattr(stress, "spin", mark)
    with stress.load(2):
        until = time.monotonic() + 30
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < until:
            time.sleep(0.01)
    pids = [int(path.name) for path in tmp_path.iterdir()]
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
