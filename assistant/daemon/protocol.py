"""What the daemon and its clients agree on, and how an error and an event are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from assistant.errors import AssistantError

PROTOCOL = 1
LOAD_FAILED = 4
"""Exit status of a daemon that told a client why its model can not be loaded."""
MAX_BODY_BYTES = 8 * 1024 * 1024
DONE = b"data: [DONE]\n\n"
PING = b": still working\n\n"
REQUEST_ID = "x-request-id"


def to_json(body: Any) -> str:
    """JSON in ASCII: half characters survive, and no client takes U+2028 for the end of a line."""
    return json.dumps(body, separators=(",", ":"))


def event(body: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {to_json(body)}\n\n".encode()


def error_body(error: AssistantError, status: int) -> dict[str, Any]:
    """An error as clients read it; `type` is the name of the class in `assistant.errors`."""
    # A message may quote what a client sent, half characters included.
    message = error.message.encode("utf-8", "backslashreplace").decode()
    body = {"code": status, "message": message, "type": type(error).__name__}
    return {"error": body | ({"hint": error.hint} if error.hint else {})}
