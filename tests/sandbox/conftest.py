"""Running a few lines inside a sandbox of each layer that this machine has."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from assistant.sandbox import Ended, Layer, Limits, Sandbox
from assistant.sandbox.layers import problem
from assistant.sandbox.nursery import Nursery

TESTED = (Layer.BUBBLEWRAP, Layer.LANDLOCK)

# `answer` is what the lines leave in it, or the name and the text of what they raised.
_WRAPPED = """
import json
answer = None
try:
{lines}
    said = ["ok", answer]
except BaseException as error:
    said = [type(error).__name__, str(error)]
send(json.dumps(said).encode())
receive()
"""


@pytest.fixture(params=TESTED, ids=lambda layer: layer.value)
def layer(request: pytest.FixtureRequest) -> Layer:
    """Each layer in turn; where one does not work the reason is printed."""
    if (why := problem(request.param)) is not None:
        pytest.skip(f"{request.param.value}: {why}")
    return request.param


@pytest.fixture
def nursery() -> Nursery | None:
    """Where the processes of `box` come from: here each is started; `test_nursery` has another."""
    return None


@pytest.fixture
def box(layer: Layer, nursery: Nursery | None, tmp_path: Path) -> Callable[..., Any]:
    """A function that opens a sandbox for some lines of Python, taken as they are."""
    written: list[Path] = []

    @contextmanager
    def open_box(lines: str, limits: Limits | None = None, **more: Any) -> Iterator[Sandbox]:
        program = tmp_path / f"program{len(written)}.py"
        program.write_text(textwrap.dedent(lines), "utf-8")
        written.append(program)
        with Sandbox(program, limits, layer=layer, **{"nursery": nursery, **more}) as opened:
            yield opened

    return open_box


@pytest.fixture
def inside(box: Callable[..., Any]) -> Callable[..., list[Any]]:
    """A function that runs lines which set `answer`: `["ok", answer]`, or what was raised."""

    def run(lines: str, limits: Limits | None = None, **more: Any) -> list[Any]:
        indented = textwrap.indent(textwrap.dedent(lines).strip(), "    ")
        with box(_WRAPPED.format(lines=indented), limits, **more) as opened:
            return json.loads(opened.receive())

    return run


@pytest.fixture
def ending(box: Callable[..., Any]) -> Callable[..., Ended]:
    """A function that runs lines and returns how that ended."""

    def run(lines: str, limits: Limits | None = None, **more: Any) -> Ended:
        with box(lines, limits, **more) as opened, pytest.raises(Ended) as ended:
            while True:
                opened.receive()
        return ended.value

    return run
