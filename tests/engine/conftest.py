"""Tiny models and engines, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from tests.support.tiny_gguf import Tiny, write


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for model files."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def engine(models: Path) -> Iterator[Engine]:
    """Random weights, one thread."""
    with Engine(write(models / "random.gguf"), EngineSettings(threads=1)) as loaded:
        yield loaded


def chain_engine(folder: Path, spec: Tiny) -> Engine:
    """An engine whose answers a test prescribes."""
    return Engine(write(folder / "chain.gguf", spec), EngineSettings(threads=1))
