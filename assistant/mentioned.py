"""How an answer is checked whose request names files of a project.

Such code may use what those files define, and import the project's modules. The sandbox has
neither, so that is no fault of the code; it is parsed, its names are looked up, and the verdict
says why it was not run.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from assistant.checks import NOTHING_RAN, CheckResult, parse_error, undefined_names
from assistant.context.ignoring import Access
from assistant.context.modules import Modules
from assistant.context.outline import outline, words
from assistant.context.project import root_of
from assistant.context.types import Piece
from assistant.events import Outcome
from assistant.generation import AnswerOptions, Judge
from assistant.judging import judge
from assistant.tasks import Task


def beside(
    task: Task, options: AnswerOptions, pieces: Sequence[Piece], folder: Path
) -> AnswerOptions:
    """The options with which the answer to a request that names files is checked.

    Args:
        task: the request.
        options: the usual ones.
        pieces: what is sent of those files.
        folder: where the user is; the project around it is meant.
    """
    if not pieces or options.tests is not None:
        return options
    there = frozenset[str]().union(*(words(piece.text) for piece in pieces))
    known = replace(options, known_names=options.known_names | there)
    return replace(known, judge=_judge(task, known, folder))


def _judge(task: Task, options: AnswerOptions, folder: Path) -> Judge:
    root = root_of(folder) or folder

    def judged(code: str, stop: threading.Event) -> CheckResult:
        if task.language == "python" and parse_error(code) is None:
            needed = ", ".join(imported(code, root))
            if needed and not undefined_names(code, options.known_names):
                detail = f"it imports {needed} of the project, so it was not run by itself"
                said = f"it parses and its names resolve; {detail}"
                return CheckResult(Outcome.PARSED, NOTHING_RAN, said)
        return judge(code, task, options, stop)

    return judged


def imported(code: str, root: Path) -> list[str]:
    """The modules of a project that code imports, as it writes them."""
    modules = Modules(Access(root))
    found = {
        "." * one.level + one.module: None
        for one in outline(code).imports
        if any(path.is_relative_to(root) for path, _ in modules.meant(one, root / "answer.py"))
    }
    return list(found)
