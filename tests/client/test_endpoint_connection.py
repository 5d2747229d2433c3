"""An OpenAI-compatible server in place of the daemon."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.client import ChatRequest, Chunk, Delta, Endpoint, Finished, Forced, connect
from assistant.client.dialect import ChunkReader
from assistant.errors import EndpointProblem
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

HI = ChatRequest([{"role": "user", "content": "hi"}], max_tokens=9, forced=[Forced("a", "b")])


async def test_reasoning_and_content_come_on_their_channels() -> None:
    reply = Reply.of("the code", reasoning=["because ", "of"])
    with ScriptedEndpoint([reply], model="big") as server:
        async with await connect(Endpoint(server.url)) as made:
            assert (await made.model_info()).id == "big"
            assert (await made.model_info()).format_name is None
            chunks = [chunk async for chunk in made.stream_chat(HI)]
        (body,) = server.requests

    def on(channel: str) -> str:
        return "".join(c.text for c in chunks if isinstance(c, Delta) and c.channel == channel)

    assert (on("reasoning"), on("content")) == ("because of", "the code")
    assert isinstance(chunks[-1], Finished)
    assert (chunks[-1].reason, chunks[-1].prompt_tokens) == ("stop", 7)
    assert (body["model"], body["max_tokens"]) == ("big", 9)
    # Extensions of the daemon that another server may refuse.
    assert not {"forced", "return_progress"} & set(body)


@pytest.mark.parametrize(
    ("reply", "entry"),
    [
        # vLLM: its own name for reasoning, the cost in a chunk of its own.
        (
            Reply.of("code", reasoning=["so"], reasoning_field="reasoning", usage_apart=True),
            {"owned_by": "vllm", "max_model_len": 4096, "root": "big", "permission": []},
        ),
        # Ollama: no length, the same name.
        (Reply.of("code", reasoning=["so"], reasoning_field="reasoning"), {"owned_by": "library"}),
        # LM Studio: llama-server's name.
        (Reply.of("code", reasoning=["so"], usage_apart=True), {"owned_by": "organization_owner"}),
    ],
)
async def test_other_servers_are_read(reply: Reply, entry: dict[str, Any]) -> None:
    with ScriptedEndpoint([reply], "big", **entry) as server:
        async with await connect(Endpoint(server.url)) as made:
            info = await made.model_info()
            chunks = [chunk async for chunk in made.stream_chat(HI)]
        (body,) = server.requests

    assert info.context_length == entry.get("max_model_len")
    assert not info.llama_server
    assert "return_progress" not in body
    assert chunks[:-1] == [Delta("so", "reasoning"), Delta("code")]
    assert chunks[-1] == Finished("stop", prompt_tokens=7, completion_tokens=2)


async def test_llama_server_is_asked_for_progress() -> None:
    """It notices a closed stream when it writes, and it writes progress while it reads."""
    with ScriptedEndpoint(["x"], owned_by="llamacpp") as server:
        async with await connect(Endpoint(server.url)) as made:
            [chunk async for chunk in made.stream_chat(HI)]
        (body,) = server.requests

    assert body["return_progress"] is True


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "too long", "type": "BadRequestError", "param": None, "code": 400}},
        {"object": "error", "message": "too long", "type": "BadRequestError", "code": 400},
        {"error": "too long"},
    ],
)
async def test_errors_of_other_servers_are_told_in_their_words(error: dict[str, Any]) -> None:
    with ScriptedEndpoint([Reply(status=400, error_body=error)]) as server:
        async with await connect(Endpoint(server.url)) as made:
            with pytest.raises(EndpointProblem) as caught:
                [chunk async for chunk in made.stream_chat(HI)]

    assert caught.value.message == "too long"


async def test_the_address_may_lack_its_version() -> None:
    with ScriptedEndpoint(["x"]) as server:
        async with await connect(Endpoint(server.url.removesuffix("/v1"))) as made:
            chunks = [chunk async for chunk in made.stream_chat(HI)]

    assert Delta("x") in chunks


async def test_a_model_that_is_not_there_is_named() -> None:
    with (
        ScriptedEndpoint(["x"], model="big") as server,
        pytest.raises(EndpointProblem, match="no model 'small'; it lists: big"),
    ):
        await connect(Endpoint(server.url, model="small"))


async def test_a_request_to_this_machine_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would leave the machine."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with ScriptedEndpoint(["x"]) as server:
        async with await connect(Endpoint(server.url)) as made:
            assert (await made.model_info()).id == "scripted"


async def test_what_is_no_address_is_named() -> None:
    with pytest.raises(EndpointProblem, match="not an address"):
        await connect(Endpoint("http://[::1"))


async def test_nobody_there() -> None:
    with ScriptedEndpoint(["x"]) as server:
        url = server.url

    with pytest.raises(EndpointProblem, match="ConnectError"):
        await connect(Endpoint(url))


async def test_an_error_of_the_server_is_told_in_its_words() -> None:
    with ScriptedEndpoint([Reply(status=500, error="out of memory")]) as server:
        async with await connect(Endpoint(server.url)) as made:
            with pytest.raises(EndpointProblem, match="out of memory"):
                [chunk async for chunk in made.stream_chat(HI)]


async def test_a_stream_that_breaks_off_is_no_answer() -> None:
    with ScriptedEndpoint([Reply.of("a long answer", size=2, break_after=3)]) as server:
        async with await connect(Endpoint(server.url)) as made:
            seen: list[Chunk] = []
            with pytest.raises(EndpointProblem, match="failed"):
                async for chunk in made.stream_chat(HI):
                    seen.append(chunk)

    assert not any(isinstance(chunk, Finished) for chunk in seen)


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_both_names_of_reasoning_are_read(name: str) -> None:
    """llama-server and DeepSeek say the one, vLLM and OpenRouter the other, some say both."""
    reader = ChunkReader()
    delta = {name: "why", "reasoning": "why", "content": None}

    chunks = list(reader.feed({"choices": [{"delta": delta, "finish_reason": None}]}))

    assert chunks == [Delta("why", "reasoning")]
    assert reader.close() is None


def test_usage_may_come_after_the_reason() -> None:
    reader = ChunkReader()
    bodies: list[dict[str, Any]] = [
        {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}], "usage": None},
        {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}},
    ]
    for body in bodies:
        list(reader.feed(body))

    assert reader.close() == Finished("stop", prompt_tokens=3, completion_tokens=1)


async def test_an_endpoint_that_counts_no_tokens_is_not_asked_to() -> None:
    with ScriptedEndpoint([]) as server:
        async with await connect(Endpoint(server.url)) as made:
            assert await made.count_tokens(["ab"]) is None
        assert server.requests == []


async def test_an_endpoint_that_lets_nobody_in_is_named() -> None:
    """Its own words may be "bad key" alone."""
    with ScriptedEndpoint([Reply(status=401, error="bad key")]) as server:
        async with await connect(Endpoint(server.url)) as made:
            with pytest.raises(EndpointProblem) as caught:
                [chunk async for chunk in made.stream_chat(HI)]

    assert server.url in caught.value.message
    assert caught.value.message.endswith("401: bad key")
    assert "api_key_env" in caught.value.hint


async def test_half_of_a_surrogate_pair_is_sent_as_a_question_mark() -> None:
    with ScriptedEndpoint(["x"]) as server:
        async with await connect(Endpoint(server.url)) as made:
            odd = ChatRequest([{"role": "user", "content": "a\ud800é😀"}])
            chunks = [chunk async for chunk in made.stream_chat(odd)]

    assert Delta("x") in chunks
    assert server.requests[0]["messages"][0]["content"] == "a?é😀"
