"""The filter of system calls, as the program of the kernel's packet filter that seccomp wants.

There are two, and the stricter answer of both counts. `early` can be in force before Python
starts; `late` also refuses what the start itself needs (a new program) and what depends on the
process' own number. The policy is a list of refusals, with everything newer than the table
refused as well. Format: linux/filter.h and linux/seccomp.h; a test runs both programs through an
interpreter of that format.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from assistant.sandbox import syscalls

OWN_PID = 0x5A5A_A5A5
"""Stands in `late` for the number of the process, which it puts there itself."""

_ALLOW, _ERRNO, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
# Opcodes: load a word of the call's data, compare, mask, return.
_LOAD, _EQUAL, _GREATER, _AND, _RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_ALL_BITS = 0xFFFF_FFFF

_THREAD = 0x0001_0400  # CLONE_THREAD and CLONE_FILES
_PRIVATE, _KIND = 0x02, 0x0F  # MAP_PRIVATE, MAP_TYPE
_NAMESPACES = 0x7E02_0080  # CLONE_NEW{USER,PID,NET,IPC,UTS,CGROUP,NS,TIME}
_STREAM, _UNIX = 1, 1
# TCGETS, TCGETS2, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: what Python asks of
# any file. Others type into a terminal, set the owner of a socket, or change flags, version and
# seal of a file that is open for reading alone, which no rule of Landlock is about.
_IOCTL = (0x5401, 0x802C_542A, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# F_DUPFD, F_{GET,SET}{FD,FL}, F_{GETLK,SETLK,SETLKW}, F_GETOWN, F_OFD_{GETLK,SETLK,SETLKW},
# F_DUPFD_CLOEXEC, F_{SET,GET}PIPE_SZ, F_GET_SEALS. Not the owner: the kernel sends it the signal
# that the holder has chosen, SIGKILL included, and Landlock before its sixth version lets it. Not
# leases and watches: whoever opens a leased file waits for the holder.
_FCNTL = (*range(8), 9, 36, 37, 38, 1030, 1031, 1032, 1034)
_TRUNCATE = 0o1000
# PR_{GET,SET}_NAME, PR_GET_{PDEATHSIG,DUMPABLE,SECCOMP,NO_NEW_PRIVS,THP_DISABLE},
# PR_CAPBSET_READ, PR_SET_VMA. Above all not PR_SET_PDEATHSIG, by which the end of the parent
# ends this process.
_PRCTL = (15, 16, 2, 3, 21, 39, 42, 23, 0x5356_4D41)


@dataclass(frozen=True, slots=True)
class _Condition:
    """On one half of an argument: its masked value has to be among `values`, or must not be."""

    argument: int
    values: tuple[int, ...]
    mask: int = _ALL_BITS
    among: bool = True
    high: bool = False


# A call that is allowed when all conditions hold, and refused with EPERM otherwise.
_Rules = dict[str, tuple[_Condition, ...]]

_NO_NAMESPACES = (_Condition(0, (0,), _NAMESPACES),)
_EARLY: _Rules = {
    # Threads alone, with the one table of files: so one limit on the address space bounds all
    # memory, and one on the descriptors all pipes.
    "clone": (_Condition(0, (_THREAD,), _THREAD), *_NO_NAMESPACES),
    # Shared memory stays when a mapping of it shrinks, beyond that limit.
    "mmap": (_Condition(3, (_PRIVATE,), _KIND),),
    # An event loop of asyncio wants a pair of sockets to wake itself. A connected pair of
    # streams can reach nobody else; a datagram socket could, by an address.
    "socketpair": (_Condition(0, (_UNIX,)), _Condition(1, (_STREAM,), 0xF)),
    "sendto": (_Condition(4, (0,)), _Condition(4, (0,), high=True)),
    "ioctl": (_Condition(1, _IOCTL),),
    "fcntl": (_Condition(1, _FCNTL),),
}
_LATE: _Rules = {
    "execve": (_Condition(0, ()),),
    "execveat": (_Condition(0, ()),),
    "kill": (_Condition(0, (OWN_PID,)),),
    "tgkill": (_Condition(0, (OWN_PID,)),),
    "prlimit64": (_Condition(0, (0, OWN_PID)),),
    "prctl": (_Condition(0, _PRCTL),),
}
# Landlock before its third version knows no truncation: whoever may read could also empty.
_NO_TRUNCATION: _Rules = {
    "open": (_Condition(1, (0,), _TRUNCATE),),
    "openat": (_Condition(2, (0,), _TRUNCATE),),
    "creat": (_Condition(0, ()),),
    "truncate": (_Condition(0, ()),),
}


def problem(machine: str | None = None) -> str | None:
    """Why there is no filter for this processor, or None when there is one."""
    machine = machine or syscalls.machine()
    if machine in _ARCHITECTURES:
        return None
    return f"there is no table of system calls for {machine}, only for x86_64 and aarch64"


@functools.cache
def early(machine: str | None = None) -> bytes:
    """The filter that can be in force before Python starts."""
    machine = machine or syscalls.machine()
    return _program(machine, _refused(machine), _EARLY)


def _refused(machine: str) -> dict[int, int]:
    """Calls that are refused whatever their arguments are, with the error."""
    numbers = syscalls.numbers(machine)
    refused = {name: errno.EPERM for group in syscalls.REFUSED for name in syscalls.names(group)}
    refused |= dict.fromkeys(syscalls.names(syscalls.ATTRIBUTES), errno.ENOTSUP)
    # "No such call" makes the C library use the older one, whose arguments can be looked at.
    refused |= {"clone3": errno.ENOSYS, "openat2": errno.ENOSYS}
    return {numbers[n]: e for n, e in refused.items() if n in numbers}


@functools.cache
def forking(machine: str | None = None) -> bytes:
    """`early` for an interpreter that forks; its children put `early` on themselves."""
    machine = machine or syscalls.machine()
    return _program(machine, _refused(machine), {**_EARLY, "clone": _NO_NAMESPACES})


@functools.cache
def late(machine: str | None = None) -> bytes:
    """The filter that the process puts on itself, with `OWN_PID` still in it."""
    return _program(machine or syscalls.machine(), {}, _LATE)


@functools.cache
def no_truncation(machine: str | None = None) -> bytes:
    """The filter that older versions of Landlock need."""
    return _program(machine or syscalls.machine(), {}, _NO_TRUNCATION)


def _program(machine: str, refused: dict[int, int], rules: _Rules) -> bytes:
    numbers = syscalls.numbers(machine)
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_EQUAL, _ARCHITECTURES[machine], 1, 0),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
        # The numbers of x32 are above it, too.
        _line(_GREATER, syscalls.NEWEST, 0, 1),
        _line(_RETURN, _ERRNO | errno.ENOSYS),
    ]
    for number, code in refused.items():
        lines += [_line(_EQUAL, number, 0, 1), _line(_RETURN, _ERRNO | code)]
    for name, conditions in rules.items():
        if name in numbers:
            block = [line for condition in conditions for line in _checks(condition)]
            block.append(_line(_RETURN, _ALLOW))
            lines += [_line(_EQUAL, numbers[name], 0, len(block)), *block]
    return b"".join([*lines, _line(_RETURN, _ALLOW)])


def _checks(condition: _Condition) -> Iterator[bytes]:
    """Lines that return EPERM unless the condition holds, and go on when it does."""
    refuse = _line(_RETURN, _ERRNO | errno.EPERM)
    yield _line(_LOAD, _ARGUMENTS_AT + 8 * condition.argument + 4 * condition.high)
    if condition.mask != _ALL_BITS:
        yield _line(_AND, condition.mask)
    for left, value in reversed([*enumerate(reversed(condition.values))]):
        if condition.among:
            yield _line(_EQUAL, value, left + 1, 0)
        else:
            yield from (_line(_EQUAL, value, 0, 1), refuse)
    if condition.among:
        yield refuse


def _line(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return code.to_bytes(2, "little") + bytes((yes, no)) + value.to_bytes(4, "little")
