"""What keeps a daemon from starting is told in a sentence, before one is started."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest

from assistant import locations
from assistant.client import connection, readiness
from assistant.client.start import start
from assistant.client.types import Daemon
from assistant.errors import ModelProblem, StateProblem


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(StateProblem, match="No space left on device"):
        start(Daemon(), Path("none.gguf"), "none")


def test_a_folder_in_the_place_of_our_file_is_named():
    locations.daemon_info_path().mkdir(parents=True)

    with pytest.raises(StateProblem, match=r"Is a directory|Operation not permitted"):
        start(Daemon(), Path("none.gguf"), "none")


async def test_a_reason_that_others_were_told_twice_is_read_in_the_log(
    models: Path, tmp_path: Path
) -> None:
    """Without it a client that is never the first to ask would load the model for ever."""
    path = tmp_path / "m.gguf"
    path.write_bytes((models / "abcd.gguf").read_bytes().replace(b"llama", b"lxxxx"))
    server, attempts = connection.Connection(Daemon(), start=False), 0
    starter = readiness._Starter(Daemon(str(path), threads=1), path)
    with pytest.raises(ModelProblem, match="unknown model architecture"):
        async with asyncio.timeout(60), server:
            while True:
                starter.step()
                # The other one hears it.
                health = await server.health()
                attempts += health is not None and health["status"] == "failed"
                await asyncio.sleep(0.01)
    assert attempts == 2
