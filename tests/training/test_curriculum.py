"""The weight moves from the token loss to the structural loss, on every schedule."""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.cli.main import main
from assistant.errors import UsageProblem
from training.curriculum import SCHEDULES, STAIRS, Curriculum
from training.curriculum_plot import svg
from training.settings import Curriculum as Settings

NAMES = st.sampled_from(sorted(SCHEDULES))


@given(NAMES, st.integers(1, 300), st.floats(0, 1), st.floats(0, 1))
def test_every_schedule_starts_with_tokens_and_only_moves_towards_structure(
    name, steps, warmup, end
):
    curriculum = Curriculum(steps, warmup, end, name)
    weights = [curriculum.weights(step) for step in range(steps)]
    assert all(pair == (1.0, 0.0) for pair in weights[: int(warmup * steps)])
    for (alpha, beta), (next_alpha, next_beta) in itertools.pairwise(weights):
        assert next_alpha <= alpha + 1e-12
        assert next_beta >= beta - 1e-12
    assert all(0.0 <= beta <= 1.0 for _, beta in weights)


@given(NAMES, st.integers(20, 300), st.floats(0, 0.9), st.floats(0, 1))
def test_every_schedule_ends_where_it_was_told(name, steps, warmup, end):
    alpha, beta = Curriculum(steps, warmup, end, name).weights(steps - 1)
    assert beta == pytest.approx(1 - end)
    assert alpha == pytest.approx(1.0 if name == "alpha-constant" else end)


def test_the_linear_schedule_falls_evenly():
    curriculum = Curriculum(steps=100, warmup=0.1, alpha_end=0.5)
    weights = [curriculum.weights(step)[0] for step in range(10, 100)]
    falls = [a - b for a, b in itertools.pairwise(weights)]
    assert falls == pytest.approx([0.5 / 89] * 89)


def test_the_cosine_is_half_way_in_the_middle_and_slow_at_both_ends():
    weights = [Curriculum(101, 0.0, 0.5, "cosine").weights(step)[0] for step in range(101)]
    assert weights[50] == pytest.approx(0.75)
    assert weights[0] - weights[1] < (weights[50] - weights[51]) / 10


def test_the_stairs_are_of_equal_height_and_length():
    weights = [Curriculum(100, 0.0, 0.5, "steps").weights(step)[0] for step in range(100)]
    levels = [(value, len(list(group))) for value, group in itertools.groupby(weights)]
    assert [value for value, _ in levels] == pytest.approx([1.0, 0.875, 0.75, 0.625, 0.5])
    assert {length for _, length in levels} <= {100 // STAIRS - 1, 100 // STAIRS, 100 // STAIRS + 1}


@pytest.mark.parametrize("steps", [1, 2])
def test_a_run_too_short_for_a_curriculum_has_the_token_loss(steps):
    assert Curriculum(steps, warmup=0.5).weights(0) == (1.0, 0.0)


@pytest.mark.parametrize("wrong", [{"schedule": "zigzag"}, {"warmup": 1.5}, {"alpha_end": -0.1}])
def test_what_makes_no_curriculum_is_refused_by_name(wrong):
    (name,) = wrong
    with pytest.raises(UsageProblem, match=rf"curriculum\.{name}="):
        Curriculum(100, **wrong)


def _lines(text: str) -> list[list[tuple[float, float]]]:
    root = ET.fromstring(text)
    found = root.findall("{http://www.w3.org/2000/svg}polyline")
    return [
        [tuple(map(float, pair.split(","))) for pair in line.attrib["points"].split()]
        for line in found
    ]


@pytest.mark.parametrize("name", sorted(SCHEDULES))
def test_the_picture_shows_both_weights(name):
    alpha, beta = _lines(svg(Settings(schedule=name, warmup=0.25, alpha_end=0.5)))
    curriculum = Curriculum(401, 0.25, 0.5, name)
    for line, which in ((alpha, 0), (beta, 1)):
        heights = [(300 - y) / 260 for _, y in line]
        right = [curriculum.weights(step)[which] for step in range(401)]
        assert heights == pytest.approx(right, abs=3e-4)


def test_the_command_draws_what_is_set_and_starts_nothing(tmp_path, capsys):
    file = tmp_path / "weights.svg"
    arguments = [
        "train",
        "nano",
        "--set",
        "curriculum.schedule=cosine",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*arguments, "--plot-curriculum", str(file)]) == 0
    assert re.search("<title>cosine", file.read_text("utf-8"))
    assert str(file) in capsys.readouterr().out
    assert not (tmp_path / "o").exists()
    assert main([*arguments, "--plot-curriculum", str(tmp_path / "no" / "x.svg")]) == 2
