"""What the routes of the daemon share."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.daemon.worker import Job, Worker


@dataclass
class Service:
    """The worker, the model, and the requests under way."""

    worker: Worker
    model_name: str
    model_path: Path
    stop: Callable[[], None]
    """Ends the daemon; returns at once."""
    started_by: str = ""
    started: float = field(default_factory=time.monotonic)
    last_use: float = field(default_factory=time.monotonic)
    stopping: bool = False
    jobs: dict[str, Job] = field(default_factory=dict)

    @property
    def busy(self) -> bool:
        """True while there is a request in work or waiting."""
        return bool(self.jobs)

    def model(self) -> dict[str, Any]:
        """The loaded model, as `/v1/models` and `/status` tell it."""
        facts = self.worker.engine.facts
        kind = None
        if facts.format_name:
            kind = {"name": facts.format_name, "version": facts.format_version}
        return {
            "id": self.model_name,
            "object": "model",
            "path": str(self.model_path),
            "format": kind,
            "fim": facts.fim,
            "context_length": facts.context_length,
            "roles": [*(["generate"] if facts.chat else []), *(["inline"] if facts.fim else [])],
        }
