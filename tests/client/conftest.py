"""Models for the clients, and no daemon that outlives its test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assistant.client import Daemon
from assistant.client.stop import stop
from tests.support.tiny_gguf import Tiny, chain_of, write


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says ABCD, says XY; says `a` until it is stopped."""
    folder = tmp_path_factory.mktemp("models")
    write(folder / "abcd.gguf", Tiny(chain=chain_of(*"ABCD")))
    write(folder / "xy.gguf", Tiny(chain=chain_of(*"XY")))
    write(folder / "endless.gguf", Tiny(chain={"\n": "a", "a": "a"}, context=65536))
    return folder


@pytest.fixture
async def ended(_own_home: Path) -> AsyncIterator[None]:
    """Ends the daemon of this test's home afterwards."""
    yield
    await stop()


@pytest.fixture(scope="module")
def common_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a daemon that several tests use, ended after the last."""
    home = tmp_path_factory.mktemp("common")
    yield home
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSISTANT_HOME", str(home))
        asyncio.run(stop())


@pytest.fixture
def shared(models: Path, common_home: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """The same as `endless`, for tests that leave it as it was."""
    monkeypatch.setenv("ASSISTANT_HOME", str(common_home))
    return Daemon(str(models / "endless.gguf"), threads=1, context_length=65536)


@pytest.fixture
def abcd(models: Path, ended: None) -> Daemon:
    """A daemon with the model that says ABCD."""
    return Daemon(str(models / "abcd.gguf"), threads=1)


@pytest.fixture
def endless(models: Path, ended: None) -> Daemon:
    """A daemon whose answers do not end by themselves."""
    return Daemon(str(models / "endless.gguf"), threads=1, context_length=65536)
