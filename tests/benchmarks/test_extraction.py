"""From answers to programs: each rule that `extraction` states, and what holds for any answer."""

from __future__ import annotations

import ast

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from assistant.benchmarks.extraction import code_of, extract, prelude
from assistant.benchmarks.problems import Problem

STUB = Problem(
    id="HumanEval/0",
    prompt="from typing import List\n\ndef helper(x):\n    return x + 1\n\n\ndef add(a, b):\n"
    '    """Add.\n\n    >>> add(1, 2)\n    3\n    """\n',
    entry_point="add",
    reference="",
)
WORDS = Problem(
    id="Mbpp/2",
    prompt='"""\nAdd two numbers.\nassert add(1, 2) == 3\n"""\n',
    entry_point="add",
    reference="",
    text="Add two numbers.\nassert add(1, 2) == 3",
)
BEFORE = "from typing import List\n\ndef helper(x):\n    return x + 1"
CODE = "def add(a, b):\n    return a + b\n"
WRONG = "def add(a, b):\n    return 0\n"
SECTIONS = "## Intent\nAdd.\n## Steps\n1. Add.\n## Formulas\nNone\n## Edge cases\n- none\n## Code\n"


def fenced(code: str, language: str = "python") -> str:
    return f"```{language}\n{code}```\n"


@pytest.mark.parametrize(
    "answer",
    [
        SECTIONS + fenced(CODE),
        "Here it is:\n\n" + fenced(CODE) + "\nIt adds.\n",
        "<think>\nMaybe "
        + fenced("def add(a, b):\n    return 0\n")
        + "no.\n</think>\n"
        + fenced(CODE),
        fenced(CODE) + "\nAn example:\n\n" + fenced("print(add(1, 2))\n"),
        fenced(CODE, ""),
        "````python\n" + CODE + "````\n",
        CODE,
    ],
    ids=["sections", "prose", "thinking", "two blocks", "no language", "longer fence", "bare"],
)
def test_the_code_of_an_answer_however_it_is_wrapped(answer: str):
    found = extract(answer, WORDS)

    assert found.how == "program"
    assert found.program.strip() == CODE.strip()


@pytest.mark.parametrize(
    "answer",
    [
        f"Maybe {fenced(WRONG)}no.\n</think>\n{fenced(CODE)}",
        f"A draft:\n\n{fenced(WRONG)}\n{SECTIONS}{fenced(CODE)}",
    ],
    ids=["thinking whose opening tag the prompt held", "a fence before the heading"],
)
def test_a_draft_that_was_replaced_does_not_count(answer: str):
    assert code_of(answer).strip() == CODE.strip()


def test_what_stands_before_the_function_in_the_prompt_is_put_in_front():
    assert prelude(STUB) == BEFORE
    found = extract(fenced(CODE), STUB)

    assert found.program == f"{BEFORE}\n\n\n{CODE}"


def test_a_future_import_stays_first():
    code = "from __future__ import annotations\n" + CODE
    program = extract(fenced(code), STUB).program

    assert program.startswith("from __future__ import annotations\nfrom typing import List\n")
    compile(program, "answer", "exec")


def test_the_body_alone_continues_the_prompt():
    found = extract(fenced("    return a + b\n"), STUB)

    assert (found.how, found.program) == ("body", STUB.prompt + "    return a + b\n")


@pytest.mark.parametrize(
    "code",
    [
        "add = lambda a, b: a + b\n",
        "add: object = lambda a, b: a + b\n",
        "async def add(a, b):\n    return a + b\n",
        "class add:\n    pass\n",
        "import math\n\ndef add(a, b):\n    return a + b\n",
    ],
)
def test_any_way_to_define_the_function_is_a_program(code: str):
    assert extract(fenced(code), STUB).how == "program"


@pytest.mark.parametrize(
    "code", ["def plus(a, b):\n    return a + b\n", "added = 1\n", "print(add)\n", "add == 1\n"]
)
def test_code_without_the_function_is_kept_and_told(code: str):
    found = extract(fenced(code), STUB)

    assert found.how == "other"
    assert found.program.endswith(code)


@pytest.mark.parametrize("answer", ["", "   \n", "I can not do that.", "<think>\nHm"])
def test_no_code_is_the_empty_program(answer: str):
    assert (extract(answer, STUB).program, extract(answer, STUB).how) == ("", "none")


def test_a_name_with_signs_of_regular_expressions_is_a_name():
    odd = Problem("HumanEval/1", "def a(x):\n", "a.*", "")

    assert extract(fenced("def ab(x):\n    return x\n"), odd).how == "other"


@given(st.text(max_size=400))
def test_any_text_gives_a_program_and_the_same_one_again(answer: str):
    found = extract(answer, STUB)

    assert found == extract(answer, STUB)
    assert found.how in ("program", "body", "other", "none")
    assert (found.program == "") == (found.how == "none")


def whole(lines: list[str]) -> str:
    """A program of these lines; an open string would swallow the end of the fence."""
    code = "\n".join(["def add(a, b):", *lines, "    return a"]) + "\n"
    try:
        ast.parse(code)
    except SyntaxError:
        assume(False)
    return code


_NAMES = st.sampled_from(["x", "y", "total"])
_LINES = st.lists(
    st.one_of(
        _NAMES.map(lambda name: f"    {name} = a + 1"),
        _NAMES.map(lambda name: f"    # about {name}"),
        st.just("    text = '''"),
        st.just("    '''"),
        st.just(""),
    ),
    max_size=8,
)


@given(_LINES, st.text(alphabet="abc \n.", max_size=60))
def test_a_fenced_program_comes_out_as_it_is_whatever_stands_around_it(lines, prose):
    code = whole(lines)
    found = extract(f"{prose}\n\n{fenced(code)}\n{prose}\n", WORDS)

    assert found.program == code


@given(_LINES)
def test_the_prelude_never_breaks_a_program_that_was_whole(lines):
    ast.parse(extract(fenced(whole(lines)), STUB).program)
