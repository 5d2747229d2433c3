"""What is shown of the assistant's state: changes, in time, and no storms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from assistant.client import Inline
from assistant.errors import (
    AssistantError,
    DaemonProblem,
    EndpointProblem,
    ModelProblem,
    RequestProblem,
)
from lsp.python.reply import Refused
from lsp.status import board, notices, state
from lsp.status.state import Figures, Kind, Status, ready_message
from tests.support.held_endpoint import HeldEndpoint
from tests.support.lsp_inside import InsideSession, until

OURS = {"experimental": {"assistant": {"status": True}}}
DEAD = DaemonProblem("The engine daemon died in mid-answer.", hint="The next request starts one.")


@pytest.fixture
async def held() -> AsyncIterator[HeldEndpoint]:
    async with HeldEndpoint(infill=(400, {})) as endpoint:
        yield endpoint


@pytest.fixture
async def session(
    held: HeldEndpoint, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[InsideSession]:
    """An editor that shows the status; its engine is an endpoint. Nothing waits for long."""
    monkeypatch.setattr(board, "BUSY_AFTER", 0.0)
    monkeypatch.setattr(board, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(notices, "EVERY", 0.0)
    session = InsideSession()
    await session.initialize(OURS, initializationOptions={"endpoint": held.url})
    yield session
    await until(lambda: not session.server.status._tasks)


def shown(session: InsideSession) -> dict[str, Any]:
    """The newest state that the editor has been told."""
    newest: dict[str, Any] = session.of("assistant/status")[-1]
    return newest


def kinds(session: InsideSession) -> list[str]:
    return [one["kind"] for one in session.of("assistant/status")]


async def test_an_editor_is_told_from_nothing_to_ready(
    session: InsideSession, held: HeldEndpoint
) -> None:
    held.gate.clear()
    opening = asyncio.create_task(session.server.engine.connection())
    await until(lambda: shown(session)["kind"] == "starting")
    assert held.url in shown(session)["message"]
    held.gate.set()
    await opening
    await until(lambda: shown(session)["kind"] == "ready")

    assert kinds(session) == ["unknown", "starting", "ready"]
    assert shown(session) == {
        "kind": "ready",
        "message": "held answers and completes.",
        "model": "held",
        "inline": {"model": "held"},
    }


async def test_an_editor_that_does_not_ask_is_told_nothing() -> None:
    for capabilities in (
        {},
        {"experimental": 3},
        {"experimental": {"assistant": {"events": True}}},
    ):
        session = InsideSession()
        await session.initialize(capabilities)
        session.server.status.failed(DEAD)

        assert session.of("assistant/status") == []
        assert (await session.command("assistant.status"))["kind"] == "failed"


async def test_work_is_shown_while_it_lasts(session: InsideSession) -> None:
    await session.server.engine.connection()
    await until(lambda: shown(session)["kind"] == "ready")

    with session.server.status.working("Implement add"):
        await until(lambda: shown(session)["kind"] == "busy")
        assert shown(session)["message"] == "Implement add"
        assert shown(session)["model"] == "held"
        with session.server.status.working("Explain f"):
            await until(lambda: shown(session)["message"] == "Explain f")
        await until(lambda: shown(session)["message"] == "Implement add")

    await until(lambda: shown(session)["kind"] == "ready")


async def test_work_that_is_short_is_not_shown(
    session: InsideSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "BUSY_AFTER", 600.0)
    await session.server.engine.connection()
    await until(lambda: shown(session)["kind"] == "ready")
    for _ in range(20):
        with session.server.status.working():
            await asyncio.sleep(0)
    await session.command("assistant.status")

    assert "busy" not in kinds(session)


async def test_changes_come_no_faster_than_an_editor_can_draw(
    session: InsideSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "EVERY", 0.05)
    before = len(kinds(session))
    for number in range(200):
        session.server.status.failed(DaemonProblem(f"failure {number}"))
    await until(lambda: shown(session)["message"] == "failure 199")

    assert len(kinds(session)) - before <= 2


async def test_the_same_state_is_told_once(session: InsideSession) -> None:
    for _ in range(5):
        session.server.status.failed(DEAD)
        await asyncio.sleep(0.002)

    assert kinds(session) == ["unknown", "failed"]


async def test_a_failure_stays_until_something_works(session: InsideSession) -> None:
    await session.server.engine.connection()
    with pytest.raises(DaemonProblem), session.server.status.working():
        raise DEAD
    await until(lambda: shown(session)["kind"] == "failed")
    assert shown(session)["message"] == str(DEAD)
    assert (await session.command("assistant.status"))["kind"] == "failed"

    with session.server.status.working():
        pass

    await until(lambda: shown(session)["message"] == "held answers and completes.")
    assert shown(session)["kind"] == "ready"


@pytest.mark.parametrize(
    "error", [RequestProblem("too long"), Refused("no code"), AssistantError("It said nothing.")]
)
async def test_a_request_that_can_not_be_served_is_no_failure_of_the_engine(
    session: InsideSession, error: AssistantError
) -> None:
    await session.server.engine.connection()
    with pytest.raises(type(error)), session.server.status.working():
        raise error

    assert (await session.command("assistant.status"))["kind"] == "ready"
    assert "failed" not in kinds(session)


async def test_suggestions_that_are_not_to_be_had_are_no_failure_of_the_rest(
    session: InsideSession, held: HeldEndpoint
) -> None:
    held.infill = (404, {})
    await session.server.engine.connection()
    with pytest.raises(EndpointProblem), session.server.status.working(inline=True):
        raise EndpointProblem("It has no /infill.")
    await until(lambda: "has no /infill" in shown(session)["inline"].get("reason", ""))

    assert shown(session)["kind"] == "ready"
    assert "failed" not in kinds(session)


async def test_an_answer_that_failed_in_words_is_a_failure_when_nobody_is_there(
    session: InsideSession, held: HeldEndpoint
) -> None:
    await session.server.engine.connection()
    held._server.close()
    await held._server.wait_closed()

    with pytest.raises(AssistantError), session.server.status.working():
        raise AssistantError("The stream ended before its end.")

    await until(lambda: shown(session)["kind"] == "failed")
    assert shown(session)["message"] == "The stream ended before its end."


async def test_an_answer_that_failed_in_words_is_a_failure_when_the_connection_was_given_up(
    session: InsideSession,
) -> None:
    await session.server.engine.connection()
    with pytest.raises(AssistantError), session.server.status.working():
        await session.server.engine.forget()
        raise AssistantError("The stream ended before its end.")

    await until(lambda: shown(session)["kind"] == "failed")


async def test_a_cancel_says_nothing_of_the_engine(session: InsideSession) -> None:
    async def work() -> None:
        with session.server.status.working():
            await asyncio.sleep(600)

    task = asyncio.create_task(work())
    await until(lambda: shown(session)["kind"] == "busy")
    task.cancel()
    await until(lambda: shown(session)["kind"] == "unknown")


async def test_what_can_not_be_opened_is_off_with_the_next_step(
    session: InsideSession, held: HeldEndpoint
) -> None:
    missing = {"assistant": {"model": "/nowhere/none.gguf"}}
    session.notify("workspace/didChangeConfiguration", {"settings": missing})
    with pytest.raises(ModelProblem):
        await session.server.engine.connection()

    await until(lambda: shown(session)["kind"] == "off")
    assert "/nowhere/none.gguf does not exist" in shown(session)["message"]
    assert "assistant models list" in shown(session)["message"]
    assert session.of("window/showMessage") == []

    settings = {"assistant": {"endpoint": held.url}}
    session.notify("workspace/didChangeConfiguration", {"settings": settings})
    await session.server.engine.connection()
    await until(lambda: shown(session)["kind"] == "ready")


async def test_one_message_for_one_failure(session: InsideSession) -> None:
    for _ in range(5):
        session.server.status.tell(DEAD)
    session.server.status.tell(DaemonProblem("something else"))
    assert len(session.of("window/showMessage")) == 2

    with session.server.status.working():
        pass
    session.server.status.tell(DEAD)
    assert len(session.of("window/showMessage")) == 3


async def test_suggestions_that_are_switched_off_are_told_so(
    session: InsideSession, held: HeldEndpoint
) -> None:
    settings = {"assistant": {"endpoint": held.url, "inline": False}}
    session.notify("workspace/didChangeConfiguration", {"settings": settings})
    await session.server.engine.connection()
    await until(lambda: shown(session)["kind"] == "ready")

    assert shown(session)["inline"] == {"reason": "switched off in this editor (option inline)"}
    assert shown(session)["message"].startswith("held answers. Suggestions are off: switched off")
    assert held.asked["/infill"] == 0


async def test_counts_of_suggestions_are_told_by_the_command(session: InsideSession) -> None:
    session.server.status.figures = lambda: {"shown": 3, "accepted": 1}

    assert (await session.command("assistant.status"))["suggestions"] == {"shown": 3, "accepted": 1}


def test_speed_is_that_of_the_newest_work() -> None:
    before = Figures(tokens=100, seconds=10.0)

    assert Figures(tokens=150, seconds=11.0).speed_since(before) == 50.0
    assert before.speed_since(before) is None
    assert Figures().speed_since(before) is None


def test_a_state_says_only_what_is_known() -> None:
    assert Status().as_json() == {"kind": "unknown", "message": Status().message, "inline": {}}
    told = Status(kind=Kind.BUSY, queue=(1, 2), progress=0.0, memory_bytes=0).as_json()
    assert told["queue"] == {"running": 1, "waiting": 2}
    assert told["progress"] == 0.0


def test_two_models_are_both_named() -> None:
    assert ready_message("a", Inline("b")) == "a answers, b completes."
    assert ready_message("a", Inline(reason="no tokens.")) == (
        "a answers. Suggestions are off: no tokens."
    )


async def test_who_asks_does_not_wait_for_an_engine_that_hangs(
    session: InsideSession, held: HeldEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    await session.server.engine.connection()
    await until(lambda: shown(session)["kind"] == "ready")
    monkeypatch.setattr(board, "ASKED_SECONDS", 0.01)
    held.gate.clear()

    told = await session.server.status.asked()

    assert (told["kind"], told["message"]) == ("failed", state.SILENT)
    assert shown(session)["kind"] == "ready"
