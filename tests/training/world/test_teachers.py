"""The teacher that knows how a problem was made, and the strict reading of any teacher's answer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from assistant.errors import DataProblem
from assistant.format import parse, render
from assistant.format.completion import Rationale
from training.teachers import ProgramTeacher
from training.teachers.sections import Rejected, read_sections

GOOD = """## Intent
Sum the even numbers of nums.
## Steps
1. Go over nums.
2. Keep even ones: x % 2 == 0.
## Formulas
None
## Edge cases
- empty nums: 0
"""
READ = Rationale(
    "Sum the even numbers of nums.",
    ("Go over nums.", "Keep even ones: x % 2 == 0."),
    (),
    ("empty nums: 0",),
)


def test_the_program_explains_every_problem(problems):
    lengths = []
    for problem in problems:
        rationale = ProgramTeacher().context(problem)
        done = parse(render(rationale, problem.code))
        assert done.complete
        assert done.code == problem.code
        assert rationale.intent.startswith(f"{problem.name}: ")
        lengths.append(len(render(rationale, "")))
    lengths.sort()
    assert lengths[len(lengths) // 2] / 3.5 < 110
    assert lengths[-1] < 1000


def test_steps_carry_the_code(problems):
    """Most of what the code says is said by the steps before it: conditions, values, names."""
    said = total = 0
    for problem in problems:
        steps = " ".join(problem.construction.steps)
        for line in problem.code.splitlines()[1:]:
            if " if " in line and " for " in line:
                total += 1
                said += line.split(" if ")[-1].split(" and ")[0].rstrip(")]:}[0123456789") in steps
    assert total > 400
    assert said / total > 0.6


def test_a_program_needs_a_construction(problems):
    with pytest.raises(DataProblem, match="no construction"):
        ProgramTeacher().context(
            replace(problems[0], construction=replace(problems[0].construction, steps=()))
        )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "headings"),
        (GOOD.replace("## Formulas\nNone\n", ""), "headings"),
        (GOOD + "## Code\n", "headings"),
        (GOOD.replace("## Steps", "## steps"), "headings"),
        (GOOD.replace("## Intent", "Sure!\n## Intent"), "nothing may come before"),
        (GOOD + "```python\npass\n```", "fence"),
        (GOOD.replace("2. Keep", "3. Keep"), "step 2"),
        (GOOD.replace("1. Go", "- Go"), "step 1"),
        (GOOD.replace("- empty", "empty"), "edge case"),
        (GOOD.replace("- empty nums: 0\n", ""), "## Edge cases is empty"),
        (GOOD.replace("nums.\n## Steps", "nums. A. B. C.\n## Steps"), "at most 3 sentences"),
    ],
)
def test_an_answer_that_breaks_the_form_is_rejected(text, reason):
    with pytest.raises(Rejected, match=reason):
        read_sections(text)


def test_sections_are_read():
    assert read_sections(GOOD) == READ
    assert read_sections(f"<think>## Steps of mine</think>\n\n{GOOD}") == READ
    assert read_sections(GOOD.replace("None", "a = b\nc = d")).formulas == ("a = b", "c = d")
