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
from collections.abc import Callable, Iterator, Mapping
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
    """One editor with our plugin and a file open; a context manager.

    Attributes:
        pid: the editor's process.
    """

    def __init__(
        self,
        program: str,
        file: Path,
        environment: Mapping[str, str],
        *,
        options: Mapping[str, Any] | None = None,
        plugin: bool = True,
    ) -> None:
        """Set it up.

        Args:
            program: the editor.
            file: the file to open.
            environment: more variables for the editor, and so for the server.
            options: the server's `init_options`.
            plugin: False: only `vim.lsp.config` and `vim.lsp.enable`, nothing of ours.
        """
        self.program = program
        # A socket's path must be short, shorter than pytest's folders are.
        self._folder = Path(tempfile.mkdtemp(prefix="nvim-"))
        self._socket = self._folder / "socket"
        folders = {f"XDG_{name}_HOME": str(self._folder) for name in ("STATE", "CONFIG", "DATA")}
        self._environment = {**os.environ, **folders, **environment}
        config = self._folder / "init.lua"
        config.write_text(_config(options, plugin=plugin))
        arguments = ["--headless", "-u", str(config), "--listen", str(self._socket), str(file)]
        self._arguments = arguments

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [self.program, *self._arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.pid = self._process.pid
        try:
            deadline = time.monotonic() + PATIENCE
            while not self._socket.exists():
                assert self._process.poll() is None, "Neovim ended at once"
                assert time.monotonic() < deadline, "Neovim did not open its socket"
            self.wait_attached()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.lua("vim.schedule(function() vim.cmd('qall!') end)")
            self._process.wait(PATIENCE)
        finally:
            self._end()

    def _end(self) -> None:
        self._process.kill()
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
            check=False,
        )
        assert said.returncode == 0, f"{statements}\n{said.stderr}"
        return json.loads(said.stdout)

    def wait_until(self, condition: str) -> None:
        """Ask until a Lua expression is true; each asking takes some 30 ms."""
        deadline = time.monotonic() + PATIENCE
        while not self.lua(f"return ({condition}) and true or false"):
            if time.monotonic() > deadline:
                raise AssertionError(f"never true: {condition}\n{self.text()}\n{self.messages()}")

    def until(self, condition: Callable[[], Any]) -> None:
        """Wait until something that is asked here is true."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                seen = (self.text(), self.ghost(), self.preview(), self.messages())
                raise AssertionError("never true; the editor shows:\n" + "\n---\n".join(seen))

    def open(self, file: Path) -> None:
        """Edit another file, in normal mode."""
        self.type("<Esc>")
        self.lua(f"vim.cmd.edit({json.dumps(str(file), ensure_ascii=False)})")
        self.wait_attached()

    def wait_attached(self) -> None:
        """Wait until the server knows the current buffer."""
        self.wait_until("#vim.lsp.get_clients({ bufnr = 0, name = 'assistant' }) == 1")
        self.wait_until("vim.lsp.get_clients({ name = 'assistant' })[1].initialized")

    def type(self, keys: str) -> None:
        """Type keys as a person would, `<Esc>` and the like by name; returns at once."""
        self.lua(f"vim.api.nvim_input({json.dumps(keys, ensure_ascii=False)})")

    def text(self) -> str:
        """The current buffer."""
        lines = self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")
        return "".join(f"{line}\n" for line in lines)

    def shown(self, namespace: str) -> str:
        """The virtual text of a namespace in the current buffer: what is seen, not in the text."""
        shown: str = self.lua(_SHOWN.replace("NAMESPACE", namespace))
        return shown

    def ghost(self) -> str:
        """The suggestion that is shown."""
        return self.shown("nvim.lsp.inline_completion")

    def preview(self) -> str:
        """The proposals that are shown."""
        return self.shown("assistant")

    def put_cursor(self, line: int, column: int = 0) -> None:
        """Put the cursor on a line, from 1."""
        self.lua(f"vim.api.nvim_win_set_cursor(0, {{ {line}, {column} }})")

    def messages(self) -> str:
        """What the editor has told the person so far."""
        said: str = self.lua("return vim.fn.execute('messages')")
        return said


_SHOWN = r"""
local space, lines = vim.api.nvim_create_namespace('NAMESPACE'), {}
local function add(chunks)
  table.insert(lines, table.concat(vim.tbl_map(function(chunk) return chunk[1] end, chunks)))
end
for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })) do
  if mark[4].virt_text then add(mark[4].virt_text) end
  for _, line in ipairs(mark[4].virt_lines or {}) do add(line) end
end
return table.concat(lines, '\n')
"""


def _config(options: Mapping[str, Any] | None, *, plugin: bool) -> str:
    """The editor's `init.lua`."""
    settings: dict[str, Any] = {"cmd": [sys.executable, "-m", "assistant", "lsp"]}
    settings["cmd_cwd"] = str(ROOT)
    if options is not None:
        settings["init_options"] = options
    # JSON in JSON's quotes, which Lua reads alike.
    decoded = f"vim.json.decode({json.dumps(json.dumps(settings))})"
    lines = ["vim.opt.swapfile = false", f"vim.lsp.config('assistant', {decoded})"]
    if plugin:
        lines.insert(0, f"vim.opt.runtimepath:append({json.dumps(str(PLUGIN))})")
    else:
        lines.append("vim.lsp.enable('assistant')")
    return "\n".join(lines)
