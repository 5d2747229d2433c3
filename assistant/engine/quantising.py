"""The process that calls llama.cpp's quantiser, which is one C call and can not be interrupted.

One job comes in: a line of JSON, and the float32 values of the importance matrix behind it. Lines
of JSON go out: each tensor as its turn comes, and one at the end. Once nobody holds the other end
of its input it ends, so that it never goes on for a program that is gone.

    in    {"source", "target", "type": 15, "threads", "buffer", "dry", "importance": [[name, n]]}
    out   {"tensor": "blk.0.attn_q.weight", "number": 3, "of": 291}
          {"becomes": "Q4_K"}                   of the tensor before; absent when it stays
          {"fallbacks": 2}                      tensors whose rows do not divide into blocks
          {"done": true, "anonymous": 12345}    bytes at most, or {"error": "in llama.cpp's words"}
"""

from __future__ import annotations

import array
import ctypes
import json
import logging
import os
import re
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from assistant.engine import library
from assistant.errors import AssistantError

_TENSOR = re.compile(r"\[ *(?P<number>\d+)/ *(?P<of>\d+)\] (?P<name>\S+) ")
_CONVERTED = re.compile(r"converting to (?P<type>\w+) |size = .* -> .* MiB \((?P<planned>\w+)\)")
_FALLBACKS = re.compile(r"WARNING: (?P<count>\d+) of \d+ tensor\(s\) required fallback")


def main() -> None:
    """Do the job of the standard input."""
    job = json.loads(sys.stdin.buffer.readline())
    importance = [(name, _values(sys.stdin.buffer, count)) for name, count in job["importance"]]
    threading.Thread(target=_end_with_the_caller, daemon=True).start()
    telling = _Telling()
    library.log.addHandler(telling)
    library.log.setLevel(logging.DEBUG)
    library.log.propagate = False
    try:
        code = _quantise(job, importance)
    except AssistantError as error:
        _tell({"error": str(error)})
        return
    if code:
        _tell({"error": library.errors_of_library() or f"code {code}"})
        return
    _tell({"done": True, "anonymous": max(telling.anonymous, anonymous_bytes())})


def anonymous_bytes() -> int:
    """Memory of this process that no file backs; 0 where the system does not say."""
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+) kB", status)
    return int(found[1]) * 1024 if found else 0


class _Telling(logging.Handler):
    """Tells what llama.cpp says that it does. It says so between two tensors, when its buffers are
    as large as the largest so far: a good time to look at the memory.
    """

    def __init__(self) -> None:
        super().__init__()
        self.anonymous = 0

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage() + " "
        if found := _TENSOR.match(line):
            self.anonymous = max(self.anonymous, anonymous_bytes())
            numbers = {name: int(found[name]) for name in ("number", "of")}
            _tell({"tensor": found["name"], **numbers})
        elif found := _CONVERTED.search(line):
            _tell({"becomes": (found["type"] or found["planned"]).upper()})
        elif found := _FALLBACKS.search(line):
            _tell({"fallbacks": int(found["count"])})


def _quantise(job: dict[str, Any], importance: Sequence[tuple[str, Any]]) -> int:
    lib = library.llama()
    params = library.quantisation()
    params.ftype, params.nthread = job["type"], job["threads"]
    params.max_buf_size, params.dry_run = job["buffer"], job["dry"]
    # Ended by an entry without a name.
    entries = (lib.llama_model_imatrix_data * (len(importance) + 1))()
    for entry, (name, values) in zip(entries, importance, strict=False):
        entry.name, entry.data, entry.size = name.encode(), values, len(values)
    if importance:
        params.imatrix = entries
    paths = (os.fsencode(job[name]) for name in ("source", "target"))
    code: int = lib.llama_model_quantize(*paths, ctypes.byref(params))
    return code


def _values(source: BinaryIO, count: int) -> Any:
    """The next `count` numbers, as C has them."""
    values = array.array("f", source.read(4 * count))
    return (ctypes.c_float * count).from_buffer(values)


def _end_with_the_caller() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _tell(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()
