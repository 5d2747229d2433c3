"""The model's own chat template, and content that can not inject a role.

A template is text of a stranger: `rendering.py` bounds what it may do. What it renders is
tokenised as training did it: special tokens become their ids, the text between them is split
into words as one piece. A special token's text that comes from a *message* (`<|im_end|>` in a
source file) stays text: before rendering, a marker character that no message contains is put
behind its first character, so that it is not found; after the split the marker goes away. Halves
of such a text at the ends of a message are marked, too: the template may join two messages.

Templates differ in what they take. One that refuses a system message gets its text at the head of
the user's; one that reads a message's parts gets parts. Which of these it is, is found out with
two short messages when it is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from assistant.engine.rendering import Renderer
from assistant.engine.types import Message
from assistant.engine.vocabulary import Vocabulary
from assistant.errors import RequestProblem
from assistant.format import dialects

ROLES = ("system", "user", "assistant")

# Private-use characters; one that no message contains is taken as the marker.
_MARKERS = tuple(chr(code) for code in range(0xF700, 0xF7FF))
_SYSTEM_PROBE, _USER_PROBE, _ANSWER_PROBE = "\uf8f0system", "\uf8f0user", "\uf8f0answer"


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the model is given for its next turn."""

    tokens: list[int]
    thinking: str
    """The opening tag of the thinking block that the prompt leaves open; usually empty."""


class ChatTemplate:
    """A template that is ready for messages.

    Args:
        source: the Jinja text of `tokenizer.chat_template`.
        vocabulary: of the same model.

    Raises:
        ModelProblem: the template is not valid Jinja, or it does not end.
        EngineProblem: the Jinja that is installed is too old to be safe.
    """

    def __init__(self, source: str, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        facts = {"bos_token": vocabulary.bos_text, "eos_token": vocabulary.eos_text}
        self._renderer = Renderer(source, facts)
        self._longest = max(map(len, vocabulary.specials), default=0)
        self._parts = False
        self._takes_system = True
        self._find_out()

    def close(self) -> None:
        """End the process that renders it, if there is one."""
        self._renderer.close()

    def tokens(self, messages: Sequence[Message]) -> list[int]:
        """The tokens of `prompt`."""
        return self.prompt(messages).tokens

    def prompt(
        self, messages: Sequence[Message], variables: Mapping[str, Any] | None = None
    ) -> Prompt:
        """The prompt for the next assistant turn.

        A last message of role `assistant` is the beginning of that turn.

        Args:
            messages: the conversation.
            variables: more of what the template reads, such as `enable_thinking`.

        Raises:
            RequestProblem: no messages, an unknown role, or the template refuses them.
        """
        _check(messages)
        marker = _free_marker(messages)
        marked = [Message(m.role, self._mark(m, marker)) for m in messages]
        begun = messages[-1].content if messages[-1].role == "assistant" else ""
        if not begun:
            rendered = self.render(messages=_without_empty_answer(marked), variables=variables)
            thinking = dialects.open_thinking(rendered)
        else:
            rendered = self._opening(marked[:-1], begun, variables)
            thinking = dialects.open_thinking(rendered, begun)
            rendered += marked[-1].content
        return Prompt(self._tokens_of(rendered, marker), thinking)

    def render(
        self, messages: Sequence[Message], variables: Mapping[str, Any] | None = None
    ) -> str:
        """The template's text for `messages`, with the opening of the assistant's turn."""
        return self._text(messages, {"add_generation_prompt": True, **(variables or {})})

    def _opening(
        self, messages: list[Message], begun: str, variables: Mapping[str, Any] | None
    ) -> str:
        """What stands before the text of an answer that is continued.

        Some templates open a channel or close the thinking before it, which their opening of a
        turn leaves to the model.
        """
        opening = self.render(messages, variables)
        if dialects.open_thinking("", begun):
            return opening
        more = {"add_generation_prompt": False, **(variables or {})}
        try:
            whole = self._text([*messages, Message("assistant", _ANSWER_PROBE)], more)
        except RequestProblem:
            whole = ""
        before, found, _ = whole.rpartition(_ANSWER_PROBE)
        opening = before if found else opening
        thinking = dialects.open_thinking(opening)
        return opening + f"\n{dialects.closings_of(thinking)[0]}\n\n" if thinking else opening

    def _text(self, messages: Sequence[Message], more: Mapping[str, Any]) -> str:
        if not self._takes_system:
            messages = _folded(messages)
        return self._rendered(messages, more)

    def _rendered(self, messages: Sequence[Message], more: Mapping[str, Any]) -> str:
        entries = [{"role": m.role, "content": self._content(m.content)} for m in messages]
        return self._renderer.render({"messages": entries, **more})

    def _content(self, text: str) -> str | list[dict[str, str]]:
        return [{"type": "text", "text": text}] if self._parts else text

    def _find_out(self) -> None:
        """Whether the template takes a system message, and texts or parts of a message.

        One that takes nothing at all is left as it is: it says why when it is used.
        """
        user, system = Message("user", _USER_PROBE), Message("system", _SYSTEM_PROBE)
        for self._parts in (False, True):
            both = self._probe([system, user])
            if _SYSTEM_PROBE in both and _USER_PROBE in both:
                self._takes_system = True
                return
            if _USER_PROBE in (both or self._probe([user])):
                self._takes_system = False
                return
        self._parts, self._takes_system = False, True

    def _probe(self, messages: list[Message]) -> str:
        try:
            return self._rendered(messages, {"add_generation_prompt": True})
        except RequestProblem:
            return ""

    def _mark(self, message: Message, marker: str) -> str:
        vocabulary = self._vocabulary
        # The template looks for the tags of thinking in old answers, to leave the thinking out.
        own = message.role == "assistant"

        def marked(match: Any) -> str:
            text: str = match[0]
            if own and vocabulary.specials[text] in vocabulary.marks:
                return text
            return text[0] + marker + text[1:]

        return self._mark_halves(vocabulary.special_pattern.sub(marked, message.content), marker)

    def _mark_halves(self, content: str, marker: str) -> str:
        """Part the content from its neighbours where the two could make a special text."""
        vocabulary = self._vocabulary
        text = content.strip()
        if any(text[-n:] in vocabulary.special_starts for n in range(1, self._longest)):
            end = len(content.rstrip())
            content = content[:end] + marker + content[end:]
        if any(text[:n] in vocabulary.special_ends for n in range(1, self._longest)):
            start = len(content) - len(content.lstrip())
            content = content[:start] + marker + content[start:]
        return content

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
        plain = text.replace(marker, "")
        tokens = self._vocabulary.tokenize(plain)
        if plain != text and any(map(self._vocabulary.is_added, tokens)):
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


def _without_empty_answer(messages: list[Message]) -> list[Message]:
    """An answer that begins with nothing is the next turn as it is."""
    return messages[:-1] if messages[-1].role == "assistant" else messages


def _folded(messages: Sequence[Message]) -> list[Message]:
    """System messages at the head of the user's message that follows, or of the last one."""
    waiting: list[str] = []
    folded: list[Message] = []
    for message in messages:
        if message.role == "system":
            waiting.append(message.content)
        elif message.role == "user" and waiting:
            folded.append(Message("user", "\n\n".join([*waiting, message.content])))
            waiting = []
        else:
            folded.append(message)
    if waiting:
        folded.append(Message("user", "\n\n".join(waiting)))
    return folded
