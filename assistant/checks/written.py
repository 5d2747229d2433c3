"""The verdict on what was written about code: a docstring, tests.

A docstring changes no code, which is compared; what its examples show is run by
`inplace.check_in_place`. Tests are run against the code as it is. When they fail nobody but a
person can say which of the two is wrong, and the verdict says so.
"""

from __future__ import annotations

import ast
import builtins
import io
import threading
import tokenize
import warnings
from dataclasses import replace
from pathlib import Path

from assistant.checks.edit import Edit
from assistant.checks.names import undefined_names
from assistant.checks.parsing import parse_error
from assistant.checks.placed import guarded, load_before, run_in_place, twice
from assistant.checks.projects import Module, module_of, project_at
from assistant.checks.related import in_place
from assistant.checks.result import NOTHING_RAN, CheckResult, shown
from assistant.checks.selecting import tests_about, tests_besides
from assistant.checks.static import listed
from assistant.checks.testfile import TestFile, parse_tests
from assistant.errors import UsageProblem
from assistant.outcomes import Outcome

_EITHER = "either the test or the code is wrong, which no check can tell"


def check_docstring(before: str, after: str) -> CheckResult:
    """Check that `after` is `before` with another docstring, and with the same comments.

    Args:
        before: one function or class, dedented, decorators included.
        after: the same with its docstring.
    """
    if (problem := parse_error(after)) is not None:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
    if parse_error(before) is not None:
        why = "the function does not parse, so nothing can be compared"
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, why)
    old, new = _parsed(before), _parsed(after)
    old_text, new_text = _taken_docstring(old), _taken_docstring(new)
    if new_text is None:
        return _wrong("the function has no docstring")
    if ast.dump(old) != ast.dump(new):
        return _wrong(f"more than the docstring was changed{_where(old, new)}")
    if _comments(before) != _comments(after):
        return _wrong("the comments were changed")
    if old_text == new_text:
        return _wrong("the docstring is what it was")
    said = "it parses; nothing but the docstring was changed"
    return CheckResult(Outcome.PARSED, NOTHING_RAN, said)


def _wrong(detail: str) -> CheckResult:
    return CheckResult(Outcome.WRONG, NOTHING_RAN, detail)


def _parsed(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _taken_docstring(tree: ast.Module) -> str | None:
    """Take the docstring out of the first definition; a body of nothing else counts as `pass`."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    for node in tree.body:
        if isinstance(node, kinds):
            text = ast.get_docstring(node, clean=False)
            if text is not None:
                del node.body[0]
            # A stub needs no `pass` any more when it has a docstring.
            if not node.body or (len(node.body) == 1 and _says_nothing(node.body[0])):
                node.body = [ast.Pass()]
            return text
    return None


def _says_nothing(node: ast.stmt) -> bool:
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant(value=builtins.Ellipsis)):
            return True
    return False


def _where(old: ast.Module, new: ast.Module) -> str:
    """The first statement that differs, in words; empty when it can not be told."""
    left, right = ast.unparse(old).splitlines(), ast.unparse(new).splitlines()
    for one, other in zip(left, right, strict=False):
        if one != other:
            return f": {shown(other.strip(), 100)} stood for {shown(one.strip(), 100)}"
    return ""


def _comments(source: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    try:
        return [token.string for token in tokens if token.type == tokenize.COMMENT]
    except (tokenize.TokenError, SyntaxError):
        return []


def check_tests(
    tests: str,
    source: str,
    *,
    name: str = "the tests",
    before: str = "",
    path: Path | None = None,
    tests_path: Path | None = None,
    function: str | None = None,
    project: Path | None = None,
    stop: threading.Event | None = None,
) -> CheckResult:
    """Run tests that were written, as a file of the project, against the code that they are for.

    Args:
        tests: the whole text of their file.
        source: the whole text of the file that they test.
        name: what the verdict calls them.
        before: the text of their file as it was; the tests that were in it are not run.
        path: where the file that they test lies.
        tests_path: where theirs will lie.
        function: what they are to test; tests that name it nowhere are refused.
        project: the folder that the checks may read.
        stop: set from another thread, it ends what runs.
    """
    home = project_at(project) if project is not None else None
    edit = Edit(source, source, module_of(path, project), home)
    made = _made(tests, before, name, function, edit.module)
    if isinstance(made, CheckResult):
        return made
    ready = in_place(made, tests_path, edit.module, project)
    return twice(lambda ended: _judged(edit, ready, ended), stop)


def _made(
    tests: str, before: str, name: str, function: str | None, module: Module
) -> TestFile | CheckResult:
    """The tests that are to be run, or why they need not be."""
    if (problem := parse_error(tests)) is not None:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, str(problem), "SyntaxError")
    if undefined := undefined_names(tests):
        return CheckResult(Outcome.ERROR, NOTHING_RAN, listed(undefined), "NameError")
    new = tests_besides(tests, before) if parse_error(before) is None else tests
    if not new:
        return _wrong("there is no new test in it")
    if function is not None and not tests_about(new, function, module):
        return _wrong(f"no test imports {function} and names it")
    try:
        return parse_tests(
            new, name, module=module.name.rpartition(".")[2], project=bool(module.folders)
        )
    except UsageProblem as refused:
        return CheckResult(Outcome.ERROR, NOTHING_RAN, refused.message)


def _judged(edit: Edit, tests: TestFile, ended: threading.Event) -> CheckResult:
    result = guarded(lambda: run_in_place(edit, tests, ended))
    if result.outcome.failed and result.at == "answer" and load_before(edit, ended) is not None:
        why = f"the file that they test can not be loaded here: {result.detail}"
        return CheckResult(Outcome.NOT_CHECKED, NOTHING_RAN, why)
    if result.outcome is Outcome.WRONG or result.line:
        return replace(result, detail=f"{result.detail}; {_EITHER}")
    return result
