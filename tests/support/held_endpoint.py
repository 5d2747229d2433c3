"""An endpoint in the test's own event loop whose list of models comes when the test says so.

async with HeldEndpoint() as endpoint:
    endpoint.gate.clear()            # from now on `/v1/models` waits
    ...
    endpoint.gate.set()
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, Self

REASONS = {200: "OK", 400: "Bad Request", 404: "Not Found", 501: "Not Implemented"}


class HeldEndpoint:
    """Lists one model; answers `/infill` as it is told. A context manager."""

    def __init__(self, model: str = "held", infill: tuple[int, Any] = (404, {})) -> None:
        self.model = model
        self.infill = infill
        """Status and body."""
        self.asked: Counter[str] = Counter()
        """How often, by path."""
        self.gate = asyncio.Event()
        self.gate.set()

    @property
    def url(self) -> str:
        """For the setting `endpoint.url`."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.gate.set()
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            lengths = [line for line in head if line.lower().startswith("content-length:")]
            await reader.readexactly(int(lengths[0].partition(":")[2]) if lengths else 0)
            path = head[0].split()[1]
            self.asked[path] += 1
            status, body = await self._answer(path)
            data = json.dumps(body).encode()
            reason = REASONS.get(status, "Odd")
            writer.write(
                f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n".encode()
                + data
            )
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            writer.close()

    async def _answer(self, path: str) -> tuple[int, Any]:
        if path.endswith("/models"):
            await self.gate.wait()
            return 200, {"object": "list", "data": [{"id": self.model}]}
        return self.infill if path.endswith("/infill") else (404, {})
