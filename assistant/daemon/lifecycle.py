"""The life of the daemon: lock, socket, log, what ends it.

The lock is held for life. Whoever holds it may remove a socket that lies around: its owner is
dead. The socket is bound here, with a umask, and handed to the server as it is; the server's
own way would open it to every user of the machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import logging.handlers
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from assistant import __version__, locations
from assistant.daemon import crashes
from assistant.daemon.protocol import LOAD_FAILED, PROTOCOL
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
    memory_gb: float = 0.0
    """For all models together; 0: what is free when the daemon starts."""
    idle_seconds: float = 1800.0
    """Seconds without a request until it ends; 0: never."""
    engine: EngineSettings = field(default_factory=EngineSettings)
    started_by: str = ""
    foreground: bool = False


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
    with _bound_socket() as listener, _info_file():
        return asyncio.run(_serve(options, listener))


async def _serve(options: Options, listener: socket.socket) -> int:
    import uvicorn

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
        stop=lambda: stop(),
        started_by=options.started_by,
    )

    class Server(uvicorn.Server):
        """Ends running answers on a signal, instead of waiting for them."""

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            # Not from within the handler: it interrupts the loop anywhere.
            loop.call_soon_threadsafe(stop)

    config = uvicorn.Config(
        build_app(service),
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        http="h11",
        ws="none",
    )
    server = Server(config)

    def stop() -> None:
        # The path goes first: who comes now finds no socket, and waits for the lock.
        service.stopping = server.should_exit = True
        place.remove()
        for job in list(service.jobs.values()):
            worker.cancel(job)

    async def watch() -> None:
        """Decides once in a while whether to end."""
        while not server.should_exit:
            await asyncio.sleep(_TICK)
            now = time.monotonic()
            if worker.phase is Phase.LOADING:
                service.last_use = now
            idle = now - service.last_use
            if worker.phase is Phase.FAILED and now - service.started > _FAILED_LINGER:
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
    place = _SocketPath()
    worker.start()
    watcher = asyncio.create_task(watch())
    await server.serve(sockets=[listener])
    stop()
    watcher.cancel()
    if not await asyncio.to_thread(worker.stop, _STOP_SECONDS):
        log.warning("the engine did not end in time")
    log.info("daemon %s ends", os.getpid())
    if worker.phase is not Phase.FAILED:
        return 0
    return 1 if options.foreground else LOAD_FAILED


@contextlib.contextmanager
def _bound_socket() -> Iterator[socket.socket]:
    path = locations.socket_path()
    if len(os.fsencode(path)) > locations.MAX_SOCKET_PATH_BYTES:
        raise DaemonProblem(
            f"The socket's path {path} is longer than {locations.MAX_SOCKET_PATH_BYTES} bytes, "
            "which unix sockets do not allow.",
            hint="Set ASSISTANT_HOME or TMPDIR to a shorter folder.",
        )
    locations.ensure_private_dir(path.parent)
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    previous = os.umask(0o077)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise StateProblem(f"The socket {path} can not be made: {error}.") from error
    finally:
        os.umask(previous)
    listener.listen(128)
    listener.setblocking(False)
    try:
        yield listener
    finally:
        listener.close()


class _SocketPath:
    """The socket's place in the file system, for as long as it is ours.

    When somebody removes the state folder, another daemon may live there by now.
    """

    def __init__(self) -> None:
        self._path = locations.socket_path()
        self._identity = self._now()

    def _now(self) -> tuple[int, int] | None:
        with contextlib.suppress(OSError):
            status = self._path.lstat()
            return status.st_dev, status.st_ino
        return None

    @property
    def ours(self) -> bool:
        """False once the path is gone or is another's."""
        return self._now() == self._identity

    def remove(self) -> None:
        """Remove it if it is ours."""
        if self.ours:
            self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def _info_file() -> Iterator[None]:
    """Tells who runs; one that is left behind tells that its writer died."""
    path = locations.daemon_info_path()
    partial = path.with_suffix(".partial")
    body = json.dumps({"pid": os.getpid(), "version": __version__, "protocol": PROTOCOL})
    partial.write_text(body)
    partial.replace(path)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            if path.read_text() == body:
                path.unlink()


def _start_log(foreground: bool) -> None:
    """Log to the daemon's file, and to stderr too in the foreground."""
    path = locations.log_path("daemon")
    locations.ensure_private_dir(path.parent)
    handlers: list[logging.Handler] = [
        logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=1)
    ]
    if foreground:
        handlers.append(logging.StreamHandler())
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=handlers,
        force=True,
    )
    path.chmod(0o600)
