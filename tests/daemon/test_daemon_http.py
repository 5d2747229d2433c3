"""What the daemon answers over its socket."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import __version__, locations
from assistant.daemon.answers import PING_SECONDS
from tests.support.daemons import chat, daemon, events, text_of, wait_until

JSON = {"content-type": "application/json"}
LONG = ("--context-length", "65536")


def status(http: httpx.Client) -> dict[str, Any]:
    body: dict[str, Any] = http.get("/status").json()
    return body


def test_who_is_there(models: Path, http: httpx.Client) -> None:
    with daemon(models / "abcd.gguf", name="abcd") as process:
        assert http.get("/health").json() == {"status": "ok", "detail": "", "progress": 1.0}
        version = {"name": "assistant", "version": __version__, "protocol": 1}
        assert http.get("/version").json() == version
        (model,) = http.get("/v1/models").json()["data"]
        assert model["id"] == "abcd"
        assert model["path"] == str(models / "abcd.gguf")
        assert model["format"] == {"name": "reasoning-then-code", "version": 1}
        assert (model["fim"], model["context_length"]) == (True, 512)
        assert model["roles"] == ["generate", "inline"]
        body = status(http)
        assert body["pid"] == process.pid
        assert body["queue"] == {"running": 0, "waiting": 0}
        assert body["model"]["memory_bytes"] > 100_000
        assert body["memory_bytes"] > body["model"]["memory_bytes"]


def test_a_streamed_answer(models: Path, http: httpx.Client) -> None:
    """An opening, text, the reason with what it cost, `[DONE]`; progress only when asked for."""
    with daemon(models / "abcd.gguf"):
        with http.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response:
            objects = events(response.iter_lines())
            request_id = response.headers["x-request-id"]
        asked = chat(stream=True, return_progress=True)
        with http.stream("POST", "/v1/chat/completions", json=asked) as response:
            again = events(response.iter_lines())

    assert {o["id"] for o in objects} == {request_id}
    assert objects[0]["choices"][0]["delta"]["role"] == "assistant"
    assert text_of(objects) == "ABCD"
    last = objects[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["usage"]["completion_tokens"] == 4
    assert last["timings"]["predicted_n"] == 4
    assert not any("prompt_progress" in o for o in objects)
    total = last["usage"]["prompt_tokens"]
    progress = [o["prompt_progress"] for o in again if "prompt_progress" in o]
    assert progress[-1] == {"total": total, "cache": total - 1, "processed": total}
    assert again[-1]["usage"]["prompt_tokens_details"]["cached_tokens"] == total - 1


def test_an_answer_in_one_piece(models: Path, http: httpx.Client) -> None:
    with daemon(models / "abcd.gguf"):
        body = http.post("/v1/chat/completions", json=chat()).json()
        raw = http.post("/v1/completions", json={"prompt": "A", "max_tokens": 2}).json()
        fill = {"prompt": "A", "suffix": "B", "max_tokens": 2}
        filled = http.post("/v1/completions", json=fill).json()

    assert body["choices"][0]["message"] == {"role": "assistant", "content": "ABCD"}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert raw["choices"][0]["text"] == "BC"
    assert filled["usage"]["prompt_tokens"] == 5


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("{", "not JSON"),
        ("[1]", "JSON object"),
        ("{}", "no messages"),
        ('{"messages": [3]}', "has to be an object"),
        ('{"messages": [{"role": "user"}]}', "'content'"),
        ('{"messages": [], "temperature": -1}', "'temperature' is -1"),
        ('{"messages": [], "temperature": NaN}', "'temperature'"),
        ('{"messages": [], "max_tokens": -2}', "'max_tokens' is -2"),
        ('{"messages": [], "max_tokens": true}', "'max_tokens' has to be a whole number"),
        ('{"messages": [], "stop": [""]}', "'stop'"),
        ('{"messages": [], "forced": [{"after": "a"}]}', "'forced'"),
    ],
)
def test_malformed_requests_are_named(shared: httpx.Client, body: str, reason: str) -> None:
    """And the daemon goes on."""
    response = shared.post("/v1/chat/completions", content=body, headers=JSON)

    error = response.json()["error"]
    assert (response.status_code, error["type"]) == (400, "RequestProblem")
    assert reason in error["message"]


@pytest.fixture(scope="module")
def shared(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One daemon for tests that do not change it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASSISTANT_HOME", str(tmp_path_factory.mktemp("shared")))
        transport = httpx.HTTPTransport(uds=os.fspath(locations.socket_path()))
        with (
            daemon(models / "abcd.gguf"),
            httpx.Client(transport=transport, base_url="http://daemon", timeout=30) as http,
        ):
            patch.undo()
            yield http


def test_a_request_longer_than_the_context(shared: httpx.Client) -> None:
    response = shared.post("/v1/chat/completions", json=chat("x" * 1000))

    assert response.status_code == 400
    assert "has 1019 tokens" in response.json()["error"]["message"]
    assert "holds 512" in response.json()["error"]["message"]


def test_a_body_that_is_too_large(shared: httpx.Client) -> None:
    response = shared.post("/v1/chat/completions", content=b"x" * (8 * 2**20 + 1), headers=JSON)

    assert response.status_code == 413


def test_another_model_is_not_passed_off(shared: httpx.Client) -> None:
    response = shared.post("/v1/chat/completions", json=chat(model="other"))

    assert response.status_code == 409
    assert "holds the model tiny, not other" in response.json()["error"]["message"]


def test_an_unknown_request_can_not_be_cancelled(shared: httpx.Client) -> None:
    assert shared.delete("/v1/requests/none").status_code == 404


def test_only_the_owner_can_connect(models: Path, http: httpx.Client) -> None:
    """Whatever the umask; the library's own way makes it 0666."""
    previous = os.umask(0)
    try:
        with daemon(models / "abcd.gguf"):
            path = locations.socket_path()
            assert stat.S_IMODE(path.stat().st_mode) == 0o700
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
            assert stat.S_IMODE(locations.log_path("daemon").stat().st_mode) == 0o600
    finally:
        os.umask(previous)


def test_a_request_is_cancelled_by_its_id(models: Path, http: httpx.Client) -> None:
    """The stream says so; the next request is served."""
    with daemon(models / "endless.gguf", *LONG):
        headers = {"X-Request-Id": "mine"}
        body = chat(stream=True)
        with http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
            lines = response.iter_lines()
            next(line for line in lines if '"content":"a' in line)
            assert status(http)["queue"]["running"] == 1
            assert http.delete("/v1/requests/mine").status_code == 200
            objects = events(lines)
        assert objects[-1]["choices"][0]["finish_reason"] == "cancelled"
        short = http.post("/v1/chat/completions", json=chat(max_tokens=3)).json()
        assert short["choices"][0]["message"]["content"] == "aaa"


def test_hanging_up_cancels_while_the_answer_is_written(models: Path, http: httpx.Client) -> None:
    with daemon(models / "endless.gguf", *LONG):
        with http.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as response:
            next(line for line in response.iter_lines() if '"content":"a' in line)
        wait_until(lambda: status(http)["queue"]["running"] == 0, "the answer is cancelled")
        assert status(http)["requests_served"] == 0


def test_hanging_up_cancels_while_the_prompt_is_read(models: Path, http: httpx.Client) -> None:
    """Nothing is sent then, so no failing send would tell."""
    with daemon(models / "slow.gguf"):
        body = chat("x" * 8000, stream=True)
        with http.stream("POST", "/v1/chat/completions", json=body) as response:
            # Kept: an iterator that is let go of hangs up.
            lines = response.iter_lines()
            next(lines)
            wait_until(lambda: status(http)["queue"]["running"] == 1)
        hung_up = time.monotonic()
        wait_until(lambda: status(http)["queue"]["running"] == 0, "the reading is cancelled")
        assert time.monotonic() - hung_up < PING_SECONDS
        answer = http.post("/v1/chat/completions", json=chat("y", max_tokens=1)).json()

    assert answer["usage"]["prompt_tokens_details"]["cached_tokens"] < 10


def test_two_requests_are_served_side_by_side(models: Path, http: httpx.Client) -> None:
    """One can be cancelled without the other noticing."""
    body = chat(stream=True)
    with daemon(models / "endless.gguf", *LONG):
        url = "/v1/chat/completions"
        with http.stream("POST", url, json=body, headers={"X-Request-Id": "first"}) as first:
            lines = first.iter_lines()
            next(line for line in lines if '"content":"a' in line)
            with http.stream("POST", url, json=body, headers={"X-Request-Id": "second"}) as second:
                others = second.iter_lines()
                next(line for line in others if '"content":"a' in line)
                assert status(http)["queue"] == {"running": 2, "waiting": 0}
                http.delete("/v1/requests/second")
                assert set(text_of(events(others))) <= {"a"}
            wait_until(lambda: status(http)["queue"] == {"running": 1, "waiting": 0})
            http.delete("/v1/requests/first")
            # How much of it is still to come depends on when the cancel arrives.
            assert set(text_of(events(lines))) <= {"a"}


def test_no_word_of_a_request_is_logged(models: Path, http: httpx.Client) -> None:
    with daemon(models / "abcd.gguf"):
        http.post("/v1/chat/completions", json=chat("my secret words"))
        http.post("/v1/chat/completions", json=chat("my secret words" * 100))
        log = locations.log_path("daemon").read_text()

    assert "loaded" in log
    assert "secret" not in log
    assert "ABCD" not in log
