"""How the daemon's models are loaded: within the memory that they may take together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from assistant.daemon.worker import Load
from assistant.engine.engine import Engine, OnProgress
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.models import adapters, gguf, memory
from assistant.models.names import Chosen

if TYPE_CHECKING:
    from assistant.daemon.lifecycle import Options


def loads(options: Options) -> tuple[Load, Load | None]:
    """What makes the engine that generates, and the second one where it is wanted.

    Both refuse with a `ModelProblem` what does not fit.
    """
    # Once: weights are mapped from their file, and count as free when they are in use.
    budget = memory.budget_bytes(options.memory_gb)
    first = Chosen(options.model_path, options.adapter_path)
    second = None
    if options.inline_path is not None:
        second = Chosen(options.inline_path, options.inline_adapter_path)

    def load(one: Chosen, beside: Chosen | None, *, after: bool = False) -> Load:
        def make(on_progress: OnProgress) -> Engine:
            left = budget
            if left is not None and after and beside is not None:
                left -= _needed(beside, options)
            header = gguf.read_header(one.path)
            tokens = _tokens(header, options)
            more = adapters.bytes_of(one.adapter)
            needed = memory.check_fits(header, tokens, left, more).total
            settings = dataclasses.replace(options.engine, adapter=one.adapter)
            if budget is not None:
                # What nobody needs is for finished sequences, half of it for each of two models.
                other = 0 if beside is None else _needed(beside, options)
                spare = max(0, budget - needed - other) // (1 if beside is None else 2)
                settings = _with_spare(settings, header, tokens, spare)
            return Engine(one.path, settings, on_progress)

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


def _needed(one: Chosen, options: Options) -> int:
    """Bytes that a model takes; 0 for one that can not be read, which is told when it is loaded."""
    try:
        header = gguf.read_header(one.path)
    except ModelProblem:
        return 0
    more = adapters.bytes_of(one.adapter)
    return memory.estimate(header, _tokens(header, options), more).total


def _tokens(header: gguf.Header, options: Options) -> int:
    return memory.context_tokens(header, options.engine.context_length or 0)
