"""An edit of a file, and whether something that went wrong can be laid at its door.

A check in place runs the user's whole file, and tests that expect the user's whole machine. What
fails there may have nothing to do with the edit, and then it is no failure of it.
"""

from __future__ import annotations

import ast
import builtins
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

from assistant.checks.parsing import parse_error
from assistant.checks.projects import Module
from assistant.checks.result import CheckResult
from assistant.outcomes import Outcome
from assistant.sandbox import Project

_IMPORT_ERRORS = frozenset({"ImportError", "ModuleNotFoundError"})
_SYSTEM_ERRORS = frozenset(
    name
    for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, OSError)
) | {"gaierror", "herror", "timeout", "SSLError", "URLError", "HTTPError", "ConnectError"}
"""What the sandbox answers with: there is no network in it, and no file but the project's."""
_IMPORT_LINE = re.compile(r"^[ \t]*(?:from|import)[ \t].*", re.MULTILINE)
_NEWLINE = re.compile(r"\r\n|\r|\n")
_IMPORT = ast.Import | ast.ImportFrom
_NAMED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_WORD = re.compile(r"\w+")
_QUOTED = re.compile(r"'([\w.]+)'")


@dataclass(frozen=True, slots=True)
class Edit:
    """The text of a file without and with the edit, and where the file lies."""

    before: str = field(repr=False)
    after: str = field(repr=False)
    module: Module
    project: Project | None = None

    def touches(self, line: int) -> bool:
        """Whether line `line` of the text, from 1, is one that the edit brought."""
        old, new = _NEWLINE.split(self.before), _NEWLINE.split(self.after)
        same = _alike(old, new)
        tail = _alike(old[same:][::-1], new[same:][::-1])
        return same < line <= len(new) - tail

    def rewrites(self, function: str) -> bool:
        """Whether there was code of `function` before the edit, and not a stub."""
        if parse_error(self.before) is not None:
            return False
        found: list[ast.stmt] = list(_tree(self.before).body)
        for name in function.split("."):
            named = [one for one in found if isinstance(one, _NAMED) and one.name == name]
            found = named[-1].body if named else []
        return not all(map(_says_nothing, found))

    def imports(self, detail: str) -> bool:
        """Whether an import that is complained of is one that the edit brought, or has broken."""
        changed = _import_words(self.after) - _import_words(self.before)
        changed |= _defined(self.before) - _defined(self.after)
        return any(not changed.isdisjoint(name.split(".")) for name in _QUOTED.findall(detail))


def _says_nothing(node: ast.stmt) -> bool:
    """A docstring, `pass`, `...`, or a `raise NotImplementedError`."""
    match node:
        case ast.Pass() | ast.Expr(value=ast.Constant()):
            return True
        case ast.Raise(exc=ast.Name(id=name) | ast.Call(func=ast.Name(id=name))):
            return name == "NotImplementedError"
    return False


def _alike(left: list[str], right: list[str]) -> int:
    """How many lines are the same at the beginning."""
    pairs = zip(left, right, strict=False)
    return next(
        (n for n, (one, other) in enumerate(pairs) if one != other), min(map(len, (left, right)))
    )


def _import_words(source: str) -> set[str]:
    """Every word in the imports of a text."""
    if parse_error(source) is not None:
        return set(_WORD.findall("\n".join(_IMPORT_LINE.findall(source))))
    nodes = [node for node in ast.walk(_tree(source)) if isinstance(node, _IMPORT)]
    return {word for node in nodes for word in _WORD.findall(ast.unparse(node))}


def _defined(source: str) -> set[str]:
    """The functions and classes of a module; none when it does not parse."""
    if parse_error(source) is not None:
        return set()
    return {node.name for node in _tree(source).body if isinstance(node, _NAMED)}


def _tree(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(source)


def excuse(result: CheckResult, edit: Edit, load_before: Callable[[], CheckResult | None]) -> str:
    """Why a result says nothing about the edit; empty when it does.

    Args:
        result: what came of a run of the file with the edit.
        edit: the edit.
        load_before: loads the file without it; the result when that does not succeed.
    """
    if result.outcome is Outcome.NOT_CHECKED:
        return result.detail
    if not result.outcome.failed:
        return ""
    if result.kind in _IMPORT_ERRORS:
        return "" if edit.imports(result.detail) else result.detail
    if result.kind in _SYSTEM_ERRORS:
        return result.detail
    if result.at == "tests" and result.outcome is Outcome.ERROR and not result.line:
        return result.detail  # the tests could not be loaded, and not for what the code said
    if result.at == "answer" and _fails_without(result, edit, load_before):
        return f"the file can not be loaded here, with the edit or without: {result.detail}"
    return ""


def _fails_without(
    result: CheckResult, edit: Edit, load_before: Callable[[], CheckResult | None]
) -> bool:
    """Whether loading the file fails without the edit, too; a file that parses is tried."""
    if parse_error(edit.before) is not None:
        return bool(result.line) and not edit.touches(result.line)
    was = load_before()
    return was is not None and (was.outcome, was.kind) == (result.outcome, result.kind)
