"""Model output, cut anywhere, becomes `Reasoning` and `Code` events.

The splitter decides line by line, and emits a line before it is complete only when nothing that
may follow could change what the line is. So the events, joined, do not depend on where the
output was cut, which a property test checks at every position.

What it reads, besides the format of `assistant.format.completion`:

- thinking blocks in the dialects of `assistant.format.dialects`, the opening tag present, missing,
  or already part of the prompt, and what wraps the answer after it;
- a fence without headings, and code without any fence;
- output that ends anywhere.

Rules that keep reasoning out of the code, and code whole:

- A tag inside the code is text. In thinking that holds a fence, a closing tag counts at the start
  of a line only.
- A fence closes at equal length, and not inside a triple-quoted Python string.
- Code that turns out to have been a draft (a closing tag or a code heading comes after it) is
  replaced: the code after it belongs to a new candidate, whose first event says so.

Where words are asked for (`explains`), there is no code: fences and what looks like source are a
part of the text, which is `Reasoning` of the section `EXPLANATION`; thinking stays `OTHER`. Text
that turns out to have been thinking is replaced like a draft.
"""

from __future__ import annotations

import enum

from assistant.events import Code, Reasoning, Section
from assistant.format import dialects, lines
from assistant.format.completion import SECTIONS
from assistant.format.strings import TripleQuotes

_HEADINGS = {f"## {section.value}": section for section in SECTIONS}
_CODE_HEADING = "## Code"


class _State(enum.Enum):
    PROSE = enum.auto()
    THINKING = enum.auto()
    QUOTED = enum.auto()
    """In a fence that is not the code: an example inside the reasoning."""
    BEFORE_FENCE = enum.auto()
    """After the code heading."""
    FENCED = enum.auto()
    BARE = enum.auto()
    """In code that no fence announced."""


class Splitter:
    """Splits one answer. Feed it text, then close it.

    Args:
        candidate: the number of the first candidate.
        starts_in_reasoning: the prompt already holds the opening tag of a thinking block.
        language: the language of the code that is asked for.
        explains: words are asked for, and no code.
    """

    def __init__(
        self,
        candidate: int = 0,
        *,
        starts_in_reasoning: bool = False,
        language: str = "python",
        explains: bool = False,
    ) -> None:
        self.candidate = candidate
        """The candidate that the code belongs to now; grows when a draft is replaced."""
        self.finished = False
        """True once the code under its heading is closed: nothing after it matters."""
        self.truncated = False
        """True after `close` when the output ended inside code or thinking."""
        self._language = language
        self._state = _State.THINKING if starts_in_reasoning else _State.PROSE
        self._explains = explains
        self._prose = Section.EXPLANATION if explains else Section.OTHER
        self._section = Section.OTHER if starts_in_reasoning else self._prose
        self._line = ""
        self._emitted = 0
        self._at_start = True
        self._tags_are_text = False
        self._under_heading = False
        self._has_code = False
        self._has_words = False
        """Something was explained, as far as is known."""
        self._replaces: int | None = None
        self._fence = ""
        self._thinking_fence = ""
        self._closings = dialects.CLOSING_TAGS
        self._strings = TripleQuotes()
        self._events: list[Reasoning | Code] = []

    def thinking_is_apart(self) -> None:
        """The server sends the thinking by itself: a tag in the rest of the answer is text."""
        self._tags_are_text = True

    def feed(self, text: str) -> list[Reasoning | Code]:
        """Take the next piece of output and return what is certain by now."""
        start = 0
        while (end := text.find("\n", start)) >= 0:
            self._line += text[start : end + 1]
            self._finish_line()
            start = end + 1
        self._line += text[start:]
        self._emit_early()
        return self._take()

    def close(self) -> list[Reasoning | Code]:
        """The output has ended: return what was held back."""
        if self._line:
            self._finish_line()
        self.truncated = self._state in (_State.FENCED, _State.THINKING, _State.BEFORE_FENCE)
        return self._take()

    # One line, complete.

    def _finish_line(self) -> None:
        line = self._line
        if self._emitted and self._state in (_State.PROSE, _State.FENCED):
            self._finish_started_line(line)
        else:
            self._LINE[self._state](self, line)
        self._line, self._emitted = "", 0

    def _finish_started_line(self, line: str) -> None:
        """The line's beginning is out already, so it is no heading and no fence."""
        if self._state == _State.PROSE:
            self._prose_text(line)
        else:
            self._code(line)

    def _prose_line(self, line: str) -> None:
        if self._at_start and line.strip():
            line = lines.without_heads(line)
            if not line.strip() or self._open_thinking(line):
                return
        bare = line.rstrip()
        if bare in _HEADINGS:
            self._section = _HEADINGS[bare]
            self._at_start, self._tags_are_text = False, True
        elif bare == _CODE_HEADING and not self._explains:
            self._start_code_heading()
        elif (fence := dialects.FENCE.match(line)) is not None:
            self._open_fence(line, fence["run"], fence["info"])
        elif self._may_be_bare_code and dialects.CODE_LINE.match(line):
            self._state = _State.BARE
            self._start_code()
            self._code(line)
        else:
            self._prose_text(line)

    @property
    def _may_be_bare_code(self) -> bool:
        return not (self._under_heading or self._has_code or self._explains)

    def _prose_text(self, line: str) -> None:
        tag = self._closing_tag_in_prose(line)
        if tag is None:
            self._reason(line)
            return
        before, after = tag
        self._reason(before)
        self._leave_thinking(after)

    def _closing_tag_in_prose(self, line: str) -> tuple[str, str] | None:
        """A closing tag whose opening tag is missing. After code it counts on a line of its own."""
        if self._tags_are_text:
            return None
        if self._has_code:
            return ("", "") if line.strip() in dialects.CLOSING_TAGS else None
        return lines.first_tag(line, dialects.CLOSING_TAGS)

    def _leave_thinking(self, after: str) -> None:
        """What came before was thinking; code in it was a draft."""
        self._state, self._section = _State.PROSE, self._prose
        # Another block may follow at once: each channel of gpt-oss is one.
        self._at_start, self._tags_are_text = True, True
        self._under_heading = False
        self._thinking_fence = ""
        self._drop_draft()
        self._emitted = 0
        if after.strip():
            self._prose_line(after.lstrip(" \t"))

    def _open_thinking(self, line: str) -> bool:
        text = line.lstrip()
        for opening in dialects.OPENING_TAGS:
            if text.startswith(opening):
                self._state, self._at_start = _State.THINKING, False
                self._section = Section.OTHER
                self._closings = dialects.closings_of(opening)
                self._emitted = 0
                rest = text[len(opening) :]
                if rest.strip():
                    self._thinking_line(rest)
                return True
        return False

    def _thinking_line(self, line: str) -> None:
        self._at_start = False
        fence = dialects.FENCE.match(line)
        if self._thinking_fence and not self._certain_tags:
            found = lines.tag_at_start(line, self._closings)
            if fence and fence["run"] == self._thinking_fence and not fence["info"]:
                self._thinking_fence = ""
        else:
            found = lines.first_tag(line, self._closings)
            if fence and found is None:
                self._thinking_fence = fence["run"]
        if found is None:
            self._reason(line)
        else:
            self._reason(found[0])
            self._leave_thinking(found[1])

    @property
    def _certain_tags(self) -> bool:
        """The block ends in control tokens, which no code is made of."""
        return not set(self._closings) <= set(dialects.CLOSING_TAGS)

    def _quoted_line(self, line: str) -> None:
        fence = dialects.FENCE.match(line)
        if fence and fence["run"] == self._fence and not fence["info"]:
            self._state = _State.PROSE
        self._reason(line)

    def _heading_line(self, line: str) -> None:
        fence = dialects.FENCE.match(line)
        if fence is not None:
            self._state, self._fence = _State.FENCED, fence["run"]
            self._start_code()
        elif line.strip():
            self._state = _State.BARE
            self._start_code()
            self._code(line)

    def _fenced_line(self, line: str) -> None:
        fence = dialects.FENCE.match(lines.without_tail(line))
        closes = fence is not None and fence["run"] == self._fence and not fence["info"]
        if closes and not self._strings.open:
            self._end_code()
        else:
            self._code(line)

    def _bare_line(self, line: str) -> None:
        if self._strings.open:
            self._code(line)
        elif (code := lines.without_tail(line)) != line:
            if code.strip():
                self._code(code + "\n")
            self._end_code()
        elif dialects.FENCE.match(line) or dialects.PROSE_LINE.match(line):
            self._end_code()
            if not dialects.FENCE.match(line):
                self._reason(line)
        else:
            self._code(line)

    _LINE = {
        _State.PROSE: _prose_line,
        _State.THINKING: _thinking_line,
        _State.QUOTED: _quoted_line,
        _State.BEFORE_FENCE: _heading_line,
        _State.FENCED: _fenced_line,
        _State.BARE: _bare_line,
    }

    # Where code begins and ends.

    def _start_code_heading(self) -> None:
        if self.finished:
            return
        self._drop_draft()
        self._state, self._under_heading = _State.BEFORE_FENCE, True
        self._at_start, self._tags_are_text = False, True

    def _open_fence(self, line: str, run: str, info: str) -> None:
        self._fence = run
        in_reasoning = self._section not in (Section.OTHER, Section.EDGE_CASES)
        is_code = dialects.is_language(info, self._language)
        if self._has_code or self._explains or in_reasoning or not is_code:
            self._state = _State.QUOTED
            self._reason(line)
        else:
            self._state = _State.FENCED
            self._start_code()

    def _start_code(self) -> None:
        self._at_start = False
        self._strings = TripleQuotes(enabled=self._language == "python")
        self._section = Section.OTHER

    def _end_code(self) -> None:
        self._state, self._section = _State.PROSE, Section.OTHER
        self.finished = self._under_heading

    def _drop_draft(self) -> None:
        if self._has_code or self._has_words:
            self._replaces, self._has_code, self._has_words = self.candidate, False, False
            self.candidate += 1

    # Emission.

    def _code(self, line: str) -> None:
        text = line[self._emitted :]
        self._strings.feed(line)
        if text:
            self._has_code = True
            self._events.append(Code(self.candidate, text, self._take_replaces()))

    def _reason(self, line: str) -> None:
        text = line[self._emitted :]
        if line.strip():
            self._at_start = False
            self._has_words |= self._section is Section.EXPLANATION
        if text:
            replaces = self._take_replaces()
            self._events.append(Reasoning(self.candidate, self._section, text, replaces))

    def _take_replaces(self) -> int | None:
        replaces, self._replaces = self._replaces, None
        return replaces

    def _emit_early(self) -> None:
        """Emit what is certain of the line that is still growing."""
        line = self._line
        if not line or line.endswith("\r"):
            return
        if self._state == _State.FENCED and not lines.may_be_fence(line):
            self._early(line, Code)
        elif self._state == _State.PROSE and (self._emitted or self._is_plain(line)):
            literal = self._tags_are_text or self._has_code
            tags = () if literal else dialects.CLOSING_TAGS
            self._early(lines.without_tag_prefix(line, tags), Reasoning)
        elif self._state == _State.THINKING and (self._emitted or lines.starts_plainly(line)):
            literal = bool(self._thinking_fence) and not self._certain_tags
            self._early(
                lines.without_tag_prefix(line, () if literal else self._closings), Reasoning
            )

    def _early(self, certain: str, kind: type[Code] | type[Reasoning]) -> None:
        text = certain[self._emitted :]
        if not text:
            return
        if kind is Code:
            self._has_code = True
            self._events.append(Code(self.candidate, text, self._take_replaces()))
        else:
            self._reason(certain)
        self._emitted = len(certain)

    def _is_plain(self, line: str) -> bool:
        """Whether a growing prose line can no longer become a heading, a fence, a tag or code."""
        if self._at_start and lines.may_be_mark(line.lstrip()):
            return False
        return lines.starts_plainly(line) and not any(
            line.startswith(word) or word.startswith(line) for word in dialects.CODE_WORDS
        )

    def _take(self) -> list[Reasoning | Code]:
        events, self._events = self._events, []
        return events
