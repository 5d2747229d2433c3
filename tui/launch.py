"""From the settings to a running application, and its log out of the way of the screen."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from assistant import config, locations
from assistant.answer import AnswerOptions
from assistant.connecting import open_connection
from assistant.errors import StateProblem
from tui import terminal_keys
from tui.app import AssistantApp

MAX_LOG_BYTES = 1 << 20


def build(resolved: config.Resolved) -> AssistantApp:
    """The application on the engine or endpoint that the settings name; nothing is started yet."""
    options = AnswerOptions(max_tokens=resolved.settings.ask.max_tokens)
    return AssistantApp(lambda: open_connection(resolved), options)


def run() -> int:
    """Run until the user leaves; the exit code.

    Raises:
        ConfigProblem: the settings can not be used.
    """
    resolved = config.load()
    terminal_keys.teach()
    with logging_to_file():
        app = build(resolved)
        app.run()
        return app.return_code or 0


@contextmanager
def logging_to_file() -> Iterator[None]:
    """Send the log to a file while the screen is ours: a line on stderr would tear it.

    Where the state folder can not be written there is no log, and the interface works all the
    same; the daemon will say what is wrong with the folder.
    """
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [_handler()]
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = before


def _handler() -> logging.Handler:
    path = locations.log_path("tui")
    try:
        locations.ensure_private_dir(path.parent)
        fresh = path.exists() and path.stat().st_size > MAX_LOG_BYTES
        handler = logging.FileHandler(path, mode="w" if fresh else "a", encoding="utf-8")
    except (StateProblem, OSError):
        return logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    return handler
