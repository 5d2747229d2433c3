"""What a teacher is shown, and what it is not."""

from __future__ import annotations

import json

import pytest

from tests.support.teacher_server import GOOD, Reply, a_problem
from training.teachers.agents import CHAINS
from training.teachers.prompts import SINGLE, messages, template

ALL = [one.name for one in (*SINGLE, *CHAINS)]


@pytest.mark.parametrize("name", ALL)
def test_each_template_shows_the_task_and_asks_for_the_form(server, ask, name):
    server.behave = lambda number, body: Reply(GOOD)
    problem = a_problem(1)
    assert len(ask([problem], template=name).samples) == 1
    turns = template(name).turns
    assert len(server.bodies) == len(turns)
    for body in server.bodies:
        assert problem.request in body["messages"][1]["content"]
        assert "called f1" in body["messages"][1]["content"]
        assert "{" not in body["messages"][0]["content"]
    assert "## Edge cases" in server.bodies[-1]["messages"][0]["content"]
    shown = "return x + 1" in json.dumps(server.bodies)
    assert shown == name.startswith("backward") == template(name).shows_solution


def test_each_template_is_another_prompt(server, ask):
    for name in ALL:
        ask(template=name)
    turns = sum(len(template(name).turns) for name in ALL)
    # The planner is asked the same thing in both chains: one record serves both.
    assert len(server.bodies) == turns - 1


def test_agents_read_those_before_them(server, ask):
    answers = ["PLAN a", "CRITIQUE b", "no form", GOOD]
    server.behave = lambda number, body: Reply(answers[number])
    assert len(ask(template="agents").samples) == 1
    asked = [body["messages"][1]["content"] for body in server.bodies]
    assert "PLAN a" not in asked[0]
    assert "PLAN a" in asked[1] and "CRITIQUE" not in asked[1]
    assert "PLAN a" in asked[2] and "CRITIQUE b" in asked[2]
    ask(template="agents")
    assert len(server.bodies) == 4


def test_an_empty_plan_is_asked_for_again(server, ask):
    answers = [" \n", "a plan", GOOD]
    server.behave = lambda number, body: Reply(answers[number])
    assert len(ask(template="planner-writer").samples) == 1
    assert "some text" in server.bodies[1]["messages"][-1]["content"]


def test_braces_in_a_task_are_text():
    problem = a_problem(1, request="Use {solution} and {planner} and {0} and {", code="SECRET")
    turn = template("agents").turns[-1]
    said = messages(turn, problem, {"planner": "plan {critic} {task}", "critic": "none"})
    assert "Use {solution} and {planner} and {0} and {" in said[1]["content"]
    assert "plan {critic} {task}" in said[1]["content"]
    assert "SECRET" not in said[1]["content"]


def test_a_name_that_the_request_gives_is_not_said_twice():
    problem = a_problem(1, signature="def f1(x):")
    (_, user) = messages(template("forward").turns[0], problem, {})
    assert "is called" not in user["content"]
