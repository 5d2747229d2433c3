"""The order of the checks, and many of them at once."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from assistant.checks import Limits, check, check_many, judge
from assistant.checks.result import CheckResult
from assistant.checks.testfile import parse_tests
from assistant.events import Outcome
from assistant.sandbox import Layer, layers

ADD = "def add(a, b):\n    return a + b\n"
DOCTESTED = "def double(x):\n    '''\n    >>> double(2)\n    {}\n    '''\n    return 2 * x\n"

needs_sandbox = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


def test_code_without_tests_is_parsed_and_not_run(tmp_path: Path):
    mark = tmp_path / "ran"
    result = check(f"open({str(mark)!r}, 'w')")

    assert (result.outcome, result.layer) == (Outcome.PARSED, "none")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        ("def f(:", "SyntaxError at line 1", "SyntaxError"),
        ("def f(): return nope", "nope is not defined", "NameError"),
    ],
)
def test_what_can_not_run_is_not_run(code: str, said: str, kind: str):
    result = check(code, tests=parse_tests("assert True"))

    assert (result.outcome, result.layer, result.kind) == (Outcome.ERROR, "none", kind)
    assert said in result.detail


def test_a_model_gone_astray_gives_a_short_detail():
    result = check("\n".join(f"print({'long' * 50}{n})" for n in range(300)))

    assert len(result.detail) < 400
    assert result.detail.endswith("; and 297 more")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"verify": False}, "switched off"), ({"language": "rust"}, "rust")],
)
def test_not_checked_says_why(settings, reason: str):
    result = check("def f(:", **settings)

    assert result.outcome is Outcome.NOT_CHECKED
    assert reason in result.detail


@needs_sandbox
def test_with_tests_the_layer_has_a_name():
    result = check(ADD, tests=parse_tests("assert add(1, 1) == 2"))

    assert (result.outcome, result.layer) == (Outcome.PASS, layers()[0].value)


@needs_sandbox
def test_without_tests_the_doctests_decide():
    good, bad = (check(DOCTESTED.format(n)) for n in (4, 5))

    assert (good.outcome, good.layer) == (Outcome.PASS, layers()[0].value)
    assert bad.outcome is Outcome.WRONG
    assert check(DOCTESTED.format(5), tests=parse_tests("assert double(1) == 2")).outcome is (
        Outcome.PASS
    )


@needs_sandbox
def test_doctests_of_code_that_needs_its_surroundings_are_not_run():
    code = DOCTESTED.format(5) + "def other():\n    return theirs()\n"

    assert check(code, known_names={"theirs"}).outcome is Outcome.PARSED


def test_without_a_sandbox_nothing_runs_and_nobody_fails(monkeypatch):
    # The package's name `layers` is the function; here the module is meant.
    module = sys.modules["assistant.sandbox.layers"]
    monkeypatch.setattr(module, "_problems", dict.fromkeys(Layer, "not here"))
    results = [
        check(ADD, tests=parse_tests("assert add(1, 1) == 2")),
        check(DOCTESTED.format(4)),
    ]

    for result in results:
        assert (result.outcome, result.layer) == (Outcome.SANDBOX_UNAVAILABLE, "none")
        assert not result.outcome.failed
        assert result.detail


@needs_sandbox
def test_many_pairs_are_checked_in_their_order():
    pairs = [(f"def f(): return {n}", f"assert f() == {n - n % 5}") for n in range(30)]

    outcomes = [result.outcome for result in check_many(pairs, workers=2)]

    assert outcomes == [Outcome.WRONG if n % 5 else Outcome.PASS for n in range(30)]


def test_a_timeout_beside_others_is_judged_again_alone(monkeypatch):
    """The second time nothing runs beside it, and what it says then counts."""
    lock, running, beside, tried = threading.Lock(), set(), {}, set()

    def watched(code: str, **_) -> CheckResult:
        with lock:
            running.add(code)
            beside[code] = len(running)
            first = code not in tried
            tried.add(code)
        threading.Event().wait(0.01)
        with lock:
            beside[code] = max(beside[code], len(running))
            running.remove(code)
        slow = first and code.startswith("slow")
        return CheckResult(Outcome.TIMEOUT if slow else Outcome.PASS, "none", "")

    monkeypatch.setattr(judge, "check", watched)
    pairs = [(f"{'slow' if n % 4 == 0 else 'quick'} {n}", "assert True") for n in range(24)]
    results = list(check_many(pairs, workers=4, limits=Limits()))

    assert [result.outcome for result in results] == [Outcome.PASS] * 24
    assert {beside[code] for code, _ in pairs if code.startswith("slow")} == {1}
    assert max(beside.values()) > 1
