"""VS Code for tests: `code-server`, which serves the real one to a browser, and what drives it.

    node         Node 24, as a package of npm
    code-server  its package of npm; its own install script builds the native modules
    playwright   playwright-core, which drives the browser
    extension    what our extension is made with, and the .vsix of the sources as they are
    chromium     the one that is installed, or Debian's package where we are root

Everything but the last lies in the cache (`editors_cache`): a folder appears in it whole or not at
all, and one process at a time fetches. The first time takes about three minutes.

    python -m tests.support.vscode_fetch      fetches what is missing and says where it is
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.editors_cache import ROOT, NotToBeHad, alone, cache_folder, run

SOURCES = ROOT / "lsp" / "clients" / "vscode"
NODE = "node@24"
CODE_SERVER = "code-server@4.139.1"
PLAYWRIGHT = "playwright-core@1"
HEADERS = ("libkrb5-dev", "libx11-dev", "libxkbfile-dev", "libsecret-1-dev")
"""Debian's packages that the native modules are compiled with."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass(frozen=True, slots=True)
class Tools:
    """Where everything is."""

    node: Path
    code_server: Path
    """The script that Node runs."""
    playwright: Path
    """A folder from which `playwright-core` can be required."""
    chromium: Path

    def environment(self) -> dict[str, str]:
        """The environment in which `node` is this one."""
        return {**os.environ, "PATH": f"{self.node.parent}{os.pathsep}{os.environ['PATH']}"}


def tools(fetch: bool) -> Tools:
    """What is needed.

    Args:
        fetch: download what is missing.

    Raises:
        NotToBeHad: something is missing, or can not be fetched here.
    """
    (cache_folder() / "vscode").mkdir(exist_ok=True)
    node = _package("node", NODE, fetch) / ".bin" / "node"
    _libraries(fetch)
    return Tools(
        node=node,
        code_server=_code_server(node, fetch) / "code-server/out/node/entry.js",
        playwright=_package("playwright", PLAYWRIGHT, fetch).parent,
        chromium=_chromium(fetch),
    )


def packed_extension(found: Tools) -> Path:
    """The .vsix of the sources as they are now.

    Raises:
        NotToBeHad: its types do not fit, or it can not be packed.
    """
    folder = cache_folder() / "vscode" / "extension"
    with alone("vscode-extension"):
        for old in set(folder.iterdir()) - {folder / "node_modules", folder / "lock"}:
            shutil.rmtree(old) if old.is_dir() else old.unlink()
        ignored = shutil.ignore_patterns("node_modules", "dist")
        shutil.copytree(SOURCES, folder, ignore=ignored, dirs_exist_ok=True)
        shutil.copy(ROOT / "LICENSE", folder)
        run(str(found.node), "node_modules/typescript/bin/tsc", "--noEmit", cwd=folder)
        run(str(found.node), "pack.mjs", cwd=folder)
    return folder / "dist" / "assistant.vsix"


def _libraries(fetch: bool) -> None:
    """What the extension is made with, once per lock file."""
    folder = cache_folder() / "vscode" / "extension"
    wanted = (SOURCES / "package-lock.json").read_text()
    with alone("vscode-extension"):
        folder.mkdir(exist_ok=True)
        lock = folder / "lock"
        if not lock.exists() or lock.read_text() != wanted:
            _may(fetch, "what the extension is made with")
            for name in ("package.json", "package-lock.json"):
                shutil.copy(SOURCES / name, folder)
            run(_npm(), "ci", "--ignore-scripts", cwd=folder)
            lock.write_text(wanted)


def _package(name: str, package: str, fetch: bool) -> Path:
    """The `node_modules` that holds a package of npm."""
    folder = cache_folder() / "vscode" / name
    with alone(f"vscode-{name}"):
        if not folder.exists():
            _may(fetch, package)
            with _scratch() as scratch:
                _install(package, scratch)
                if package == NODE:  # its script installs the package of this kind of machine
                    run(_npm(), "rebuild", cwd=scratch)
                scratch.rename(folder)
    return folder / "node_modules"


def _code_server(node: Path, fetch: bool) -> Path:
    folder = cache_folder() / "vscode" / "code-server"
    with alone("vscode-code-server"):
        if not folder.exists():
            _may(fetch, CODE_SERVER)
            _need_headers()
            with _scratch() as scratch:
                _install(CODE_SERVER, scratch)
                environment = {
                    **os.environ,
                    "PATH": f"{node.parent}{os.pathsep}{os.environ['PATH']}",
                    "npm_config_user_agent": "npm/11 node/v24",
                }
                package = scratch / "node_modules" / "code-server"
                run("bash", "./postinstall.sh", cwd=package, environment=environment)
                scratch.rename(folder)
    return folder / "node_modules"


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder beside the cached ones, gone unless it was renamed."""
    folder = Path(tempfile.mkdtemp(dir=cache_folder() / "vscode", prefix="new-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _install(package: str, folder: Path) -> None:
    (folder / "package.json").write_text('{"private": true}\n')
    run(_npm(), "install", package, "--ignore-scripts", cwd=folder)


def _npm() -> str:
    npm = shutil.which("npm")
    if npm is None:
        raise NotToBeHad("npm is not on the path; it comes with Node")
    return npm


def _need_headers() -> None:
    if shutil.which("dpkg") is None:
        return  # another system calls them otherwise; its compiler says what is missing
    asked = ["dpkg", "--status"]
    missing = [p for p in HEADERS if subprocess.run([*asked, p], capture_output=True).returncode]
    if missing:
        _apt_install(*missing)


def _chromium(fetch: bool) -> Path:
    named = os.environ.get("ASSISTANT_TEST_CHROMIUM")
    for name in [named] if named else BROWSERS:
        if found := shutil.which(name):
            return Path(found)
    _may(fetch, named or "chromium")
    _apt_install("chromium")
    return Path("/usr/bin/chromium")


def _apt_install(*packages: str) -> None:
    names = " ".join(packages)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise NotToBeHad(f"{names} must be installed; as root on Debian: apt-get install {names}")
    with alone("apt"):
        run("apt-get", "update", cwd=ROOT)
        run("apt-get", "install", "-y", "--no-install-recommends", *packages, cwd=ROOT)


def _may(fetch: bool, what: str) -> None:
    if not fetch:
        raise NotToBeHad(f"{what} is not here; `make test-editors` fetches it")


if __name__ == "__main__":
    found = tools(fetch=True)
    for part in (found.node, found.code_server, found.playwright, found.chromium):
        print(part)  # noqa: T201
    print(packed_extension(found))  # noqa: T201
