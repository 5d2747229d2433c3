"""What the routes of the daemon share."""

from __future__ import annotations

import asyncio
import collections
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.daemon.access import Access
from assistant.daemon.outbox import Bell, Outbox
from assistant.daemon.worker import Job, Worker
from assistant.engine.types import ModelFacts, Role

MAX_OF_CLIENT = 36
"""Open requests of one client: some in work, and about 32 that wait."""


@dataclass(slots=True, eq=False)
class Open:
    """A request, from its arrival to the end of its answer."""

    id: str
    client: str | None
    """None while only the request itself knows it."""
    job: Job | None = None
    """None while it is being prepared."""
    cancelled: bool = False


@dataclass
class Service:
    """The worker, the model, and the requests under way."""

    worker: Worker
    model_name: str
    model_path: Path
    stop: Callable[[], None]
    """Ends the daemon; returns at once."""
    inline_name: str = ""
    inline_path: Path | None = None
    """Of the second model, where there is one."""
    adapter_path: Path | None = None
    """Of the adapter that is attached to the first model, where there is one; ..."""
    inline_adapter_path: Path | None = None
    """... and to the second."""
    started_by: str = ""
    access: Access = field(default_factory=Access)
    """Who may come in, and how."""
    started: float = field(default_factory=time.monotonic)
    last_use: float = field(default_factory=time.monotonic)
    stopping: bool = False
    open: dict[str, Open] = field(default_factory=dict)
    """By id: those that are being prepared as well, which takes seconds for a long one."""
    _counts: collections.Counter[str] = field(default_factory=collections.Counter)
    _bell: Bell | None = None

    @property
    def busy(self) -> bool:
        """True while there is a request in work, waiting or being prepared."""
        return bool(self.open)

    def outbox(self, every: float = 0.0) -> Outbox:
        """A new outbox; one wake-up of the loop serves all of them."""
        loop = asyncio.get_running_loop()
        if self._bell is None:
            self._bell = Bell(loop)
        return Outbox(loop, self._bell, every)

    def enter(self, id: str, client: str | None) -> Open | None:
        """Take a request up, so that a cancel finds it; None when its client has too many."""
        one = Open(id, None)
        if client is not None and not self.name(one, client):
            return None
        self.open[id] = one
        return one

    def name(self, one: Open, client: str) -> bool:
        """Count a request as its client's, once; False when that one has too many."""
        if one.client is None and self._counts[client] >= MAX_OF_CLIENT:
            return False
        if one.client is None:
            self._counts[client] += 1
            one.client = client
        return True

    def cancel(self, one: Open) -> None:
        """End a request; one that is being prepared as soon as it is."""
        one.cancelled = True
        if one.job is not None:
            self.worker.cancel(one.job)

    def forget(self, id: str) -> None:
        """The end of a request, whatever it was."""
        one = self.open.pop(id, None)
        if one is None or one.client is None:
            return
        self._counts[one.client] -= 1
        if not self._counts[one.client]:
            del self._counts[one.client]

    def model(self) -> dict[str, Any]:
        """The loaded model, as `/v1/models` and `/status` tell it."""
        return _entry(self.model_name, self.model_path, self.worker.engine.facts, second=False)

    def name_of(self, role: Role) -> str:
        """Of the model that serves a role."""
        return self.inline_name if role is Role.INLINE and self.inline_name else self.model_name

    def models(self) -> list[dict[str, Any]]:
        """All loaded models; the first one generates."""
        inline = self.worker.engine_for(Role.INLINE)
        found = [self.model()]
        if self.inline_path is not None and inline is not None:
            found[0]["roles"] = [role for role in found[0]["roles"] if role != Role.INLINE.value]
            found.append(_entry(self.inline_name, self.inline_path, inline.facts, second=True))
        return found

    def inline(self) -> dict[str, Any]:
        """Who completes inside of a line, or why nobody does."""
        if self.worker.engine_for(Role.INLINE) is not None:
            return {"model": self.inline_name or self.model_name, "reason": ""}
        if self.worker.inline_loading:
            reason = f"the model {self.inline_name} is being loaded"
            return {"model": None, "reason": reason, "loading": True}
        if self.worker.inline_failure is not None:
            return {"model": None, "reason": str(self.worker.inline_failure)}
        reason = (
            f"the model {self.model_name} has no fill-in-the-middle tokens; choose one that has: "
            "assistant models use NAME --role inline"
        )
        return {"model": None, "reason": reason}


def _entry(name: str, path: Path, facts: ModelFacts, *, second: bool) -> dict[str, Any]:
    kind = None
    if facts.format_name:
        kind = {"name": facts.format_name, "version": facts.format_version}
    generates = facts.chat and not second
    roles = [*([Role.GENERATE] if generates else []), *([Role.INLINE] if facts.fim else [])]
    return {
        "id": name,
        "object": "model",
        "created": facts.modified_ns // 10**9,
        "owned_by": "assistant",
        "path": str(path),
        "adapter": str(facts.adapter) if facts.adapter is not None else None,
        "format": kind,
        "fim": facts.fim,
        "context_length": facts.context_length,
        "roles": [role.value for role in roles],
        # llama-server's names for the same.
        "meta": {"n_ctx": facts.context_length, "size": facts.memory_bytes},
    }
