"""From an answer's code to the edits of a document, task by task.

Only `Code` comes in here, never reasoning. What does not fit is refused with a sentence. The same
function is used for the check (on the snapshot) and for the acceptance (on the document as it is
then), so what is applied is what was checked, where it then belongs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from assistant.tasks import TaskKind
from lsp.generate.jobs import PYTHON, Job
from lsp.generate.region import indented, replacement
from lsp.python.blocks import parse
from lsp.python.docstrings import docstring_edit
from lsp.python.edits import Insertion, apply, edits_for, import_edit
from lsp.python.functions import function_answer
from lsp.python.reply import Refused, body_for
from lsp.python.testing import TestsModule, tests_edits, tests_path
from lsp.text import Text


@dataclass(frozen=True, slots=True)
class Plan:
    """The edits of one text, in the order of their places, and the text after them."""

    edits: tuple[Insertion, ...]
    before: Text
    after: Text
    start: int
    """Where what is new stands, in the text after them."""
    end: int
    path: Path | None = None
    """Another file than the document: that of the tests."""
    creates: bool = False
    """There is no such file yet."""

    @property
    def preview(self) -> str:
        """The lines that are new or that the new ones stand in, as they will be."""
        return self.after.value[self.start : self.end]


def plan_for(job: Job, code: str, tests: TestsModule | None = None) -> Plan:
    """The edits that put the code of an answer to `job` where it belongs.

    Args:
        job: what was asked.
        code: the code of the answer.
        tests: the file for `TESTS`; by default it is looked for and read.

    Raises:
        Refused: it does not fit there.
    """
    text = job.document.text
    if job.kind is TaskKind.TESTS:
        return _tests_planned(job, code, tests or tests_module(job))
    if job.stub is not None:
        edits = edits_for(text, job.stub, body_for(job.stub, code))
    elif job.kind is TaskKind.DOCSTRING:
        edits = [docstring_edit(text, job.region.start, job.function, code)]
    elif job.kind in (TaskKind.FIX, TaskKind.REWRITE):
        edits = _replaced(job, code)
    else:
        raise Refused(f"{job.title}: its answer is not for this document.")
    return _planned(job, edits)


def _planned(job: Job, edits: list[Insertion]) -> Plan:
    region, shift, grown = job.region, 0, 0
    for edit in edits:
        added = len(edit.new) - (edit.end - edit.start)
        if edit.start < region.start:
            shift += added
        else:
            grown += added
    text = job.document.text
    start, end = region.start + shift, region.end + shift + grown
    return Plan(tuple(edits), text, apply(text, edits), start, end)


def _replaced(job: Job, code: str) -> list[Insertion]:
    """The region with the lines of the answer in their place, and the imports that they need."""
    text, language = job.document.text, job.document.language
    imports: tuple[str, ...] = ()
    if language == PYTHON:
        nested = bool(job.region.indent)
        code, imports = function_answer(code, job.function, job.region.code, nested=nested)
    lines = indented(code, job.region, text, language)
    if not lines:
        raise Refused(f"The answer for {job.name} was not applied: it is empty.")
    edit = replacement(text, job.region.start, job.region.end, lines)
    if edit is None:
        raise Refused(f"The answer for {job.name} was not applied: it changes nothing.")
    if language != PYTHON:
        return [edit]
    after = apply(text, [edit])
    if parse(text.value) is not None and parse(after.value) is None:
        raise Refused(f"The answer for {job.name} was not applied: it does not parse in its place.")
    return _with_imports(job, after, edit, imports)


def _with_imports(
    job: Job, after: Text, edit: Insertion, imports: tuple[str, ...]
) -> list[Insertion]:
    """The edit and, where the file does not have them yet, the imports at its top."""
    own = import_edit(after, job.name, imports)
    if own is None:
        return [edit]
    if own.start > edit.start:
        raise Refused(
            f"The answer for {job.name} was not applied: it needs `{'; '.join(imports)}`, and the "
            "imports of this file stand below. Add that line yourself and try again."
        )
    return [own, edit]


def tests_module(job: Job, opened: dict[Path, str] | None = None) -> TestsModule:
    """The file that the tests of a job go to, as it is in the editor or on disk.

    Raises:
        Refused: it can not be read.
    """
    place = job.place
    assert place.path is not None
    path = tests_path(place.path, place.project)
    line = job.import_line
    if opened is not None and path in opened:
        return TestsModule(path, opened[path], line)
    try:
        text = path.read_bytes().decode("utf-8-sig") if path.exists() else None
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(f"The tests were not applied: {path} can not be read: {error}.") from error
    return TestsModule(path, text, line)


def _tests_planned(job: Job, code: str, module: TestsModule) -> Plan:
    edits = tests_edits(module, job.owner, code)
    before = Text(module.text or "")
    after = apply(before, edits)
    last = edits[-1]
    end = len(after.value.rstrip())
    added = last.new.strip("\r\n")
    start = after.value.rfind(added.rstrip(), 0, end + 1) if added.strip() else end
    return Plan(
        tuple(edits), before, after, max(start, 0), end, module.path, creates=module.text is None
    )
