"""What is sent inside before anything runs there."""

from __future__ import annotations

import marshal
import sys
from pathlib import Path

import pytest

from assistant.checks.program import codec
from assistant.sandbox import setup, view

INSIDE = [
    *(setup._INSIDE / name for name in ("bootstrap.py", "probe.py")),
    *(Path(setup._PACKAGE, "checks/inside") / name for name in ("worker.py", "codec.py")),
]


@pytest.mark.parametrize("file", INSIDE, ids=lambda file: file.name)
def test_a_program_from_the_cache_is_the_program(file: Path, tmp_path: Path) -> None:
    """And it does not tell where its file lies: a home folder may have somebody's name."""
    copy = tmp_path / file.name
    copy.write_bytes(file.read_bytes())

    code = marshal.dumps(setup.compiled(file, "<program>"))

    assert marshal.loads(code) == setup.compiled(copy, "<program>")
    assert str(file).encode() not in code
    assert b"<program>" in code


def test_a_stale_cache_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(setup, "_PACKAGE", tmp_path)
    file = tmp_path / "inside" / "program.py"
    file.parent.mkdir()
    file.write_text("found = 1")
    setup.compiled(file, "<program>")
    file.write_text("found = 'newer'")

    names: dict[str, object] = {}
    exec(setup.compiled(file, "<program>"), names)

    assert names["found"] == "newer"


def test_the_codec_does_not_tell_where_it_lies() -> None:
    assert str(setup._PACKAGE).encode() not in codec()


@pytest.mark.parametrize(
    ("file", "needed"),
    [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", True), ("/lib/libc-2.31.so", True),
        ("/opt/python/lib/libpython3.11.so.1.0", True), ("/lib64/ld-linux-x86-64.so.2", True),
        ("/lib/libm.so.6", True), ("/lib/libcrypt.so.1", True),
        ("/home/me/venv/lib/python3.11/site-packages/torch/lib/libc10.so", False),
        ("/home/me/venv/lib/libmtmd.so.0", False), ("/home/me/libcuda.so.1", False),
    ],
)  # fmt: skip
def test_of_what_a_process_has_loaded_only_c_and_python_are_shown(file, needed):
    """torch's libc10 is none of them: its folder would be seen in the sandbox."""
    assert bool(view._NEEDED_LIBRARY.search(file)) == needed
