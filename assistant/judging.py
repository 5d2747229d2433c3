"""What is checked of one generated answer, and by which tests.

The first of these that there is decides: the tests that were given; the examples in the request
(`f(2) == 4`), which are the user's own tests as well; the doctests that stand in the code. Code
that needs names of the place it is meant for can not run by itself, and is parsed only.
"""

from __future__ import annotations

import ast
import asyncio
import re
import threading
from dataclasses import replace

from assistant.checks import check, parse_error, undefined_names
from assistant.checks.examples import Example, find_examples
from assistant.checks.result import NOTHING_RAN, CheckResult
from assistant.events import Outcome
from assistant.generation import AnswerOptions, Generation, names_given
from assistant.sandbox import layers
from assistant.tasks import Task, TaskKind

CALL_CPU_S = 2.0
"""Of one example in the request, in seconds of processor time."""
_NEEDS_ITS_PLACE = (
    "it parses and its names resolve; it needs names of its file, so it was not run by itself"
)
_WITH_EXAMPLES = (TaskKind.ASK, TaskKind.IMPLEMENT, TaskKind.REWRITE)
"""In the other requests are the words of a diagnostic, or none."""
_WORD = re.compile(r"[^\W\d]\w*")
_CLOSE = 1e-9
"""Relative; sums of floats in another order differ in their last digits."""


async def judged(generation: Generation) -> CheckResult:
    """The verdict on what was generated, in a thread so that the front end stays alive."""
    if generation.explains:
        result = CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, "an explanation is not checked")
    else:
        result = await _checked(generation.source, generation.task, generation.options)
    if note := generation.cut_off():
        result = replace(result, detail=f"{result.detail}; {note}")
    return result


async def _checked(source: str, task: Task, options: AnswerOptions) -> CheckResult:
    stop = threading.Event()
    try:
        if options.judge is not None and options.verify:
            return await asyncio.to_thread(options.judge, source, stop)
        return await asyncio.to_thread(judge, source, task, options, stop)
    finally:
        stop.set()


def judge(
    source: str, task: Task, options: AnswerOptions, stop: threading.Event | None = None
) -> CheckResult:
    """Check the code of an answer to `task`.

    Args:
        source: the code.
        task: the request; its examples count as tests.
        options: how to check.
        stop: set from another thread, it ends what runs.
    """
    result = _judge_once(source, task, options, stop)
    if result.outcome is Outcome.SANDBOX_UNAVAILABLE and layers():
        # The layer that worked before does not any more; there is another, which is named.
        result = _judge_once(source, task, options, stop)
    return result


def _judge_once(
    source: str, task: Task, options: AnswerOptions, stop: threading.Event | None
) -> CheckResult:
    known = options.known_names | names_given(task.request) | names_of(task)
    readable = options.verify and task.language == "python" and parse_error(source) is None
    if readable and options.tests is None and not undefined_names(source, known):
        if not runs_alone(source, known):
            return CheckResult(Outcome.PARSED, NOTHING_RAN, _NEEDS_ITS_PLACE)
        own = task.request if task.kind in _WITH_EXAMPLES else ""
        if examples := examples_for(source, own):
            return judge_examples(source, examples, stop)
    return check(
        source,
        language=task.language,
        known_names=known,
        tests=options.tests,
        verify=options.verify,
        stop=stop,
    )


def names_of(task: Task) -> frozenset[str]:
    """Names that the code of the task reads or binds: its file provides what it lacks itself."""
    return frozenset(_WORD.findall(task.code))


def runs_alone(source: str, known: frozenset[str]) -> bool:
    """Whether code that parses, and its doctests, need none of the names in `known`."""
    shown = "\n".join(_doctest_lines(ast.parse(source)))
    whole = f"{source}\n{shown}"
    if parse_error(whole) is not None:
        whole = source
    return known.isdisjoint(one.name for one in undefined_names(whole))


def _doctest_lines(tree: ast.Module) -> list[str]:
    """The statements of every doctest in the code that stand on one line."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    texts = [ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, kinds)]
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return [line[4:] for line in lines if line.startswith(">>> ") and parse_error(line[4:]) is None]


def examples_for(source: str, request: str) -> list[Example]:
    """The examples of the request that decide, for one function that the code defines.

    A method in a stub of its own is none: nobody can call it without its object.
    """
    defined = {
        node.name
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not (node.args.args and node.args.args[0].arg in ("self", "cls"))
    }
    return [one for one in find_examples(request) if one.decides and one.function in defined]


def judge_examples(
    source: str, examples: list[Example], stop: threading.Event | None = None
) -> CheckResult:
    """Run the code on the examples; equal is what Python's `==` calls so."""
    from assistant.checks.calls import Call, judge_calls
    from assistant.checks.compare import Equality

    done = 0
    result = CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, "the request holds no examples")
    for function in dict.fromkeys(one.function for one in examples):
        asked = [one for one in examples if one.function == function]
        result = judge_calls(
            source,
            function,
            [Call(one.args, one.expected, one.kwargs) for one in asked],
            equality=Equality.PYTHON,
            rel_tol=_CLOSE,
            abs_tol=max(one.tolerance for one in asked),
            nan_equal=True,
            call_cpu_s=CALL_CPU_S,
            stop=stop,
        )
        if result.outcome is not Outcome.PASS:
            return replace(result, detail=f"an example of the request: {result.detail}")
        done += len(asked)
    held = (
        "the example of the request holds"
        if done == 1
        else f"all {done} examples of the request hold"
    )
    return replace(result, detail=held)
