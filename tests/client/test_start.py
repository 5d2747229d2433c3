"""What keeps a daemon from starting is told in a sentence, before one is started."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant import locations
from assistant.client import connection, readiness
from assistant.client.start import last_words, start
from assistant.client.stop import stop as end_daemon
from assistant.client.types import ChatRequest, Daemon, Delta
from assistant.daemon import crashes
from assistant.daemon.connection import MAX_CONNECTIONS
from assistant.errors import DaemonProblem, ModelProblem, StateProblem
from assistant.models.names import Chosen


def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)

    with pytest.raises(StateProblem, match="No space left on device"):
        start(Daemon(), Chosen(Path("none.gguf")), "none")


def test_a_folder_in_the_place_of_our_file_is_named():
    locations.daemon_info_path().mkdir(parents=True)

    with pytest.raises(StateProblem, match=r"Is a directory|Operation not permitted"):
        start(Daemon(), Chosen(Path("none.gguf")), "none")


async def test_a_reason_that_others_were_told_twice_is_read_in_the_log(
    models: Path, tmp_path: Path
) -> None:
    """Without it a client that is never the first to ask would load the model for ever."""
    path = tmp_path / "m.gguf"
    path.write_bytes((models / "abcd.gguf").read_bytes().replace(b"llama", b"lxxxx"))
    server, attempts = connection.Connection(Daemon(), start=False), 0
    starter = readiness._Starter(Daemon(str(path), threads=1), Chosen(path))
    with pytest.raises(ModelProblem, match="unknown model architecture"):
        async with asyncio.timeout(60), server:
            while True:
                starter.step()
                # The other one hears it.
                health = await server.health()
                attempts += health is not None and health["status"] == "failed"
                await asyncio.sleep(0.01)
    assert attempts == 2


async def test_a_daemon_full_of_connections_is_told_and_can_be_ended(abcd: Daemon) -> None:
    async with await connection.connect(abcd) as made:
        pid = (await made.status())["pid"]
    held = []
    try:
        for _ in range(MAX_CONNECTIONS):
            one = socket.socket(socket.AF_UNIX)
            held.append(one)
            one.connect(os.fspath(locations.socket_path()))
            one.sendall(b"GET /health HTTP/1.1\r\nHost: d\r\n\r\n")
        for one in held[1:]:
            assert await asyncio.to_thread(one.recv, 1000)
        with pytest.raises(DaemonProblem, match=f"{MAX_CONNECTIONS} connections already"):
            async with asyncio.timeout(30):
                await connection.connect(abcd)
        assert await end_daemon() == pid
    finally:
        for one in held:
            one.close()


async def test_one_that_stays_busy_with_another_model_is_named(
    models: Path, endless: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "BUSY_SECONDS", 0.3)
    request = ChatRequest([{"role": "user", "content": "hi"}])
    async with (
        await connection.connect(endless) as made,
        aclosing(made.stream_chat(request)) as chunks,
        asyncio.timeout(30),
    ):
        await anext(chunks)
        with pytest.raises(DaemonProblem, match=r"endless\.gguf .* so .*xy\.gguf can not"):
            await connection.connect(Daemon(str(models / "xy.gguf"), threads=1))


async def test_a_closed_answer_has_let_go_of_its_connection(endless: Daemon) -> None:
    request = ChatRequest([{"role": "user", "content": "hi"}])
    async with await connection.connect(endless) as made:
        chunks = made.stream_chat(request)
        while not isinstance(await anext(chunks), Delta):
            pass
        await chunks.aclose()
        transport = made._client._transport._inner  # type: ignore[attr-defined]
        # The pool of an answer that was broken off is closed as a whole.
        assert transport._pool is None
        assert transport._retired == set()


_LATER = pytest.param(time.time() + 3e8, id="in ten years")


@pytest.mark.parametrize("at", [_LATER, 1e999, -1.0, "soon"])
@pytest.mark.parametrize("count", [3, 1e999])
def test_deaths_at_a_time_that_can_not_be_do_not_count(at: object, count: float) -> None:
    """The clock was set back, or the file is damaged."""
    locations.ensure_private_dir(crashes.path().parent)
    crashes.path().write_text(json.dumps({"count": count, "at": at}))

    crashes.note_previous_death()


def test_the_last_words_are_found_after_the_log_began_anew(tmp_path: Path) -> None:
    """Those of a library, too, which knows nothing of the log."""
    program = """
        import logging, os
        from assistant import locations
        from assistant.daemon import lifecycle
        os.umask(0)
        path = locations.log_path("daemon")
        path.parent.mkdir(parents=True)
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
        lifecycle._LOG_BYTES = 1000
        lifecycle._start_log(False)
        for number in range(100):
            logging.info("line %s", number)
        os.write(2, b"GGML_ASSERT failed")
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=60)

    assert last_words().splitlines()[-1] == "GGML_ASSERT failed"
    assert "line 99" in last_words()
    assert locations.log_path("daemon").stat().st_mode & 0o777 == 0o600
