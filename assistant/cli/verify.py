"""`assistant verify`: run the checks on a file in the sandbox, and print the verdict."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING

from assistant.cli.layout import layout
from assistant.errors import UsageProblem

if TYPE_CHECKING:
    from pathlib import Path

    from assistant.checks.program import Program
    from assistant.checks.result import CheckResult
    from assistant.cli.sourcefile import SourceFile
    from assistant.sandbox import Layer, Project

NOT_PASSED = 3
NO_SANDBOX = 4

_EPILOG = """\
exit codes: 0 pass, 3 not passed, 4 no sandbox works on this machine, 1 error, 2 wrong usage,
130 interrupted.

examples:
  assistant verify median.py                     the doctests in it
  assistant verify stats.py::median              those of one function
  assistant verify median.py --tests test_median.py
  assistant verify app/cart.py --tests tests/test_cart.py --project .
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "verify",
        help="check a file in the sandbox: it parses, its names resolve, its tests hold",
        description="Check Python code in the sandbox and print the verdict: it parses, its names "
        "resolve, and its tests or doctests hold.",
        epilog=_EPILOG,
        formatter_class=layout,
        allow_abbrev=False,
    )
    parser.add_argument(
        "file",
        metavar="FILE[::FUNCTION]",
        help="the code, - for stdin; with a FUNCTION its doctests only",
    )
    parser.add_argument(
        "--tests",
        metavar="FILE",
        help="run FILE against it in place of the doctests: plain asserts, test_* functions or "
        "pytest tests. The code is importable by its own name",
    )
    parser.add_argument(
        "--project",
        metavar="DIR",
        help="let the check read DIR, secrets masked, and import from it",
    )
    parser.add_argument(
        "--python",
        metavar="PROGRAM",
        help="the interpreter of the project; by default that of its .venv or venv, if it has one",
    )
    parser.add_argument(
        "--json", action="store_true", help='print {"verdict", "layer", "detail"} as JSON'
    )


def run(args: argparse.Namespace) -> int:
    """Check the file and print the verdict."""
    result = _result(args)
    if args.json:
        import json

        body = {"verdict": result.outcome.value, "layer": result.layer, "detail": result.detail}
        print(json.dumps(body))
    else:
        from assistant.cli.terminal import verdict_line, visible

        print(visible(verdict_line(result.outcome.value, result.layer, result.detail)))
    return exit_code(result)


def _result(args: argparse.Namespace) -> CheckResult:
    from dataclasses import replace

    from assistant.checks.result import NOTHING_RAN, CheckResult
    from assistant.cli.sourcefile import read_source
    from assistant.outcomes import Outcome

    if args.python is not None and args.project is None:
        raise UsageProblem(
            "--python is the interpreter of a project.", hint="Name the project: --project DIR"
        )
    path, function = _split(args.file)
    source = read_source(path)
    if source.problem:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, source.problem)
    if function is not None and source.language == "python":
        _check_function(source, path, function)
    result = _checked(source, function, args)
    if result.outcome is Outcome.SANDBOX_UNAVAILABLE and _layers():
        # The layer that worked before does not any more; there is another, which is named.
        result = _checked(source, function, args)
    if result.kind == "ModuleNotFoundError" and args.project is None:
        return replace(result, detail=f"{result.detail}; if it is the project's: --project DIR")
    if result.kind == "ModuleNotFoundError" and _interpreter(args) is None:
        hint = "if another Python of the project's has it: --python PROGRAM"
        return replace(result, detail=f"{result.detail}; {hint}")
    return result


def _layers() -> tuple[Layer, ...]:
    from assistant.sandbox import layers

    return layers()


def _split(given: str) -> tuple[str, str | None]:
    """The path and the function; a file whose own name holds "::" is found, too."""
    path, mark, function = given.rpartition("::")
    if not mark or not path or os.path.exists(given):  # noqa: PTH110 (pathlib costs its import)
        return given, None
    if not function:
        raise UsageProblem(f"{given} names no function.", hint="Write FILE::FUNCTION.")
    return path, function


def _check_function(source: SourceFile, path: str, function: str) -> None:
    """Refuse a name that the file does not define; a file that does not parse is judged as such.

    Raises:
        UsageProblem: there is no such function.
    """
    from assistant.checks.parsing import parse_error

    if parse_error(source.text) is not None:
        return
    defined = _definitions(source.text)
    if function in defined:
        return
    import difflib

    near = difflib.get_close_matches(function, defined, n=3)
    if near:
        hint = f"Did you mean {' or '.join(f'{path}::{name}' for name in near)}?"
    elif defined:
        more = ", ..." if len(defined) > 8 else ""
        hint = f"It defines {', '.join(defined[:8])}{more}."
    else:
        hint = "It defines no function."
    raise UsageProblem(f"{path} has no function {function}.", hint=hint)


def _definitions(text: str) -> list[str]:
    """The dotted names of all functions and classes at module level and in classes."""
    import ast

    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    found: list[str] = []
    pending: list[tuple[str, ast.stmt]] = [("", node) for node in ast.parse(text).body]
    while pending:
        prefix, node = pending.pop(0)
        if isinstance(node, kinds):
            found.append(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                pending += [(f"{prefix}{node.name}.", inner) for inner in node.body]
    return found


def _checked(source: SourceFile, function: str | None, args: argparse.Namespace) -> CheckResult:
    if args.tests is not None or source.language != "python":
        return _with_tests(source, args)
    return _with_doctests(source, function, args)


def _project(args: argparse.Namespace) -> Project | None:
    if args.project is None:
        return None
    from assistant.checks.projects import project_at

    return project_at(_path(args.project), _interpreter(args))


def _interpreter(args: argparse.Namespace) -> Path | None:
    """The one that is named, or that of the virtual environment in the project's folder."""
    from assistant.checks.projects import interpreter_of

    return _path(args.python) if args.python is not None else interpreter_of(_path(args.project))


def _with_tests(source: SourceFile, args: argparse.Namespace) -> CheckResult:
    from assistant.checks.static import examine

    if (found := examine(source.text, source.language)) is not None:
        return found
    from assistant.checks.apart import run_tests
    from assistant.checks.testfile import read_tests

    project = _project(args)
    tests = read_tests(_path(args.tests), module=source.module, project=project is not None)
    return run_tests(source.text, tests, project=project)


def _with_doctests(
    source: SourceFile, function: str | None, args: argparse.Namespace
) -> CheckResult:
    from contextlib import ExitStack

    from assistant.checks.program import Stopped
    from assistant.checks.result import NOTHING_RAN, CheckResult
    from assistant.outcomes import Outcome

    with ExitStack() as stack:
        unavailable, program = "", None
        if ">>>" in source.text:
            try:
                # While the interpreter starts inside, here the rest is imported and the code read.
                program = stack.enter_context(_started(source, args))
            except Stopped as stopped:
                if stopped.outcome is not Outcome.SANDBOX_UNAVAILABLE:
                    return CheckResult(stopped.outcome, NOTHING_RAN, stopped.detail)
                unavailable = stopped.detail
        from assistant.checks.static import examine

        if (found := examine(source.text)) is not None:
            return found
        if unavailable:
            return CheckResult(Outcome.SANDBOX_UNAVAILABLE, NOTHING_RAN, unavailable)
        if program is None:
            return _nothing_to_run(None)
        from assistant.checks.doctests import judge_doctests

        result = judge_doctests(source.text, function, started=program)
        nothing_ran = result.outcome is Outcome.PARSED and result.layer == NOTHING_RAN
        return _nothing_to_run(function) if nothing_ran else result


def _started(source: SourceFile, args: argparse.Namespace) -> Program:
    """The file in a sandbox, loaded when its examples are run; in a project, as a module of it."""
    from assistant.checks.program import Program

    project = _project(args)
    if project is None:
        return Program(source.text, name=source.module)
    from assistant.checks.projects import module_of

    module = module_of(_path(_split(args.file)[0]), project.root)
    return Program(source.text, project=project, within=module)


def _nothing_to_run(function: str | None) -> CheckResult:
    from assistant.checks.result import NOTHING_RAN, CheckResult
    from assistant.outcomes import Outcome

    whose = f"the docstring of {function} has" if function else "its docstrings have"
    detail = f"it parses and its names resolve; {whose} no example to run"
    return CheckResult(Outcome.PARSED, NOTHING_RAN, f"{detail} (give tests with --tests FILE)")


def _path(text: str) -> Path:
    from pathlib import Path

    return Path(text)


def exit_code(result: CheckResult) -> int:
    """What the contract says of a verdict."""
    from assistant.outcomes import Outcome

    codes = {Outcome.PASS: 0, Outcome.SANDBOX_UNAVAILABLE: NO_SANDBOX}
    return codes.get(result.outcome, NOT_PASSED)
