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
from assistant.format import code_opening, fence_for, outline


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


_WITHOUT_CODE = frozenset({TaskKind.ASK, TaskKind.IMPLEMENT})
_WORDS_NEEDED = frozenset({*_WITHOUT_CODE, TaskKind.REWRITE})
"""Of the others the kind says enough."""


@dataclass(frozen=True, slots=True)
class Task:
    """One request.

    Raises:
        RequestProblem: there is no text in it, or no code for a kind that is about code.
    """

    request: str
    """The user's words; for `IMPLEMENT` the stub: signature and docstring or comment, dedented;
    for `FIX` what the diagnostic says; for `REWRITE` the instruction. `FIX`, `EXPLAIN`, `TESTS`
    and `DOCSTRING` need none: it may be empty, or what else there is to say, such as the line
    by which tests import the code."""
    kind: TaskKind = TaskKind.ASK
    language: str = "python"
    code: str = ""
    """What `FIX`, `EXPLAIN`, `TESTS`, `DOCSTRING` and `REWRITE` are about, dedented."""
    context: tuple[Piece, ...] = ()
    """Parts of other files that help, the most important last."""

    def __post_init__(self) -> None:
        if not self.request.strip() and self.kind in _WORDS_NEEDED:
            raise RequestProblem(
                "The request is empty.",
                hint='Say what you need, for example: assistant ask "reverse the words of a text"',
            )
        if not self.code.strip() and self.kind not in _WITHOUT_CODE:
            raise RequestProblem(
                f"There is no code for the request {self.kind.value!r}.",
                hint="Select the code that it is about, and ask again.",
            )


IMPLEMENT_LEAD = "Implement this function:"
_LEADS = {
    TaskKind.FIX: "Fix this code:",
    TaskKind.EXPLAIN: "Explain this code:",
    TaskKind.TESTS: "Write tests for this code:",
    TaskKind.DOCSTRING: "Write the docstring of this function:",
    TaskKind.REWRITE: "Change this code:",
}
"""What stands above the code."""
_PROBLEM = "The problem: "
"""Before what a diagnostic says."""

_SYSTEM = """You write {language} code. Answer in exactly this form, and nothing else:

{outline}
{opening}{code}
```"""
_CODE = {
    TaskKind.FIX: "the whole corrected code; what is not at fault stays as it is",
    TaskKind.TESTS: "the tests, each a function test_* with plain asserts, and their imports",
    TaskKind.DOCSTRING: "the whole function with its docstring; all else stays as it is",
    TaskKind.REWRITE: "the whole changed code; what the request does not name stays as it is",
}
_ANY_CODE = "the complete code, without a usage example"
"""What is to stand under the heading of the code, for each kind and for the others."""

_SYSTEM_EXPLAIN = """You explain {language} code to the person who works on it, in Markdown: what \
it is for, how it does it step by step, what it takes and gives, and where it goes wrong. Use \
short paragraphs and plain words. Quote a line where you talk about it; do not write the code \
again."""


def request_text(task: Task) -> str:
    """The text of the user's message: what the context holds, then the request."""
    asked = _asked(task)
    if not task.context:
        return asked
    shown = [f"From {piece.name}:\n{_fenced(piece.text)}" for piece in task.context]
    return "\n\n".join([*shown, asked])


def _asked(task: Task) -> str:
    words = task.request.strip()
    if task.kind is TaskKind.IMPLEMENT:
        return f"{IMPLEMENT_LEAD}\n```{task.language}\n{words}\n```"
    if task.kind is TaskKind.ASK:
        return words
    lead, code = _LEADS[task.kind], _fenced(task.code, task.language)
    more = f"{_PROBLEM}{words}" if task.kind is TaskKind.FIX and words else words
    return f"{lead}\n{code}\n{more}".rstrip()


_LINE_ENDS = "\r\n"


def _fenced(text: str, language: str = "") -> str:
    """A text in a fence that nothing in it closes; its first line keeps its indentation."""
    fence = fence_for(text)
    return f"{fence}{language}\n{text.lstrip(_LINE_ENDS).rstrip()}\n{fence}"


def messages(task: Task, *, trained_format: bool) -> list[dict[str, str]]:
    """The chat messages of a request.

    Args:
        task: what is asked.
        trained_format: the model was trained on the completion format and needs no instruction.
    """
    user = {"role": "user", "content": request_text(task)}
    if trained_format:
        return [user]
    return [{"role": "system", "content": _instruction(task)}, user]


def messages_again(task: Task, code: str, found: str) -> list[dict[str, str]]:
    """What follows the messages of `task` after an answer that did not stand its check.

    Args:
        task: what was asked.
        code: the code of the answer.
        found: what the check says of it.
    """
    fence = fence_for(code)
    answered = f"{code_opening(task.language, fence)}{code.rstrip()}\n{fence}"
    return [
        {"role": "assistant", "content": answered},
        {"role": "user", "content": f"{_AGAIN}\n\n{found.strip()}\n\n{_THE_SAME_FORM}"},
    ]


_AGAIN = "This code does not stand its check:"
_THE_SAME_FORM = "Write it again without this fault, in the same form as before."


def _instruction(task: Task) -> str:
    """What a model is told that knows nothing of the completion format."""
    if task.kind is TaskKind.EXPLAIN:
        return _SYSTEM_EXPLAIN.format(language=task.language)
    return _SYSTEM.format(
        language=task.language,
        outline=outline(),
        opening=code_opening(task.language),
        code=_CODE.get(task.kind, _ANY_CODE),
    )


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


def signature_of(task: Task) -> str | None:
    """The definition line that an answer has to begin with; None when it is free.

    A docstring leaves the function's own; what fixes or rewrites a function may change it.
    """
    if task.kind in _WITHOUT_CODE:
        return find_signature(task.request)
    if task.kind is not TaskKind.DOCSTRING:
        return None
    signature = find_signature(task.code)
    return signature if signature and task.code.lstrip().startswith(signature) else None


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
