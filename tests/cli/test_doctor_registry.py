"""The registry of doctor checks: one broken check hides no other."""

from __future__ import annotations

import sys

import pytest

from assistant.doctor import Check, Finding, State, checks, diagnose, ok
from assistant.errors import ModelProblem
from assistant.sandbox import Layer, layers


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


@pytest.mark.skipif(not layers(), reason="no layer of isolation works on this machine")
def test_the_sandbox_is_tried_whatever_was_found_out_before(monkeypatch):
    """A user who has mended or lost a layer asks for what is now."""
    module = sys.modules["assistant.sandbox.layers"]
    best = layers()[0]
    monkeypatch.setattr(module, "_problems", dict.fromkeys(Layer, "it was broken yesterday"))
    (check,) = [check for check in checks() if check.name == "sandbox"]

    finding = check.run()

    assert finding.state is State.OK
    assert finding.message.startswith(f"checks run in {best.value}, which was tried just now")
    assert "yesterday" not in finding.advice
