"""Where the tests of a function belong, and how an answer's tests get there.

Only `test_*` functions, `Test*` classes and what they lean on are taken. The function under test
is imported by a line that is known to be right; a copy of it in the answer is left out, since a
test of a copy says nothing.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lsp.python.blocks import FunctionNode, first_line, parse
from lsp.python.edits import Insertion, apply, import_edit
from lsp.python.reply import Refused, bound_by, needed_imports
from lsp.text import Text

_LIST_AT_MOST = 2000
"""Files of a folder of tests that are looked through for the one with the right name."""


@dataclass(frozen=True, slots=True)
class TestsModule:
    """A file of tests: where it is, and what is in it; None when there is none yet."""

    path: Path
    text: str | None
    import_line: str
    """How it gets at the code under test."""


def owner_of(text: Text, line: int) -> str | None:
    """The name at the top of a module that a function on a line is reached by.

    None when it can not be reached: it is inside another function.
    """
    tree = parse(text.value)
    for statement in () if tree is None else tree.body:
        if not first_line(statement) <= line + 1 <= (statement.end_lineno or 0):
            continue
        return _reached(statement, line)
    return None


def _reached(statement: ast.stmt, line: int) -> str | None:
    if isinstance(statement, FunctionNode):
        inside = any(
            first_line(node) <= line + 1
            for node in ast.walk(statement)
            if isinstance(node, FunctionNode) and node is not statement
            if line + 1 <= (node.end_lineno or 0)
        )
        return None if inside else statement.name
    return statement.name if isinstance(statement, ast.ClassDef) else None


def import_line(path: Path, project: Path | None, name: str) -> str:
    """How a test imports a name of the file.

    Raises:
        Refused: nothing can import that file.
    """
    from assistant.checks.projects import module_of

    module = module_of(path, project).name
    if module.rpartition(".")[2] not in (path.stem, path.parent.name):
        raise Refused(f"Tests can not import {path.name}: that is no name of a module.")
    return f"from {module} import {name}"


def tests_path(path: Path, project: Path | None) -> Path:
    """The file that tests of `path` are in, or where one belongs."""
    stem = path.parent.name if path.stem == "__init__" else path.stem
    names = (f"test_{stem}.py", f"{stem}_test.py")
    if path.stem.startswith("test_") or path.stem.endswith("_test"):
        return path
    there = [path.parent / name for name in names]
    default = there[0]
    if project is not None and (folder := project / "tests").is_dir():
        default = folder / names[0]
        there += [default, *_below(folder, names)]
    return next((one for one in there if one.is_file()), default)


def _below(folder: Path, names: Sequence[str]) -> list[Path]:
    found = []
    for number, one in enumerate(folder.rglob("*.py")):
        if number >= _LIST_AT_MOST:
            break
        if one.name in names:
            found.append(one)
    return sorted(found)


def tests_edits(target: TestsModule, name: str, code: str) -> list[Insertion]:
    """The edits of the test file that add the answer's tests.

    Args:
        target: the file.
        name: the name that the import line binds.
        code: the answer.

    Raises:
        Refused: the answer holds no tests, or they do not fit.
    """
    code = code.replace("\r\n", "\n").replace("\r", "\n")
    tree = parse(code)
    if tree is None:
        raise Refused("The tests were not applied: the answer is not valid Python.")
    kept = _kept(tree, name)
    if not any(map(_is_test, kept)):
        raise Refused("The tests were not applied: the answer holds no test_* function.")
    existing = Text(target.text or "")
    imports = _imports(tree, kept, name, target)
    body = "\n\n\n".join(_source(Text(code), one, existing) for one in kept)
    if not existing.value.strip():
        head = "\n".join(imports)
        return [Insertion(0, len(existing.value), f"{head}\n\n\n{body}\n" if head else f"{body}\n")]
    ending = existing.line_end
    body = body.replace("\n", ending)
    end = len(existing.value.rstrip())
    added = Insertion(end, len(existing.value), f"{ending * 3}{body}{ending}")
    own = import_edit(apply(existing, [added]), "the tests", imports)
    return [added] if own is None else [own, added]


def _kept(tree: ast.Module, name: str) -> list[ast.stmt]:
    """The statements of the answer without imports, the copy of the code, and calls that run it."""
    return [
        one
        for one in tree.body
        if not isinstance(one, ast.Import | ast.ImportFrom | ast.Expr | ast.If)
        and not (isinstance(one, FunctionNode | ast.ClassDef) and one.name == name)
    ]


def _is_test(statement: ast.stmt) -> bool:
    if isinstance(statement, FunctionNode):
        return statement.name.startswith("test")
    return isinstance(statement, ast.ClassDef) and statement.name.startswith("Test")


def _imports(
    tree: ast.Module, kept: Sequence[ast.stmt], name: str, target: TestsModule
) -> tuple[str, ...]:
    """The import of the code under test, and those of the answer that the tests use."""
    for statement in list(tree.body):
        if isinstance(statement, ast.Import | ast.ImportFrom):
            statement.names = [one for one in statement.names if bound_by(one) != name]
            if not statement.names:
                tree.body.remove(statement)
    own = () if target.text is not None and _defines(target.text, name) else (target.import_line,)
    return (*needed_imports(tree, "the tests", kept), *own)


def _defines(source: str, name: str) -> bool:
    """The code under test is in the test file itself."""
    tree = parse(source)
    return tree is not None and any(
        isinstance(one, FunctionNode | ast.ClassDef) and one.name == name for one in tree.body
    )


def _source(text: Text, statement: ast.stmt, existing: Text) -> str:
    """The lines of a statement; a test whose name is taken gets another one."""
    first, last = first_line(statement) - 1, (statement.end_lineno or statement.lineno) - 1
    lines = [text.line(number) for number in range(first, last + 1)]
    if isinstance(statement, FunctionNode | ast.ClassDef):
        free = _free_name(statement.name, existing.value)
        if free != statement.name and not _is_test(statement):
            raise Refused(
                f"The tests were not applied: they define {statement.name}, which means something "
                "else in the test file."
            )
        head = statement.lineno - 1 - first
        lines[head] = lines[head].replace(statement.name, free, 1)
    return "\n".join(lines)


def _free_name(name: str, existing: str) -> str:
    tree = parse(existing)
    taken = {one.name for one in (tree.body if tree else ()) if hasattr(one, "name")}
    number = 2
    free = name
    while free in taken:
        free, number = f"{name}_{number}", number + 1
    return free
