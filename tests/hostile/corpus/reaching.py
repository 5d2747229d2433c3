"""Programs that reach for others: listeners and a process that the test has opened on the host."""

from tests.hostile.program import CLEAN, REFUSED, Hostile, Witness

_GOOD = "def f(x): return x + 1\n"
_NO_NETWORK = (*REFUSED, "error ConnectionRefusedError", "error TimeoutError", "error gaierror")
_NO_SIGNAL = ("error PermissionError", "error ProcessLookupError", "error OSError")


def _contacts(name: str, source: str, *allowed: str, tame: bool = True) -> Hostile:
    return Hostile(
        name=f"contact: {name}",
        kind="network",
        intent="reaches a listener of the host",
        source="import os, socket\n" + source + _GOOD,
        bubblewrap=allowed or _NO_NETWORK,
        witness=Witness.CONTACT,
        tame=tame,
    )


def _touches(name: str, source: str, *allowed: str, tame: bool = True) -> Hostile:
    return Hostile(
        name=f"touch: {name}",
        kind="signal",
        intent="changes or ends a process of the host",
        source="import os, signal\n" + source + _GOOD,
        bubblewrap=allowed or _NO_SIGNAL,
        witness=Witness.VICTIM,
        tame=tame,
    )


_SYSCALL = (
    "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
    "def call(*a):\n    if libc.syscall(*a) < 0: raise OSError(ctypes.get_errno(), 'refused')\n"
    "X = os.uname().machine == 'x86_64'\n"
)

PROGRAMS = (
    _contacts("TCP", "socket.create_connection(('127.0.0.1', PORT), 1).sendall(b'hello')\n"),
    _contacts(
        "UDP",
        "s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'hello', ('127.0.0.1', PORT))\n",
    ),
    _contacts("a socket file", "socket.socket(socket.AF_UNIX).connect(SOCKET)\n"),
    _contacts("an abstract socket", "socket.socket(socket.AF_UNIX).connect('\\0' + ABSTRACT)\n"),
    _contacts(
        "a datagram to an abstract socket",
        "s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "s.sendto(b'hello', '\\0' + ABSTRACT + '-d')\n",
    ),
    _contacts(
        "fast open",
        "s = socket.socket()\ns.sendto(b'hello', 0x20000000, ('127.0.0.1', PORT))\n",
        tame=False,
    ),
    _contacts(
        "a connection by asyncio",
        "import asyncio\nasync def go():\n"
        "    r, w = await asyncio.open_connection('127.0.0.1', PORT)\n"
        "    w.write(b'hello')\n    await w.drain()\nasyncio.run(go())\n",
    ),
    _contacts(
        "a fifo of the host",
        "fd = os.open(FIFO, os.O_WRONLY | os.O_NONBLOCK)\nos.write(fd, b'hello')\n",
    ),
    Hostile(
        name="contact: a listener of its own",
        kind="network",
        intent="waits for connections from the network",
        source="import socket\ns = socket.create_server(('0.0.0.0', 0))\n" + _GOOD,
        bubblewrap=_NO_NETWORK,
        tame=True,
    ),
    Hostile(
        name="contact: every family of sockets",
        kind="network",
        intent="lists the kinds of socket that it was given, a pair excepted",
        source="""
import socket
def f(x):
    got = []
    for family in range(1, 46):
        for kind in (1, 2, 3, 5):
            try: socket.socket(family, kind, 0).close()
            except OSError: continue
            got.append((family, kind))
    return got
""",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
    Hostile(
        name="contact: event loop",
        kind="control",
        intent="harmless: asyncio without any network",
        source="import asyncio\nasync def g(x):\n    await asyncio.sleep(0)\n    return x + 1\n"
        "def f(x): return asyncio.run(g(x))\n",
        bubblewrap=("pass", "error PermissionError"),
    ),
    _touches("kill", "os.kill(VICTIM, signal.SIGKILL)\n"),
    _touches("stop", "os.kill(VICTIM, signal.SIGSTOP)\n"),
    _touches("kill a thread of it", _SYSCALL + "call(200 if X else 130, VICTIM, 9)\n"),
    _touches(
        "queue a signal",
        _SYSCALL + "info = (ctypes.c_int * 32)(10, 0, -1)\n"
        "call(129 if X else 138, VICTIM, 10, info)\n",
    ),
    _touches(
        "signal through a process descriptor",
        "fd = os.pidfd_open(VICTIM)\nsignal.pidfd_send_signal(fd, signal.SIGKILL)\n",
    ),
    _touches(
        "signal by the owner of a pipe",
        "import fcntl\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, VICTIM)\n"
        "fcntl.fcntl(r, 10, signal.SIGKILL)\n"
        "fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\nos.write(w, b'x')\n",
    ),
    _touches("its priority", "os.setpriority(os.PRIO_PROCESS, VICTIM, 7)\n"),
    _touches("its processors", "os.sched_setaffinity(VICTIM, {0})\n"),
    _touches("its scheduler", "os.sched_setscheduler(VICTIM, os.SCHED_BATCH, os.sched_param(0))\n"),
    _touches(
        "its limits",
        "import resource\nresource.prlimit(VICTIM, resource.RLIMIT_NOFILE, (77, 77))\n",
    ),
    _touches(
        "its input priority",
        _SYSCALL + "call(251 if X else 30, 1, VICTIM, (3 << 13) | 1)\n",
    ),
    _touches("its group", "os.killpg(VICTIM, 9)\n"),
    _touches(
        "its place before the out-of-memory killer",
        "with open(f'/proc/{VICTIM}/oom_score_adj', 'w') as file: file.write('1000')\n",
        *(*_NO_SIGNAL, "error FileNotFoundError"),
    ),
    Hostile(
        name="touch: the group of its parent",
        kind="signal",
        intent="kills its own process group: the judge must not be in it",
        source="import os\nos.killpg(0, 9)\n" + _GOOD,
        bubblewrap=("crash", "error PermissionError"),
    ),
)
