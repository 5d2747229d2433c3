"""How the assistant is, in words and numbers; what the status notification carries."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assistant.errors import (
    AssistantError,
    ConfigProblem,
    DaemonProblem,
    EndpointProblem,
    EngineProblem,
    ModelProblem,
    StateProblem,
)

if TYPE_CHECKING:
    from assistant.client import Inline

NOT_ASKED = "Nothing was asked yet; the first request starts the engine."
ENDED = "The engine does not run any more; the next request starts it."
ANSWERED = "The engine answers."
SILENT = "The engine was asked how it is, and has not answered."
CHANGED = "The settings have changed; the next request goes by them."

_ENGINE = (DaemonProblem, EndpointProblem, EngineProblem, ModelProblem, ConfigProblem, StateProblem)
_NOTHING_TO_ASK = (ModelProblem, ConfigProblem, EngineProblem)


class Kind(enum.Enum):
    """What an editor shows a sign for."""

    UNKNOWN = "unknown"
    """Nothing was asked yet, or the engine has ended; the next request starts it."""
    STARTING = "starting"
    LOADING = "loading"
    READY = "ready"
    BUSY = "busy"
    OFF = "off"
    """As things are set up, nobody can answer: no model, no engine, settings that do not fit."""
    FAILED = "failed"
    """What should work did not; the next request tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the engine tells of itself; an endpoint tells nothing."""

    memory_bytes: int | None = None
    running: int = 0
    waiting: int = 0
    tokens: int = 0
    """Generated since the model was loaded, ..."""
    seconds: float = 0.0
    """... and how long that took."""

    def speed_since(self, before: Figures) -> float | None:
        """Tokens a second of what was generated after `before`; None: nothing was."""
        tokens, seconds = self.tokens - before.tokens, self.seconds - before.seconds
        return round(tokens / seconds, 1) if tokens > 0 and seconds > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One state; equal ones are not told twice."""

    kind: Kind = Kind.UNKNOWN
    message: str = NOT_ASKED
    """Sentences for a person."""
    progress: float | None = None
    """Of loading, from 0 to 1."""
    model: str | None = None
    inline: Inline | None = None
    """None: not known yet."""
    memory_bytes: int | None = None
    tokens_per_second: float | None = None
    queue: tuple[int, int] | None = None
    """Requests in work and waiting, of all programs."""

    def as_json(self) -> dict[str, Any]:
        """With the names of the protocol; what is not known is left out."""
        inline: dict[str, str] = {}
        if self.inline is not None and self.inline.reason:
            inline = {"reason": self.inline.reason}
        elif self.inline is not None:
            inline = {"model": self.inline.model}
        queue = None
        if self.queue is not None:
            queue = {"running": self.queue[0], "waiting": self.queue[1]}
        known = {
            "progress": self.progress,
            "model": self.model,
            "memoryBytes": self.memory_bytes,
            "tokensPerSecond": self.tokens_per_second,
            "queue": queue,
        }
        told = {name: value for name, value in known.items() if value is not None}
        return {"kind": self.kind.value, "message": self.message, "inline": inline} | told


def is_about_the_engine(error: AssistantError) -> bool:
    """Whether an error says how the engine is, and not only that one request can not be served."""
    return isinstance(error, _ENGINE)


def kind_of(error: AssistantError, *, opening: bool) -> Kind:
    """What an error means for the next request.

    Args:
        error: about the engine.
        opening: it came when the connection was opened.
    """
    return Kind.OFF if opening and isinstance(error, _NOTHING_TO_ASK) else Kind.FAILED


def ready_message(model: str, inline: Inline) -> str:
    """Who does what."""
    name, completes = _short(model), _short(inline.model)
    if inline.reason:
        return f"{name} answers. Suggestions are off: {inline.reason.rstrip('.')}."
    if completes in ("", name):
        return f"{name} answers and completes."
    return f"{name} answers, {completes} completes."


def loading_message(model: str, progress: float) -> str:
    """How far a model is."""
    return f"Loading {_short(model)} ({progress:.0%})."


def _short(name: str) -> str:
    """A path's last part; other names as they are."""
    return Path(name).name if Path(name).is_absolute() else name
