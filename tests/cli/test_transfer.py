"""How far a download is: rate and time left, often on a terminal, seldom elsewhere."""

from __future__ import annotations

import pytest

from assistant.cli import terminal, transfer
from assistant.cli.transfer import Transfer


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch):
    """Time that passes when a test says so."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(transfer.time, "monotonic", lambda: Clock.now)
    return Clock


def test_where_there_is_no_terminal_a_line_every_ten_seconds(clock, capsys) -> None:
    shown = Transfer()
    shown.begin("m.gguf", 4_920_000_000, 920_000_000)
    for _ in range(25):
        clock.now += 1
        shown.advance(20_000_000)
    shown.end()
    clock.now += 100
    shown.advance(1)

    assert capsys.readouterr().err.splitlines() == [
        "m.gguf: 1.12 GB of 4.92 GB, 20.0 MB/s, 3 min 10 s left",
        "m.gguf: 1.32 GB of 4.92 GB, 20.0 MB/s, 3 min 00 s left",
    ]


def test_the_rate_is_that_of_the_last_seconds(clock, capsys) -> None:
    """After a pause or a change of pace the time left is soon right again."""
    shown = Transfer()
    shown.begin("m.gguf", 1_000_000_000, 0)
    for count in (0, 0, 100_000_000, 100_000_000):
        clock.now += 10
        shown.advance(count)

    assert capsys.readouterr().err.splitlines() == [
        "m.gguf: 0 B of 1.00 GB",
        "m.gguf: 0 B of 1.00 GB",
        "m.gguf: 100.0 MB of 1.00 GB, 10.0 MB/s, 1 min 30 s left",
        "m.gguf: 200.0 MB of 1.00 GB, 10.0 MB/s, 1 min 20 s left",
    ]


def test_on_a_terminal_one_line_replaces_itself(clock, capsys, monkeypatch) -> None:
    monkeypatch.setattr(terminal, "styled", lambda stream=None: True)
    shown = Transfer()
    shown.begin("evil\x1b[2J.gguf", 1000, 0)
    for _ in range(3):
        clock.now += 0.2
        shown.advance(100)
    shown.say("A line that stays.")
    shown.end()
    err = capsys.readouterr().err

    assert ".gguf: 300 B of 1.0 KB, 500 B/s, 1 s left" in err
    assert "\x1b[2J" not in err
    assert err.count("\n") == 1
    assert "A line that stays.\n" in err
