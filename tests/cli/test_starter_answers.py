"""The embedded model through the whole product: skill that only the trained file has."""

from __future__ import annotations

import json

import pytest

from assistant.events import Code, Done, Reasoning, Section, from_json
from assistant.models import store
from tests.cli.conftest import Assistant

pytestmark = pytest.mark.skipif(
    not store.embedded_path().is_file(),
    reason="there is no embedded model yet; `assistant train starter` makes it",
)

REQUEST = "Write a function `count_vowels(text)` that counts the vowels in a text"
TESTS = """
def test_examples():
    assert count_vowels('Banana split') == 4
    assert count_vowels('') == 0
    assert count_vowels('AEIOU xyz') == 5
"""


def test_the_example_of_the_readme_is_answered_with_reasoning_and_code_that_works(
    assistant: Assistant, tmp_path
):
    tests = tmp_path / "test_vowels.py"
    tests.write_text(TESTS)
    done = assistant.run("ask", "--json", "--tests", str(tests), REQUEST)
    events = [from_json(json.loads(line)) for line in done.stdout.splitlines()]

    assert done.returncode == 0, done.stdout
    assert isinstance(events[-1], Done)
    sections = {event.section for event in events if isinstance(event, Reasoning)}
    assert sections >= {Section.INTENT, Section.STEPS, Section.FORMULAS, Section.EDGE_CASES}
    code = "".join(event.text for event in events if isinstance(event, Code))
    assert code.startswith("def count_vowels(text):\n")
