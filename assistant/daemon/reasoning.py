"""The reasoning of an answer apart from the rest of it, as `reasoning_content` carries it.

For clients of other makers. Ours asks for the raw text and splits it further
(`assistant.format.splitter`): sections, drafts, code without its fence. Here the text only goes to
one of two channels:

- a model with tags (`<think> ... </think>`): what is between them is reasoning; the tags, and the
  white space around them, are in neither channel;
- a model of the completion format: everything before the heading of the code, or before a fence,
  is reasoning; both channels together are the text.

What can not be told apart yet waits, so nothing lands in the wrong channel, wherever it is cut.
"""

from __future__ import annotations

import enum

from assistant.format.completion import CODE_HEADING, SECTIONS
from assistant.format.dialects import FENCE, HEADS, OPENING_TAGS, THINK_TAGS

_HEADINGS = tuple(f"## {section.value}" for section in SECTIONS)
_CODE = f"## {CODE_HEADING}"
_MARKS = (*HEADS, *OPENING_TAGS)
# An answer in XML may begin with `<response>`; without thinking before it, that is text.
_SURE_HEADS = tuple(head for head in HEADS if head.startswith("<|"))
Parts = tuple[str, str]
"""Reasoning and content."""


class _State(enum.Enum):
    START = enum.auto()
    TAGGED = enum.auto()
    AFTER_TAG = enum.auto()
    SECTIONS = enum.auto()
    CONTENT = enum.auto()


class Channels:
    """Splits one answer. Feed it text, then close it.

    Args:
        sections: the model writes the completion format.
        thinking: the tag of the thinking block that the prompt leaves open.
        before: the beginning of the answer that was given to the model; it is not sent back.
        whole: split nothing; put the tag before the text, so that it can be read without the
            prompt. llama-server does the same.
    """

    def __init__(
        self,
        *,
        sections: bool = False,
        thinking: str = "",
        before: str = "",
        whole: bool = False,
    ) -> None:
        self._sections = sections
        self._closing = dict(THINK_TAGS).get(thinking, "")
        self._state = _State.TAGGED if self._closing else _State.START
        # Nothing of the block (in sections: of the line) has been given out.
        self._at_start = True
        self._text = ""
        # Characters of `before` that are still in `_text`.
        self._given = 0
        if whole:
            self._state, self._text = _State.CONTENT, f"{thinking}\n" if thinking else ""
            return
        if before:
            self._text, self._given = before, len(before)
            self._run(final=False)

    def feed(self, text: str) -> Parts:
        """Take the next piece; what is certain by now."""
        if self._state is _State.CONTENT and not self._text:
            return "", text
        self._text += text
        return self._run(final=False)

    def close(self) -> Parts:
        """The answer has ended: what was held back."""
        return self._run(final=True)

    def _run(self, *, final: bool) -> Parts:
        reasoning = content = ""
        while True:
            state = self._state
            match state:
                case _State.START:
                    self._start(final=final)
                case _State.TAGGED:
                    reasoning += self._tagged(final=final)
                case _State.AFTER_TAG:
                    self._after_tag(final=final)
                case _State.SECTIONS:
                    reasoning += self._in_sections(final=final)
                case _State.CONTENT:
                    content += self._take(len(self._text))
            if self._state is state:
                return reasoning, content

    def _take(self, count: int) -> str:
        """Remove characters from the front; those that the model was given count for nothing."""
        taken, self._text = self._text[:count], self._text[count:]
        given = min(self._given, count)
        self._given -= given
        return taken[given:]

    def _start(self, *, final: bool) -> None:
        """Decide what kind of answer it is."""
        text = self._text.lstrip()
        for opening, closing in THINK_TAGS:
            if text.startswith(opening):
                self._take(len(self._text) - len(text) + len(opening))
                self._state, self._closing = _State.TAGGED, closing
                return
        if text.startswith(_SURE_HEADS):
            self._state = _State.AFTER_TAG
            return
        line, end, _ = text.partition("\n")
        if self._sections and line.rstrip() in _HEADINGS and (end or final):
            self._state = _State.SECTIONS
        elif final or not self._undecided(text, line.rstrip() if not end else None):
            self._state = _State.CONTENT

    def _undecided(self, text: str, line: str | None) -> bool:
        """Whether more text could still make it reasoning; `line` is the first, if not ended."""
        if any(mark.startswith(text) for mark in (*OPENING_TAGS, *_SURE_HEADS)):
            return True
        if not self._sections or line is None:
            return not text
        # With its spaces: "## In " can not become "## Intent".
        return line in _HEADINGS or any(heading.startswith(text) for heading in _HEADINGS)

    def _tagged(self, *, final: bool) -> str:
        if self._at_start:
            self._take(len(self._text) - len(self._text.lstrip()))
        position = self._text.find(self._closing)
        if position >= 0:
            inside = self._text[:position].rstrip()
            self._state = _State.AFTER_TAG
        else:
            # White space waits, too: it goes away when the tag follows.
            keep = 0 if final else _overlap(self._text, self._closing)
            inside = self._text[: len(self._text) - keep].rstrip()
        self._at_start = self._at_start and not inside
        out = self._take(len(inside))
        if position >= 0:
            self._take(position - len(inside) + len(self._closing))
        return out

    def _after_tag(self, *, final: bool) -> None:
        """White space, what wraps the answer, or another block: gpt-oss has one a channel."""
        while True:
            text = self._text.lstrip()
            self._take(len(self._text) - len(text))
            head = next((head for head in HEADS if text.startswith(head)), "")
            if not head:
                break
            self._take(len(head))
        tag = next((tag for tag in THINK_TAGS if text.startswith(tag[0])), None)
        if tag is not None:
            self._take(len(tag[0]))
            self._state, self._closing, self._at_start = _State.TAGGED, tag[1], True
        elif text and (final or not any(mark.startswith(text) for mark in _MARKS)):
            self._state = _State.CONTENT

    def _in_sections(self, *, final: bool) -> str:
        out = ""
        while self._text:
            line, end, _ = self._text.partition("\n")
            if self._at_start and _is_code(line) and (end or final):
                self._state = _State.CONTENT
                break
            if self._at_start and not (end or final) and _may_be_code(line):
                break
            out += self._take(len(line) + len(end))
            self._at_start = bool(end)
        return out


def _is_code(line: str) -> bool:
    return line.rstrip() == _CODE or FENCE.match(line) is not None


def _may_be_code(line: str) -> bool:
    return (
        _CODE.startswith(line)
        or line.rstrip() == _CODE
        or line.lstrip(" ").startswith(("`", "~"))
        or not line.strip(" ")
    )


def _overlap(text: str, tag: str) -> int:
    """How many characters at the end of `text` may begin `tag`."""
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if tag.startswith(text[-n:])), 0)
