"""Two sandboxes and the way between them: one holds the answer, the other the tests.

    tests' process  --question-->  parent  --question, with a random id-->  answer's process
                    <--  answer --         <--  answer with that id  --

Exactly one of the two has the word at any time, so the parent waits for one frame of one process.
The tests' process gets plain data and numbers of objects; the answer's process gets arguments,
never the tests and never what they expect.
"""

from __future__ import annotations

import functools
import json
import marshal
import secrets
import sys
import threading
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.checks.instrument import Prepared
from assistant.checks.result import NOTHING_RAN
from assistant.checks.testfile import TestFile
from assistant.checks.wire import Unsound, read
from assistant.sandbox import Ended, Layer, Limits, Project, Sandbox

_INSIDE = Path(__file__).with_name("inside")
_PEER = _INSIDE / "peer.py"
_SHARED = ("codec.py", "links.py", "objects.py", "standins.py")
_MORE = {"tester.py": ("running.py", "pytesting.py", "operands.py")}
_EVERY_VERSION = 4
"""The format of `marshal` that every Python since 3.4 reads."""
_DEEPEST = 100
"""Questions within questions: callbacks that call the code that calls them."""


@dataclass(slots=True)
class Seen:
    """What the parent saw of one run."""

    layer: str = NOTHING_RAN
    at: str = "answer"
    """What was reached: `answer` while it was loaded, `tests`, or the name of a test."""
    in_code: bool = True
    """The code had the word, not the tests, when the run ended."""
    last: dict[str, Any] = field(default_factory=dict)
    """The last report of the tests' process."""
    raised: dict[str, Any] = field(default_factory=dict)
    """What loading the answer raised."""
    ended: Ended | None = None
    """Why a process was of no more use."""
    violation: str = ""
    """What the code's process sent that is no message."""


def observe(
    code: str,
    tests: TestFile,
    prepared: Prepared,
    limits: Limits,
    *,
    layer: Layer | None = None,
    stop: threading.Event | None = None,
    code_sees: Project | None = None,
    tests_see: Project | None = None,
) -> Seen:
    """Run `tests` against `code`, each in a sandbox of its own.

    Args:
        code: the answer.
        tests: what it has to stand.
        prepared: the tests, made ready.
        limits: of each process.
        layer: of isolation.
        stop: ends the run.
        code_sees: a project that the code's process may read.
        tests_see: the same for the tests' process; its interpreter has pytest if they need it.

    Raises:
        SandboxUnavailable: no layer of isolation works here.
    """
    seen = Seen()
    with ExitStack() as stack:
        subject, tester = (
            stack.enter_context(Sandbox(_PEER, limits, layer=layer, stop=stop, project=project))
            for project in (code_sees, tests_see)
        )
        seen.layer = subject.layer.value
        setup = {
            "code": prepared.code,
            "imports": prepared.scope.imports,
            "wanted": frozenset(prepared.scope.names),
            "fixed": frozenset(prepared.scope.fixed),
            "tested": prepared.scope.tested,
            "classes": prepared.scope.classes,
            "words": prepared.scope.words,
            "name": tests.name,
            "path": tests.path or tests.name,
            "conftests": list(tests.place.conftests) if tests.place is not None else [],
            "module": tests.place.module if tests.place is not None else "tests",
            "functions": list(tests.functions),
            "modules": list(tests.modules),
            "pytest": bool(tests.pytest),
            "plugins": not _is_ours(code_sees),
            "roots": _roots(tests_see, tests),
            "version": tuple(sys.version_info[:2]),
            "source": prepared.source,
            "asserts": prepared.asserts,
        }
        try:
            subject.send(_role("subject.py", _is_ours(code_sees)))
            tester.send(_role("tester.py", _is_ours(tests_see)))
            seen.in_code = False
            tester.send(marshal.dumps(setup, _EVERY_VERSION))
            wanted = sorted({*prepared.scope.names, *prepared.scope.tested})
            roots, file = _roots(code_sees, tests), tests.place.code if tests.place else ""
            asked = [code, _module_name(tests), {"t": wanted}, {"t": roots}, file]
            loaded = _load(subject, asked, seen)
            if loaded is not None:
                seen.in_code = False
                tester.send(loaded)
                _Talk(subject, tester, seen).run()
        except Ended as ended:
            seen.ended = ended
        except Unsound as unsound:
            seen.violation = str(unsound)
    return seen


def _module_name(tests: TestFile) -> str:
    """What the code is loaded as: never a module of the library, which it would replace there."""
    name = tests.modules[0] if tests.modules else "answer"
    return "answer" if name in sys.stdlib_module_names else name


def _roots(project: Project | None, tests: TestFile) -> list[str]:
    """Where modules of a project are found."""
    if project is None:
        return []
    root = project.root.resolve()
    folders = tests.place.folders if tests.place is not None else ()
    return list(dict.fromkeys([str(root), str(root / "src"), *folders]))


def _is_ours(project: Project | None) -> bool:
    """The interpreter inside is of our version for certain."""
    return project is None or project.interpreter is None


@functools.cache
def _role(name: str, compiled: bool) -> bytes:
    files = [_INSIDE / file for file in (*_SHARED, *_MORE.get(name, ()), name)]
    texts = [file.read_text("utf-8") for file in files]
    if not compiled:
        return marshal.dumps(texts, _EVERY_VERSION)
    return marshal.dumps([marshal.dumps(compile(text, "<peer>", "exec")) for text in texts])


def _load(subject: Sandbox, asked: list[Any], seen: Seen) -> bytes | None:
    """Have the code loaded: what the tests' process is told of it, or None when it raised."""
    token = secrets.token_hex(8)
    body = ["load", {"t": asked}]
    seen.in_code = True
    subject.send(_text(["?", token, [], [], [], body]))
    frame = read(subject.receive())
    if frame[:2] != ["=", token]:
        raise Unsound("an answer to no question")
    if frame[5][0] == "ok":
        return _text(frame)
    seen.raised = _described(frame[5])
    return None


def _described(body: list[Any]) -> dict[str, Any]:
    """The facts of an exception that did not reach the tests."""
    _, value, line = body
    inner = value.get("X") if isinstance(value, dict) else None
    if inner is None:
        raise Unsound("an exception that is none")
    _, kind, message, args = inner
    if not isinstance(message, str) or not isinstance(kind, dict) or not isinstance(args, list):
        raise Unsound("an exception that is none")
    name = kind["C"][1][0] if "C" in kind else kind.get("T")
    if not isinstance(name, str):
        raise Unsound("an exception that is none")
    errno = args[0] if args and type(args[0]) is int else None
    return {"type": name[:100], "message": message[:500], "answer_line": line, "errno": errno}


class _Talk:
    """The questions that are open, and who has the word."""

    def __init__(self, subject: Sandbox, tester: Sandbox, seen: Seen) -> None:
        self.subject, self.tester, self.seen = subject, tester, seen
        # The ids of open questions; an empty one is a question of the code to the tests.
        self.open: list[str] = []

    def run(self) -> None:
        """Carry frames until the tests' process has made its last report."""
        while not self.seen.last:
            if self.seen.in_code:
                self._from_code(read(self.subject.receive()))
            else:
                self._from_tests(read(self.tester.receive()))

    def _from_tests(self, frame: list[Any]) -> None:
        if frame[0] == "!":
            report = frame[1]
            if "end" in report:
                self.seen.last = report
            else:
                self.seen.at = str(report["at"])
            return
        if frame[0] == "?":
            self.open.append(secrets.token_hex(8))
            frame[1] = self.open[-1]
        else:
            self.open.pop()
        self.seen.in_code = True
        self.subject.send(_text(frame))

    def _from_code(self, frame: list[Any]) -> None:
        if frame[0] == "?":
            self.open.append("")
            if len(self.open) > _DEEPEST:
                raise Unsound(f"questions within questions, deeper than {_DEEPEST}")
        elif frame[0] == "=" and self.open and self.open[-1] and frame[1] == self.open[-1]:
            self.open.pop()
        else:
            raise Unsound("an answer to no question")
        frame[1] = ""
        self.seen.in_code = False
        self.tester.send(_text(frame))


def _text(frame: list[Any]) -> bytes:
    try:
        return json.dumps(frame).encode("ascii")
    except RecursionError:  # it could just be read
        raise Unsound("a message that is nested too deeply") from None
