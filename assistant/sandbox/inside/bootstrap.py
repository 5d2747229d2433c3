"""What runs inside before the program: it gives up what it may do, then runs the program.

`start.py` executes it in its own scope: no file of ours has to exist inside. The first message
says what to give up; the answer is `ready`, or why not. Anything else means that nothing was run.

It has to run on whatever Python a project uses, and to start quickly: few imports, and the C part
of `ctypes` alone, whose Python part takes four times as long as everything else here.
"""

from __future__ import annotations

import os
import resource
import sys

# The type checker's own idiom: `typing` itself would cost every run its import.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from assistant.sandbox.inside.start import _IN, _OUT, _receive, _setup

_MEBIBYTE = 1 << 20


def _send(data: bytes, write: Any = os.write, out: int = _OUT) -> None:
    """Write one frame; what it needs is bound before the program can change it."""
    data = len(data).to_bytes(4, "big") + data
    sent = write(out, data)
    while sent < len(data):
        sent += write(out, data[sent:])


# --- limits ---------------------------------------------------------------------------------


def _limit(limits: dict[str, Any], own_namespace: bool) -> None:
    # The parent looks at the processor time itself; the kernel is there for when it does not.
    cpu = int(limits["cpu_s"] + 1.5)
    size = limits["file_mb"] * _MEBIBYTE
    wanted = [
        ("RLIMIT_CPU", cpu, cpu + 1),
        ("RLIMIT_FSIZE", size, size),
        ("RLIMIT_CORE", 0, 0),
        ("RLIMIT_NOFILE", limits["descriptors"], limits["descriptors"]),
        ("RLIMIT_MEMLOCK", 0, 0),
        ("RLIMIT_MSGQUEUE", 0, 0),
    ]
    # Outside a user namespace of its own it counts every process of the user; inside there is
    # this one and the namespace's first.
    if own_namespace:
        wanted.append(("RLIMIT_NPROC", limits["threads"] + 1, limits["threads"] + 1))
    # macOS refuses any limit on the address space; the parent looks at the memory there.
    if sys.platform != "darwin":
        memory = limits["memory_mb"] * _MEBIBYTE + _own_size()
        wanted.append(("RLIMIT_AS", memory, memory))
    for name, soft, hard in wanted:
        kind = getattr(resource, name, None)
        if kind is not None:
            most = resource.getrlimit(kind)[1]
            if most != resource.RLIM_INFINITY:
                soft, hard = min(soft, most), min(hard, most)
            resource.setrlimit(kind, (soft, hard))


def _own_size() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 (no pathlib here)
        return int(file.read().split()[0]) * resource.getpagesize()


# --- the kernel's own interfaces --------------------------------------------------------------

_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 22, 24, 38
_PR_CAP_AMBIENT, _CLEAR_ALL = 47, 4
# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_CAPSET = {"x86_64": 126, "aarch64": 91}
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63
# Rights on files: those of the first version, and what each later one added.
_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
_READ_FILE, _READ_FOLDER, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1


class _Kernel:
    """Calls into the C library. Pointers are bytes objects, numbers are 32 bits wide."""

    def __init__(self) -> None:
        import _ctypes

        call: Any = _ctypes.call_function
        load: Any = _ctypes.dlopen
        self._call, library = call, load(None, 0)
        self._prctl = _ctypes.dlsym(library, "prctl")
        self._syscall = _ctypes.dlsym(library, "syscall")

    def prctl(self, *arguments: Any) -> int:
        """prctl(2); -1 when it failed."""
        result: int = self._call(self._prctl, (*arguments, *(0,) * (5 - len(arguments))))
        return result

    def syscall(self, *arguments: Any) -> int:
        """syscall(2); -1 when it failed."""
        result: int = self._call(self._syscall, arguments)
        return result


def _number(value: int, size: int) -> bytes:
    """A number of a C structure with what pads it; the processors of the table are all of one
    endianness. `struct` would cost its import."""
    return value.to_bytes(size, "little")


def _require(done: bool, what: str) -> None:
    if not done:
        raise OSError("the kernel refused " + what)


def _die_with(parent: int, kernel: _Kernel) -> None:
    """The end of `parent` ends this process; the filter keeps it so."""
    _require(kernel.prctl(_PR_SET_PDEATHSIG, 9) == 0, "to tie the process to its parent")
    if os.getppid() != parent:
        os._exit(0)


def _drop_capabilities(kernel: _Kernel) -> None:
    """Root becomes nobody in particular: no limit can be raised, no mode ignored."""
    kernel.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL)
    for capability in range(_LAST_CAPABILITY + 1):
        # Fails for numbers that the kernel does not have, and for a user who has none to drop.
        kernel.prctl(_PR_CAPBSET_DROP, capability)
    header, nothing = _number(_CAPABILITY_VERSION, 4) + bytes(4), bytes(24)
    number = _CAPSET[os.uname().machine]
    _require(kernel.syscall(number, header, nothing) == 0, "to drop capabilities")


def _confine_files(rules: dict[str, Any], kernel: _Kernel) -> int:
    """Allow reading below the given paths and nothing else; the version of Landlock is returned."""
    version: int = kernel.syscall(_CREATE_RULESET, None, 0, 1)
    _require(version >= 1, "Landlock, or does not have it")
    version = min(version, int(rules["newest"]))
    bits = max(count for since, count in _RIGHTS.items() if since <= version)
    attributes = _number((1 << bits) - 1, 8)
    if version >= 4:
        attributes += _number(0b11, 8)  # TCP: bind, connect
    if version >= 6:
        attributes += _number(0b11, 8)  # abstract sockets, signals
    ruleset = kernel.syscall(_CREATE_RULESET, attributes, len(attributes), 0)
    _require(ruleset >= 0, "a set of Landlock rules")
    for path in rules["folders"]:
        _allow(path, _READ_FILE | _READ_FOLDER, ruleset, kernel)
    for path in rules["listed"]:
        _allow(path, _READ_FOLDER, ruleset, kernel)
    for path in rules["files"]:
        _allow(path, _READ_FILE, ruleset, kernel)
    for path in rules["written"]:
        _allow(path, _READ_FILE | _WRITE_FILE, ruleset, kernel)
    _require(kernel.syscall(_RESTRICT_SELF, ruleset, 0) == 0, "the Landlock rules")
    os.close(ruleset)
    return version


def _allow(path: str, rights: int, ruleset: int, kernel: _Kernel) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError):
        return  # what can not be reached needs no rule
    rule = _number(rights, 8) + _number(opened, 4)
    done = kernel.syscall(_ADD_RULE, ruleset, 1, rule, 0) == 0
    os.close(opened)
    _require(done, "a Landlock rule for " + path)


def _filter(program: bytes, own_pid: bytes, kernel: _Kernel) -> None:
    program = program.replace(own_pid, _number(os.getpid(), 4))
    # The address of what a bytes object holds: after its header, before its closing zero.
    address = id(program) + bytes.__basicsize__ - 1
    both = _number(len(program) // 8, 8) + _number(address, 8)
    _require(kernel.prctl(_PR_SET_SECCOMP, 2, both) == 0, "the filter of system calls")


def _require_parent() -> None:
    """End unless the parent is there still.

    From here on its end is ours, by whoever started us; before, it may have gone unnoticed. Its
    end of the channel tells: what it wrote can be read for long after.
    """
    import select

    poll = select.poll()
    poll.register(_IN, 0)
    if poll.poll(0):
        os._exit(0)


def _give_up(setup: dict[str, Any]) -> None:
    """Everything that the first message asks for, in the one order that works."""
    kernel = _Kernel() if setup["kernel"] else None
    _limit(setup["limits"], setup["own_namespace"])
    if kernel is None:
        return
    filters = list(setup["filters"])
    if setup["parent"]:
        _die_with(setup["parent"], kernel)
        _drop_capabilities(kernel)
    _require(kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1) == 0, "no_new_privs")
    if setup["rules"] and _confine_files(setup["rules"], kernel) < 3:
        filters.insert(0, setup["no_truncation"])
    for program in filters:
        _filter(program, setup["own_pid"], kernel)
    _require_parent()


try:
    _give_up(_setup)
except Exception as error:
    _problem = type(error).__name__ + ": " + str(error)[:900]
    _send(_problem.encode("ascii", "replace"))
    os._exit(70)
_program = _setup["program"]
if isinstance(_program, str):
    _program = compile(_program, "<worker>", "exec")
_send(b"ready")
exec(_program, {"__name__": "__main__", "receive": _receive, "send": _send})
