"""Drives a real Neovim, headless, over its socket: Lua in, plain values out."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.support import neovim_fetch

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "lsp" / "clients" / "neovim"
PATIENCE = 30.0
OLDEST = (0, 11)


@functools.cache
def find_neovim(version: str = "") -> tuple[str, str]:
    """The program to use and, when there is none that will do, the reason.

    `ASSISTANT_TEST_NVIM` names one; otherwise it is `nvim` on the path, or the newest one that was
    fetched before, or fetched now where `ASSISTANT_FETCH_EDITORS` is set.

    Args:
        version: "0.11" or "0.12" asks for that one alone.
    """
    reasons = []
    for program in _programs(version or "0.12", reasons):
        found = _version_of(program)
        if found is None or found < OLDEST:
            reasons.append(f"{program} is no Neovim 0.11 or newer")
        elif version and version != "{}.{}".format(*found):
            reasons.append(f"{program} is Neovim {found[0]}.{found[1]}, not {version}")
        else:
            return program, ""
    return "", "; ".join(reasons)


def _programs(version: str, reasons: list[str]) -> Iterator[str]:
    """Where one may be, the best first; what keeps the last from being had is noted."""
    if named := os.environ.get("ASSISTANT_TEST_NVIM"):
        yield named
    if installed := shutil.which("nvim"):
        yield installed
    if fetched := neovim_fetch.cached(version):
        yield str(fetched)
    elif os.environ.get("ASSISTANT_FETCH_EDITORS"):
        try:
            yield str(neovim_fetch.fetch(version))
        except neovim_fetch.NotToBeHad as problem:
            reasons.append(str(problem))
    else:
        reasons.append(f"no Neovim {version} here; `make test-editors` fetches one")


def _version_of(program: str) -> tuple[int, int] | None:
    try:
        said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    version = re.search(r"NVIM v(\d+)\.(\d+)", said.stdout)
    return (int(version[1]), int(version[2])) if version else None


class Neovim:
    """One editor with our plugin and a file open; a context manager."""

    def __init__(self, program: str, file: Path, environment: Mapping[str, str]) -> None:
        self.program = program
        # A socket's path must be short, shorter than pytest's folders are.
        self._folder = Path(tempfile.mkdtemp(prefix="nvim-"))
        self._socket = self._folder / "socket"
        self._environment = {**os.environ, "XDG_STATE_HOME": str(self._folder), **environment}
        config = self._folder / "init.lua"
        server = json.dumps([sys.executable, "-m", "assistant", "lsp"])
        config.write_text(
            f"vim.opt.runtimepath:append({json.dumps(str(PLUGIN))})\n"
            "vim.opt.swapfile = false\n"
            f"vim.lsp.config('assistant', {{ cmd = vim.json.decode({json.dumps(server)}),"
            f" cmd_cwd = {json.dumps(str(ROOT))} }})\n"
        )
        self._arguments = [
            "--headless",
            "-u",
            str(config),
            "--listen",
            str(self._socket),
            str(file),
        ]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self.program, *self._arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + PATIENCE
        while not self._socket.exists():
            assert self._process.poll() is None, "Neovim ended at once"
            assert time.monotonic() < deadline, "Neovim did not open its socket"
        self.wait_until("#vim.lsp.get_clients({ bufnr = 0, name = 'assistant' }) == 1")
        self.wait_until("vim.lsp.get_clients({ name = 'assistant' })[1].initialized")
        return self

    def __exit__(self, *_: object) -> None:
        self.lua("vim.schedule(function() vim.cmd('qall!') end)")
        self._process.wait(PATIENCE)
        shutil.rmtree(self._folder)

    def lua(self, statements: str) -> Any:
        """Run Lua in the editor; what it returns, by way of JSON."""
        script = self._folder / "call.lua"
        script.write_text(statements)
        expression = f"json_encode(luaeval('dofile(_A)', '{script}'))"
        said = subprocess.run(
            [self.program, "--server", str(self._socket), "--remote-expr", expression],
            capture_output=True,
            text=True,
            env=self._environment,
            timeout=PATIENCE,
            check=True,
        )
        return json.loads(said.stdout)

    def wait_until(self, condition: str) -> None:
        """Ask until a Lua expression is true; each asking takes some 30 ms."""
        deadline = time.monotonic() + PATIENCE
        while not self.lua(f"return ({condition}) and true or false"):
            if time.monotonic() > deadline:
                raise AssertionError(f"never true: {condition}\n{self.text()}\n{self.messages()}")

    def text(self) -> str:
        """The current buffer."""
        lines = self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")
        return "".join(f"{line}\n" for line in lines)

    def put_cursor(self, line: int) -> None:
        """Put the cursor on a line, from 1."""
        self.lua(f"vim.api.nvim_win_set_cursor(0, {{ {line}, 0 }})")

    def messages(self) -> str:
        """What the editor has told the person so far."""
        said: str = self.lua("return vim.fn.execute('messages')")
        return said
