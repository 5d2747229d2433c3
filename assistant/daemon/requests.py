"""Requests as JSON: the OpenAI dialect with llama-server's extensions, and a few of our own.

Everything that comes in is checked here, by type and by range, before it reaches the engine.
Fields that are not known are ignored, as llama-server does; what a client would miss badly when
it is ignored (tools, several answers, logit_bias) is refused with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from assistant.daemon.controls import Controls, read_controls
from assistant.daemon.fields import Fields, read, shown
from assistant.engine.types import Message, Priority
from assistant.errors import RequestProblem

MAX_FILES = 256
MAX_FILE_NAME = 1024
MAX_TOKENS_GIVEN = 1_000_000


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """`POST /v1/chat/completions`."""

    controls: Controls
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class TextRequest:
    """`POST /v1/completions` and `/completion`."""

    controls: Controls
    prompt: str


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """Text of another file that may help to fill in."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class FillRequest:
    """`POST /infill`, and `/v1/completions` with a suffix."""

    controls: Controls
    prefix: str
    suffix: str
    typed: str = ""
    """What was typed after the prefix: it goes behind the middle token, so that the next letter
    does not change what is evaluated already."""
    extra: tuple[ExtraFile, ...] = ()
    file_name: str = ""
    repository: str = ""


def parse_chat(data: bytes) -> ChatRequest:
    """Read a chat request.

    Raises:
        RequestProblem: it is not JSON, or a field is missing, ill-typed or out of range.
    """
    body = read(data)
    _refuse_tools(body)
    controls = read_controls(body, chat=True)
    return ChatRequest(controls, _messages(body))


def parse_text(data: bytes) -> TextRequest | FillRequest:
    """Read a raw completion request; with a suffix it fills in the middle.

    Raises:
        RequestProblem: it is not JSON, or a field is missing, ill-typed or out of range.
    """
    body = read(data)
    if body.get("echo", bool, False):
        raise RequestProblem("'echo' is not supported: the prompt is not sent back.")
    prompt = body.values.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1:  # OpenAI's own clients write it so, too
        prompt = prompt[0]
    if not isinstance(prompt, str):
        raise RequestProblem(
            f"'prompt' has to be one text, not {shown(prompt)}."
            if prompt is not None
            else "'prompt' is missing; it has to be a text."
        )
    suffix = body.text("suffix")
    if not suffix:
        return TextRequest(read_controls(body), prompt)
    controls = read_controls(body, priority=Priority.INLINE)
    return FillRequest(controls, prompt, suffix)


def parse_fill(data: bytes) -> FillRequest:
    """Read llama-server's request to fill in the middle.

    Raises:
        RequestProblem: as `parse_text`.
    """
    body = read(data)
    for name in ("input_prefix", "input_suffix"):
        if body.values.get(name) is None:
            raise RequestProblem(f"{name!r} is missing; it has to be a text.")
    return FillRequest(
        read_controls(body, priority=Priority.INLINE),
        prefix=body.text("input_prefix"),
        suffix=body.text("input_suffix"),
        typed=body.text("prompt"),
        extra=_extra(body),
        file_name=body.text("filename", longest=MAX_FILE_NAME),
        repository=body.text("repository", longest=MAX_FILE_NAME),
    )


@dataclass(frozen=True, slots=True)
class TokenizeRequest:
    """`POST /tokenize`."""

    content: str
    add_special: bool
    parse_special: bool
    with_pieces: bool


def parse_tokenize(data: bytes) -> TokenizeRequest:
    """Read a request for tokens."""
    body = read(data)
    return TokenizeRequest(
        body.text("content"),
        add_special=body.get("add_special", bool, False),
        parse_special=body.get("parse_special", bool, True),
        with_pieces=body.get("with_pieces", bool, False),
    )


def parse_detokenize(data: bytes, vocabulary: int) -> list[int]:
    """Read a request for text; tokens are below the size of the vocabulary."""
    tokens: list[Any] = read(data).get("tokens", list, [])
    if len(tokens) > MAX_TOKENS_GIVEN:
        raise RequestProblem(f"'tokens' has {len(tokens)} entries; at most {MAX_TOKENS_GIVEN}.")
    for token in tokens:
        if type(token) is not int or not 0 <= token < vocabulary:
            raise RequestProblem(
                f"'tokens' holds {shown(token)}; a token is a whole number from 0 to "
                f"{vocabulary - 1}."
            )
    return tokens


def _messages(body: Fields) -> tuple[Message, ...]:
    return tuple(_message(entry) for entry in body.get("messages", list, []))


def _message(entry: Any) -> Message:
    if not isinstance(entry, dict):
        raise RequestProblem(f"A message has to be an object, not {shown(entry)}.")
    body = Fields(entry)
    role, content = body.get("role", str), entry.get("content")
    if isinstance(content, list):
        content = "".join(_part(part) for part in content)
    if role is None or not isinstance(content, str):
        raise RequestProblem("A message needs a 'role' and a 'content', both texts.")
    # OpenAI's newer name for what every chat template calls the system.
    return Message("system" if role == "developer" else role, content)


def _part(part: Any) -> str:
    text = part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None
    if not isinstance(text, str):
        raise RequestProblem("Only parts of type 'text' can be read in a message.")
    return text


def _extra(body: Fields) -> tuple[ExtraFile, ...]:
    entries: list[Any] = body.get("input_extra", list, [])
    if len(entries) > MAX_FILES:
        raise RequestProblem(f"'input_extra' has {len(entries)} files; at most {MAX_FILES}.")
    files = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("text"), str):
            raise RequestProblem("An entry of 'input_extra' needs the text 'text'.")
        name = Fields(entry).text("filename", longest=MAX_FILE_NAME)
        files.append(ExtraFile(name, entry["text"]))
    return tuple(files)


def _refuse_tools(body: Fields) -> None:
    for name in ("tools", "functions"):
        if body.get(name, list, []):
            raise RequestProblem(
                f"{name!r} are not supported: the models here write code and call no tools.",
                hint=f"Send the request without {name!r}.",
            )
