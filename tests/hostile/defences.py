"""Each defence of the sandbox and of the judge, how it is switched off, and who notices.

A program notices when it escapes, survives or gets a wrong verdict. `behind` names what still
stands where no program can notice one defence alone; then both are off in a line of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from assistant.sandbox import Layer
from tests.hostile import lax
from tests.hostile.switches import (
    Off,
    all_filters,
    both,
    group,
    inside,
    instead,
    limit,
    newer_calls,
    no_rules,
    old_landlock,
    other_architectures,
    passed_environment,
    rule,
    started_with,
    words,
)

BUBBLEWRAP, LANDLOCK = (Layer.BUBBLEWRAP,), (Layer.LANDLOCK,)
BOTH = BUBBLEWRAP + LANDLOCK


@dataclass(frozen=True, slots=True)
class Defence:
    """One mutation: what is off, in which layers, and the programs that each have to notice."""

    name: str
    layers: tuple[Layer, ...]
    off: Off
    noticed_by: tuple[str, ...] = ()
    behind: str = ""
    """Why nobody notices it alone."""
    killed: bool = False
    """The judge is killed while the programs run, and what is left of them is what counts."""
    controls: bool = True
    """The harmless programs are judged as ever."""
    here: Callable[[], str] = str
    """Why it means nothing on this machine; empty when it does."""


def _root_only() -> str:
    return "" if os.geteuid() == 0 else "root alone has something to lose by it"


def _unused(name: str, layers: tuple[Layer, ...], off: Off, behind: str) -> Defence:
    return Defence(name, layers, off, behind=behind)


_NO_USER = both(
    words("--unshare-user"), words("--disable-userns"), words("--uid", "65534", "--gid", "65534")
)
_NO_BOND = inside("bootstrap.py", '        _die_with(setup["parent"], kernel)\n', "")
_NO_CAPABILITIES = inside("bootstrap.py", "        _drop_capabilities(kernel)\n", "")
_NO_LIMITS = inside("bootstrap.py", '    _limit(setup["limits"], setup["own_namespace"])\n', "")

NAMESPACES = (
    Defence("network of its own", BUBBLEWRAP, words("--unshare-net"), ("probe: name space net",)),
    Defence(
        "network of its own, and the filter of sockets",
        BUBBLEWRAP,
        both(words("--unshare-net"), group("_NETWORK"), rule("sendto")),
        ("contact: TCP", "contact: UDP", "contact: an abstract socket"),
    ),
    Defence(
        "processes of its own",
        BUBBLEWRAP,
        words("--unshare-pid"),
        ("probe: name space pid", "probe: processes"),
    ),
    Defence(
        "processes of its own, and every filter",
        BUBBLEWRAP,
        both(words("--unshare-pid"), all_filters),
        ("touch: kill", "touch: stop"),
        here=_root_only,
    ),
    Defence("queues of its own", BUBBLEWRAP, words("--unshare-ipc"), ("probe: name space ipc",)),
    Defence(
        "queues of its own, and the filter of queues",
        BUBBLEWRAP,
        both(words("--unshare-ipc"), group("_NETWORK")),
        ("wall: memory that stays",),
    ),
    Defence(
        "host name of its own",
        BUBBLEWRAP,
        both(words("--unshare-uts"), words("--hostname", "localhost")),
        ("probe: name space uts",),
    ),
    Defence("users of its own", BUBBLEWRAP, _NO_USER, ("probe: name space user",), here=_root_only),
    Defence(
        "session of its own, by bwrap",
        BUBBLEWRAP,
        words("--new-session"),
        ("wall: session and group",),
    ),
    Defence(
        "session of its own, by the parent",
        LANDLOCK,
        started_with(start_new_session=False),
        ("wall: session and group",),
        controls=False,
    ),
    Defence(
        "no capabilities, by bwrap",
        BUBBLEWRAP,
        both(_NO_USER, words("--cap-drop", "ALL")),
        ("kernel: more rights",),
        here=_root_only,
    ),
    Defence(
        "no capabilities, by itself",
        LANDLOCK,
        _NO_CAPABILITIES,
        ("kernel: more rights",),
        here=_root_only,
    ),
    Defence(
        "no name spaces within",
        BUBBLEWRAP,
        words("--disable-userns"),
        behind="the filter refuses unshare, clone and setns before",
    ),
)

FILES = (
    Defence(
        "a root with Python alone",
        BUBBLEWRAP,
        instead(
            ("--chdir",), ("--ro-bind", "/var", "/var", "--ro-bind", "/etc", "/etc", "--chdir")
        ),
        ("read: open", "read: by sendfile into a pipe", "wall: files beside Python"),
    ),
    Defence(
        "a root that can not be written",
        BUBBLEWRAP,
        words("--remount-ro", "/"),
        ("write: every folder there is",),
    ),
    Defence(
        "Python that can not be written",
        BUBBLEWRAP,
        instead(("--ro-bind",), ("--bind",)),
        ("wall: Python's own folder",),
        here=_root_only,
    ),
    Defence(
        "a /proc of its own",
        BUBBLEWRAP,
        instead(("--proc", "/proc"), ("--ro-bind", "/proc", "/proc")),
        ("probe: processes",),
    ),
    Defence(
        "few devices",
        BUBBLEWRAP,
        instead(("--dir", "/dev"), ("--dir", "/dev", "--dev-bind", "/dev/full", "/dev/full")),
        ("wall: devices",),
    ),
    Defence(
        "the size of the temporary folder",
        BUBBLEWRAP,
        lax.any_size,
        ("take: many files",),
    ),
    Defence(
        "rules of Landlock",
        LANDLOCK,
        no_rules,
        ("read: open", "read: by a map of the file", "write: open", "write: remove"),
    ),
    Defence(
        "no truncation, where Landlock is old",
        LANDLOCK,
        both(old_landlock(1), lax.truncation),
        ("write: truncate",),
    ),
    Defence(
        "rules of Landlock about signals and sockets",
        LANDLOCK,
        old_landlock(1),
        behind="the filter, which older kernels rely on, refuses both: every program was run so",
    ),
    Defence(
        "signals: the rules of Landlock and the own number",
        LANDLOCK,
        both(old_landlock(5), rule("kill", "tgkill")),
        ("touch: kill", "touch: stop", "wall: a thread of the host"),
    ),
    Defence(
        "signals: the rules of Landlock and the owners of files",
        LANDLOCK,
        both(old_landlock(5), rule("fcntl", "ioctl")),
        ("touch: signal by the owner of a pipe", "wall: the owner of a file"),
    ),
)

CALLS = (
    Defence("the filter", BOTH, all_filters, ("process: fork", "kernel: debugging",
                                              "contact: every family of sockets")),
    Defence("the filter of processes", BOTH, group("_PROCESSES"),
            ("kernel: processes", "kernel: debugging")),
    Defence("the filter of processes: priority", LANDLOCK,
            both(group("_PROCESSES"), _NO_CAPABILITIES),
            ("touch: its priority", "touch: its processors", "touch: its input priority")),
    Defence("the filter of users", BOTH, group("_IDENTITY"), ("wall: who it is",)),
    Defence("the filter of sockets", BOTH, group("_NETWORK"),
            ("contact: every family of sockets",)),
    Defence("the filter of sockets: the host", LANDLOCK, both(group("_NETWORK"), rule("sendto")),
            ("contact: a socket file", "contact: UDP")),
    Defence("the filter of mounts", BOTH, group("_MOUNTS"), ("kernel: name spaces",)),
    Defence("the filter of files", BOTH, group("_FILES"), ("take: memory files",)),
    Defence("the filter of files: modes", LANDLOCK, group("_FILES"),
            ("write: mode", "write: times")),
    Defence("the filter of attributes", BOTH, group("ATTRIBUTES"), ("wall: extended attributes",)),
    Defence("the filter of rare calls", BOTH, group("_KERNEL"),
            ("kernel: keys, programs and events in the kernel",)),
    Defence("the filter of unknown calls", BOTH, newer_calls, ("wall: calls that came later",)),
    Defence("the filter of 32-bit calls", BOTH, other_architectures, ("kernel: 32-bit calls",)),
    Defence(
        "settings of the kernel",
        BUBBLEWRAP,
        words("--remount-ro", "/proc"),
        ("wall: settings of the kernel",),
        here=_root_only,
    ),
    Defence(
        "private memory alone", BOTH, rule("mmap"), ("wall: memory that is shared and shrunk",)
    ),
    Defence("new processes", BOTH, rule("clone"), ("process: fork", "process: daemon")),
    Defence("new programs", BOTH, rule("execve", "execveat"), ("kernel: processes",)),
    Defence("new programs: another Python", BUBBLEWRAP, rule("execve", "execveat"),
            ("process: becomes another program",)),
    Defence("the own number", BOTH, rule("kill", "tgkill", "prlimit64"),
            ("wall: a process that is not there",)),
    Defence("the own number: limits of others", LANDLOCK, rule("prlimit64"),
            ("touch: its limits",)),
    Defence("settings of the process", BOTH, rule("prctl"), ("wall: its bond to the parent",)),
    Defence("pairs of sockets", BOTH, rule("socketpair"), ("wall: a pair of datagram sockets",)),
    Defence("pairs of sockets, and addresses", LANDLOCK, rule("socketpair", "sendto"),
            ("wall: a pair of datagram sockets",)),
    Defence("addresses", BOTH, rule("sendto"), ("wall: an address for a pair of streams",)),
    Defence("what a file may be asked", BOTH, rule("fcntl"), ("wall: a lease on Python's files",)),
    Defence("what a device may be asked", BOTH, rule("ioctl"),
            ("wall: letters for a terminal", "wall: settings of Python's files")),
    Defence("owners of files", BOTH, rule("fcntl", "ioctl"), ("wall: the owner of a file",)),
)  # fmt: skip

LIMITS = (
    Defence("all limits", BOTH, _NO_LIMITS, ("take: descriptors", "take: 300 MiB in pieces")),
    Defence(
        "processor time, by the kernel",
        BOTH,
        limit("RLIMIT_CPU"),
        ("wall: limits above what was given",),
    ),
    Defence("processor time, by looking", BOTH, lax.blind, ("wall: processor time of one call",)),
    Defence(
        "processor time, both",
        BOTH,
        both(lax.blind, limit("RLIMIT_CPU")),
        ("wall: processor time while nobody waits long",),
    ),
    Defence("wall clock", BOTH, lax.patient, ("time: sleeping call",)),
    Defence("memory", BOTH, limit("RLIMIT_AS"), ("take: 300 MiB in pieces",)),
    Defence(
        "size of a file", BUBBLEWRAP, limit("RLIMIT_FSIZE"), ("take: a file beyond its limit",)
    ),
    Defence(
        "size of a file, where none can be written",
        LANDLOCK,
        limit("RLIMIT_FSIZE"),
        ("wall: limits above what was given",),
    ),
    Defence("open files", BOTH, limit("RLIMIT_NOFILE"), ("take: descriptors",)),
    Defence(
        "no core",
        BOTH,
        both(lax.cores, limit("RLIMIT_CORE")),
        ("wall: limits above what was given",),
    ),
    Defence(
        "no locked memory", BOTH, limit("RLIMIT_MEMLOCK"), ("wall: limits above what was given",)
    ),
    Defence("no memory for queues", BOTH, limit("RLIMIT_MSGQUEUE"), ("wall: memory for queues",)),
    Defence("tasks, by the kernel", BUBBLEWRAP, limit("RLIMIT_NPROC"), ("wall: number of tasks",)),
    Defence("tasks, by looking", LANDLOCK, lax.any_threads, ("take: threads",)),
    Defence(
        "tasks, both",
        BUBBLEWRAP,
        both(lax.any_threads, limit("RLIMIT_NPROC")),
        ("take: threads",),
    ),
    Defence("number of files", BUBBLEWRAP, lax.any_files, ("wall: more files than bytes tell",)),
    Defence("output", BOTH, lax.any_output, ("take: output in one piece",)),
    Defence("length of a message", BOTH, lax.any_length, ("channel: a length of 2^31",)),
)

START_AND_END = (
    Defence(
        "clean environment at the start",
        BOTH,
        passed_environment,
        ("probe: Python and loader variables",),
    ),
    Defence(
        "clean environment at the start: a name space's /proc",
        BUBBLEWRAP,
        passed_environment,
        ("read: the environment of itself, from /proc",),
    ),
    Defence(
        "clean environment inside",
        BOTH,
        inside("start.py", "os.environ.clear()\n", ""),
        ("probe: environment",),
    ),
    Defence(
        "no descriptor but its own",
        BOTH,
        started_with(close_fds=False),
        ("read: descriptors that were left open", "probe: descriptors"),
    ),
    Defence(
        "killed at the end",
        BOTH,
        lax.no_end,
        ("time: sleeping call", "time: busy call"),
        controls=False,
    ),
    Defence(
        "ends with the judge, by itself",
        LANDLOCK,
        _NO_BOND,
        ("left: deaf to signals",),
        killed=True,
    ),
    Defence(
        "the bond to the judge stays",
        LANDLOCK,
        rule("prctl"),
        ("left: takes its bond back",),
        killed=True,
    ),
    Defence(
        "ends with the judge, by bwrap",
        BUBBLEWRAP,
        lax.no_last_words,
        behind="the pipe that kills the group of bwrap when the judge has gone",
        killed=True,
    ),
    Defence(
        "ends with the judge, by a pipe",
        BUBBLEWRAP,
        lax.no_pipe,
        behind="--die-with-parent; the pipe is for the moment before bwrap has said so",
        killed=True,
    ),
    Defence(
        "ends with the judge, both",
        BUBBLEWRAP,
        both(lax.no_last_words, lax.no_pipe),
        ("left: in a session of its own",),
        killed=True,
    ),
    Defence(
        "no new privileges",
        BOTH,
        lambda: None,
        behind="the kernel takes neither rules nor a filter from a process without it",
    ),
)

JUDGE = (
    Defence("random ids", BOTH, lax.same_ids, ("channel: the old answer again",)),
    Defence(
        "ids looked at", BOTH, lax.any_id, ("channel: another id", "channel: before it is asked")
    ),
    Defence("exact types inside", BOTH, lax.subclasses, ("fake value: subclass of int",)),
    Defence(
        "values read strictly",
        BOTH,
        lax.lenient,
        ("channel: value: a member twice",),
    ),
    Defence(
        "values compared strictly",
        BOTH,
        lax.equal,
        ("near value: float for int", "near value: True for 1 as a key"),
    ),
    Defence(
        "what is expected stays outside",
        BOTH,
        lax.told,
        ("read: expected in the frames above", "read: expected among all objects"),
    ),
    Defence(
        "tests apart",
        BOTH,
        lax.together,
        (
            "tests: ends while loading",
            "tests: leaves when called",
            "tests: reads what is expected",
            "tests: reads the constants of the tests",
            "tests: equal to everything",
            "tests: changes a module",
        ),
    ),
    Defence(
        "verdicts without control characters",
        BOTH,
        lax.raw,
        ("raise: terminal codes in the name",),
    ),
)

DEFENCES = (*NAMESPACES, *FILES, *CALLS, *LIMITS, *START_AND_END, *JUDGE)
"""All of them."""
CONTROLS = ("channel: the right answer, by hand", "time: busy call")
"""They are as they have to be with any one defence off, else the mutation broke the sandbox."""
