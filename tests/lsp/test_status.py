"""What an editor sees of the assistant's state, over the wire and with the real engine."""

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

from assistant import locations
from tests.support.daemons import health, wait_until
from tests.support.lsp_client import CAPABILITIES, Buffer, LspClient
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from tests.support.tiny_gguf import Tiny, chain_of, write

OURS = {
    **CAPABILITIES,
    "textDocument": {"inlineCompletion": {}},
    "experimental": {"assistant": {"status": True}},
}
CODE = Buffer("file:///code.py", "x = 1\n")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write(folder / "abcd.gguf", Tiny(chain=chain_of(*"ABCD")))
    write(folder / "plain.gguf", Tiny(chain=chain_of(*"XY"), fim=False))
    (folder / "broken.gguf").write_bytes(b"GGUF")
    return folder


@pytest.fixture
def client(_own_home: Path) -> Iterator[LspClient]:
    with LspClient() as client:
        yield client
    command = [sys.executable, "-m", "assistant", "stop"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


def run(client: LspClient, command: str, **argument: Any) -> Any:
    params = {"command": command, "arguments": [argument]}
    return client.result(client.request("workspace/executeCommand", params))


def wait_for_kind(client: LspClient, kind: str, saying: str = "") -> dict[str, Any]:
    """The first state of that kind, past or to come."""
    found = client.wait_for(
        lambda m: (
            m.get("method") == "assistant/status"
            and m["params"]["kind"] == kind
            and saying in m["params"]["message"]
        )
    )
    params: dict[str, Any] = found["params"]
    return params


def test_code_warms_the_engine_up_and_a_killed_one_is_no_failure(
    client: LspClient, models: Path
) -> None:
    options = {"model": str(models / "abcd.gguf")}
    client.initialize(capabilities=OURS, initializationOptions=options)
    client.open(CODE)
    ready = wait_for_kind(client, "ready")

    assert ready["message"] == "abcd.gguf answers and completes."
    assert ready["inline"] == {"model": str(models / "abcd.gguf")}
    assert ready["memoryBytes"] > 0
    assert ready["queue"] == {"running": 0, "waiting": 0}
    kinds = [one["kind"] for one in client.of("assistant/status")]
    assert kinds[:2] == ["unknown", "starting"]
    assert set(kinds[2:]) <= {"starting", "loading", "ready"}

    pid = json.loads(locations.daemon_info_path().read_text())["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: health() is None)
    now = run(client, "assistant.status")
    assert (now["kind"], now["inline"]) == ("unknown", {})
    assert "does not run any more; the next request starts it" in now["message"]
    assert client.of("window/showMessage") == []


def test_why_suggestions_are_off_is_told(client: LspClient, models: Path) -> None:
    options = {"model": str(models / "plain.gguf")}
    client.initialize(capabilities=OURS, initializationOptions=options)
    client.open(CODE)

    ready = wait_for_kind(client, "ready")

    assert "no fill-in-the-middle tokens" in ready["inline"]["reason"]
    assert "Suggestions are off" in ready["message"]


def test_a_model_that_can_not_be_loaded_is_told_quietly_and_mended_by_the_settings(
    client: LspClient, models: Path
) -> None:
    options = {"model": str(models / "broken.gguf")}
    client.initialize(capabilities=OURS, initializationOptions=options)
    client.open(CODE)
    off = wait_for_kind(client, "off")
    assert "broken.gguf" in off["message"]
    assert run(client, "assistant.status")["message"] == off["message"]

    settings = {"assistant": {"model": str(models / "abcd.gguf")}}
    client.notify("workspace/didChangeConfiguration", {"settings": settings})
    wait_for_kind(client, "ready")

    assert client.of("window/showMessage") == []


def test_a_generation_is_busy_while_it_runs_and_a_failure_when_its_engine_goes() -> None:
    answer = Reply.of("```python\ndef add(a, b):\n    return a + b\n```\n")
    broken = Reply.of("```python\ndef add(a, b):\n", break_after=1)
    answer.hold(2)
    buffer = Buffer("file:///stub.py", 'def add(a, b):\n    """Add two numbers."""\n')
    with ScriptedEndpoint([answer, broken]) as endpoint, LspClient() as client:
        options = {"endpoint": endpoint.url, "repair": False, "inline": False}
        client.initialize(
            capabilities=CAPABILITIES | {"experimental": OURS["experimental"]},
            initializationOptions=options,
        )
        client.open(buffer)
        actions = client.code_actions(buffer, 0)
        command = next(one for one in actions if one["title"].startswith("Implement"))["command"]
        request = client.run_command(command)
        busy = wait_for_kind(client, "busy")
        assert (busy["message"], busy["model"]) == ("Implement add", "scripted")
        answer.release()
        assert client.result(request)["state"] == "offered"
        assert client.result(client.run_command(command))["state"] == "failed"
        failed = wait_for_kind(client, "failed")
        assert endpoint.url in failed["message"]
