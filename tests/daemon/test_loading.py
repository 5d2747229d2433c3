"""Models are loaded within the memory that they may take together."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.daemon.lifecycle import Options
from assistant.daemon.loading import loads
from assistant.engine.types import EngineSettings
from assistant.errors import ModelProblem
from assistant.models import gguf, memory


def go_on(_: float) -> bool:
    return True


def needed(path: Path) -> int:
    header = gguf.read_header(path)
    return memory.estimate(header, memory.context_tokens(header)).total


def test_what_does_not_fit_is_refused_with_the_numbers(models: Path) -> None:
    path = models / "abcd.gguf"
    first, second = loads(Options(path, "abcd", memory_gb=0.001))
    assert second is None
    with pytest.raises(ModelProblem, match=r"needs .* of memory .* may be used"):
        first(go_on)


def test_the_second_model_gets_what_the_first_leaves(models: Path) -> None:
    path, inline = models / "abcd.gguf", models / "slow.gguf"
    together = needed(path) + needed(inline)
    for share, fits in ((1.1, True), (0.9, False)):
        first, second = loads(
            Options(path, "abcd", inline_path=inline, memory_gb=share * together / 1e9)
        )
        assert second is not None
        with first(go_on) as engine:
            assert engine.stash_bytes <= max(0, (share - 1) * together) / 2 + 1
            if fits:
                second(go_on).close()
            else:
                with pytest.raises(ModelProblem, match="of memory"):
                    second(go_on)


def test_a_second_model_that_is_missing_does_not_stop_the_first(models: Path) -> None:
    first, second = loads(
        Options(models / "abcd.gguf", "abcd", inline_path=models / "none.gguf", memory_gb=8.0)
    )
    first(go_on).close()
    assert second is not None
    with pytest.raises(ModelProblem, match=r"none\.gguf"):
        second(go_on)


def test_a_second_model_of_the_same_file_does_not_take_from_the_first(models: Path) -> None:
    path = models / "abcd.gguf"
    first, second = loads(
        Options(path, "abcd", inline_path=path, memory_gb=1.5 * needed(path) / 1e9)
    )
    first(go_on).close()
    assert second is not None
    with pytest.raises(ModelProblem, match="of memory"):
        second(go_on)


def test_memory_for_finished_sequences_is_within_the_budget(models: Path) -> None:
    """In the context and outside of it together."""
    path = models / "abcd.gguf"
    each = memory.cache_bytes(gguf.read_header(path))
    for spare in (0, 100 * each, 10_000 * each):
        first, _ = loads(Options(path, "abcd", memory_gb=(needed(path) + spare) / 1e9))
        with first(go_on) as engine:
            # llama.cpp makes cells in blocks of 256.
            parked = engine.context.cells - engine.facts.context_length
            assert parked <= -(-spare // each // 256) * 256
            assert (parked > 0) == (spare > 0)
            assert engine.stash_bytes <= max(0, spare - (parked - 256) * each)


def test_a_context_longer_than_the_model_was_made_for_is_not_counted(models: Path) -> None:
    path = models / "abcd.gguf"
    settings = EngineSettings(context_length=65_536, threads=1)
    first, _ = loads(Options(path, "abcd", memory_gb=needed(path) / 1e9 + 1e-6, engine=settings))
    first(go_on).close()
