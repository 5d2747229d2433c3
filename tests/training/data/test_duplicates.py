"""Near duplicates are found and different statements are kept; so it is with contamination."""

from __future__ import annotations

import random

import pytest

from assistant.errors import DataProblem
from tests.support.taco_rows import data_or_skip, real_statements, statement
from training.data.decontamination import Contamination, benchmark_tasks, fetch
from training.data.duplicates import NearDuplicates, shingles, similarity
from training.data.text import words

ALL_TASKS = 164 + 600 + 378


def _changed(text: str, share: float, seed: int) -> str:
    """Another text: some words of `text` are replaced, in one place."""
    found = text.split()
    start = random.Random(seed).randrange(len(found))
    for offset in range(int(share * len(found))):
        found[(start + offset) % len(found)] = f"other{offset}"
    return " ".join(found)


@pytest.mark.parametrize(
    "changed",
    [
        str.upper,
        lambda text: text.replace(" ", "\n  "),
        lambda text: text.replace(",", " , ").replace(".", " ."),
        lambda text: f"{text} (translated)",
        lambda text: _changed(text, 0.04, 1),
    ],
)
def test_a_near_duplicate_is_found(changed):
    known = NearDuplicates(0.8)
    text = statement(3)
    assert known.add("first", text) is None
    assert known.add("second", changed(text)) == "first"


def test_what_is_said_to_be_near_is_near_and_nothing_near_is_missed():
    texts = [statement(n) for n in range(40)]
    texts += [_changed(text, n / 60, n) for n, text in enumerate(texts[:30])]
    known, kept = NearDuplicates(0.8), []
    for number, text in enumerate(texts):
        near = [i for i in kept if similarity(shingles(text), shingles(texts[i])) >= 0.8]
        found = known.add(str(number), text)
        assert (found is None) == (not near)
        if found is None:
            kept.append(number)
        else:
            assert int(found) in near
    assert set(range(40)) <= set(kept) and 40 < len(kept) < 70


def test_short_statements_are_duplicates_only_when_they_are_equal():
    known = NearDuplicates(0.8)
    assert known.add("1", "Add two numbers") is None
    assert known.add("2", "Add three numbers") is None
    assert known.add("3", "add TWO numbers!") == "1"


def test_real_statements_are_nearly_all_different():
    known = NearDuplicates(0.8)
    found = [known.add(str(n), text) for n, text in enumerate(real_statements()[:400])]
    assert sum(one is not None for one in found) < 8


@pytest.fixture(scope="module")
def tasks() -> list[tuple[str, str]]:
    folder = data_or_skip("humaneval")
    data_or_skip("mbpp_plus")
    said: list[str] = []
    found = list(benchmark_tasks(folder, said.append))
    assert said == [] and len(found) == ALL_TASKS
    return found


def test_every_task_of_the_benchmarks_is_found_within_a_statement(tasks):
    contamination = Contamination(tasks)
    missed = [
        name for name, text in tasks if len(words(text)) > 3 and contamination.find(text) is None
    ]
    assert missed == []
    hidden = [
        name
        for name, text in tasks
        if contamination.find(f"You are a cook in a far land. {text} Print it.") is None
    ]
    # A task of fewer than eight words of its own is found by itself alone.
    assert len(hidden) < 0.6 * len(tasks)
    long = [text for _, text in tasks if len(words(text)) > 30]
    missed = [
        text for text in long if contamination.find(f"Once there was: {text} The end.") is None
    ]
    assert len(missed) < 0.05 * len(long)


def test_real_statements_of_competitions_are_not_contaminated(tasks):
    contamination = Contamination(tasks)
    found = [contamination.find(text) for text in real_statements()]
    assert sum(one is not None for one in found) < 30


def test_asking_for_a_function_is_no_contamination(tasks):
    contamination = Contamination(tasks)
    assert contamination.find("Write a python function to find the first free seat.") is None


def test_what_is_not_there_is_said(tmp_path):
    said: list[str] = []
    assert list(benchmark_tasks(tmp_path, said.append)) == []
    assert [one.split(":")[0] for one in said] == [
        "not compared with HumanEval", "not compared with MBPP", "not compared with MBPP+ v0.2.0",
    ]  # fmt: skip


def test_what_many_tasks_say_belongs_to_none_of_them():
    asked = "count numbers, sort letters, print words, end lines"
    tasks = [
        (f"set {n}", f"{asked} and then something of its own: {statement(n)}") for n in range(4)
    ]
    assert Contamination(tasks).find(f"Please {asked} now") is None
    assert Contamination(tasks[:3]).find(f"Please {asked} now") == "set 0"
    # The same task in several benchmarks is one task.
    same = [(f"set {n}", tasks[0][1]) for n in range(9)]
    assert Contamination(same).find(f"Please {asked} now") == "set 0"


def test_training_data_of_the_network_is_compared_or_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.delenv("ASSISTANT_DATA", raising=False)
    with pytest.raises(DataProblem, match="can not be compared with HumanEval") as caught:
        fetch(tmp_path, lambda text: None)
    assert "problems.decontaminate=false" in str(caught.value)


def test_benchmarks_that_are_there_are_not_fetched(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    fetch(data_or_skip("mbpp_plus"), lambda text: pytest.fail(text))
