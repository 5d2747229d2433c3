"""What the model reads in training: texts of four kinds, as tokens.

    reasoning  request -> reasoning, then code     what serving asks for
    direct     request -> code alone
    fim        code with a hole, then its middle   what inline completion asks for
    code       code alone

The chat template below is the one that goes into the GGUF, and `assistant.format` writes the
answers, so that serving sees in use what was seen here. The parts of a document are turned into
tokens one by one; they meet at line breaks, where the tokenizer splits anyway (a test compares).
"""

from __future__ import annotations

import enum
import functools
import itertools
import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import tokenizers

from assistant.errors import TrainingProblem
from assistant.format import Rationale, code_opening, fence_for, render
from training.chat import CHATML, Chat
from training.world import Problem

CHAT_TEMPLATE = CHATML.template


class Special(enum.Enum):
    """The tokens that are no text, in the order of their numbers."""

    END = "<|endoftext|>"
    TURN = "<|im_start|>"
    END_OF_TURN = "<|im_end|>"
    FIM_PREFIX = "<|fim_prefix|>"
    FIM_SUFFIX = "<|fim_suffix|>"
    FIM_MIDDLE = "<|fim_middle|>"

    @property
    def id(self) -> int:
        """The token's number in every tokenizer made here."""
        return list(Special).index(self)


@dataclass(frozen=True)
class Document:
    """One training text.

    Attributes:
        tokens: the whole of it, int32.
        given: how many tokens at the start are not the model's to write: the request.
        code: where the tokens of the answer's code are, as (start, end); None without any.
    """

    tokens: np.ndarray
    given: int = 0
    code: tuple[int, int] | None = None


def document(given: list[int], written: list[int], code: tuple[int, int] | None = None) -> Document:
    """A document from what is given and what the model is to write."""
    return Document(np.array([*given, *written], dtype=np.int32), len(given), code)


def prompt_text(request: str) -> str:
    """What the chat template makes of one user message, generation prompt included."""
    return CHATML.prompt(request)


def answer_text(problem: Problem, rationale: Rationale) -> str:
    """The whole answer: reasoning, then code."""
    return render(rationale, problem.code)


class Writer:
    """Turns problems into documents with one tokenizer.

    Texts of users, teachers and data sets are ordinary text, whatever they hold: a request that
    quotes `<|im_end|>` does not end its own turn. Only the marks of the chat are special tokens.

    Args:
        tokenizer: of the model.
        chat: how the model's requests and answers are marked.

    Raises:
        TrainingProblem: the tokenizer lacks a special token that the chat needs.
    """

    def __init__(self, tokenizer: tokenizers.Tokenizer, chat: Chat = CHATML) -> None:
        self._tokenizer = tokenizer
        self.chat = chat
        decoder = tokenizer.get_added_tokens_decoder()
        added = decoder.values()
        self._marks = _any_of(token.content for token in added)
        self._kept = _any_of(t.content for t in added if not is_control(t.content, t.special))
        for mark in chat.marks:
            if not self._marks.fullmatch(mark):
                raise TrainingProblem(
                    f"the tokenizer has no special token {mark}, which the chat format "
                    f"{chat.name} needs",
                    hint="--set student.chat=plain",
                )
        self._numbers = {token.content: number for number, token in decoder.items()}
        self._end = self._numbers[chat.end]

    def encode(self, text: str) -> list[int]:
        """The tokens of `text`, as the engine reads what a user writes.

        What reads like a special token stays text. The exception is llama.cpp's: it finds added
        tokens that are no control tokens in any text, so the engine takes their texts apart.
        """
        if not self._marks.search(text):
            return _ids(self._tokenizer, text)
        if not self._kept.search(text):
            return _ids(self._plain, text)
        cuts = [0, *(found.start() + 1 for found in self._marks.finditer(text)), len(text)]
        parts = [text[start:end] for start, end in itertools.pairwise(cuts)]
        return [token for part in parts for token in _ids(self._plain, part)]

    @functools.cached_property
    def _plain(self) -> tokenizers.Tokenizer:
        """The same tokenizer without any special token."""
        described = json.loads(self._tokenizer.to_str())
        described |= {"added_tokens": [], "post_processor": None}
        return tokenizers.Tokenizer.from_str(json.dumps(described))

    def prompt(self, request: str) -> list[int]:
        """The tokens of one user message and the opening of its answer, as serving sends them."""
        before = self._marks.split("".join(self.chat.opening) + self.chat.before)
        between = self._marks.split(self.chat.between)
        # The request joins the text on both its sides. Every other part is a special token.
        parts = [*before[:-1], before[-1] + request + between[0], *between[1:]]
        tokens: list[int] = []
        for number, part in enumerate(parts):
            tokens += [self._numbers[part]] if number % 2 else self.encode(part)
        return tokens

    def reasoning(self, problem: Problem, rationale: Rationale) -> Document:
        """Request, four sections, code."""
        whole = answer_text(problem, rationale)
        opening = code_opening(fence=fence_for(problem.code))
        before = whole[: whole.index(opening)] + opening
        return self._chat(problem, before)

    def direct(self, problem: Problem) -> Document:
        """Request, code."""
        return self._chat(problem, code_opening(fence=fence_for(problem.code)))

    def _chat(self, problem: Problem, before: str) -> Document:
        prompt = self.prompt(problem.request)
        lead = self.encode(before)
        source = problem.code if problem.code.endswith("\n") else problem.code + "\n"
        code = self.encode(source)
        end = [*self.encode(fence_for(problem.code)), self._end]
        answer = [*lead, *code, *end]
        start = len(prompt) + len(lead)
        return document(prompt, answer, (start, start + len(code)))

    def code(self, problem: Problem) -> Document:
        """The code as a file of its own."""
        return document([], [*self.encode(problem.code), Special.END.id])

    def fim(self, problem: Problem, rng: random.Random) -> Document:
        """Prefix, suffix, then the middle, as the engine asks for it (PSM)."""
        code = problem.code
        start, end = hole(code, rng)
        given = [
            Special.FIM_PREFIX.id,
            *self.encode(code[:start]),
            Special.FIM_SUFFIX.id,
            *self.encode(code[end:]),
            Special.FIM_MIDDLE.id,
        ]
        middle = [*self.encode(code[start:end]), Special.END.id]
        return document(given, middle)


def is_control(text: str, special: bool) -> bool:
    """Whether an added token counts as a control token: it is special, or looks it."""
    return special or (text.startswith("<|") and text.endswith("|>"))


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Matches any of `texts`, the longest first; never matches if there is none."""
    found = sorted(texts, key=len, reverse=True)
    return re.compile(f"({'|'.join(map(re.escape, found)) or '(?!)'})")


def _ids(tokenizer: tokenizers.Tokenizer, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False).ids
    return ids


def hole(code: str, rng: random.Random) -> tuple[int, int]:
    """A place in `code` where an editor might ask: start and end offset of what is missing.

    Half of the holes go from within a line to its end (what one types), a quarter are whole
    lines (a block), a quarter lie anywhere.
    """
    kind = rng.random()
    if kind < 0.25 or "\n" not in code.strip():
        start, end = sorted(rng.randrange(len(code) + 1) for _ in range(2))
        return start, end
    length = len(code.rstrip("\n"))
    starts = [0] + [i + 1 for i, c in enumerate(code) if c == "\n" and i + 1 < length]
    ends = [start - 1 for start in starts[1:]] + [length]
    first = rng.randrange(len(starts))
    if kind < 0.5:
        last = rng.randrange(first, min(first + 4, len(starts)))
        return starts[first], ends[last]
    line = code[starts[first] : ends[first]]
    indent = len(line) - len(line.lstrip())
    return rng.randrange(starts[first] + indent, ends[first] + 1), ends[first]
