"""The log of a language server: what went wrong and where, never what somebody wrote.

Texts of documents stand in messages, and in the words of exceptions too ("invalid literal for
int(): ..."). So an exception is told by its type and by the lines of code that it came through;
the protocol library, which logs parameters with its errors, is not asked at all.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import traceback
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from types import TracebackType
from typing import Any

from assistant import locations
from assistant.errors import AssistantError

logger = logging.getLogger(__name__)

_LARGEST = 1 << 20
_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class DiscreetFormatter(logging.Formatter):
    """Tells exceptions without their words."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line, and below it the exception."""
        record = copy.copy(record)
        record.exc_text = None  # another formatter's words, kept for the next one
        return super().format(record)

    def formatException(self, ei: _ExcInfo) -> str:
        """The lines of code that the exception and its causes came through, and their types."""
        return "\n".join(_told(error) for error in reversed(list(_causes(ei[1]))))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what led to it, the newest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _told(error: BaseException) -> str:
    lines = "".join(traceback.format_tb(error.__traceback__))
    return f"{lines}{type(error).__module__}.{type(error).__qualname__}"


def start() -> None:
    """Warnings go to `logs/lsp.log`; stderr, which editors collect too, when that is not there."""
    handler: logging.Handler
    problem: Exception | None = None
    try:
        path = locations.log_path("lsp")
        locations.ensure_private_dir(path.parent)
        # Half a surrogate pair is in no encoding, and may be in the name of a method.
        handler = RotatingFileHandler(
            path, maxBytes=_LARGEST, backupCount=1, encoding="utf-8", errors="backslashreplace"
        )
    except (AssistantError, OSError) as error:
        handler, problem = logging.StreamHandler(), error
    handler.setFormatter(DiscreetFormatter())
    # On a full disk each line of the log would come to stderr as a traceback, with its arguments.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.addHandler(handler)
    if problem is not None:
        logger.warning("no log file: %s", problem)
    if root.level > logging.DEBUG:
        # With --debug the person wants everything, and gets it on stderr.
        logging.getLogger("pygls").setLevel(logging.CRITICAL)


def of_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """What the event loop calls with an error that nobody waits for.

    Its own words name the task or the call, with arguments and all.
    """
    error = context.get("exception")
    shown = "an error that nobody waited for" if error else context.get("message")
    logger.error("%s", shown, exc_info=error)
