"""Money and time before the start, and a limit that holds whatever is under way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli.main import main
from tests.support.teacher_server import a_problem
from training.settings import Contexts
from training.teachers import asking, estimates
from training.teachers.meter import BudgetReached, Meter, Price, Rates, forecast

calls = st.lists(
    st.tuples(st.integers(0, 2000), st.integers(1, 1000), st.floats(0, 1)), max_size=30
)


@given(calls, st.floats(0.001, 1), st.integers(1, 5))
def test_never_more_than_the_limit(calls, limit, at_once):
    """Each call takes at most what it may; some wait for others to end."""
    meter = Meter(Price(100.0, 300.0), limit)
    running: list[tuple[float, int, int]] = []
    for prompt, most, share in calls:
        try:
            running.append((meter.reserve(prompt, most), prompt, round(most * share)))
        except BudgetReached:
            assert meter.usd + sum(r[0] for r in running) + meter.price.of(prompt, most) > limit
        if len(running) >= at_once:
            reserved, used, written = running.pop(0)
            meter.count(used, written)
            meter.release(reserved)
        assert meter.usd <= limit + 1e-9


def test_without_a_limit_all_go():
    meter = Meter(Price(1.0, 1.0))
    assert meter.reserve(10**9, 10**9) == 2000.0


def test_the_slowest_limit_decides():
    price = Price(2.0, 10.0)
    ahead = forecast(1000, 500_000, 900, price, Rates(60, 1_400_000, 450.0))
    assert ahead.completion_tokens == 900_000
    assert ahead.usd == pytest.approx(1.0 + 9.0)
    assert ahead.seconds == pytest.approx(2000)  # 900,000 / 450; the others give 1000 and 60
    assert forecast(1000, 500_000, 900, price, Rates(10)).seconds == pytest.approx(6000)
    unknown = forecast(1000, 500_000, 900, price, Rates())
    assert unknown.seconds is None
    assert unknown.formulas[-1][:2] == ("time", "not known")


def test_all_samples_and_turns_are_counted():
    problems = [a_problem(n) for n in range(10)]

    def ahead(**more):
        settings = Contexts(teacher="http://x/v1", teacher_model="big", **more)
        return estimates.estimate(settings, problems, asking.how_of(settings, 1))

    assert ahead().calls == 10
    assert ahead(samples=3).calls == 30
    assert ahead(template="agents").calls == 30
    assert ahead(samples=2, select="passing").calls == 40
    assert ahead(template="backward").prompt_tokens > ahead().prompt_tokens
    assert ahead(max_tokens=100).completion_tokens == 1000


def test_a_dry_run_tells_what_the_teacher_will_cost(tmp_path, capfd):
    values = {"teacher": "http://x/v1", "teacher_model": "big", "usd_per_million_completion": 2}
    sets = [part for k, v in values.items() for part in ("--set", f"contexts.{k}={v}")]
    sets += ["--set", "problems.count=18360"]
    assert main(["train", "nano", "--dry-run", "--out", str(tmp_path / "run"), *sets]) == 0
    said = capfd.readouterr().out
    assert "teacher, calls: 18,360" in said
    assert "18,360 calls x 900 expected" in said
    assert "teacher, money: 33.05 USD" in said


def test_a_teacher_without_a_price_is_not_told_to_be_free(tmp_path, capfd):
    sets = ["--set", "contexts.teacher=http://x/v1", "--set", "contexts.teacher_model=big"]
    assert main(["train", "nano", "--dry-run", "--out", str(tmp_path / "run"), *sets]) == 0
    said = capfd.readouterr().out
    assert "teacher, money: nothing, or not known" in said
    assert "0.00 USD" not in said
