"""What a chat request says to our daemon, and what to others."""

from __future__ import annotations

from assistant.client import ChatRequest, Forced
from assistant.client.dialect import chat_body
from assistant.daemon.protocol import to_json
from assistant.daemon.requests import parse_chat
from assistant.engine.types import Priority

FULL = ChatRequest(
    [{"role": "user", "content": "hi"}],
    forced=[Forced("a", "b")],
    reasoning_budget=50,
    priority="background",
    lookup=["text"],
)


def test_the_daemon_reads_what_the_client_writes() -> None:
    """It is asked for the raw text, which the client splits further."""
    controls = parse_chat(to_json(chat_body(FULL, ours=True)).encode()).controls

    assert controls.limits.forced == (Forced("a", "b"),)
    assert (controls.reasoning_budget, controls.priority) == (50, Priority.BACKGROUND)
    assert controls.lookup == ("text",)
    assert (controls.stream, controls.progress, controls.split) == (True, True, False)


def test_what_is_not_asked_for_is_not_sent() -> None:
    plain = chat_body(ChatRequest([]), ours=True)

    assert not {"reasoning_budget", "priority", "lookup"} & set(plain)
    assert chat_body(ChatRequest([], lookup=()), ours=True)["lookup"] is True


def test_another_server_is_sent_no_extensions() -> None:
    """It may refuse them."""
    body = chat_body(FULL, ours=False)

    assert set(body) == {"messages", "stream", "temperature", "stream_options"}
