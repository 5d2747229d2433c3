"""A thinking model that was not made here, in the real daemon: asked by its own template."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from assistant.answer import AnswerOptions, answer
from assistant.client import Connection, Daemon, connect
from assistant.client.stop import stop
from assistant.events import Code, Failed
from assistant.tasks import Task
from tests.answer.scripted import assert_contract, code_of, reasoning_of
from tests.support import chat_templates
from tests.support.daemons import chat, client
from tests.support.tiny_gguf import Tiny, write

CODE = "def add(a, b):\n    return a + b\n"
DRAFT = "A draft:\n```python\nno = 1\n```\nNo.\n"
# The last character of each template's prompt, what is generated, and what was thought.
MODELS = {
    "thinking that the template opens": (
        "\n",
        chat_templates.THINKING,
        (DRAFT, "</think>", "```python\n", CODE, "```"),
    ),
    "channels": (
        "t",
        chat_templates.CHANNELS,
        (
            *("<|channel|>", "analysis", "<|message|>", DRAFT, "<|end|>"),
            *("<|start|>assistant<|channel|>final<|message|>", "```python\n", CODE, "```"),
        ),
    ),
}
"""What the prompt ends in, the template, and what the model says."""


@pytest.fixture(params=MODELS)
async def connection(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Connection]:
    last, template, parts = MODELS[request.param]
    specials = (*chat_templates.SPECIALS, "<|return|>", "<|call|>")
    spec = Tiny(
        chain={**dict(itertools.pairwise((*parts, "<|im_end|>"))), last: parts[0]},
        words=[part for part in parts if part not in specials],
        template=template,
        specials=specials,
        context=4096,
        format=None,
    )
    made = await connect(Daemon(str(write(tmp_path / "thinker.gguf", spec)), threads=1))
    yield made
    await made.aclose()
    await stop()


async def test_thinking_is_reasoning_and_the_code_is_the_answers(connection: Connection) -> None:
    events = [event async for event in answer(Task("add"), connection)]

    assert_contract(events)
    assert code_of(events) == CODE
    assert DRAFT in reasoning_of(events)
    assert not any("think" in event.text for event in events if isinstance(event, Code))


async def test_thinking_that_is_cut_off_is_no_code(connection: Connection) -> None:
    """Though there is a draft in it."""
    events = [event async for event in answer(Task("add"), connection, AnswerOptions(max_tokens=1))]

    assert isinstance(events[-1], Failed)
    assert not any(isinstance(event, Code) for event in events)


async def test_other_clients_get_it_on_the_field_for_it(connection: Connection) -> None:
    def ask() -> httpx.Response:
        with client() as http:
            return http.post("/v1/chat/completions", json=chat("add"))

    message = (await asyncio.to_thread(ask)).json()["choices"][0]["message"]
    assert message["reasoning_content"].strip() == DRAFT.strip()
    assert message["content"] == f"```python\n{CODE}```"
