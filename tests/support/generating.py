"""What the tests of generation share: a stub, its answer, and commands as an editor sends them."""

from __future__ import annotations

from typing import Any

from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient, Message
from tests.support.scripted_endpoint import Reply

REQUEST_CANCELLED = -32800

STUB = 'def double(x):\n    """Double x. 😀"""\n'
BODY = "    return 2 * x\n"
CODE = f'def double(x):\n    """Double x."""\n{BODY}'
REASONING = """\
## Intent
Twice the number is wanted.
## Steps
1. Multiply by two.
## Formulas
2 * x
## Edge cases
- none known
"""


def answer_of(code: str, language: str = "python") -> str:
    """An answer in the format, with this code."""
    return f"{REASONING}## Code\n```{language}\n{code.rstrip()}\n```\n"


ANSWER = answer_of(CODE)

WORKSPACE = {
    **CAPABILITIES["workspace"],
    "textDocumentContent": {},
    "codeLens": {"refreshSupport": True},
    "workspaceEdit": {
        "documentChanges": True,
        "resourceOperations": ["create"],
        "changeAnnotationSupport": {},
    },
}
OURS: Message = {
    **CAPABILITIES,
    "workspace": WORKSPACE,
    "window": {"workDoneProgress": True, "showDocument": {"support": True}},
    "experimental": {"assistant": {"status": True, "events": True}},
}
"""What the extensions of ours say that they can do."""


def execute(client: LspClient, command: str, **argument: Any) -> int:
    """Run a command with one argument; the id of the request."""
    params = {"command": command, "arguments": [argument]}
    return client.request("workspace/executeCommand", params)


def command(client: LspClient, name: str, **argument: Any) -> Any:
    """Run a command and wait for its result."""
    return client.result(execute(client, f"assistant.{name}", **argument))


def titles(client: LspClient, buffer: Buffer, offset: int = 0, **context: Any) -> list[str]:
    """The titles of the code actions at an offset."""
    return [action["title"] for action in client.code_actions(buffer, offset, **context)]


def offered(client: LspClient, buffer: Buffer, title: str, offset: int = 0) -> Message:
    """The command of the code action whose title begins so."""
    actions = client.code_actions(buffer, offset)
    (found,) = [one for one in actions if one["title"].startswith(title)]
    wanted: Message = found["command"]
    return wanted


def implementing(client: LspClient, buffer: Buffer, marker: str = "Double") -> Message:
    """Open the buffer and take the command that implements the stub at the marker."""
    client.open(buffer)
    return offered(client, buffer, "Implement", buffer.text.index(marker))


def asking(client: LspClient, buffer: Buffer, task: str, at: str = "", **more: Any) -> int:
    """Ask for a task at the first place of a text, or with the whole of it selected."""
    start = buffer.text.index(at)
    end = start + len(at) if more.pop("select", False) else start
    span = {"start": buffer.position(start), "end": buffer.position(end)}
    argument = {"task": task, "uri": buffer.uri, "range": span, **more}
    return execute(client, "assistant.generate", **argument)


def messages(client: LspClient) -> list[str]:
    """What the person was told in messages."""
    return [params["message"] for params in client.of("window/showMessage")]


def events(client: LspClient, kind: str = "") -> list[Message]:
    """The `assistant/event` notifications that have come, of one kind or all."""
    return [one for one in client.of("assistant/event") if kind in ("", one["kind"])]


def held(before: str = "## Code", answer: str = ANSWER) -> tuple[Reply, int]:
    """An answer, stopped before the chunk that `before` begins in, and the chunk's number."""
    reply = Reply.of(answer)
    index = answer.index(before) // 8
    reply.hold(index)
    return reply, index
