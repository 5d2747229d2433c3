"""OpenAI's own Python client against the real daemon, over its socket and over loopback TCP."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant import locations
from tests.support.daemons import client, daemon, wait_until
from tests.support.tiny_gguf import Tiny, chain_of, write

openai = pytest.importorskip("openai", reason="the official client is not installed: make setup")
httpx2 = pytest.importorskip("httpx2")

HI: Any = [{"role": "user", "content": "hi"}]
Opened = Callable[..., AbstractContextManager[Any]]


@contextmanager
def over_socket(**more: Any) -> Iterator[Any]:
    transport = httpx2.HTTPTransport(uds=os.fspath(locations.socket_path()))
    with (
        httpx2.Client(transport=transport) as http,
        openai.OpenAI(
            base_url="http://daemon/v1", api_key="none", http_client=http, max_retries=0, **more
        ) as made,
    ):
        yield made


@contextmanager
def over_tcp(**more: Any) -> Iterator[Any]:
    info = json.loads(locations.daemon_info_path().read_text())
    url = f"http://127.0.0.1:{info['port']}/v1"
    key = {"api_key": info["token"]} | more
    with openai.OpenAI(base_url=url, max_retries=0, **key) as made:
        yield made


@pytest.fixture(params=[over_socket, over_tcp], ids=["socket", "tcp"])
def opened(request: pytest.FixtureRequest) -> Opened:
    return request.param  # type: ignore[no-any-return]


@contextmanager
def served(model: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    with daemon(model, "--loopback", *options) as process:
        yield process


def test_chats_streams_and_completions(models: Path, opened: Opened) -> None:
    with served(models / "abcd.gguf"), opened() as ai:
        whole = ai.chat.completions.create(model="tiny", messages=HI)
        chunks = list(
            ai.chat.completions.create(
                model="tiny", messages=HI, stream=True, stream_options={"include_usage": True}
            )
        )
        text = ai.completions.create(model="tiny", prompt="A", max_tokens=2)
        pieces = list(ai.completions.create(model="tiny", prompt="A", max_tokens=2, stream=True))
        listed = ai.models.list()

    assert whole.choices[0].message.content == "ABCD"
    assert whole.choices[0].finish_reason == "stop"
    assert whole.usage.completion_tokens == 4
    said = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(said) == "ABCD"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens > 0
    assert (text.choices[0].text, text.choices[0].finish_reason) == ("BC", "length")
    assert "".join(piece.choices[0].text for piece in pieces) == "BC"
    assert [model.id for model in listed.data] == ["tiny"]


def test_reasoning_comes_apart(tmp_path: Path, opened: Opened) -> None:
    words = ["<think>", "because", "</think>", "code"]
    model = write(tmp_path / "thinks.gguf", Tiny(chain=chain_of(*words), words=words, format=None))
    with served(model), opened() as ai:
        message = ai.chat.completions.create(model="tiny", messages=HI).choices[0].message
        chunks = list(ai.chat.completions.create(model="tiny", messages=HI, stream=True))
        raw = ai.chat.completions.create(
            model="tiny", messages=HI, extra_body={"reasoning_format": "none"}
        )
    deltas = [chunk.choices[0].delta for chunk in chunks]

    assert (message.reasoning_content, message.content) == ("because", "code")
    assert "".join(getattr(d, "reasoning_content", None) or "" for d in deltas) == "because"
    assert "".join(d.content or "" for d in deltas) == "code"
    assert raw.choices[0].message.content == "".join(words)


def test_probabilities(models: Path, opened: Opened) -> None:
    with served(models / "abcd.gguf"), opened() as ai:
        whole = ai.chat.completions.create(model="tiny", messages=HI, logprobs=True, top_logprobs=2)
        chunks = list(
            ai.chat.completions.create(model="tiny", messages=HI, logprobs=True, stream=True)
        )
        text = ai.completions.create(model="tiny", prompt="A", max_tokens=2, logprobs=3)
    found = whole.choices[0].logprobs.content
    streamed = [
        entry
        for chunk in chunks
        if chunk.choices[0].logprobs
        for entry in chunk.choices[0].logprobs.content
    ]
    columns = text.choices[0].logprobs

    assert [entry.token for entry in found][:4] == list("ABCD")
    assert all(len(entry.top_logprobs) == 2 for entry in found)
    assert found[0].top_logprobs[0].token == "A"
    assert found[0].logprob == pytest.approx(found[0].top_logprobs[0].logprob)
    assert found[0].top_logprobs[1].logprob < found[0].logprob <= 0
    assert [entry.token for entry in streamed] == [entry.token for entry in found]
    assert all(entry.top_logprobs == [] for entry in streamed)
    assert (columns.tokens, columns.text_offset) == (["B", "C"], [0, 1])
    assert len(columns.top_logprobs[0]) == 3


def test_errors_are_the_clients_own_kinds(models: Path, opened: Opened) -> None:
    with served(models / "abcd.gguf"), opened() as ai:
        with pytest.raises(openai.BadRequestError, match="'temperature' is 11"):
            ai.chat.completions.create(model="tiny", messages=HI, temperature=11)
        with pytest.raises(openai.BadRequestError, match="call no tools"):
            tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
            ai.chat.completions.create(model="tiny", messages=HI, tools=[tool])
        with pytest.raises(openai.ConflictError, match="holds the model tiny, not gpt"):
            ai.chat.completions.create(model="gpt", messages=HI)
        with pytest.raises(openai.NotFoundError, match="no route"):
            ai.embeddings.create(model="tiny", input="x")
        long: Any = [{"role": "user", "content": "x" * 1000}]
        with pytest.raises(openai.BadRequestError, match="holds 512") as told:
            ai.chat.completions.create(model="tiny", messages=long)
        assert told.value.type == "RequestProblem"
        assert ai.chat.completions.create(model="tiny", messages=HI).choices


def test_closing_a_stream_cancels(models: Path, opened: Opened) -> None:
    with (
        served(models / "endless.gguf", "--context-length", "65536"),
        opened() as ai,
        client() as http,
    ):
        stream = ai.chat.completions.create(model="tiny", messages=HI, stream=True)
        next(chunk for chunk in stream if chunk.choices[0].delta.content)
        assert http.get("/status").json()["queue"]["running"] == 1
        stream.close()
        wait_until(lambda: http.get("/status").json()["queue"]["running"] == 0, "it is cancelled")
        assert http.get("/status").json()["requests_served"] == 0


def test_over_tcp_the_token_is_needed(models: Path) -> None:
    with served(models / "abcd.gguf"), over_tcp(api_key="wrong") as ai:
        with pytest.raises(openai.AuthenticationError, match="no valid token"):
            ai.models.list()
        with pytest.raises(openai.AuthenticationError):
            ai.chat.completions.create(model="tiny", messages=HI)
