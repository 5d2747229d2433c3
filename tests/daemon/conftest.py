"""Models whose behaviour the tests rely on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.daemons import client
from tests.support.tiny_gguf import Tiny, chain_of, write


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says ABCD; says `a` until it is stopped; reads slowly."""
    folder = tmp_path_factory.mktemp("models")
    write(folder / "abcd.gguf", Tiny(chain=chain_of(*"ABCD")))
    endless = Tiny(chain={"\n": "a", "a": "a"}, context=65536)
    write(folder / "endless.gguf", endless)
    write(folder / "slow.gguf", Tiny(layers=16, context=8192))
    return folder


@pytest.fixture
def http(_own_home: Path) -> Iterator[httpx.Client]:
    """A client to the daemon of this test's home."""
    with client() as made:
        yield made
