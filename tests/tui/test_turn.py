"""What a turn knows while an answer arrives, without any screen."""

from __future__ import annotations

import pytest

from assistant.events import Code, Done, Failed, Outcome, Reasoning, Section, Stats, Verdict
from tui.turn import Phase, Speedometer, Turn


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_the_phases_of_an_answer_in_their_order(clock: Clock) -> None:
    """Starting, evaluating, thinking, writing, checking, done."""
    turn = Turn("q", clock=clock)
    phases = [turn.phase]
    turn.sent()
    phases.append(turn.phase)
    turn.progress(30, 60)
    assert turn.prompt_percent == 50
    turn.token()
    turn.apply(Reasoning(0, Section.INTENT, "Double it."))
    phases.append(turn.phase)
    turn.apply(Code(0, "def f(x):\n"))
    phases.append(turn.phase)
    turn.generated()
    phases.append(turn.phase)
    turn.apply(Verdict(0, Outcome.PARSED, "none", ""))
    turn.apply(Done(0, Stats(completion_tokens=9)))
    phases.append(turn.phase)

    assert phases == [
        Phase.STARTING,
        Phase.EVALUATING,
        Phase.THINKING,
        Phase.WRITING,
        Phase.CHECKING,
        Phase.DONE,
    ]


def test_thinking_is_timed_from_its_first_token_to_the_code(clock: Clock) -> None:
    """Neither waiting for the engine nor writing counts as thinking."""
    turn = Turn("q", clock=clock)
    clock.now += 5
    turn.sent()
    clock.now += 1
    turn.token()
    turn.apply(Reasoning(0, Section.INTENT, "a"))
    clock.now += 3
    turn.apply(Code(0, "b"))
    clock.now += 7

    assert turn.thinking_s == pytest.approx(3)
    assert turn.first_token_s == pytest.approx(1)


def test_sections_stay_apart_and_in_order() -> None:
    """Pieces of one section are joined, another section opens its own."""
    turn = Turn("q")
    for section, text in [
        (Section.INTENT, "Dou"),
        (Section.INTENT, "ble."),
        (Section.STEPS, "1. x"),
    ]:
        turn.apply(Reasoning(0, section, text))

    assert turn.shown.sections == [(Section.INTENT, "Double."), (Section.STEPS, "1. x")]


def test_a_replacing_candidate_takes_the_screen() -> None:
    """The code of a replaced candidate is neither mixed in nor shown."""
    turn = Turn("q")
    turn.apply(Code(0, "first"))
    turn.apply(Reasoning(0, Section.OTHER, "Better:"))
    assert turn.phase is Phase.WRITING, "prose behind code is no new thinking"
    turn.apply(Reasoning(1, Section.INTENT, "Again.", replaces=0))
    assert turn.phase.value == "thinking"
    turn.apply(Code(1, "second"))
    assert turn.shown.code == "second"

    turn.apply(Done(0, Stats()))
    assert turn.shown.code == "first", "the candidate that `Done` names is the one to use"


def test_a_stopped_turn_stays_stopped() -> None:
    """Events that were under way when the user stopped do not bring it back."""
    turn = Turn("q")
    turn.stop()
    turn.apply(Code(0, "late"))
    turn.apply(Failed(0, "closed"))
    turn.apply(Done(0, Stats()))

    assert turn.phase is Phase.STOPPED
    assert turn.shown.code == ""


def test_speed_is_that_of_the_last_two_seconds_and_stays_when_tokens_pause(clock: Clock) -> None:
    """A slow start is forgotten; a pause does not lower the last value."""
    speed = Speedometer(clock)
    for _ in range(5):
        speed.tick()
        clock.now += 1.0
    for _ in range(100):
        speed.tick()
        clock.now += 0.05
    assert speed.rate == pytest.approx(20, rel=0.05)
    clock.now += 60

    assert speed.rate == pytest.approx(20, rel=0.05)
    assert speed.tokens == 105
