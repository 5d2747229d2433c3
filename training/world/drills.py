"""Small exercises in copying: names, parameters and constants have to be taken over exactly."""

from __future__ import annotations

import re
from random import Random

from training.world.constants import SEPARATORS, constant
from training.world.names import function_name, parameter_names
from training.world.problem import Problem

_CONSTANT = re.compile(r"'[^'\n]*'|\b\d+\b")
_KINDS = ("ints", "words", "text", "n", "scores", "rows", "word")


def _definition(problem: Problem) -> str:
    return next(line for line in problem.code.splitlines() if line.startswith("def "))


def drill(problem: Problem, rng: Random) -> tuple[str, str]:
    """A short request whose answer is in the request."""
    choice = rng.randrange(6)
    definition = _definition(problem)
    if choice == 0:
        return f"{problem.request}\n\nWrite only the def line.", definition
    if choice == 1:
        return f"{problem.request}\n\nWhat is the function called?", problem.name
    if choice == 2:
        found = list(dict.fromkeys(_CONSTANT.findall(problem.code)))
        asked = [c for c in found if c.strip("'") in problem.request and c not in ("0", "1", "''")]
        return f"{problem.request}\n\nList the constants.", ", ".join(asked) or "none"
    if choice == 3:
        name = function_name(rng, problem.name)
        params = ", ".join(parameter_names(rng, tuple(rng.sample(_KINDS, rng.randint(1, 3)))))
        line = f"def {name}({params}):"
        frame = rng.choice(("Repeat: {l}", "`{l}`", "Copy this line:\n{l}", "{l}\nAgain, please."))
        return frame.format(l=line), line
    if choice == 4:
        new = function_name(rng, problem.name)
        code = re.sub(rf"\b{re.escape(problem.name)}\b", new, problem.code)
        text = f"Rename {problem.name} to {new}:\n```python\n{problem.code}```"
        return text, f"```python\n{code}```"
    name = function_name(rng, "value")
    value = rng.choice(
        (
            repr(rng.choice(SEPARATORS)),
            repr(constant("big", rng)),
            repr(constant("affix", rng)),
            str(rng.randint(-999, 9999)),
        )
    )
    frame = rng.choice(
        ("Set {n} to {v}.", "{n} should be {v}", "let {n} be {v}", "Assign {v} to {n}.")
    )
    return frame.format(n=name, v=value), f"{name} = {value}"
