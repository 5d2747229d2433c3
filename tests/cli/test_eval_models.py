"""`assistant eval` with a model: what it is asked, what becomes of its answers, what resumes."""

from __future__ import annotations

import json
import os
import signal

import pytest

from assistant.cli.main import main
from assistant.sandbox import layers
from tests.support.benchmark_runs import rows_of
from tests.support.scripted_endpoint import Reply, ScriptedEndpoint

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


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

    def test_a_model_file_is_asked_by_the_user_s_own_engine(
        self, shared, benchmark_data, tmp_path, monkeypatch
    ):
        """The daemon is killed between two runs; the second goes on by a new one."""
        monkeypatch.chdir(tmp_path)
        home = str(shared.home / "good")
        command = [
            "eval",
            "humaneval",
            "--model",
            shared.model("good"),
            "--data",
            str(benchmark_data),
        ]
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
