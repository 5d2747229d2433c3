"""Drives a real VS Code: keys in, what the page shows out; waits are on what the page shows."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.support.daemons import wait_until
from tests.support.editors_cache import ROOT, NotToBeHad, cache_folder, may_fetch
from tests.support.vscode_fetch import Tools, packed_extension, tools

PATIENCE = 60.0
DRIVER = ROOT / "tests" / "support" / "vscode_browser.mjs"
PROGRAM = Path(sys.executable).with_name("assistant")
BROWSER = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
SETTINGS: dict[str, Any] = {
    "editor.minimap.enabled": False,
    "editor.wordBasedSuggestions": "off",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.startupEditor": "none",
}


@functools.cache
def find_vscode() -> tuple[Tools | None, str]:
    """What runs it and, when it can not be had, the reason."""
    if not may_fetch():
        return None, "VS Code's tests take minutes; `make test-editors` runs them"
    try:
        return tools(fetch=True), ""
    except NotToBeHad as problem:
        return None, str(problem)


@dataclass
class Browser:
    """A browser without a window; each method of a page is a call by its name."""

    process: subprocess.Popen[str]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0

    def call(self, page: int, name: str, *arguments: Any) -> Any:
        """What a method of Playwright's page returns."""
        assert self.process.stdin is not None and self.process.stdout is not None
        with self._lock:
            self._next += 1
            request = {"id": self._next, "page": page, "call": name, "arguments": arguments}
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            answer = json.loads(self.process.stdout.readline() or '{"error": "no browser"}')
        if "error" in answer:
            raise AssertionError(f"{name}{arguments}: {answer['error']}")
        return answer.get("value")


class Window:
    """One window: a page with an extension host, and so a language server, of its own."""

    def __init__(self, browser: Browser, page: int, folder: Path) -> None:
        self.folder = folder
        self._browser = browser
        self._page = page

    def call(self, name: str, *arguments: Any) -> Any:
        """A method of the page; a picture is kept of what was there when it failed."""
        try:
            return self._browser.call(self._page, name, *arguments)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._failed()}") from error

    def _failed(self) -> str:
        file = cache_folder() / "screenshots" / f"failed-{time.strftime('%H%M%S')}.png"
        self._browser.call(self._page, "screenshot", {"path": str(file)})
        return f"{file} shows the window; messages: {self.notifications()}"

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self.call("keyboard.press", key)

    def type(self, text: str, delay: float = 0) -> None:
        """Type as a person does.

        Args:
            delay: milliseconds between two keys.
        """
        self.call("keyboard.type", text, {"delay": delay})

    def wait_for(self, selector: str, state: str = "visible") -> None:
        """Wait until an element is there, or with "hidden" until there is none."""
        self.call("waitForSelector", selector, {"state": state, "timeout": PATIENCE * 1000})

    def wait_until(self, condition: str, argument: Any = None) -> Any:
        """Wait until a JavaScript function of the page says true."""
        options = {"timeout": PATIENCE * 1000, "polling": 50}
        return self.call("waitForFunction", {"function": condition}, argument, options)

    def evaluate(self, function: str, argument: Any = None) -> Any:
        """What a JavaScript function of the page returns."""
        return self.call("evaluate", {"function": function}, argument)

    def run(self, title: str, answer: str | None = None) -> None:
        """Run a command of the palette by its title, and answer the question that it asks."""
        self.press("F1")
        self._choose(title, f">{title}", asks=answer is not None)
        if answer is not None:
            self._answer(answer)

    def act(self, title: str, answer: str) -> None:
        """Take a code action at the cursor, and answer the question that it asks."""
        self.press("Control+Period")
        self.call("click", f".action-widget .monaco-list-row:has-text({json.dumps(title)})")
        self._answer(answer)

    def _answer(self, answer: str) -> None:
        self.wait_for(f"{INPUT}[aria-label='input']")
        self.call("fill", INPUT, answer)
        self.press("Enter")
        self.wait_for(INPUT, "hidden")

    def pick(self, label: str) -> None:
        """Take an entry of the list that the editor has opened."""
        self._choose(label, label)

    def open(self, name: str, shows: str = "") -> None:
        """Open a file of the folder, and wait until its editor has the focus."""
        self.press("Control+p")
        self._choose(name, str(self.folder / name))  # by its name it may not be found yet
        self.wait_for(f".tab.active[data-resource-name='{name}']")
        if shows:
            self.wait_for_text(shows)

    def wait_for_text(self, text: str, where: str = ".editor-group-container.active") -> None:
        """Wait until a line of an editor contains this text."""
        self.wait_until(TEXT_SHOWN, [where, text])

    def put_cursor(self, line: int, column: int = 1) -> None:
        """Put the cursor somewhere, both from 1."""
        self.press("Control+g")
        self.wait_for(INPUT)
        self.call("fill", INPUT, f":{line}:{column}")
        self.press("Enter")
        self.wait_for(f'.statusbar-item >> text="Ln {line}, Col {column}"')

    def ghost_text(self) -> str:
        """Wait until something is suggested at the cursor; its text."""
        self.wait_until(f"() => ({GHOST_TEXT})() !== ''")
        found: str = self.evaluate(GHOST_TEXT)
        return found

    def wait_for_page(self, text: str) -> str:
        """Wait until a page beside the code (its reasoning) shows this; all that it shows."""

        def pages() -> list[str]:
            return [page for page in self.call("texts")[1:] if text in page]

        try:
            return str(wait_until(pages, f"a page shows {text!r}")[0])
        except AssertionError as error:
            raise AssertionError(f"{error}; {self._failed()}") from error

    def lenses(self) -> list[str]:
        """The code lenses that are shown."""
        found: list[str] = self.evaluate(LENSES)
        return found

    def click_lens(self, title: str) -> None:
        """Run a code lens."""
        self.call("click", f".codelens-decoration a:has-text({json.dumps(title)})")

    def saved(self, name: str) -> str:
        """Save the active editor; the text as it lies on the disk then."""
        file = self.folder / name
        before = file.stat().st_mtime_ns
        self.press("Control+s")  # it writes a file that is not changed, too
        wait_until(lambda: file.stat().st_mtime_ns != before, f"{name} is written")
        self.wait_for(f".tab.active[data-resource-name='{name}']:not(.dirty)")
        return file.read_bytes().decode()

    def notifications(self) -> list[str]:
        """The messages that are shown to the person."""
        found: list[str] = self.evaluate(NOTIFICATIONS)
        return found

    def set(self, **settings: Any) -> None:
        """Set settings of the extension for this workspace; the others are as at first."""
        set_in(self.folder, settings)

    def close(self) -> None:
        """Close the window, and with it its language server."""
        self.call("close", {"runBeforeUnload": False})

    def screenshot(self, name: str) -> Path:
        """Keep a picture of the window."""
        file = cache_folder() / "screenshots" / f"{name}.png"
        self.call("screenshot", {"path": str(file)})
        return file

    def _choose(self, label: str, typed: str, asks: bool = False) -> None:
        self.wait_for(INPUT)
        self.call("fill", INPUT, typed)
        self.wait_for(f".quick-input-list .monaco-list-row.focused:has-text({json.dumps(label)})")
        self.press("Enter")
        if not asks:
            self.wait_for(INPUT, "hidden")


INPUT = ".quick-input-widget input.input"
TEXT_SHOWN = """([where, text]) => {
    const lines = document.querySelectorAll(`${where} .view-lines .view-line`);
    return [...lines].some((line) => line.textContent.replaceAll('\\u00a0', ' ').includes(text));
}"""
GHOST_TEXT = """() => [...document.querySelectorAll('.ghost-text, .ghost-text-decoration')]
    .map((part) => part.textContent).join('').replaceAll('\u00a0', ' ')"""
LENSES = (
    """() => [...document.querySelectorAll('.codelens-decoration a')].map((a) => a.textContent)"""
)
NOTIFICATIONS = """() => [...document.querySelectorAll('.notification-list-item-message')]
    .map((item) => item.textContent)"""


def set_in(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings of a workspace; at once, since the editor watches."""
    file = folder / ".vscode" / "settings.json"
    text = json.dumps({f"assistant.{name}": value for name, value in settings.items()})
    if not file.exists() or file.read_text() != text:
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(text)
        fresh.replace(file)


class VSCode:
    """One server that serves windows, and the browser that shows them."""

    def __init__(self, address: str, browser: Browser) -> None:
        self._address = address
        self._browser = browser

    def window(self, folder: Path, **settings: Any) -> Window:
        """Open a window on a folder; its language server runs when this returns.

        Args:
            folder: a workspace.
            settings: of the extension, for this workspace.
        """
        set_in(folder, settings)
        page = self._browser.call(0, "open", f"{self._address}/?folder={folder}")
        window = Window(self._browser, page, folder)
        window.wait_for(".monaco-workbench")
        window.wait_for(f"{STATUS}:not(:has-text('starting')):not(:has-text('failed'))")
        return window


STATUS = ".statusbar-item[id='assistant.assistant.status']"


@contextmanager
def vscode(found: Tools, environment: Mapping[str, str]) -> Iterator[VSCode]:
    """A VS Code with our extension, and nothing of the person's own.

    Args:
        environment: for the editor, and so for language server and daemon.
    """
    # A socket's path must be short, shorter than pytest's folders are.
    home = Path(tempfile.mkdtemp(prefix="code-"))
    # The browser is at one machine and the program at another: each has its own settings.
    for name, settings in {"User": SETTINGS, "Machine": {"assistant.path": str(PROGRAM)}}.items():
        (home / "user" / name).mkdir(parents=True)
        (home / "user" / name / "settings.json").write_text(json.dumps(settings))
    more = {"CODE_SERVER_CONFIG": str(home / "config.yaml"), "PYTHONPATH": str(ROOT)}
    whole = {**found.environment(), **more, **environment}
    command = [found.node, found.code_server, "--extensions-dir", home / "extensions"]
    command += ["--user-data-dir", home / "user"]
    install = [*command, "--install-extension", packed_extension(found)]
    subprocess.run(install, env=whole, check=True, capture_output=True, timeout=PATIENCE)
    try:
        with _serving(command, whole, home) as address, _browsing(found) as browser:
            yield VSCode(address, browser)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _serving(command: list[Any], environment: dict[str, str], home: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [*command, "--auth", "none", "--bind-addr", address, "--disable-telemetry"]
    command += ["--disable-update-check", "--disable-workspace-trust"]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(f"http://{address}/healthz"):
            assert process.poll() is None, (home / "log").read_text()
            assert time.monotonic() < deadline, "code-server does not answer"
            time.sleep(0.05)
        yield f"http://{address}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(PATIENCE)


def _answers(address: str) -> bool:
    try:
        return httpx.get(address, trust_env=False).is_success
    except httpx.HTTPError:
        return False


@contextmanager
def _browsing(found: Tools) -> Iterator[Browser]:
    command = [found.node, DRIVER, found.playwright, found.chromium, *BROWSER]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Browser(process)
    finally:
        process.communicate(timeout=PATIENCE)
