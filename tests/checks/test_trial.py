"""The third check: generated code runs against tests, with limits, and can not end in our favour.

The programs are real and really run; each verdict is the parent's.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from assistant.checks import UNSANDBOXED, Limits, check, check_many, run_tests
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="tests run on POSIX systems only")

ADD = "def add(a, b):\n    return a + b\n"
QUICK = Limits(wall_s=40.0, cpu_s=1)


def verdict(code: str, tests: str = "assert True", limits: Limits = QUICK) -> tuple[Outcome, str]:
    return run_tests(code, parse_tests(tests, "test_it.py"), limits)


@pytest.mark.parametrize(
    ("code", "tests", "outcome", "detail"),
    [
        (ADD, "assert add(1, 2) == 3\nassert add(0, 0) == 0", Outcome.PASS, "2 asserts"),
        (ADD, "def test_one():\n    assert add(1, 2) == 3", Outcome.PASS, "1 test with 1 assert"),
        (
            "async def f():\n    return 1",
            "async def test_f():\n    assert await f() == 1",
            Outcome.PASS,
            "1 test",
        ),
        (
            ADD,
            "assert add(1, 1) == 2\nassert add(2, 2) == 5",
            Outcome.WRONG,
            "test_it.py line 2: assert add(2, 2) == 5 (left side: 4, right side: 5)",
        ),
        (ADD, "assert add(1, 1) == 3, 'one and one'", Outcome.WRONG, "(one and one)"),
        (
            ADD,
            "def check(f):\n    assert f(1, 1) == 3\ncheck(add)",
            Outcome.WRONG,
            "line 2: assert f(1, 1) == 3",
        ),
        (
            "def add(a, b):\n    return a / 0",
            "assert add(1, 1) == 3",
            Outcome.ERROR,
            "ZeroDivisionError: division by zero (line 2 of the code)",
        ),
        (ADD, "assert sub(1, 1) == 0", Outcome.ERROR, "NameError: name 'sub' is not defined"),
        ("import missing_module", "assert True", Outcome.ERROR, "standard library only"),
        (
            "def add(a, b):\n    assert a > b\n    return 0",
            "assert add(1, 2) == 3",
            Outcome.ERROR,
            "AssertionError (line 2 of the code)",
        ),
        ("def f(n):\n    return f(n)", "assert f(1)", Outcome.ERROR, "RecursionError"),
        ("import sys\nsys.exit(0)", "assert False", Outcome.ERROR, "SystemExit: 0"),
        ("raise KeyboardInterrupt", "assert True", Outcome.ERROR, "KeyboardInterrupt"),
        ("x = 'a' * 10**11", "assert True", Outcome.MEMORY, "memory limit"),
        (
            "def f():\n    kept = []\n    while True:\n        kept.append(bytes(1 << 25))",
            "assert f()",
            Outcome.MEMORY,
            "line 1: assert f()",
        ),
        ("while True:\n    pass", "assert True", Outcome.TIMEOUT, "1 s of processor time"),
        (
            "def f():\n    while True:\n        pass",
            "def test_slow():\n    assert f()",
            Outcome.TIMEOUT,
            "in test_slow",
        ),
        ("while True:\n    print('PASS')", "assert True", Outcome.OUTPUT_LIMIT, "64 KiB"),
        (
            "with open('big', 'wb') as f:\n    f.write(bytes(9 << 20))",
            "assert True",
            Outcome.OUTPUT_LIMIT,
            "a file grew",
        ),
        ("import os\nos._exit(0)", "assert False", Outcome.CRASH, "status 0"),
        (
            "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)",
            "assert True",
            Outcome.CRASH,
            "SIGSEGV",
        ),
        (
            "import os\nfor fd in range(3, 64):\n    try:\n        os.write(fd, b'passed\\n')\n"
            "    except OSError:\n        pass",
            "assert False",
            Outcome.PROTOCOL_VIOLATION,
            "result channel",
        ),
        (
            "import json, os\n"
            "line = json.dumps({'end': 'finished', 'asserts': 1, 'functions': []})\n"
            "for fd in range(3, 64):\n    try:\n        os.write(fd, line.encode() + b'\\n')\n"
            "    except OSError:\n        pass",
            "assert False",
            Outcome.PROTOCOL_VIOLATION,
            "no report",
        ),
        ("f = 1", "if f == 2:\n    assert True", Outcome.NOT_CHECKED, "no assert"),
    ],
)
def test_the_verdict_on(code: str, tests: str, outcome: Outcome, detail: str):
    found, said = verdict(code, tests)

    assert found == outcome, said
    assert detail in said


@pytest.mark.parametrize(
    "code",
    [
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\nP(1)",
        "import pickle\nclass P: ...\npickle.loads(pickle.dumps(P()))",
        "if __name__ == '__main__':\n    raise SystemExit('not when loaded')",
        "import threading\nt = threading.Thread(target=print)\nt.start(); t.join()",
        "import tempfile\nwith tempfile.TemporaryFile() as f: f.write(b'1')",
        "print('noise on stdout, far below the limit')",
        "def f():\n    raise ValueError('never called')",
    ],
)
def test_ordinary_code_is_not_in_the_way(code: str):
    assert verdict(code) == (Outcome.PASS, "1 assert held")


def test_a_sleeper_ends_at_the_wall_clock():
    outcome, detail = verdict("import time\ntime.sleep(60)", limits=Limits(wall_s=0.5))

    assert outcome is Outcome.TIMEOUT
    assert "0.5 s" in detail


def test_code_that_ignores_the_signal_of_its_limit_is_ended_all_the_same():
    code = "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass"

    assert verdict(code)[0] is Outcome.TIMEOUT


def test_no_process_of_the_code_outlives_the_verdict(tmp_path: Path):
    """A child that holds our pipes open neither delays the verdict nor survives it."""
    note = tmp_path / "pid"
    code = (
        "import os, time\n"
        f"pid = os.fork()\nif pid == 0:\n    time.sleep(60)\n"
        f"else:\n    open({str(note)!r}, 'w').write(str(pid))\n"
    )
    began = time.monotonic()
    outcome, _ = verdict(code)

    assert outcome is Outcome.PASS
    assert time.monotonic() - began < 5
    assert gone(int(note.read_text()))


def gone(pid: int) -> bool:
    """True once `pid` has ended; an orphan may stay a zombie until init reaps it."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        os.sched_yield()
    return False


def test_the_code_sees_an_empty_environment_a_folder_of_its_own_and_no_stdin(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "of the user")
    code = "import os, sys\nseen = dict(os.environ), os.listdir('.'), sys.stdin.read()"

    outcome, detail = verdict(code, "assert seen == ({}, [], '')")

    assert outcome is Outcome.PASS, detail


def test_sets_have_one_order_so_that_verdicts_repeat():
    code = "order = list({str(n) for n in range(50)})"
    tests = "print(order)\nassert order == sorted(order, key=hash)"

    assert len({verdict(code, tests) for _ in range(3)}) == 1
    first = verdict(code, "assert order == 1")[1]
    assert verdict(code, "assert order == 1")[1] == first


def test_threads_and_exit_handlers_of_the_code_do_not_delay_the_verdict():
    code = (
        "import atexit, threading, time\natexit.register(time.sleep, 60)\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()"
    )
    began = time.monotonic()

    assert verdict(code)[0] is Outcome.PASS
    assert time.monotonic() - began < 5


def test_setting_stop_ends_a_run_at_once():
    stop = threading.Event()
    timer = threading.Timer(0.3, stop.set)
    timer.start()
    began = time.monotonic()
    tests = parse_tests("assert True")
    outcome, detail = run_tests("import time; time.sleep(60)", tests, Limits(), stop)

    assert (outcome, detail) == (Outcome.NOT_CHECKED, "the check was cancelled")
    assert time.monotonic() - began < 5


def test_a_process_that_can_not_be_started_is_neither_pass_nor_fail(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    result = check(ADD, tests=parse_tests("assert add(1, 1) == 2"))

    assert result.outcome is Outcome.SANDBOX_UNAVAILABLE
    assert not result.outcome.failed
    assert "can not be started" in result.detail


class TestOrder:
    """The first finding is the verdict, and nothing runs without tests."""

    def test_code_without_tests_is_parsed_and_not_run(self, tmp_path: Path):
        mark = tmp_path / "ran"
        result = check(f"open({str(mark)!r}, 'w')")

        assert result.outcome is Outcome.PARSED
        assert result.layer == "none"
        assert not mark.exists()

    def test_what_does_not_parse_is_not_run(self):
        result = check("def f(:", tests=parse_tests("assert True"))

        assert (result.outcome, result.layer) == (Outcome.ERROR, "none")
        assert "SyntaxError at line 1" in result.detail

    def test_what_reads_unknown_names_is_not_run(self):
        result = check("def f(): return nope", tests=parse_tests("assert True"))

        assert (result.outcome, result.layer) == (Outcome.ERROR, "none")
        assert "nope is not defined" in result.detail

    def test_a_model_gone_astray_gives_a_short_detail(self):
        result = check("\n".join(f"print({'long' * 50}{n})" for n in range(300)))

        assert len(result.detail) < 400
        assert result.detail.endswith("; and 297 more")

    def test_with_tests_the_layer_says_that_there_is_no_sandbox(self):
        result = check(ADD, tests=parse_tests("assert add(1, 1) == 2"))

        assert (result.outcome, result.layer) == (Outcome.PASS, UNSANDBOXED)

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [({"verify": False}, "switched off"), ({"language": "rust"}, "rust")],
    )
    def test_not_checked_says_why(self, settings, reason: str):
        result = check("def f(:", **settings)

        assert result.outcome is Outcome.NOT_CHECKED
        assert reason in result.detail


def test_many_pairs_are_checked_in_their_order():
    pairs = [(f"def f(): return {n}", f"assert f() == {n - n % 5}") for n in range(30)]

    outcomes = [result.outcome for result in check_many(pairs, workers=2)]

    assert outcomes == [Outcome.WRONG if n % 5 else Outcome.PASS for n in range(30)]
