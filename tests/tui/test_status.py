"""The status line: every value in its own column, whatever goes on."""

from __future__ import annotations

import pytest

from tui.turn import Phase, Turn
from tui.widgets.status import status_text

SEPARATORS = ("tok/s", "first", " s ", " tok")


@pytest.mark.parametrize("phase", list(Phase))
def test_no_phase_moves_a_column(phase: Phase) -> None:
    """A line whose parts jump can not be read while it changes."""
    turn = Turn("q")
    turn.progress(512, 512)
    line = status_text("a-model-with-a-very-long-name-indeed", phase, turn)
    idle = status_text("", Phase.READY, None)

    assert len(line) == 77, "it fits into 80 columns with its margins"
    assert [line.rindex(part) for part in SEPARATORS] == [idle.rindex(part) for part in SEPARATORS]
    assert phase.value in line


def test_the_reading_of_a_long_prompt_is_shown_in_percent() -> None:
    """So that a minute of silence is not taken for a hang."""
    turn = Turn("q")
    turn.sent()
    assert "evaluating prompt  " in status_text("m", turn.phase, turn)
    turn.progress(300, 400)

    assert "evaluating prompt 75%" in status_text("m", turn.phase, turn)


def test_a_model_given_by_path_is_named_by_its_file() -> None:
    """The folder would fill the column."""
    line = status_text("/home/me/models/llama-8b.gguf", Phase.READY, None)

    assert line.startswith("llama-8b ")
