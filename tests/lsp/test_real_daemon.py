"""The whole way, with nothing scripted: editor process, server, daemon, llama.cpp, a tiny model.

The model is a chain of tokens, so that its answer is known; one of them never ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.generating import command as execute
from tests.support.generating import offered
from tests.support.lsp_client import Buffer, LspClient, Message
from tests.support.tiny_gguf import Tiny, chain_of, write

STUB = 'def add(a, b):\n    """Add two numbers. 😀"""\n'
BODY = "    return a + b\n"
REASONING = (
    "## Intent\nAdd two numbers.\n",
    "## Steps\n1. Add them.\n",
    "## Formulas\nNone\n",
    "## Edge cases\n- no numbers\n",
)
OPENING = ("## Code\n```python\n", "def add(a, b):\n")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    good = (*REASONING, *OPENING, BODY, "```")
    # Without a format: a forced signature would end in the token that the chain begins with.
    write(
        folder / "good.gguf", Tiny(chain=chain_of(*good), words=good, context=1 << 12, format=None)
    )
    parts = (*REASONING, *OPENING, "    a += 1\n", "    a += 2\n")
    endless = chain_of(*parts) | {"    a += 2\n": "    a += 1\n"}
    write(folder / "endless.gguf", Tiny(chain=endless, words=parts, context=1 << 16, format=None))
    return folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert assistant(tmp_path, "stop").returncode == 0


def assistant(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ASSISTANT_HOME": str(home)}
    command = [sys.executable, "-m", "assistant", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def status(home: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(assistant(home, "status", "--json").stdout)
    return found


def start(client: LspClient, model: Path) -> tuple[Buffer, Message]:
    client.initialize(initializationOptions={"model": str(model), "maxTokens": 60_000})
    buffer = Buffer("file:///a.py", STUB)
    client.open(buffer)
    return buffer, offered(client, buffer, "Implement")


def writes(message: Message) -> bool:
    value = message.get("params", {}).get("value", {}) if message.get("method") else {}
    return str(value.get("message", "")).startswith("writing")


def test_a_stub_becomes_a_function(models: Path, home: Path) -> None:
    with LspClient({"ASSISTANT_HOME": str(home)}) as client:
        buffer, command = start(client, models / "good.gguf")

        result = client.result(client.run_command(command))

        assert (result["state"], result["verdict"]["outcome"]) == ("offered", "parsed")
        assert execute(client, "accept") == {"applied": True}
        assert buffer.text == STUB + BODY
        assert "Add two numbers." in execute(client, "reasoning")["text"]


def test_a_cancel_frees_the_engine(models: Path, home: Path) -> None:
    with LspClient({"ASSISTANT_HOME": str(home)}) as client:
        buffer, command = start(client, models / "endless.gguf")
        request = client.run_command(command)
        client.wait_for(writes)

        client.notify("$/cancelRequest", {"id": request})

        assert client.error_code(request) == -32800
        while status(home)["queue"]["running"]:  # each asking takes a process and its time
            assert client.process.poll() is None
        assert buffer.text == STUB


def test_a_killed_daemon_costs_one_message_and_the_next_request_works(
    models: Path, home: Path
) -> None:
    with LspClient({"ASSISTANT_HOME": str(home)}) as client:
        buffer, command = start(client, models / "endless.gguf")
        request = client.run_command(command)
        client.wait_for(writes)

        os.kill(status(home)["pid"], signal.SIGKILL)

        assert client.result(request)["state"] == "failed"
        (message,) = client.of("window/showMessage")
        assert "died in mid-answer" in message["message"]
        assert buffer.text == STUB

        model = {"assistant": {"model": str(models / "good.gguf")}}
        client.notify("workspace/didChangeConfiguration", {"settings": model})
        assert client.result(client.run_command(command))["state"] == "offered"
        assert execute(client, "accept") == {"applied": True}
        assert buffer.text == STUB + BODY


def test_a_missing_or_broken_model_costs_one_message_each(home: Path, tmp_path: Path) -> None:
    with LspClient({"ASSISTANT_HOME": str(home)}) as client:
        buffer, command = start(client, tmp_path / "missing.gguf")
        for name, content in {
            "missing": None,
            "empty": b"",
            "truncated": b"GGUF",
            "text": b"not a model at all" * 10,
        }.items():
            model = tmp_path / f"{name}.gguf"
            if content is not None:
                model.write_bytes(content)
            settings = {"settings": {"assistant": {"model": str(model)}}}
            client.notify("workspace/didChangeConfiguration", settings)

            assert client.result(client.run_command(command))["state"] == "failed"

            assert f"{name}.gguf" in client.of("window/showMessage")[-1]["message"]
            assert buffer.text == STUB
        assert len(client.of("window/showMessage")) == 4
