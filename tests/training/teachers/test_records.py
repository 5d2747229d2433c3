"""Answers that were paid for: their keys, and what a kill, a copy or an editor does to them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from assistant.errors import DataProblem, TrainingProblem
from training.teachers.calls import Answer, Call, Sampling, Teacher, key_of
from training.teachers.records import Records, rows

CALL = Call("t1", "writer", ({"role": "user", "content": "Explain é."},), Sampling())
BIG = Teacher("big", "abc")
ANSWER = Answer("some text\n", "stop", 10, 20)


@pytest.fixture
def opened(tmp_path):
    """Open the same file again and again; the one before is closed."""
    last = []

    def again(**more):
        if last:
            last.pop().close()
        last.append(Records(tmp_path / "r.jsonl", **more))
        return last[-1]

    yield again
    if last:
        last.pop().close()


OTHERS = {
    "task": (replace(CALL, task="t2"), BIG),
    "prompt": (replace(CALL, messages=({"role": "user", "content": "Explain e."},)), BIG),
    "role": (replace(CALL, messages=({"role": "system", "content": "Explain é."},)), BIG),
    "model": (CALL, Teacher("bigger", "abc")),
    "revision": (CALL, Teacher("big", "abd")),
    "temperature": (replace(CALL, sampling=Sampling(temperature=0.5)), BIG),
    "top_p": (replace(CALL, sampling=Sampling(top_p=0.5)), BIG),
    "max_tokens": (replace(CALL, sampling=Sampling(max_tokens=5)), BIG),
    "seed": (replace(CALL, sampling=Sampling(seed=5)), BIG),
    "stop": (replace(CALL, sampling=Sampling(stop=("x",))), BIG),
    "sample": (replace(CALL, sample=1), BIG),
    "attempt": (replace(CALL, attempt=1), BIG),
}


@pytest.mark.parametrize("other", OTHERS)
def test_each_ingredient_is_in_the_key(opened, other):
    records = opened()
    records.put(CALL, BIG, ANSWER)
    assert records.get(CALL, BIG) == ANSWER
    assert key_of(*OTHERS[other]) != key_of(CALL, BIG)
    assert records.get(*OTHERS[other]) is None


def test_the_name_of_a_turn_is_for_people(opened):
    assert key_of(replace(CALL, turn="other"), BIG) == key_of(CALL, BIG)


def test_records_outlive_the_process_and_a_torn_one_is_cut_off(opened):
    records = opened()
    records.put(CALL, BIG, ANSWER)
    records.put(replace(CALL, task="t2"), BIG, ANSWER)
    whole = records.path.read_bytes()
    records.path.write_bytes(whole[:-9])
    records = opened()
    assert len(records) == 1
    assert records.get(CALL, BIG) == ANSWER
    assert records.get(replace(CALL, task="t2"), BIG) is None
    records.put(replace(CALL, task="t2"), BIG, ANSWER)
    assert records.path.read_bytes() == whole
    assert opened().get(replace(CALL, task="t2"), BIG) == ANSWER


def test_what_was_cut_off_is_on_record_and_never_used_again(opened):
    records = opened()
    records.put(CALL, BIG, replace(ANSWER, finish="length"))
    for one in (records, opened()):
        assert one.get(CALL, BIG) is None
        assert one.cut_off(CALL, BIG).completion_tokens == 20


def test_any_text_survives(opened):
    texts = ["", "\n\r\n\u2028 \x00", "\ud800 alone", "🙂" * 10]
    records = opened()
    for number, text in enumerate(texts):
        records.put(replace(CALL, task=str(number)), BIG, replace(ANSWER, text=text))
    records = opened()
    for number, text in enumerate(texts):
        assert records.get(replace(CALL, task=str(number)), BIG).text == text


@pytest.mark.parametrize("line", ["{}", "[]", "half", '{"key": 1, "text": ""}', '{"key": "a"}'])
def test_a_damaged_line_is_named(tmp_path, line):
    (tmp_path / "r.jsonl").write_text(f"{line}\n")
    with pytest.raises(DataProblem, match=r"r\.jsonl:1 is not a record"):
        Records(tmp_path / "r.jsonl")


def test_a_newer_version_is_not_guessed_at(tmp_path):
    (tmp_path / "r.jsonl").write_text('{"version": 3, "key": "a", "text": "b"}\n')
    with pytest.raises(DataProblem, match="version 3"):
        Records(tmp_path / "r.jsonl")


def test_two_runs_do_not_write_to_one_file(opened, tmp_path):
    opened()
    with pytest.raises(TrainingProblem, match="another run"):
        Records(tmp_path / "r.jsonl")
    opened()


def test_the_first_version_is_read(opened, tmp_path):
    """Its keys knew no revision and no attempt; its lines had no version."""
    sampling = replace(CALL.sampling, seed=7 + 1000)
    call = replace(CALL, sample=1, sampling=sampling)
    parts = {
        "problem": "t1",
        "prompt": list(CALL.messages),
        "model": "big",
        "sampling": [0.6, 0.95, 1024, 7],
        "sample": 1,
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    old = {"key": key, "problem": "t1", "model": "big", "sample": 1, "rejected": [], "text": "old"}
    path = tmp_path / "old.jsonl"
    path.write_text(json.dumps(old) + "\n")
    records = opened(older=(path, tmp_path / "missing.jsonl"))
    assert records.get(call, Teacher("big")).text == "old"
    assert records.get(call, BIG) is None
    assert records.get(replace(call, attempt=1), Teacher("big")) is None
    assert path.read_text() == json.dumps(old) + "\n"


def test_a_record_says_everything_that_it_is_kept_under(opened):
    records = opened()
    records.put(CALL, BIG, ANSWER)
    (row,) = rows(records.path)
    assert row["version"] == 2
    assert row["key"] == key_of(CALL, BIG)
    assert (row["model"], row["revision"], row["usage"]) == ("big", "abc", [10, 20])
