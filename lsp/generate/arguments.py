"""The arguments of the commands, read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcInvalidParams

from assistant.tasks import TaskKind

if TYPE_CHECKING:
    from lsp.server import AssistantServer

TASKS = {kind.value: kind for kind in TaskKind if kind is not TaskKind.ASK}


@dataclass(frozen=True, slots=True)
class GenerateArguments:
    """What `assistant.generate` is asked for."""

    task: TaskKind
    uri: str
    range: types.Range
    version: int | None
    instruction: str
    diagnostic: str


def generate_arguments(
    server: AssistantServer, arguments: Sequence[Any] | None
) -> GenerateArguments:
    """Those of `assistant.generate`.

    Raises:
        JsonRpcInvalidParams: they are none.
    """
    one = _object(arguments, "assistant.generate")
    task = TASKS.get(str(one.get("task")))
    if task is None:
        raise JsonRpcInvalidParams(f"The task must be one of {', '.join(TASKS)}.")
    version = one.get("version")
    if version is not None and type(version) is not int:
        raise JsonRpcInvalidParams(f"The version must be a whole number, not {version!r}.")
    return GenerateArguments(
        task=task,
        uri=_text(one, "uri"),
        range=_range(server, one.get("range")),
        version=version,
        instruction=_text(one, "instruction", ""),
        diagnostic=_diagnostic(one.get("diagnostic")),
    )


@dataclass(frozen=True, slots=True)
class Choice:
    """Which proposal a command is about; neither of them means the newest."""

    proposal: str | None = None
    uri: str | None = None


def choice(arguments: Sequence[Any] | None) -> Choice:
    """Those of the commands about a proposal.

    Raises:
        JsonRpcInvalidParams: they are none.
    """
    one = _object(arguments or [{}], "The command")
    return Choice(_text(one, "proposal", None), _text(one, "uri", None))


def position_arguments(
    server: AssistantServer, arguments: Sequence[Any] | None
) -> tuple[str, types.Position]:
    """The uri and the position of `assistant.context`; a missing position is the beginning.

    Raises:
        JsonRpcInvalidParams: they are none.
    """
    one = _object(arguments, "assistant.context")
    given = one.get("position") or {"line": 0, "character": 0}
    position = _range(server, {"start": given, "end": given}).start
    return _text(one, "uri"), position


def _object(arguments: Sequence[Any] | None, who: str) -> dict[str, Any]:
    match arguments:
        case [dict() as one]:
            return one
    raise JsonRpcInvalidParams(f"{who} takes one object.")


_MISSING: Any = object()


def _text(one: dict[str, Any], key: str, default: Any = _MISSING) -> Any:
    value = one.get(key)
    if value is None and default is not _MISSING:
        return default
    if not isinstance(value, str):
        raise JsonRpcInvalidParams(f"{key} must be a text, not {value!r}.")
    return value


def _range(server: AssistantServer, given: Any) -> types.Range:
    try:
        span = server.converter.structure(given, types.Range)
    except Exception as error:
        raise JsonRpcInvalidParams("The range is not a range of positions.") from error
    numbers = (span.start.line, span.start.character, span.end.line, span.end.character)
    if any(type(number) is not int for number in numbers):
        raise JsonRpcInvalidParams("The range is not a range of positions.")
    return span


def _diagnostic(given: Any) -> str:
    """What a diagnostic says, with its code; empty when there is none."""
    if given is None:
        return ""
    if not isinstance(given, dict) or not isinstance(given.get("message"), str):
        raise JsonRpcInvalidParams("The diagnostic must be an object with a message.")
    code = given.get("code")
    return f"{given['message']} [{code}]" if isinstance(code, str | int) else str(given["message"])
