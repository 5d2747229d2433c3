"""The filter of system calls, as numbers and as decisions."""

from __future__ import annotations

import errno
import platform
import re
import struct
from pathlib import Path

import pytest

from assistant.sandbox import seccomp, syscalls

HEADERS = {
    "x86_64": (
        "/usr/include/x86_64-linux-gnu/asm/unistd_64.h",
        "/usr/include/asm/unistd_64.h",
    ),
    "aarch64": ("/usr/include/asm-generic/unistd.h",),
}
ALLOW, KILL = 0x7FFF0000, 0x80000000
ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
PID = 4711


def header(machine: str) -> dict[str, int]:
    for name in HEADERS[machine]:
        if Path(name).exists():
            text = Path(name).read_text()
            return {
                m[1]: int(m[2]) for m in re.finditer(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)
            }
    pytest.skip(f"no header with the numbers of {machine} is installed here")


@pytest.mark.parametrize("machine", HEADERS)
def test_the_numbers_are_the_kernels(machine: str):
    known, table = header(machine), syscalls.numbers(machine)

    assert {name: known.get(name) for name in table} == table
    for name in table:
        assert table[name] <= syscalls.NEWEST


@pytest.mark.parametrize("machine", HEADERS)
def test_a_call_without_a_number_has_none_there(machine: str):
    """A dash in the table is no oversight."""
    known = header(machine)
    everything = syscalls.numbers("x86_64") | syscalls.numbers("aarch64")

    assert {name for name in everything if name not in syscalls.numbers(machine)} == {
        name for name in everything if name not in known
    }


def decide(program: bytes, call: int, *arguments: int, machine: str = "x86_64") -> int:
    """What the kernel's interpreter of such programs answers."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", call, ARCHITECTURE[machine], 0, *padded)
    lines = [struct.unpack_from("<HBBI", program, at) for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, yes, no, value = lines[at]
        at += 1
        if code == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif code == 0x54:
            accumulator &= value
        elif code == 0x15:
            at += yes if accumulator == value else no
        elif code == 0x25:
            at += yes if accumulator > value else no
        else:
            assert code == 0x06
            return value


def refused(code: int) -> int:
    return 0x00050000 | code


EPERM = refused(errno.EPERM)
EARLY = [
    ("clone", (0x3D0F00,), ALLOW),  # what pthread_create asks for
    ("clone", (0x01200011,), EPERM),  # what fork asks for
    ("clone", (0x3D0F00 | 0x10000000,), EPERM),  # a thread in a new user namespace
    ("clone3", (), refused(errno.ENOSYS)),
    ("unshare", (0x10000000,), EPERM),
    ("socket", (1, 1, 0), EPERM),
    ("socketpair", (1, 1 | 0o2000000, 0), ALLOW),
    ("socketpair", (1, 2, 0), EPERM),
    ("socketpair", (2, 1, 0), EPERM),
    ("sendto", (3, 0x7FFF00000000, 1, 0, 0, 0), ALLOW),
    ("sendto", (3, 0, 1, 0, 0x100000000, 0), EPERM),
    ("sendto", (3, 0, 1, 0, 0x1000, 0), EPERM),
    ("ioctl", (0, 0x5412), EPERM),
    ("ioctl", (0, 0x1_0000_541C), EPERM),  # the kernel looks at the lower half
    ("ioctl", (0, 0x5421), ALLOW),
    ("ioctl", (0, 0x8901), EPERM),  # FIOSETOWN: whom the kernel signals when there is input
    ("ioctl", (0, 0x8902), EPERM),
    ("fcntl", (0, 8, 1), EPERM),  # F_SETOWN
    ("fcntl", (0, 15, 1), EPERM),
    ("fcntl", (0, 1024, 1), EPERM),  # F_SETLEASE
    ("fcntl", (0, 1026, 2), EPERM),  # F_NOTIFY
    ("fcntl", (0, 4, 0o4000), ALLOW),
    ("fcntl", (0, 0, 3), ALLOW),
    ("fcntl", (0, 1034), ALLOW),
    ("ioctl", (0, 0x5401), ALLOW),
    ("ioctl", (0, 0x5451), ALLOW),
    ("ioctl", (0, 0x40086602), EPERM),  # FS_IOC_SETFLAGS
    ("ioctl", (0, 0x40806685), EPERM),  # FS_IOC_ENABLE_VERITY
    ("getxattr", (), refused(errno.ENOTSUP)),
    ("execve", (), ALLOW),
    ("openat", (0, 0, 0o1000), ALLOW),
    ("openat2", (), refused(errno.ENOSYS)),
]
LATE = [
    ("execve", (), EPERM),
    ("execveat", (), EPERM),
    ("kill", (PID, 9), ALLOW),
    ("kill", (1, 9), EPERM),
    ("kill", (0, 9), EPERM),
    ("kill", (0xFFFFFFFF, 9), EPERM),
    ("tgkill", (PID, 3, 9), ALLOW),
    ("tgkill", (1, 1, 9), EPERM),
    ("prlimit64", (0,), ALLOW),
    ("prlimit64", (PID,), ALLOW),
    ("prlimit64", (1,), EPERM),
    ("prctl", (15,), ALLOW),
    ("prctl", (1, 0), EPERM),  # the end of the parent shall stay the end
    ("prctl", (4, 0), EPERM),
    ("openat", (), ALLOW),
]
NO_TRUNCATION = [
    ("openat", (0, 0, 0o1000 | 0o2000000), EPERM),
    ("openat", (0, 0, 0o2000000), ALLOW),
    ("truncate", (), EPERM),
]


@pytest.mark.parametrize("machine", HEADERS)
@pytest.mark.parametrize(
    ("program", "cases"),
    [(seccomp.early, EARLY), (seccomp.late, LATE), (seccomp.no_truncation, NO_TRUNCATION)],
    ids=["early", "late", "no truncation"],
)
def test_decisions(machine, program, cases):
    made = program(machine).replace(
        seccomp.OWN_PID.to_bytes(4, "little"), PID.to_bytes(4, "little")
    )
    numbers = syscalls.numbers(machine)

    decisions = [decide(made, numbers[n], *a, machine=machine) for n, a, _ in cases]

    assert decisions == [decision for _, _, decision in cases]


@pytest.mark.parametrize("machine", HEADERS)
def test_what_is_not_known_does_not_exist(machine: str):
    made = seccomp.early(machine)
    other = next(name for name in HEADERS if name != machine)

    assert decide(made, syscalls.NEWEST + 1, machine=machine) == refused(errno.ENOSYS)
    assert decide(made, 0x40000000 + 39, machine=machine) == refused(errno.ENOSYS)  # x32
    assert decide(made, 39, machine=other) == KILL


def test_each_group_is_refused_with_any_argument():
    for machine in HEADERS:
        numbers, made = syscalls.numbers(machine), seccomp.early(machine)
        for group in syscalls.REFUSED:
            for name in syscalls.names(group):
                if name in numbers:
                    assert decide(made, numbers[name], *[1] * 6, machine=machine) == EPERM, name


def test_the_own_number_stands_where_it_should():
    """It is put there by replacing four bytes, so they may stand nowhere else."""
    mark = seccomp.OWN_PID.to_bytes(4, "little")
    for machine in HEADERS:
        assert seccomp.late(machine).count(mark) == 3
        assert mark not in seccomp.early(machine) + seccomp.no_truncation(machine)


def test_other_processors_have_no_filter():
    assert seccomp.problem("riscv64") is not None
    assert "riscv64" in str(seccomp.problem("riscv64"))
    if platform.machine() in HEADERS:
        assert seccomp.problem() is None


# What the filter does inside. Numbers are looked up outside: the same program, the same calls.
CALLS = """
import ctypes, errno
call = ctypes.CDLL(None, use_errno=True).syscall
answer = {{}}
for name, number in {numbers!r}.items():
    result = call(number, *{arguments!r}.get(name, (0, 0, 0, 0, 0, 0)))
    answer[name] = errno.errorcode.get(ctypes.get_errno()) if result == -1 else "done"
"""


def test_the_kernel_obeys_it(inside):
    numbers = syscalls.numbers(platform.machine())
    names = [n for group in syscalls.REFUSED for n in syscalls.names(group) if n in numbers]
    names += ["clone3", "execve", "execveat", "socketpair"]
    lines = CALLS.format(
        numbers={name: numbers[name] for name in names}, arguments={"socketpair": (1, 2, 0, 0)}
    )

    kind, found = inside(lines)

    assert kind == "ok"
    expected = {name: "ENOSYS" if name == "clone3" else "EPERM" for name in names}
    assert found == expected


def test_x32_calls_do_not_exist(inside):
    if platform.machine() != "x86_64":
        pytest.skip("x32 is a part of x86_64")
    lines = CALLS.format(numbers={"getpid": 0x40000000 + 39}, arguments={})

    assert inside(lines) == ["ok", {"getpid": "ENOSYS"}]
