"""A question to the person at the editor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lsprotocol import types
from pygls.exceptions import JsonRpcException

if TYPE_CHECKING:
    from lsp.server import AssistantServer


async def answer_to(server: AssistantServer, question: str, answers: Sequence[str]) -> str | None:
    """The answer that was chosen; None when the question was closed, or can not be asked."""
    actions = [types.MessageActionItem(answer) for answer in answers]
    asked = types.ShowMessageRequestParams(types.MessageType.Info, question, actions)
    try:
        chosen = await server.window_show_message_request_async(asked)
    except JsonRpcException:
        return None
    return chosen.title if chosen is not None and chosen.title in answers else None
