"""Rendering the chat template of a stranger without lending him this process.

Jinja's sandbox keeps a template from Python's objects. It does not keep it from a loop without
end or from a gigabyte of text, and nothing inside one Python process can: a single operation may
take both. So a template is rendered in a process of its own with limits (`jinja_process.py`),
unless it is so plain that its text is bounded by what is given to it (`is_plain`), as are those
of the models made here.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from assistant.errors import AssistantError, EngineProblem, ModelProblem, RequestProblem

if TYPE_CHECKING:
    from jinja2 import Template, nodes

OLDEST_JINJA = (3, 1, 6)
"""Before it, templates could leave the sandbox (CVE-2024-56326, CVE-2025-27516)."""
MAX_SOURCE = 512 * 1024
"""Characters of a template; the longest known one has 17 thousand."""
WALL_SECONDS = 20.0
"""Until a process that neither answers nor uses its processor time is ended."""
_PLAIN_SOURCE = 16 * 1024
_OWN_TEXT = 256 * 1024
_TIMES_TEXT = 4
_LONGEST_ANSWER = 256 * 1024 * 1024

_PROGRAM = Path(__file__).with_name("jinja_process.py")


class Renderer:
    """A template that is ready to be rendered. Safe to use from several threads.

    Args:
        source: the Jinja text.
        facts: variables that are the same in every text, such as `bos_token`.

    Raises:
        ModelProblem: the template is not valid, or it does not end.
        EngineProblem: the library is older than `OLDEST_JINJA`.
    """

    def __init__(self, source: str, facts: dict[str, Any]) -> None:
        check_library()
        if len(source) > MAX_SOURCE:
            raise ModelProblem(
                f"The model's chat template has {len(source)} characters; allowed are "
                f"{MAX_SOURCE}. No template in use comes near: the file is probably damaged."
            )
        self._source = source
        self._facts = facts
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._template = _compiled(source) if is_plain(source) else None
        if self._template is None:
            with self._lock:
                self._start()

    @property
    def apart(self) -> bool:
        """Whether it is rendered in a process of its own."""
        return self._template is None

    def render(self, given: dict[str, Any]) -> str:
        """The text for `given`, such as `messages` and `add_generation_prompt`.

        Raises:
            RequestProblem: the template refuses them, fails, or writes too much.
            ModelProblem: it was stopped, because it calculated for too long.
        """
        try:
            if self._template is not None:
                from assistant.engine import jinja_process

                return self._template.render(jinja_process.variables(self._facts, given))
            return self._ask(given)
        except AssistantError:
            raise
        except Exception as error:
            # Its own refusal, or a mistake in it: a template can raise anything.
            raise _refusal(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            self._process.end()
            self._process = None

    def _ask(self, given: dict[str, Any]) -> str:
        with self._lock:
            if self._process is None:
                self._start()
            assert self._process is not None
            data = json.dumps(given, ensure_ascii=False)
            limit = _OWN_TEXT + _TIMES_TEXT * len(data)
            try:
                answer = self._process.ask({"given": given, "limit": limit})
            except _Ended as ended:
                self.close()
                raise ModelProblem(
                    f"The model's chat template was stopped: {ended}.",
                    hint="Choose another model: assistant models list",
                ) from None
        if "error" in answer:
            raise _refusal(answer["error"])
        return str(answer["text"])

    def _start(self) -> None:
        process = _Process()
        try:
            answer = process.ask({"source": self._source, "facts": self._facts})
        except _Ended as ended:
            process.end()
            raise ModelProblem(
                f"The model's chat template can not be prepared: {ended}.",
                hint="Choose another model: assistant models list",
            ) from None
        if "error" in answer:
            process.end()
            raise ModelProblem(f"The model's chat template is not valid: {answer['error']}.")
        self._process = process


def check_library() -> None:
    """Refuse a Jinja whose sandbox is known to be open.

    Raises:
        EngineProblem: it is missing or too old.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("jinja2")
    except PackageNotFoundError:
        installed = "none"
    parts = tuple(int(part) for part in installed.split(".")[:3] if part.isdigit())
    if parts < OLDEST_JINJA:
        wanted = ".".join(map(str, OLDEST_JINJA))
        raise EngineProblem(
            f"Jinja {installed} is installed; chat templates are rendered with {wanted} or newer, "
            "since templates can leave the sandbox of older ones.",
            hint=f"Install it: pip install 'jinja2>={wanted}'",
        )


def is_plain(source: str) -> bool:
    """Whether what a template writes is bounded by its own length and the messages.

    It is when it goes through the messages once at a time and joins texts, and does nothing else:
    no variable that grows, no call, no arithmetic, no loop in a loop.
    """
    if len(source) > _PLAIN_SOURCE:
        return False
    from jinja2 import TemplateError

    from assistant.engine import jinja_process

    try:
        marked = jinja_process.without_generation_marks(source)
        tree = jinja_process.environment().parse(marked)
        return all(_is_plain(node, inside=False) for node in tree.body)
    except (TemplateError, RecursionError):
        return False


def _is_plain(node: nodes.Node, *, inside: bool) -> bool:
    from jinja2 import nodes

    harmless = (
        nodes.Output, nodes.TemplateData, nodes.Name, nodes.Const, nodes.Getattr, nodes.Getitem,
        nodes.If, nodes.CondExpr, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
        nodes.Add, nodes.Concat, nodes.Test,
    )  # fmt: skip
    if isinstance(node, nodes.For):
        over_messages = isinstance(node.iter, nodes.Name) and node.iter.name == "messages"
        if inside or not over_messages or node.recursive or not isinstance(node.target, nodes.Name):
            return False
        inside = True
    elif isinstance(node, nodes.Filter):
        if node.name != "trim" or node.args or node.kwargs:
            return False
    elif not isinstance(node, harmless):
        return False
    return all(_is_plain(child, inside=inside) for child in node.iter_child_nodes())


def _compiled(source: str) -> Template:
    from jinja2 import TemplateError

    from assistant.engine import jinja_process

    try:
        marked = jinja_process.without_generation_marks(source)
        return jinja_process.environment().from_string(marked)
    except TemplateError as error:
        raise ModelProblem(f"The model's chat template is not valid: {error}.") from error


def _refusal(reason: str) -> RequestProblem:
    return RequestProblem(f"The model's chat template refuses these messages: {reason}")


class _Ended(Exception):
    """The process is gone, or was ended; says why."""


class _Process:
    """The other process: one question at a time."""

    def __init__(self) -> None:
        try:
            self._popen = subprocess.Popen(
                [sys.executable, "-I", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Ctrl-C in a terminal is for us.
                start_new_session=True,
                # Nothing of this process's environment, but the place where it is now.
                env={name: os.environ[name] for name in ("TZ",) if name in os.environ},
            )
        except OSError as error:
            raise EngineProblem(
                f"The process that renders chat templates can not be started: {error}."
            ) from error

    def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Send a question, return the answer.

        Raises:
            _Ended: it ended instead, by its limits for example.
        """
        from assistant.engine.jinja_process import LENGTH

        data = json.dumps(question).encode()
        out, back = self._popen.stdin, self._popen.stdout
        assert out is not None and back is not None
        # It is silent while it works; one that does not even use its processor time is ended.
        watch = threading.Timer(WALL_SECONDS, self._popen.kill)
        watch.daemon = True
        watch.start()
        try:
            out.write(LENGTH.pack(len(data)) + data)
            out.flush()
            size = LENGTH.unpack(_exactly(back, LENGTH.size))[0]
            if size > _LONGEST_ANSWER:
                raise EOFError
            answer: dict[str, Any] = json.loads(_exactly(back, size))
        except (OSError, EOFError) as error:
            raise _Ended(self._why()) from error
        finally:
            watch.cancel()
        return answer

    def end(self) -> None:
        """Kill it; it has nothing to save."""
        self._popen.kill()
        with contextlib.suppress(OSError):
            self._popen.communicate()

    def _why(self) -> str:
        import signal

        from assistant.engine.jinja_process import CPU_SECONDS

        end = time.monotonic() + 1.0
        while (code := self._popen.poll()) is None and time.monotonic() < end:
            time.sleep(0.005)
        if code == -signal.SIGPROF:
            return f"it had calculated for {CPU_SECONDS:.0f} second without an end"
        return f"the process that renders it ended with status {code}"


def _exactly(source: IO[bytes], count: int) -> bytes:
    data = source.read(count)
    if len(data) < count:
        raise EOFError
    return data
