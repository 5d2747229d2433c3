"""The model's own chat template, and content that can not inject a role.

A template is text of a stranger: it runs in Jinja's immutable sandbox. What it renders is
tokenised as training did it: special tokens become their ids, the text between them is split
into words as one piece. A special token's text that comes from a *message* (`<|im_end|>` in a
source file) stays text: before rendering, a marker character that no message contains is put
behind its first character, so that it is not found; after the split the marker goes away.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence
from typing import Any, NoReturn

from assistant.engine.types import Message
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import ModelProblem, RequestProblem

ROLES = ("system", "user", "assistant")

# Private-use characters; one that no message contains is taken as the marker.
_MARKERS = tuple(chr(code) for code in range(0xF700, 0xF7FF))


class ChatTemplate:
    """A compiled template.

    Args:
        source: the Jinja text of `tokenizer.chat_template`.
        vocabulary: of the same model.

    Raises:
        ModelProblem: the template is not valid Jinja.
    """

    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        from jinja2 import TemplateError
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = _raise_exception
        environment.globals["strftime_now"] = _strftime_now
        self._vocabulary = vocabulary
        try:
            self._template = environment.from_string(_without_generation_marks(source))
        except TemplateError as error:
            raise ModelProblem(f"The model's chat template is not valid: {error}.") from error

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The prompt for the next assistant turn.

        A last message of role `assistant` is the beginning of that turn.

        Raises:
            RequestProblem: no messages, an unknown role, or the template refuses them.
        """
        _check(messages)
        marker = _free_marker(messages)
        marked = [Message(m.role, self._mark(m.content, marker)) for m in messages]
        prefill = marked.pop().content if marked[-1].role == "assistant" else ""
        rendered = self.render(marked) + prefill
        return self._tokens_of(rendered, marker)

    def render(self, messages: Sequence[Message]) -> str:
        """The template's text for `messages`, with the opening of the assistant's turn."""
        try:
            return self._template.render(
                messages=[{"role": m.role, "content": m.content} for m in messages],
                add_generation_prompt=True,
                bos_token=self._vocabulary.bos_text,
                eos_token=self._vocabulary.eos_text,
            )
        except Exception as error:
            # Its own refusal, or a mistake in it: a template can raise anything.
            raise RequestProblem(
                f"The model's chat template refuses these messages: {error or type(error).__name__}"
            ) from error

    def _mark(self, content: str, marker: str) -> str:
        return self._vocabulary.special_pattern.sub(
            lambda match: match[0][0] + marker + match[0][1:], content
        )

    def _tokens_of(self, rendered: str, marker: str) -> list[int]:
        vocabulary = self._vocabulary
        tokens: list[int] = []
        start = 0
        strip_left = False
        for match in vocabulary.special_pattern.finditer(rendered):
            token = vocabulary.specials[match[0]]
            left, right = vocabulary.strips(token)
            text = rendered[start : match.start()]
            text = text.lstrip() if strip_left else text
            tokens += self._plain(text.rstrip() if left else text, marker)
            tokens.append(token)
            start, strip_left = match.end(), right
        text = rendered[start:]
        tokens += self._plain(text.lstrip() if strip_left else text, marker)
        if vocabulary.begin is not None and tokens[:1] != [vocabulary.begin]:
            tokens.insert(0, vocabulary.begin)
        return tokens

    def _plain(self, text: str, marker: str) -> list[int]:
        """Tokens of text in which nothing is special."""
        if not text:
            return []
        tokens = self._vocabulary.tokenize(text.replace(marker, ""))
        if marker in text and any(map(self._vocabulary.is_user_defined, tokens)):
            # llama.cpp finds "user defined" tokens in any text: keep their texts apart.
            parts = text.split(marker)
            tokens = [token for part in parts for token in self._vocabulary.tokenize(part)]
        return tokens


def _check(messages: Sequence[Message]) -> None:
    if not messages:
        raise RequestProblem("The request has no messages.")
    for message in messages:
        if message.role not in ROLES:
            raise RequestProblem(
                f"A message has the role {message.role!r}; known are {', '.join(ROLES)}."
            )
    if len(messages) == 1 and messages[0].role == "assistant":
        raise RequestProblem("The only message is of role 'assistant': there is no request.")


def _free_marker(messages: Sequence[Message]) -> str:
    for marker in _MARKERS:
        if not any(marker in message.content for message in messages):
            return marker
    raise RequestProblem("The messages use every private character from U+F700 to U+F7FE.")


def _without_generation_marks(source: str) -> str:
    """`{% generation %}` marks the trained part for Hugging Face; it renders nothing."""
    import re

    return re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", source)


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _raise_exception(message: str) -> NoReturn:
    from jinja2 import TemplateError

    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)
