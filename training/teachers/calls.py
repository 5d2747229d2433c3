"""One question to a teacher, its answer, and the key under which the answer is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

KEY_VERSION = 2

Message = Mapping[str, str]
"""An object with `role` and `content`, as a chat endpoint takes it."""


@dataclass(frozen=True)
class Teacher:
    """Who answers. Another revision is another teacher, whatever its name."""

    model: str
    revision: str = ""
    """Commit or digest of the weights, where it is known."""


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen."""

    temperature: float = 0.6
    top_p: float = 0.95
    max_tokens: int = 1024
    seed: int = 0
    stop: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """One request: everything that its answer depends on, besides the teacher."""

    task: str
    """Id of the problem."""
    turn: str
    """Which part of the template it is, for people: `writer`, `critic`, ..."""
    messages: tuple[Message, ...]
    sampling: Sampling
    sample: int = 0
    """Which of several answers to the same problem."""
    attempt: int = 0
    """How often the same thing was asked for before and not accepted."""

    @property
    def characters(self) -> int:
        """Length of the prompt; its tokens are estimated from it."""
        return sum(len(message["content"]) for message in self.messages)


@dataclass(frozen=True)
class Answer:
    """What came back. `finish` is `stop`, or `length` when it was cut off."""

    text: str
    finish: str = "stop"
    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def whole(self) -> bool:
        """False when it was cut off: it is never used then, and never used again."""
        return self.finish != "length"


def body_of(call: Call, model: str, *, stream: bool = False) -> dict[str, Any]:
    """The JSON of a request to `/v1/chat/completions`, also that of a batch file."""
    sampling = call.sampling
    body: dict[str, Any] = {
        "model": model,
        "messages": [dict(message) for message in call.messages],
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_tokens,
        "seed": sampling.seed,
        "stream": stream,
    }
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if stream:
        body["stream_options"] = {"include_usage": True}
    return body


def key_of(call: Call, teacher: Teacher) -> str:
    """sha256 of task, prompt, model and revision, parameters and index, in hexadecimal digits."""
    return _digest(
        {
            "version": KEY_VERSION,
            "task": call.task,
            "prompt": [dict(message) for message in call.messages],
            "teacher": asdict(teacher),
            "parameters": asdict(call.sampling),
            "index": [call.sample, call.attempt],
        }
    )


def first_key_of(
    problem: str, messages: Sequence[Message], model: str, call: Call, seed: int
) -> str:
    """The key that version 1 of the records used, which knew neither revisions nor attempts."""
    s = call.sampling
    return _digest(
        {
            "problem": problem,
            "prompt": [dict(message) for message in messages],
            "model": model,
            "sampling": [s.temperature, s.top_p, s.max_tokens, seed],
            "sample": call.sample,
        },
        ensure_ascii=True,
    )


def _digest(parts: Mapping[str, Any], *, ensure_ascii: bool = False) -> str:
    text = json.dumps(parts, sort_keys=True, ensure_ascii=ensure_ascii)
    # A lone surrogate of a damaged row must not stop the run.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
