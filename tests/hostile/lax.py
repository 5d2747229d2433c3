"""Defences of the parent, switched off: a judge that believes, waits and lets through."""

from __future__ import annotations

import json
import resource
from types import SimpleNamespace
from typing import Any

from assistant.checks import apart, calls, program, result, values
from assistant.checks.program import Program, Stopped
from assistant.checks.result import CheckResult
from assistant.events import Outcome
from assistant.sandbox import bubblewrap, channel, lifetime, process, seccomp, usage
from tests.hostile import judging
from tests.hostile.switches import line, replaced

_MUCH = 1 << 40


def any_size() -> None:
    """The temporary folder has no size of its own."""
    real = bubblewrap.command

    def command(*args: Any, **more: Any) -> list[str]:
        found = real(*args, **more)
        at = found.index("/tmp", found.index("--size")) - 1
        assert found[at] == "--tmpfs" and found[at - 2] == "--size"
        return found[: at - 2] + found[at:]

    bubblewrap.command = command


def truncation() -> None:
    """The filter for old versions of Landlock lets everything through."""
    allow = seccomp._line(seccomp._RETURN, seccomp._ALLOW)
    seccomp.no_truncation = lambda: allow  # type: ignore[assignment]


def cores() -> None:
    """The judge itself may write a core, as many users may."""
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def blind() -> None:
    """Nobody looks at the processor time."""
    usage.cpu_s = lambda process: 0.0  # type: ignore[assignment]


def patient() -> None:
    """Nobody looks at the clock."""
    line(process.Sandbox._look, "if now >= deadline and", "if False and", process.Sandbox)


def any_threads() -> None:
    """Nobody counts threads."""
    line(usage.check, "if threads > limits.threads + 1:", "if False:")


def any_files() -> None:
    """Nobody counts files."""
    assert usage._MOST_FILES
    usage._MOST_FILES = _MUCH


def any_output() -> None:
    """All that is printed is kept."""
    real = channel.Channel.__init__
    channel.Channel.__init__ = lambda self, process, output_bytes: real(self, process, _MUCH)  # type: ignore[method-assign]


def any_length() -> None:
    """A message may have any length."""
    real = channel.Channel.frame
    channel.Channel.frame = lambda self, most: real(self, _MUCH)  # type: ignore[method-assign]


def no_end() -> None:
    """What runs is left running."""
    lifetime.Process._kill = lambda self: True  # type: ignore[method-assign]


def no_last_words() -> None:
    """bwrap does not tie itself to the judge."""
    bubblewrap.LAST_WORDS = b""


def no_pipe() -> None:
    """Nobody is killed when the judge's descriptors are closed."""
    lifetime._bind = lambda group, ours: None  # type: ignore[assignment]


def same_ids() -> None:
    """Every question has the same id."""
    import os

    program.os = SimpleNamespace(**{**vars(os), "urandom": lambda n: bytes(n)})  # type: ignore[assignment]


def any_id() -> None:
    """An answer may carry any id."""
    old, new = "not answer.startswith(head)", "False"
    line(Program.answer, old, new, Program)


def subclasses() -> None:
    """Inside, a value of a subclass is taken for the value that it derives from."""
    real = program.codec
    import functools
    import marshal

    source = (program._INSIDE / "codec.py").read_text("utf-8")
    source = replaced(source, "    kind = type(value)\n    if value is None", _BY_BASE)
    compiled = marshal.dumps(compile(source, "<codec>", "exec"))
    assert real() != compiled
    program.codec = functools.cache(lambda: compiled)


_BY_BASE = """    for _base in (bool, int, str, float, list, tuple, dict):
        if isinstance(value, _base):
            value = _base(value)
            break
    kind = type(value)
    if value is None"""


def lenient() -> None:
    """Texts that Python's json takes are values."""
    real = values.decode
    values.decode = lambda text: real(json.dumps(json.loads(text)).encode())  # type: ignore[assignment]


def equal() -> None:
    """An answer is right when Python calls it equal."""
    calls.same = lambda got, wanted, **how: got == wanted  # type: ignore[assignment]


def told() -> None:
    """The program is told what is expected of it."""
    real = judging.source_in

    def source_in(hostile: Any, world: Any) -> str:
        return f"_expected = {world.secret!r}\n{real(hostile, world)}"

    judging.source_in = source_in


def together() -> None:
    """Tests in the process of the code: they have passed when it ends without an exception."""

    def run_tests(code: str, tests: Any, limits: Any = None, *, layer: Any = None) -> CheckResult:
        last = "".join(f"{name}()\n" for name in tests.functions)
        with Program(f"{code}\n{tests.source}\n{last}", limits, layer=layer) as one:
            try:
                one.run()
            except Stopped as stopped:
                return CheckResult(stopped.outcome, one.layer.value, stopped.detail, stopped.kind)
        return CheckResult(Outcome.PASS, one.layer.value, "it ended well")

    apart.run_tests = run_tests  # type: ignore[assignment]


def raw() -> None:
    """Texts of a program are shown as they are."""
    for module in (result, program):
        module.shown = lambda text, most=0: text  # type: ignore[attr-defined]
