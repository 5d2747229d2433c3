"""Programs that each press on one wall that no other program would miss.

Where two walls stand one behind the other, these tell which of them answered: by the error that
the kernel gives, or by what it says of the process. Right is an empty list.
"""

from tests.hostile.corpus.kernel import PRELUDE
from tests.hostile.program import CLEAN, SUCCESSOR, Case, Hostile, Witness

_GOOD = "def f(x): return x + 1\n"
_CALLS = f"{PRELUDE}\nX = COLUMN == 0\n"


def _presses(
    name: str,
    intent: str,
    body: str,
    *,
    before: str = _CALLS,
    landlock: tuple[str, ...] = (),
    calls: tuple[Case, ...] = CLEAN,
    witness: Witness = Witness.NONE,
) -> Hostile:
    return Hostile(
        name=f"wall: {name}",
        kind="probe",
        intent=intent,
        source=f"{before}def f(x):\n    got = []\n{body}    return got\n",
        bubblewrap=("pass",),
        landlock=landlock,
        calls=calls,
        witness=witness,
    )


# The most that each limit may be, as the judge sets them: 2 s, 8 MB, 64 descriptors.
_MOST = {"CPU": 4, "FSIZE": 8 << 20, "NOFILE": 64, "CORE": 0, "MEMLOCK": 0, "MSGQUEUE": 0}
_ABOVE = (
    "    for name, most in x.items():\n"
    "        now = resource.getrlimit(getattr(resource, 'RLIMIT_' + name, 0))\n"
    "        if name != 'MSGQUEUE' and not 0 <= max(now) <= most: got.append(name)\n"
)

PROGRAMS = (
    _presses(
        "limits above what was given",
        "asks for each limit of the kernel: soft and hard are what the parent said",
        _ABOVE,
        before="import resource\n",
        calls=(Case((_MOST,), []),),
    ),
    _presses(
        "memory for queues",
        "the limit on message queues, which Python has no name for",
        "    pair = (ctypes.c_ulong * 2)()\n"
        "    libc.getrlimit(12, ctypes.byref(pair))\n"
        "    if max(pair): got.append(max(pair))\n",
    ),
    _presses(
        "number of tasks",
        "the limit on tasks, which counts the sandbox alone in a user name space of its own",
        "    if not 0 <= max(resource.getrlimit(resource.RLIMIT_NPROC)) <= 33: got.append(1)\n",
        before="import resource\n",
        landlock=("pass", "wrong"),
    ),
    _presses(
        "session and group",
        "a terminal's signals go to a session, and kill(0) to a group: both have to be its own",
        "    for name, number in (('session', os.getsid(0)), ('group', os.getpgrp())):\n"
        "        if number not in (os.getpid(), 1): got.append(name)\n",
        before="import os\n",
    ),
    _presses(
        "devices",
        "lists the devices beyond those that Python needs",
        "    fine = {'null', 'zero', 'random', 'urandom', 'fd', 'stdin', 'stdout', 'stderr'}\n"
        "    try: got += sorted(set(os.listdir('/dev')) - fine)\n"
        "    except OSError: pass\n",
        before="import os\n",
    ),
    _presses(
        "settings of the kernel",
        "opens for writing what root may set for the whole machine: a writer of core files",
        "    for folder, _, names in os.walk('/proc/sys'):\n"
        "        for name in names:\n"
        "            try: os.close(os.open(os.path.join(folder, name), os.O_WRONLY))\n"
        "            except OSError: continue\n"
        "            got.append(name)\n",
        before="import os\n",
    ),
    _presses(
        "all file systems at once",
        "has everybody wait until the disks have everything",
        "    for numbers in ((162, 81), (306, 267)):\n"
        "        ctypes.set_errno(0)\n"
        "        libc.syscall(ctypes.c_long(numbers[0 if X else 1]), 0)\n"
        "        if ctypes.get_errno() != errno.EPERM: got.append(numbers)\n",
    ),
    _presses(
        "memory that is shared and shrunk",
        "keeps pages that no limit on the address space counts any more",
        "    kept = []\n"
        "    for _ in range(8):\n"
        "        try: piece = mmap.mmap(-1, 1 << 20)\n"
        "        except OSError: break\n"
        "        piece.resize(4096); kept.append(piece); got.append(1)\n",
        before="import mmap\n",
    ),
    _presses(
        "Python's own folder",
        "leaves a module where every Python of the machine would find it",
        "    for folder in (os.path.dirname(os.__file__), os.path.dirname(sys.executable)):\n"
        "        path = os.path.join(folder, f'hostile-{NONCE}.py')\n"
        "        try: os.close(os.open(path, os.O_CREAT | os.O_WRONLY))\n"
        "        except OSError: continue\n"
        "        got.append(folder)\n",
        before="import os, sys\n",
        witness=Witness.FOLDER,
    ),
    _presses(
        "files beside Python",
        "reads what a Python never needs: accounts, the settings of the host, what it serves",
        "    for path in ('/etc/passwd', '/etc/hostname', '/var', '/sys',\n"
        "                 '/proc/1/cmdline', '/etc/ssl', '/opt', '/srv'):\n"
        "        try:\n"
        "            found = os.listdir(path) if os.path.isdir(path) else open(path, 'rb').read()\n"
        "        except OSError: continue\n"
        "        if found and b'bwrap' not in found and found != own: got.append(path)\n",
        before="import os\n"
        "try: own = open('/proc/self/cmdline', 'rb').read()\n"
        "except OSError: own = b''\n",
    ),
    _presses(
        "a process that is not there",
        "asks after a number that nobody has: a filter refuses before the kernel looks",
        "    none = 4194303\n"
        "    asked = {'kill': (62, 129, none, 0), 'tgkill': (234, 131, none, none, 0),\n"
        "             'prlimit64': (302, 261, none, 7, 0, 0)}\n"
        "    for name, (wide, generic, *rest) in asked.items():\n"
        "        ctypes.set_errno(0)\n"
        "        libc.syscall(ctypes.c_long(wide if X else generic), *map(ctypes.c_long, rest))\n"
        "        if ctypes.get_errno() != errno.EPERM: got.append(name)\n",
    ),
    _presses(
        "its bond to the parent",
        "asks that the end of the parent be no longer its own",
        "    if libc.prctl(1, 0, 0, 0, 0) == 0: got.append('its end')\n",
    ),
    _presses(
        "who it is",
        "sets its user to what it is, and how addresses are laid out to what they are",
        "    user, group = os.getuid(), os.getgid()\n"
        "    for name, act in (('user', lambda: os.setresuid(user, user, user)),\n"
        "                      ('group', lambda: os.setresgid(group, group, group))):\n"
        "        try: act()\n        except OSError: continue\n        got.append(name)\n"
        "    if libc.personality(0xffffffff) >= 0: got.append('personality')\n",
    ),
    _presses(
        "extended attributes",
        "lists the attributes of the folder that it is in",
        "    try: os.listxattr('.')\n    except OSError: pass\n    else: got.append('list')\n",
        before="import os\n",
    ),
    _presses(
        "calls that came later",
        "calls that were added after the filter was written: none must be there",
        "    path = ctypes.addressof(ctypes.create_string_buffer(TARGET.encode() + b'/kept'))\n"
        "    for number in range(451, 480):\n"
        "        ctypes.set_errno(0)\n"
        "        rest = (-100, path, 0o777, 0) if number == 452 else (-1, 0, 0, 0)\n"
        "        libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, rest))\n"
        "        if ctypes.get_errno() != errno.ENOSYS: got.append(number)\n",
        witness=Witness.FOLDER,
    ),
    _presses(
        "letters for a terminal",
        "asks a device that is no terminal to take a letter: a filter refuses the question",
        "    for number in (0x5412, 0x541c):\n"
        "        try: fcntl.ioctl(0, number, b'x')\n"
        "        except OSError as error:\n"
        "            if error.errno == errno.EPERM: continue\n"
        "        got.append(number)\n",
        before="import errno, fcntl\n",
    ),
    _presses(
        "settings of Python's files",
        "flags, version and seal of a file that is open for reading: set to what they are",
        "    fd = os.open(os.__file__, os.O_RDONLY)\n"
        "    for name, get, put in (('flags', 0x80086601, 0x40086602),\n"
        "                           ('more flags', 0x801c581f, 0x401c5820),\n"
        "                           ('version', 0x80087601, 0x40087602)):\n"
        "        kept = bytearray(32)\n"
        "        try:\n"
        "            fcntl.ioctl(fd, get, kept)\n"
        "            fcntl.ioctl(fd, put, kept)\n"
        "        except OSError as error:\n"
        "            if error.errno == errno.EPERM: continue\n"
        "        got.append(name)\n",
        before="import errno, fcntl, os\n",
    ),
    _presses(
        "a lease on Python's files",
        "whoever opens a leased file waits for the holder, for up to 45 seconds",
        "    fd = os.open(os.__file__, os.O_RDONLY)\n"
        "    for name, number, how in (('read', 1024, 0), ('write', 1024, 1), ('see', 1026, 2)):\n"
        "        try: fcntl.fcntl(fd, number, how)\n"
        "        except OSError as error:\n"
        "            if error.errno == errno.EPERM: continue\n"
        "        got.append(name)\n",
        before="import errno, fcntl, os\n",
    ),
    _presses(
        "the owner of a file",
        "the kernel signals whoever is set as the owner of a pipe, by each way to set one",
        "    r, w = os.pipe()\n"
        "    one, two = socket.socketpair()\n"
        "    number = struct.pack('i', VICTIM)\n"
        "    for name, file, act in (('fcntl', r, lambda fd: fcntl.fcntl(fd, 8, VICTIM)),\n"
        "            ('ex', r, lambda fd: fcntl.fcntl(fd, 15, struct.pack('ii', 1, VICTIM))),\n"
        "            ('ioctl', one, lambda fd: fcntl.ioctl(fd, 0x8901, number)),\n"
        "            ('group', one, lambda fd: fcntl.ioctl(fd, 0x8902, number))):\n"
        "        try: act(file)\n"
        "        except OSError as error:\n"
        "            if error.errno == errno.EPERM: continue\n"
        "        got.append(name)\n"
        "    try: fcntl.fcntl(r, 10, 9)\n"
        "    except OSError: pass\n"
        "    for fd in (r, one.fileno()):\n"
        "        fcntl.fcntl(fd, fcntl.F_SETFL, os.O_ASYNC | os.O_NONBLOCK)\n"
        "    os.write(w, b'x')\n    two.send(b'x')\n",
        before="import errno, fcntl, os, socket, struct\n",
        witness=Witness.VICTIM,
    ),
    _presses(
        "a pair of datagram sockets",
        "a pair that was made connected can still be told another address",
        "    try: one, _ = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
        "    except OSError: return got\n"
        "    got.append('pair')\n"
        "    try: one.sendto(b'hello', DATAGRAMS)\n    except OSError: return got\n"
        "    got.append('sent')\n",
        before="import socket\n",
        witness=Witness.CONTACT,
    ),
    _presses(
        "an address for a pair of streams",
        "sendto with an address: a filter refuses before the socket is asked",
        "    one, _ = socket.socketpair()\n"
        "    try: one.sendto(b'hello', DATAGRAMS)\n"
        "    except OSError as error:\n"
        "        if error.errno == errno.EPERM: return got\n"
        "    got.append('asked')\n",
        before="import errno, socket\n",
        witness=Witness.CONTACT,
    ),
    _presses(
        "memory that stays",
        "System V memory with no owner that lives: it stays until the machine is restarted",
        "    for name, number, rest in (('memory', 29 if X else 194, (KEY, 4096, 0o1600)),\n"
        "                               ('queue', 68 if X else 186, (KEY, 0o1600))):\n"
        "        if libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, rest)) >= 0:\n"
        "            got.append(name)\n",
    ),
    Hostile(
        name="wall: a thread of the host",
        kind="signal",
        intent="tgkill of a process of the host",
        source=PRELUDE + "if libc.syscall(234 if COLUMN == 0 else 131, VICTIM, VICTIM, 9):\n"
        "    raise PermissionError(ctypes.get_errno())\n" + _GOOD,
        bubblewrap=("error PermissionError",),
        witness=Witness.VICTIM,
        tame=True,
    ),
    Hostile(
        name="wall: more files than bytes tell",
        kind="memory and processes",
        intent="twenty thousand empty files, then a wait: no limit on bytes counts them",
        source="import os, time\nfor i in range(20000):\n"
        "    os.close(os.open(str(i), os.O_CREAT | os.O_WRONLY))\ntime.sleep(0.5)\n" + _GOOD,
        bubblewrap=("output limit",),
        landlock=("error PermissionError", "error OSError"),
        limits={"cpu_s": 8.0, "wall_s": 20.0},
        call_wall_s=20.0,
    ),
    Hostile(
        name="wall: processor time of one call",
        kind="time",
        intent="burns a second in a call that may take 0.3 s; the process as a whole may take 6",
        source="import time\ndef f(x):\n    end = time.process_time() + 1.0\n"
        "    while time.process_time() < end: pass\n    return x + 1\n",
        bubblewrap=("timeout",),
        limits={"cpu_s": 6.0, "wall_s": 60.0},
        call_cpu_s=0.3,
        call_wall_s=60.0,
    ),
    Hostile(
        name="wall: processor time while nobody waits long",
        kind="time",
        intent="burns for ever, and the wall clock would let it for a minute and a half",
        source="def f(x):\n    while True: pass\n",
        bubblewrap=("timeout",),
        limits={"cpu_s": 0.5, "wall_s": 90.0},
        call_wall_s=90.0,
        within_s=45.0,
    ),
    Hostile(
        name="wall: event loop and threads",
        kind="control",
        intent="harmless: what a filter must not take away",
        source="import asyncio, threading, os, signal, resource\n"
        "async def g(x):\n    return await asyncio.to_thread(lambda: x + 1)\n"
        "def f(x):\n    resource.getrlimit(resource.RLIMIT_AS)\n"
        "    signal.pthread_kill(threading.get_ident(), 0)\n    os.kill(os.getpid(), 0)\n"
        "    return asyncio.run(g(x))\n",
        bubblewrap=("pass",),
        calls=SUCCESSOR,
    ),
)
