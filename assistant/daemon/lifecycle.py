"""The life of the daemon: lock, socket, log, what ends it.

The lock is held for life. Whoever holds it may remove a socket that lies around: its owner is
dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import logging.handlers
import os
import resource
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from assistant import __version__, locations
from assistant.daemon import crashes
from assistant.daemon.listening import Listening, listening
from assistant.daemon.protocol import LOAD_FAILED
from assistant.engine.types import EngineSettings
from assistant.errors import DaemonProblem, StateProblem

HANG_SECONDS = 300.0
"""A single decode call that takes longer will not end: the daemon ends itself."""
_TICK = 0.25
_FAILED_LINGER = 10.0
_STOP_SECONDS = 10.0
_LOG_BYTES = 1_000_000

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How a daemon is started."""

    model_path: Path
    model_name: str
    inline_path: Path | None = None
    """A second model, for completions inside of a line; None: the first one serves both."""
    inline_name: str = ""
    adapter_path: Path | None = None
    """An adapter that is attached to the first model."""
    inline_adapter_path: Path | None = None
    """Likewise, to the second."""
    memory_gb: float = 0.0
    """For all models together; 0: what is free when the daemon starts."""
    idle_seconds: float = 1800.0
    """Seconds without a request until it ends; 0: never."""
    engine: EngineSettings = field(default_factory=EngineSettings)
    started_by: str = ""
    foreground: bool = False
    loopback: int | None = None
    """A port of 127.0.0.1 to listen on as well, 0 for any; None: only without unix sockets."""


def take_lock() -> int | None:
    """The lock as an open file descriptor, or None when another process holds it.

    Raises:
        StateProblem: the folder or the file can not be made.
    """
    path = locations.lock_path()
    locations.ensure_private_dir(path.parent)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateProblem(
            f"{path} can not be opened: {error.strerror or error}.",
            hint="Make its folder writable, or set ASSISTANT_HOME to a folder that is.",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def serve(options: Options, lock: int | None = None) -> int:
    """Be the daemon until told to stop, idle for long, or unable to load the model.

    Args:
        options: how.
        lock: the descriptor of the lock when the starter took it; it is released when this
            process ends.

    Returns:
        The exit status.

    Raises:
        DaemonProblem: another daemon holds the lock.
        StateProblem: a file or folder can not be made.
    """
    lock = take_lock() if lock is None else lock
    if lock is None:
        raise DaemonProblem(
            "An engine daemon runs already.", hint="See: assistant status. End it: assistant stop"
        )
    _start_log(options.foreground)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Decoding holds no Python lock; the default of 5 ms would let busy Python code delay it.
    sys.setswitchinterval(0.0005)
    log.info("daemon %s of version %s starts for %s", os.getpid(), __version__, options.model_path)
    with listening(options.loopback) as place:
        if place.access.token:
            log.info("listens on 127.0.0.1:%s, too", place.access.port)
        return asyncio.run(_serve(options, place))


async def _serve(options: Options, place: Listening) -> int:
    import uvicorn

    from assistant.daemon.connection import server_options
    from assistant.daemon.loading import loads
    from assistant.daemon.server import build_app
    from assistant.daemon.service import Service
    from assistant.daemon.worker import Phase, Worker

    worker = Worker(*loads(options), crashes.forget)
    service = Service(
        worker=worker,
        model_name=options.model_name,
        model_path=options.model_path,
        inline_name=options.inline_name,
        inline_path=options.inline_path,
        adapter_path=options.adapter_path,
        inline_adapter_path=options.inline_adapter_path,
        stop=lambda: stop(),
        started_by=options.started_by,
        access=place.access,
    )

    class Server(uvicorn.Server):
        """Ends running answers on a signal, instead of waiting for them."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Not from within the handler: it interrupts the loop anywhere.
            loop.call_soon_threadsafe(stop)

    config = uvicorn.Config(build_app(service), timeout_graceful_shutdown=2, **server_options())
    server = Server(config)

    def stop() -> None:
        # The path goes first: who comes now finds no socket, and waits for the lock.
        service.stopping = server.should_exit = True
        place.remove()
        for one in list(service.open.values()):
            service.cancel(one)

    async def watch() -> None:
        """Decides once in a while whether to end."""
        loading = time.monotonic()
        while not server.should_exit:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            if worker.phase is Phase.LOADING:
                service.last_use = loading = now
            idle = now - service.last_use
            # Not from the start: a load may fail after minutes, and clients ask twice a second.
            if worker.phase is Phase.FAILED and now - loading > _FAILED_LINGER:
                log.info("ends: nobody asks why the model could not be loaded")
                stop()
            elif 0 < options.idle_seconds < idle and not service.busy:
                log.info("ends: idle for %.0f seconds", idle)
                stop()
            elif not place.ours:
                log.warning("ends: its socket was removed, so no client can find it")
                stop()
            elif worker.decoding and now - worker.heartbeat > HANG_SECONDS:
                log.critical("ends: the engine shows no sign of life")
                os._exit(70)

    loop = asyncio.get_running_loop()
    worker.start()
    watcher = asyncio.create_task(watch())
    await server.serve(sockets=place.sockets)
    stop()
    watcher.cancel()
    if not await asyncio.to_thread(worker.stop, _STOP_SECONDS):
        log.warning("the engine did not end in time")
    # With the reason: who was not told reads the end of the log.
    log.info("daemon %s ends%s", os.getpid(), f": {worker.failure}" if worker.failure else "")
    if worker.phase is not Phase.FAILED:
        return 0
    return 1 if options.foreground else LOAD_FAILED


def _start_log(foreground: bool) -> None:
    """Log to the daemon's file, and to stderr too in the foreground."""
    path = locations.log_path("daemon")
    locations.ensure_private_dir(path.parent)
    file = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1)
    file.rotator = _rotate
    handlers: list[logging.Handler] = [file]
    if foreground:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
        force=True,
    )
    path.chmod(0o600)


def _rotate(source: str, target: str) -> None:
    """Begin the log anew, for its owner alone.

    Where stderr is the same file it goes along: what llama.cpp says before it ends the process is
    looked for at the end of the log.
    """
    old = Path(source).stat()
    Path(source).replace(target)
    descriptor = os.open(source, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    with contextlib.suppress(OSError):  # it may be closed
        for stream in (1, 2):
            if os.path.samestat(os.fstat(stream), old):
                os.dup2(descriptor, stream)
    os.close(descriptor)
