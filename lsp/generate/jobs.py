"""What is asked for at a place of a document, and where that place is in a later version of it.

Text in, text out: no protocol, no model. A place is found once, in the snapshot that the request
saw; everything after goes back to it through `located`.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from pathlib import Path

from assistant.checks.result import shown
from assistant.tasks import Task, TaskKind
from lsp.documents import Document
from lsp.generate.region import Region, enclosing, region_of
from lsp.python.blocks import Block, block_at
from lsp.python.reply import Refused
from lsp.python.stubs import Stub, find_stub, is_placeholder, split_docstring
from lsp.python.testing import import_line, owner_of
from lsp.text import Text

PYTHON = "python"
_NAME, _MESSAGE = 40, 400
"""Characters of a name in a title, and of a diagnostic that a model is told."""

CODE_TASKS = (TaskKind.IMPLEMENT, TaskKind.FIX, TaskKind.REWRITE, TaskKind.DOCSTRING)
"""Those whose answer takes a place in the document itself."""
_PYTHON_ONLY = {
    TaskKind.IMPLEMENT: "implements functions",
    TaskKind.TESTS: "writes tests",
    TaskKind.DOCSTRING: "writes docstrings",
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What was asked for, in offsets of a snapshot."""

    kind: TaskKind
    start: int
    end: int
    instruction: str = ""
    """What to do, in the person's words."""
    diagnostic: str = ""
    """What an editor or a linter said about the place."""

    @property
    def selected(self) -> bool:
        """True when the place is a selection and not a cursor."""
        return self.end > self.start


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a document lies on disk, if it does."""

    path: Path | None = None
    project: Path | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """One task at one place of one snapshot."""

    kind: TaskKind
    document: Document
    region: Region
    """The whole lines that it is about."""
    name: str
    """What they are called: a function's name, or `lines 3 to 9`."""
    request: str
    function: str = ""
    """The Python function that the region is; empty when it is something else."""
    stub: Stub | None = None
    place: Surroundings = Surroundings()
    owner: str = ""
    """The name at the top of the module that the function is reached by."""

    @property
    def title(self) -> str:
        """What is being done, for a menu or a progress message."""
        return {
            TaskKind.IMPLEMENT: f"Implement {self.name}",
            TaskKind.FIX: f"Fix {self.name}",
            TaskKind.EXPLAIN: f"Explain {self.name}",
            TaskKind.TESTS: f"Write tests for {self.name}",
            TaskKind.DOCSTRING: f"Write a docstring for {self.name}",
        }.get(self.kind, f"Rewrite {self.name}")

    @property
    def task(self) -> Task:
        """What a model is asked, without context."""
        code = "" if self.kind is TaskKind.IMPLEMENT else utf8(self.region.code)
        language = self.document.language or "text"
        return Task(utf8(self.request), self.kind, language, code)

    @property
    def import_line(self) -> str:
        """How tests get at the function."""
        assert self.place.path is not None
        return import_line(self.place.path, self.place.project, self.owner)

    def overlaps(self, start: int, end: int) -> bool:
        """True when `[start, end]` of its snapshot meets the region."""
        return self.region.start <= end and start <= self.region.end


def job_for(document: Document, wish: Wish, place: Surroundings | None = None) -> Job:
    """The job that a wish means.

    Args:
        document: the snapshot.
        wish: what was asked for.
        place: where the document lies on disk.

    Raises:
        Refused: there is nothing of that kind at the place.
    """
    if (doing := _PYTHON_ONLY.get(wish.kind)) and document.language != PYTHON:
        raise Refused(f"The assistant {doing} in Python only, and this is {document.language}.")
    place = place or Surroundings()
    return replace(_found(document, wish, place), place=place)


def _found(document: Document, wish: Wish, place: Surroundings) -> Job:
    match wish.kind:
        case TaskKind.IMPLEMENT:
            return _implement(document, wish)
        case TaskKind.FIX:
            return _fix(document, wish)
        case TaskKind.TESTS:
            return _tests(document, wish, place)
        case TaskKind.DOCSTRING:
            return _about_function(document, wish)
        case TaskKind.REWRITE if not wish.instruction.strip():
            raise Refused("Say how to rewrite it: the request has no instruction.")
        case TaskKind.REWRITE | TaskKind.EXPLAIN:
            return _about_lines(document, wish)
    raise Refused(f"There is no task {wish.kind.value} in an editor.")


def _implement(document: Document, wish: Wish) -> Job:
    stub = find_stub(document.text, wish.start) or find_stub(document.text, wish.end)
    if stub is None:
        raise Refused("There is no function with a description and without a body here.")
    request = stub.source
    if wish.instruction.strip():
        request += f"\n    # {' '.join(wish.instruction.split())}"
    region = Region(stub.start, stub.end, "", stub.source)
    return Job(wish.kind, document, region, stub.name, request, stub.name, stub)


def _fix(document: Document, wish: Wish) -> Job:
    said = wish.diagnostic.strip() or wish.instruction.strip() or _own_finding(document, wish)
    if not said:
        raise Refused(
            "Nothing is known to be wrong here. Ask for a fix where the editor shows a problem, "
            "or say in the instruction what is wrong."
        )
    region, name, function = _place(document, wish, selected=False)
    line = document.text.line(document.text.line_of(wish.start)).strip()
    said = said[:_MESSAGE]
    request = f"{said}\nIt is about this line: {line}" if line and wish.diagnostic else said
    return Job(wish.kind, document, region, name, request, function)


def _own_finding(document: Document, wish: Wish) -> str:
    """What is wrong at a place of Python code, seen without anybody's diagnostic."""
    if document.language != PYTHON:
        return ""
    from assistant.checks import parse_error, undefined_names

    source, text = document.text.value, document.text
    if (error := parse_error(source)) is not None:
        return f"It does not parse: {error}"
    first, last = text.line_of(wish.start), text.line_of(wish.end)
    if (block := block_at(text, first)) is not None:
        first, last = block.first, max(last, block.last)
    here = [one for one in undefined_names(source) if first <= one.line - 1 <= last]
    names = ", ".join(dict.fromkeys(one.name for one in here))
    return f"Undefined: {names}" if names else ""


def _about_function(document: Document, wish: Wish) -> Job:
    block = function_at(document.text, wish.start) or function_at(document.text, wish.end)
    if block is None:
        raise Refused("There is no function here.")
    if wish.kind is TaskKind.DOCSTRING and not lacks_docstring(document.text, block):
        raise Refused(f"{block.node.name} has a docstring already, or no body of its own.")
    if wish.kind is TaskKind.TESTS and not has_body(block):
        raise Refused(f"{block.node.name} has no body yet that a test could run.")
    region = region_of(document.text, block.first, block.last, PYTHON)
    name = block.node.name
    return Job(wish.kind, document, region, name, wish.instruction.strip(), name)


def _tests(document: Document, wish: Wish, place: Surroundings) -> Job:
    job = _about_function(document, wish)
    if place.path is None:
        raise Refused("Tests need a file that they can import: save this document first.")
    owner = owner_of(document.text, document.text.line_of(job.region.start))
    if owner is None:
        raise Refused(f"{job.name} is inside another function, where no test can reach it.")
    job = replace(job, owner=owner, place=place)
    name = job.name if owner == job.name else f"{owner}.{job.name}"
    request = f"Tests import it by: {job.import_line}\n{wish.instruction.strip()}".strip()
    return replace(job, name=name, request=request)


def _about_lines(document: Document, wish: Wish) -> Job:
    region, name, function = _place(document, wish, selected=wish.selected)
    if not region.code.strip():
        raise Refused("There is no code here.")
    return Job(wish.kind, document, region, name, wish.instruction.strip(), function)


def _place(document: Document, wish: Wish, *, selected: bool) -> tuple[Region, str, str]:
    """The lines, what they are called, and the function that they are."""
    text = document.text
    first, last = text.line_of(wish.start), text.line_of(wish.end)
    if last > first and wish.end == text.line_starts[last]:
        last -= 1  # the selection ends before the line's first character
    block = block_at(text, first) if document.language == PYTHON else None
    whole = block is not None and last <= block.last
    if block is not None and whole and (not selected or (first, last) == (block.first, block.last)):
        region = region_of(text, block.first, block.last, PYTHON)
        return region, block.node.name, block.node.name
    if not selected:
        first, last = _around(document, first, last)
    region = region_of(text, first, last, document.language)
    numbers = text.line_of(region.start) + 1, text.line_of(region.end) + 1
    name = f"line {numbers[0]}" if numbers[0] == numbers[1] else "lines {} to {}".format(*numbers)
    return region, name, ""


def _around(document: Document, first: int, last: int) -> tuple[int, int]:
    """The lines that a place without a selection means, where it is in no Python function."""
    text = document.text
    if document.language != PYTHON:
        start, end = enclosing(text, first)
        return start, max(end, last)
    from lsp.python.blocks import first_line, parse

    tree = parse(text.value)
    for statement in () if tree is None else tree.body:
        start, end = first_line(statement) - 1, (statement.end_lineno or 1) - 1
        if start <= first <= end and not isinstance(statement, ast.ClassDef):
            return start, max(end, last)
    start, end = enclosing(text, first)
    return start, max(end, last)


def function_at(text: Text, offset: int) -> Block | None:
    """The innermost Python function around an offset."""
    return block_at(text, text.line_of(offset))


def has_body(block: Block) -> bool:
    """True when a function does something."""
    rest = split_docstring(block.body)[1]
    return bool(rest) and not all(map(is_placeholder, rest))


def lacks_docstring(text: Text, block: Block) -> bool:
    """True when a function does something and does not say what, on lines of their own."""
    docstring, rest = split_docstring(block.body)
    if docstring is not None or not rest or not has_body(block):
        return False
    return block.lines_of(rest[0])[0] > text.line_of(block.header_end)


def located(job: Job, now: Document) -> Job | None:
    """The same job in a later snapshot; None when its lines are not there as they were."""
    if not now.descends_from(job.document):
        return None
    span = now.followed(job.document.version, job.region.start, job.region.end)
    span = span or _found_again(job, now)
    if span is None:
        return None
    if job.stub is not None:
        stub = find_stub(now.text, span[0])
        if stub is None or stub.start != span[0] or stub.source != job.stub.source:
            return None
        region = replace(job.region, start=stub.start, end=stub.end)
        return replace(job, document=now, stub=stub, region=region)
    here = replace(job.region, start=span[0], end=span[1])
    if not _whole_lines(now.text, here) or (job.function and not _is_function(now.text, here)):
        return None
    return replace(job, document=now, region=here)


def _found_again(job: Job, now: Document) -> tuple[int, int] | None:
    """Where the same lines stand once and only once: they were changed, and changed back."""
    old = job.document.text.value[job.region.start : job.region.end]
    at = now.text.value.find(old)
    if not old.strip() or at < 0 or now.text.value.find(old, at + 1) >= 0:
        return None
    return at, at + len(old)


def _whole_lines(text: Text, region: Region) -> bool:
    first, last = text.line_of(region.start), text.line_of(region.end)
    return text.line_starts[first] == region.start and text.line_span(last)[1] == region.end


def _is_function(text: Text, region: Region) -> bool:
    """True when the region still is the whole of a function."""
    block = block_at(text, text.line_of(region.start))
    if block is None:
        return False
    return (block.first, block.last) == (text.line_of(region.start), text.line_of(region.end))


def short(text: str, most: int = _NAME) -> str:
    """A text on one line, for a title."""
    return shown(" ".join(text.split()), most)


def utf8(text: str) -> str:
    """The text without halves of surrogate pairs, which no model can be sent."""
    return text.encode("utf-8", "replace").decode()
