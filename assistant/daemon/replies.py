"""JSON answers and refusals with their HTTP status."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from assistant.daemon.protocol import error_body, to_json
from assistant.errors import AssistantError, ModelProblem, RequestProblem


class Refused(Exception):
    """An error with the HTTP status that goes with it."""

    def __init__(self, status: int, error: AssistantError) -> None:
        super().__init__(str(error))
        self.status = status
        self.error = error


def status_of(error: AssistantError) -> int:
    """The HTTP status of an error: whose fault it is."""
    return 400 if isinstance(error, RequestProblem | ModelProblem) else 500


def json_reply(body: Any, status: int = 200) -> Response:
    """JSON in ASCII, whatever halves of characters are in it."""
    return Response(to_json(body), status, media_type="application/json")


def error_reply(error: AssistantError, status: int) -> Response:
    """An error; a browser that got hold of it keeps no copy."""
    return json_reply(error_body(error, status), status)
