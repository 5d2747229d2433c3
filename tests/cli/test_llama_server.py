"""`ask` with a real llama-server and a thinking model that was not made here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.conftest import Assistant
from tests.support import chat_templates
from tests.support.llama_server import KEY, Server, llama_server, needs_server
from tests.support.tiny_gguf import Tiny, chain_of, write

pytestmark = needs_server
CODE = "def add(a, b):\n    return a + b\n"
WORDS = ("Perhaps `a - b`?\n", "## Code\n", "```python\n", "def add(a, b):\n", "    return a + b\n")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Thinks, then writes a function."""
    thought, *answer = WORDS
    spec = Tiny(
        chain=chain_of(thought, "</think>", *answer, "```"),
        words=(*WORDS, "```"),
        template=chat_templates.THINKING,
        specials=chat_templates.SPECIALS,
        context=4096,
        format=None,
    )
    model = write(tmp_path_factory.mktemp("server") / "thinker.gguf", spec)
    with llama_server(model, "--jinja", "--api-key", KEY, "--alias", "thinker") as running:
        yield running


def ask(shared: Assistant, server: Server, *arguments: str, key: str = KEY):
    environment = {"ASSISTANT_ENDPOINT_URL": server.url, "THE_KEY": key}
    environment["ASSISTANT_ENDPOINT_API_KEY_ENV"] = "THE_KEY"
    return shared.run("ask", *arguments, "add two numbers", **environment)


def test_thinking_goes_to_stderr_and_the_code_to_stdout(shared: Assistant, server: Server):
    done = ask(shared, server)

    assert (done.returncode, done.stdout) == (0, CODE)
    assert "Perhaps `a - b`?" in done.stderr
    assert "<think>" not in done.stderr
    assert "verdict: parsed" in done.stderr


def test_a_wrong_key_is_one_error(shared: Assistant, server: Server):
    done = ask(shared, server, key="wrong")

    assert (done.returncode, done.stdout) == (1, "")
    assert "Invalid API Key" in done.stderr
    assert "Traceback" not in done.stderr
