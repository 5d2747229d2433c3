"""How the daemon's models are loaded: within the memory that they may take together."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from assistant.daemon.worker import Load
from assistant.engine.engine import Engine, OnProgress
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.models import gguf, memory

if TYPE_CHECKING:
    from assistant.daemon.lifecycle import Options


def loads(options: Options) -> tuple[Load, Load | None]:
    """What makes the engine that generates, and the second one where it is wanted.

    Both refuse with a `ModelProblem` what does not fit.
    """
    # Once: weights are mapped from their file, and count as free when they are in use.
    budget = memory.budget_bytes(options.memory_gb)
    first, second = options.model_path, options.inline_path

    def load(path: Path, beside: Path | None, *, after: bool = False) -> Load:
        def make(on_progress: OnProgress) -> Engine:
            left = budget
            if left is not None and after and beside is not None:
                left -= _needed(beside, options)
            header = gguf.read_header(path)
            tokens = _tokens(header, options)
            needed = memory.check_fits(header, tokens, left).total
            settings = options.engine
            if budget is not None:
                # What nobody needs is for finished sequences, half of it for each of two models.
                other = 0 if beside is None else _needed(beside, options)
                spare = max(0, budget - needed - other) // (1 if beside is None else 2)
                settings = _with_spare(settings, header, tokens, spare)
            return Engine(path, settings, on_progress)

        return make

    return load(first, second), load(second, first, after=True) if second is not None else None


def _with_spare(
    settings: EngineSettings, header: gguf.Header, tokens: int, spare: int
) -> EngineSettings:
    """Finished sequences stay in the context as far as it is larger than one request needs, then
    outside of it."""
    inside = 0
    if settings.cells is None and not memory.states_bytes(header):
        cells = memory.cells(header, tokens, spare)
        inside = (cells - tokens) * memory.cache_bytes(header)
        settings = dataclasses.replace(settings, cells=cells)
    return dataclasses.replace(settings, stash_bytes=spare - inside)


def _needed(path: Path, options: Options) -> int:
    """Bytes that a model takes; 0 for one that can not be read, which is told when it is loaded."""
    try:
        header = gguf.read_header(path)
    except ModelProblem:
        return 0
    return memory.estimate(header, _tokens(header, options)).total


def _tokens(header: gguf.Header, options: Options) -> int:
    return memory.context_tokens(header, options.engine.context_length or 0)
