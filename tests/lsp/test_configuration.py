"""Where an editor's settings come from, and when they count."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from lsp import engine
from lsp.options import Features
from tests.support.lsp_inside import InsideSession, until

ASKED = {"workspace": {"configuration": True}}
START = {"model": "start.gguf", "inline": False}


def answering(session: InsideSession, settings: Any) -> list[Any]:
    """Answer questions for the configuration; what was asked, as it comes."""
    questions: list[Any] = []
    session.answers["workspace/configuration"] = lambda p: (questions.append(p), [settings])[1]
    return questions


async def test_the_editors_answer_takes_the_place_of_what_it_started_with() -> None:
    session = InsideSession()
    questions = answering(session, {"model": "asked.gguf", "path": "/bin/x", "trace": {"a": 1}})
    folders = [{"uri": "file:///first", "name": "a"}, {"uri": "file:///second", "name": "b"}]
    await session.initialize(ASKED, initializationOptions=START, workspaceFolders=folders)
    assert session.server.engine.flags == {"model": "start.gguf"}

    await until(lambda: session.server.engine.flags == {"model": "asked.gguf"})

    assert session.server.features == Features()
    assert questions == [{"items": [{"scopeUri": "file:///first", "section": "assistant"}]}]
    assert session.of("window/showMessage") == []


@pytest.mark.parametrize("nothing", [None, {}, [], ""])
async def test_an_editor_that_has_nothing_to_say_keeps_what_it_started_with(nothing: Any) -> None:
    session = InsideSession()
    questions = answering(session, nothing)
    await session.initialize(ASKED, initializationOptions=START)
    await until(lambda: questions)
    await session.command("assistant.status")

    assert session.server.engine.flags == {"model": "start.gguf"}
    assert session.server.features == Features(inline=False)


async def test_defaults_that_say_nothing_leave_the_users_file_alone() -> None:
    """VS Code sends each of its settings, the untouched ones with their default."""
    session = InsideSession()
    settings = {"model": "", "inlineModel": "", "endpoint": "", "maxTokens": None, "inline": True}
    questions = answering(session, settings)
    await session.initialize(ASKED)
    await until(lambda: questions)
    await session.command("assistant.status")

    assert session.server.engine.flags == {}


async def test_an_editor_that_can_not_be_asked_is_not() -> None:
    session = InsideSession()
    questions = answering(session, {"model": "asked.gguf"})
    await session.initialize({}, initializationOptions=START)
    session.notify("workspace/didChangeConfiguration", {"settings": None})
    await session.command("assistant.status")

    assert questions == []
    assert session.server.engine.flags == {"model": "start.gguf"}
    assert session.server.engine.settled is None


async def test_a_change_is_asked_for_and_one_that_is_sent_is_taken() -> None:
    session = InsideSession()
    answering(session, {"model": "first.gguf"})
    await session.initialize(ASKED)
    await until(lambda: session.server.engine.flags == {"model": "first.gguf"})

    answering(session, {"model": "second.gguf"})
    session.notify("workspace/didChangeConfiguration", {"settings": None})
    await until(lambda: session.server.engine.flags == {"model": "second.gguf"})

    sent = {"assistant": {"model": "sent.gguf"}}
    session.notify("workspace/didChangeConfiguration", {"settings": sent})
    assert session.server.engine.flags == {"model": "sent.gguf"}


async def test_requests_wait_for_the_first_answer_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = InsideSession()
    answer = asyncio.get_running_loop().create_future()
    session.answers["workspace/configuration"] = lambda _: answer
    await session.initialize(ASKED, initializationOptions={"model": "/nowhere/start.gguf"})
    asking = asyncio.create_task(session.server.engine.inline_reason())
    await until(lambda: session.of("workspace/configuration"))
    assert not asking.done()

    answer.set_result([{"model": "/nowhere/asked.gguf"}])

    assert "/nowhere/asked.gguf" in (await asking or "")

    silent = InsideSession()
    monkeypatch.setattr(engine, "SETTLE_SECONDS", 0.01)
    silent.answers["workspace/configuration"] = lambda _: asyncio.Future()
    await silent.initialize(ASKED, initializationOptions={"model": "/nowhere/start.gguf"})
    assert "/nowhere/start.gguf" in (await silent.server.engine.inline_reason() or "")


async def test_an_editor_that_refuses_to_tell_costs_nothing() -> None:
    session = InsideSession()
    session.answers["workspace/configuration"] = lambda _: asyncio.Future()
    await session.initialize(ASKED, initializationOptions=START)
    await until(lambda: session.of("workspace/configuration"))
    asked = next(m for m in session.received if m.get("method") == "workspace/configuration")
    session.send({"id": asked["id"], "error": {"code": -32601, "message": "what?"}})
    await until(lambda: session.server.engine.settled.is_set())

    assert session.server.engine.flags == {"model": "start.gguf"}
    assert session.of("window/showMessage") == []


async def test_changes_are_registered_for_where_that_is_wanted() -> None:
    session = InsideSession()
    changes = {"didChangeConfiguration": {"dynamicRegistration": True}}
    await session.initialize({"workspace": changes})
    await until(lambda: session.of("client/registerCapability"))

    (registration,) = session.of("client/registerCapability")[0]["registrations"]
    assert registration["method"] == "workspace/didChangeConfiguration"
    assert registration["registerOptions"] == {"section": "assistant"}


async def test_what_can_not_be_used_is_told_once() -> None:
    session = InsideSession()
    answering(session, {"colour": "red", "maxTokens": "many"})
    await session.initialize(ASKED, initializationOptions={"colour": "red"})
    for _ in range(3):
        session.notify("workspace/didChangeConfiguration", {"settings": None})
    await until(lambda: len(session.of("workspace/configuration")) == 4)
    await session.command("assistant.status")

    messages = [one["message"] for one in session.of("window/showMessage")]
    assert len(messages) == 2
    assert "colour is not an option" in messages[0]
    assert messages[1] == "maxTokens must be a whole number, not 'many'."
