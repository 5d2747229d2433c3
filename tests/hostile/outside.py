"""A tame program without any sandbox: does it get what it is after?

It harms nobody: all that it reaches was made by the test. Still it gets limits and an end.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

from tests.hostile.judging import Judge, source_in
from tests.hostile.program import Hostile, Witness
from tests.hostile.world import SECRET_VARIABLE, descendants, end

_SECONDS = 30
_A_SECRET = re.compile(r"answer 'hostile-secret-[0-9a-f]{32}'")
# A moment for what threads and children are about to do, then the end.
_ASK = """
print('answer', repr(f(*{args!r})), flush=True)
import os, time
time.sleep(0.05)
os._exit(0)
"""


def problem(program: Hostile, judge: Judge) -> str:
    """What it said if it failed, empty when it got out."""
    said = _said(program, judge)
    changed = judge.world.changes()
    left = descendants(os.getpid())
    left.pop(judge.world.victim.pid, None)
    end(left)
    if program.witness is Witness.SECRET:
        # That of another world, too: one program looks at every process there is.
        return "" if _A_SECRET.search(said) else said or "nothing"
    if program.witness is Witness.NONE:
        return "" if f"answer {program.calls[0].expected!r}" in said else said or "nothing"
    return "" if program.witness in changed else f"{program.witness.value}: no. It said: {said}"


def _said(program: Hostile, judge: Judge) -> str:
    output = judge.folder / "outside"
    output.mkdir()
    command = source_in(program, judge.world) + _ASK.format(args=program.calls[0].args)
    with (output / "said").open("wb") as said:
        run = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", command],
            cwd=output,
            env={SECRET_VARIABLE: judge.world.secret, "PATH": os.environ["PATH"]},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            close_fds=False,
            start_new_session=True,
            preexec_fn=_bound,
        )
    try:
        run.wait(_SECONDS)
    finally:
        run.kill()
        run.wait()
    text = (output / "said").read_text("utf-8", "replace")
    _remove(output)
    return text


def _bound() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
    resource.setrlimit(resource.RLIMIT_FSIZE, (16 << 20, 16 << 20))


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
