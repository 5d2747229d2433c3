"""The verdict on a module by the examples in its docstrings.

The examples are found and read here, by the standard library's own parser; each one's statement
runs inside, in order, and only what a console would have shown of it comes back. It is compared
here by the standard library's own rules, with the options that an example names (`ELLIPSIS`,
`NORMALIZE_WHITESPACE`, `SKIP`, `IGNORE_EXCEPTION_DETAIL` and the others of `doctest`). What an
example promises is not sent inside, neither with its statement nor with the module's source.

One rule is wider than `doctest`'s: an exception class of the module may be written with or without
the module's name, because nobody knows what a suggestion's module will be called.
"""

from __future__ import annotations

import ast
import threading
import time
import warnings
from typing import TYPE_CHECKING, Any

from assistant.checks.parsing import parse_error
from assistant.checks.program import Program, Stopped
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.outcomes import Outcome
from assistant.sandbox import Layer, Limits

if TYPE_CHECKING:
    import doctest

    from assistant.checks.docstrings import Docstring

_SHOWN = 120


def has_examples(source: str) -> bool:
    """Whether it is worth asking `judge_doctests`: certain when False, at no cost."""
    return ">>>" in source


def judge_doctests(
    source: str,
    function: str | None = None,
    *,
    limits: Limits | None = None,
    name: str = "answer",
    call_cpu_s: float | None = None,
    call_wall_s: float | None = None,
    layer: Layer | None = None,
    stop: threading.Event | None = None,
    started: Program | None = None,
) -> CheckResult:
    """Load `source` in a fresh sandbox and run its examples, until one fails.

    Args:
        source: a whole module.
        function: the dotted name of the only function or class whose examples count.
        limits: of the whole process.
        name: what the module is importable as.
        call_cpu_s: processor time that loading, or one example, may take.
        call_wall_s: how long loading, or one example, may take.
        layer: of isolation; by default the best that works here.
        stop: set from another thread, it ends the check.
        started: a program for this source that was started already, and loaded nothing; it is
            closed here.

    Returns:
        The verdict; `parsed` when no example shows a result, by the layer `none` when none is run.
    """
    began = time.monotonic()
    source = source.removeprefix("\ufeff")
    if (problem := parse_error(source)) is not None:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
    if not has_examples(source):
        return _nothing(function)
    used, ran, held, at, loaded = NOTHING_RAN, 0, 0, "", False

    def result(outcome: Outcome, detail: str, kind: str = "", line: int = 0) -> CheckResult:
        seconds = time.monotonic() - began
        return CheckResult(outcome, used, detail, kind, seconds, "" if loaded else "answer", line)

    try:
        # The process starts while the examples are looked for.
        program = started or Program(source, limits, name=name, layer=layer, stop=stop)
        with program:
            found = _found(source)
            chosen = [one for one in found if one.shown and _concerns(one.name, function)]
            if not any(_runs(example) for one in chosen for example in one.examples):
                return _nothing(function)
            used = program.layer.value
            program.source = _sent(source, found)
            program.load(cpu_s=call_cpu_s, wall_s=call_wall_s)
            loaded = True
            for group, one in enumerate(chosen):
                for example in filter(_runs, one.examples):
                    at = f"line {one.line(example)}: {_short(example.source)}: "
                    got, raised = _shown(program, group, example, call_cpu_s, call_wall_s)
                    if (failure := _failure(example, got, raised)) is not None:
                        outcome, detail, kind = failure
                        return result(outcome, f"line {one.line(example)}: {detail}", kind)
                    ran, held, at = ran + 1, held + bool(example.want), ""
    except Stopped as stopped:
        # The example that it happened in, where the code is the reason.
        where = at if stopped.outcome.failed else ""
        line = stopped.raised.line if stopped.raised is not None else 0
        return result(stopped.outcome, f"{where}{stopped.detail}", stopped.kind, line)
    if not held:
        return result(Outcome.PARSED, "its examples run, and none of them shows a result")
    return result(Outcome.PASS, f"{ran} example{'s' * (ran != 1)} gave what the docstring shows")


def _nothing(function: str | None) -> CheckResult:
    where = f"the docstring of {function} holds" if function else "its docstrings hold"
    return CheckResult(Outcome.PARSED, NOTHING_RAN, f"it parses; {where} no example to run")


def _found(source: str) -> list[Docstring]:
    # Imported late: the debugger that `doctest` brings along costs as much as the sandbox.
    from assistant.checks.docstrings import docstrings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return docstrings(ast.parse(source))


def _sent(source: str, found: list[Docstring]) -> str:
    from assistant.checks.docstrings import blanked

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return blanked(source, found)


def _concerns(name: str, function: str | None) -> bool:
    return function is None or name == function or name.startswith(f"{function}.")


def _runs(example: doctest.Example) -> bool:
    import doctest

    return not example.options.get(doctest.SKIP, False)


def _shown(
    program: Program,
    group: int,
    example: doctest.Example,
    cpu_s: float | None,
    wall_s: float | None,
) -> tuple[str, tuple[str, str, str] | None]:
    """What the example displays, and module, name and message of what it raises."""
    answer: Any = program.ask("example", group, example.source, cpu_s=cpu_s, wall_s=wall_s)
    text, raised = answer if type(answer) is tuple and len(answer) == 2 else (None, None)
    fine = raised is None or (
        type(raised) is tuple and len(raised) == 3 and all(type(part) is str for part in raised)
    )
    if type(text) is not str or not fine:
        detail = "on the channel came what no example displays"
        raise Stopped(Outcome.PROTOCOL_VIOLATION, detail)
    # The comparison has lines, as a console has.
    return (text if not text or text.endswith("\n") else text + "\n"), raised


def _failure(
    example: doctest.Example, got: str, raised: tuple[str, str, str] | None
) -> tuple[Outcome, str, str] | None:
    """Why the example does not hold, or None when it does."""
    import doctest

    flags = 0
    for flag, on in example.options.items():
        flags |= flag if on else 0
    statement = _short(example.source)
    check = doctest.OutputChecker().check_output
    if raised is None:
        if check(example.want, got, flags):
            return None
        shown = _short(got) if got else "nothing"
        wanted = _short(example.exc_msg or example.want) if example.want else "nothing"
        return Outcome.WRONG, f"{statement} gave {shown}, expected {wanted}", ""
    module, name, message = raised
    last = name.rpartition(".")[2]
    told = f"{name}: {message}" if message else name
    if example.exc_msg is None:
        if last == "MemoryError":
            return Outcome.MEMORY, f"{statement} hit the memory limit", last
        return Outcome.ERROR, f"{statement} raised {_short(told)}", last
    qualified = told if module in ("builtins", "__main__") else f"{module}.{told}"
    if any(check(example.exc_msg, f"{text}\n", flags) for text in (told, qualified)):
        return None
    if flags & doctest.IGNORE_EXCEPTION_DETAIL and _bare(example.exc_msg) == last:
        return None
    return Outcome.WRONG, f"{statement} raised {_short(told)}, not {_short(example.exc_msg)}", last


def _bare(told: str) -> str:
    """The name of the class alone: without its message and its module."""
    return told.partition("\n")[0].partition(":")[0].strip().rpartition(".")[2]


def _short(text: str) -> str:
    line = " / ".join(text.strip().splitlines())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "..."
