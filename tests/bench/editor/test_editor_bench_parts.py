"""The benchmark measures what it says; its figures are for a quiet machine."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.bench.editor.__main__ import measure_endpoint
from tests.bench.editor.figures import Figures, percentile
from tests.bench.editor.texts import KEYS, spots
from tests.bench.editor.wire import Typing, Wire


def test_spots_are_in_the_middle_of_lines_and_always_the_same() -> None:
    found = list(itertools.islice(spots(7), 50))

    assert found == list(itertools.islice(spots(7), 50))
    assert len({one.text for one in found}) == 50
    for one in found:
        assert one.text[one.offset] == "\n"
        assert one.text[one.offset - 1] != "\n"
        assert len(one.keys) == KEYS
        assert "\n" not in one.keys


def test_percentiles_are_values_that_were_measured() -> None:
    assert [percentile(range(100), share) for share in (0.5, 0.95, 0.99)] == [50, 95, 99]
    assert percentile([3.0], 0.99) == 3.0


def test_each_way_is_measured_on_an_endpoint(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    figures = Figures()

    measure_endpoint(figures, 2)
    figures.write(tmp_path / "out" / "figures.json")

    rows = {name.removesuffix(", instant endpoint"): len(v) for name, v in figures.rows.items()}
    assert rows["overhead"] == rows["twice straight"] == 2
    assert rows["straight through the client"] == 4
    assert rows["ghost text, cold"] == rows["ghost text, warm"] == 2
    assert rows["ghost text, cached"] > 0
    assert "overhead, instant endpoint" in capsys.readouterr().out


def test_a_key_is_sent_where_the_cursor_is() -> None:
    with Wire() as wire:
        wire.initialize()
        typing = Typing(wire, "file:///a.py", "one\ntwo\n", 5)

        typing.key("!")

        assert typing.text == "one\nt!wo\n"
        assert typing.position() == {"line": 1, "character": 2}
