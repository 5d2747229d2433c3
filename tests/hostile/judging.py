"""Judging one hostile program, with a look at everything that it must not have touched.

It runs in a process of its own per worker, so that all processes below it are the sandbox's.
"""

from __future__ import annotations

import copy
import ctypes
import os
import re
import resource
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from assistant.checks import apart
from assistant.checks.calls import Call, judge_calls
from assistant.checks.result import CheckResult
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import Layer, Limits
from assistant.sandbox.nursery import Nursery
from tests.hostile.program import Hostile, Token, Witness, matches
from tests.hostile.traces import changed, numbered, remove_system_v, traces
from tests.hostile.world import SECRET_VARIABLE, World, descendants, end, new_secret

LIMITS = Limits(cpu_s=2.0, wall_s=4.0)
"""Of a program that names no others; the rest is the default, as the corpus expects."""
_CALL_WALL_S = 2.5
_SLACK_S = 6.0
_GROWTH_KB = 300_000
_SUBREAPER = 36
NURSERY_VARIABLE = "HOSTILE_NURSERY"
"""Set, programs that are judged by calls run in a nursery."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one program came to in one layer."""

    name: str
    layer: str
    verdict: str
    detail: str
    problems: tuple[str, ...]
    seconds: float


class Judge:
    """The world of one judging process."""

    def __init__(self) -> None:
        # Whatever is orphaned below this process becomes its child, so it is seen.
        ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0)
        self.world = World(os.environ.get(SECRET_VARIABLE) or new_secret())
        self.folder = Path(tempfile.mkdtemp(prefix="judge-", dir=self.world.folder))
        tempfile.tempdir = str(self.folder)
        # One for all programs of this process, one after another.
        self.nursery = Nursery() if os.environ.get(NURSERY_VARIABLE) else None

    def close(self) -> None:
        """Take the world down."""
        if self.nursery is not None:
            self.nursery.close()
        self.world.__exit__(None, None, None)

    def judge(self, program: Hostile, layer: Layer) -> Finding:
        """Judge `program` in `layer` and look at what it left."""
        limits = replace(LIMITS, **program.limits)
        waiting = self._nursery_for(limits)
        before = traces(self.folder, self.world.key)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        calls = tuple(
            Call(copy.deepcopy(self._real(case.args)), self._real(case.expected))
            for case in program.calls
        )
        given = copy.deepcopy([call.args for call in calls])
        started = time.monotonic()
        result = self._result(program, calls, limits, layer)
        seconds = time.monotonic() - started
        same = self._nursery_for(limits) == waiting
        problems = self._left(before, same) + self._told(program, result)
        if result.layer != layer.value:
            problems.append(f"the verdict names the layer {result.layer}")
        if seconds > (program.within_s or limits.wall_s + _SLACK_S):
            problems.append(f"the judge took {seconds:.1f} s")
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - most > _GROWTH_KB:
            problems.append("the judge grew by more than 300 MB")
        if [call.args for call in calls] != given:
            problems.append("the arguments in the parent were changed")
        return Finding(
            program.name, layer.value, spelled(result), result.detail, tuple(problems), seconds
        )

    def _result(
        self, program: Hostile, calls: tuple[Call, ...], limits: Limits, layer: Layer
    ) -> CheckResult:
        source = source_in(program, self.world)
        if program.tests:
            tests = program.tests.replace("SECRET", repr(self.world.secret))
            return apart.run_tests(source, parse_tests(tests), limits, layer=layer)
        return judge_calls(
            source,
            "f",
            calls,
            limits=limits,
            call_cpu_s=program.call_cpu_s or limits.cpu_s,
            call_wall_s=program.call_wall_s or min(_CALL_WALL_S, limits.wall_s),
            layer=layer,
            nursery=self.nursery,
        )

    def _nursery_for(self, limits: Limits) -> tuple[int, ...]:
        """The processes of one that waits, started where the last was given up: no trace of the
        program; none without one."""
        if self.nursery is None:
            return ()
        self.nursery.prepare(limits)
        return self.nursery.pids

    def _left(self, before: dict[str, list[str]], same: bool) -> list[str]:
        """What it touched and what it left; unless the nursery is the same it has other pipes."""
        problems = [f"escaped: {what}" for what in self.world.changes().values()]
        left = descendants(os.getpid())
        left.pop(self.world.victim.pid, None)
        if self.nursery is not None:
            for pid in self.nursery.pids:
                left.pop(pid, None)
        if left:
            problems.append(f"survivors: {', '.join(left.values())}")
            end(left)
        after = traces(self.folder, self.world.key)
        problems += changed(before, after) if same else changed(numbered(before), numbered(after))
        remove_system_v(self.world.key)
        return problems

    def _told(self, program: Hostile, result: CheckResult) -> list[str]:
        """What the verdict itself gives away."""
        problems = []
        if program.witness is Witness.SECRET and result.outcome is Outcome.PASS:
            problems.append("escaped: it answered with the secret")
        if self.world.secret in result.detail and program.witness is not Witness.SECRET:
            problems.append("escaped: the secret is in the verdict")
        if not (result.detail + result.kind).isprintable():
            problems.append(f"the verdict draws on the terminal: {result.detail[:200]!r}")
        return problems

    def _real(self, value: Any) -> Any:
        if value is Token.SECRET:
            return self.world.secret
        if isinstance(value, tuple):
            return tuple(map(self._real, value))
        return value


def spelled(result: CheckResult) -> str:
    """The verdict as the corpus lists it."""
    error = result.outcome is Outcome.ERROR
    return f"{result.outcome.value} {result.kind}" if error else result.outcome.value


def source_in(program: Hostile, world: World) -> str:
    """The program, with the names of the world that it uses on a line before it."""
    used = {n: v for n, v in world.names().items() if re.search(rf"\b{n}\b", program.source)}
    head = "; ".join(f"{name} = {value!r}" for name, value in used.items())
    return f"{head}\n{program.source}" if head else program.source


def complaints(finding: Finding, program: Hostile, layer: Layer) -> list[str]:
    """Everything that is not as it has to be."""
    told = list(finding.problems)
    if not matches(finding.verdict, allowed := program.allowed(layer)):
        told.append(f"verdict {finding.verdict!r} ({finding.detail[:300]}), right: {allowed}")
    return told
