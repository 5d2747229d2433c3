"""The corpus that comes with the development data, as programs of ours."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.hostile.program import SHORT, Case, Hostile, Witness

_ROOT = Path(__file__).resolve().parents[2]
_OUTCOMES = {
    "PASS": "pass",
    "WRONG": "wrong",
    "TIMEOUT": "timeout",
    "CRASH": "crash",
    "PROTOCOL": "protocol violation",
    "OUTPUT_LIMIT": "output limit",
    "ERROR:MemoryError": "memory",
}
# With the filter of system calls only the second list is right for them, as their notes say.
_FILTER_DECIDES = ("ptrace parent", "keyring/bpf/perf/io_uring/userfaultfd")
_FIND_CHANNEL = """
import fcntl, os, stat, sys
for _fd in range(3, 64):
    try:
        if stat.S_ISFIFO(os.fstat(_fd).st_mode) and fcntl.fcntl(_fd, fcntl.F_GETFL) & 3 == 1:
            sys.argv[1:] = [str(_fd)]
    except OSError: pass
"""


def path() -> Path:
    """Where the corpus would be."""
    data = os.environ.get("ASSISTANT_DATA") or _ROOT.parent / "shared" / "data"
    return Path(data) / "hostile" / "corpus.jsonl"


def programs() -> tuple[Hostile, ...]:
    """The programs, none where the data is absent."""
    if not path().is_file():
        return ()
    lines = path().read_text("utf-8").splitlines()
    return tuple(_program(json.loads(line)) for line in lines if line.strip())


def _program(row: dict[str, Any]) -> Hostile:
    spaces = _verdicts(row["expected"]["namespaces"])
    refused = _verdicts(row["expected"]["landlock_seccomp"])
    # Bubblewrap has the filter too: right is also what the filter refuses first.
    both = refused if row["name"] in _FILTER_DECIDES else tuple(dict.fromkeys(spaces + refused))
    if row["name"] in _FILTER_DECIDES:
        both = refused = ("error AssertionError",)
    calls = row["call"]["calls"]
    program = Hostile(
        name=f"shared: {row['name']}",
        kind=row["kind"],
        intent=row["intent"],
        source=row["program"],
        bubblewrap=both,
        landlock=refused,
        calls=tuple(Case(tuple(call["args"]), call["expected"]) for call in calls),
        limits=SHORT if "timeout" in both and "pass" not in both else {},
    )
    if row["call"]["channel_fd"]:
        program = replace(program, source=_FIND_CHANNEL + program.source)
    if row["name"] == "connect host loopback":
        source = program.source.replace('("127.0.0.1",22)', '("127.0.0.1",PORT)')
        program = replace(program, source=source, witness=Witness.CONTACT)
    return program


def _verdicts(names: list[str]) -> tuple[str, ...]:
    return tuple(_OUTCOMES.get(name) or name.replace("ERROR:", "error ") for name in names)
