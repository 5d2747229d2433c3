"""Tools that switch one defence off, in a process that does nothing else.

What builds a command line, a filter or a set of rules is wrapped; what runs inside is changed as
text, as is a line of a function where nothing else would do. A text that is not there any more is
an error: then the mutation says nothing, and has to be written again.
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import subprocess
import textwrap
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from assistant.sandbox import bubblewrap, landlock, lifetime, seccomp, setup, syscalls, view

Off = Callable[[], None]


class NothingToSwitch(Exception):
    """The text that a mutation replaces is gone."""


def replaced(text: str, old: str, new: str) -> str:
    """`text` with `new` for its only `old`."""
    if text.count(old) != 1:
        raise NothingToSwitch(f"{old!r} is there {text.count(old)} times")
    return text.replace(old, new)


def line(function: Any, old: str, new: str, owner: Any = None) -> None:
    """Change one piece of a function's text; `owner` is its class or else its module."""
    source = replaced(textwrap.dedent(inspect.getsource(function)), old, new)
    flags = ast.parse(f"from __future__ import annotations\n{source}")
    place: dict[str, Any] = {}
    exec(compile(flags, "<mutation>", "exec"), function.__globals__, place)
    setattr(owner or inspect.getmodule(function), function.__name__, place[function.__name__])


def inside(file: str, old: str, new: str) -> Off:
    """Change what runs inside: `old` in the sandbox's own `file`."""

    def off() -> None:
        text, code = setup._text, setup._code
        new_text = replaced(text(setup._INSIDE / file), old, new)
        new_code = compile(new_text, "<worker>", "exec", dont_inherit=True)
        setup._text = lambda path: new_text if path.name == file else text(path)  # type: ignore[assignment]
        setup._code = lambda path: new_code if path.name == file else code(path)  # type: ignore[assignment]

    return off


def limit(name: str) -> Off:
    """One limit of the kernel is not set."""
    loop = "    for name, soft, hard in wanted:\n"
    return inside("bootstrap.py", loop, f"{loop}        if name == {name!r}: continue\n")


def argv(change: Callable[[list[str]], list[str]]) -> Off:
    """The command line of bubblewrap, changed."""

    def off() -> None:
        real = bubblewrap.command
        bubblewrap.command = lambda *a, **k: change(real(*a, **k))  # type: ignore[assignment]

    return off


def words(*gone: str) -> Off:
    """Words of bubblewrap's command line that are left out, which have to be there in a row."""

    def change(found: list[str]) -> list[str]:
        for at in range(len(found)):
            if tuple(found[at : at + len(gone)]) == gone:
                return found[:at] + found[at + len(gone) :]
        raise NothingToSwitch(f"{gone} is not on the command line")

    return argv(change)


def instead(old: tuple[str, ...], new: tuple[str, ...]) -> Off:
    """Words of bubblewrap's command line that stand in for others, wherever these are."""

    def change(found: list[str]) -> list[str]:
        kept, at = [], 0
        while at < len(found):
            if tuple(found[at : at + len(old)]) == old:
                kept += new
                at += len(old)
            else:
                kept.append(found[at])
                at += 1
        if kept == found:
            raise NothingToSwitch(f"{old} is not on the command line")
        return kept

    return argv(change)


def _forget_filters() -> None:
    for function in (seccomp.early, seccomp.late, seccomp.no_truncation):
        function.cache_clear()


def group(name: str) -> Off:
    """A group of the table of system calls is no longer refused."""

    def off() -> None:
        gone = getattr(syscalls, name)
        if name == "ATTRIBUTES":
            syscalls.ATTRIBUTES = "getxattr 191 8"
        else:
            syscalls.REFUSED = tuple(text for text in syscalls.REFUSED if text != gone)  # type: ignore[assignment]
        syscalls.numbers.cache_clear()
        _forget_filters()

    return off


def rule(*names: str) -> Off:
    """System calls whose arguments are no longer looked at."""

    def off() -> None:
        for name in names:
            found = [rules for rules in (seccomp._EARLY, seccomp._LATE) if name in rules]
            if not found:
                raise NothingToSwitch(f"there is no rule about {name}")
            for rules in found:
                del rules[name]
        _forget_filters()

    return off


def all_filters() -> None:
    """Every system call is let through."""
    allow = seccomp._line(seccomp._RETURN, seccomp._ALLOW)
    for name in ("early", "late", "no_truncation"):
        setattr(seccomp, name, functools.cache(lambda machine=None: allow))


def other_architectures() -> None:
    """The filter does not ask which table a number is from."""
    real = seccomp._program
    head = 3 * 8  # three lines: load, compare, refuse
    seccomp._program = lambda *a: real(*a)[head:]  # type: ignore[assignment]
    _forget_filters()


def newer_calls() -> None:
    """Numbers that the table does not know are let through."""
    syscalls.NEWEST = 0xFFFF_FFFE
    _forget_filters()


def old_landlock(version: int) -> Off:
    """As on a kernel whose Landlock has that version."""

    def off() -> None:
        landlock.NEWEST = version

    return off


def no_rules() -> None:
    """Landlock is not asked for anything."""
    setup._rules = lambda shown: None  # type: ignore[assignment,return-value]


def started_with(**changed: Any) -> Off:
    """How the process is started, changed."""

    def off() -> None:
        def popen(*args: Any, **more: Any) -> subprocess.Popen[bytes]:
            # Without the names of descriptors to pass, Python would close the rest all the same.
            if changed.get("close_fds") is False:
                for fd in more.pop("pass_fds"):
                    os.set_inheritable(fd, True)
            return subprocess.Popen(*args, **{**more, **changed})

        lifetime.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": popen})  # type: ignore[assignment]

    return off


def passed_environment() -> None:
    """The process is started with the judge's environment."""
    view.ENVIRONMENT = {**os.environ, **view.ENVIRONMENT}


def attribute(owner: Any, name: str, value: Any) -> Off:
    """Another value for a name; an error when there is no such name."""

    def off() -> None:
        getattr(owner, name)
        setattr(owner, name, value)

    return off


def wrapped(owner: Any, name: str, wrapper: Callable[[Any], Any]) -> Off:
    """`wrapper` of what stands under a name, instead of it."""

    def off() -> None:
        setattr(owner, name, wrapper(getattr(owner, name)))

    return off


def both(*offs: Off) -> Off:
    """Several at once."""

    def off() -> None:
        for one in offs:
            one()

    return off
