"""The thread that decodes: while models are loaded, when that fails, and with two of them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from assistant.daemon import worker as worker_module
from assistant.daemon.server import build_app
from assistant.daemon.service import MAX_OF_CLIENT, Service
from assistant.daemon.worker import MAX_WAITING, Job, Outbox, Phase, Worker
from assistant.engine.engine import Engine, OnProgress
from assistant.engine.running import Running, Ticket
from assistant.engine.types import (
    EngineSettings,
    Finished,
    FinishReason,
    Limits,
    Prepared,
    Priority,
    Role,
    Sampling,
)
from tests.support.daemons import chat, wait_until
from tests.support.tiny_gguf import Tiny, write


@asynccontextmanager
async def served(
    load: Callable[[OnProgress], Engine],
) -> AsyncIterator[tuple[httpx.AsyncClient, Worker]]:
    """The real application and worker, without a socket."""
    worker = Worker(load)
    service = Service(worker, "tiny", Path("tiny.gguf"), stop=lambda: None)
    transport = httpx.ASGITransport(build_app(service))
    worker.start()
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://daemon") as http:
            yield http, worker
    finally:
        assert worker.stop(10)


async def test_health_answers_while_the_model_is_being_loaded(models: Path) -> None:
    """Work is refused until then, and done afterwards."""
    go = threading.Event()

    def load(_: OnProgress) -> Engine:
        go.wait(30)
        return Engine(models / "abcd.gguf", EngineSettings(threads=1))

    async with served(load) as (http, worker):
        assert (await http.get("/health")).json()["status"] == "loading"
        assert (await http.get("/status")).json()["phase"] == "loading"
        assert (await http.post("/v1/chat/completions", json=chat())).status_code == 503
        go.set()
        wait_until(lambda: worker.phase is Phase.OK)
        answer = (await http.post("/v1/chat/completions", json=chat())).json()
        assert answer["choices"][0]["message"]["content"] == "ABCD"


async def test_a_defect_in_loading_is_told(models: Path) -> None:
    def load(_: OnProgress) -> Engine:
        raise ZeroDivisionError("a defect")

    async with served(load) as (http, worker):
        wait_until(lambda: worker.phase is Phase.FAILED)
        body = (await http.get("/health")).json()
        assert body["status"] == "failed"
        assert "a defect" in body["detail"]
        assert (await http.get("/v1/models")).status_code == 503


async def test_a_queue_has_an_end(models: Path) -> None:
    """A client that asks in a loop is refused, and what waits is ended with the worker."""
    held = threading.Event()

    class Slow(Engine):
        """Waits before it begins."""

        def start(self, ticket: Ticket) -> Running:
            held.wait(30)
            return super().start(ticket)

    async with served(lambda _: Slow(models / "abcd.gguf", EngineSettings(threads=1))) as (
        http,
        worker,
    ):
        wait_until(lambda: worker.phase is Phase.OK)

        def ask(number: int) -> asyncio.Task[httpx.Response]:
            body = chat(user=f"client {number // MAX_OF_CLIENT}", priority="background")
            return asyncio.create_task(http.post(url, json=body))

        async def waiting(count: int) -> None:
            async with asyncio.timeout(30):
                while worker.waiting < count:
                    await asyncio.sleep(0.01)

        url = "/v1/chat/completions"
        asked = [ask(number) for number in range(2 * MAX_OF_CLIENT)]
        await waiting(2 * MAX_OF_CLIENT)
        fill = {"input_prefix": "A", "input_suffix": "", "n_predict": 2, "user": "an editor"}
        inline = asyncio.create_task(http.post("/infill", json=fill))
        await waiting(2 * MAX_OF_CLIENT + 1)
        assert not inline.done()
        asked += [ask(number) for number in range(2 * MAX_OF_CLIENT, MAX_WAITING - 1)]
        await waiting(MAX_WAITING)
        refused = await ask(10 * MAX_OF_CLIENT)
        assert refused.status_code == 429
        assert f"{MAX_WAITING} requests are waiting" in refused.json()["error"]["message"]
        held.set()
        answers = await asyncio.gather(*asked)
        assert {a.json()["choices"][0]["message"]["content"] for a in answers} == {"ABCD"}
        assert (await inline).status_code == 200


class Preparing(Engine):
    """Takes its time to render and tokenise, until it is let go."""

    begun, go_on = threading.Event(), threading.Event()

    def prepare_raw(
        self, prompt: str, sampling: Sampling | None = None, limits: Limits | None = None
    ) -> Prepared:
        self.begun.set()
        assert self.go_on.wait(30)
        return super().prepare_raw(prompt, sampling, limits)


@asynccontextmanager
async def preparing(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[httpx.AsyncClient, Service, asyncio.Task[httpx.Response]]]:
    """A daemon in which a request with the id `mine` is being prepared."""
    monkeypatch.setattr(Preparing, "begun", threading.Event())
    monkeypatch.setattr(Preparing, "go_on", threading.Event())
    load = lambda _: Preparing(models / "endless.gguf", EngineSettings(threads=1))  # noqa: E731
    async with served(load) as (http, worker):
        wait_until(lambda: worker.phase is Phase.OK)
        body = {"prompt": "a", "max_tokens": 50}
        headers = {"x-request-id": "mine"}
        asked = asyncio.create_task(http.post("/v1/completions", json=body, headers=headers))
        assert await asyncio.to_thread(Preparing.begun.wait, 30)
        try:
            app = http._transport.app  # type: ignore[attr-defined]
            yield http, app.state.service, asked
        finally:
            Preparing.go_on.set()


async def test_a_request_that_is_being_prepared_keeps_the_daemon(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with preparing(models, monkeypatch) as (http, _, asked):
        assert (await http.post("/shutdown?when=idle")).status_code == 409
        headers = {"x-request-id": "mine"}
        again = await http.post("/v1/completions", json={"prompt": "a"}, headers=headers)
        assert "in use by another" in again.json()["error"]["message"]
        Preparing.go_on.set()
        assert (await asked).json()["choices"][0]["finish_reason"] == "length"
        assert (await http.post("/shutdown?when=idle")).status_code == 200


async def test_a_request_that_is_being_prepared_is_cancelled(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with preparing(models, monkeypatch) as (http, service, asked):
        assert (await http.delete("/v1/requests/mine")).status_code == 200
        Preparing.go_on.set()
        (choice,) = (await asked).json()["choices"]
        assert (choice["finish_reason"], choice["text"]) == ("cancelled", "")
        assert not service.open


async def test_a_request_that_is_prepared_too_late_is_told(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the status that makes clients ask the next daemon."""
    async with preparing(models, monkeypatch) as (_, service, asked):
        service.stopping = True
        Preparing.go_on.set()
        assert (await asked).status_code == 503
        assert not service.open


async def test_a_model_is_not_freed_under_a_thread_that_uses_it(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with preparing(models, monkeypatch) as (_, service, asked):
        engine = service.worker.engine
        stopping = asyncio.create_task(asyncio.to_thread(service.worker.stop, 20))
        thread = service.worker._thread
        async with asyncio.timeout(30):
            while service.worker._engine is not None:
                await asyncio.sleep(0.01)
        assert thread.is_alive() and engine._model
        Preparing.go_on.set()
        assert await stopping
        assert not engine._model
        assert (await asked).status_code == 429


async def test_the_end_does_not_wait_for_ever(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that a thread does not let go of is left to the end of the process."""
    monkeypatch.setattr(worker_module, "PREPARED_SECONDS", 0.1)
    async with preparing(models, monkeypatch) as (_, service, asked):
        engine = service.worker.engine
        assert await asyncio.to_thread(service.worker.stop, 20)
        assert engine._model
        Preparing.go_on.set()
        await asked
        engine.close()


def job(worker: Worker, role: Role, priority: Priority, tokens: int) -> Job:
    engine = worker.engine_for(role)
    assert engine is not None
    limits = Limits(max_tokens=tokens, ignore_end=True)
    request = engine.prepare_raw("x = ", limits=limits)
    return Job("one", request, Outbox(asyncio.get_running_loop()), priority, role=role)


async def end_of(job: Job) -> Finished:
    async with asyncio.timeout(30):
        while True:
            for item in await job.outbox.take():
                if isinstance(item, Finished):
                    return item


def loader(path: Path) -> Callable[[OnProgress], Engine]:
    return lambda progress: Engine(path, EngineSettings(threads=1), progress)


async def test_two_models_are_served_by_one_thread_the_urgent_first(models: Path) -> None:
    """An inline request to the second model does not wait for an answer of the first."""
    worker = Worker(loader(models / "slow.gguf"), loader(models / "abcd.gguf"))
    worker.start()
    try:
        wait_until(lambda: worker.phase is Phase.OK)
        wait_until(lambda: worker.engine_for(Role.INLINE) is not None)
        assert worker.engine_for(Role.INLINE) is not worker.engine_for(Role.GENERATE)
        chat = job(worker, Role.GENERATE, Priority.INTERACTIVE, 2000)
        inline = job(worker, Role.INLINE, Priority.INLINE, 5)
        assert worker.submit(chat)
        wait_until(lambda: worker.decoding)
        assert worker.submit(inline)
        assert (await end_of(inline)).completion_tokens == 5
        assert worker.running
        worker.cancel(chat)
        assert (await end_of(chat)).reason is FinishReason.CANCELLED
    finally:
        assert worker.stop(10)


async def test_a_second_model_that_can_not_fill_in_is_refused_with_the_reason(models: Path) -> None:
    write(models / "plain.gguf", Tiny(fim=False))
    worker = Worker(loader(models / "abcd.gguf"), loader(models / "plain.gguf"))
    service = Service(
        worker,
        "abcd",
        models / "abcd.gguf",
        stop=lambda: None,
        inline_name="plain",
        inline_path=models / "plain.gguf",
    )
    worker.start()
    try:
        wait_until(lambda: worker.phase is Phase.OK)
        wait_until(lambda: not worker.inline_loading)
        assert worker.engine_for(Role.INLINE) is None
        assert "no fill-in-the-middle tokens" in service.inline()["reason"]
        assert [model["id"] for model in service.models()] == ["abcd"]
    finally:
        assert worker.stop(10)
