"""Teachers: the program that knows the construction, and whatever stands behind an endpoint."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from assistant.errors import DataProblem, EndpointProblem, UsageProblem
from assistant.format import parse, render
from assistant.format.completion import Rationale
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint
from training.teachers import ProgramTeacher, teacher
from training.teachers.endpoint import EndpointTeacher, Settings
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
    with pytest.raises(ValueError, match="no construction"):
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


@pytest.fixture
def endpoint():
    with ScriptedEndpoint([GOOD]) as server:
        yield server


@pytest.fixture
def ask(endpoint, tmp_path):
    """Make teachers on the scripted endpoint with one cache file, and close them."""
    opened = []

    def make(**more):
        settings = Settings(
            **{
                "url": endpoint.url,
                "model": "big",
                "cache": tmp_path / "c.jsonl",
                "pause": 0,
                **more,
            }
        )
        opened.append(EndpointTeacher(settings))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def test_the_endpoint_is_asked_for_the_problem_alone(endpoint, ask, problems):
    problem = problems[0]
    assert ask().context(problem) == READ
    (body,) = endpoint.requests
    text = json.dumps(body["messages"])
    assert body["model"] == "big"
    assert json.dumps(problem.request)[1:-1] in text
    body_of_code = problem.code.split("\n", 1)[1]
    assert json.dumps(body_of_code)[1:-1] not in text
    assert ask(show_solution=True, cache=None).context(problem) == READ
    assert json.dumps(problem.code)[1:-1] in json.dumps(endpoint.requests[-1]["messages"])


def test_an_answer_is_paid_for_once(endpoint, ask, problems):
    first = ask()
    first.context(problems[0])
    first.context(problems[0])
    first.close()
    assert ask().context(problems[0]) == READ
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    "other", [{"temperature": 0.1}, {"model": "other"}, {"seed": 5}, {"show_solution": True}]
)
def test_another_setting_is_another_answer(endpoint, ask, problems, other):
    one = ask()
    one.context(problems[0])
    one.close()
    ask(**other).context(problems[0])
    assert len(endpoint.requests) == 2


def test_samples_of_a_problem_are_different_answers(endpoint, ask, problems):
    asked = ask()
    asked.context(problems[0], sample=0)
    asked.context(problems[0], sample=1)
    seeds = [body["seed"] for body in endpoint.requests]
    assert len(set(seeds)) == 2


def test_a_broken_form_is_asked_for_again_with_the_reason(endpoint, ask, problems, tmp_path):
    endpoint.script([GOOD.replace("1. Go", "* Go"), GOOD])
    assert ask().context(problems[0]) == READ
    again = endpoint.requests[1]["messages"]
    assert [m["role"] for m in again] == ["system", "user", "assistant", "user"]
    assert "step 1 must begin with" in again[-1]["content"]
    (record,) = map(json.loads, (tmp_path / "c.jsonl").read_text().splitlines())
    assert record["problem"] == problems[0].id
    assert len(record["rejected"]) == 1


def test_it_gives_up_with_the_last_reason(endpoint, ask, problems, tmp_path):
    endpoint.script(["no sections"])
    with pytest.raises(EndpointProblem, match=r"broke the form 3 times for problem .*headings"):
        ask(attempts=3).context(problems[0])
    assert len(endpoint.requests) == 3
    assert (tmp_path / "c.jsonl").read_text() == ""


def test_what_was_cut_off_is_never_kept(endpoint, ask, problems, tmp_path):
    endpoint.script([Reply.of(GOOD, finish_reason="length")])
    with pytest.raises(EndpointProblem, match="longer than 1024 tokens"):
        ask(attempts=2).context(problems[0])
    assert (tmp_path / "c.jsonl").read_text() == ""
    endpoint.script([Reply.of(GOOD, finish_reason="length"), GOOD])
    assert ask().context(problems[0]) == READ


def test_a_busy_endpoint_is_asked_again(endpoint, ask, problems):
    endpoint.script([Reply(status=503), Reply(status=429), GOOD])
    assert ask().context(problems[0]) == READ
    assert len(endpoint.requests) == 3


def test_a_refusal_is_final(endpoint, ask, problems):
    endpoint.script([Reply(status=401, error="bad key")])
    with pytest.raises(EndpointProblem, match=r"refused with status 401.*bad key"):
        ask().context(problems[0])
    assert len(endpoint.requests) == 1


def test_nobody_there_is_said(ask, problems):
    with pytest.raises(EndpointProblem, match="did not answer in 2 attempts"):
        ask(url="http://127.0.0.1:9/v1", attempts=2).context(problems[0])


def test_a_torn_record_is_asked_for_again_and_the_whole_ones_stay(
    endpoint, ask, problems, tmp_path
):
    first = ask()
    first.context(problems[0])
    first.context(problems[1])
    first.close()
    path = tmp_path / "c.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    again = ask()
    assert len(again.cache) == 1
    again.context(problems[0])
    again.context(problems[1])
    assert len(endpoint.requests) == 3
    assert path.read_bytes() == whole


def test_a_damaged_cache_is_named(ask, tmp_path):
    (tmp_path / "c.jsonl").write_text("{}\n")
    with pytest.raises(DataProblem, match=r"c\.jsonl:1 is not a record"):
        ask()


def test_a_recipe_names_its_teacher(endpoint):
    assert teacher("program").name == "program"
    asked = teacher(endpoint.url, "big")
    assert asked.name == "endpoint"
    asked.close()
    with pytest.raises(UsageProblem, match="no teacher 'oracle'"):
        teacher("oracle")
