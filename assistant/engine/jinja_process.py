"""Jinja for chat templates, and the program that renders those that could do harm.

Run as a script it is a process of its own, with nothing of this package: a template and the facts
of its vocabulary come in, texts go out, one JSON object behind its length each. Before it reads
the template it gives up memory beyond a limit, files, sockets and processes; before each text it
sets a timer, and the kernel ends it when that runs out, also in the middle of one long operation
that no Python code could interrupt (`9 ** 9 ** 9`, a list that holds itself a billion times).

Only what chat templates use is there: filters that calculate with text, `namespace`, `dict`,
`range`, `raise_exception` and `strftime_now`.
"""

from __future__ import annotations

import datetime
import json
import re
import signal
import struct
import sys
from typing import Any, NoReturn

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 384 * 1024 * 1024
"""Address space of the process; Python and Jinja take about 60 MiB of it."""
CPU_SECONDS = 1.0
"""For one text. The longest template of llama.cpp's collection takes 2 ms."""
LENGTH = struct.Struct("<I")

_FILTERS = (
    "abs", "batch", "capitalize", "center", "count", "d", "default", "dictsort", "e", "escape",
    "first", "float", "format", "groupby", "indent", "int", "items", "join", "last", "length",
    "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace", "reverse", "round",
    "safe", "select", "selectattr", "slice", "sort", "string", "sum", "title", "tojson", "trim",
    "truncate", "unique", "upper", "wordcount", "wordwrap",
)  # fmt: skip
_GLOBALS = ("range", "dict", "namespace", "cycler", "joiner")


def environment() -> ImmutableSandboxedEnvironment:
    """Jinja as Hugging Face and llama.cpp set it up for chat templates."""
    made = ImmutableSandboxedEnvironment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols"],
        cache_size=0,
    )
    made.filters = {name: made.filters[name] for name in _FILTERS}
    made.globals = {name: made.globals[name] for name in _GLOBALS}
    made.filters["tojson"] = _to_json
    made.globals["raise_exception"] = _raise_exception
    made.globals["strftime_now"] = _strftime_now
    return made


def without_generation_marks(source: str) -> str:
    """`{% generation %}` marks the trained part for Hugging Face; it renders nothing."""
    return re.sub(r"\{%-?\s*(end)?generation\s*-?%\}", "", source)


def variables(facts: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What a template may ask for, as llama-server gives it."""
    now = datetime.datetime.now()
    return {
        "enable_thinking": True,
        "functions": "",
        "date_string": now.strftime("%d %b %Y"),
        "datetime": now.strftime("%b %d %Y"),
        **facts,
        **given,
    }


def reason_of(error: BaseException) -> str:
    """A template's failure in words; a template can raise anything."""
    if isinstance(error, MemoryError):
        return f"it needs more than {MEMORY_BYTES >> 20} MiB of memory"
    if isinstance(error, RecursionError):
        return "it calls itself without end"
    return str(error) or type(error).__name__


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    # Jinja's own filter escapes <, > and & for HTML, which no model was trained on.
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str = "") -> NoReturn:
    raise TemplateError(message)


def _strftime_now(pattern: str) -> str:
    return datetime.datetime.now().strftime(pattern)


def _render(template: Any, given: dict[str, Any], limit: int) -> str:
    parts: list[str] = []
    length = 0
    for part in template.generate(**given):
        length += len(part)
        if length > limit:
            raise ValueError(f"it writes more than {limit} characters")
        parts.append(part)
    return "".join(parts)


def _give_up() -> None:
    """No more memory than the limit, and no way to files, sockets or other processes."""
    import resource

    # What Jinja imports late, also for its errors, has to be here before no file can be opened.
    for source in ("{% for %}", "{{ 1 / 0 }}", "{{ none.a.b }}", "{{ 'é' | tojson | trim }}"):
        try:
            environment().from_string(source).render()
        except Exception as error:
            reason_of(error)
    _strftime_now("%c")
    limits = {
        "RLIMIT_AS": MEMORY_BYTES,
        "RLIMIT_CORE": 0,
        "RLIMIT_FSIZE": 0,
        "RLIMIT_NOFILE": 0,
        "RLIMIT_NPROC": 0,
    }
    for name, value in limits.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
        except (AttributeError, ValueError, OSError):
            continue  # macOS bounds no address space; the timer is left


def _serve(requests: Any, answers: Any) -> None:
    template: Any = None
    facts: dict[str, Any] = {}
    while len(head := requests.read(LENGTH.size)) == LENGTH.size:
        asked = json.loads(requests.read(LENGTH.unpack(head)[0]))
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
        try:
            if "source" in asked:
                facts = asked["facts"]
                template = environment().from_string(without_generation_marks(asked["source"]))
                answer = {"text": ""}
            else:
                given = variables(facts, asked["given"])
                answer = {"text": _render(template, given, asked["limit"])}
        except BaseException as error:
            answer = {"error": reason_of(error)}
        signal.setitimer(signal.ITIMER_PROF, 0)
        data = json.dumps(answer).encode()
        answers.write(LENGTH.pack(len(data)) + data)
        answers.flush()


if __name__ == "__main__":
    _give_up()
    _serve(sys.stdin.buffer, sys.stdout.buffer)
