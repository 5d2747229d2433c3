"""The program inside the process that runs generated code; started as a script by `trial`.

    python worker.py REQUEST_FD RESULT_FD

It imports nothing of this package, so that the process starts quickly and holds nothing of
ours. It reads one JSON request, sets limits on itself, loads the code, runs the tests against
it, and reports facts, one JSON object a line, on a pipe of its own. Verdicts are made by the
parent. Everything here belongs to the code that runs: it can find the request and the pipe by
walking frames, and so forge a report. Only a sandbox with the tests in another process ends
that; until then the verdict's layer says `unsandboxed`.
"""

from __future__ import annotations

import ast
import json
import os
import resource
import sys
import types

# The type checker's own idiom: `typing` itself would cost every run its import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

ANSWER = "<answer>"
_MEBIBYTE = 1 << 20
# The soft memory limit is lifted by this much to report that it was hit.
_RESERVE = 64 * _MEBIBYTE


def main() -> None:
    """Read the request, run it, report."""
    request_fd, result_fd = int(sys.argv[1]), int(sys.argv[2])
    os.set_inheritable(result_fd, False)
    with os.fdopen(request_fd, "rb") as pipe:
        request = json.loads(pipe.read())
    report = _reporter(result_fd, request["nonce"])
    os.environ.clear()
    try:
        _limit(request["limits"])
    except (OSError, ValueError) as error:
        report(at="setup", problem=f"{type(error).__name__}: {error}")
        return
    report(at="answer")
    # The parent ends this process when it has the last message: no thread and no exit handler of
    # the code's can delay it.
    report(**_run(request, report))


def _reporter(fd: int, nonce: str) -> Callable[..., None]:
    """A function that sends one message; what it needs is bound before the code can change it."""
    write, dumps = os.write, json.dumps

    def report(**message: object) -> None:
        line = dumps({"nonce": nonce, **message}).encode("ascii", "replace") + b"\n"
        while line:
            line = line[write(fd, line) :]

    return report


def _limit(limits: dict[str, Any]) -> None:
    """Put the limits on this process; they hold for every process that it starts."""
    cpu, files = limits["cpu_s"], limits["file_mb"] * _MEBIBYTE
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (files, files))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _lower(resource.RLIMIT_NOFILE, limits["descriptors"])
    # Counts every process of the user, so the parent adds those that there are already.
    _lower(resource.RLIMIT_NPROC, limits["processes"])
    if sys.platform != "darwin":  # which refuses any value
        memory = limits["memory_mb"] * _MEBIBYTE + _own_size()
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory + _RESERVE))


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def _own_size() -> int:
    """Address space of this process in bytes, 0 where the system does not tell."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 (pathlib would cost its import)
            return int(file.read().split()[0]) * resource.getpagesize()
    except (OSError, ValueError):
        return 0


def _run(request: dict[str, Any], report: Callable[..., None]) -> dict[str, Any]:
    """Load the answer, run the tests, and return the facts of the last message."""
    counted: dict[str, Any] = {"asserts": 0, "functions": []}
    stage = ANSWER
    try:
        answer = _module("answer")
        exec(compile(request["code"], ANSWER, "exec", dont_inherit=True), vars(answer))
        stage = request["name"]
        tests = _module("tests")
        vars(tests).update({k: v for k, v in vars(answer).items() if k not in vars(tests)})
        _run_tests(request, vars(tests), counted, report)
    except BaseException as error:  # SystemExit and KeyboardInterrupt are findings, too
        return {"end": "raised", "stage": stage, **counted, **_facts(error, request["name"])}
    return {"end": "finished", **counted}


def _module(name: str) -> types.ModuleType:
    """An importable module, for the sake of dataclasses, pickle and `get_type_hints`."""
    module = sys.modules[name] = types.ModuleType(name)
    return module


def _run_tests(
    request: dict[str, Any],
    scope: dict[str, Any],
    counted: dict[str, Any],
    report: Callable[..., None],
) -> None:
    tree = _Counting().visit(ast.parse(request["tests"]))
    code = compile(ast.fix_missing_locations(tree), request["name"], "exec", dont_inherit=True)
    scope["__assistant_ran__"] = lambda: counted.update(asserts=counted["asserts"] + 1)
    scope["__assistant_sides__"] = _sides
    report(at="tests")
    exec(code, scope)
    for name in request["functions"]:
        report(at=name)
        result = scope[name]()
        if isinstance(result, types.CoroutineType):
            import asyncio

            asyncio.run(result)
        counted["functions"].append(name)


class _Counting(ast.NodeTransformer):
    """Counts the asserts that held, and lets `assert left == right` tell its two sides."""

    def visit_Assert(self, node: ast.Assert) -> list[ast.stmt]:
        ran = ast.Expr(ast.Call(ast.Name("__assistant_ran__", ast.Load()), [], []))
        compare = node.test
        if node.msg is None and isinstance(compare, ast.Compare) and len(compare.ops) == 1:
            names = ("__assistant_left__", "__assistant_right__")
            sides = (compare.left, compare.comparators[0])
            left, right = (
                ast.NamedExpr(ast.Name(name, ast.Store()), side)
                for name, side in zip(names, sides, strict=True)
            )
            node.test = ast.Compare(left, compare.ops, [right])
            loads: list[ast.expr] = [ast.Name(name, ast.Load()) for name in names]
            node.msg = ast.Call(ast.Name("__assistant_sides__", ast.Load()), loads, [])
        return [ast.copy_location(node, node), ast.copy_location(ran, node)]


def _sides(left: object, right: object) -> str:
    return f"left side: {_short(left)}, right side: {_short(right)}"


def _short(value: object, limit: int = 120) -> str:
    try:
        text = repr(value)
    except Exception as error:  # the repr of the code's own classes may do anything
        text = f"<{type(value).__name__} whose repr raises {type(error).__name__}>"
    return text if len(text) <= limit else text[:limit] + "..."


def _facts(error: BaseException, tests_name: str) -> dict[str, Any]:
    """What was raised and where: the deepest line of the tests, and whether the answer's own."""
    if isinstance(error, MemoryError) and hasattr(resource, "RLIMIT_AS"):
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    places, trace = [], error.__traceback__
    while trace is not None:
        places.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    in_tests = [line for name, line in places if name == tests_name]
    in_answer = [line for name, line in places if name == ANSWER]
    try:
        message = str(error)[:500]
    except Exception:
        message = ""
    return {
        "type": type(error).__name__[:100],
        "message": message,
        "tests_line": in_tests[-1] if in_tests else 0,
        "answer_line": in_answer[-1] if in_answer else 0,
        "errno": error.errno if isinstance(error, OSError) else None,
    }


if __name__ == "__main__":
    main()
