"""A real llama-server, for tests that compare with it or talk to it.

`ASSISTANT_LLAMA_BIN` names the folder with the programs of the llama.cpp that is pinned;
`ASSISTANT_LLAMA_SOURCE` the folder of its sources (with `models/templates` and the vocabularies).
Tests that need one of them skip and say so where it is not set.
"""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.daemons import wait_until

_BIN, _SOURCE = "ASSISTANT_LLAMA_BIN", "ASSISTANT_LLAMA_SOURCE"
KEY = "a-key-of-the-test"


def program() -> Path | None:
    """The llama-server to use, or None."""
    folder = os.environ.get(_BIN)
    path = Path(folder, "llama-server") if folder else None
    return path if path is not None and path.exists() else None


def source() -> Path | None:
    """The folder of llama.cpp's sources, or None."""
    folder = os.environ.get(_SOURCE)
    path = Path(folder) if folder else None
    return path if path is not None and (path / "models" / "templates").is_dir() else None


needs_server = pytest.mark.skipif(
    program() is None, reason=f"{_BIN} names no folder with llama-server (make bench-serving)"
)
needs_source = pytest.mark.skipif(
    source() is None, reason=f"{_SOURCE} names no folder with llama.cpp's sources"
)


def templates() -> list[Path]:
    """The chat templates that come with llama.cpp; none without its sources."""
    folder = source()
    return sorted((folder / "models" / "templates").glob("*.jinja")) if folder else []


def vocabularies() -> list[Path]:
    """The vocabularies of well-known models that come with llama.cpp; none without its sources."""
    folder = source()
    return sorted((folder / "models").glob("ggml-vocab-*.gguf")) if folder else []


@dataclass(frozen=True)
class Server:
    """One that answers."""

    url: str
    process: subprocess.Popen[bytes]
    http: httpx.Client

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question in JSON."""
        return dict(self.http.post(path, json=body).json())

    def get(self, path: str) -> Any:
        """The JSON that is at `path`."""
        return self.http.get(path).json()

    @property
    def busy(self) -> bool:
        """Whether it works on anything."""
        return any(slot["is_processing"] for slot in self.get("/slots"))


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@contextmanager
def llama_server(model: Path, *options: str) -> Iterator[Server]:
    """A llama-server that has loaded `model`; ended afterwards."""
    found = program()
    assert found is not None
    port = free_port()
    command = [str(found), "-m", str(model), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--threads", "1", "--slots", "--metrics", "--no-ui", *options]
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        with httpx.Client(
            base_url=url, timeout=30, trust_env=False, headers={"Authorization": f"Bearer {KEY}"}
        ) as http:
            try:

                def ready() -> bool:
                    assert process.poll() is None, _last(log)
                    with suppress(httpx.HTTPError):
                        return http.get("/health").status_code == 200
                    return False

                wait_until(ready, "llama-server has loaded the model")
                yield Server(url, process, http)
            finally:
                process.kill()
                process.wait()


def _last(log: Any) -> str:
    log.seek(0)
    return str(log.read()[-2000:].decode("utf-8", "replace"))
