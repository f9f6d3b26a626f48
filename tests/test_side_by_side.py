"""What runs the parts of the tests: every line is printed, a failure is not lost, nothing outlives its start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from app.bootstrap import ROOT
from tests.__main__ import PARTS
from tests.side_by_side import run_side_by_side


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_lines_carry_their_name_and_the_first_failure_ends_its_own_only(capfd):
    outcomes = run_side_by_side(
        {
            "first": [python("print('one')"), python("import sys; sys.exit(3)"), python("print('never')")],
            "no 2": [python("print('two', end='')"), python("print('three')")],
        }
    )
    assert [(outcome.name, outcome.status) for outcome in outcomes] == [("first", 3), ("no 2", 0)]
    assert [str(outcome).split(" (")[0] for outcome in outcomes] == ["first FAILED", "no 2 ok"]
    said = capfd.readouterr().out.splitlines()
    assert sorted(said) == ["first | one", "no 2  | three", "no 2  | two"]


def test_a_part_that_is_killed_has_failed():
    (outcome,) = run_side_by_side({"killed": [python("import os; os.kill(os.getpid(), 9)")]})
    assert outcome.status != 0


def test_with_one_at_a_time_they_follow_each_other(tmp_path):
    code = f"import time; open({str(tmp_path / 'log')!r}, 'a').write('<'); time.sleep(0.1)"
    code += f"; open({str(tmp_path / 'log')!r}, 'a').write('>')"
    run_side_by_side({name: [python(code)] for name in "abc"}, at_once=1)
    assert (tmp_path / "log").read_text() == "<><><>"


@pytest.mark.skipif(os.name == "nt", reason="sends signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_none_outlives_an_interruption(number):
    code = (
        "import signal, sys; from tests.side_by_side import run_side_by_side\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell may have left it ignored
        "sleeping = [[sys.executable, '-c', 'import time; time.sleep(60)']]\n"
        "run_side_by_side({'a': sleeping, 'b': sleeping, 'c': sleeping}, at_once=2)"
    )
    process = subprocess.Popen(python(code), cwd=ROOT, stderr=subprocess.DEVNULL)
    parent, deadline = psutil.Process(process.pid), time.monotonic() + 30
    while len(children := parent.children()) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(30) != 0
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)


def test_no_test_is_left_out():
    """What two parts leave out, they must be the ones to run."""
    own = {path for paths in PARTS.values() for path in paths if path.startswith("tests/")}
    left = {path.removeprefix("--ignore=") for path in PARTS["others"] if path.startswith("--ignore=")}
    assert PARTS["others"][0] == "tests"
    assert left == own
