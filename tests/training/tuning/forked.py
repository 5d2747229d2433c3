"""Runs of the stage `adapter` in processes that are killed, or that share the work.

A program of its own: it imports everything once, then each run is a fork of it, which costs
nothing. `python -m tests.training.tuning.forked kill|share FOLDER ARGUMENTS` (see the functions).
"""

from __future__ import annotations

import dataclasses
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import peft
import torch
from torch.distributed.tensor import DTensor

from tests.training.tuning.support import NANO, STAGE, pretrained, with_
from training.stages import Job
from training.tuning import machine, stage, validation
from training.tuning import tuned as models

_FAST = {"tokens": 16_000, "batch_tokens": 2000, "checkpoint_every": 1, "evaluate_examples": 4}


def kill(folder: Path, nano: Path, deaths: int) -> None:
    """One whole run, and one that is killed (SIGKILL) `deaths` times at random moments.

    Prints how many of the deaths left a checkpoint to go on from.
    """
    settings = with_(NANO, adapter=_FAST)
    folders = (folder / "whole", folder / "killed")
    whole, killed = (Job(STAGE, "nano", settings, place, None, "key") for place in folders)
    for job in (whole, killed):
        job.out.mkdir(parents=True)
        for name in STAGE.inputs:
            job.path(name).parent.mkdir(exist_ok=True)
            job.path(name).write_bytes((nano / name).read_bytes())
    started = time.monotonic()
    assert _ended(_fork(lambda: stage.make(whole))) == 0
    seconds = time.monotonic() - started
    steps = _steps(whole)
    seed = random.randrange(10**6)
    print(f"seed {seed}", flush=True)  # noqa: T201
    rng = random.Random(seed)
    died = going_on = 0
    while died < deaths:
        if _steps(killed) >= steps - 1:  # nothing is left to be killed in: begin anew
            for name in ("adapter", "checkpoints"):
                shutil.rmtree(killed.out / name)
        target = rng.randrange(_steps(killed), steps)
        child = _fork(lambda: stage.make(killed))
        while _steps(killed) < target and not os.waitid(
            os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT
        ):
            time.sleep(0.001)
        # A moment by chance, and no wait for anything.
        time.sleep(rng.uniform(0, 2 * seconds / steps))
        os.kill(child, signal.SIGKILL)
        died += _ended(child) == -signal.SIGKILL
        going_on += killed.path("checkpoints/adapter.pt").exists()
    assert _ended(_fork(lambda: stage.make(killed))) == 0
    print(json.dumps({"going_on": going_on}))  # noqa: T201


def _steps(job: Job) -> int:
    """Lines of metrics so far."""
    path = job.path("adapter/metrics.jsonl")
    return path.read_bytes().count(b"\n") if path.exists() else 0


def share(folder: Path, nano: Path, how: str) -> None:
    """The same steps by one process, by two, and (`sharded`) by two with the weights cut."""
    chosen = {
        "packed": True, "accumulate": 3, "tokens": 12_000, "batch_tokens": 1200, "rank": 4,
        "dropout": 0.1, "evaluate_every": 2, "sample_every": 3, "lr": 0.001,
    }  # fmt: skip
    sections = {"adapter": chosen, "structural": {"arm": "projection"}}
    one = pretrained(nano, folder / "one", "llama", **sections)
    two = pretrained(nano, folder / "two", "llama", **sections)
    assert _ended(_fork(lambda: _exactly(one, sharded=False))) == 0
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    children = []
    for rank in range(2):
        known = {
            "RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": 2, "LOCAL_WORLD_SIZE": 2,
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": 1,
        }  # fmt: skip
        os.environ.update({name: str(value) for name, value in known.items()})
        children.append(_fork(lambda: _exactly(two, sharded=how == "sharded")))
    assert [_ended(child) for child in children] == [0, 0]


def _exactly(job: Job, *, sharded: bool) -> None:
    """The stage in float32: in bfloat16 another order of sums is seen in the fourth digit."""
    real = machine.find

    def find(*, processor: bool) -> machine.Machine:
        return dataclasses.replace(real(processor=processor), exact=True, sharded=sharded)

    made = models.make

    def make(*arguments: Any) -> peft.PeftModel:
        tuned = made(*arguments)
        cut = {n for n, p in tuned.named_parameters() if isinstance(p, DTensor)}
        frozen = {n for n, p in tuned.named_parameters() if ".layers." in n and not p.requires_grad}
        assert cut == (frozen if sharded else set())
        return tuned

    stage.find, models.make = find, make
    stage.make(job)


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        work()
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(1)
    os._exit(0)


def _ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    torch.set_num_threads(1)
    validation._NEW_TOKENS = 8
    what, where, source, *more = sys.argv[1:]
    if what == "kill":
        kill(Path(where), Path(source), int(more[0]))
    else:
        share(Path(where), Path(source), more[0])
