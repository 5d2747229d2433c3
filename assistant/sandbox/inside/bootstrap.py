"""The first thing that runs inside: limits, then the program that came over the channel.

It is passed with `-c`, so that no file of ours has to exist inside. Arguments: the descriptor to
write answers to, the descriptor to read questions from.
"""

import marshal
import os
import resource
import sys

_OUT, _IN = int(sys.argv[1]), int(sys.argv[2])
_MEBIBYTE = 1 << 20


def _read_exactly(count):
    parts = []
    while count:
        part = os.read(_IN, min(count, 1 << 20))
        if not part:
            os._exit(0)  # the parent has gone
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _receive(read=_read_exactly, number=int.from_bytes):
    return read(number(read(4), "big"))


def _send(data, write=os.write, out=_OUT):
    data = len(data).to_bytes(4, "big") + data
    sent = write(out, data)
    while sent < len(data):
        sent += write(out, data[sent:])


def _limit(limits):
    cpu = max(1, int(limits["cpu_s"] + 0.999))
    size = limits["file_mb"] * _MEBIBYTE
    with open("/proc/self/statm", encoding="ascii") as file:
        own = int(file.read().split()[0]) * resource.getpagesize()
    memory = limits["memory_mb"] * _MEBIBYTE + own
    for kind, soft, hard in (
        (resource.RLIMIT_CPU, cpu, cpu + 1),
        (resource.RLIMIT_FSIZE, size, size),
        (resource.RLIMIT_CORE, 0, 0),
        (resource.RLIMIT_NOFILE, limits["descriptors"], limits["descriptors"]),
        (resource.RLIMIT_NPROC, limits["threads"], limits["threads"]),
        (resource.RLIMIT_AS, memory, memory),
    ):
        resource.setrlimit(kind, (soft, hard))


_setup = marshal.loads(_receive())
os.environ.clear()
_limit(_setup["limits"])
_program = _setup["program"]
if isinstance(_program, str):
    _program = compile(_program, "<worker>", "exec")
exec(_program, {"__name__": "__main__", "receive": _receive, "send": _send})
