"""Progress is for people on stderr: a redrawn line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io

import pytest

from training.progress import Progress, duration


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(Progress, "TERMINAL_SECONDS", 0.0)
    monkeypatch.setattr(Progress, "PLAIN_SECONDS", 0.0)


def test_plain_lines_have_count_rate_and_time_left_and_no_control_characters():
    stream = io.StringIO()
    progress = Progress("base", 1000, "tokens", stream=stream)
    progress.advance(250, "loss 2.5")
    progress.close()
    first, last = stream.getvalue().splitlines()
    assert first.startswith("base: 250 of 1,000 tokens (25%), ")
    assert "a second" in first and "left" in first and first.endswith("loss 2.5")
    assert last.startswith("base: 250 tokens in ")
    assert "\x1b" not in stream.getvalue()


def test_a_terminal_has_one_line_that_is_redrawn():
    stream = Terminal()
    progress = Progress("base", 10, "steps", stream=stream)
    progress.advance(1)
    progress.advance(1)
    assert stream.getvalue().count("\n") == 0
    progress.close()
    assert stream.getvalue().count("\n") == 1


def test_what_an_earlier_run_did_counts_for_the_share_and_not_for_the_rate():
    stream = io.StringIO()
    progress = Progress("base", 100, "steps", start=90, stream=stream)
    progress.advance(0)
    assert "90 of 100 steps (90%), 0 a second" in stream.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.4, "59 s"), (61, "1 min 1 s"), (7500, "2 h 5 min")],
)
def test_durations_are_for_people(seconds, text):
    assert duration(seconds) == text
