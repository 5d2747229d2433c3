"""The commands that only tell."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from lsp.status.arguments import argument_of

if TYPE_CHECKING:
    from lsp.server import AssistantServer


async def status(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.status`: how the assistant is at this moment."""
    argument_of(params)
    return await server.status.asked()


async def why(server: AssistantServer, params: types.ExecuteCommandParams) -> dict[str, Any]:
    """`assistant.why`: why nothing was shown, the newest first, and how the assistant is now."""
    uri = argument_of(params, uri=str).get("uri")
    now = await server.status.asked()
    reasons = [asdict(one) for one in server.reasons.newest(uri)]
    return {"reasons": reasons, "status": now}
