"""How models that were not trained here mark their thinking and their code.

Facts only: tag pairs, what opens a fence, what source code looks like at the start of a line. The
decisions are the splitter's.
"""

from __future__ import annotations

import re

THINK_TAGS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<reasoning>", "</reasoning>"),
)
"""Opening and closing tags of a thinking block, as reasoning models of 2024-2026 write them."""

CLOSING_TAGS = tuple(closing for _, closing in THINK_TAGS)

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
