"""Until the daemon has loaded what is wanted: start it, wait, or have another one give way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from assistant import __version__, locations
from assistant.client import dialect
from assistant.client.types import Daemon
from assistant.daemon.protocol import LOAD_FAILED
from assistant.errors import AssistantError, DaemonProblem, ModelProblem
from assistant.models import adapters, gguf, store
from assistant.models.names import Chosen

START_SECONDS = 60.0
"""How long a daemon may take until it answers `/health`; loading is not part of it."""
BUSY_SECONDS = 120.0
"""How long to wait for a daemon that answers others with another model."""
_FIRST_DELAY, _LONGEST_DELAY = 0.02, 0.5


class Server(Protocol):
    """What is needed of a connection to the daemon."""

    async def health(self) -> dict[str, Any] | None:
        """`GET /health`; None when there is no daemon."""

    async def status(self) -> dict[str, Any]:
        """`GET /status`."""

    async def shutdown(self, *, when_idle: bool = False) -> bool:
        """End it; False when it is busy and was only to end if idle."""


async def of_daemon(server: Server, target: Daemon, *, start: bool) -> str:
    """Wait until the daemon has the wanted models loaded; the name of the first one.

    Args:
        server: the daemon, whether it runs or not.
        target: what it has to hold.
        start: start it when it does not run, and end one that is idle and holds another model.

    Raises:
        DaemonProblem: it does not run, does not start, or holds another model and stays busy.
        ModelProblem: the model is missing or can not be loaded.
    """
    wanted = store.choose(target.model)
    starter = _Starter(target, wanted) if start else None
    delay, silent_since, asked = _FIRST_DELAY, time.monotonic(), time.monotonic()
    renew = start
    while True:
        health = await server.health()
        if health is not None:
            silent_since = time.monotonic()
            if health.get("status") == "failed":
                raise dialect.error_of(health, DaemonProblem) or DaemonProblem(str(health))
            held = (
                await _held(server, target, wanted, start) if health.get("status") == "ok" else None
            )
            if held is not None:
                name, version = held
                # An older daemon goes on while it has work: it speaks the same protocol.
                outdated = renew and _older(version, __version__)
                if not (outdated and await server.shutdown(when_idle=True)):
                    return name
                renew = False
            if health.get("status") != "ok":
                asked = time.monotonic()
            elif time.monotonic() - asked > BUSY_SECONDS:
                raise await _busy(server, wanted)
        elif starter is None:
            raise DaemonProblem(
                "The engine daemon does not run.", hint="Start it with: assistant serve"
            )
        else:
            starter.step()
        if time.monotonic() - silent_since > START_SECONDS:
            raise DaemonProblem(
                f"The engine daemon has not answered within {START_SECONDS:.0f} seconds.",
                hint=f"See {locations.log_path('daemon')}.",
            )
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, _LONGEST_DELAY)


async def _held(
    server: Server, target: Daemon, wanted: Chosen, start: bool
) -> tuple[str, str] | None:
    """The model's name and the daemon's version if it has what is wanted; else an idle daemon is
    ended."""
    try:
        status = await server.status()
        model = status["model"]
        held = Chosen(Path(model["path"]), _path(model.get("adapter")))
        inline = _path(status.get("inline_path"))
        second = None if inline is None else Chosen(inline, _path(status.get("inline_adapter")))
        if held.is_same(wanted) and _unchanged(wanted, model) and _same(second, target.inline()):
            return str(model["id"]), str(status.get("version"))
        if start:
            await server.shutdown(when_idle=True)
    except (AssistantError, KeyError):
        return None
    if not start:
        both = " and ".join(str(one) for one in (held, second) if one is not None)
        raise DaemonProblem(
            f"The engine daemon holds {both}, not {wanted}.", hint="End it with: assistant stop"
        )
    return None


async def _busy(server: Server, wanted: Chosen) -> DaemonProblem:
    held = (await server.status()).get("model") or {}
    return DaemonProblem(
        f"The engine daemon has answered requests to {held.get('path')} for {BUSY_SECONDS:.0f} "
        f"seconds, so {wanted} can not be loaded.",
        hint="See who is asking: assistant status. End it all the same: assistant stop",
    )


def _path(told: str | None) -> Path | None:
    return Path(told) if told else None


def _unchanged(wanted: Chosen, model: dict[str, Any]) -> bool:
    """Whether the files are still those that were loaded."""
    if model["modified_ns"] != wanted.path.stat().st_mtime_ns:
        return False
    adapter = wanted.adapter
    return adapter is None or model["adapter_modified_ns"] == adapter.stat().st_mtime_ns


def _same(held: Chosen | None, wanted: Chosen | None) -> bool:
    if held is None or wanted is None:
        return held is None and wanted is None
    return held.is_same(wanted)


def _older(version: str, than: str) -> bool:
    """Whether a version such as 0.2.1 comes before another; False for what is no version."""
    try:
        return [int(part) for part in version.split(".")] < [int(p) for p in than.split(".")]
    except ValueError:
        return False


class _Starter:
    """Starts the daemon whenever the lock is free; knows when its own attempt failed."""

    def __init__(self, target: Daemon, wanted: Chosen) -> None:
        self._target = target
        self._wanted = wanted
        self._process: subprocess.Popen[bytes] | None = None
        self._missed = 0

    def step(self) -> None:
        """Called while no daemon answers.

        Raises:
            DaemonProblem: the daemon that was started here ended before it answered, or this
                system has no unix sockets.
            ModelProblem: the model can not be loaded, and twice others were told why.
        """
        if sys.platform == "win32":
            raise DaemonProblem(
                "The local engine needs unix sockets with file locks, which Windows lacks.",
                hint="Use WSL, or configure an external endpoint (endpoint.url).",
            )
        # Not at import: it needs what only unix systems have.
        from assistant.client import start

        if self._process is None:
            # A broken file is told at once, without a daemon; so is an adapter of another model.
            path, adapter = self._wanted.path, self._wanted.adapter
            adapters.joined(gguf.read_header(path), adapter)
            name = store.name_of(path, adapter)
            self._process = start.start(self._target, self._wanted, name)
        elif (code := self._process.poll()) in (0, LOAD_FAILED):
            # It was there, and ended for another client: for its model, or telling it why not.
            self._process = None
            self._missed += code == LOAD_FAILED
            if self._missed > 1:
                raise ModelProblem(
                    f"{self._wanted} can not be loaded. The end of the engine's log:\n"
                    f"{start.last_words(2)}",
                    hint=f"The whole log: {locations.log_path('daemon')}",
                )
        elif code is not None:
            raise DaemonProblem(
                f"The engine daemon ended with status {code} before it answered:\n"
                f"{start.last_words()}",
                hint=f"The whole log: {locations.log_path('daemon')}",
            )
