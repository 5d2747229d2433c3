"""What the model is judged on: unseen structures, words no template made, and MBPP.

None of it is ever trained on. Held-out problems have a structure that cannot occur in training
(`structure.split_of`); the handwritten ones and MBPP come from outside the generator.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem
from training.world.generator import generate
from training.world.problem import Construction, Problem
from training.world.structure import structure_hash

HANDWRITTEN = Path(__file__).with_name("handwritten.jsonl")
MBPP_TEST = range(11, 511)
_MBPP_NAMES = ("mbpp.jsonl", "mbpp/mbpp.jsonl")


def heldout_problems(count: int, seed: int) -> list[Problem]:
    """`count` problems of unseen compositions, each with a structure of its own."""
    return _distinct(count, seed, "heldout")


def validation_problems(count: int, seed: int) -> list[Problem]:
    """The same of the validation structures: for choices made while training."""
    return _distinct(count, seed, "validation")


def _distinct(count: int, seed: int, split: str) -> list[Problem]:
    """Problems of one split with pairwise different structures."""
    found: dict[str, Problem] = {}
    # A few structures come again and again; twenty times as many draws are far more than enough.
    for problem in generate(20 * count, seed, splits=(split,)):
        found.setdefault(problem.structure, problem)
        if len(found) == count:
            break
    return list(found.values())


def _outside(family: str) -> Construction:
    return Construction(family, (), "", (), (), ())


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                if not isinstance(row, dict):
                    raise ValueError("not a JSON object")
            except ValueError as error:
                raise DataProblem(f"{path}:{number}: {error}") from error
            yield number, row


def handwritten_problems(path: Path = HANDWRITTEN) -> list[Problem]:
    """Requests as people type them, written one by one.

    Raises:
        DataProblem: a row lacks a field; the message names the line.
    """
    problems = []
    for number, row in _rows(path):
        try:
            request, code, tests = row["request"], row["code"], tuple(row["tests"])
            signature, name = row["signature"], row["name"]
        except KeyError as error:
            raise DataProblem(f"{path}:{number}: the field {error} is missing") from error
        problems.append(
            Problem(
                id=f"handwritten-{number}",
                request=request,
                register="handwritten",
                signature=signature,
                name=name,
                code=code,
                tests=tests,
                structure=structure_hash(code),
                construction=_outside("handwritten"),
                split="heldout",
                # Without a name in the request any name is right.
                form="named" if row["named"] else "none",
            )
        )
    return problems


def find_mbpp(path: Path) -> Path:
    """The data file from the file itself, its folder, or a folder of such folders.

    Raises:
        DataProblem: it is in none of these places.
    """
    for candidate in (path, *(path / name for name in _MBPP_NAMES)):
        if candidate.is_file():
            return candidate
    raise DataProblem(
        f"no MBPP data at {path}: looked for {' and '.join(_MBPP_NAMES)}",
        hint="name the file or its folder with --data, or set ASSISTANT_DATA",
    )


def _entry_point(row: dict[str, Any], defined: dict[str, ast.FunctionDef]) -> str:
    """The function of the reference that the tests call."""
    for test in row["test_list"]:
        for node in ast.walk(ast.parse(test)):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Name) and called.id in defined:
                return called.id
    raise ValueError("no test calls a function of the reference code")


def _mbpp_problem(row: dict[str, Any]) -> Problem:
    code = row["code"].replace("\r\n", "\n").strip() + "\n"
    tree = ast.parse(code)
    defined = {n.name: n for n in tree.body if isinstance(n, ast.FunctionDef)}
    name = _entry_point(row, defined)
    signature = f"def {name}({ast.unparse(defined[name].args)}):"
    text = row["text"].replace("\r\n", "\n").strip()
    return Problem(
        id=f"mbpp-{row['task_id']}",
        request=f"{text}\n{signature}",
        register="mbpp",
        signature=signature,
        name=name,
        code=code,
        tests=tuple(test.replace("\r\n", "\n") for test in row["test_list"]),
        structure=structure_hash(code),
        construction=_outside("mbpp"),
        split="heldout",
        form="line",
        setup=row.get("test_setup_code", "").replace("\r\n", "\n"),
    )


def mbpp_problems(path: Path, test_only: bool = True) -> list[Problem]:
    """MBPP as problems: its text and the signature of its reference code on a line of its own.

    Args:
        path: `mbpp.jsonl`, its folder, or a folder of such folders.
        test_only: the test split, tasks 11 to 510; otherwise all.

    Raises:
        DataProblem: there is no such file, or a row is malformed.
    """
    file = find_mbpp(path)
    problems = []
    for number, row in _rows(file):
        try:
            if not test_only or row["task_id"] in MBPP_TEST:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # odd escapes in code that is not ours
                    problems.append(_mbpp_problem(row))
        except (KeyError, ValueError, SyntaxError, AttributeError) as error:
            raise DataProblem(f"{file}:{number}: not a task of MBPP ({error})") from error
    return problems
