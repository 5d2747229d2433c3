"""How the assistant is, and why it shows nothing: notifications and commands.

state.py      a state in words and numbers, and what an error means for it
board.py      the state as it changes: `server.status`
looking.py    looking at the engine
notices.py    `assistant/status` notifications
warming.py    the engine is made ready before the first request
arguments.py  what a command was given
asking.py     a question to the person at the editor
running.py    a command with progress and a cancel button
commands.py   status, why
choosing.py   models, selectModel, download
diagnosis.py  doctor
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp.status.commands import status, why

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the commands."""
    server.command("assistant.status")(lambda params: status(server, params))
    server.command("assistant.why")(lambda params: why(server, params))
