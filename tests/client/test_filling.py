"""Filling in: our daemon and a real llama-server are asked alike."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from assistant.client import Daemon, Delta, Endpoint, FileText, FillRequest, Finished, connect
from assistant.client.filling import FillReader, fill_body
from assistant.errors import EndpointProblem
from assistant.inline import Manner, Nothing, Place, Suggestion, suggest
from assistant.models import store
from tests.support.daemons import wait_until
from tests.support.scripted_endpoint import ScriptedEndpoint
from tests.support.tiny_gguf import Tiny, write

MIDDLE, END = "<|fim_middle|>", "<|im_end|>"


@pytest.fixture(scope="module")
def endless(tmp_path_factory: pytest.TempPathFactory) -> Daemon:
    """A model that never comes to the end of its line."""
    chain = {MIDDLE: "a(", "\n": "a(", "a(": "b(", "b(": "a("}
    spec = Tiny(chain=chain, words=("a(", "b("), context=1 << 15)
    return Daemon(str(write(tmp_path_factory.mktemp("endless") / "endless.gguf", spec)), threads=1)


async def filled(made, request: FillRequest) -> tuple[str, Finished]:
    chunks = [chunk async for chunk in made.stream_fill(request)]
    assert isinstance(chunks[-1], Finished)
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Delta)), chunks[-1]


async def test_the_daemon_fills_in_and_tells_what_it_cost(endless: Daemon) -> None:
    request = FillRequest("import os\n", "\n", max_tokens=3, file_name="a.py")
    async with await connect(endless) as made:
        text, finished = await filled(made, request)
        warm = FillRequest("import os\n", "\n", max_tokens=0, file_name="a.py")
        nothing, warmed = await filled(made, warm)
        await made.shutdown()

    assert text == "a(b(a("
    assert (finished.reason, finished.completion_tokens) == ("length", 3)
    assert finished.prompt_tokens == 14
    assert finished.model == endless.model
    assert (nothing, warmed.completion_tokens) == ("", 0)


async def test_other_files_and_names_reach_the_model(tmp_path: Path) -> None:
    spec = Tiny(specials=("<repo_name>", "<file_sep>"), chain={MIDDLE: END}, context=512)
    model = Daemon(str(write(tmp_path / "repo.gguf", spec)), threads=1)
    bare = FillRequest("a\n", "b", max_tokens=1)
    full = FillRequest(
        "a\n", "b", max_tokens=1, file_name="f", repository="r", extra=[FileText("x.py", "12")]
    )
    async with await connect(model) as made:
        _, one = await filled(made, bare)
        _, other = await filled(made, full)
        await made.shutdown()

    # `<repo_name>r`, `<file_sep>x.py\n12\n`, and `f\n` inside of the prefix.
    assert other.prompt_tokens - one.prompt_tokens == 2 + (1 + 5 + 3) + 2


async def test_a_newer_request_for_the_same_file_takes_the_place(endless: Daemon) -> None:
    """Nobody waits for what was asked before the last letter; another editor is left alone."""
    request = FillRequest("x\n", "", max_tokens=12_000, document="a.py", client="editor 1")
    place = Place("x\n", 2, file_name="a.py")
    async with await connect(endless) as made:
        old = asyncio.create_task(filled(made, request))
        while not (await made.status())["queue"]["running"]:
            await asyncio.sleep(0.01)
        other = await suggest(place, made, manner=Manner(client="editor 2"))
        assert not old.done()
        new = await suggest(place, made, manner=Manner(client="editor 1"))
        _, finished = await old
        await made.shutdown()

    assert finished.reason == "cancelled"
    assert finished.completion_tokens < 12_000
    assert new.found == other.found == Nothing("the line did not come to an end")


def test_an_endpoint_is_not_told_what_only_ours_knows() -> None:
    request = FillRequest("a", "b", "c", file_name="f", repository="r", line_ms=5)
    theirs, ours = fill_body(request, ours=False), fill_body(request, ours=True)

    assert theirs["t_max_predict_ms"] == 5
    assert not {"filename", "repository", "priority", "source", "model"} & set(theirs)
    assert (ours["filename"], ours["repository"], ours["priority"]) == ("f", "r", "inline")
    assert json.dumps(ours)


async def test_a_server_that_can_not_says_so() -> None:
    with ScriptedEndpoint([]) as server:
        async with await connect(Endpoint(server.url)) as made:
            with pytest.raises(EndpointProblem, match="has no /infill"):
                await filled(made, FillRequest("a", "b"))


def test_a_stream_that_broke_off_has_no_end() -> None:
    reader = FillReader()

    assert list(reader.feed({"content": "a", "stop": False})) == [Delta("a")]
    assert reader.close() is None


@pytest.fixture(scope="module")
def llama_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real one, with the embedded model."""
    program = Path(os.environ.get("ASSISTANT_LLAMA_BIN", "nowhere"), "llama-server")
    if not program.exists() or not store.embedded_path().exists():
        pytest.skip("ASSISTANT_LLAMA_BIN names no folder with llama-server (make bench-serving)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "-m", store.embedded_path(), "-t", "1", "--host", "127.0.0.1"]
    process = subprocess.Popen(
        [*command, "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: _healthy(port) or process.poll() is not None, "llama-server answers")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _healthy(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("base", ["", "/v1"])
async def test_a_real_llama_server_fills_in(llama_server: str, base: str) -> None:
    """The same client, with the version in the address and without it."""
    text = "def positives(values):\n    return [v for v in \n"
    async with await connect(Endpoint(llama_server + base)) as made:
        outcome = await suggest(Place(text, len(text) - 1), made)

    assert isinstance(outcome.found, Suggestion | Nothing)
    assert outcome.finished is not None
    assert outcome.finished.prompt_tokens > 10
    assert outcome.finished.completion_tokens > 0
    assert outcome.finished.model
