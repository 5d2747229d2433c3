"""What goes into the engine and what comes out, without anything of llama.cpp."""

from __future__ import annotations

import enum
import threading
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """How a model is loaded."""

    context_length: int | None = None
    """Tokens of prompt and answer together; None: the model's own, at most 8192."""
    threads: int | None = None
    """CPU threads; None: one for a very small model, otherwise the cores that this process may
    use."""
    gpu_layers: int = -1
    """Layers on the GPU where the library supports one; -1: all."""


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """What a loaded model can do."""

    path: Path
    modified_ns: int
    """When the file was last changed before it was loaded."""
    description: str
    format_name: str | None
    """`assistant.format.name` of the file: set for models made here."""
    format_version: int | None
    context_length: int
    fim: bool
    """The vocabulary has fill-in-the-middle tokens."""
    chat: bool
    """The file carries a chat template."""
    memory_bytes: int
    """Weights, in bytes."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; temperature 0 is greedy and ignores the rest."""

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Forced:
    """Once the generated text ends with `after`, `text` is appended to it (once)."""

    after: str
    text: str


@dataclass(frozen=True, slots=True)
class Limits:
    """When generation ends and what it is made to say."""

    max_tokens: int | None = None
    """None: as many as fit in the context."""
    stop: tuple[str, ...] = ()
    forced: tuple[Forced, ...] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose prompt is tokens and fits: all that can be refused has been."""

    tokens: tuple[int, ...]
    sampling: Sampling
    limits: Limits
    max_tokens: int
    """How many tokens may be generated."""
    before: str = ""
    """Text of a prefilled answer; `Forced.after` may begin in it."""


class FinishReason(enum.Enum):
    """Why generation ended."""

    STOP = "stop"
    LENGTH = "length"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class PromptProgress:
    """How much of the prompt is evaluated; the cached tokens count as processed."""

    total: int
    cached: int
    processed: int


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer."""

    text: str
    tokens: int
    """Tokens generated so far."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer, and what it cost."""

    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prompt_ms: float
    predicted_ms: float


Output = PromptProgress | Text | Finished


class CancelToken:
    """Asks a running generation to end; may be called from any thread, any number of times.

    `flag` is a C string that is empty until cancelled. llama.cpp reads it between two nodes of
    the compute graph (see `context.py`), so that cancelling needs no Python lock.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self.flag = bytearray(2)

    def cancel(self) -> None:
        """Ask for the end."""
        self.flag[0] = ord("x")
        self._event.set()

    @property
    def cancelled(self) -> bool:
        """True once `cancel` was called."""
        return self._event.is_set()
