"""Real daemons in the test's own home, and waiting for conditions instead of sleeping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from assistant import locations

PATIENCE = 30.0


def wait_until(condition: Callable[[], Any], what: str = "") -> Any:
    """The first true value of `condition`; fails after a generous time."""
    end = time.monotonic() + PATIENCE
    while not (value := condition()):
        assert time.monotonic() < end, f"never came true: {what or condition}"
        time.sleep(0.01)
    return value


def client() -> httpx.Client:
    """An HTTP client to this home's daemon."""
    transport = httpx.HTTPTransport(uds=os.fspath(locations.socket_path()))
    return httpx.Client(transport=transport, base_url="http://daemon", timeout=PATIENCE)


def health() -> str | None:
    """What the daemon says; None when there is none."""
    with suppress(httpx.HTTPError), client() as http:
        return str(http.get("/health").json()["status"])
    return None


@contextmanager
def daemon(model: Path, *options: str, name: str = "tiny") -> Iterator[subprocess.Popen[bytes]]:
    """A daemon that has loaded `model`; ended afterwards if it still runs."""
    command = [sys.executable, "-m", "assistant.daemon", "--model-path", str(model)]
    command += ["--model-name", name, "--threads", "1", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_until(lambda: health() == "ok" or process.poll() is not None, "the model is loaded")
        yield process
    finally:
        process.kill()
        process.communicate()


def chat(content: str = "hi", **more: Any) -> dict[str, Any]:
    """The body of a chat request."""
    return {"messages": [{"role": "user", "content": content}], **more}


def events(lines: Iterator[str]) -> list[dict[str, Any]]:
    """The objects of a stream; it has to end with `[DONE]`."""
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    assert data[-1] == "[DONE]"
    return [json.loads(entry) for entry in data[:-1]]


def text_of(objects: list[dict[str, Any]]) -> str:
    """The text in the objects of a chat's stream."""
    return "".join(o["choices"][0].get("delta", {}).get("content") or "" for o in objects)
