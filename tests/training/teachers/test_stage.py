"""The stage `contexts` with a real teacher: killed, interrupted, gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from random import Random

import pytest

from assistant.cli.main import main
from assistant.sandbox import layers
from tests.support.teacher_server import GOOD, Reply, a_problem
from training import contexts
from training.teachers.records import rows
from training.world.problem import write_jsonl

COUNT = 30


@pytest.fixture
def run(tmp_path):
    """A run's folder whose problems are made."""
    out = tmp_path / "run"
    out.mkdir()
    write_jsonl(out / "problems.jsonl", (a_problem(n) for n in range(COUNT)))
    return out


def _arguments(server, run, **more):
    values = {
        "teacher": server.url,
        "teacher_model": "big",
        "concurrency": 4,
        "records": run / "records.jsonl",
        **more,
    }
    sets = [part for k, v in values.items() for part in ("--set", f"contexts.{k}={v}")]
    return ["train", "nano", "--stage", "contexts", "--out", str(run), "--resume", *sets]


def _start(server, run, **more):
    command = [sys.executable, "-m", "assistant", *_arguments(server, run, **more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _asked(server, first=0):
    return [body["messages"][1]["content"].split("\n")[1] for body in server.bodies[first:]]


def _recorded(run):
    path = run / "records.jsonl"
    finished = {row["task"] for row in rows(path)} if path.exists() else set()
    return {a_problem(int(task[1:])).request for task in finished}


def _expected():
    return [f"t{n}" for n in range(COUNT)]


def test_a_killed_run_asks_for_no_finished_sample_again(server, run, tmp_path):
    """Killed (SIGKILL) at three moments, each with answers on their way."""
    gate, held, random = threading.Event(), [0], Random(3)

    def behave(number, body):
        return Reply() if number < held[0] else Reply(wait=gate)

    server.behave = behave
    for _ in range(3):
        first = len(server.bodies)
        held[0] = first + random.randint(2, 7)
        before = _recorded(run)
        process = _start(server, run)
        server.wait_for(lambda: len(server.bodies) >= held[0] + 4)
        process.kill()
        process.communicate()
        assert len(_recorded(run)) > len(before)
        assert not before & set(_asked(server, first))
    gate.set()
    server.behave = lambda number, body: Reply()
    first, before = len(server.bodies), _recorded(run)
    assert len(before) >= 6
    assert main(_arguments(server, run)) == 0
    assert sorted(_asked(server, first)) == sorted(
        {a_problem(n).request for n in range(COUNT)} - before
    )
    assert [id for id, _ in contexts.read(run / "contexts.jsonl")] == _expected()
    assert main(_arguments(server, run)) == 0
    assert len(server.bodies) == first + COUNT - len(before)


@pytest.mark.skipif(os.name == "nt", reason="sends a signal to a process of its own")
@pytest.mark.parametrize("busy", [False, True])
def test_ctrl_c_loses_nothing(server, run, busy):
    """While answers are awaited, and while a server that has had enough is waited for."""
    gate = threading.Event()
    stuck = Reply(status=429, headers={"Retry-After": "3000"}) if busy else Reply(wait=gate)
    server.behave = lambda number, body: Reply() if number < 9 else stuck
    process = _start(server, run)
    server.wait_for(lambda: len(server.bodies) >= 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    gate.set()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    done, first = _recorded(run), len(server.bodies)
    assert len(done) >= 6
    server.behave = lambda number, body: Reply()
    assert main(_arguments(server, run)) == 0
    assert not done & set(_asked(server, first))


def test_the_same_answers_give_the_same_files_whatever_came_first(server, run, tmp_path):
    """Answers that need no repeat come before those that do."""
    broken = {3, 11, 12}

    def behave(number, body):
        said = str(body["messages"])
        bad = any(f"number {n}:" in said for n in broken) and "Not accepted" not in said
        return Reply("no" if bad else GOOD.replace("nums", said.split("number ")[1][:2]))

    server.behave = behave
    made = []
    for at_once in (1, 8):
        records = tmp_path / f"{at_once}.jsonl"
        assert main(_arguments(server, run, concurrency=at_once, records=records)) == 0
        made.append([(run / n).read_bytes() for n in ("contexts.jsonl", "contexts.report.json")])
    assert made[0] == made[1]
    assert len(server.bodies) == 2 * (COUNT + len(broken))


def test_failures_are_listed_and_counted(server, run):
    server.behave = lambda n, b: Reply("no" if "number 7:" in str(b) else GOOD)
    assert main(_arguments(server, run, attempts=2, max_failed_share=0.1, samples=2)) == 0
    failed = [json.loads(line) for line in (run / "contexts.failed.jsonl").open()]
    assert [(row["id"], row["sample"]) for row in failed] == [("t7", 0), ("t7", 1)]
    report = json.loads((run / "contexts.report.json").read_text())
    assert report["samples asked for"] == 60
    assert report["samples failed"] == 2
    assert report["samples chosen"] == 58
    ids = Counter(id for id, _ in contexts.read(run / "contexts.jsonl"))
    assert len(ids) == COUNT - 1
    assert set(ids.values()) == {2}
    server.behave = lambda number, body: Reply()
    assert main(_arguments(server, run, attempts=3, max_failed_share=0.1, samples=2)) == 0
    assert not (run / "contexts.failed.jsonl").exists()


def test_failures_are_listed_when_they_stop_the_run(server, run):
    server.behave = lambda number, body: Reply("no")
    assert main(_arguments(server, run, attempts=1, max_failed_share=0.1, concurrency=1)) == 1
    failed = [json.loads(line)["id"] for line in (run / "contexts.failed.jsonl").open()]
    assert failed == ["t0", "t1", "t2", "t3"]
    assert not (run / "contexts.jsonl").exists()


def test_what_will_be_spent_is_said_first(server, run, capfd):
    prices = {"usd_per_million_prompt": 2.0, "usd_per_million_completion": 10.0}
    assert main(_arguments(server, run, requests_per_minute=60000, **prices)) == 0
    said = capfd.readouterr().err
    for word in ("calls: 30", "money: 0.28", "27,000 x 10", "30 calls / 60,000 a minute"):
        assert word in said


def test_the_program_explains_only_its_own_world(run, capfd):
    arguments = ["train", "nano", "--stage", "contexts", "--out", str(run), "--resume"]
    assert main(arguments) == 1
    assert "contexts.teacher=program" in capfd.readouterr().err


@pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")
def test_a_selection_that_leaves_nothing_says_so_at_once(server, run, capfd):
    """And not in the next stage, which would look for examples."""
    wrong = "```python\ndef f():\n    return None\n```"
    server.behave = lambda n, body: Reply(wrong if body["temperature"] == 0 else GOOD)
    assert main(_arguments(server, run, select="passing")) == 1
    assert "none of 30 samples is left by contexts.select=passing" in capfd.readouterr().err
