"""What a client sends and receives, independent of who answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assistant.engine.types import Forced as Forced
from assistant.errors import ModelProblem
from assistant.models.names import Chosen


@dataclass(frozen=True, slots=True)
class Daemon:
    """The user's own engine daemon; started when needed."""

    model: str = ""
    """Name or path of the model (`assistant.models.store.choose`); empty: the embedded one.
    A daemon that holds another model is ended when it is idle, and started with this one."""
    inline_model: str = ""
    """A second model for completions inside of a line; empty: the first one serves both."""
    idle_minutes: float = 15.0
    """Minutes without a request until a daemon started from here ends; 0: never."""
    context_length: int | None = None
    threads: int | None = None
    memory_gb: float = 0.0
    """For all models together, in GB; 0: what is free."""
    loopback: int | None = None
    """A port of 127.0.0.1 that it listens on as well when it is started from here; 0: any."""

    def inline(self) -> Chosen | None:
        """The second model, where one is wanted; the first one is no second.

        One that is missing is no reason not to answer: the daemon says why inline is off.

        Raises:
            ModelProblem: the first model is missing.
        """
        from assistant import locations
        from assistant.models import store

        if not self.inline_model:
            return None
        try:
            second = store.choose(self.inline_model)
        except ModelProblem:
            return Chosen(locations.models_dir() / self.inline_model)
        # Loaded twice it would take its memory twice.
        return None if second.is_same(store.choose(self.model)) else second


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A server that speaks the OpenAI dialect: llama-server, vLLM, Ollama, LM Studio."""

    url: str
    """With or without a trailing `/v1`."""
    # Out of tracebacks and logs.
    api_key: str = field(default="", repr=False)
    model: str = ""
    """Empty: the first one that the server lists."""


Target = Daemon | Endpoint


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that answers."""

    id: str
    format_name: str | None = None
    """Set when the model was trained in our format; None for all others."""
    format_version: int | None = None
    fim: bool = False
    llama_server: bool = False
    """It is served by llama-server."""
    context_length: int | None = None


@dataclass(frozen=True, slots=True)
class Inline:
    """Who completes inside of a line."""

    model: str = ""
    reason: str = ""
    """Why nobody does; empty when somebody does."""
    soon: bool = False
    """The reason will pass: the model is being loaded."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A question to a model."""

    messages: Sequence[Mapping[str, str]]
    """Objects with `role` and `content`; a last one of role `assistant` begins the answer."""
    model: str | None = None
    """For an endpoint with several models; None: the one of the target."""
    max_tokens: int | None = None
    """None: as many as fit."""
    temperature: float = 0.0
    """0: always the most likely token."""
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    stop: Sequence[str] = ()
    return_progress: bool = True
    """Tell how much of the prompt is read, where the server can."""
    # Only the daemon knows what follows; an endpoint is not sent it.
    forced: Sequence[Forced] = ()
    reasoning_budget: int | None = None
    """Tokens of reasoning after which the code has to begin; None: no limit."""
    priority: str = ""
    """`interactive` or `background`; empty: the first."""
    lookup: Sequence[str] | None = None
    """Texts that the answer may repeat, beside the request itself; None: do not guess."""


@dataclass(frozen=True, slots=True)
class FileText:
    """Text of another file that may help to fill in."""

    name: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class FillRequest:
    """Fill in between two texts, for inline completion. The daemon can, and llama-server."""

    prefix: str = field(repr=False)
    suffix: str = field(repr=False)
    typed: str = ""
    """What stands between the prefix and the cursor; the daemon puts it where the next letter
    does not change what the model has read already."""
    max_tokens: int = 128
    """0: the model reads the text, so that the next request is answered sooner."""
    temperature: float = 0.0
    """0: always the most likely token."""
    seed: int | None = None
    stop: tuple[str, ...] = ()
    file_name: str = ""
    repository: str = ""
    extra: Sequence[FileText] = ()
    """The most important last."""
    line_ms: int | None = None
    """No line is begun later than so many milliseconds after the first token."""
    client: str = ""
    document: str = ""
    """A newer request of the same client and document takes the place of this one."""
    priority: str = ""
    """`inline`, `interactive` or `background`; empty: the first. Only the daemon knows it."""


@dataclass(frozen=True, slots=True)
class Delta:
    """The next piece of text."""

    text: str
    channel: str = "content"
    """`content`, or `reasoning` where the server separates it."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How much of the prompt the model has read, in tokens."""

    total: int
    cached: int
    processed: int


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer. Numbers that the server does not tell are 0."""

    reason: str
    """`stop`, `length` or `cancelled`."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    prompt_ms: float = 0.0
    predicted_ms: float = 0.0
    tokens_per_second: float = 0.0
    model: str = ""
    """Which one it was, where there may be several."""


Chunk = Delta | Progress | Finished
