"""The verdict on a function by calls: each answer is compared here, where expected values stay."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from assistant.checks import values
from assistant.checks.compare import Equality, same
from assistant.checks.program import Program, Stopped, packed_arguments
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.events import Outcome
from assistant.sandbox import Layer, Limits

_NAN = b'{"f": "nan"}'
_SHOWN = 120


@dataclass(frozen=True, slots=True)
class Call:
    """One call and what it must give."""

    args: tuple[Any, ...]
    expected: Any
    kwargs: Mapping[str, Any] = field(default_factory=dict)


def judge_calls(
    source: str,
    function: str,
    calls: Iterable[Call],
    *,
    limits: Limits | None = None,
    equality: Equality = Equality.STRICT,
    rel_tol: float = 0.0,
    abs_tol: float = 0.0,
    nan_equal: bool = False,
    call_cpu_s: float | None = None,
    call_wall_s: float | None = None,
    name: str = "answer",
    layer: Layer | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Load `source` in a fresh sandbox and make the calls in their order, until one fails.

    Args:
        source: a whole module.
        function: the dotted name of what is called.
        calls: at least one, else nothing is checked.
        limits: of the whole process; an answer may be as long as the limit on messages, or twice
            as long as the expected value.
        equality: when an answer is right, with the tolerances and `nan_equal` of `compare.same`.
        call_cpu_s: processor time that one call may take.
        call_wall_s: how long one call may take.
        name: what the module is importable as.
        layer: of isolation; by default the best that works here.
        stop: set from another thread, it ends the check.
    """
    started, used, done = time.monotonic(), NOTHING_RAN, 0

    def result(outcome: Outcome, detail: str, kind: str = "") -> CheckResult:
        return CheckResult(outcome, used, detail, kind, time.monotonic() - started)

    def agrees(text: bytes, call: Call) -> bool:
        return matches(
            text,
            call.expected,
            equality=equality,
            rel_tol=rel_tol,
            abs_tol=abs_tol,
            nan_equal=nan_equal,
        )

    shown = ""
    try:
        with Program(source, limits, name=name, layer=layer, stop=stop) as program:
            used = program.layer.value
            program.load(cpu_s=call_cpu_s, wall_s=call_wall_s)
            for call in calls:
                shown = f" in {_call(function, call)}"
                text = program.call_encoded(
                    function,
                    packed_arguments(call.args, call.kwargs),
                    cpu_s=call_cpu_s,
                    wall_s=call_wall_s,
                    max_bytes=_longest(call.expected, limits or Limits()),
                )
                if not agrees(text, call):
                    return result(Outcome.WRONG, f"{_difference(function, call, text)}")
                done += 1
    except Stopped as stopped:
        return result(stopped.outcome, stopped.detail + shown, stopped.kind)
    if not done:
        return result(Outcome.NOT_CHECKED, "there were no calls to make")
    return result(Outcome.PASS, f"{done} call{'s' * (done != 1)} gave what was expected")


def matches(
    text: bytes,
    expected: Any,
    *,
    equality: Equality = Equality.STRICT,
    rel_tol: float = 0.0,
    abs_tol: float = 0.0,
    nan_equal: bool = False,
) -> bool:
    """Whether an unread answer is what was expected.

    Raises:
        Stopped: it is no value at all.
    """
    try:
        if text == values.encode(expected) and (nan_equal or _NAN not in text):
            return True
        got = values.decode(text)
    except ValueError as error:
        detail = f"on the channel came a value that can not be read: {error}"
        raise Stopped(Outcome.PROTOCOL_VIOLATION, detail) from error
    return same(
        got,
        expected,
        equality=equality,
        rel_tol=rel_tol,
        abs_tol=abs_tol,
        nan_equal=nan_equal,
    )


def _longest(expected: Any, limits: Limits) -> int:
    return max(limits.message_kb << 10, 2 * len(values.encode(expected)) + 4096)


def _difference(function: str, call: Call, text: bytes) -> str:
    got, want = _short(values.decode(text)), _short(call.expected)
    return f"{_call(function, call)} gave {got}, expected {want}"


def _call(function: str, call: Call) -> str:
    parts = [repr(value) for value in call.args]
    parts += [f"{key}={value!r}" for key, value in call.kwargs.items()]
    text = ", ".join(parts)
    return f"{function}({text if len(text) <= _SHOWN else text[:_SHOWN] + '...'})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
