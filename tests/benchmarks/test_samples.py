"""Samples files: every line that can not be used is named, and nothing of the rest is lost."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.benchmarks.problems import Problem
from assistant.benchmarks.samples import MAX_LINE_BYTES, SamplesFile, read, text_of
from assistant.errors import DataProblem

TASKS = {
    f"HumanEval/{n}": Problem(f"HumanEval/{n}", f"def f{n}(x):\n", f"f{n}", "") for n in range(4)
}
GOOD = b'{"task_id": "HumanEval/1", "solution": "def f1(x): return x"}'


def reading(tmp_path: Path, content: bytes) -> SamplesFile:
    path = tmp_path / "samples.jsonl"
    path.write_bytes(content)
    return read(path, TASKS)


def texts(found: SamplesFile) -> list[tuple[str, int, str]]:
    with found.path.open("rb") as file:
        return [
            (one.task, one.number, text_of(file, one, TASKS[one.task])) for one in found.samples
        ]


def row(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


BAD = {
    "broken": (b'{"task_id": "HumanEval/1", "solution": ', "not JSON"),
    "cut in a text": (GOOD[:-4], "not JSON: Unterminated string starting at"),
    "two objects": (GOOD + GOOD, "not JSON: Extra data"),
    "unknown task": (row(task_id="HumanEval/99", solution=""), "unknown task_id 'HumanEval/99'"),
    "another benchmark": (row(task_id="Mbpp/1", solution=""), "unknown task_id 'Mbpp/1'"),
    "unknown, with odd signs": (
        row(task_id="\x1b[2J\ud800", solution=""),
        "unknown task_id '\\x1b[2J\\ud800'",
    ),
    "NUL in the line": (GOOD[:-2] + b'\0"}', "(the line has NUL bytes)"),
    "NUL between": (b"\0" * 40, "(the line has NUL bytes)"),
    "NUL in the program": (row(task_id="HumanEval/1", solution="a\0b"), "NUL character at 2"),
    "10 MB": (row(task_id="HumanEval/1", solution="#" * 10_000_000), "bytes, more than 4 MiB"),
    "2 MB": (row(task_id="HumanEval/1", solution="#" * 2_000_000), "2000000 bytes, more than 1"),
    "no object": (b'["HumanEval/1", "pass"]', "not a JSON object"),
    "a text": (b'"HumanEval/1"', "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "no task": (row(solution="pass"), "no task_id"),
    "no program": (row(task_id="HumanEval/1"), "neither solution nor completion"),
    "task is null": (row(task_id=None, solution=""), "task_id must be a text or a number"),
    "task is true": (row(task_id=True, solution=""), "task_id must be a text or a number"),
    "task is a list": (row(task_id=[1], solution=""), "task_id must be a text or a number"),
    "program is null": (row(task_id=1, solution=None), "solution must be a text, not NoneType"),
    "program is a list": (row(task_id=1, completion=["x"]), "completion must be a text, not list"),
    "sample is a text": (row(task_id=1, solution="", sample="0"), "sample must be a number"),
    "sample below 0": (row(task_id=1, solution="", sample=-1), "sample must be a number"),
    "invalid UTF-8": (GOOD[:-2] + b'\xff"}', "not UTF-8 text at byte"),
    "overlong UTF-8": (GOOD[:-2] + b'\xc0\x80"}', "not UTF-8 text at byte"),
    "lone surrogate": (
        row(task_id=1, solution="x = '\ud800'"),
        "solution is not Unicode text at character 6",
    ),
    "deep": (b"[" * 200_000 + b"]" * 200_000, "nested too deeply"),
    "deep in an object": (b'{"task_id":' * 100_000 + b"1" + b"}" * 100_000, "nested too deeply"),
    "an endless number": (b'{"task_id": ' + b"9" * 5_000 + b"}", "4300"),
    "an endless id": (row(task_id="x" * 5_000, solution=""), "unknown task_id 'xxxx"),
}


@pytest.mark.parametrize(("line", "reason"), BAD.values(), ids=BAD)
def test_a_bad_line_is_named_with_its_number_and_the_others_are_read(tmp_path, line, reason):
    after = row(task_id="HumanEval/2", solution="def f2(x): return 2")
    found = reading(tmp_path, GOOD + b"\n" + line + b"\n" + after + b"\n")

    assert [one.line for one in found.rejected] == [2]
    assert reason in found.rejected[0].reason
    assert len(found.rejected[0].reason) < 200
    assert [one.line for one in found.samples] == [1, 3]
    assert texts(found)[1] == ("HumanEval/2", 0, "def f2(x): return 2")


def test_the_task_of_a_bad_line_is_kept_where_it_is_known(tmp_path):
    found = reading(tmp_path, row(task_id="HumanEval/3", solution=3))

    assert found.rejected[0].task == "HumanEval/3"


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD + b"\n",
        b"\xef\xbb\xbf" + GOOD + b"\n",
        GOOD + b"\r\n",
        b"\n\r\n  \n" + GOOD + b"\n\n\n",
        b"\t" + GOOD + b"  \n",
    ],
    ids=["no final newline", "plain", "BOM", "CRLF", "blank lines", "spaces"],
)
def test_how_lines_end_does_not_matter(tmp_path, content: bytes):
    found = reading(tmp_path, content)

    assert found.rejected == ()
    assert texts(found) == [("HumanEval/1", 0, "def f1(x): return x")]


def test_lines_are_numbered_as_an_editor_does_blank_ones_included(tmp_path):
    found = reading(tmp_path, b"\n\n" + GOOD + b"\n\nbroken\n")

    assert ([one.line for one in found.samples], [one.line for one in found.rejected]) == ([3], [5])


def test_line_ends_within_a_program_stay_as_they_are(tmp_path):
    program = "def f1(x):\r\n    return '\u2028\x0b\x0c\x85'\n"
    line = json.dumps({"task_id": "HumanEval/1", "solution": program}, ensure_ascii=False).encode()

    assert texts(reading(tmp_path, line)) == [("HumanEval/1", 0, program)]


def test_a_completion_continues_the_prompt_and_a_solution_wins(tmp_path):
    lines = [
        row(task_id="HumanEval/0", completion="    return 1\n"),
        row(task_id="HumanEval/1", completion="ignored", solution="whole"),
    ]

    assert texts(reading(tmp_path, b"\n".join(lines))) == [
        ("HumanEval/0", 0, "def f0(x):\n    return 1\n"),
        ("HumanEval/1", 0, "whole"),
    ]


@pytest.mark.parametrize("task", ["HumanEval/2", "humaneval/2", "2", 2])
def test_ways_to_write_a_task(tmp_path, task):
    found = reading(tmp_path, row(task_id=task, solution=""))

    assert [one.task for one in found.samples] == ["HumanEval/2"]


class TestDuplicates:
    """What the module's text calls a duplicate, and nothing else."""

    def test_the_first_of_equal_lines_counts(self, tmp_path):
        found = reading(tmp_path, GOOD + b"\n" + row(task_id=2, solution="") + b"\n" + GOOD)

        assert [one.line for one in found.samples] == [1, 2]
        assert found.rejected[0].reason == "a duplicate of line 1 (the same task and text)"

    def test_equal_texts_are_samples_where_the_file_has_several_a_task(self, tmp_path):
        rows = [row(task_id=t, solution=text) for t in (0, 1) for text in ("a", "b", "a")]
        found = reading(tmp_path, b"\n".join(rows))

        assert found.rejected == ()
        assert [one.number for one in found.samples] == [0, 1, 2, 0, 1, 2]

    def test_a_file_given_twice_over_is_one_file(self, tmp_path):
        rows = [row(task_id=t, solution=str(t)) for t in range(4)]
        found = reading(tmp_path, b"\n".join(rows * 2))

        assert [one.line for one in found.samples] == [1, 2, 3, 4]
        assert [one.line for one in found.rejected] == [5, 6, 7, 8]

    def test_a_sample_number_that_occurs_twice(self, tmp_path):
        rows = [row(task_id=1, solution=text, sample=7) for text in "ab"]
        found = reading(tmp_path, b"\n".join(rows))

        assert [(one.line, one.number) for one in found.samples] == [(1, 7)]
        assert "the same task and sample number 7" in found.rejected[0].reason

    def test_lines_without_a_number_fill_what_is_left(self, tmp_path):
        rows = [
            row(task_id=1, solution="a"),
            row(task_id=1, solution="b", sample=0),
            row(task_id=1, solution="c"),
        ]
        found = reading(tmp_path, b"\n".join(rows))

        assert sorted(one.number for one in found.samples) == [0, 1, 2]
        assert {text: number for _, number, text in texts(found)}["b"] == 0


class TestFiles:
    """What is no samples file at all; the message says what it is and what to do."""

    @pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
    def test_empty(self, tmp_path, content: bytes):
        with pytest.raises(DataProblem, match="has no lines"):
            reading(tmp_path, content)

    def test_missing(self, tmp_path):
        with pytest.raises(DataProblem, match=r"nowhere\.jsonl can not be read: No such file"):
            read(tmp_path / "nowhere.jsonl", TASKS)

    def test_a_folder(self, tmp_path):
        with pytest.raises(DataProblem, match="is a folder"):
            read(tmp_path, TASKS)

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
    def test_a_pipe_does_not_hang(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(DataProblem, match="is a pipe or a device"):
            read(tmp_path / "pipe", TASKS)

    def test_unreadable(self, tmp_path):
        path = tmp_path / "samples.jsonl"
        path.write_bytes(GOOD)
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(DataProblem, match="Permission denied"):
            read(path, TASKS)

    @pytest.mark.parametrize(
        ("content", "what"),
        [
            (gzip.compress(GOOD), "gzip"),
            (GOOD.decode().encode("utf-16"), "UTF-16"),
            (b"PK\x03\x04...", "zip"),
            (b"(\xb5/\xfd...", "Zstandard"),
        ],
    )
    def test_packed_or_of_another_encoding(self, tmp_path, content: bytes, what: str):
        with pytest.raises(DataProblem, match=what) as caught:
            reading(tmp_path, content)
        assert str(tmp_path / "samples.jsonl") in caught.value.hint

    def test_a_file_that_changes_while_it_is_judged(self, tmp_path):
        found = reading(tmp_path, GOOD + b"\n")
        found.path.write_bytes(GOOD.replace(b"return x", b"return y"))
        with pytest.raises(DataProblem, match=r"changed while it was judged \(line 1\)"):
            texts(found)

    def test_a_huge_line_costs_no_more_memory_than_the_longest_allowed_one(self, tmp_path):
        import tracemalloc

        path = tmp_path / "samples.jsonl"
        with path.open("wb") as file:
            for _ in range(16):
                file.write(b"x" * MAX_LINE_BYTES)
            file.write(b"\n" + GOOD + b"\n")
        tracemalloc.start()
        try:
            found = read(path, TASKS)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        assert [one.line for one in found.samples] == [2]
        assert found.rejected[0].reason == "the line has 67108865 bytes, more than 4 MiB"
        assert peak < 5 * MAX_LINE_BYTES


_JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_LINES = st.one_of(
    st.binary(max_size=40).map(lambda b: b.replace(b"\n", b" ")),
    st.fixed_dictionaries(
        {},
        optional={
            "task_id": st.one_of(_JSON, st.sampled_from(list(TASKS))),
            "solution": st.one_of(_JSON, st.text(max_size=8)),
            "completion": st.text(max_size=8),
            "sample": _JSON,
        },
    ).map(lambda value: json.dumps(value).encode()),
)


@settings(max_examples=300)
@given(st.lists(_LINES, max_size=8), st.sampled_from([b"\n", b"\r\n"]))
def test_every_line_is_read_or_named_whatever_it_holds(tmp_path_factory, lines, end):
    """One good line is always there, and is always found."""
    tail = row(task_id="HumanEval/3", solution="last", sample=10**6)
    whole = [b"{}", *lines, tail]
    path = tmp_path_factory.mktemp("lines") / "samples.jsonl"
    path.write_bytes(end.join(whole))
    found = read(path, TASKS)
    told = [one.line for one in found.samples] + [one.line for one in found.rejected]
    held = [n for n, line in enumerate(whole, 1) if line.removeprefix(b"\xef\xbb\xbf").strip()]

    assert sorted(told) == held
    assert len({(one.task, one.number) for one in found.samples}) == len(found.samples)
    assert ("HumanEval/3", 10**6, "last") in texts(found)
