"""Programs that take what they can get: memory, disk, descriptors, threads, output."""

from tests.hostile.program import SHORT, SMALL, Hostile

_GOOD = "def f(x): return x + 1\n"
_NO_WRITES = ("error PermissionError", "error OSError")


def _takes(
    name: str,
    source: str,
    *allowed: str,
    landlock: tuple[str, ...] = (),
    tame: bool = False,
    intent: str = "more than it was given",
    **limits: float,
) -> Hostile:
    return Hostile(
        name=f"take: {name}",
        kind="memory and processes",
        intent=intent,
        source=source,
        bubblewrap=allowed,
        landlock=landlock,
        tame=tame,
        limits=limits,
    )


PROGRAMS = (
    _takes(
        "300 MiB in pieces",
        "kept = [bytearray(10 << 20) for _ in range(30)]\n" + _GOOD,
        "memory",
        **SMALL,
        tame=True,
    ),
    _takes(
        "its own words back",
        "import os\n"
        "def f(x):\n"
        "    back = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)\n"
        "    while True:\n"
        "        os.write(1, b'x')\n"
        "        try: os.read(back, 1)\n"
        "        except BlockingIOError: pass\n",
        *("timeout", "output limit", "error PermissionError"),
        landlock=("timeout", "output limit", "error PermissionError"),
        intent="the parent is told of output that is not there any more when it reads",
        **SHORT,
    ),
    _takes(
        "files, from a thread that outlives the first",
        "import ctypes, os, threading, time\n"
        "def work():\n"
        "    time.sleep(0.2)\n"
        "    for number in range(9000): os.close(os.open(f'/tmp/{number}', os.O_CREAT))\n"
        "    time.sleep(60)\n"
        "def f(x):\n"
        "    threading.Thread(target=work).start()\n"
        "    ctypes.CDLL(None).syscall(60 if os.uname().machine == 'x86_64' else 93, 0)\n",
        "output limit",
        landlock=("timeout", "error *", "crash"),
        intent="a process whose first thread has ended has no root that could be looked at",
        **SHORT,
    ),
    _takes(
        "300 MiB by mmap",
        "import mmap\nkept = [mmap.mmap(-1, 10 << 20, flags=0x22) for _ in range(30)]\n" + _GOOD,
        *("error OSError", "memory", "error PermissionError"),
        **SMALL,
        tame=True,
    ),
    _takes(
        "memory caught and asked again",
        "def f(x):\n    kept = []\n    while True:\n"
        "        try: kept.append(bytearray(1 << 20))\n"
        "        except MemoryError: return len(kept) if len(kept) > 500 else x + 1\n",
        *("pass", "memory", "crash"),
        **SMALL,
        intent="the limit holds however often it is hit",
    ),
    _takes(
        "list that grows for ever",
        "def f(x):\n    a = []\n    while True: a.append(a)\n",
        *("memory", "timeout"),
        **SMALL,
    ),
    _takes(
        "text of a million million letters",
        "def f(x): return '{:>1000000000000}'.format(x)\n",
        *("memory", "error ValueError", "error OverflowError"),
    ),
    _takes(
        "product of everything",
        "import itertools\ndef f(x): return list(itertools.product(range(1000), repeat=5))\n",
        *("memory", "timeout"),
        **SMALL,
    ),
    _takes(
        "decompression bomb",
        "import bz2\nsmall = bz2.compress(bytes(8 << 20)) * 200\n"
        "def f(x): return len(bz2.decompress(small))\n",
        *("memory", "timeout"),
        **SHORT,
    ),
    _takes(
        "memory in threads",
        "import threading\nkept = []\ndef g():\n    while True: kept.append(bytearray(4 << 20))\n"
        "ts = [threading.Thread(target=g) for _ in range(8)]\n"
        "for t in ts: t.start()\nfor t in ts: t.join()\n"
        "def f(x): return x + 1 if len(kept) < 50 else 'too much'\n",
        *("pass", "memory", "error RuntimeError", "crash"),
        **SMALL,
    ),
    _takes(
        "memory files",
        "import os\nkept = []\nfor i in range(40):\n    fd = os.memfd_create(str(i))\n"
        "    os.write(fd, bytes(8 << 20))\n    kept.append(fd)\n" + _GOOD,
        *_NO_WRITES,
        tame=True,
        intent="320 MiB that no address space holds",
    ),
    _takes(
        "pipes made large",
        "import fcntl, os\nkept = []\nfor i in range(100):\n    r, w = os.pipe()\n"
        "    fcntl.fcntl(w, 1031, 1 << 20)\n    os.set_blocking(w, False)\n"
        "    os.write(w, bytes(1 << 20))\n    kept += [r, w]\n" + _GOOD,
        *_NO_WRITES,
        tame=True,
        intent="100 MiB in the kernel",
    ),
    _takes(
        "shared memory folder",
        "for i in range(64):\n"
        "    open(f'/dev/shm/hostile-{NONCE}-{i}', 'wb').write(bytes(1 << 20))\n" + _GOOD,
        *_NO_WRITES,
        "error FileNotFoundError",
    ),
    _takes(
        "a file beyond its limit",
        "with open('big', 'wb') as file:\n    for _ in range(12): file.write(bytes(1 << 20))\n"
        + _GOOD,
        *("error OSError", "output limit"),
        landlock=_NO_WRITES,
        intent="12 MiB in one file where 8 are allowed and 16 in all",
    ),
    _takes(
        "a hole beyond its limit",
        "import os\nfd = os.open('hole', os.O_RDWR | os.O_CREAT)\nos.ftruncate(fd, 1 << 40)\n"
        + _GOOD,
        *("error OSError", "output limit"),
        landlock=_NO_WRITES,
    ),
    _takes(
        "many files",
        "for i in range(24):\n    with open(str(i), 'wb') as file: file.write(bytes(1 << 20))\n"
        + _GOOD,
        *("error OSError", "output limit"),
        landlock=_NO_WRITES,
        intent="24 MiB in files of one each",
    ),
    _takes(
        "files without content",
        "i = 0\nwhile True:\n    open(str(i), 'w').close()\n    i += 1\n",
        *("error OSError", "timeout", "output limit"),
        landlock=_NO_WRITES,
        intent="a size limit does not count them",
        **SHORT,
    ),
    _takes(
        "descriptors",
        "import os\nkept = [os.dup(0) for _ in range(200)]\n" + _GOOD,
        "error OSError",
        tame=True,
    ),
    _takes(
        "threads",
        "import threading, time\nthreading.stack_size(65536)\nhold = threading.Event()\n"
        "for _ in range(300): threading.Thread(target=hold.wait, daemon=True).start()\n"
        "time.sleep(0.5)\n" + _GOOD,
        *("error RuntimeError", "memory", "crash"),
        tame=True,
        intent="300 threads with small stacks",
    ),
    _takes(
        "threads that make threads",
        "import threading\nthreading.stack_size(65536)\ndef g():\n"
        "    while True:\n        try: threading.Thread(target=g, daemon=True).start()\n"
        "        except Exception: pass\ng()\n",
        *("timeout", "memory", "crash"),
        **SHORT,
    ),
    _takes(
        "standard error without end",
        "import sys\ndef f(x):\n    while True: sys.stderr.write('x' * 1000)\n",
        "output limit",
    ),
    _takes(
        "output past Python",
        "import os\ndef f(x):\n    while True: os.write(1, b'x' * 65536)\n",
        "output limit",
    ),
    _takes(
        "output in one piece",
        "def f(x):\n    print('x' * (1 << 20), flush=True)\n    return x + 1\n",
        "output limit",
    ),
    _takes(
        "output in two streams",
        "import sys\ndef f(x):\n    print('x' * 40000, flush=True)\n"
        "    print('x' * 40000, file=sys.stderr, flush=True)\n    return x + 1\n",
        *("output limit",),
        intent="each stream alone keeps the limit",
    ),
    _takes(
        "output that is allowed",
        "def f(x):\n    print('x' * 1000)\n    return x + 1\n",
        "pass",
        intent="harmless",
    ),
    _takes(
        "answers of half a message, many times",
        "n = 0\ndef f(x):\n    global n\n    n += 1\n"
        "    return x + 1 if n > 20 else 'x' * 400_000\n",
        "wrong",
        intent="the parent must not keep what it has read",
    ),
)
