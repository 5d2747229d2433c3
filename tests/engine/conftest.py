"""Tiny models and engines, made once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from assistant.engine.engine import Engine
from assistant.engine.types import EngineSettings
from tests.engine.scheduling import Desk
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


@pytest.fixture(scope="module")
def roomy(models: Path) -> Iterator[Engine]:
    """Random weights, 4096 tokens of context, and memory for several of them."""
    path = write(models / "roomy.gguf", Tiny(context=4096))
    with Engine(path, EngineSettings(threads=1, cells=16384)) as engine:
        yield engine


@pytest.fixture(scope="module")
def tight(models: Path) -> Iterator[Engine]:
    """As `roomy`, with memory for one context only."""
    path = write(models / "tight.gguf", Tiny(context=1024))
    with Engine(path, EngineSettings(threads=1, cells=1024)) as engine:
        yield engine


@pytest.fixture
def desk(roomy: Engine) -> Desk:
    """A scheduler of `roomy` that the test steps itself."""
    return Desk(roomy)


def chain_engine(folder: Path, spec: Tiny) -> Engine:
    """An engine whose answers a test prescribes."""
    return Engine(write(folder / "chain.gguf", spec), EngineSettings(threads=1))
