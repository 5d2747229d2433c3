"""The files of tests that go with a file of a project, found by their names."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path

from assistant.checks.parsing import parse_error
from assistant.checks.projects import Module, module_of
from assistant.checks.selecting import is_name_of, tests_about
from assistant.checks.testfile import Place, TestFile, parse_tests
from assistant.errors import UsageProblem

_MOST_FILES = 3
_MOST_ENTRIES = 5000
"""Files and folders that are looked at in a folder of tests."""
_MOST_BYTES = 1 << 20
_TEST_FOLDERS = ("tests", "test")


def related_tests(path: Path, root: Path, module: Module, function: str) -> list[TestFile]:
    """The tests in the project that are about `function` of the file at `path`, of three files.

    A file that can not be read, does not parse or holds no test of it is passed over.
    """
    found: list[TestFile] = []
    for file in _files_named_after(path, root):
        if len(found) == _MOST_FILES:
            break
        if (tests := _tests_in(file, root, module, function)) is not None:
            found.append(tests)
    return found


def _files_named_after(path: Path, root: Path) -> Iterator[Path]:
    """`test_cart.py`, `cart_test.py` and their like beside the file and in folders of tests."""
    top, whole = Path(os.path.realpath(root)), Path(os.path.realpath(path))
    if top not in whole.parents:
        return
    stem = whole.parent.name if whole.stem == "__init__" else whole.stem
    names = (f"test_{stem}.py", f"{stem}_test.py", f"test_{stem}_*.py", f"test_*_{stem}.py")
    above = [folder for folder in whole.parents if folder == top or top in folder.parents]
    found = sorted(entry for entry in _children(whole.parent) if _is_named(entry, names))
    for folder in above:
        for name in _TEST_FOLDERS:
            found += sorted(file for file in _below(folder / name) if _is_named(file, names))
    order = {name: rank for rank, name in enumerate(names)}
    exact = sorted(dict.fromkeys(found), key=lambda file: order.get(file.name, len(order)))
    yield from (file for file in exact if top in Path(os.path.realpath(file)).parents)


def _is_named(file: Path, names: tuple[str, ...]) -> bool:
    return any(fnmatch(file.name, name) for name in names)


def _children(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _below(folder: Path) -> Iterator[Path]:
    """The Python files below a folder; links, hidden folders and environments are not followed."""
    pending, seen = [folder], 0
    while pending and seen < _MOST_ENTRIES:
        entries = _children(pending.pop())
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            seen += 1
            if entry.suffix == ".py":
                yield entry
            elif entry.name[:1] not in (".", "_") and entry.is_dir() and not entry.is_symlink():
                pending.append(entry)


def _tests_in(file: Path, root: Path, module: Module, function: str) -> TestFile | None:
    source = _read(file)
    if source is None or parse_error(source) is not None:
        return None
    chosen = tests_about(source, function, module)
    name = os.path.relpath(file, os.path.realpath(root))
    try:
        stem = module.name.rpartition(".")[2]
        tests = parse_tests(chosen, name, module=stem, project=True)
    except UsageProblem:
        return None
    return in_place(tests, file, module, root)


def _read(file: Path) -> str | None:
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            return None
        return file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None


def in_place(tests: TestFile, file: Path | None, module: Module, root: Path | None) -> TestFile:
    """Tests as a file of the project, which can import the module by its whole name.

    Args:
        tests: as they were parsed.
        file: where they lie, or will.
        module: what they test.
        root: the project.
    """
    others = [name for name in tests.modules if is_name_of(name, module)]
    names = tuple(dict.fromkeys([module.name, *others]))
    if file is None or root is None:
        return replace(tests, modules=names)
    own = module_of(file, root)
    # Its own folder, as pytest has it.
    folders = tuple(dict.fromkeys([*module.folders, *own.folders]))
    name = own.name if own.name != "answer" else "tests"
    place = Place(name, folders, module.file, _conftests(file, root))
    need = tests.pytest or ("conftest.py" if place.conftests else "")
    return replace(tests, modules=names, path=str(file), place=place, pytest=need)


def _conftests(file: Path, root: Path) -> tuple[tuple[str, str], ...]:
    """The files with fixtures for the tests in `file`, the outermost first."""
    top, whole = Path(os.path.realpath(root)), Path(os.path.realpath(file))
    folders = [folder for folder in whole.parents if folder == top or top in folder.parents]
    found = [folder / "conftest.py" for folder in reversed(folders)]
    return tuple((module_of(path, root).name, str(path)) for path in found if path.is_file())
