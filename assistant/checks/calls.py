"""The verdict on a function by calls: each answer is compared here, where expected values stay."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from assistant.checks import values
from assistant.checks.compare import Equality, same
from assistant.checks.program import Program, Stopped, decoded, packed_arguments
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome
from assistant.sandbox import Layer, Limits

if TYPE_CHECKING:
    from assistant.sandbox.nursery import Nursery

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
    nursery: Nursery | None = None,
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
        nursery: where its process comes from, see `assistant.sandbox.nursery`.

    Raises:
        TypeError: an argument or an expected value is no plain data.
        ValueError: such a value is nested too deeply, or holds too large an int.
    """
    started, used, done = time.monotonic(), NOTHING_RAN, 0

    def result(outcome: Outcome, detail: str, kind: str = "") -> CheckResult:
        return CheckResult(outcome, used, detail, kind, time.monotonic() - started)

    agrees = functools.partial(
        same, equality=equality, rel_tol=rel_tol, abs_tol=abs_tol, nan_equal=nan_equal
    )
    current: Call | None = None
    longest = (limits or Limits()).message_kb << 10
    try:
        with Program(source, limits, name=name, layer=layer, stop=stop, nursery=nursery) as program:
            used = program.layer.value
            program.load(cpu_s=call_cpu_s, wall_s=call_wall_s)
            for current in calls:
                wanted = values.encode(current.expected)
                text = program.call_encoded(
                    function,
                    packed_arguments(current.args, current.kwargs),
                    cpu_s=call_cpu_s,
                    wall_s=call_wall_s,
                    max_bytes=max(longest, 2 * len(wanted) + 4096),
                )
                # Equal texts are equal values, but for nan, which may not be asked to be.
                if text != wanted or (_NAN in text and not nan_equal):
                    got = decoded(text)
                    if not agrees(got, current.expected):
                        return result(Outcome.WRONG, _difference(function, current, got))
                done += 1
    except Stopped as stopped:
        where = f" in {_call(function, current)}" if current is not None else ""
        return result(stopped.outcome, stopped.detail + where, stopped.kind)
    if not done:
        return result(Outcome.NOT_CHECKED, "there were no calls to make")
    return result(Outcome.PASS, f"{done} call{'s' * (done != 1)} gave what was expected")


def _difference(function: str, call: Call, got: Any) -> str:
    return f"{_call(function, call)} gave {_short(got)}, expected {_short(call.expected)}"


def _call(function: str, call: Call) -> str:
    parts = [_short(value) for value in call.args]
    parts += [f"{key}={_short(value)}" for key, value in call.kwargs.items()]
    return f"{function}({_cut(', '.join(parts))})"


def _short(value: Any) -> str:
    try:
        return _cut(repr(value))
    except ValueError:  # an int of more digits than Python shows
        return f"a {type(value).__name__} that is too long to be shown"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
