"""The verdict on a run, made from what the parent saw of it. Nothing runs here."""

from __future__ import annotations

import errno
import signal
import sys
import threading
from typing import Any

from assistant.checks.testfile import TestFile
from assistant.checks.trial import Limits, Observed, observe
from assistant.events import Outcome

UNSANDBOXED = "unsandboxed"
"""The layer of every verdict on code that ran: there is no sandbox around it yet."""


def run_tests(
    code: str,
    tests: TestFile,
    limits: Limits | None = None,
    stop: threading.Event | None = None,
) -> tuple[Outcome, str]:
    """Run `tests` against `code` and say what came of it, with one line for the user.

    Setting `stop` from another thread ends the run within a tenth of a second.
    """
    limits = limits or Limits()
    if sys.platform == "win32":
        return Outcome.NOT_CHECKED, "tests are run on Linux and macOS only so far"
    observed = observe(code, tests, limits, stop or threading.Event())
    return judge(observed, tests, limits)


def judge(seen: Observed, tests: TestFile, limits: Limits) -> tuple[Outcome, str]:
    """The verdict on what was observed."""
    setup = seen.problem or next((m["problem"] for m in seen.messages if "problem" in m), "")
    if setup or (not seen.messages and seen.ended not in ("protocol", "stopped")):
        return Outcome.SANDBOX_UNAVAILABLE, setup or "the checking process did not start"
    if seen.ended == "stopped":
        return Outcome.NOT_CHECKED, "the check was cancelled"
    if seen.ended == "protocol":
        return Outcome.PROTOCOL_VIOLATION, "bytes on the result channel that are no report"
    if seen.ended == "output":
        return Outcome.OUTPUT_LIMIT, f"printed more than {limits.output_kb} KiB {_where(seen)}"
    if seen.ended == "wall":
        return Outcome.TIMEOUT, f"not finished after {limits.wall_s:g} s {_where(seen)}"
    if seen.ended == "exit":
        return _judge_exit(seen, limits)
    last = seen.messages[-1]
    if last["end"] == "raised":
        return _judge_raised(last, tests)
    if list(tests.functions) != last.get("functions"):
        return Outcome.PROTOCOL_VIOLATION, "a report of tests that were not run"
    if not tests.functions and not last.get("asserts"):
        return Outcome.NOT_CHECKED, f"no assert of {tests.name} was reached"
    return Outcome.PASS, _count(last)


def _count(last: dict[str, Any]) -> str:
    functions, asserts = len(last["functions"]), last["asserts"]
    parts = [f"{functions} test{'s' * (functions != 1)}"] if functions else []
    parts += [f"{asserts} assert{'s' * (asserts != 1)}"] if asserts else []
    return " with ".join(parts) + " held"


def _where(seen: Observed) -> str:
    place = seen.messages[-1].get("at", "answer")
    known = {"answer": "while the code was loaded", "tests": "while the tests ran"}
    return known.get(place, f"in {place}")


def _judge_exit(seen: Observed, limits: Limits) -> tuple[Outcome, str]:
    code = seen.returncode or 0
    if code == -signal.SIGXCPU or (code == -signal.SIGKILL and seen.elapsed_s >= limits.cpu_s):
        return Outcome.TIMEOUT, f"used {limits.cpu_s} s of processor time {_where(seen)}"
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        return Outcome.CRASH, f"the process died of {name} {_where(seen)}"
    return Outcome.CRASH, f"the process ended with status {code} {_where(seen)}"


def _judge_raised(last: dict[str, Any], tests: TestFile) -> tuple[Outcome, str]:
    kind, message = str(last["type"]), str(last["message"])
    line, answer_line = int(last["tests_line"]), int(last["answer_line"])
    where = f"{tests.name} line {line}: {tests.line(line)[:200]}" if line else ""
    if kind == "MemoryError":
        return Outcome.MEMORY, _join("the memory limit was hit", where)
    if last.get("errno") == errno.EFBIG:
        return Outcome.OUTPUT_LIMIT, _join("a file grew beyond its limit", where)
    if kind == "AssertionError" and line and not answer_line:
        return Outcome.WRONG, _join(where, f"({message})" if message else "", " ")
    raised = f"{kind}: {message}" if message else kind
    raised += f" (line {answer_line} of the code)" if answer_line else ""
    if kind == "ModuleNotFoundError":
        raised += "; where tests run there is the standard library only"
    return Outcome.ERROR, _join(raised, where)


def _join(first: str, second: str, by: str = "; ") -> str:
    return f"{first}{by}{second}" if second else first
