"""How the assistant is, and why it shows nothing: notifications and commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lsp.server import AssistantServer


def register(server: AssistantServer) -> None:
    """Add the commands."""
