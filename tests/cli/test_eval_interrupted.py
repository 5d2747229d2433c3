"""An evaluation that is killed, interrupted, started twice or out of disk."""

from __future__ import annotations

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

from assistant.sandbox import layers
from tests.cli.conftest import BENCHMARK_TASKS
from tests.support.benchmark_runs import ROOT, right, write_rows, wrong

pytestmark = pytest.mark.skipif(not layers(), reason="no sandbox works on this machine")


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
def started(benchmark_data: Path, tmp_path: Path) -> Iterator[Callable[..., Running]]:
    made: list[Running] = []

    def start(samples: Path, out: str = "results") -> Running:
        made.append(Running(benchmark_data, samples, tmp_path / out))
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

    @pytest.mark.parametrize("rounds", [1, pytest.param(15, marks=pytest.mark.soak)])
    def test_killed_at_any_moment_the_end_is_the_same_bytes(
        self, started, evaluate, tmp_path, rounds: int
    ):
        rows = [right(n) if n % 3 else wrong(n) for n in range(BENCHMARK_TASKS)]
        samples = write_rows(tmp_path / "s.jsonl", rows)
        assert evaluate("--samples", samples, "--out", "undisturbed")[0] == 0
        for number in range(rounds):
            out = tmp_path / f"results{number}"
            for reached in sorted(random.sample(range(BENCHMARK_TASKS // 2), 3)):
                one = started(samples, out.name)
                one.wait_for(lambda one=one, reached=reached: one.verdicts() >= reached)
                _, _, children = one.end(signal.SIGKILL)
                assert gone(children)
                if random.random() < 0.5 and one.verdicts():
                    with (out / "verdicts.jsonl").open("ab") as file:
                        file.write(b'{"task_id": "HumanEval/')
            assert evaluate("--samples", samples, "--out", out)[0] == 0

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

        samples = write_rows(tmp_path / "s.jsonl", [right(n) for n in range(BENCHMARK_TASKS)])
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
        assert one.verdicts() == BENCHMARK_TASKS
