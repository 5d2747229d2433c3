"""How far a long run is: rate and time left, often on a terminal, seldom elsewhere."""

from __future__ import annotations

import pytest

from assistant.cli import progress, terminal
from assistant.cli.progress import Progress, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Time that passes when a test says so."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (185, "3 min 05 s"),
        (3600, "1 h 00 min"),
        (7620, "2 h 07 min"),
    ],
)
def test_durations(seconds: float, text: str):
    assert duration(seconds) == text


def test_where_there_is_no_terminal_a_line_every_ten_seconds(clock, capsys):
    shown = Progress()
    shown.begin("samples judged", 100, 20)
    for _ in range(30):
        clock.now += 1
        shown.step()
    shown.end()
    clock.now += 100
    shown.tick()

    assert capsys.readouterr().err.splitlines() == [
        "30 of 100 samples judged, 1.0/s, 1 min 10 s left",
        "40 of 100 samples judged, 1.0/s, 1 min 00 s left",
        "50 of 100 samples judged, 1.0/s, 50 s left",
    ]


def test_time_goes_on_without_any_step(clock, capsys):
    shown = Progress()
    shown.begin("samples judged", 5)
    clock.now += 11
    shown.tick()

    assert capsys.readouterr().err == "0 of 5 samples judged\n"


def test_on_a_terminal_one_line_replaces_itself_and_is_gone_at_the_end(clock, capsys, monkeypatch):
    monkeypatch.setattr(terminal, "styled", lambda stream=None: True)
    shown = Progress()
    shown.begin("samples judged", 10)
    for _ in range(3):
        clock.now += 0.2
        shown.step()
    shown.say("A line that stays.")
    shown.end()
    err = capsys.readouterr().err

    assert "3 of 10 samples judged, 5.0/s, 1 s left" in err
    assert err.count("\n") == 1
    assert "A line that stays.\n" in err
    assert err.count("\r") >= 3
