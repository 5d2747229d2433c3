"""How models that were not trained here mark their thinking and their code.

Facts only: tag pairs, what stands around an answer, what opens a fence, what source code looks
like at the start of a line. The decisions are the splitter's. The marks are those of the chat
templates that llama.cpp is tested with, and of the models that are known besides.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of models marks its thinking."""

    openings: tuple[str, ...]
    closings: tuple[str, ...]
    heads: tuple[str, ...] = ()
    """What may stand before the answer itself: dropped."""
    tails: tuple[str, ...] = ()
    """What may stand after it: dropped, and it ends the code."""
    bare: bool = True
    """The closing tag means the end of thinking, too, where no opening one was seen."""


DIALECTS = (
    # DeepSeek, Qwen, GLM, Nemotron, SmolLM, MiniMax and most others; Granite and Hunyuan wrap the
    # answer, too.
    Dialect(("<think>",), ("</think>",), ("<response>", "<answer>"), ("</response>", "</answer>")),
    Dialect(("<thinking>",), ("</thinking>",), ("<output>",), ("</output>",)),
    Dialect(("<reasoning>",), ("</reasoning>",)),
    Dialect(("<thought>",), ("</thought>",)),
    # Seed-OSS, MiniMax M3, Hunyuan 3
    Dialect(("<seed:think>",), ("</seed:think>",)),
    Dialect(("<mm:think>",), ("</mm:think>",)),
    Dialect(("<think:opensource>",), ("</think:opensource>",)),
    # Mistral: Magistral, Ministral
    Dialect(("[THINK]",), ("[/THINK]",)),
    # Kimi-VL and Kimi K3
    Dialect(("◁think▷",), ("◁/think▷",)),
    Dialect(
        ("<|open|>think<|sep|>",),
        ("<|close|>think<|sep|>",),
        ("<|open|>response<|sep|>",),
        ("<|close|>response<|sep|>",),
    ),
    # Cohere
    Dialect(
        ("<|START_THINKING|>",),
        ("<|END_THINKING|>",),
        ("<|START_RESPONSE|>", "<|START_TEXT|>"),
        ("<|END_RESPONSE|>", "<|END_TEXT|>"),
    ),
    # Apertus
    Dialect(("<|inner_prefix|>",), ("<|inner_suffix|>",)),
    # OpenThinker, Sky-T1
    Dialect(
        ("<|begin_of_thought|>",),
        ("<|end_of_thought|>",),
        ("<|begin_of_solution|>",),
        ("<|end_of_solution|>",),
    ),
    # Apriel
    Dialect(
        ("Here are my reasoning steps:",),
        ("[BEGIN FINAL RESPONSE]",),
        (),
        ("[END FINAL RESPONSE]",),
    ),
    # Granite 3.2
    Dialect(
        ("Here is my thought process:",),
        ("Here is my response:", "Here's my response:"),
        bare=False,
    ),
    # Gemma 4
    Dialect(("<|channel>thought",), ("<channel|>",)),
    # gpt-oss (harmony), Solar, Muse: each channel is a message, and any may end like this
    Dialect(
        ("<|channel|>analysis<|message|>", "<|channel|>commentary<|message|>"),
        ("<|end|>",),
        ("<|start|>assistant", "<|channel|>final<|message|>"),
        ("<|return|>",),
        bare=False,
    ),
    Dialect(("<|think|>",), ("<|end|>",), ("<|begin|>assistant", "<|content|>"), bare=False),
    Dialect(
        ("to=self<|message|>",),
        ("<|eot|>",),
        ("<|start|>assistant", "to=user<|message|>"),
        bare=False,
    ),
)
"""Of reasoning models of 2024-2026."""

THINK_TAGS = tuple(
    (opening, dialect.closings[0]) for dialect in DIALECTS for opening in dialect.openings
)
"""Opening and closing tags of a thinking block."""

OPENING_TAGS = tuple(opening for opening, _ in THINK_TAGS)
CLOSING_TAGS = tuple(
    closing for dialect in DIALECTS if dialect.bare for closing in dialect.closings
)
"""Those that say by themselves that what came before was thinking."""

HEADS = tuple(dict.fromkeys(head for dialect in DIALECTS for head in dialect.heads))
TAILS = tuple(dict.fromkeys(tail for dialect in DIALECTS for tail in dialect.tails))

_MARK = re.compile(r"<\|?[^<>\s]*\|?>|\[/?THINK\]|◁/?think▷")


def marks_of(vocabulary: Collection[str]) -> frozenset[str]:
    """Special tokens that belong to a dialect which a model with `vocabulary` speaks.

    Where they are control tokens, the engine gives their text out, so that the splitter sees them.
    """
    found: set[str] = set()
    for dialect in DIALECTS:
        openings = [_MARK.findall(opening) for opening in dialect.openings]
        if any(marks and all(mark in vocabulary for mark in marks) for marks in openings):
            texts = (*dialect.openings, *dialect.closings, *dialect.heads)
            found |= {mark for text in texts for mark in _MARK.findall(text)}
    return frozenset(found & set(vocabulary))


def closings_of(opening: str) -> tuple[str, ...]:
    """What ends the thinking that `opening` began; an unknown one is ended by any."""
    for dialect in DIALECTS:
        if opening in dialect.openings:
            return dialect.closings
    return CLOSING_TAGS


def open_thinking(prompt: str, begun: str = "") -> str:
    """The tag of the thinking block that a model is in when it goes on after `prompt` + `begun`.

    Args:
        prompt: what the chat template wrote; an opening tag counts at its end only.
        begun: the beginning of the answer, when one is to be continued.

    Returns:
        The opening tag, or an empty text.
    """
    end, start = prompt[-80:].rstrip(), begun.lstrip()
    for dialect in DIALECTS:
        for opening in dialect.openings:
            if end.endswith(opening) or start.startswith(opening):
                closed = any(closing in begun for closing in dialect.closings)
                return "" if closed else opening
    return ""


LANGUAGE_ALIASES = {
    "python": frozenset({"python", "py", "python3", "py3", "pycon"}),
    "javascript": frozenset({"javascript", "js", "jsx", "node"}),
    "typescript": frozenset({"typescript", "ts", "tsx"}),
    "shell": frozenset({"shell", "sh", "bash", "zsh"}),
    "cpp": frozenset({"cpp", "c++", "cxx", "cc"}),
    "csharp": frozenset({"csharp", "c#", "cs"}),
    "rust": frozenset({"rust", "rs"}),
    "go": frozenset({"go", "golang"}),
}

# Up to three spaces, the run, then an info string without backticks (CommonMark 0.31, 4.5).
FENCE = re.compile(r" {0,3}(?P<run>`{3,}|~{3,})[ \t]*(?P<info>[^`\r\n]*?)[ \t]*\r?\n?$")

# A line at column 0 that can only be source code.
CODE_LINE = re.compile(
    r"(async +def +\w+ *\(|def +\w+ *\(|class +\w+ *[:(]|import +\w[\w., ]*\r?\n?$"
    r"|from +[\w.]+ +import |@\w[\w.]*(\(.*)?\r?\n?$)"
)
CODE_WORDS = ("async def ", "def ", "class ", "import ", "from ", "@")

# A line at column 0 that can only be prose: a capitalised word, then a lower-case one.
PROSE_LINE = re.compile(r"[A-Z][a-z']*,? [a-z']+\b(?! *[=(:\[])")


def is_language(info: str, language: str) -> bool:
    """Whether a fence with this info string holds source of `language`; an empty one may."""
    word = info.strip().split()[0].lower() if info.strip() else ""
    return word in {"", language} or word in LANGUAGE_ALIASES.get(language, frozenset())
