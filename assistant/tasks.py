"""What a user asks for, and how that becomes a prompt.

`request_text` is the one text of a request: training writes examples with it and serving sends it,
so that a model made here sees in use what it saw in training. Models that were not trained here
are prompted towards the four sections through their own chat template (`messages`).
"""

from __future__ import annotations

import ast
import builtins
import enum
import re
from dataclasses import dataclass

from assistant.context.types import Piece
from assistant.errors import RequestProblem
from assistant.format import code_opening, outline


class TaskKind(enum.Enum):
    """What is wanted."""

    ASK = "ask"
    """Code for a request in the user's own words."""
    IMPLEMENT = "implement"
    """The body of a function that has a signature and a description."""
    FIX = "fix"
    """Code without the fault that a diagnostic tells of."""
    EXPLAIN = "explain"
    """What code does, in words: there is no code in the answer."""
    TESTS = "tests"
    """Tests of a function."""
    DOCSTRING = "docstring"
    """The same function with a docstring."""
    REWRITE = "rewrite"
    """Code changed by an instruction."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request.

    Raises:
        RequestProblem: there is no text in it.
    """

    request: str
    """The user's words; for `IMPLEMENT` the stub: signature and docstring or comment, dedented;
    for `FIX` what the diagnostic says; for `REWRITE` the instruction."""
    kind: TaskKind = TaskKind.ASK
    language: str = "python"
    code: str = ""
    """What `FIX`, `EXPLAIN`, `TESTS`, `DOCSTRING` and `REWRITE` are about, dedented."""
    context: tuple[Piece, ...] = ()
    """Parts of other files that help."""

    def __post_init__(self) -> None:
        if not self.request.strip():
            raise RequestProblem(
                "The request is empty.",
                hint='Say what you need, for example: assistant ask "reverse the words of a text"',
            )


IMPLEMENT_LEAD = "Implement this function:"

_SYSTEM = """You write {language} code. Answer in exactly this form, and nothing else:

{outline}
{opening}the complete code, without a usage example
```"""


def request_text(task: Task) -> str:
    """The text of the user's message."""
    if task.kind is TaskKind.IMPLEMENT:
        return f"{IMPLEMENT_LEAD}\n```{task.language}\n{task.request.strip()}\n```"
    return task.request.strip()


def messages(task: Task, *, trained_format: bool) -> list[dict[str, str]]:
    """The chat messages of a request.

    Args:
        task: what is asked.
        trained_format: the model was trained on the completion format and needs no instruction.
    """
    user = {"role": "user", "content": request_text(task)}
    if trained_format:
        return [user]
    system = _SYSTEM.format(
        language=task.language, outline=outline(), opening=code_opening(task.language)
    )
    return [{"role": "system", "content": system}, user]


# A definition as people give it in a request: on a line of its own, or between backticks.
_PARAMETERS = r"\((?:[^()`\n]|\([^()`\n]*\))*\)"
_RETURNS = r"(?: *-> *[^:`\n]+)?"
_ON_LINE = re.compile(
    rf"^[ \t]*((?:async +)?def +[A-Za-z_]\w* *{_PARAMETERS}{_RETURNS}) *:", re.MULTILINE
)
_DEFINITION_IN_BACKTICKS = re.compile(
    rf"`((?:async +)?def +[A-Za-z_]\w* *{_PARAMETERS}{_RETURNS}) *:?`"
)
# Without the word `def` the sentence has to say that a function is asked for.
_NAME_IN_BACKTICKS = re.compile(
    r"\b(?:function|method|write|implement|define|create|called|named|signature|name)\b[^.`\n]{0,40}"
    rf"`([A-Za-z_]\w* *{_PARAMETERS}{_RETURNS}) *:?`",
    re.IGNORECASE,
)


def find_signature(text: str) -> str | None:
    """The definition line that a request gives literally, such as `def area(width, height):`.

    A call such as `area(2, 3)` is an example, not a signature: every parameter must be a name,
    and the name none of Python's own functions.

    Returns:
        The line with its colon, or None when the request gives no definition or several.
    """
    found = (
        _ON_LINE.findall(text)
        or _DEFINITION_IN_BACKTICKS.findall(text)
        or _NAME_IN_BACKTICKS.findall(text)
    )
    lines = {line for signature in found if (line := _as_definition(signature)) is not None}
    return lines.pop() if len(lines) == 1 else None


def _as_definition(signature: str) -> str | None:
    head = signature.strip()
    given_as_name = not re.match(r"(async +)?def ", head)
    line = f"def {head}:" if given_as_name else f"{head}:"
    if given_as_name and hasattr(builtins, head.partition("(")[0].strip()):
        return None
    try:
        ast.parse(f"{line} pass")
    except (SyntaxError, ValueError):
        return None
    return line
