"""`assistant eval` and `eval-compare`: the contract of the command line, with real judging."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from assistant.cli.main import main
from assistant.sandbox import layers
from tests.support.benchmark_runs import ROOT, made_up, right, write_rows, wrong
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")
TASKS = 40


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ASSISTANT_DATA", raising=False)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return made_up(tmp_path / "tasks.jsonl", TASKS)


@pytest.fixture
def evaluate(data: Path, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command in this process: exit code, stdout, stderr."""

    def call(*arguments: object, benchmark: str = "humaneval") -> tuple[int, str, str]:
        words = ["eval", benchmark, "--data", str(data), *map(str, arguments)]
        code = main(words)
        return code, *capsys.readouterr()

    return call


def rows_of(folder: Path, name: str = "verdicts.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / name).read_text().splitlines()]


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
        assert len(summary["tasks_without_samples"]) == TASKS - 2

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


class Running:
    """The command as a process of its own."""

    def __init__(self, data: Path, samples: Path, out: Path) -> None:
        self.out = out
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "assistant", "eval", "humaneval", "--workers", "2"),
                *("--data", data, "--samples", samples, "--out", out),
            ],
            env=dict(os.environ, PYTHONPATH=str(ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def verdicts(self) -> int:
        path = self.out / "verdicts.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            if self.process.poll() is not None:
                return
            assert time.monotonic() < deadline, "the condition never came true"
            time.sleep(0.002)

    def end(self, number: signal.Signals) -> tuple[int, str, list[psutil.Process]]:
        """Send a signal; the exit status, stderr, and what had been started."""
        try:
            children = psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            children = []
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, err, children


@pytest.fixture
def started(data: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(samples: Path, out: str = "results") -> Running:
        made.append(Running(data, samples, tmp_path / out))
        return made[-1]

    yield start
    for one in made:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def gone(processes: list[psutil.Process]) -> bool:
    _, alive = psutil.wait_procs(processes, timeout=20)
    return all(one.status() == psutil.STATUS_ZOMBIE for one in alive if one.is_running())


def endless(n: int) -> dict[str, Any]:
    return {"task_id": n, "solution": "def add(a):\n    while True: pass\n"}


class TestInterruption:
    """Whatever ends a run: what is judged is kept, nothing survives, the same command goes on."""

    @pytest.mark.parametrize("kills", [3, pytest.param(40, marks=pytest.mark.soak)])
    def test_killed_at_any_moment_the_end_is_the_same_bytes(
        self, started, evaluate, tmp_path, kills: int
    ):
        rows = [right(n) if n % 3 else wrong(n) for n in range(TASKS)]
        samples = write_rows(tmp_path / "s.jsonl", rows)
        assert evaluate("--samples", samples, "--out", "undisturbed")[0] == 0
        out = tmp_path / "results"
        for _ in range(kills):
            one = started(samples)
            reached = random.randrange(TASKS)
            one.wait_for(lambda one=one, reached=reached: one.verdicts() >= reached)
            _, _, children = one.end(signal.SIGKILL)
            assert gone(children)
            if random.random() < 0.5 and one.verdicts():
                with (out / "verdicts.jsonl").open("ab") as file:
                    file.write(b'{"task_id": "HumanEval/')
        assert evaluate("--samples", samples, "--out", "results")[0] == 0

        for name in ("verdicts.jsonl", "summary.json", "run.json"):
            assert (out / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
        assert sorted(path.name for path in out.iterdir() if path.name[0] != ".") == [
            "run.json",
            "summary.json",
            "verdicts.jsonl",
        ]

    def test_ctrl_c_keeps_what_is_judged_and_says_where(self, started, tmp_path):
        samples = write_rows(tmp_path / "s.jsonl", [*map(right, range(4)), endless(5), endless(6)])
        one = started(samples)
        one.wait_for(lambda: one.verdicts() >= 4)
        code, err, children = one.end(signal.SIGINT)

        assert code == 130
        assert err.endswith(
            f"What is done is kept in {one.out}; the same command goes on from there.\n"
            "Interrupted.\n"
        )
        assert one.verdicts() == 4
        assert gone(children)

    def test_a_second_run_in_the_same_folder_waits_for_nobody(self, started, evaluate, tmp_path):
        samples = write_rows(tmp_path / "s.jsonl", [right(0), endless(1)])
        one = started(samples)
        one.wait_for(lambda: one.verdicts() >= 1)
        code, _, err = evaluate("--samples", samples, "--out", one.out)

        assert code == 2
        assert f"Another evaluation is writing to {one.out}" in err
        one.end(signal.SIGKILL)
        assert one.verdicts() == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits another process")
    def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(self, started, evaluate, tmp_path):
        """The file may grow by half a line more; the kernel refuses the rest, as a full disk."""
        import resource

        samples = write_rows(tmp_path / "s.jsonl", [right(n) for n in range(TASKS)])
        one = started(samples)
        one.wait_for(lambda: one.verdicts() >= 2)
        size = (one.out / "verdicts.jsonl").stat().st_size + 200
        resource.prlimit(one.process.pid, resource.RLIMIT_FSIZE, (size, size))
        _, err = one.process.communicate(timeout=60)

        assert one.process.returncode == 1
        assert "verdicts.jsonl can not be written: File too large" in err
        assert "What is done is kept in" in err
        assert "Unexpected" not in err
        assert (one.out / "verdicts.jsonl").stat().st_size == size
        assert evaluate("--samples", samples, "--out", one.out)[0] == 0
        assert one.verdicts() == TASKS


def fenced(code: str) -> str:
    return f"Here it is:\n\n```python\n{code}```\n"


class TestModels:
    """Answers from a server that says what a test told it to."""

    @pytest.fixture
    def ask(self, evaluate, monkeypatch):
        def call(server: ScriptedEndpoint, *more: object) -> tuple[int, str, str]:
            monkeypatch.setenv("ASSISTANT_ENDPOINT_URL", server.url)
            return evaluate("--limit", 5, *more)

        return call

    def test_answers_become_programs_that_are_judged(self, ask, tmp_path):
        answers = [
            fenced("def add(a):\n    return a + 0\n"),
            fenced("    return a + 1\n"),
            "I can not.",
            fenced("def add(a):\n    return a\n"),
            Reply.of(fenced("def add(a):\n    return a + 4\n"), finish_reason="length"),
        ]
        with ScriptedEndpoint(answers) as server:
            code, out, err = ask(server, "--out", "results")

        assert code == 0
        assert [row["base"] for row in rows_of(tmp_path / "results")] == [
            *("pass", "pass", "fail", "fail", "pass")
        ]
        kept = rows_of(tmp_path / "results", "samples.jsonl")
        assert [row["extracted"] for row in kept] == ["program", "body", "none", *["program"] * 2]
        assert kept[2]["answer"] == "I can not."
        assert "1 of 5 answers were cut off at ask.max_tokens." in err
        assert "1 of 5 answers hold no code." in err
        assert "pass@1 base           60.0 %" in out

    def test_every_model_gets_the_same_prompt_and_nothing_else(self, ask, tmp_path):
        asked = {}
        for name in ("ours", "theirs"):
            with ScriptedEndpoint([fenced("def add(a): return a\n")], model=name) as server:
                assert ask(server, "--out", name)[0] == 0
                asked[name] = [
                    {key: value for key, value in one.items() if key != "model"}
                    for one in server.requests
                ]

        assert asked["ours"] == asked["theirs"]
        messages = asked["ours"][1]["messages"]
        assert [one["role"] for one in messages] == ["user"]
        assert messages[0]["content"].startswith("Implement this function:\n```python\ndef add(a):")
        assert asked["ours"][0]["temperature"] == 0
        assert main(["eval-compare", "ours", "theirs"]) == 0

    @pytest.mark.parametrize(
        "failure", [Reply.of("Here it", break_after=0), Reply(status=500, error="out of memory")]
    )
    def test_a_server_that_goes_away_costs_the_answer_that_ran(self, ask, tmp_path, failure):
        good = fenced("def add(a):\n    return a + 0\n")
        with ScriptedEndpoint([good, good, failure]) as server:
            code, out, err = ask(server, "--out", "results")
        assert (code, out) == (1, "")
        assert "What is done is kept in results; the same command goes on from there." in err
        before = (tmp_path / "results" / "samples.jsonl").read_bytes()
        assert before.count(b"\n") == 2

        with (tmp_path / "results" / "samples.jsonl").open("ab") as file:
            file.write(b'{"task_id": "Hum')
        with ScriptedEndpoint([good]) as server:
            # Where it listens belongs to a run: the model behind it may be another one.
            run = tmp_path / "results" / "run.json"
            found = json.loads(run.read_bytes())
            here = {"endpoint": server.url, "model": server.url.split("/")[2]}
            run.write_text(json.dumps(found | here))
            assert ask(server, "--out", "results")[0] == 0
            assert len(server.requests) == 3
        after = (tmp_path / "results" / "samples.jsonl").read_bytes()
        assert after.startswith(before)
        assert after.count(b"\n") == 5

    def test_a_model_file_is_asked_by_the_user_s_own_engine(self, shared, data, tmp_path):
        """The daemon is killed between two runs; the second goes on by a new one."""
        home = str(shared.home / "good")
        command = ["eval", "humaneval", "--model", shared.model("good"), "--data", str(data)]
        first = shared.run(*command, "--limit", "2", "--out", "results", ASSISTANT_HOME=home)
        pid = json.loads(shared.run("status", "--json", ASSISTANT_HOME=home).stdout)["pid"]
        os.kill(pid, signal.SIGKILL)
        second = shared.run(*command, "--limit", "3", "--out", "results", ASSISTANT_HOME=home)

        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        rows = rows_of(tmp_path / "results", "samples.jsonl")
        assert [row["task_id"] for row in rows] == [f"HumanEval/{n}" for n in range(3)]
        assert {row["solution"] for row in rows} == {"def add(a, b):\n    return a + b\n"}
        assert json.loads((tmp_path / "results" / "run.json").read_bytes())["model"] == "good"

    def test_samples_of_a_task_differ_by_their_seed(self, ask, tmp_path):
        with ScriptedEndpoint([fenced("def add(a): return a\n")]) as server:
            ask(server, "--samples-per-task", 2, "--temperature", "0.8", "--out", "results")
            asked = [(one["seed"], one["temperature"]) for one in server.requests]

        assert asked == [(0, 0.8)] * 5 + [(1, 0.8)] * 5
        rows = rows_of(tmp_path / "results")
        assert [(row["task_id"], row["sample"]) for row in rows[:3]] == [
            ("HumanEval/0", 0),
            ("HumanEval/0", 1),
            ("HumanEval/1", 0),
        ]

    @pytest.mark.parametrize("line", ["{", "[]", "{}", '{"task_id": "HumanEval/0", "sample": 0}'])
    def test_a_line_that_was_not_written_here_is_named(self, ask, tmp_path, line: str):
        with ScriptedEndpoint([fenced("def add(a): return a\n")]) as server:
            assert ask(server, "--out", "results", "--limit", 1)[0] == 0
            with (tmp_path / "results" / "samples.jsonl").open("a") as file:
                file.write(line + "\n")
            code, _, err = ask(server, "--out", "results", "--limit", 2)

        assert code == 1
        assert "samples.jsonl:2: not an answer that was written here" in err

    def test_another_setting_in_the_same_folder_is_refused(self, ask):
        with ScriptedEndpoint([fenced("def add(a): return a\n")]) as server:
            ask(server, "--out", "results")
            code, _, err = ask(server, "--out", "results", "--temperature", "0.5")

        assert code == 2
        assert "temperature: 0.0 there, 0.5 now" in err


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
