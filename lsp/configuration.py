"""The editor's settings: given with `initialize`, asked for, or sent when they change.

Where the editor can be asked (`workspace/configuration`), its answer for the first workspace folder
takes the place of the `initializationOptions`, unless it is empty: then the editor has nothing to
say there. What can not be used is told once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp.options import Options, read_options

if TYPE_CHECKING:
    from lsp.server import AssistantServer

logger = logging.getLogger(__name__)

SECTION = "assistant"


class Configuration:
    """What one editor has set, and where it goes."""

    def __init__(self, server: AssistantServer) -> None:
        self._server = server
        self._folder: str | None = None
        self._told: set[str] = set()
        self._problems: tuple[str, ...] = ()
        self._asking: set[asyncio.Task[None]] = set()

    def initialize(self, params: types.InitializeParams) -> None:
        """Take the options that the editor starts with."""
        folders = params.workspace_folders or []
        self._folder = folders[0].uri if folders else params.root_uri
        self._take(read_options(params.initialization_options))

    def begin(self) -> None:
        """The session is open: tell what was wrong, and ask for the settings."""
        self._tell_problems()
        if self._can_be_asked:
            self._server.engine.settled = asyncio.Event()
            self._start(self._ask_first(self._server.engine.settled))
        if self._wants_registration:
            self._start(self._register())

    def changed(self, settings: Any) -> None:
        """Something was set anew; editors that can be asked need not say what."""
        if isinstance(settings, dict) and isinstance(settings.get(SECTION), dict):
            self._take(read_options(settings))
            self._tell_problems()
        elif self._can_be_asked:
            self._start(self._ask())

    @property
    def _can_be_asked(self) -> bool:
        workspace = self._server.client_capabilities.workspace
        return workspace is not None and bool(workspace.configuration)

    @property
    def _wants_registration(self) -> bool:
        workspace = self._server.client_capabilities.workspace
        changes = workspace.did_change_configuration if workspace is not None else None
        return changes is not None and bool(changes.dynamic_registration)

    async def _ask_first(self, settled: asyncio.Event) -> None:
        try:
            await self._ask()
        finally:
            settled.set()

    async def _ask(self) -> None:
        item = types.ConfigurationItem(scope_uri=self._folder, section=SECTION)
        try:
            answer = await self._server.workspace_configuration_async(
                types.ConfigurationParams([item])
            )
        except JsonRpcException:
            logger.warning("the editor does not tell its settings")
            return
        settings = answer[0] if isinstance(answer, list | tuple) and answer else None
        if settings:
            self._take(read_options(settings))
            self._tell_problems()

    async def _register(self) -> None:
        """Have changes of our section sent; some editors send none unasked."""
        wanted = types.Registration(
            id=f"{SECTION}.configuration",
            method=types.WORKSPACE_DID_CHANGE_CONFIGURATION,
            register_options={"section": SECTION},
        )
        try:
            await self._server.client_register_capability_async(types.RegistrationParams([wanted]))
        except JsonRpcException:
            logger.warning("the editor does not tell changes of its settings")

    def _take(self, options: Options) -> None:
        server = self._server
        changed = (options.flags, options.features) != (server.engine.flags, server.features)
        server.engine.flags, server.features = options.flags, options.features
        self._problems = options.problems
        if changed:
            server.status.settings_changed()

    def _tell_problems(self) -> None:
        """Each once: settings are sent again with every change of any of them."""
        new = [one for one in self._problems if one not in self._told]
        self._told.update(new)
        if new:
            self._server.tell("\n".join(new), types.MessageType.Warning)

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
