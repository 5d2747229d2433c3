"""The completion format itself: the one place where it is written down.

    ## Intent
    one to three sentences
    ## Steps
    1. ...
    ## Formulas
    lines, or "None"
    ## Edge cases
    - ...
    ## Code
    ```python
    ...
    ```

The four sections are those of arXiv 2510.17598. Headings are exact and in this order. The fence
is longer than any run of backticks inside the code and closes at equal length; its language is
the document's.

A model made here carries `FORMAT_NAME` and `FORMAT_VERSION` in its GGUF metadata, and the engine
prompts it accordingly.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.events import Code, Reasoning, Section

FORMAT_NAME = "reasoning-then-code"
FORMAT_VERSION = 1
METADATA_NAME_KEY = "assistant.format.name"
METADATA_VERSION_KEY = "assistant.format.version"

SECTIONS = (Section.INTENT, Section.STEPS, Section.FORMULAS, Section.EDGE_CASES)
CODE_HEADING = "Code"
NO_FORMULAS = "None"


_HOLDS = {
    Section.INTENT: "one to three sentences: what is asked, with the exact names and constants",
    Section.STEPS: "1. the algorithm, one step a line, in the order of the code; no code here",
    Section.FORMULAS: f"the formulas that are needed, one a line, or {NO_FORMULAS}",
    Section.EDGE_CASES: "- one a line, with the result",
}


def outline() -> str:
    """The reasoning's form in words, for a model that was not trained on it."""
    return "\n".join(f"## {section.value}\n{_HOLDS[section]}" for section in SECTIONS)


@dataclass(frozen=True, slots=True)
class Rationale:
    """Structured reasoning about one task, as a teacher writes it.

    Raises:
        ValueError: a part is missing, or a text would be read as a heading or a fence.
    """

    intent: str
    steps: tuple[str, ...]
    formulas: tuple[str, ...]
    """Empty when the task needs none; written as "None"."""
    edge_cases: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.intent.strip() or not self.steps or not self.edge_cases:
            raise ValueError("a rationale needs an intent, a step and an edge case at least")
        intent_lines = self.intent.splitlines()
        for text in (*intent_lines, *self.steps, *self.formulas, *self.edge_cases):
            if not text.strip() or "\n" in text or text.lstrip().startswith(("```", "## ")):
                raise ValueError(f"not a line of a rationale: {text!r}")


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer, taken apart."""

    reasoning: dict[Section, str]
    """The text of each section that was there, without its heading."""
    code: str
    """The source, ending in a newline unless empty or cut off."""
    complete: bool
    """True when the answer follows the format and its fence was closed."""


def fence_for(code: str) -> str:
    """The shortest fence that is longer than any run of backticks in `code`; three at least."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    return "`" * max(3, longest + 1)


def code_opening(language: str = "python", fence: str = "```") -> str:
    """The text after which the code begins: the heading of the code and its opening fence."""
    return f"## {CODE_HEADING}\n{fence}{language}\n"


def render(rationale: Rationale, code: str, language: str = "python") -> str:
    """Write reasoning and code in the format. The inverse of `parse`."""
    steps = (f"{number}. {step}" for number, step in enumerate(rationale.steps, start=1))
    bodies = (
        (Section.INTENT, rationale.intent.strip()),
        (Section.STEPS, "\n".join(steps)),
        (Section.FORMULAS, "\n".join(rationale.formulas) or NO_FORMULAS),
        (Section.EDGE_CASES, "\n".join(f"- {case}" for case in rationale.edge_cases)),
    )
    reasoning = "".join(f"## {section.value}\n{body}\n" for section, body in bodies)
    fence = fence_for(code)
    source = code if code.endswith("\n") or not code else code + "\n"
    return f"{reasoning}{code_opening(language, fence)}{source}{fence}"


def parse(text: str, language: str = "python") -> Completion:
    """Read a whole answer. Never fails: what is missing is missing in the result."""
    from assistant.format.splitter import Splitter

    splitter = Splitter(language=language)
    events = splitter.feed(text) + splitter.close()
    candidate = splitter.candidate
    reasoning: dict[Section, str] = {}
    code = ""
    for event in events:
        match event:
            case Reasoning(section=section, text=piece):
                reasoning[section] = reasoning.get(section, "") + piece
            case Code(candidate=owner, text=piece) if owner == candidate:
                code += piece
            case Code():
                pass
    follows = splitter.finished and all(section in reasoning for section in SECTIONS)
    return Completion(reasoning, code, follows)
