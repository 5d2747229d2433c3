"""A small real HTTP server that speaks the Hugging Face hub's API, and fails as it is told to.

It answers what a download needs: the listing of a repository at a revision, with sizes and SHA-256,
and `resolve`, which redirects to a second server (the content network) that knows ranges. Both
remember what they were asked.

    with HubServer() as hub:
        hub.add("org/repo", {"model.gguf": content})
        monkeypatch.setenv("HF_ENDPOINT", hub.url)

What can go wrong, goes wrong through `hub.faults`; a `Gate` holds a download in the middle until
the test opens it, so no test needs a sleep.

What is not covered: uploads, data sets, the chunked transfer protocol.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

PATIENCE = 30.0
TOKEN = "hf_" + "a" * 34


@dataclass
class Repository:
    """What one repository holds, and who may have it."""

    files: dict[str, bytes]
    commit: str
    gated: bool = False
    private: bool = False
    licence: str = "apache-2.0"
    accepted: bool = False
    """The account of `TOKEN` has accepted the licence."""

    def entry(self, name: str) -> dict[str, Any]:
        """A file as the listing tells it."""
        content = self.files[name]
        digest = hashlib.sha256(content).hexdigest()
        large = {"sha256": digest, "size": len(content), "pointerSize": 134}
        return {"rfilename": name, "size": len(content), "blobId": "0" * 40, "lfs": large}


@dataclass
class Gate:
    """Holds every download after so many bytes until it is opened."""

    after: int
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def wait_reached(self) -> None:
        """Block until a download has come to the gate."""
        assert self.reached.wait(PATIENCE), "no download came to the gate"


@dataclass
class Faults:
    """What goes wrong; each list is used up from its front, one entry a request."""

    cut_after: list[int] = field(default_factory=list)
    """Bytes after which the connection breaks."""
    statuses: list[int] = field(default_factory=list)
    """Answers of the content network instead of the file."""
    listing_statuses: list[int] = field(default_factory=list)
    replaced: dict[str, bytes] = field(default_factory=dict)
    """SHA-256 to what is sent in the place of that file."""
    ignore_range: bool = False
    lie_about_length: int = 0
    """So many bytes more than there are, in the headers."""
    redirect_to: str = ""
    """The address that `resolve` sends to."""
    listing: Any = None
    """The listing's JSON in the place of the true one, or bytes."""
    gate: Gate | None = None
    slow: int = 0
    """Bytes of a piece; each comes a hundredth of a second after the one before."""


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]


class HubServer:
    """The hub and its content network; a context manager."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.faults = Faults()
        self.asked: list[Asked] = []
        self.downloads: list[Asked] = []
        self.blobs: dict[str, bytes] = {}
        self.lock = threading.Lock()
        self._servers = [
            _Server(("127.0.0.1", 0), _hub_handler(self)),
            _Server(("127.0.0.1", 0), _content_handler(self)),
        ]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.02,)) for server in self._servers
        ]

    @property
    def url(self) -> str:
        """For `HF_ENDPOINT`."""
        return f"http://127.0.0.1:{self._servers[0].server_address[1]}"

    @property
    def content_url(self) -> str:
        """Of the content network."""
        return f"http://127.0.0.1:{self._servers[1].server_address[1]}"

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.faults.gate is not None:
            self.faults.gate.opened.set()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            server.server_close()
            thread.join()

    def add(self, name: str, files: dict[str, bytes], **more: Any) -> Repository:
        """A repository; its commit follows from its files."""
        digest = hashlib.sha1(repr(sorted(files.items())).encode()).hexdigest()
        made = Repository(files, digest, **more)
        self.repositories[name] = made
        for content in files.values():
            self.blobs[hashlib.sha256(content).hexdigest()] = content
        return made

    def sent_from(self) -> list[int]:
        """The first byte that each download asked for."""
        ranges = [one.headers.get("Range", "bytes=0-") for one in self.downloads]
        return [int(re.fullmatch(r"bytes=(\d+)-", one)[1]) for one in ranges]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Say nothing: clients hang up in many of the tests."""


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Say nothing: stderr belongs to the test run."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str) -> None:
        body = json.dumps({"error": message}).encode()
        self.answer(status, body, X_Error_Code=code, X_Error_Message=message)


def _hub_handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            with hub.lock:
                hub.asked.append(Asked(self.command, self.path, dict(self.headers)))
            url = urlsplit(self.path)
            listing = re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/([^/]+)", url.path)
            file = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", url.path)
            found = listing or file
            if found is None:
                self.refuse(404, "", "Not found")
                return
            repository = hub.repositories.get(found[1])
            if repository is None or (repository.private and not self.known):
                status = 404 if self.known else 401
                self.refuse(status, "RepoNotFound", "Repository not found")
            elif unquote(found[2]) not in ("main", repository.commit):
                self.refuse(404, "RevisionNotFound", f"Invalid rev id: {unquote(found[2])}")
            elif self.bearer and not self.known:
                self.refuse(401, "", "Invalid credentials in Authorization header")
            elif listing:
                self.list(found[1], repository, "blobs" in parse_qs(url.query))
            else:
                self.resolve(found[1], repository, unquote(file[3]))

        @property
        def bearer(self) -> str:
            return self.headers.get("Authorization", "").removeprefix("Bearer ")

        @property
        def known(self) -> bool:
            return self.bearer == TOKEN

        def list(self, name: str, repository: Repository, blobs: bool) -> None:
            if hub.faults.listing_statuses:
                self.refuse(hub.faults.listing_statuses.pop(0), "", "try again")
                return
            entries = [repository.entry(name) for name in repository.files]
            entries = [{"rfilename": ".gitattributes", "size": 12}, *entries]
            if not blobs:
                entries = [{"rfilename": entry["rfilename"]} for entry in entries]
            body = {
                "id": name,
                "sha": repository.commit,
                "gated": "manual" if repository.gated else False,
                "cardData": {"license": repository.licence},
                "siblings": entries,
            }
            told = body if hub.faults.listing is None else hub.faults.listing
            self.answer(200, told if isinstance(told, bytes) else json.dumps(told).encode())

        def resolve(self, name: str, repository: Repository, file: str) -> None:
            if repository.gated and not (self.known and repository.accepted):
                message = f"Access to model {name} is restricted."
                self.refuse(403 if self.known else 401, "GatedRepo", message)
            elif file not in repository.files:
                self.refuse(404, "EntryNotFound", "Entry not found")
            else:
                large = repository.entry(file)["lfs"]
                target = hub.faults.redirect_to or f"{hub.content_url}/{large['sha256']}?sig=x"
                self.answer(
                    302,
                    Location=target,
                    X_Repo_Commit=repository.commit,
                    X_Linked_Etag=f'"{large["sha256"]}"',
                    X_Linked_Size=str(large["size"]),
                    ETag=f'"{large["sha256"]}"',
                )

    return Handler


def _content_handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(_Quiet):
        def do_GET(self) -> None:
            with hub.lock:
                hub.downloads.append(Asked(self.command, self.path, dict(self.headers)))
                status = hub.faults.statuses.pop(0) if hub.faults.statuses else 0
                cuts = hub.faults.cut_after
                cut = cuts.pop(0) if cuts and self.command == "GET" else None
            digest = urlsplit(self.path).path[1:]
            content = hub.faults.replaced.get(digest, hub.blobs.get(digest))
            if status or content is None:
                self.answer(status or 404, b"no", Retry_After="0")
                return
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked and not hub.faults.ignore_range else 0
            if start >= len(content):
                self.answer(416)
                return
            self.send(content, start, cut, ranged=bool(start))

        def send(self, content: bytes, start: int, cut: int | None, ranged: bool) -> None:
            said = len(content) + hub.faults.lie_about_length
            self.send_response(206 if ranged else 200)
            self.send_header("Content-Length", str(said - start))
            if ranged:
                self.send_header("Content-Range", f"bytes {start}-{said - 1}/{said}")
            self.end_headers()
            if self.command == "HEAD":
                return
            body = content[start:] if cut is None else content[start : start + cut]
            with contextlib.suppress(OSError):
                self.write(body, hub.faults.gate)
                if cut is not None or hub.faults.lie_about_length:
                    self.connection.shutdown(socket.SHUT_RDWR)
                    self.close_connection = True

        def write(self, body: bytes, gate: Gate | None) -> None:
            before = len(body) if gate is None else gate.after
            before = 0 if hub.faults.slow else before
            self.wfile.write(body[:before])
            self.wfile.flush()
            if gate is not None and len(body) > before:
                gate.reached.set()
                gate.opened.wait(PATIENCE)
            step = hub.faults.slow or len(body) or 1
            for position in range(before, len(body), step):
                self.wfile.write(body[position : position + step])
                if hub.faults.slow:
                    time.sleep(0.01)

    return Handler
