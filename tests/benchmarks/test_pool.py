"""Judging processes: killed in mid-run, ended with the pool; any number has the same verdicts."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from assistant.benchmarks import problems, truth
from assistant.benchmarks.judging import Work
from assistant.benchmarks.pool import Died, Pool
from assistant.benchmarks.problems import Inputs, Problem
from assistant.benchmarks.rules import Rule
from assistant.sandbox import layers

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")

PASSES = "def f(n):\n    return 2 * n\n"
ENDLESS = "def f(n):\n    while True:\n        pass\n"


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> Path:
    inputs = Inputs(tuple([n] for n in range(5)), tuple([n] for n in range(5, 30)), Rule.EQUAL, 0)
    problem = Problem("Made/0", "", "f", PASSES, inputs=inputs)
    path: Path = tmp_path_factory.mktemp("truth") / "Made-0"
    truth.compute(problem, path)
    return path


def judged(expected: Path, programs: list[str], workers: int) -> dict[int, Any]:
    found: dict[int, Any] = {}
    works = [Work("Made/0", number, one, expected) for number, one in enumerate(programs)]
    with Pool(workers) as running:
        running.run(works, lambda job, answer: found.__setitem__(job.sample, answer))
    return found


def test_the_number_of_workers_changes_nothing(expected: Path):
    # Each sets up what would change the verdict of the next if anything were shared.
    programs = [
        "import builtins\nbuiltins.len = None\nopen('/tmp/left', 'w').write('x')\n" + PASSES,
        "import os\ndef f(n):\n    return 2 * n + len(os.listdir('/tmp'))\n",
        "import os\ndef f(n):\n    os._exit(0)\n",
        "def f(n):\n    return n\n",
        "def f(n):\n    raise KeyboardInterrupt\n",
        PASSES,
    ]
    one, two, four = (judged(expected, programs, workers) for workers in (1, 2, 4))
    assert one == two == four
    outcomes = [one[number].outcome for number in range(len(programs))]
    assert outcomes[1:] == ["pass", "crash", "wrong", "error", "pass"]


def test_a_worker_that_is_killed_costs_no_verdict(expected: Path):
    """Its job is given to another one, once."""
    killed = threading.Event()
    found: list[Any] = []
    with Pool(1, tick=lambda: kill()) as running:

        def kill() -> None:
            if not killed.is_set():
                killed.set()
                os.kill(running._workers[0].process.pid, signal.SIGKILL)

        slow = "import time\ntime.sleep(1)\n" + PASSES
        running.run([Work("Made/0", 0, slow, expected)], lambda _, answer: found.append(answer))
    assert killed.is_set()
    assert [one.outcome for one in found] == ["pass"]


def test_a_job_that_kills_every_worker_is_told_and_the_rest_is_done(expected: Path):
    found: dict[int, Any] = {}

    def kill() -> None:
        for worker in running._workers:
            if worker.job is not None and worker.job.sample == 0:
                os.kill(worker.process.pid, signal.SIGKILL)

    slow = "import time\ntime.sleep(3)\n" + PASSES
    works = [Work("Made/0", n, text, expected) for n, text in enumerate([slow, PASSES])]
    with Pool(1, tick=kill) as running:
        running.run(works, lambda job, answer: found.__setitem__(job.sample, answer))
    assert isinstance(found[0], Died)
    assert found[1].outcome == "pass"


def test_what_the_answers_are_told_to_may_end_the_run(expected: Path):
    running = Pool(2)

    def stop(job: Any, answer: Any) -> None:
        raise KeyboardInterrupt

    works = [Work("Made/0", 0, PASSES, expected), Work("Made/0", 1, ENDLESS, expected)]
    with pytest.raises(KeyboardInterrupt), running:
        running.run(works, stop)
    assert running._workers == []


def test_asserts_and_calls_share_workers(expected: Path):
    tests = problems.Tests(asserts=("assert f(2) == 4",))
    works = [Work("Made/0", 0, PASSES, expected), Work("Made/1", 1, PASSES, tests=tests)]
    found: dict[int, Any] = {}
    with Pool(1) as running:
        running.run(works, lambda job, answer: found.__setitem__(job.sample, answer))
    assert (found[0].plus, found[1].plus) == ("pass", None)
    assert found[1].base == "pass"


def test_workers_are_gone_when_the_pool_is(expected: Path):
    with Pool(2) as running:
        running.run(
            [Work("Made/0", n, PASSES, expected) for n in range(3)], lambda job, answer: None
        )
        processes = [worker.process for worker in running._workers]
    assert [one.returncode for one in processes] == [0, 0]
