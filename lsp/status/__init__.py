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

from lsp.status.choosing import download, models, select_model
from lsp.status.commands import status, why
from lsp.status.diagnosis import doctor

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the commands."""
    commands = {
        "assistant.status": status,
        "assistant.why": why,
        "assistant.models": models,
        "assistant.selectModel": select_model,
        "assistant.download": download,
        "assistant.doctor": doctor,
    }
    for name, command in commands.items():
        server.command(name)(lambda params, command=command: command(server, params))
