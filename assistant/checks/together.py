"""Tests beside the code in one process: whether a failure comes of how they were run.

Nothing of it is believed as a pass, because the code is in the process that reports.
"""

from __future__ import annotations

import enum
import json
import marshal
import threading
from dataclasses import replace
from pathlib import Path

from assistant.checks.interpreter import with_pytest
from assistant.checks.testfile import TestFile
from assistant.sandbox import Ended, Limits, Project, Sandbox, SandboxUnavailable

_INSIDE = Path(__file__).with_name("inside")
_PROGRAM = _INSIDE / "together.py"
_MORE = ("running.py", "pytesting.py")
_EVERY_VERSION = 4
"""The format of `marshal` that every Python since 3.4 reads."""


class Beside(enum.Enum):
    """What becomes of tests beside the code."""

    HOLD = enum.auto()
    REFUSED = enum.auto()
    """The system refused what they do, or a module is missing."""
    FAIL = enum.auto()
    """Also when it can not be told."""


def beside_the_code(
    code: str,
    tests: TestFile,
    limits: Limits,
    *,
    project: Project | None,
    stop: threading.Event,
) -> Beside:
    """Run tests in the process of the code.

    Args:
        code: a whole module, which `tests.modules` names first.
        tests: what it has to stand, for which a place is known.
        limits: of the process.
        project: what it may read.
        stop: set from another thread, it ends the run.
    """
    place = tests.place
    interpreter = with_pytest(project) if tests.pytest else None
    if place is None or project is None or (tests.pytest and interpreter is None):
        return Beside.FAIL
    shown = replace(project, interpreter=interpreter) if interpreter is not None else project
    root = project.root.resolve()
    setup = {
        "code": code,
        "file": place.code,
        "names": list(tests.modules),
        "folders": list(dict.fromkeys([*place.folders, str(root), str(root / "src")])),
        "tests": tests.source,
        "name": tests.name,
        "path": tests.path,
        "module": place.module,
        "conftests": list(place.conftests),
        "functions": list(tests.functions),
        "pytest": bool(tests.pytest),
        "plugins": project.interpreter is not None,
        "more": [(_INSIDE / file).read_text("utf-8") for file in _MORE],
    }
    try:
        with Sandbox(_PROGRAM, limits, project=shown, stop=stop) as box:
            box.send(marshal.dumps(setup, _EVERY_VERSION))
            told = json.loads(box.receive())
    except (Ended, SandboxUnavailable, ValueError):
        return Beside.FAIL
    return _read(told, tests)


def _read(told: object, tests: TestFile) -> Beside:
    if not isinstance(told, dict):
        return Beside.FAIL
    if told.get("refused") is True:
        return Beside.REFUSED
    ran = told.get("functions")
    if told.get("end") != "finished" or told.get("skipped") or not isinstance(ran, list):
        return Beside.FAIL
    all_ran = sorted(map(str, ran)) == sorted(tests.functions)
    return Beside.HOLD if all_ran else Beside.FAIL
