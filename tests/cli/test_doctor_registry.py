"""The registry of doctor checks: one broken check hides no other."""

from __future__ import annotations

from assistant.doctor import Check, Finding, State, checks, diagnose, ok
from assistant.errors import ModelProblem


def test_a_check_that_raises_is_a_problem_and_the_others_still_run():
    def known() -> Finding:
        raise ModelProblem("it is broken", hint="get another")

    def surprising() -> Finding:
        raise ZeroDivisionError("division by zero")

    selection = (
        Check("known", known),
        Check("surprising", surprising),
        Check("sound", lambda: ok("fine")),
    )
    found = {check.name: finding for check, finding in diagnose(selection)}

    assert found["known"] == Finding(State.PROBLEM, "it is broken", "get another")
    assert found["surprising"].state is State.PROBLEM
    assert "ZeroDivisionError" in found["surprising"].message
    assert found["sound"] == Finding(State.OK, "fine")


def test_names_are_unique():
    names = [check.name for check in checks()]

    assert len(names) == len(set(names)) > 0
