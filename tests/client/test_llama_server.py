"""A real llama-server in place of the daemon (`ASSISTANT_LLAMA_BIN` names its folder)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.client import (
    ChatRequest,
    Delta,
    Endpoint,
    FillRequest,
    Finished,
    connect,
)
from assistant.errors import EndpointProblem
from tests.support import chat_templates
from tests.support.daemons import PATIENCE
from tests.support.llama_server import KEY, Server, llama_server, needs_server
from tests.support.tiny_gguf import FIM, Tiny, chain_of, write

pytestmark = needs_server
HI = ChatRequest([{"role": "user", "content": "hi"}])
BEFORE_FILL = FIM[2]


@pytest.fixture(scope="module")
def thinker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Thinks `Hm.`, answers `AB`; asks for a key; fills `x` in."""
    chain = chain_of("H", "m", ".", "</think>", "A", "B") | {BEFORE_FILL: "x", "x": "<|endoftext|>"}
    spec = Tiny(chain=chain, template=chat_templates.THINKING, specials=chat_templates.SPECIALS)
    model = write(tmp_path_factory.mktemp("server") / "thinker.gguf", spec)
    with llama_server(model, "--jinja", "--api-key", KEY, "--alias", "thinker") as server:
        yield server


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Says `a` until it is stopped, for minutes; can not fill in."""
    spec = Tiny(chain={"\n": "a", "a": "a"}, context=262_144, fim=False)
    return write(tmp_path_factory.mktemp("server") / "endless.gguf", spec)


@pytest.fixture(scope="module")
def talker(endless: Path) -> Iterator[Server]:
    """A server with one slot for the model that does not end."""
    with llama_server(endless, "--jinja", "-np", "1", "-c", "262144") as server:
        yield server


async def idle(server: Server) -> None:
    """Wait until the server works on nothing."""
    end = time.monotonic() + PATIENCE
    while await asyncio.to_thread(lambda: server.busy):
        assert time.monotonic() < end, "the server goes on"
        await asyncio.sleep(0.02)


async def test_thinking_and_answer_come_on_their_channels(thinker: Server) -> None:
    """With what it cost; the second time the prompt is found in the cache."""
    finished = []
    async with await connect(Endpoint(thinker.url, KEY)) as made:
        assert (await made.model_info()).id == "thinker"
        for _ in range(2):
            chunks = [chunk async for chunk in made.stream_chat(HI)]
            spoken = [chunk for chunk in chunks if isinstance(chunk, Delta)]
            thought = "".join(c.text for c in spoken if c.channel == "reasoning")
            said = "".join(c.text for c in spoken if c.channel == "content")
            assert (thought.strip(), said) == ("Hm.", "AB")
            assert isinstance(chunks[-1], Finished)
            finished.append(chunks[-1])

    first, second = finished
    assert first.reason == second.reason == "stop"
    assert first.prompt_tokens == second.prompt_tokens > 10
    assert first.completion_tokens == second.completion_tokens == 7
    assert second.cached_tokens > first.cached_tokens
    assert first.predicted_ms > 0
    assert first.tokens_per_second > 0


async def test_settings_reach_the_server(thinker: Server) -> None:
    async with await connect(Endpoint(thinker.url, KEY)) as made:
        short = [c async for c in made.stream_chat(replace(HI, max_tokens=3))]
        stopped = [c async for c in made.stream_chat(replace(HI, stop=["B"]))]

    assert isinstance(short[-1], Finished)
    assert (short[-1].reason, short[-1].completion_tokens) == ("length", 3)
    assert "".join(c.text for c in stopped if isinstance(c, Delta)).endswith("A")


async def test_closing_the_stream_stops_the_server(talker: Server) -> None:
    """It would go on for minutes; its slot becomes free at once, with the answer unfinished."""
    async with await connect(Endpoint(talker.url)) as made:
        async with aclosing(made.stream_chat(HI)) as chunks:
            async for chunk in chunks:
                if isinstance(chunk, Delta):
                    break
            assert talker.busy
        await idle(talker)

    (slot,) = talker.get("/slots")
    assert slot["next_token"][0]["n_decoded"] < 100_000


async def test_a_cancelled_task_stops_the_server(talker: Server) -> None:
    """While the prompt is read, too: 60,000 tokens, a minute of work."""
    long = ChatRequest([{"role": "user", "content": "x" * 60_000}])
    async with await connect(Endpoint(talker.url)) as made:

        async def ask() -> None:
            async with aclosing(made.stream_chat(long)) as chunks:
                async for _ in chunks:
                    pass

        task = asyncio.create_task(ask())
        while not await asyncio.to_thread(lambda: talker.busy):
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await idle(talker)


async def test_a_server_that_dies_in_mid_answer_is_told(endless: Path) -> None:
    with llama_server(endless, "--jinja", "-c", "4096") as server:
        async with await connect(Endpoint(server.url)) as made:
            seen = []
            with pytest.raises(EndpointProblem, match="failed"):
                async for chunk in made.stream_chat(HI):
                    seen.append(chunk)
                    server.process.kill()
            assert not any(isinstance(chunk, Finished) for chunk in seen)
            with pytest.raises(EndpointProblem, match="Is the server running"):
                [chunk async for chunk in made.stream_chat(HI)]


async def test_a_missing_key_is_told_in_the_servers_words(thinker: Server) -> None:
    for key in ("", "wrong"):
        with pytest.raises(EndpointProblem, match="Invalid API Key"):
            await connect(Endpoint(thinker.url, key))


async def test_a_model_that_it_lacks_is_named_with_those_it_has(thinker: Server) -> None:
    with pytest.raises(EndpointProblem, match="no model 'other'; it lists: thinker"):
        await connect(Endpoint(thinker.url, KEY, model="other"))


async def test_what_it_refuses_is_told_in_its_words(thinker: Server) -> None:
    async with await connect(Endpoint(thinker.url, KEY)) as made:
        long = ChatRequest([{"role": "user", "content": "x " * 5000}])
        with pytest.raises(EndpointProblem, match="exceeds the available context size"):
            [chunk async for chunk in made.stream_chat(long)]
        assert [c async for c in made.stream_chat(HI)]


async def test_it_fills_in_the_middle(thinker: Server) -> None:
    async with await connect(Endpoint(thinker.url + "/v1", KEY)) as made:
        request = FillRequest("def f(", "):\n    pass\n", max_tokens=4)
        chunks = [chunk async for chunk in made.stream_fill(request)]

    assert "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta)) == "x"
    assert isinstance(chunks[-1], Finished)
    assert chunks[-1].reason == "stop"
    assert chunks[-1].prompt_tokens > 10


async def test_a_model_that_can_not_fill_in_is_told(talker: Server) -> None:
    async with await connect(Endpoint(talker.url)) as made:
        with pytest.raises(EndpointProblem, match="Infill is not supported by this model"):
            [chunk async for chunk in made.stream_fill(FillRequest("a", "b"))]


async def test_tokens_are_counted_by_the_server(thinker: Server) -> None:
    """A byte each here; what reads like a token of the template is text."""
    async with await connect(Endpoint(thinker.url + "/v1", KEY)) as made:
        assert (await made.model_info()).context_length == 512
        assert await made.count_tokens(["", "ab", "<|im_end|>"]) == [0, 2, 10]
