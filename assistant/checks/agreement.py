"""Which of several answers behave alike: the evidence that is left when there are no tests.

Each answer runs in a sandbox of its own on the same inputs. Answers that give equal values and
raise exceptions of equal types group together; the largest group wins, within it the first
answer. Agreement is no pass: answers can share an error, and the verdict says so.

The rules, so that agreeing on nothing is not enough:

- An answer that gives no value at all, because every call raised, ran out of its limits or
  returned None, comes behind every answer that gives one, however many share its behaviour.
- Floats are compared to 12 significant digits, as sums in another order differ in the last ones.
- What was not run because an earlier call ended the process counts as such, and not as equal
  to anything that ran.
"""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from assistant.checks.examples import find_examples
from assistant.checks.inputs import MOST_INPUTS, Input, Parameter, inputs_for, parameters_of
from assistant.outcomes import Outcome
from assistant.sandbox import Limits

CALL_CPU_S = 1.0
LIMITS = Limits(cpu_s=3.0, wall_s=6.0)
"""Of all calls of one answer together; most need a few milliseconds."""
_DIGITS = 12


@dataclass(frozen=True, slots=True)
class Seen:
    """What one call did: a value in its canonical encoding, or the way in which it failed."""

    value: bytes | None = None
    failure: str = ""
    """`raised KIND`, an outcome such as `timeout`, or `not run`."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one answer did on every input, in their order."""

    seen: tuple[Seen, ...]
    layer: str = "none"

    @property
    def says_something(self) -> bool:
        """True when a call returned a value other than None."""
        return any(one.value not in (None, _NONE) for one in self.seen)


@dataclass(frozen=True, slots=True)
class Group:
    """Answers that behave alike, by their positions, the first one first."""

    members: tuple[int, ...]
    says_something: bool


def groups_of(behaviours: Sequence[Behaviour | None]) -> list[Group]:
    """The groups, the winning one first; None stands for an answer that was not run.

    Ordered by whether they say anything, by size, then by their first member; so the winner
    depends on what the answers do and on their order alone.
    """
    members: dict[tuple[Seen, ...], list[int]] = {}
    for position, behaviour in enumerate(behaviours):
        if behaviour is not None:
            members.setdefault(behaviour.seen, []).append(position)
    found = [
        Group(tuple(one), any(seen.value not in (None, _NONE) for seen in key))
        for key, one in members.items()
    ]
    return sorted(found, key=lambda one: (not one.says_something, -len(one.members), one.members))


@dataclass(frozen=True, slots=True)
class Questions:
    """What every answer is asked: one function, and the inputs for it."""

    function: str
    inputs: tuple[Input, ...]
    named: bool = True
    """The request says what the function is called; else an answer may call it otherwise."""


def questions_for(
    sources: Sequence[str], request: str, signature: str | None = None
) -> Questions | None:
    """The function to compare and inputs for it, or None when there is nothing to ask.

    The function is the one of the signature; without one that which most answers define. Its
    hints are those of the signature, or else those that most answers give. Ties go to what comes
    first in the alphabet, so that the order of the answers decides nothing. Inputs are first
    those of the examples in the request and in the answers, then made up.

    Args:
        sources: the answers; all of them parse.
        request: the user's words, or the stub.
        signature: the definition line that the request gives.
    """
    wanted = _definition(signature)
    defined = [functions_of(source) for source in sources]
    mains = [_main(one, request) for one in defined]
    name = wanted.name if wanted else _most_common(mains)
    if not name:
        return None
    named = wanted is not None or _is_named(name, request)
    shapes = [parameters_of(one[name]) for one in defined if name in one]
    if wanted and any(one.hint for one in parameters_of(wanted)):
        parameters = parameters_of(wanted)
    else:
        parameters = _most_common_shape(shapes) or (parameters_of(wanted) if wanted else ())
    docstrings = {ast.get_docstring(one[name]) or "" for one in defined if name in one}
    texts = [request, *sorted(docstrings)]
    examples = [
        Input(example.args, tuple(example.kwargs.items()))
        for text in texts
        for example in find_examples(text)
        if example.function == name
    ]
    different = {one.key: one for one in [*examples, *inputs_for(parameters)]}
    chosen = tuple(different.values())[:MOST_INPUTS]
    return Questions(name, chosen, named) if chosen else None


_Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions_of(source: str) -> dict[str, _Function]:
    """The functions that a module which parses defines at its top level, the last of a name."""
    body = ast.parse(source).body
    return {node.name: node for node in body if isinstance(node, _Function)}


def _definition(signature: str | None) -> _Function | None:
    if not signature:
        return None
    node = ast.parse(f"{signature} pass").body[0]
    return node if isinstance(node, _Function) else None


def _main(functions: dict[str, _Function], request: str) -> str:
    """The function that was asked for: named in the request, or the last that no other one uses."""
    public = [name for name in functions if not name.startswith("_")] or list(functions)
    if named := [name for name in public if _is_named(name, request)]:
        return named[0]
    used = {
        node.id
        for one in functions.values()
        for node in ast.walk(one)
        if isinstance(node, ast.Name) and node.id != one.name
    }
    free = [name for name in public if name not in used] or public
    return free[-1] if free else ""


def _is_named(name: str, request: str) -> bool:
    return f"`{name}" in request or f"{name}(" in request


def _function_in(source: str, questions: Questions) -> str:
    """What the function that is compared is called in this answer."""
    if questions.named:
        return questions.function
    functions = functions_of(source)
    return questions.function if questions.function in functions else _main(functions, "")


def _most_common(names: Sequence[str]) -> str:
    counted = {name: names.count(name) for name in names if name}
    return min(counted, key=lambda name: (-counted[name], name), default="")


def _most_common_shape(shapes: Sequence[tuple[Parameter, ...]]) -> tuple[Parameter, ...]:
    """The parameters with hints that most answers have; those without any when nobody has."""
    hinted = [one for one in shapes if any(parameter.hint for parameter in one)] or list(shapes)
    return min(hinted, key=lambda one: (-hinted.count(one), repr(one)), default=())


def behaviour_of(
    source: str, questions: Questions, *, stop: threading.Event | None = None
) -> Behaviour:
    """What the code does on every input, in a fresh sandbox.

    Raises:
        SandboxUnavailable: no layer of isolation works on this machine.
    """
    from assistant.checks.program import Program, Stopped
    from assistant.sandbox import SandboxUnavailable

    seen: list[Seen] = []
    layer = "none"
    function = _function_in(source, questions)
    try:
        with Program(source, LIMITS, stop=stop) as program:
            layer = program.layer.value
            program.load()
            for one in questions.inputs:
                seen.append(_asked(program, function, one))
    except Stopped as stopped:
        if stopped.outcome is Outcome.SANDBOX_UNAVAILABLE:
            raise SandboxUnavailable(stopped.detail) from stopped
        seen.append(Seen(failure=_failure(stopped)))
    missing = len(questions.inputs) - len(seen)
    return Behaviour((*seen, *[Seen(failure="not run")] * missing), layer)


def _asked(program: Any, function: str, one: Input) -> Seen:
    """One call; an exception of the code is an answer, the end of the process is not."""
    from assistant.checks.program import Stopped

    try:
        value = program.call(function, one.args, dict(one.kwargs), cpu_s=CALL_CPU_S)
    except Stopped as stopped:
        if stopped.outcome is not Outcome.ERROR:
            raise
        return Seen(failure=_failure(stopped))
    return Seen(value=canonical(value))


def _failure(stopped: Any) -> str:
    kind = f"raised {stopped.kind}" if stopped.outcome is Outcome.ERROR else stopped.outcome.value
    return str(kind)


def canonical(value: Any) -> bytes:
    """Equal for values that count as equal here: types apart, floats to 12 digits."""
    from assistant.checks.values import encode

    return encode(_rounded(value))


def _rounded(value: Any) -> Any:
    if type(value) is float and value - value == 0:
        return float(f"{value:.{_DIGITS}g}") + 0.0
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(map(_rounded, value))
    if type(value) is dict:
        return {_rounded(key): _rounded(one) for key, one in value.items()}
    return value


_NONE = b"null"
