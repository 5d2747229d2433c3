"""The language server: its parts put together, and its life from the first byte to the last."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInternalError
from pygls.lsp.server import LanguageServer

from assistant import __version__
from lsp import generate, inline, later, logs, status
from lsp.configuration import Configuration
from lsp.documents import Documents
from lsp.engine import Engine
from lsp.options import Features
from lsp.progress import ProgressTokens
from lsp.protocol import AssistantProtocol
from lsp.reasons import Reasons
from lsp.status.board import Board
from lsp.status.warming import warm_when_code_is_opened
from lsp.wire import Writer, claim_stdout, read_in_thread

if TYPE_CHECKING:
    from cattrs import Converter

    from lsp.context import ContextSource
    from lsp.generate.proposals import Proposals
    from lsp.inline.completions import InlineCompletions

logger = logging.getLogger(__name__)

LAST_WORDS = 0.8
"""Seconds between `exit` and the end of the process, whatever still runs."""


class AssistantServer(LanguageServer):
    """One editor's server. Holds no model: it talks to the daemon or to an endpoint."""

    protocol: AssistantProtocol

    def __init__(self) -> None:
        super().__init__("assistant", __version__, protocol_cls=AssistantProtocol)
        self.tokens = ProgressTokens(self)
        self.engine = Engine()
        self.features = Features()
        self.reasons = Reasons()
        self.status = Board(self)
        self.configuration = Configuration(self)
        self._finish: Callable[[int], None] | None = None
        self._exit_code: int | None = None
        self._register()

    # These are not needed to answer `initialize`.

    @cached_property
    def context(self) -> ContextSource:
        """What a model is told of other files."""
        from lsp.context import ContextSource

        return ContextSource(self)

    @cached_property
    def inline(self) -> InlineCompletions:
        """Completions at the cursor."""
        from lsp.inline.completions import InlineCompletions

        return InlineCompletions(self)

    @cached_property
    def proposals(self) -> Proposals:
        """What was generated, until it is accepted or rejected."""
        from lsp.generate.proposals import Proposals

        return Proposals()

    @property
    def documents(self) -> Documents:
        """The open documents."""
        return self.protocol.documents

    @property
    def converter(self) -> Converter:
        """Turns protocol objects into plain ones."""
        return self.protocol._converter

    def tell(self, message: str, kind: types.MessageType = types.MessageType.Error) -> None:
        """One message for the person at the editor."""
        self.window_show_message(types.ShowMessageParams(kind, message))

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log what went wrong inside; pygls would show a pop-up for each."""
        expected = isinstance(error, JsonRpcException) and not isinstance(
            error, JsonRpcInternalError
        )
        level = logging.INFO if expected else logging.ERROR
        name = getattr(source, "__name__", source)
        logger.log(level, "%s in %s", type(error).__name__, name, exc_info=not expected)

    def finish(self, code: int) -> None:
        """End the session; the first code counts."""
        if self._exit_code is None:
            self._exit_code = code
            if self._finish is not None:
                self._finish(code)

    async def serve(self, stdin: BinaryIO, stdout: BinaryIO) -> int:
        """Speak the protocol until the editor leaves.

        Returns:
            The exit code: 0 after `shutdown` and `exit`, otherwise 1.
        """
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(logs.of_loop)
        finished: asyncio.Future[int] = loop.create_future()
        self._finish = finished.set_result
        self.protocol.set_writer(Writer(stdout, on_broken=lambda: self.finish(1)))
        read_in_thread(stdin, self.protocol)
        code = await finished
        deadline = threading.Timer(LAST_WORDS, os._exit, (code,))
        deadline.daemon = True
        deadline.start()
        return code

    def _register(self) -> None:
        # Plain closures: pygls would look at annotations to find out who wants the server.
        for part in (inline, generate, status):
            part.register(self)
        self.feature(types.INITIALIZE)(lambda params: self._initialize(params))
        self.feature(types.INITIALIZED)(lambda _: self._begin())
        self.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)(
            lambda params: self.configuration.changed(params.settings)
        )

    def _initialize(self, params: types.InitializeParams) -> None:
        self.configuration.initialize(params)
        if self.features.completion:
            inline.register_completion(self)

    def _begin(self) -> None:
        later.load()
        _ = self.context, self.inline, self.proposals
        self.configuration.begin()
        self.status.begin()
        warm_when_code_is_opened(self)


def main() -> int:
    """Serve one editor on stdin and stdout.

    Returns:
        The exit code of the process.
    """
    stdout = claim_stdout()
    logs.start()
    stdin = os.fdopen(os.dup(0), "rb")
    server = AssistantServer()
    later.collect_from_now_on()
    return asyncio.run(server.serve(stdin, stdout))
