"""Events of a run can be read back, also when the writer was killed in mid-line."""

from __future__ import annotations

import pytest

from assistant import runs
from assistant.errors import DataProblem

EVENTS = (
    runs.RunStarted("nano", ("problems", "base"), {"seed": 1}, resumed=False),
    runs.StageStarted("base", resumed_at=3),
    runs.StageSkipped("problems"),
    runs.Step("base", 20, 400, {"loss": 1.5}, 3100.5, "tokens"),
    runs.StageFinished("base", 2.5, {"base/model.safetensors": "ab"}),
    runs.RunStopped("base", "interrupted"),
    runs.RunFinished(60.0),
)


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_is_read_as_it_was_written(event):
    assert runs.from_json(runs.to_json(event, at=12.25)) == (12.25, event)


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path):
    runs.append(tmp_path, EVENTS[0])
    with (tmp_path / runs.EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.write('{"type": "step", "at": 1')
    runs.append(tmp_path, EVENTS[5])
    runs.append(tmp_path, EVENTS[6])
    assert [event for _, event in runs.read(tmp_path)] == [EVENTS[0], EVENTS[5], EVENTS[6]]


def test_a_folder_without_a_run_has_no_events(tmp_path):
    assert list(runs.read(tmp_path)) == []


@pytest.mark.parametrize("line", ["", "[]", '{"type": "party", "at": 1}', '{"type": "step"}'])
def test_what_is_no_event_is_refused(line):
    with pytest.raises(DataProblem, match="not an event"):
        runs.from_json(line)
