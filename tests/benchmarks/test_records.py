"""The folder of an evaluation: torn lines, other runs' results, two runs at once, full disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.benchmarks import lock, records
from assistant.benchmarks.records import FAIL, PASS, Journal, Record
from assistant.errors import DataProblem, StateProblem, UsageProblem

IDENTITY = {"benchmark": "humaneval", "dataset_sha256": "d" * 64, "judge": 1}


def record(n: int, sample: int = 0) -> Record:
    return Record(f"HumanEval/{n}", sample, PASS, FAIL, "wrong", "", "plus 3", "bubblewrap")


def written(folder: Path, *lines: bytes) -> Path:
    (folder / records.VERDICTS).write_bytes(b"".join(lines))
    return folder


def test_what_is_written_is_read_again(tmp_path):
    journal = Journal(tmp_path)
    for n in range(3):
        journal.add(record(n))
    # Before it is closed: whoever kills us finds all of them.
    assert list(records.read_verdicts(tmp_path).values()) == [record(n) for n in range(3)]
    journal.close()


@given(st.integers(0, 400))
def test_a_torn_last_line_is_dropped_wherever_it_was_cut(tmp_path_factory, cut: int):
    folder = tmp_path_factory.mktemp("torn")
    whole = b"".join(records.line_of(record(n)) for n in range(3))
    written(folder, whole[: min(cut, len(whole))])
    kept = whole[:cut].count(b"\n")

    assert len(records.read_verdicts(folder)) == kept
    journal = Journal(folder)
    journal.add(record(7))
    journal.close()
    assert list(records.read_verdicts(folder)) == [(f"HumanEval/{n}", 0) for n in [*range(kept), 7]]


def test_zeros_of_a_crashed_machine_are_no_lines(tmp_path):
    written(tmp_path, records.line_of(record(0)), b"\0" * 512 + b"\n", records.line_of(record(1)))

    assert len(records.read_verdicts(tmp_path)) == 2


@pytest.mark.parametrize("line", [b"{\n", b"[]\n", b"{}\n", b'{"task_id": 1}\n', b"\xff\n"])
def test_a_line_that_is_not_ours_is_named(tmp_path, line: bytes):
    written(tmp_path, records.line_of(record(0)), line, records.line_of(record(1)))
    with pytest.raises(DataProblem, match=r"verdicts\.jsonl:2: not a verdict"):
        records.read_verdicts(tmp_path)


class TestClaim:
    """A folder is of one run; what another one is about is never mixed in."""

    def test_the_same_run_again(self, tmp_path):
        records.claim(tmp_path / "a" / "b", IDENTITY)
        records.claim(tmp_path / "a" / "b", dict(IDENTITY))

        assert records.read_run(tmp_path / "a" / "b") == {"format": 1, **IDENTITY}

    @pytest.mark.parametrize(
        ("name", "value"), [("benchmark", "mbpp"), ("dataset_sha256", "e" * 64), ("judge", 2)]
    )
    def test_another_run_is_refused_with_what_differs(self, tmp_path, name: str, value):
        records.claim(tmp_path, IDENTITY)
        with pytest.raises(UsageProblem, match=f"another run .*{name}: .* there, .* now") as caught:
            records.claim(tmp_path, IDENTITY | {name: value})
        assert "--out DIR" in caught.value.hint

    def test_another_format_is_refused(self, tmp_path):
        (tmp_path / records.RUN).write_text(json.dumps({"format": 99, **IDENTITY}))
        with pytest.raises(UsageProblem, match="format: 99 there, 1 now"):
            records.claim(tmp_path, IDENTITY)

    def test_results_that_nobody_says_anything_of(self, tmp_path):
        written(tmp_path, records.line_of(record(0)))
        with pytest.raises(UsageProblem, match=r"no run\.json says of what"):
            records.claim(tmp_path, IDENTITY)

    @pytest.mark.parametrize("content", ["", "{", "[]"])
    def test_a_broken_file(self, tmp_path, content: str):
        (tmp_path / records.RUN).write_text(content)
        with pytest.raises(DataProblem, match=r"run\.json"):
            records.claim(tmp_path, IDENTITY)

    def test_a_file_where_the_folder_is_to_be(self, tmp_path):
        (tmp_path / "out").write_text("")
        with pytest.raises(StateProblem, match="can not be written"):
            records.claim(tmp_path / "out", IDENTITY)
        with pytest.raises(StateProblem, match="can not be written"), lock.held(tmp_path / "out"):
            pass


class TestLock:
    """One run at a time; the lock ends with its holder."""

    def test_two_at_once(self, tmp_path):
        refused = pytest.raises(UsageProblem, match="Another evaluation is writing to")
        with lock.held(tmp_path), refused, lock.held(tmp_path):
            pass
        with lock.held(tmp_path):
            pass

    def test_a_killed_holder_leaves_no_lock(self, tmp_path):
        code = (
            "import sys\nfrom pathlib import Path\nfrom assistant.benchmarks import lock\n"
            "with lock.held(Path(sys.argv[1])):\n    print('held', flush=True)\n"
            "    sys.stdin.read()"
        )
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(os.environ, PYTHONPATH=str(Path(__file__).resolve().parents[2])),
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"held\n"
            with pytest.raises(UsageProblem), lock.held(tmp_path):
                pass
            process.kill()
            process.wait()
            with lock.held(tmp_path):
                pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_a_full_disk_is_named_and_what_is_written_stays(tmp_path):
    (tmp_path / records.VERDICTS).symlink_to("/dev/full")
    journal = Journal(tmp_path)
    with pytest.raises(StateProblem, match="No space left on device") as caught:
        journal.add(record(0))
    assert "what is judged is kept" in caught.value.hint
