"""The prompt that makes a model fill in the middle of a file, from its own tokens.

What was typed last stands behind the middle token: prefix and suffix in front of it stay the same
from one letter to the next, and so does what the cache holds of them. The model takes the typed
text for the beginning of its own answer. The cut in a long file stays where it is, too
(`window.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from assistant.engine.fim import FimStyle
from assistant.engine.vocabulary import Vocabulary
from assistant.engine.window import first_tokens, last_tokens

WINDOW = 2048
"""Tokens of prefix and suffix together. More costs time at every new place and helps little."""
TYPED = 128
"""Tokens that are kept free for typed text, so that the window does not shrink while it grows."""
_MARKERS = 4
_STEP = 64


class NamedText(Protocol):
    """Text of another file that may help."""

    @property
    def name(self) -> str:
        """The file's path in its repository."""

    @property
    def text(self) -> str:
        """The text, or the part of it that may help."""


@dataclass(frozen=True, slots=True)
class Fill:
    """A place in a file, and what is known of it."""

    prefix: str = field(repr=False)
    """The text in front, up to where typing began."""
    suffix: str = field(repr=False)
    typed: str = ""
    """What stands between the prefix and the cursor."""
    file_name: str = ""
    repository: str = ""
    extra: tuple[NamedText, ...] = ()
    """The most important last: what does not fit is left out from the first on."""


def fill_prompt(vocabulary: Vocabulary, style: FimStyle, fill: Fill, room: int) -> list[int]:
    """The tokens that ask for one place.

    Args:
        vocabulary: of the model.
        style: of the same.
        fill: the place.
        room: tokens that the prompt may have.
    """
    prefix, typed = _typed(vocabulary, fill, room)
    begin = [] if vocabulary.begin is None else [vocabulary.begin]
    # A name that takes more than its share says less than the text in its place.
    repository = _short(_repository(vocabulary, style, fill), room)
    own_name = _short(_own_name(vocabulary, style, fill), room)
    for_typed = max(min(TYPED, room // 8), _up(len(typed)))
    free = max(0, room - for_typed - len(begin) - len(repository) - len(own_name) - _MARKERS)
    window = min(WINDOW, free * 3 // 4 if fill.extra else free)
    head, tail = _around(vocabulary, prefix, fill.suffix, window)
    files = _extra(vocabulary, style, fill, free - window)
    outside, inside = _places(style, files, own_name)
    before = [style.prefix, *inside, *head]
    after = [style.suffix, *tail]
    both = [*after, *before] if style.suffix_first else [*before, *after]
    middle = [] if style.middle is None else [style.middle]
    return [*begin, *repository, *outside, *both, *middle, *typed]


def _places(style: FimStyle, files: list[int], own_name: list[int]) -> tuple[list[int], list[int]]:
    """What stands in front of the whole, and what at the beginning of the prefix."""
    if style.file is None:
        return [], [*files, *own_name]
    if style.name_inside:
        return [*files, style.file], own_name
    return [*files, *own_name], []


def _typed(vocabulary: Vocabulary, fill: Fill, room: int) -> tuple[str, Sequence[int]]:
    """The prefix, and the tokens of what was typed; of too much, the last line alone."""
    prefix, typed = fill.prefix, fill.typed
    most = max(1, room // 4)
    tokens = vocabulary.continue_tokens(typed[-8 * most :])
    if len(tokens) > most or len(typed) > 8 * most:
        line = typed.rfind("\n") + 1
        prefix, typed = prefix + typed[:line], typed[line:]
        tokens = vocabulary.continue_tokens(typed[-8 * most :])[-most:]
    return prefix, tokens


def _around(
    vocabulary: Vocabulary, prefix: str, suffix: str, window: int
) -> tuple[list[int], list[int]]:
    """What precedes and what follows; a side's spare room is the other's."""

    def tokenize(text: str, first: bool) -> Sequence[int]:
        return vocabulary.tokenize(text) if first else vocabulary.continue_tokens(text)

    quarter = window // 4
    tail = first_tokens(suffix, quarter, vocabulary.continue_tokens)
    # In steps: a suffix that loses a line does not move the beginning of the window.
    for_head = window - min(quarter, _up(len(tail)))
    head, whole = last_tokens(prefix, for_head, max(1, window - quarter), tokenize)
    if whole and len(tail) == quarter:
        spare = (window - len(head)) // _STEP * _STEP
        tail = first_tokens(suffix, max(quarter, spare), vocabulary.continue_tokens)
    return head, tail


def _repository(vocabulary: Vocabulary, style: FimStyle, fill: Fill) -> list[int]:
    if style.repository is None or not fill.repository:
        return []
    name = _line(fill.repository) + style.repository_end
    return [style.repository, *vocabulary.continue_tokens(name)]


def _own_name(vocabulary: Vocabulary, style: FimStyle, fill: Fill) -> list[int]:
    """The name of the file itself, as its family writes it; nothing when nobody told it."""
    if not fill.file_name or (style.file is None and not fill.extra):
        return []
    return _name(vocabulary, style, fill.file_name, inside=style.name_inside)


def _name(vocabulary: Vocabulary, style: FimStyle, name: str, *, inside: bool = False) -> list[int]:
    if style.file is None:
        return [*vocabulary.continue_tokens(f"# {_line(name)}\n")]
    tokens = vocabulary.continue_tokens(f"{_line(name)}\n")
    return [*tokens] if inside else [style.file, *tokens]


def _extra(vocabulary: Vocabulary, style: FimStyle, fill: Fill, room: int) -> list[int]:
    """Whole files, the last ones that fit."""
    taken: list[int] = []
    for file in reversed(fill.extra):
        if len(file.text) > 64 * max(0, room):
            break
        text = file.text if file.text.endswith("\n") else file.text + "\n"
        tokens = [*_name(vocabulary, style, file.name), *vocabulary.continue_tokens(text)]
        if len(taken) + len(tokens) > room:
            break
        taken[:0] = tokens
    return taken


def _short(name: list[int], room: int) -> list[int]:
    return name if len(name) <= room // 8 else []


def _line(name: str) -> str:
    return " ".join(name.split())


def _up(count: int) -> int:
    return -(-count // _STEP) * _STEP
