"""pygls's protocol with the promises that it does not make by itself.

- Every request gets exactly one response, whatever its parameters: pygls answers nothing to
  parameters that do not fit, to requests after `shutdown`, or when a result can not be written.
- Parameters may hold a key `jsonrpc`: pygls takes any object that has one for a message.
- `$/cancelRequest` reaches the running command: pygls only cancels what waits for it.
- A notification that can not be handled is logged; it never becomes a pop-up.
- The text of documents is ours (`lsp.documents`), not that of pygls's `Workspace`.
"""

from __future__ import annotations

import contextvars
import json
import logging
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams, JsonRpcMethodNotFound
from pygls.protocol import LanguageServerProtocol, lsp_method

from lsp.documents import Documents
from lsp.text import ENCODINGS, Encoding

if TYPE_CHECKING:
    from cattrs import Converter

    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

Error = types.ErrorCodes | types.LSPErrorCodes
INTERNAL = "Something failed inside of the language server; its log says where."
_NOTEBOOKS = (
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)
"""What the library would keep for nobody; the cells are documents like others."""
_NO_PARAMS = (types.SHUTDOWN, types.EXIT)


class AssistantProtocol(LanguageServerProtocol):
    """One editor's session."""

    _server: AssistantServer

    def __init__(self, server: AssistantServer, converter: Converter) -> None:
        super().__init__(server, converter)
        for method in _NOTEBOOKS:
            self.fm.builtin_features.pop(method, None)
        self.documents = Documents()
        self._initialized = False

    # Messages in

    def receive(self, body: bytes) -> None:
        """Handle the JSON text of one message; raises nothing."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError) as error:
            self._refuse(None, types.ErrorCodes.ParseError, f"This is not JSON: {error}")
            return
        if isinstance(message, dict) and isinstance(message.get("method"), str):
            context = contextvars.copy_context()
            context.run(self.documents.freeze)
            handle = self._receive_request if "id" in message else self._receive_notification
            context.run(handle, message)
        elif isinstance(message, dict) and ("result" in message or "error" in message):
            self._receive_response(message)
        else:
            known = message.get("id") if isinstance(message, dict) else None
            self._refuse(known, types.ErrorCodes.InvalidRequest, "This is not a JSON-RPC message.")

    def hung_up(self) -> None:
        """The editor is gone without saying exit."""
        self._server.finish(1)

    def _receive_request(self, message: dict[str, Any]) -> None:
        request_id, method = message["id"], message["method"]
        if isinstance(request_id, bool) or not isinstance(request_id, int | str):
            why = "The id of a request is an integer or a string."
            self._refuse(request_id, types.ErrorCodes.InvalidRequest, why)
            return
        if (refusal := self._refusal(message)) is not None:
            self._refuse(request_id, *refusal)
            return
        try:
            self._get_handler(method)
            request = self._structured(message)
        except JsonRpcMethodNotFound:
            why = f"The method {method} is not known here."
            self._refuse(request_id, types.ErrorCodes.MethodNotFound, why)
        except Exception as error:
            logger.info("invalid parameters of %s: %s", _short(method), type(error).__name__)
            why = f"The parameters of {method} do not fit the protocol."
            self._refuse(request_id, types.ErrorCodes.InvalidParams, why)
        else:
            self._handle_request(request_id, method, getattr(request, "params", None))

    def _refusal(self, message: dict[str, Any]) -> tuple[Error, str] | None:
        """Why a request can not be taken in the session's present state."""
        method = message["method"]
        if message.get("jsonrpc") != self.VERSION:
            return types.ErrorCodes.InvalidRequest, "A message says jsonrpc: 2.0."
        if message["id"] in self._request_futures:
            return types.ErrorCodes.InvalidRequest, f"Request {message['id']} is still running."
        if self._shutdown:
            return types.ErrorCodes.InvalidRequest, "The server is shutting down."
        if self._initialized and method == types.INITIALIZE:
            return types.ErrorCodes.InvalidRequest, "The server is initialized already."
        if not self._initialized and method != types.INITIALIZE:
            return types.ErrorCodes.ServerNotInitialized, f"{method} came before initialize."
        return None

    def _receive_notification(self, message: dict[str, Any]) -> None:
        method = message["method"]
        if method != types.EXIT and (self._shutdown or not self._initialized):
            return
        try:
            notification = self._structured(message)
            self._handle_notification(method, getattr(notification, "params", None))
        except Exception as error:
            logger.warning("ignored %s: %s", _short(method), type(error).__name__)

    def _receive_response(self, message: dict[str, Any]) -> None:
        request_id = message.get("id")
        # The editor's own requests stand beside ours, by other numbers.
        if not isinstance(request_id, int | str) or request_id not in self._result_types:
            return
        future = self._request_futures.pop(request_id, None)
        result_type = self._result_types.pop(request_id, None)
        if future is None or future.done():
            return
        try:
            if message.get("error") is not None:
                error = self._converter.structure(message["error"], types.ResponseError)
                future.set_exception(JsonRpcException.from_error(error))
            elif result_type is None:
                future.set_result(message["result"])
            else:
                future.set_result(self._converter.structure(message, result_type).result)
        except Exception as error:
            logger.warning("a response does not fit the protocol: %s", type(error).__name__)
            future.set_exception(JsonRpcException("The editor's response is malformed."))

    def _structured(self, message: dict[str, Any]) -> Any:
        """The message as its typed class; custom ones stay as they are.

        Raises:
            Exception: of any kind, when the message does not fit its class.
        """
        if message["method"] in _NO_PARAMS:
            message = {key: value for key, value in message.items() if key != "params"}
        message_type = self.get_message_type(message["method"])
        return message if message_type is None else self._converter.structure(message, message_type)

    # Messages out

    def _refuse(self, request_id: Any, code: Error, why: str) -> None:
        odd = isinstance(request_id, bool) or not isinstance(request_id, int | float | str)
        known = None if odd else request_id
        error = {"code": code.value, "message": why}
        self._send_data({"jsonrpc": self.VERSION, "id": known, "error": error})

    def _send_response(
        self, msg_id: Any, result: Any = None, error: types.ResponseError | None = None
    ) -> None:
        """Answer a request; what failed inside is for the log, without the words of an exception.

        Editors log errors, and such words may hold what stands in a document.
        """
        if error is not None and error.code == types.ErrorCodes.InternalError:
            error = types.ResponseError(error.code, INTERNAL)
        super()._send_response(msg_id, result, error)

    def _send_data(self, data: Any) -> None:
        if self.writer is None:
            return
        try:
            body = json.dumps(data, default=self._serialize_message)
        except Exception:
            logger.exception("a message could not be written")
            request_id = getattr(data, "id", None)
            if request_id is not None and not hasattr(data, "method"):
                why = "The result could not be written."
                self._refuse(request_id, types.ErrorCodes.InternalError, why)
            return
        self.writer.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode("ascii"))

    # Lifecycle

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Answer with what the server can do; positions count as VS Code and most servers do."""
        general = params.capabilities.general
        if general is not None and general.position_encodings:
            offered = general.position_encodings
            general.position_encodings = sorted(offered, key=lambda e: e != "utf-16")
        result = yield from super().lsp_initialize(params)
        if result.capabilities.workspace is not None:  # the library leaves this one out
            pages = self.fm.feature_options.get(types.WORKSPACE_TEXT_DOCUMENT_CONTENT)
            result.capabilities.workspace.text_document_content = pages
        # Not another one: listeners have been added.
        self.documents.encoding = _encoding(result.capabilities.position_encoding)
        self._initialized = True
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> Any:
        """Stop everything that runs; the requests among it are answered as cancelled."""
        self._shutdown = True
        for future in list(self._request_futures.values()):
            future.cancel()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> Any:
        """Leave: code 0 after a shutdown, 1 without."""
        self._server.finish(0 if self._shutdown else 1)

    # Documents

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> None:
        """Take over a document."""
        self.documents.open(params.text_document)

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply the editor's changes, in their order."""
        if not self.documents.change(params.text_document, params.content_changes):
            logger.warning("a document changed that is not open")

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> None:
        """Forget a document."""
        self.documents.close(params.text_document.uri)

    @lsp_method(types.TEXT_DOCUMENT_DID_SAVE)
    def lsp_text_document__did_save(self, params: types.DidSaveTextDocumentParams) -> None:
        """Tell those who look at files."""
        self.documents.saved(params.text_document.uri)

    # Running work

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]  # pygls has a generator
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Run a command as a task, so that cancelling the request cancels the command."""
        command = self.fm.commands.get(params.command)
        if command is None:
            raise JsonRpcInvalidParams(f"The command {params.command} is not known here.")
        return await command(params)

    @lsp_method(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def lsp_work_done_progress_cancel(self, params: types.WorkDoneProgressCancelParams) -> None:
        """The cancel button of a progress message."""
        self._server.tokens.cancelled(params.token)


def _short(method: str) -> str:
    """A method as a log shows it: whatever an editor has sent as one."""
    return repr(method if method in types.METHOD_TO_TYPES else "an unknown method")


def _encoding(chosen: str | None) -> Encoding:
    return next((encoding for encoding in ENCODINGS if encoding == chosen), "utf-16")
