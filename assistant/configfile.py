"""Writing one setting into `config.toml` without touching the rest of it.

The file belongs to the user: comments, order and spacing stay. One line is replaced or added,
and the result is parsed again; when that would have changed anything but the one key, the file
is left as it was and the user is told what to write.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from assistant import locations
from assistant.config import known_keys, read_file
from assistant.errors import ConfigProblem, StateProblem


def set_value(dotted: str, value: str | int | float | bool, file: Path | None = None) -> Path:
    """Write `value` under the key `dotted`, and return the file.

    Raises:
        ConfigProblem: there is no such setting, the file is not TOML, or its form defeats the
            edit of one line.
        StateProblem: the file can not be written.
    """
    if dotted not in known_keys():
        raise ConfigProblem(f"{dotted} is not a setting.")
    file = locations.config_file() if file is None else file
    before = read_file(file)
    text = file.read_text(encoding="utf-8-sig") if file.exists() else ""
    line = f"{dotted.rpartition('.')[2]} = {_toml(value)}"
    after = _with_line(text, dotted, line)
    if not _means(after, _changed(before, dotted, value)):
        raise ConfigProblem(
            f"{dotted} can not be set in {file}: the file's form is too special to edit safely.",
            hint=f"Write it there by hand: {line}",
        )
    _replace(file, after)
    return file


def _toml(value: str | int | float | bool) -> str:
    # A JSON text is a TOML basic string, but for DEL.
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _changed(tables: dict[str, Any], dotted: str, value: object) -> dict[str, Any]:
    """The parsed file as it has to read afterwards."""
    area, _, name = dotted.rpartition(".")
    if not area:
        return tables | {name: value}
    return tables | {area: tables.get(area, {}) | {name: value}}


def _means(text: str, expected: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == expected
    except tomllib.TOMLDecodeError:
        return False


def _with_line(text: str, dotted: str, line: str) -> str:
    """`text` with `line` in the place of the key's line, or at the end of its table."""
    area, _, name = dotted.rpartition(".")
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    start, end = _table(lines, area)
    if start is None:
        gap = ["\n"] if lines else []
        return "".join([*lines, *gap, f"[{area}]\n", line + "\n"])
    for number in range(start, end):
        if re.match(rf"\s*[\"']?{re.escape(name)}[\"']?\s*=", lines[number]):
            comment = re.search(r"\s+#[^\"']*$", lines[number].rstrip("\n"))
            lines[number] = line + (comment.group() if comment else "") + "\n"
            return "".join(lines)
    # After the table's last line that says something, before the blank lines that follow it.
    while end > start and not lines[end - 1].strip():
        end -= 1
    return "".join([*lines[:end], line + "\n", *lines[end:]])


def _table(lines: list[str], area: str) -> tuple[int | None, int]:
    """The lines of the table `area` without its header; the top of the file for ''."""
    start = 0 if not area else None
    for number, line in enumerate(lines):
        header = re.match(r"\s*\[\s*[\"']?([^\]\"']+?)[\"']?\s*\]", line)
        if header is None and not line.lstrip().startswith("[["):
            continue
        if start is not None:
            return start, number
        if header is not None and header[1] == area:
            start = number + 1
    return start, len(lines)


def _replace(file: Path, text: str) -> None:
    """Write the whole file or nothing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # A link to a file under version control, say, stays a link.
        target = file.resolve()
        handle, name = tempfile.mkstemp(prefix=".config-", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        raise StateProblem(
            f"The settings {file} can not be written: {error.strerror or error}.",
            hint="Set ASSISTANT_HOME to a folder that you can write to.",
        ) from error
