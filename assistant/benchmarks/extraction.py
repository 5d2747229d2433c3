"""From a model's answer to the program that is judged. One rule for all models, and it has a name.

1. The code is what the assistant itself would offer: the format's reader (`assistant.format`)
   drops thinking and reasoning and takes the code under `## Code`, else the first fenced block,
   else what looks like code; a draft that the model replaced does not count.
2. Code that defines the function asked for is a program. The imports and helper functions that
   stand before that function in the prompt are put in front of it (the prelude): the model was
   shown them and need not repeat them.
3. Code that is the body of a function alone, all of it indented, continues the prompt.
4. Any other code stands with the prelude in front of it; no code is the empty program, and fails.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from assistant.benchmarks.problems import Problem
from assistant.events import Code
from assistant.format import Splitter

NAME = "first-code-block-1"
"""In every summary; a change of the rule changes the name."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """A program and how it was made."""

    program: str
    how: str
    """`program`, `body`, `other` or `none`."""


def extract(answer: str, problem: Problem) -> Extracted:
    """The program that an answer gives for a problem."""
    code = code_of(answer)
    if not code.strip():
        return Extracted("", "none")
    if _definition(problem.entry_point).search(code):
        return Extracted(_with_prelude(code, problem), "program")
    if all(line[:1] in " \t" for line in code.splitlines() if line.strip()):
        return Extracted(problem.prompt.rstrip("\n") + "\n" + code, "body")
    return Extracted(_with_prelude(code, problem), "other")


def code_of(answer: str) -> str:
    """The code that the assistant would offer."""
    splitter = Splitter()
    events = [*splitter.feed(answer), *splitter.close()]
    return "".join(
        event.text
        for event in events
        if isinstance(event, Code) and event.candidate == splitter.candidate
    )


def prelude(problem: Problem) -> str:
    """What stands before the function to write in a stub; empty for other prompts."""
    found = _definition(problem.entry_point).search(problem.prompt)
    return problem.prompt[: found.start()].strip("\n") if found else ""


def _with_prelude(code: str, problem: Problem) -> str:
    before = prelude(problem)
    if not before:
        return code
    future = re.match(r"\s*from __future__ import [^\n]+\n", code)
    if future:
        # Nothing may stand before it.
        return f"{future.group().lstrip()}{before}\n\n{code[future.end() :]}"
    return f"{before}\n\n\n{code}"


def _definition(name: str) -> re.Pattern[str]:
    """A definition of `name` at the left edge."""
    word = re.escape(name)
    return re.compile(
        rf"^(?:(?:async +)?def|class) +{word}\b|^{word} *(?::[^=\n]+)?=(?!=)", re.MULTILINE
    )
