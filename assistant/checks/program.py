"""One answer, loaded in a fresh sandbox and asked questions; nothing that it says is trusted.

A question is a frame with a random id; only an answer that carries this id, in the exact shape
that the worker gives it, is read. Whatever else comes is a protocol violation, whatever ends the
process is an outcome, and what comes back as a value is plain data (`assistant.checks.values`).
"""

from __future__ import annotations

import functools
import marshal
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from assistant.checks import values
from assistant.checks.result import MOST_KIND, shown
from assistant.outcomes import Outcome
from assistant.sandbox import Ended, Ending, Layer, Limits, Sandbox, SandboxUnavailable
from assistant.sandbox.setup import compiled

if TYPE_CHECKING:
    from assistant.checks.projects import Module
    from assistant.sandbox.nursery import Nursery

_INSIDE = Path(__file__).with_name("inside")
_WORKER = _INSIDE / "worker.py"
_MESSAGE = 1000
"""Characters of an exception's message that a verdict repeats."""
_MOST_LINES = 1 << 31
_NATIVE = (type(None), bool, int, float, complex, str, bytes, tuple, list, set, frozenset, dict)


class Stopped(Exception):
    """The answer gave no value: why, as the verdict says it.

    Args:
        outcome: never `pass`.
        detail: one sentence for a person; what the code said is escaped (`result.shown`).
        kind: the type of what was raised, for the outcome `error`.
        raised: all that is known of what was raised.
        exited: whether the process has ended of its own accord, with any status.
        share: of a timeout by processor time: that time by what the clock on the wall showed
            meanwhile; near 1 the program had a core of its own. 0 for any other timeout.
    """

    def __init__(
        self,
        outcome: Outcome,
        detail: str,
        kind: str = "",
        raised: Raised | None = None,
        exited: bool = False,
        share: float = 0.0,
    ) -> None:
        self.outcome, self.raised = outcome, raised
        self.detail, self.kind = shown(detail), shown(kind, MOST_KIND)
        super().__init__(self.detail)
        self.exited, self.share = exited, share


class Raised:
    """An exception of the answer's, as data: nothing of it is an object of the answer."""

    __slots__ = ("bases", "kind", "line", "message")

    def __init__(self, fields: Any) -> None:
        kind, bases, message, line = fields
        if not (type(kind) is type(message) is str and type(bases) is list and type(line) is int):
            raise ValueError("an exception of another shape")
        if not 0 <= line <= _MOST_LINES:
            raise ValueError("an exception on a line that no code has")
        self.kind: str = kind
        self.bases: list[type] = [base for base in bases if isinstance(base, type)]
        """The built-in types above it, the nearest first."""
        self.message: str = message
        self.line: int = line
        """The deepest line of the answer that it came through, from 1; 0 when there is none."""

    @property
    def stopped(self) -> Stopped:
        """What a check says of it."""
        if MemoryError in self.bases:
            return Stopped(Outcome.MEMORY, "the memory limit was hit", "MemoryError", self)
        kind, message = shown(self.kind, MOST_KIND), shown(self.message, _MESSAGE)
        told = f"{kind}: {message}" if message else kind
        told += f" (line {self.line} of the code)" if self.line else ""
        if self.kind == "ModuleNotFoundError":
            told += "; inside the sandbox there is the standard library only"
        return Stopped(Outcome.ERROR, told, kind, self)


class Program:
    """One answer in a fresh sandbox; use it as a context manager, or call `close`.

    Args:
        source: the answer, a whole module.
        limits: of its process.
        name: what it is importable as inside.
        layer: of isolation; by default the best that works here.
        project: a folder that it may read, see `assistant.sandbox`.
        within: the module of a project that the answer takes the place of.
        stop: set from another thread, it ends the run.
        stdin: what its standard input holds.
        nursery: where its process comes from, see `assistant.sandbox.nursery`.
    """

    def __init__(
        self,
        source: str,
        limits: Limits | None = None,
        *,
        name: str = "answer",
        layer: Layer | None = None,
        project: Any = None,
        within: Module | None = None,
        stop: threading.Event | None = None,
        stdin: bytes = b"",
        nursery: Nursery | None = None,
    ) -> None:
        # A byte order mark at the start of a file is no part of the program.
        self.source = source.removeprefix("\ufeff")
        self._within = within
        more = {} if project is None else {"project": project}
        if nursery is not None:
            more["nursery"] = nursery
        try:
            self._box = Sandbox(_WORKER, limits, layer=layer, stdin=stdin, stop=stop, **more)
        except SandboxUnavailable as error:
            raise _no_sandbox(error) from error
        self.layer: Layer = self._box.layer
        try:
            own = project is None or project.interpreter is None
            self._box.send(codec() if own else _codec_text())
            self._box.send(marshal.dumps(within.name if within is not None else name))
        except Ended as ended:
            self.close()
            raise outcome_of(ended) from ended
        except SandboxUnavailable as error:
            self.close()
            raise _no_sandbox(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; returns when nothing of it is left."""
        self._box.__exit__(None, None, None)

    def load(self, *, cpu_s: float | None = None, wall_s: float | None = None) -> None:
        """Run the module.

        Raises:
            Stopped: it did not run to its end.
        """
        asked: tuple[Any, ...] = ("load", self.source)
        if (within := self._within) is not None:
            asked = ("load_within", self.source, within.name, list(within.folders), within.file)
        self.ask(*asked, cpu_s=cpu_s, wall_s=wall_s)

    def run(self) -> bytes:
        """Run it as the main program to its end; what it printed.

        Leaving by `sys.exit` or `os._exit` is an end like any other, whatever the status.

        Raises:
            Stopped: an exception was not caught, a signal ended it, or a limit was overstepped.
        """
        try:
            self.ask("main", self.source)
        except Stopped as stopped:
            if not stopped.exited:
                raise
        else:
            raise _violation("the end of a program that has not ended")
        try:
            return self._box.stdout
        except Ended as ended:
            raise outcome_of(ended) from ended

    def call(
        self,
        function: str,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Any:
        """What `function` (a dotted name) gives for plain arguments; a coroutine is awaited.

        Raises:
            Stopped: it raised, gave no plain data, or the process is of no more use.
            TypeError: an argument is no plain data.
        """
        packed = packed_arguments(args, kwargs)
        return decoded(
            self.call_encoded(function, packed, cpu_s=cpu_s, wall_s=wall_s, max_bytes=max_bytes)
        )

    def call_encoded(
        self,
        function: str,
        packed: bytes,
        *,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """As `call`, with arguments from `packed_arguments`, and the value's text unread.

        Equal texts of `values.encode` mean equal values; any other text is a stranger's, which
        `values.decode` reads or refuses.
        """
        question = os.urandom(8).hex()
        return self._exchange(
            question,
            marshal.dumps((question, "call", function, packed)),
            cpu_s,
            wall_s,
            max_bytes,
        )

    def ask(
        self,
        operation: str,
        *operands: Any,
        cpu_s: float | None = None,
        wall_s: float | None = None,
        max_bytes: int | None = None,
    ) -> Any:
        """The value that an operation of the worker gives; operands as `marshal` carries them.

        Raises:
            Stopped: it raised, gave no plain data, or the process is of no more use.
        """
        question = os.urandom(8).hex()
        frame = marshal.dumps((question, operation, *operands))
        return decoded(self._exchange(question, frame, cpu_s, wall_s, max_bytes))

    def _exchange(
        self,
        question: str,
        frame: bytes,
        cpu_s: float | None,
        wall_s: float | None,
        max_bytes: int | None,
    ) -> bytes:
        self.send(frame)
        return self.answer(question, cpu_s, wall_s, max_bytes)

    def send(self, *questions: bytes) -> None:
        """Send questions (`Sandbox.send`); each has its `answer` awaited, in the same order.

        Raises:
            Stopped: the process is of no more use.
        """
        try:
            self._box.send(*questions)
        except Ended as ended:
            raise outcome_of(ended) from ended
        except SandboxUnavailable as error:  # it did not come to its start
            raise _no_sandbox(error) from error

    def answer(
        self, question: str, cpu_s: float | None, wall_s: float | None, max_bytes: int | None
    ) -> bytes:
        """The text of the value in the next answer, which has to be one to `question`.

        Raises:
            Stopped: it is none, or the process is of no more use.
        """
        try:
            answer = self._box.receive(cpu_s, wall_s, max_bytes)
        except Ended as ended:
            raise outcome_of(ended) from ended
        except SandboxUnavailable as error:  # it did not come to its start
            raise _no_sandbox(error) from error
        head = b'{"id": "' + question.encode("ascii") + b'", "'
        if not answer.startswith(head) or not answer.endswith(b"}"):
            raise _violation("an answer to no question")
        start = len(head)
        if answer.startswith(b'value": ', start):
            return answer[start + 8 : -1]
        if not answer.startswith(b'raised": ', start):
            raise _violation("an answer that is neither a value nor an exception")
        try:
            raised = Raised(values.decode(answer[start + 9 : -1]))
        except (ValueError, TypeError) as error:
            raise _violation(f"an exception that can not be read: {error}") from error
        raise raised.stopped


def decoded(text: bytes) -> Any:
    """The value that an answer's text stands for.

    Raises:
        Stopped: it is no value: a protocol violation.
    """
    try:
        return values.decode(text)
    except ValueError as error:
        raise _violation(f"a value that can not be read: {error}") from error


def _no_sandbox(error: SandboxUnavailable) -> Stopped:
    return Stopped(Outcome.SANDBOX_UNAVAILABLE, error.sentence)


def _violation(detail: str) -> Stopped:
    return Stopped(Outcome.PROTOCOL_VIOLATION, f"on the channel came {detail}")


def packed_arguments(args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> bytes:
    """Arguments as `Program.call_encoded` takes them; each call unpacks its own copy.

    Raises:
        TypeError: an argument is no plain data.
        ValueError: an argument is nested too deeply or too large.
    """
    native = tuple(args), dict(kwargs or {})
    if all(map(_is_native, native)):
        return marshal.dumps(native)
    trees = [values.parse(values.encode(part)) for part in native]
    return marshal.dumps(("tagged", *trees))


def _is_native(value: Any) -> bool:
    """Whether `marshal` carries `value` as it is."""
    pending = [value]
    while pending:
        item = pending.pop()
        kind = type(item)
        if kind not in _NATIVE:
            return False
        if kind is dict:
            pending += item.keys()
            pending += item.values()
        elif kind in (list, tuple, set, frozenset):
            pending += item
    return True


@functools.cache
def codec() -> bytes:
    """The frame that gives a program inside the functions `encode` and `decode`."""
    return marshal.dumps(compiled(_INSIDE / "codec.py", "<codec>"))


@functools.cache
def _codec_text() -> bytes:
    """The same for another Python, to which our compiled code means nothing."""
    return marshal.dumps((_INSIDE / "codec.py").read_text("utf-8"))


def outcome_of(ended: Ended) -> Stopped:
    """The outcome that the end of a sandboxed process means."""
    if ended.ending in (Ending.CPU, Ending.WALL):
        return Stopped(Outcome.TIMEOUT, ended.detail, share=ended.share)
    if ended.ending is Ending.OUTPUT:
        return Stopped(Outcome.OUTPUT_LIMIT, ended.detail)
    if ended.ending is Ending.MESSAGE:
        return Stopped(Outcome.PROTOCOL_VIOLATION, ended.detail)
    if ended.ending is Ending.STOPPED:
        return Stopped(Outcome.NOT_CHECKED, ended.detail)
    status = ended.status
    if status is None:
        return Stopped(Outcome.CRASH, "the process closed its channel before the last answer")
    if status == -signal.SIGXCPU:
        return Stopped(Outcome.TIMEOUT, ended.detail)
    if -status in signal.valid_signals():
        name = signal.strsignal(-status) or ""
        return Stopped(Outcome.CRASH, f"the process died of signal {-status} ({name})")
    detail = f"the process ended with status {status} before the last answer"
    return Stopped(Outcome.CRASH, detail, exited=True)
