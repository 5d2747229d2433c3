"""The command that writes the body of a stub: task, stream, check, edit.

Reasoning goes to progress messages and the editor's log, code to one versioned edit. What the
person types meanwhile is theirs: the edit follows the stub when it only moved, and is not made
when the stub itself changed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from assistant.answer import AnswerOptions, PromptProgress, answer
from assistant.connecting import open_connection
from assistant.errors import AssistantError
from assistant.events import Code, Done, Failed, Reasoning, Verdict
from assistant.tasks import Task, TaskKind
from lsp.generate.apply import Target, apply_body, follow
from lsp.progress import Progress
from lsp.python.names import has_star_import, names_in
from lsp.python.reply import Refused, body_for
from lsp.python.stubs import find_stub

if TYPE_CHECKING:
    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

TAIL = 72
"""Characters of the running line of reasoning that a progress message shows."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A finished answer: the code of the chosen candidate and what the checks found."""

    code: str
    verdict: Verdict | None
    reasoning: str


async def implement(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """Run the command.

    Returns:
        `{"applied": true, "verdict": ...}`, or `{"applied": false, "reason": ...}` after the person
        has been told why in one message (or has cancelled, which needs none).

    Raises:
        JsonRpcInvalidParams: the arguments are not those of the code action.
        asyncio.CancelledError: the request was cancelled; nothing runs any more.
    """
    arguments = _arguments(server, params.arguments)
    try:
        target = _target(server, *arguments)
    except Refused as refused:
        return _refused(server, refused)
    key = (target.document.uri, target.stub.source)
    if key in server.writing:
        return _refused(server, Refused(f"{target.stub.name} is being implemented already."))
    server.writing.add(key)
    try:
        return await _with_progress(server, target, params.work_done_token)
    finally:
        server.writing.discard(key)


async def _with_progress(
    server: AssistantServer, target: Target, token: types.ProgressToken | None
) -> dict[str, Any]:
    """Write the body; the progress message's cancel button ends it like the request's cancel."""
    current = asyncio.current_task()
    assert current is not None
    pressed = False

    def cancel() -> None:
        nonlocal pressed
        pressed = True
        work.cancel()

    progress = server.tokens.begin(f"Implement {target.stub.name}", token, cancel)
    work = asyncio.create_task(_write(server, target, progress))
    last_words = "stopped"
    try:
        outcome = await work
        last_words = f"done, {outcome}"
        return {"applied": True, "verdict": outcome}
    except asyncio.CancelledError:
        if not pressed or current.cancelling():
            raise
        return {"applied": False, "reason": "cancelled"}
    except Refused as refused:
        return _refused(server, refused)
    except AssistantError as error:
        return _failed(server, str(error))
    finally:
        server.tokens.end(progress, last_words)


async def _write(server: AssistantServer, target: Target, progress: Progress) -> str:
    """Generate, check and apply; gives the verdict.

    Raises:
        AssistantError: there is no answer, or it can not be applied.
    """
    progress.report("starting the model")
    resolved = server.engine.resolved()
    source = target.document.text.value
    options = AnswerOptions(
        max_tokens=resolved.settings.ask.max_tokens,
        # Whether it parses is seen when its body is taken out, with and without these checks.
        verify=not has_star_import(source),
        known_names=names_in(source),
    )
    task = Task(_utf8(target.stub.source), TaskKind.IMPLEMENT)
    connection = await open_connection(resolved)
    try:
        answered = await _answered(task, connection, options, progress)
    finally:
        await connection.aclose()
    if answered.reasoning:
        message = f"Reasoning for {target.stub.name}:\n{answered.reasoning}"
        server.window_log_message(types.LogMessageParams(types.MessageType.Log, message))
    progress.report("checking")
    body = body_for(target.stub, answered.code)
    verdict = answered.verdict
    if verdict is not None:
        # All of it is here; an editor shows one word of it, in passing.
        said = f"Verdict on {target.stub.name}: {_in_words(verdict)}"
        server.window_log_message(types.LogMessageParams(types.MessageType.Log, said))
    if verdict is not None and verdict.outcome.failed:
        raise Refused(f"The answer for {target.stub.name} was not applied: {_in_words(verdict)}.")
    await apply_body(server, target, body)
    return verdict.outcome.value if verdict is not None else "not checked"


def _in_words(verdict: Verdict) -> str:
    where = "" if verdict.layer == "none" else f" ({verdict.layer})"
    return f"{verdict.outcome.value}{where}: {verdict.detail}"


async def _answered(
    task: Task, connection: Any, options: AnswerOptions, progress: Progress
) -> Answered:
    """Take in the events of the answer, showing them as they come."""
    code: dict[int, list[str]] = {}
    verdicts: dict[int, Verdict] = {}
    thoughts = Thoughts()
    async with aclosing(answer(task, connection, options)) as events:
        async for event in events:
            match event:
                case PromptProgress(total=total, processed=processed):
                    progress.report("reading", f"{processed} of {total} tokens")
                case Reasoning():
                    progress.report(f"thinking: {event.section.value}", thoughts.add(event))
                case Code():
                    code.setdefault(event.candidate, []).append(event.text)
                    lines = "".join(code[event.candidate]).count("\n")
                    progress.report("writing", f"line {lines + 1}")
                case Verdict():
                    verdicts[event.candidate] = event
                case Failed():
                    raise AssistantError(event.reason)
                case Done():
                    if event.stats.completion_tokens >= options.max_tokens:
                        raise Refused(
                            f"The answer was not applied: it was cut off at its limit of "
                            f"{options.max_tokens} tokens. Raise max_tokens under [ask]."
                        )
                    source = "".join(code.get(event.candidate, ()))
                    return Answered(source, verdicts.get(event.candidate), thoughts.text)
    raise AssistantError("The answer ended without a result.")


class Thoughts:
    """The reasoning so far, and its running line for a progress message."""

    def __init__(self) -> None:
        self.text = ""
        self._section: object = None

    def add(self, event: Reasoning) -> str:
        """Take in a piece; gives the end of the line that is being written."""
        if event.section is not self._section:
            self._section = event.section
            self.text += (
                f"\n## {event.section.value}\n" if self.text else f"## {event.section.value}\n"
            )
        self.text += event.text
        line = self.text.rstrip().rpartition("\n")[2]
        return "" if line.startswith("## ") else line[-TAIL:]


def _arguments(
    server: AssistantServer, arguments: Sequence[Any] | None
) -> tuple[str, int | None, types.Range]:
    """The uri, version and range that the code action put into its command."""
    match arguments:
        case [{"uri": str(uri), "range": dict(span), **more}]:
            version = more.get("version")
        case _:
            raise JsonRpcInvalidParams("assistant.implement takes {uri, version, range}.")
    if version is not None and type(version) is not int:
        raise JsonRpcInvalidParams(f"The version must be a whole number, not {version!r}.")
    try:
        return uri, version, server.converter.structure(span, types.Range)
    except Exception as error:
        raise JsonRpcInvalidParams("The range is not a range of positions.") from error


def _target(server: AssistantServer, uri: str, version: int | None, span: types.Range) -> Target:
    """The stub that the arguments mean, in the newest snapshot.

    Raises:
        Refused: there is none.
    """
    newest = server.documents.get(uri)
    if newest is None:
        raise Refused("The document is not open.")
    meant = newest if version is None else server.documents.at(uri, version)
    if meant is None:
        raise Refused("The document has changed since this was offered. Ask for it again.")
    stub = find_stub(meant.text, server.documents.offset(meant, span.start))
    if stub is None:
        raise Refused("There is no function with a description and without a body here.")
    return follow(server, Target(meant, stub))


def _refused(server: AssistantServer, refused: Refused) -> dict[str, Any]:
    server.tell(str(refused), types.MessageType.Info)
    return {"applied": False, "reason": str(refused)}


def _failed(server: AssistantServer, reason: str) -> dict[str, Any]:
    server.tell(reason)
    return {"applied": False, "reason": reason}


def _utf8(text: str) -> str:
    """The text without halves of surrogate pairs, which no model can be sent."""
    return text.encode("utf-8", "replace").decode()
