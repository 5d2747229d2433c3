"""`assistant eval` and `eval-compare`: the contract of the command line, with real judging."""

from __future__ import annotations

import json

import pytest

from assistant.cli.main import main
from assistant.sandbox import layers
from tests.cli.conftest import BENCHMARK_TASKS
from tests.support.benchmark_runs import right, rows_of, write_rows, wrong

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


class TestContract:
    """Exit codes, what is written, and what stands where."""

    def test_every_sample_judged_is_0(self, evaluate, tmp_path):
        samples = write_rows(tmp_path / "s.jsonl", [right(0), wrong(1)])
        code, out, err = evaluate("--samples", samples, "--out", "results")

        assert code == 0
        assert "pass@1 base           50.0 %" in out
        assert "(9.5 to 90.5 %, Wilson, 95%)  1 of 2" in out
        assert "tasks.jsonl is not the published HumanEval" in err
        assert err.endswith("Verdicts and figures: results\n")
        assert {"task_id", "sample", "base", "plus"} <= rows_of(tmp_path / "results")[0].keys()

    def test_json_is_the_summary_on_disk_and_nothing_else(self, evaluate, tmp_path):
        samples = write_rows(tmp_path / "s.jsonl", [right(0), wrong(1)])
        code, out, _ = evaluate("--samples", samples, "--out", "results", "--json")
        summary = json.loads(out)

        assert code == 0
        assert summary == json.loads((tmp_path / "results" / "summary.json").read_bytes())
        assert summary["base"]["pass@1"].keys() == {"value", "low", "high", "interval"}
        assert summary["benchmark"] == "humaneval"
        assert summary["published_data"] is False
        assert (summary["prompt"], summary["extraction"]) == ("given", "none")
        assert len(summary["tasks_without_samples"]) == BENCHMARK_TASKS - 2

    def test_bad_lines_are_named_the_rest_is_graded_and_the_exit_code_is_3(
        self, evaluate, tmp_path
    ):
        bad = [
            b"{broken",
            json.dumps({"task_id": "HumanEval/99", "solution": ""}).encode(),
            json.dumps(right(0)).encode(),
            b'{"task_id": "HumanEval/4", "solution": "\0"}',
            json.dumps({"task_id": "HumanEval/5", "solution": "x = '\0'"}).encode(),
            json.dumps({"task_id": "HumanEval/6", "solution": "#" * 10_000_000}).encode(),
            b"[]",
            b'{"solution": ""}',
            b'{"task_id": "HumanEval/7"}',
            b'{"task_id": "HumanEval/\x1b[31m8", "solution": "\xff"}',
        ]
        good = [json.dumps(row).encode() for row in (right(0), wrong(1))]
        path = tmp_path / "s.jsonl"
        path.write_bytes(b"\xef\xbb\xbf" + b"\r\n".join([good[0], *bad, b"", good[1]]))
        code, out, err = evaluate("--samples", path, "--out", "results")

        assert code == 3
        assert out.startswith("humaneval: 2 tasks, 2 samples judged, 10 lines not used")
        assert [row["task_id"] for row in rows_of(tmp_path / "results")] == [
            "HumanEval/0",
            "HumanEval/1",
        ]
        named = [line for line in err.splitlines() if line.startswith(f"{path}:")]
        assert [int(line.split(":")[1]) for line in named] == list(range(2, 12))
        assert "a duplicate of line 1" in named[2]
        assert "10000" in named[5]
        assert "\x1b" not in err
        summary = json.loads((tmp_path / "results" / "summary.json").read_bytes())
        assert [one["line"] for one in summary["rejected"]] == list(range(2, 12))

    def test_only_bad_lines(self, evaluate, tmp_path):
        (tmp_path / "s.jsonl").write_text("{}\n")
        code, out, _ = evaluate("--samples", "s.jsonl", "--out", "results")

        assert code == 3
        assert "base: nothing was judged" in out

    def test_a_sample_that_could_not_be_judged_is_3_and_named(
        self, evaluate, tmp_path, monkeypatch
    ):
        monkeypatch.setattr("assistant.sandbox.layers", lambda: ())
        samples = write_rows(tmp_path / "s.jsonl", [right(n) for n in range(25)])
        code, out, err = evaluate("--samples", samples, "--out", "results")

        assert code == 3
        assert "0 samples judged, 25 not judged, 25 tasks lost" in out
        assert err.count("Not judged: HumanEval/") == 20
        assert "Not judged: 5 more; results/summary.json names them." in err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--limit", "0"], "--limit must be 1 or more, not 0"),
            (["--workers", "-1"], "--workers must be 1 or more, not -1"),
            (["--temperature", "11"], "--temperature must be from 0 to 10"),
            (["--temperature", "nan"], "--temperature must be from 0 to 10"),
            (["--samples-per-task", "3"], "Several greedy answers"),
            (["--samples", "s.jsonl", "--temperature", "1"], "are for a model"),
            (["--samples", "s.jsonl", "--model", "m"], "not allowed with"),
            (["--limit", "many"], "invalid int value"),
            (["--nonsense"], "Unrecognized arguments"),
        ],
    )
    def test_wrong_usage_is_2(self, evaluate, arguments: list[str], said: str):
        code, out, err = evaluate(*arguments)

        assert (code, out) == (2, "")
        assert said in err

    def test_an_unknown_benchmark_is_2(self, evaluate):
        code, _, err = evaluate("--samples", "s.jsonl", benchmark="humanevall")

        assert code == 2
        assert "Did you mean humaneval?" in err

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (["--samples", "nowhere.jsonl"], "nowhere.jsonl can not be read: No such file"),
            (["--samples", "."], "is a folder"),
            (["--samples", "empty.jsonl"], "has no lines"),
            (["--samples", "good.jsonl", "--out", "empty.jsonl"], "can not be written"),
            (["--model", "nowhere.gguf"], "nowhere.gguf"),
        ],
    )
    def test_what_can_not_be_done_is_1_and_no_folder_is_left(
        self, evaluate, tmp_path, arguments: list[str], said: str
    ):
        (tmp_path / "empty.jsonl").write_bytes(b"")
        write_rows(tmp_path / "good.jsonl", [right(0)])
        code, out, err = evaluate(*arguments)

        assert (code, out) == (1, "")
        assert said in err
        assert "Traceback" not in err
        assert not (tmp_path / "runs").exists()

    def test_no_data_says_where_it_comes_from(self, capsys, monkeypatch):
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
        monkeypatch.delenv("ASSISTANT_DATA", raising=False)
        code = main(["eval", "mbpp", "--samples", "s.jsonl"])
        err = capsys.readouterr().err

        assert code == 1
        assert "is not on this machine, and HF_HUB_OFFLINE forbids" in err
        assert "--data PATH" in err

    def test_another_run_in_the_same_folder_is_refused(self, evaluate, tmp_path):
        first = write_rows(tmp_path / "first.jsonl", [right(0)])
        second = write_rows(tmp_path / "second.jsonl", [wrong(1)])
        assert evaluate("--samples", first, "--out", "results")[0] == 0
        before = (tmp_path / "results" / "verdicts.jsonl").read_bytes()
        code, _, err = evaluate("--samples", second, "--out", "results")

        assert code == 2
        assert "results holds the results of another run (samples_sha256: " in err
        assert (tmp_path / "results" / "verdicts.jsonl").read_bytes() == before

    def test_without_out_each_samples_file_has_a_folder(self, evaluate, tmp_path):
        for n in (0, 1):
            write_rows(tmp_path / "s.jsonl", [right(n)])
            assert evaluate("--samples", "s.jsonl")[0] == 0

        assert len(list((tmp_path / "runs" / "eval").glob("humaneval-s-*"))) == 2

    def test_progress_is_plain_lines_where_there_is_no_terminal(self, evaluate, tmp_path):
        samples = write_rows(tmp_path / "s.jsonl", [right(0)])
        _, _, err = evaluate("--samples", samples)

        assert "\r" not in err
        assert "\x1b" not in err


class TestCompare:
    """`eval-compare`."""

    @pytest.fixture
    def two(self, evaluate, tmp_path, capsys) -> None:
        for name, rows in (
            ("one", [right(1), wrong(2), right(3)]),
            ("two", [right(1), right(2), wrong(4)]),
        ):
            samples = write_rows(tmp_path / f"{name}.jsonl", rows)
            assert evaluate("--samples", samples, "--out", name)[0] == 0
        capsys.readouterr()

    def test_the_tasks_of_both_are_compared(self, two, capsys):
        assert main(["eval-compare", "one", "two"]) == 0
        out = capsys.readouterr().out

        assert "base: 2 tasks; pass@1 50.0 % and 100.0 %" in out
        assert "better in the second (1): HumanEval/2" in out
        assert "judged in the first alone (1): HumanEval/3" in out

    def test_json(self, two, capsys):
        assert main(["eval-compare", "one", "two", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)

        assert found["base"]["difference"] == 0.5
        assert found["base"]["mcnemar_p"] == 1.0

    def test_what_is_no_evaluation_is_1_and_what_can_not_be_compared_2(self, two, tmp_path, capsys):
        assert main(["eval-compare", "one", "nowhere"]) == 1
        assert "nowhere is no folder of a finished evaluation" in capsys.readouterr().err
        run = tmp_path / "two" / "run.json"
        run.write_text(run.read_text().replace('"humaneval"', '"mbpp"'))
        assert main(["eval-compare", "one", "two"]) == 2
        assert "they are of different benchmarks (humaneval and mbpp)" in capsys.readouterr().err
