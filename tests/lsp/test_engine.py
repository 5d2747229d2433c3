"""The kept connection: shared, opened anew when that is needed, never broken for others."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from assistant import locations
from assistant.client import ChatRequest, Delta
from assistant.client.stop import stop
from assistant.errors import AssistantError, EndpointProblem, ModelProblem
from lsp import engine as engine_module
from lsp.engine import Engine, Happened
from tests.support.daemons import health
from tests.support.held_endpoint import HeldEndpoint
from tests.support.lsp_inside import until
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.support.tiny_gguf import Tiny, chain_of, write

HI = ChatRequest([{"role": "user", "content": "hi"}])


@pytest.fixture
async def held() -> AsyncIterator[HeldEndpoint]:
    async with HeldEndpoint() as endpoint:
        yield endpoint


def engine_for(url: str) -> tuple[Engine, list[Happened]]:
    engine, happened = Engine(), []
    engine.flags = {"endpoint.url": url}
    engine.listen(lambda what, _: happened.append(what))
    return engine, happened


async def test_requests_share_one_connection(held: HeldEndpoint) -> None:
    engine, happened = engine_for(held.url)

    first, second = await asyncio.gather(engine.connection(), engine.connection())

    assert first is second is await engine.connection()
    assert happened == [Happened.OPENING, Happened.OPENED]
    assert held.asked["/v1/models"] == 1


async def test_who_is_cancelled_while_it_opens_cancels_nothing_for_others(
    held: HeldEndpoint,
) -> None:
    engine, happened = engine_for(held.url)
    held.gate.clear()
    typing, waiting = (asyncio.create_task(engine.connection()) for _ in range(2))
    await until(lambda: held.asked["/v1/models"])

    typing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await typing
    held.gate.set()

    assert await waiting is await engine.connection()
    assert happened == [Happened.OPENING, Happened.OPENED]


async def test_an_opening_that_nobody_waits_for_any_more_goes_on(held: HeldEndpoint) -> None:
    engine, happened = engine_for(held.url)
    held.gate.clear()
    typing = asyncio.create_task(engine.connection())
    await until(lambda: held.asked["/v1/models"])
    typing.cancel()
    held.gate.set()

    await until(lambda: Happened.OPENED in happened)

    assert engine.open_one() is not None
    assert held.asked["/v1/models"] == 1


async def test_settings_that_change_while_it_opens_lead_to_the_new_place(
    held: HeldEndpoint,
) -> None:
    async with HeldEndpoint("other") as other:
        engine, _ = engine_for(held.url)
        held.gate.clear()
        waiting = asyncio.create_task(engine.connection())
        await until(lambda: held.asked["/v1/models"])

        engine.flags = {"endpoint.url": other.url}
        newer = await engine.connection()

        assert await waiting is newer
        assert (await engine.model_info()).id == "other"


async def test_a_change_of_the_users_file_is_seen(held: HeldEndpoint) -> None:
    engine = Engine()
    file = locations.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    for model in ("first", "second"):
        file.write_text(f'[endpoint]\nurl = "{held.url}"\nmodel = "{model}"\n')

        assert engine.resolved().settings.endpoint.model == model
    assert engine.resolved() is engine.resolved()


async def test_an_answer_on_the_old_connection_goes_to_its_end() -> None:
    slow = Reply(chunks=["one ", "two ", "three"])
    slow.hold(1)
    with ScriptedEndpoint([slow]) as old, ScriptedEndpoint(["else"]) as new:
        engine, _ = engine_for(old.url)
        connection = await engine.connection()
        client = connection._client
        text = ""
        async with aclosing(connection.stream_chat(HI)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Delta):
                    text += chunk.text
                    engine.flags = {"endpoint.url": new.url}
                    assert await engine.connection() is not connection
                    slow.release(1)

        assert text == "one two three"
        assert not client.is_closed
        del connection, chunks
        gc.collect()
        await until(lambda: client.is_closed)


async def test_a_connection_is_found_again_after_it_was_forgotten(held: HeldEndpoint) -> None:
    engine, happened = engine_for(held.url)
    first = await engine.connection()

    await engine.forget()

    assert engine.open_one() is None
    assert await engine.connection() is not first
    assert happened == [Happened.OPENING, Happened.OPENED] * 2


async def test_who_says_that_an_older_connection_broke_ends_no_newer_one(
    held: HeldEndpoint,
) -> None:
    engine, happened = engine_for(held.url)
    broken = await engine.connection()

    await engine.forget(broken)
    held.gate.clear()
    opening = asyncio.create_task(engine.connection())
    await until(lambda: held.asked["/v1/models"] == 2)
    await engine.forget(broken)
    held.gate.set()
    newer = await opening
    await engine.forget(broken)

    assert engine.open_one() is newer is not broken
    assert happened == [Happened.OPENING, Happened.OPENED] * 2


async def test_a_failure_is_told_and_the_next_request_tries_again(held: HeldEndpoint) -> None:
    engine, happened = engine_for("http://127.0.0.1:9/v1")
    for _ in range(2):
        with pytest.raises(EndpointProblem):
            await engine.connection()
    assert happened == [Happened.OPENING, Happened.FAILED] * 2

    engine.flags = {"endpoint.url": held.url}

    assert (await engine.model_info()).id == "held"


async def test_warming_up_raises_nothing(caplog: pytest.LogCaptureFixture) -> None:
    engine, happened = engine_for("http://127.0.0.1:9/v1")

    engine.warm()
    await until(lambda: Happened.FAILED in happened)
    await until(lambda: engine._warming is not None and engine._warming.done())
    gc.collect()

    assert "never retrieved" not in caplog.text


async def test_the_first_request_waits_for_the_editors_settings(held: HeldEndpoint) -> None:
    engine, happened = engine_for("http://127.0.0.1:9/v1")
    engine.settled = asyncio.Event()
    waiting = asyncio.create_task(engine.connection())
    await asyncio.sleep(0)

    engine.flags = {"endpoint.url": held.url}
    engine.settled.set()
    await waiting

    assert happened == [Happened.OPENING, Happened.OPENED]


async def test_an_editor_that_does_not_tell_its_settings_holds_nobody_up(
    held: HeldEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "SETTLE_SECONDS", 0.01)
    engine, _ = engine_for(held.url)
    engine.settled = asyncio.Event()

    assert await engine.connection()


ABILITIES = {
    "no such route": ((404, {}), "has no /infill"),
    "no such route, politely": ((200, {"error": "Unexpected endpoint"}), "has no /infill"),
    "a model that can not": ((501, {"error": {"message": "no FIM tokens"}}), "no FIM tokens"),
    "a model on its way": ((503, {"error": {"message": "Loading model"}}), "loading its model"),
    "no key": ((401, {"error": {"message": "Invalid key"}}), "Invalid key"),
    "llama-server": ((400, {"error": {"message": '"input_prefix" is required'}}), None),
}


@pytest.mark.parametrize(("infill", "reason"), ABILITIES.values(), ids=ABILITIES)
async def test_whether_an_endpoint_completes(
    held: HeldEndpoint, infill: tuple[int, object], reason: str | None
) -> None:
    held.infill = infill
    engine, _ = engine_for(held.url)

    found = await engine.inline_reason()

    assert (found is None) == (reason is None)
    assert (reason or "") in (found or "")


async def test_it_is_asked_once_for_a_while_and_again_when_something_changes(
    held: HeldEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = engine_for(held.url)
    for _ in range(5):
        assert await engine.inline_reason()
    assert held.asked["/infill"] == 1

    held.infill = (400, {})
    engine.flags = {**engine.flags, "endpoint.model": "held"}
    assert await engine.inline_reason() is None
    assert held.asked["/infill"] == 2

    monkeypatch.setattr(engine_module, "ABILITY_SECONDS", -1.0)
    await engine.forget()
    for _ in range(2):
        assert await engine.inline_reason() is None
    assert held.asked["/infill"] == 4


async def test_what_keeps_failing_is_a_reason_and_not_tried_at_each_key() -> None:
    engine, happened = engine_for("http://127.0.0.1:9/v1")

    reasons = {await engine.inline_reason() for _ in range(5)}

    (reason,) = reasons
    assert reason is not None
    assert "http://127.0.0.1:9" in reason
    assert happened == [Happened.OPENING, Happened.FAILED]


async def test_settings_that_can_not_be_used_are_a_reason() -> None:
    engine, _ = engine_for("ftp://x")

    assert "http://" in (await engine.inline_reason() or "")
    with pytest.raises(AssistantError):
        await engine.connection()


class TestOnTheDaemon:
    """With the real daemon and a tiny model."""

    @pytest.fixture
    async def models(self, tmp_path: Path) -> AsyncIterator[Path]:
        write(tmp_path / "abcd.gguf", Tiny(chain=chain_of(*"ABCD")))
        write(tmp_path / "plain.gguf", Tiny(chain=chain_of(*"XY"), fim=False))
        yield tmp_path
        await stop()

    async def answer(self, engine: Engine) -> str:
        connection = await engine.connection()
        chunks = [chunk async for chunk in connection.stream_chat(HI)]
        return "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta))

    async def test_a_killed_one_is_started_again_by_the_next_request(self, models: Path) -> None:
        engine = Engine()
        engine.flags = {"model": str(models / "abcd.gguf"), "daemon.threads": 1}
        assert await self.answer(engine) == "ABCD"
        assert await engine.inline_reason() is None
        pid = (await (await engine.connection()).status())["pid"]

        os.kill(pid, signal.SIGKILL)
        await until(lambda: health() is None)

        assert await self.answer(engine) == "ABCD"
        assert (await (await engine.connection()).status())["pid"] != pid

    async def test_one_that_ended_while_nobody_asked_is_opened_with_all_its_signs(
        self, models: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        engine, happened = Engine(), []
        engine.listen(lambda what, _: happened.append(what))
        engine.flags = {"model": str(models / "abcd.gguf"), "daemon.threads": 1}
        first = await engine.connection()
        await stop()
        monkeypatch.setattr(engine_module, "SURE_SECONDS", -1.0)

        second = await engine.connection()

        assert second is not first
        assert happened == [Happened.OPENING, Happened.OPENED] * 2

    async def test_the_settings_name_another_model(self, models: Path) -> None:
        engine = Engine()
        engine.flags = {"model": str(models / "abcd.gguf"), "daemon.threads": 1}
        assert await self.answer(engine) == "ABCD"

        engine.flags = {"model": str(models / "plain.gguf"), "daemon.threads": 1}

        assert await self.answer(engine) == "XY"
        assert "no fill-in-the-middle tokens" in (await engine.inline_reason() or "")
        engine.flags = {"model": str(models / "none.gguf")}
        with pytest.raises(ModelProblem):
            await engine.connection()

    async def test_the_model_is_told_of_again_where_the_daemon_has_ended(
        self, models: Path
    ) -> None:
        """Between its opening and the first who asks for the model."""
        engine = Engine()
        engine.flags = {"model": str(models / "abcd.gguf"), "daemon.threads": 1}
        await engine.connection()
        await stop()

        assert "abcd" in (await engine.model_info()).id
