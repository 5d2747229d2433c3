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
downloading.py  consent, progress, cancel
diagnosis.py  doctor
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsp.later import later

if TYPE_CHECKING:
    from lsp.server import AssistantServer

_COMMANDS = {
    "assistant.status": "lsp.status.commands.status",
    "assistant.why": "lsp.status.commands.why",
    "assistant.models": "lsp.status.choosing.models",
    "assistant.selectModel": "lsp.status.choosing.select_model",
    "assistant.download": "lsp.status.choosing.download",
    "assistant.doctor": "lsp.status.diagnosis.doctor",
}


def register(server: AssistantServer) -> None:
    """Add the commands."""
    for command, handler in _COMMANDS.items():
        server.command(command)(later(server, handler))
