"""The commands that tell why, list, choose and download models, and run the doctor."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from assistant import config, locations
from assistant.doctor import Check, Finding, State, ok
from assistant.models import catalogue, store
from lsp.status import diagnosis
from tests.support.held_endpoint import HeldEndpoint
from tests.support.hub_server import Gate, HubServer
from tests.support.lsp_inside import InsideSession, Message, until
from tests.support.tiny_gguf import Tiny, chain_of, write

INVALID_PARAMS, CANCELLED = -32602, -32800
NAME = "org/Tiny-GGUF"
GHOST_TEXT = {"textDocument": {"inlineCompletion": {}}, "window": {"workDoneProgress": True}}


@pytest.fixture
async def session() -> AsyncIterator[InsideSession]:
    session = InsideSession()
    await session.initialize(GHOST_TEXT)
    yield session
    await until(lambda: not session.server.status._tasks)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    return write(tmp_path / "tiny.gguf", Tiny(chain=chain_of(*"ABCD"))).read_bytes()


@pytest.fixture
def hub(content: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """A hub with one model."""
    with HubServer() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        server.add(NAME, {"tiny-Q4_K_M.gguf": content}, licence="mit")
        yield server


def settings() -> tuple[str, str]:
    found = config.load().settings
    return found.model, found.inline_model


def told(session: InsideSession) -> list[str]:
    return [one["message"] for one in session.of("window/showMessage")]


def answering(session: InsideSession, wanted: str | None) -> list[Message]:
    """Answer questions with the first answer that begins so; the questions as they come."""
    asked: list[Message] = []

    def answer(question: Message) -> Any:
        asked.append(question)
        if wanted is None:
            return None
        return next(one for one in question["actions"] if one["title"].startswith(wanted))

    session.answers["window/showMessageRequest"] = answer
    return asked


BAD = {
    "status": [{"a": 1}],
    "why": [{"uri": 3}],
    "models": [1],
    "selectModel": [{"name": ["x"]}],
    "download": [{}],
    "doctor": [{}, {}],
}


@pytest.mark.parametrize(("command", "arguments"), BAD.items())
async def test_arguments_that_do_not_fit_get_an_error(
    session: InsideSession, command: str, arguments: list[Any]
) -> None:
    params = {"command": f"assistant.{command}", "arguments": arguments}

    response = await session.response(session.start("workspace/executeCommand", params))

    assert response["error"]["code"] == INVALID_PARAMS
    assert told(session) == []


async def test_why_is_answered_newest_first_and_by_document(session: InsideSession) -> None:
    note = session.server.reasons.note
    note("file:///a.py", 3, "nothing to add")
    note("file:///b.py", 4, "it took too long")
    for _ in range(3):
        note("file:///a.py", 9, "nothing to add")

    everything = await session.command("assistant.why")
    one = await session.command("assistant.why", {"uri": "file:///b.py"})

    assert [each["line"] for each in everything["reasons"]] == [9, 4, 3]
    assert everything["status"]["kind"] == "unknown"
    (only,) = one["reasons"]
    assert (only["uri"], only["reason"]) == ("file:///b.py", "it took too long")
    assert only["when"] > 0


class TestModels:
    async def test_what_is_here_comes_first_then_what_is_recommended(
        self, session: InsideSession
    ) -> None:
        folder = locations.models_dir()
        folder.mkdir(parents=True)
        write(folder / "plain.gguf", Tiny(fim=False))
        (folder / "broken.gguf").write_bytes(b"GGUF")

        rows = {one["name"]: one for one in (await session.command("assistant.models"))["models"]}

        assert list(rows)[:3] == ["starter", "broken", "plain"]
        assert rows["starter"]["current"] is True
        assert rows["starter"]["currentRoles"] == ["generate", "inline"]
        assert rows["plain"]["roles"] == ["generate"]
        assert rows["plain"]["current"] is False
        assert (rows["broken"]["roles"], rows["broken"]["fits"]) == ([], False)
        assert "cut off" in rows["broken"]["note"]
        recommended = {one.alias for one in catalogue.RECOMMENDED}
        assert {name for name, row in rows.items() if not row["here"]} == recommended
        assert all(row["size"] > 0 for row in rows.values())

    async def test_one_is_chosen_by_its_name(
        self, session: InsideSession, tmp_path: Path, content: bytes
    ) -> None:
        result = await session.command(
            "assistant.selectModel", {"name": str(tmp_path / "tiny.gguf")}
        )

        assert result == {"model": str(tmp_path / "tiny.gguf"), "role": "generate"}
        assert settings() == (str(tmp_path / "tiny.gguf"), "")
        assert "answers from the next request on" in told(session)[0]

        back = await session.command("assistant.selectModel", {"name": "starter"})
        assert back == {"model": "starter", "role": "generate"}
        assert settings() == ("", "")

    async def test_one_that_only_completes_gets_that_role(
        self, session: InsideSession, tmp_path: Path
    ) -> None:
        path = str(write(tmp_path / "base.gguf", Tiny(template=None)))

        result = await session.command("assistant.selectModel", {"name": path})

        assert result == {"model": path, "role": "inline"}
        assert settings() == ("", path)
        none = await session.command("assistant.selectModel", {"name": "", "role": "inline"})
        assert none["role"] == "inline"
        assert settings() == ("", "")

    async def test_the_person_is_asked_for_what_was_not_said(self, session: InsideSession) -> None:
        folder = locations.models_dir()
        folder.mkdir(parents=True)
        write(folder / "other.gguf", Tiny())
        write(folder / "base.gguf", Tiny(template=None))
        asked = answering(session, "other")

        result = await session.command("assistant.selectModel", {"role": "generate"})

        assert result == {"model": "other", "role": "generate"}
        titles = [one["title"] for one in asked[0]["actions"]]
        assert titles[0].startswith("starter (")
        assert "answers and completes now" in titles[0]
        assert not any(title.startswith("base") for title in titles)

        answering(session, None)
        closed = await session.command("assistant.selectModel")
        assert closed == {"model": None, "role": None, "reason": "nothing was chosen"}
        assert settings() == ("other", "")

    @pytest.mark.parametrize(
        ("argument", "reason"),
        [
            ({"name": "nonsense"}, "There is no model 'nonsense'"),
            ({"name": "starter", "role": "cook"}, "'cook' is no role"),
            ({"name": "org/../x"}, "names no model"),
        ],
    )
    async def test_what_can_not_be_chosen_is_told_and_changes_nothing(
        self, session: InsideSession, argument: dict[str, str], reason: str
    ) -> None:
        result = await session.command("assistant.selectModel", argument)

        assert result["model"] is None
        assert reason in result["reason"]
        assert told(session) == [result["reason"]]
        assert not locations.config_file().exists()

    async def test_a_model_without_the_tokens_can_not_complete(
        self, session: InsideSession, tmp_path: Path
    ) -> None:
        path = str(write(tmp_path / "plain.gguf", Tiny(fim=False)))

        result = await session.command("assistant.selectModel", {"name": path, "role": "inline"})

        assert "can not complete" in result["reason"]
        assert settings() == ("", "")

    async def test_with_an_endpoint_there_is_nothing_to_choose(
        self, session: InsideSession
    ) -> None:
        changed = {"settings": {"assistant": {"endpoint": "http://localhost:1/v1"}}}
        session.notify("workspace/didChangeConfiguration", changed)

        result = await session.command("assistant.selectModel", {"name": "starter"})

        assert "http://localhost:1/v1" in result["reason"]
        assert "endpointModel" in result["reason"]

    async def test_what_the_editor_itself_names_stands_over_the_choice(
        self, session: InsideSession, tmp_path: Path, content: bytes
    ) -> None:
        path = str(tmp_path / "tiny.gguf")
        changed = {"settings": {"assistant": {"model": path}}}
        session.notify("workspace/didChangeConfiguration", changed)

        await session.command("assistant.selectModel", {"name": "starter"})

        assert f"this editor's options name {path}, which stands over it" in told(session)[0]


class TestDownload:
    async def test_it_is_asked_for_shown_and_kept(
        self, session: InsideSession, hub: HubServer, content: bytes
    ) -> None:
        asked = answering(session, "Download")

        result = await session.command("assistant.download", {"name": NAME})

        assert Path(result["path"]).read_bytes() == content
        (question,) = asked
        assert f"{NAME}/tiny-Q4_K_M.gguf (" in question["message"]
        assert "licence: mit" in question["message"]
        assert hub.url in question["message"]
        assert [one["title"] for one in question["actions"]] == ["Download", "Cancel"]
        kinds = [one["value"]["kind"] for one in session.of("$/progress")]
        assert (kinds[0], kinds[-1]) == ("begin", "end")
        assert session.of("$/progress")[0]["value"]["cancellable"] is True

        again = await session.command("assistant.download", {"name": NAME})
        assert again == result
        assert len(asked) == 1

    @pytest.mark.parametrize("answer", ["Cancel", None])
    async def test_without_consent_nothing_comes(
        self, session: InsideSession, hub: HubServer, answer: str | None
    ) -> None:
        answering(session, answer)

        result = await session.command("assistant.download", {"name": NAME})

        assert result == {"path": None, "reason": f"{NAME} was not downloaded"}
        assert hub.downloads == []

    @pytest.mark.parametrize("how", ["request", "button"])
    async def test_a_cancel_keeps_what_came(
        self, session: InsideSession, hub: HubServer, content: bytes, how: str
    ) -> None:
        half = len(content) // 2
        hub.faults.gate = Gate(after=half)
        answering(session, "Download")
        params = {"command": "assistant.download", "arguments": [{"name": NAME}]}
        request = session.start("workspace/executeCommand", params)
        await asyncio.to_thread(hub.faults.gate.wait_reached)

        if how == "request":
            session.notify("$/cancelRequest", {"id": request})
            assert (await session.response(request))["error"]["code"] == CANCELLED
        else:
            token = session.of("$/progress")[0]["token"]
            session.notify("window/workDoneProgress/cancel", {"token": token})
            result = (await session.response(request))["result"]
            assert result["path"] is None
        hub.faults.gate.opened.set()
        hub.faults.gate = None

        again = await session.command("assistant.download", {"name": NAME})
        assert Path(again["path"]).read_bytes() == content
        assert hub.sent_from()[0] == 0
        assert hub.sent_from()[-1] > 0
        assert told(session) == [f"{NAME} is here. It answers once it is selected as the model."]

    async def test_one_that_is_chosen_and_not_here_is_downloaded_first(
        self, session: InsideSession, hub: HubServer
    ) -> None:
        answering(session, "Download")

        result = await session.command("assistant.selectModel", {"name": NAME})

        assert result == {"model": f"{NAME}:Q4_K_M", "role": "generate"}
        assert settings() == (f"{NAME}:Q4_K_M", "")

        answering(session, "Cancel")
        refused = await session.command("assistant.selectModel", {"name": "org/other"})
        assert refused["model"] is None

    async def test_what_is_not_to_be_had_is_told(
        self, session: InsideSession, hub: HubServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = answering(session, "Download")
        for name in ("org/none", "nonsense"):
            result = await session.command("assistant.download", {"name": name})
            assert result["path"] is None
            assert result["reason"] == told(session)[-1]
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        result = await session.command("assistant.download", {"name": NAME})
        assert "HF_HUB_OFFLINE" in result["reason"]
        assert asked == []


class TestDoctor:
    @pytest.fixture(autouse=True)
    def few_checks(self, monkeypatch: pytest.MonkeyPatch) -> list[Check]:
        """All the checks take seconds; they have tests of their own."""
        import assistant.doctor

        few = [
            Check("settings", lambda: ok(config.load().settings.endpoint.url or "none")),
            Check("bad", lambda: Finding(State.PROBLEM, "broken", "Mend it.")),
        ]
        monkeypatch.setattr(assistant.doctor, "_checks", few)
        return few

    async def test_it_says_what_it_found_with_this_editors_settings(
        self, session: InsideSession
    ) -> None:
        changed = {"settings": {"assistant": {"endpoint": "http://localhost:1/v1"}}}
        session.notify("workspace/didChangeConfiguration", changed)
        session.server.reasons.note("file:///a.py", 6, "nothing to add")

        result = await session.command("assistant.doctor")

        found = {one["check"]: one for one in result["findings"]}
        assert found["settings"]["message"] == "http://localhost:1/v1"
        assert found["bad"] == {
            "check": "bad",
            "state": "problem",
            "message": "broken",
            "advice": "Mend it.",
        }
        assert "at line 7: nothing to add" in found["last suggestion"]["message"]
        assert "problem  bad: broken\n         -> Mend it." in result["text"]
        assert config.load().settings.endpoint.url == ""

    async def test_a_cancel_is_answered_while_a_check_is_slow(
        self, session: InsideSession, few_checks: list[Check]
    ) -> None:
        import threading

        begun, gate = threading.Event(), threading.Event()

        def slow() -> Finding:
            begun.set()
            gate.wait(20)
            return ok("at last")

        few_checks.insert(1, Check("slow", slow))
        request = session.start(
            "workspace/executeCommand", {"command": "assistant.doctor", "arguments": []}
        )
        await until(begun.is_set)
        token = session.of("$/progress")[0]["token"]
        session.notify("window/workDoneProgress/cancel", {"token": token})

        result = (await session.response(request))["result"]

        gate.set()
        assert [one["check"] for one in result["findings"]] == ["settings"]

    @pytest.mark.parametrize(
        ("capabilities", "options", "state", "words"),
        [
            (GHOST_TEXT, {}, "ok", "shown while you type"),
            (GHOST_TEXT, {"inline": False}, "warning", "switched off in this editor"),
            ({}, {}, "warning", "does not ask for inline completions"),
            ({}, {"completion": True}, "ok", "list of completions"),
        ],
    )
    async def test_it_knows_what_the_editor_can_show(
        self, capabilities: Message, options: Message, state: str, words: str
    ) -> None:
        session = InsideSession()
        await session.initialize(capabilities, initializationOptions=options)

        finding = diagnosis.editor_finding(session.server)

        assert (finding.state.value, words in finding.message) == (state, True)


async def test_doctor_says_that_an_endpoint_does_not_complete() -> None:
    from assistant import doctor

    check = next(one for one in doctor.checks() if one.name == "inline model")
    for infill, state in (((404, {}), State.WARNING), ((400, {}), State.OK)):
        async with HeldEndpoint(infill=infill) as endpoint:
            with config.standing({"endpoint.url": endpoint.url}):
                finding = await asyncio.to_thread(check.run)
        assert finding.state is state, finding
    with config.standing({"endpoint.url": "http://127.0.0.1:9/v1"}):
        assert "does not answer" in (await asyncio.to_thread(check.run)).message


async def test_flags_stand_in_their_context_alone() -> None:
    with config.standing({"model": "standing", "ask.max_tokens": 7}):
        assert config.load().settings.model == "standing"
        assert await asyncio.to_thread(lambda: config.load().settings.ask.max_tokens) == 7
        assert config.load({"model": "own"}).settings.model == "own"
    assert config.load().settings.model == ""
    assert store.choose(config.load().settings.model).path == store.embedded_path()
