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
    cells: int | None = None
    """Tokens that all requests to this model may hold together; None: one context, or several
    where they are cheap."""
    stash_bytes: int | None = None
    """Memory for finished sequences outside of the context; None: at most 512 MB."""
    threads: int | None = None
    """CPU threads; None: one for a very small model, otherwise the cores that this process may
    use."""
    adapter: Path | None = None
    """A file with an adapter that is attached; None: the model as it is."""
    adapter_scale: float = 1.0
    """How much the adapter counts; 1: as it was trained."""
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
    """Weights, in bytes, an adapter's among them."""
    adapter: Path | None = None
    """The adapter that is attached."""
    adapter_modified_ns: int = 0
    """When its file was last changed before it was loaded."""


class Role(enum.Enum):
    """What a loaded model is used for."""

    GENERATE = "generate"
    """Reasoning and code."""
    INLINE = "inline"
    """Completions inside of a line."""


class Priority(enum.IntEnum):
    """Who goes first: as long as a lower number has work, a higher one waits."""

    INLINE = 0
    """A completion that somebody waits for while typing."""
    INTERACTIVE = 1
    """An answer that somebody watches."""
    BACKGROUND = 2
    """Work that nobody waits for: evaluations, warming a cache."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen; temperature 0 is greedy and ignores all but the penalties."""

    temperature: float = 0.0
    top_k: int = 40
    """Keep the k most likely; 0: all."""
    top_p: float = 0.95
    min_p: float = 0.0
    """Drop what is less likely than this share of the most likely."""
    seed: int | None = None
    repeat_penalty: float = 1.0
    """Divides the logits of tokens that occurred; 1: off."""
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    penalty_tokens: int = 64
    """How far back the penalties look, in tokens."""


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
class Budget:
    """An end to long reasoning: when `until` has not come after `tokens`, `text` is appended."""

    tokens: int
    until: str
    """The text with which reasoning ends by itself, such as `</think>`."""
    text: str
    """What is put in its place: the end of the reasoning and the beginning of the code."""
    opening: str = ""
    """The tag with which an answer that reasons begins: without it nothing is counted. Empty: it is
    reasoning from its first token on."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When generation ends and what it is made to say."""

    max_tokens: int | None = None
    """None: as many as fit in the context; 0: evaluate the prompt and keep it, generate nothing."""
    stop: tuple[str, ...] = ()
    forced: tuple[Forced, ...] = ()
    budget: Budget | None = None
    grammar: str | None = None
    """GBNF that the whole answer has to follow."""
    logprobs: int | None = None
    """How many alternatives to tell for each token; None: no probabilities at all."""
    line_ms: int | None = None
    """End at the first line break that comes later than this after the first token."""
    ignore_end: bool = False
    """Go on behind the model's own end of the answer; for measurements."""


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
    thinking: str = ""
    """The opening tag of the thinking block that the prompt leaves open, so that the answer begins
    inside of it; usually empty."""
    healed: bytes = b""
    """Bytes that were taken off the end of the prompt because they may be half a token. What is
    generated has to begin with them; they are not given out again."""
    lookup: tuple[int, ...] | None = None
    """Guess ahead from the prompt and these tokens (an editor's buffer, say); None: never guess.
    Worth it for tasks that repeat much of their input."""


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
class TokenProbability:
    """One generated token and what else it could have been."""

    token: int
    piece: bytes
    logprob: float
    """Natural logarithm, of the model's own distribution (before temperature and cuts)."""
    alternatives: tuple[tuple[int, bytes, float], ...] = ()
    """(token, piece, logprob) of the most likely, the most likely first."""


@dataclass(frozen=True, slots=True)
class Text:
    """The next piece of the answer."""

    text: str
    tokens: int
    """Tokens generated so far."""
    probabilities: tuple[TokenProbability, ...] = ()
    """Of the tokens that were generated since the last piece, when asked for."""


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of an answer, and what it cost."""

    reason: FinishReason
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    prompt_ms: float
    """From the first to the last step of the prompt; waiting in the queue is not in it."""
    predicted_ms: float
    queue_ms: float = 0.0
    """From the submission to the first step."""
    drafted: int = 0
    """Tokens that were guessed ahead by looking them up, ..."""
    accepted: int = 0
    """... and how many of the guesses were right."""
    stop: str | None = None
    """The stop string that ended it, if one did."""


Output = PromptProgress | Text | Finished


@dataclass(frozen=True, slots=True)
class Figures:
    """What one model's engine did since it was loaded, and what it holds."""

    running: int
    """Requests in work."""
    waiting: int
    """Requests that have not begun."""
    cells: int
    """Tokens that fit in the memory of all sequences together, ..."""
    cells_used: int
    """... and how many are in it, those that several sequences share counted once."""
    parked: int
    """Finished sequences that are kept for the next request with the same beginning."""
    prompt_tokens: int
    """Tokens of prompts that were evaluated, ..."""
    cached_tokens: int
    """... and those that were found in memory instead."""
    generated_tokens: int
    decode_calls: int
    aborted_calls: int
    """Decode calls that were stopped half-way for a cancel or for a more urgent request."""
    drafted: int
    accepted: int
    prompt_seconds: float
    generated_seconds: float
    rollback: str
    """`exact`, or how a cache that can not be rolled back is handled."""
    stashed_bytes: int = 0
    """Memory that kept sequences take outside of the cells."""


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
