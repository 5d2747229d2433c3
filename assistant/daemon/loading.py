"""How the daemon's models are loaded: within the memory that they may take together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from assistant.daemon.worker import Load
from assistant.engine.engine import Engine, OnProgress
from assistant.models import gguf, memory

if TYPE_CHECKING:
    from assistant.daemon.lifecycle import Options


def loads(options: Options) -> tuple[Load, Load | None]:
    """What makes the engine that generates, and the second one where it is wanted.

    Both refuse with a `ModelProblem` what does not fit.
    """
    # Once: weights are mapped from their file, and count as free when they are in use.
    budget = memory.budget_bytes(options.memory_gb)
    first = options.model_path

    def load(path: Path, beside: Path | None) -> Load:
        def make(on_progress: OnProgress) -> Engine:
            taken = 0 if beside is None else _estimate(beside, options).total
            left = None if budget is None else budget - taken
            header = gguf.read_header(path)
            memory.check_fits(header, _tokens(header, options), left)
            return Engine(path, options.engine, on_progress)

        return make

    second = options.inline_path
    return load(first, None), load(second, first) if second is not None else None


def _estimate(path: Path, options: Options) -> memory.Estimate:
    header = gguf.read_header(path)
    return memory.estimate(header, _tokens(header, options))


def _tokens(header: gguf.Header, options: Options) -> int:
    return memory.context_tokens(header, options.engine.context_length or 0)
