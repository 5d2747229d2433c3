"""Events: the JSON of the contract, and back."""

from __future__ import annotations

import json

import pytest

from assistant.events import (
    Code,
    Done,
    Event,
    Failed,
    Outcome,
    Reasoning,
    Section,
    Stats,
    Verdict,
    from_json,
    to_json,
)

EVENTS: list[Event] = [
    Reasoning(0, Section.EDGE_CASES, "- é\n"),
    Reasoning(1, Section.OTHER, "so", replaces=0),
    Code(0, "x = 1\n"),
    Code(2, "\x00", replaces=1),
    *(Verdict(0, outcome, "bubblewrap", "why") for outcome in Outcome),
    Done(1, Stats(10, 5, 20, 12.5, 99.5)),
    Failed(0, "no code"),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_its_json(event: Event) -> None:
    assert from_json(json.loads(json.dumps(to_json(event)))) == event


def test_done_has_the_numbers_of_the_contract() -> None:
    assert to_json(Done(0, Stats(1, 2, 3, 4.04, 5.06))) == {
        "type": "done",
        "candidate": 0,
        "prompt_tokens": 1,
        "cached_tokens": 2,
        "completion_tokens": 3,
        "ttft_ms": 4.0,
        "tokens_per_second": 5.1,
    }


def test_a_failure_has_the_type_that_scripts_look_for() -> None:
    assert to_json(Failed(0, "why"))["type"] == "error"


@pytest.mark.parametrize(
    "body", [{}, {"type": "code"}, {"type": "x", "candidate": 0}, {"type": []}]
)
def test_what_is_no_event_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not an event"):
        from_json(body)


def test_only_a_failed_check_counts_as_failed() -> None:
    assert {outcome for outcome in Outcome if not outcome.failed} == {
        Outcome.PASS,
        Outcome.PARSED,
        Outcome.NOT_CHECKED,
        Outcome.SANDBOX_UNAVAILABLE,
    }
