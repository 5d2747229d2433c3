"""Code with reasoning, on request: offered by code actions, written by commands.

actions.py     the code action that offers the command
implement.py   the command: task, stream, check
apply.py       its result as one edit of the version that it is for
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from lsp.generate.actions import IMPLEMENT, KIND, code_actions
from lsp.generate.implement import implement

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the code actions and their command."""
    actions = types.CodeActionOptions(code_action_kinds=[KIND])
    server.feature(types.TEXT_DOCUMENT_CODE_ACTION, actions)(
        lambda params: code_actions(server, params)
    )
    server.command(IMPLEMENT)(lambda params: implement(server, params))
