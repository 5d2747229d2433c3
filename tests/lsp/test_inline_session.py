"""Inside of a session: reasons, when a model is asked again, what is asked ahead."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from assistant import locations
from assistant.errors import DaemonProblem, EndpointProblem, ModelProblem, RequestProblem
from lsp.engine import Happened
from lsp.inline.holding import HELD_SECONDS, Hold
from lsp.inline.places import Names
from lsp.options import Features
from lsp.server import AssistantServer
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

URI = "file:///nowhere/a.py"


class Session:
    """A server with a document, in this process, and the requests of its editor."""

    def __init__(self, url: str, text: str, *, encoding: Any = "utf-16", uri: str = URI) -> None:
        self.server = AssistantServer()
        self.server.engine.flags = {"endpoint.url": url}
        self.server.documents.encoding = encoding
        self.uri = uri
        self.text, self.version = text.replace("|", "", 1), 1
        self.offset = text.index("|")
        item = types.TextDocumentItem(self.uri, "python", 1, self.text)
        self.server.documents.open(item)

    def type(self, text: str) -> None:
        documents = self.server.documents
        span = documents.range(documents.get(self.uri), self.offset, self.offset)
        self.version += 1
        identifier = types.VersionedTextDocumentIdentifier(self.version, self.uri)
        documents.change(identifier, [types.TextDocumentContentChangePartial(span, text)])
        self.text = documents.get(self.uri).text.value
        self.offset += len(text)

    async def items(self, *, invoked: bool = False) -> list[types.InlineCompletionItem]:
        kind = types.InlineCompletionTriggerKind(1 if invoked else 2)
        documents = self.server.documents
        params = types.InlineCompletionParams(
            types.InlineCompletionContext(kind),
            types.TextDocumentIdentifier(self.uri),
            documents.range(documents.get(self.uri), self.offset, self.offset).start,
        )
        return await self.server.inline.inline_items(params) or []

    async def tell(self, what: str, number: object) -> None:
        params = types.ExecuteCommandParams(f"assistant.{what}", [{"id": number}])
        await getattr(self.server.inline, what)(params)

    @property
    def reasons(self) -> list[str]:
        return [one.reason for one in self.server.reasons.newest(self.uri)]

    @property
    def figures(self) -> dict[str, int]:
        return self.server.inline.figures()


Scenario = Callable[[Session], Awaitable[None]]


def play(scenario: Scenario, *replies: Reply | str, text: str = "x = |\n", **more: Any) -> None:
    """Play a scenario against an endpoint that says these."""
    infill = more.pop("infill", True)
    with ScriptedEndpoint(replies, infill=infill) as endpoint:

        async def session() -> None:
            made = Session(endpoint.url, text, **more)
            made.endpoint = endpoint  # type: ignore[attr-defined]
            await scenario(made)
            await made.server.engine.forget()

        asyncio.run(session())


@pytest.mark.parametrize(
    ("text", "reply", "reason"),
    [
        ("fo|o\n", "x", "the cursor is inside of a word"),
        ("x = |\n", "", "the model adds nothing here"),
        ("x = 1\n|\n", "x = (\n", "the file would not parse any more"),
        ("|\ny = 2\n", "y = 2\n", "what the model says stands there already"),
    ],
)
def test_every_non_suggestion_has_a_reason(text: str, reply: str, reason: str) -> None:
    async def scenario(session: Session) -> None:
        assert await session.items() == []
        assert session.reasons == [reason]
        (noted,) = session.server.reasons.newest()
        assert noted.line == text[: text.index("|")].count("\n")
        # The same place is not asked for again.
        asked = len(session.endpoint.requests)
        assert await session.items() == []
        assert len(session.endpoint.requests) == asked

    play(scenario, reply, text=text)


def test_a_server_that_can_not_is_asked_once() -> None:
    async def scenario(session: Session) -> None:
        for key in "abc":
            session.type(key)
            assert await session.items() == []
        assert session.reasons == [session.server.inline.off_reason()]
        assert "has no /infill" in session.server.inline.off_reason()
        assert session.figures["asked"] == 1

        session.server.engine.flags = {**session.server.engine.flags, "ask.max_tokens": 7}
        assert session.server.inline.off_reason() == ""
        assert await session.items() == []
        assert session.figures["asked"] == 2

    play(scenario, infill=False)


@pytest.mark.parametrize(
    ("error", "held"),
    [
        (ModelProblem("m."), [HELD_SECONDS, HELD_SECONDS]),
        (EndpointProblem("m."), [2.0, HELD_SECONDS]),
        (DaemonProblem("m."), [2.0, HELD_SECONDS]),
        (RequestProblem("m."), [0.0, 0.0]),
    ],
)
def test_how_long_nobody_is_asked(error: Any, held: list[float]) -> None:
    hold, now = Hold(), 1000.0
    for seconds in held:
        assert hold.failed(error, now, {}) == "m"
        if seconds:
            assert hold.why(now + seconds - 0.1, {}) == "m"
        assert hold.why(now + seconds, {}) == ""
        now += seconds
    hold.failed(error, now, {})
    hold.worked()
    assert hold.why(now, {}) == ""
    assert hold.failed(error, now, {}) == "m"
    assert (hold.why(now, {}) == "m") is (held[0] > 0)
    assert hold.why(now, {"model": "another"}) == ""


def test_a_file_that_may_hold_secrets_is_not_sent() -> None:
    async def scenario(session: Session) -> None:
        for invoked in (False, True):
            assert await session.items(invoked=invoked) == []
        assert session.reasons == ["the file may hold secrets"]
        assert session.endpoint.requests == []

    play(scenario, "1\n", text="KEY=|\n", uri="file:///nowhere/.env")


def test_switched_off_is_a_reason() -> None:
    async def scenario(session: Session) -> None:
        session.server.features = Features(inline=False)

        assert await session.items() == []
        assert session.reasons == ["inline completion is switched off in the editor's settings"]
        assert session.endpoint.requests == []
        assert len(await session.items(invoked=True)) == 1

    play(scenario, "1\n")


def test_a_model_that_says_nothing_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next request asks again: it was no answer."""
    monkeypatch.setattr("lsp.inline.completions.FIRST_SECONDS", 0.2)
    slow = Reply(["1\n"])
    slow.hold(0)

    async def scenario(session: Session) -> None:
        await session.server.engine.connection()
        assert await session.items() == []
        assert session.reasons == ["the model said nothing within 0.2 seconds"]
        await asyncio.to_thread(slow.wait_closed)
        slow.release()
        assert len(await session.items()) == 1

    play(scenario, slow)


def test_the_first_request_waits_for_an_engine_that_is_being_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody presses a key for it again: the cursor stands at the end of a first line."""
    monkeypatch.setattr("lsp.inline.completions.FIRST_SECONDS", 1.0)

    async def scenario(session: Session) -> None:
        engine = session.server.engine
        connection, started = engine.connection, asyncio.Event()

        async def slowly(**more: Any) -> Any:
            await started.wait()
            return await connection(**more)

        monkeypatch.setattr(engine, "connection", slowly)
        asyncio.get_running_loop().call_later(1.5, started.set)
        assert len(await session.items()) == 1

    play(scenario, "1\n")


def test_a_text_that_does_not_end_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp.inline.completions.WHOLE_SECONDS", 0.3)
    slow = Reply(["1", "2\n"])
    slow.hold(1)

    async def scenario(session: Session) -> None:
        assert await session.items() == []
        assert session.reasons == ["the suggestion was not whole within 0.3 seconds"]
        await asyncio.to_thread(slow.wait_closed)

    play(scenario, slow)


def test_what_became_of_suggestions_is_counted_here() -> None:
    async def scenario(session: Session) -> None:
        (item,) = await session.items()
        session.type("pri")
        await session.items()
        number = item.command.arguments[0]["id"]
        for what in ("accepted", "partially_accepted", "dismissed"):
            await session.tell(what, number)
            await session.tell(what, "another")

        assert session.figures == {
            "requests": 2,
            "shown": 2,
            "remembered": 1,
            "asked": 1,
            "accepted": 1,
            "partially_accepted": 1,
            "dismissed": 1,
        }

    play(scenario, "price\n")


def test_another_model_makes_others_forget() -> None:
    async def scenario(session: Session) -> None:
        await session.items()
        session.server.inline.reset()
        await session.items()
        assert len(session.endpoint.requests) == 2

    play(scenario, "price\n")


def test_an_endpoint_is_not_asked_ahead() -> None:
    """It would answer one request after the other: the next one would wait for it."""

    async def scenario(session: Session) -> None:
        await session.items()
        ahead = session.server.inline._ahead._task
        assert ahead is not None
        await ahead
        assert len(session.endpoint.requests) == 1

    play(scenario, "price\n")


def test_a_slow_engine_is_asked_at_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(session: Session) -> None:
        await session.server.engine.connection()
        monkeypatch.setattr(session.server.inline._pace, "delay", lambda now: 3600.0)
        asked = asyncio.create_task(session.items())
        done, _ = await asyncio.wait([asked], timeout=0.15)

        assert not done
        assert session.endpoint.requests == []
        asked.cancel()
        # Nobody waits for what is known, or for a key.
        assert len(await session.items(invoked=True)) == 1
        assert len(await session.items()) == 1

    play(scenario, "1\n", text="|\n")


def test_typing_is_measured() -> None:
    async def scenario(session: Session) -> None:
        pace = session.server.inline._pace
        for key in "abcdefgh":
            session.type(key)
            await asyncio.sleep(0.002)
            pace.answered(5.0)
        session.type("i")
        assert pace.delay(time.monotonic()) > 0
        before = pace.delay(now := time.monotonic())
        session.type("\n    ")
        assert pace.delay(now) < before

    play(scenario, "1\n", text="|\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_ranges_in_all_encodings(encoding: str) -> None:
    width = {"utf-8": 6, "utf-16": 3, "utf-32": 2}[encoding]  # of the two characters

    async def scenario(session: Session) -> None:
        (item,) = await session.items()
        assert item.range.start.character == item.range.end.character == 8 + width

    play(scenario, "1\n", text="s = '😀é' + |\n".replace("' +", "'+"), encoding=encoding)


def test_names_of_files_are_looked_up_once(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    names, uri = Names(), (tmp_path / "a b.py").as_uri()

    assert names.of(uri) == (tmp_path.name, "a b.py")
    (tmp_path / ".git").rmdir()
    assert names.of(uri) == (tmp_path.name, "a b.py")
    assert names.of("untitled:Untitled-1") == ("", "Untitled-1")
    assert names.of("file:///%00") == ("", "\0")
    assert names.of("") == ("", "")


def test_an_engine_that_dies_at_each_request_is_not_started_at_each_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(session: Session) -> None:
        inline, opened = session.server.inline, []

        async def dying(*_: object) -> None:
            opened.append(None)
            inline._connected(Happened.OPENED, None)
            raise DaemonProblem("It died.")

        monkeypatch.setattr(inline, "_in_time", dying)
        assert await session.items() == []
        assert len(opened) == 2  # once more at once: one that died may have died of anything
        assert await session.items(invoked=True) == []
        assert len(opened) == 3
        assert inline._hold.why(time.monotonic() + HELD_SECONDS - 1, inline._settings())

    play(scenario)


def test_what_comes_after_accepting_is_asked_for_once_while_somebody_types_into_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(session: Session) -> None:
        inline = session.server.inline
        asked = asyncio.Event()

        async def never(*_: object) -> None:
            await asked.wait()

        monkeypatch.setattr(inline._ahead, "_ask", never)
        await session.items()
        first = inline._ahead._task
        for key in "pri":
            session.type(key)
            assert len(await session.items()) == 1
            assert inline._ahead._task is first
        session.type("x")
        await session.items()
        assert inline._ahead._task is not first
        inline._ahead.stop()

    play(scenario, "price\n", "y\n")


@pytest.mark.parametrize("invoked", [False, True])
def test_half_of_a_surrogate_pair_in_the_file_is_no_failure(invoked: bool) -> None:
    async def scenario(session: Session) -> None:
        (item,) = await session.items(invoked=invoked)
        assert item.insert_text == "1"

    play(scenario, "1\n", text="y = '\ud800'\nx = |\n")


def test_settings_that_are_corrected_in_the_file_count_at_once() -> None:
    async def scenario(session: Session) -> None:
        locations.config_file().write_text("model = [")
        assert await session.items() == []
        assert "not TOML" in session.reasons[0]
        locations.config_file().write_text("")
        assert len(await session.items()) == 1

    locations.config_file().parent.mkdir(parents=True, exist_ok=True)
    play(scenario, "1\n")
