"""Programs that call the kernel itself: processes, name spaces, and what hardly anyone needs.

Most list what the kernel would have done for them: right is an empty list. The arguments are
harmless where the call goes through. Numbers: the tables of x86-64 and of the generic ABI
(aarch64) in the kernel's `arch/x86/entry/syscalls/syscall_64.tbl` and
`include/uapi/asm-generic/unistd.h`.
"""

from tests.hostile.program import CLEAN, Hostile, Witness

CALLS = {
    # name: (x86-64, aarch64)
    "fork": (57, 0), "vfork": (58, 0), "clone": (56, 220), "clone3": (435, 435),
    "execve": (59, 221), "execveat": (322, 281), "ptrace": (101, 117),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "pidfd_send_signal": (424, 424), "process_madvise": (440, 440),
    "move_pages": (279, 239), "migrate_pages": (256, 238),
    "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
    "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "fsopen": (430, 430),
    "fsmount": (432, 432), "move_mount": (429, 429), "mount_setattr": (442, 442),
    "keyctl": (250, 219), "add_key": (248, 217), "request_key": (249, 218), "bpf": (321, 280),
    "perf_event_open": (298, 241), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "userfaultfd": (323, 282), "memfd_secret": (447, 447),
    "fanotify_init": (300, 262), "quotactl": (179, 60), "swapon": (167, 224), "acct": (163, 89),
    "reboot": (169, 142), "init_module": (175, 105), "finit_module": (313, 273),
    "kexec_load": (246, 104), "syslog": (103, 116), "iopl": (172, 0), "ioperm": (173, 0),
    "modify_ldt": (154, 0), "vhangup": (153, 58), "sethostname": (170, 161),
    "settimeofday": (164, 170), "clock_settime": (227, 112), "shmget": (29, 194),
    "semget": (64, 190), "msgget": (68, 186), "mq_open": (240, 180),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "lookup_dcookie": (212, 18), "mknodat": (259, 33),
}  # fmt: skip

PRELUDE = f"""
import ctypes, errno, os, sys, time
libc = ctypes.CDLL(None, use_errno=True)
COLUMN = 0 if os.uname().machine == 'x86_64' else 1
NR = {{name: row[COLUMN] for name, row in {CALLS!r}.items() if row[COLUMN]}}
def refused(name, *args):
    if name not in NR: return True
    ctypes.set_errno(0)
    answer = libc.syscall(ctypes.c_long(NR[name]), *map(ctypes.c_long, args))
    if answer == 0 and name in ('fork', 'vfork', 'clone', 'clone3'): os._exit(0)
    return answer == -1 and ctypes.get_errno() in (errno.EPERM, errno.EACCES, errno.ENOSYS)
def through(*calls): return [c[0] for c in calls if not refused(*c)]
"""


def _lists(name: str, body: str, intent: str, *allowed: str) -> Hostile:
    return Hostile(
        name=f"kernel: {name}",
        kind="escalate",
        intent=intent,
        source=PRELUDE + f"def f(x):\n    {body}\n",
        bubblewrap=allowed or ("pass",),
        calls=CLEAN,
    )


def _starts(name: str, body: str, *allowed: str) -> Hostile:
    return Hostile(
        name=f"process: {name}",
        kind="memory and processes",
        intent="starts another process",
        source=f"import os, sys\n{body}\ndef f(x): return x + 1\n",
        bubblewrap=allowed or ("error PermissionError", "error OSError"),
        tame=True,
    )


_CHILD = "import time\nif os.fork() == 0:\n    time.sleep(30)\n    os._exit(0)\n"
_EXEC = "[sys.executable, '-c', 'import time; time.sleep(5)']"

PROGRAMS = (
    _starts("fork", _CHILD),
    _starts(
        "five forks that stay",
        f"import time\nfor _ in range(5):\n{_CHILD[12:]}".replace("if os", "    if os")
        .replace("\n    time", "\n        time")
        .replace("\n    os._", "\n        os._"),
    ),
    _starts(
        "daemon",
        "import time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        os.closerange(0, 64)\n        time.sleep(30)\n    os._exit(0)\n",
    ),
    _starts("posix_spawn", "os.posix_spawn('/bin/sh', ['sh', '-c', 'sleep 5'], {})"),
    _starts(
        "shell",
        "if os.system('exit 7') != 7 << 8: raise PermissionError('no shell')",
    ),
    _starts(
        "subprocess",
        f"import subprocess\nsubprocess.Popen({_EXEC})",
        "error PermissionError",
        "error OSError",
        "error FileNotFoundError",
    ),
    _starts(
        "multiprocessing",
        "import multiprocessing as m\nm.get_context('fork').Process(target=int).start()",
    ),
    _starts("terminal of its own", "import pty\nif pty.fork()[0] == 0: os._exit(0)\n"),
    Hostile(
        name="process: becomes another program",
        kind="crash",
        intent="execve of Python itself, to lose the worker and keep the channel",
        source="import os, sys\n"
        "os.execv(sys.executable, [sys.executable, '-c', 'while True: pass'])\n",
        bubblewrap=("error PermissionError", "error OSError", "error FileNotFoundError"),
    ),
    _lists(
        "processes",
        "return through(('fork',), ('clone', 17, 0, 0, 0, 0), ('vfork',), "
        "('clone3', ctypes.addressof((ctypes.c_ulonglong * 8)(0, 0, 0, 0, 17)), 64), "
        "('execve', 0, 0, 0), ('execveat', -1, 0, 0, 0, 0))",
        "new processes past Python",
    ),
    _lists(
        "debugging",
        "return through(('ptrace', 0, 0, 0, 0), "
        "('process_vm_readv', os.getpid(), 0, 0, 0, 0, 0), "
        "('process_vm_writev', os.getpid(), 0, 0, 0, 0, 0), ('kcmp', 1, 1, 0, 0, 0), "
        "('pidfd_getfd', -1, 0, 0), ('pidfd_send_signal', -1, 0, 0, 0), "
        "('process_madvise', -1, 0, 0, 0, 0), ('move_pages', 0, 0, 0, 0, 0, 0), "
        "('migrate_pages', 0, 0, 0, 0))",
        "the interfaces of debuggers",
    ),
    _lists(
        "name spaces",
        "return through(('unshare', 0), ('unshare', 0x10000000), "
        "('setns', -1, 0), ('clone', 0x10000000 | 17, 0, 0, 0, 0))",
        "name spaces of its own",
    ),
    _lists(
        "mounts",
        "return through(('mount', 0, 0, 0, 0, 0), ('umount2', 0, 0), "
        "('pivot_root', 0, 0), ('chroot', ctypes.addressof(ctypes.create_string_buffer(b'/'))), "
        "('open_tree', -100, ctypes.addressof(ctypes.create_string_buffer(b'/')), 0), "
        "('fsopen', 0, 0), ('fsmount', -1, 0, 0), ('move_mount', -1, 0, -1, 0, 0), "
        "('mount_setattr', -1, 0, 0, 0, 0))",
        "another root",
    ),
    _lists(
        "keys, programs and events in the kernel",
        "return through(('keyctl', 0, -2, 0, 0, 0), ('add_key', 0, 0, 0, 0, 0), "
        "('request_key', 0, 0, 0, 0), ('bpf', 0, 0, 0), ('perf_event_open', 0, 0, -1, -1, 0), "
        "('io_uring_setup', 0, 0), ('io_uring_enter', -1, 0, 0, 0, 0, 0), "
        "('io_uring_register', -1, 0, 0, 0), ('userfaultfd', 0), ('memfd_secret', 0), "
        "('fanotify_init', 0, 0))",
        "interfaces with a history of holes",
    ),
    _lists(
        "administration",
        "return through(('quotactl', 0, 0, 0, 0), ('swapon', 0, 0), ('acct', 1), "
        "('reboot', 0, 0, 0, 0), ('init_module', 0, 0, 0), ('finit_module', -1, 0, 0), "
        "('kexec_load', 0, 0, 0, -1), ('syslog', 3, 0, -1), ('iopl', 3), ('ioperm', 0, 1, 1), "
        "('modify_ldt', 99, 0, 0), ('sethostname', 0, -1), ('settimeofday', 1, 0), "
        "('clock_settime', 0, 1), ('lookup_dcookie', 0, 0, 0))",
        "what root does",
    ),
    _lists(
        "shared memory and queues",
        "return through(('shmget', 0, 4096, 0o1600), ('semget', 0, 1, 0o1600), "
        "('msgget', 0, 0o1600), ('mq_open', 0, 0, 0, 0))",
        "memory and queues that outlive a process",
    ),
    _lists(
        "handles and device files",
        "return through(('name_to_handle_at', -100, 0, 0, 0, 0), "
        "('open_by_handle_at', -1, 0, 0), ('mknodat', -100, 0, 0o020666, 0x103))",
        "files without a path",
    ),
    _lists(
        "the other tables of the processor",
        "if COLUMN: return []\n"
        "    bit = 0x40000000\n"
        "    got = []\n"
        "    for name, number in (('fork', 57), ('socket', 41), ('ptrace', 521)):\n"
        "        ctypes.set_errno(0)\n"
        "        answer = libc.syscall(ctypes.c_long(bit | number), 1, 1, 0, 0, 0)\n"
        "        if answer == 0 and name == 'fork': os._exit(0)\n"
        "        if answer >= 0: got.append(name)\n"
        "    return got",
        "the numbers of x32, which a filter that compares numbers alone lets through",
        "pass",
        "crash",
    ),
    _lists(
        "32-bit calls",
        "if COLUMN: return []\n"
        "    import mmap\n"
        "    page = mmap.mmap(-1, 4096, flags=0x22, prot=7)\n"
        "    page.write(bytes.fromhex('b814000000cd80c3'))\n"
        "    start = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "    run = ctypes.CFUNCTYPE(ctypes.c_int)(start)\n"
        "    return ['getpid'] if run() > 0 else []",
        "the gate of 32-bit programs has numbers of its own",
        "pass",
        "crash",
    ),
    _lists(
        "its own clock",
        "try: time.clock_settime(time.CLOCK_REALTIME, time.time())\n"
        "    except OSError: return []\n    return ['clock_settime']",
        "sets the clock of the machine (to what it is)",
    ),
    _lists(
        "the modes of its own files",
        "got = []\n"
        "    for path in (sys.executable, os.__file__, '/usr/lib'):\n"
        "        for name, act in (('mode', lambda: os.chmod(path, os.stat(path).st_mode)),\n"
        "                ('owner', lambda: os.chown(path, -1, -1)),\n"
        "                ('time', lambda: os.utime(path, ns=(os.stat(path).st_atime_ns, "
        "os.stat(path).st_mtime_ns)))):\n"
        "            try: act()\n            except OSError: continue\n"
        "            got.append((name, path))\n    return got",
        "changes system files to what they are",
    ),
    _lists(
        "another user",
        "got = []\n"
        "    for name, act in (('setgroups', lambda: os.setgroups([])),\n"
        "            ('setuid', lambda: os.setresuid(12345, 12345, 12345)),\n"
        "            ('setgid', lambda: os.setresgid(12345, 12345, 12345))):\n"
        "        try: act()\n        except OSError: continue\n        got.append(name)\n"
        "    return got",
        "becomes another user",
    ),
    _lists(
        "more rights",
        "class Head(ctypes.Structure):\n"
        "        _fields_ = [('v', ctypes.c_uint), ('pid', ctypes.c_int)]\n"
        "    data = (ctypes.c_uint * 6)()\n"
        "    libc.capget(ctypes.byref(Head(0x20080522, 0)), data)\n"
        "    return [n for n in (data[0], data[1], data[3], data[4]) if n]",
        "the capabilities that it has: none",
    ),
    _lists(
        "its filter and its promise",
        "got = []\n"
        "    if libc.prctl(39, 0, 0, 0, 0) != 1: got.append('new privileges are possible')\n"
        "    if libc.prctl(21, 0, 0, 0, 0) != 2: got.append('no system call filter')\n"
        "    return got",
        "the kernel says whether the filter is there",
    ),
    Hostile(
        name="kernel: a filter of its own",
        kind="escalate",
        intent="adds a filter that lets everything through: the first one still holds",
        source=PRELUDE
        + """
program = (ctypes.c_ulonglong * 1)(0x7fff0000_00000006)
class Prog(ctypes.Structure): _fields_ = [('n', ctypes.c_ushort), ('p', ctypes.c_void_p)]
libc.prctl(22, 2, ctypes.byref(Prog(1, ctypes.addressof(program))), 0, 0)
def f(x): return through(('unshare', 0), ('ptrace', 0, 0, 0, 0))
""",
        bubblewrap=("pass", "crash"),
        calls=CLEAN,
    ),
    Hostile(
        name="kernel: attaches to a process of the host",
        kind="escalate",
        intent="ptrace of a process that belongs to the same user",
        source=PRELUDE + "def f(x): return through(('ptrace', 16, VICTIM, 0, 0))\n",
        bubblewrap=("pass",),
        calls=CLEAN,
        witness=Witness.VICTIM,
    ),
    Hostile(
        name="kernel: personality and dumps",
        kind="escalate",
        intent="makes itself inspectable and its addresses fixed: gains nothing",
        source=PRELUDE + "libc.prctl(4, 1, 0, 0, 0)\nlibc.personality(0x0040000)\n"
        "def f(x): return x + 1\n",
        bubblewrap=("pass",),
    ),
    Hostile(
        name="kernel: terminal",
        kind="escalate",
        intent="types into the terminal of the user",
        source="import fcntl, os\ndef f(x):\n    got = []\n    for fd in range(64):\n"
        "        try: fcntl.ioctl(fd, 0x5412, b'x')\n        except OSError: continue\n"
        "        got.append(fd)\n    for path in ('/dev/tty', '/dev/ptmx', '/dev/console'):\n"
        "        try: os.open(path, os.O_RDWR)\n        except OSError: continue\n"
        "        got.append(path)\n    return got\n",
        bubblewrap=("pass",),
        calls=CLEAN,
    ),
)
