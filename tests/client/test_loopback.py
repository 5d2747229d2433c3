"""The daemon over loopback TCP, as it is where there are no unix sockets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from assistant import locations
from assistant.client import ChatRequest, Daemon, Delta, connect, running, transport
from assistant.client.stop import stop
from assistant.daemon import listening

HI = ChatRequest([{"role": "user", "content": "hi"}])


@pytest.fixture
def no_unix_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the clients in this process."""
    monkeypatch.setattr(transport, "_UNIX_SOCKETS", False)


@pytest.mark.usefixtures("ended", "no_unix_sockets")
async def test_a_client_finds_the_port_and_the_token_of_each_daemon(models: Path) -> None:
    """They change from one daemon to the next."""
    target = Daemon(str(models / "abcd.gguf"), loopback=0)
    assert await running() is None
    async with await connect(target) as made:
        first = json.loads(locations.daemon_info_path().read_text())
        assert await text_of(made) == "ABCD"
        await stop()
        assert await text_of(made) == "ABCD"
        second = json.loads(locations.daemon_info_path().read_text())

    assert first["token"] != second["token"]


async def text_of(made: object) -> str:
    chunks = [chunk async for chunk in made.stream_chat(HI)]  # type: ignore[attr-defined]
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta))


def test_without_unix_sockets_there_is_always_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "HAS_UNIX_SOCKETS", False)

    with listening.listening() as place:
        (listener,) = place.sockets
        host, port = listener.getsockname()
        assert host == "127.0.0.1"
        assert place.access.port == port
        assert place.access.token
        assert place.ours
        assert json.loads(locations.daemon_info_path().read_text())["port"] == port
    assert not locations.daemon_info_path().exists()
