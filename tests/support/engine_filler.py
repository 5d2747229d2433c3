"""The engine in this process as a connection that fills in: no daemon, no HTTP, the real model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from assistant.client.types import Chunk, Delta, FillRequest, Finished, Progress
from assistant.engine.engine import Engine
from assistant.engine.types import CancelToken, Limits, PromptProgress, Sampling, Text


class EngineFiller:
    """Fills in with an engine that nobody else uses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[str, CancelToken] = {}
        self.asked: list[FillRequest] = []

    async def stream_fill(
        self, request: FillRequest, *, request_id: str = ""
    ) -> AsyncGenerator[Chunk, None]:
        self.asked.append(request)
        prepared = self._engine.prepare_fill(
            request.prefix,
            request.suffix,
            Sampling(temperature=request.temperature, seed=request.seed),
            Limits(request.max_tokens, request.stop, line_ms=request.line_ms),
            typed=request.typed,
            file_name=request.file_name,
            repository=request.repository,
            extra=request.extra,
        )
        cancel = self._running[request_id] = CancelToken()
        for output in self._engine.generate(prepared, cancel):
            match output:
                case PromptProgress():
                    yield Progress(output.total, output.cached, output.processed)
                case Text():
                    yield Delta(output.text)
                case _:
                    yield Finished(
                        output.reason.value,
                        output.prompt_tokens,
                        output.cached_tokens,
                        output.completion_tokens,
                    )
            await asyncio.sleep(0)

    async def cancel(self, request_id: str) -> None:
        self._running[request_id].cancel()
