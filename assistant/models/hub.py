"""The Hugging Face hub over HTTP: what a repository holds, and the bytes of one file.

Every address is checked before it is asked: https, to the hub or its content network (or to the
host that `HF_ENDPOINT` names; plain http to this machine only). The token goes to the hub's own
host and to no other, and stands in no message.

Not covered: uploads, data sets, and the hub's chunked transfer protocol (it serves plain ones too).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import quote

import httpx

from assistant import __version__
from assistant.errors import ModelProblem
from assistant.models import environment, refusals
from assistant.models.environment import LOOPBACK

CONTENT_HOSTS = ("huggingface.co", "hf.co")
"""The hub, its content network, and all hosts below them."""
MAX_REDIRECTS = 5
MAX_LISTING = 32 << 20
CONNECT_SECONDS, SILENT_SECONDS = 15.0, 30.0
_SHA256, _COMMIT = re.compile(r"[0-9a-f]{64}"), re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}")


class Transient(Exception):
    """It may work at the next try: the connection broke, or the server is busy.

    Args:
        what: happened, for people.
        seconds: that the server asked to wait for, or 0.
    """

    def __init__(self, what: str, seconds: float = 0.0) -> None:
        super().__init__(what)
        self.seconds = seconds


class StartRefused(Exception):
    """The server does not send the file from that byte on."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file that the hub keeps by its checksum."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A repository at one commit."""

    repository: str
    commit: str
    gated: bool
    """Its authors ask to accept something first."""
    licence: str
    """As its card says; '' when it does not."""
    files: dict[str, RemoteFile]


@dataclass(frozen=True, slots=True)
class Body:
    """A file that comes in."""

    start: int
    """The first byte that comes: 0 when the server does not know how to begin elsewhere."""
    pieces: Iterator[bytes]


@dataclass(slots=True)
class Hub:
    """A connection to the hub; a context manager."""

    address: str
    token: str = field(repr=False, default="")
    silent_seconds: float = SILENT_SECONDS
    """Longest silence of a server before the connection counts as broken."""
    _client: httpx.Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        agent = {"User-Agent": f"assistant/{__version__}", "Accept-Encoding": "identity"}
        timeout = httpx.Timeout(self.silent_seconds, connect=CONNECT_SECONDS)
        # A proxy is for what is outside of this machine.
        outside = httpx.URL(self.address).host not in LOOPBACK
        self._client = httpx.Client(headers=agent, timeout=timeout, trust_env=outside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def listing(self, repository: str, revision: str = "main") -> Listing:
        """What a repository holds at a revision.

        Raises:
            ModelProblem: there is no such repository or revision, it is not for this user, or the
                answer is no listing.
            Transient: the hub could not be reached or is busy.
        """
        if not _REVISION.fullmatch(revision) or ".." in revision:
            raise ModelProblem(f"{revision!r} is no revision: a commit, a branch or a tag.")
        path = f"/api/models/{repository}/revision/{quote(revision, safe='')}"
        with self._get(f"{self.address}{path}?blobs=true", repository) as answer:
            return _listing(repository, _json(answer, repository))

    @contextmanager
    def open(self, repository: str, commit: str, file: RemoteFile, start: int) -> Iterator[Body]:
        """Receive a file from the byte `start` on, or from 0 if the server can not do that.

        Raises:
            ModelProblem: it is not for this user, or what comes is another file.
            Transient: the connection broke or the server is busy.
            StartRefused: there is nothing from `start` on.
        """
        url = f"{self.address}/{repository}/resolve/{commit}/{quote(file.name)}"
        headers = {"Range": f"bytes={start}-"} if start else {}
        with self._get(url, repository, headers) as answer:
            first = _first_byte(answer, file, start)
            yield Body(first, _pieces(answer))

    @contextmanager
    def _get(
        self, url: str, repository: str, headers: dict[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Follow redirects to allowed hosts, and turn every refusal into an error of ours."""
        try:
            for _ in range(MAX_REDIRECTS + 1):
                allowed = self._checked(url)
                request = self._client.build_request(
                    "GET", allowed, headers=(headers or {}) | self._authorization(allowed)
                )
                answer = self._client.send(request, stream=True)
                if not answer.has_redirect_location:
                    break
                target = str(allowed.join(answer.headers["Location"]))
                answer.close()
                url = target
            else:
                raise ModelProblem(f"{self.address} redirects {repository} more than five times.")
        except httpx.HTTPError as error:
            raise Transient(f"{httpx.URL(url).host} can not be reached: {_words(error)}") from error
        except httpx.InvalidURL as error:
            raise ModelProblem(f"The hub redirects {repository} to no address.") from error
        try:
            self._check_status(answer, repository)
            yield answer
        finally:
            answer.close()

    def _checked(self, url: str) -> httpx.URL:
        """`url` if a download may come from it.

        Raises:
            ModelProblem: another host, or not over https.
        """
        parsed, own = httpx.URL(url), httpx.URL(self.address)
        # What a hub on this machine says stays on this machine or goes out encrypted.
        local = own.host in LOOPBACK and parsed.host in LOOPBACK
        known = [*CONTENT_HOSTS, *(() if own.host in LOOPBACK else (own.host,))]
        allowed = any(parsed.host == one or parsed.host.endswith("." + one) for one in known)
        secure = parsed.scheme == "https" or (local and parsed.scheme == "http")
        if (allowed or local) and secure and not parsed.userinfo:
            return parsed
        raise ModelProblem(
            f"The hub redirects to {parsed.scheme}://{parsed.host}, which is not among the hosts "
            f"that downloads may come from over https ({', '.join(known)}).",
            hint="Nothing was downloaded. If a proxy does that, set HF_ENDPOINT to your mirror.",
        )

    def _authorization(self, url: httpx.URL) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token and self._own(url) else {}

    def _own(self, url: httpx.URL) -> bool:
        """Whether the hub itself is asked, not its content network."""
        own = httpx.URL(self.address)
        return (url.scheme, url.host, url.port) == (own.scheme, own.host, own.port)

    def _check_status(self, answer: httpx.Response, repository: str) -> None:
        status = answer.status_code
        if status in (200, 206):
            return
        if status == 416:
            raise StartRefused
        if status in (408, 425, 429) or status >= 500 or not self._own(answer.request.url):
            # The content network's addresses expire; the next try gets a new one.
            seconds = refusals.retry_after(answer.headers.get("Retry-After", ""))
            raise Transient(f"{answer.request.url.host} answers with status {status}", seconds)
        raise refusals.explain(
            status, answer.headers, repository, has_token=bool(self.token), address=self.address
        )


def connect() -> Hub:
    """The hub that the environment names.

    Raises:
        ConfigProblem: it names none that may be used.
    """
    return Hub(environment.endpoint(), environment.token())


def _words(error: Exception) -> str:
    return refusals.plain(str(error)) or type(error).__name__


def _pieces(answer: httpx.Response) -> Iterator[bytes]:
    try:
        # Without a size: httpx would lose what it holds of a piece when the connection breaks.
        yield from answer.iter_raw()
    except httpx.HTTPError as error:
        raise Transient(f"the connection broke: {_words(error)}") from error


def _first_byte(answer: httpx.Response, file: RemoteFile, start: int) -> int:
    """Which byte of `file` comes first; refuses what is another file."""
    said = answer.headers.get("Content-Range", "")
    length = answer.headers.get("Content-Length", "")
    encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
    if answer.status_code == 206:
        fits = re.fullmatch(rf"bytes {start}-\d+/{file.size}", said) is not None
        got = f"bytes {said!r}"
    else:
        fits = length in ("", str(file.size))
        got, start = f"{refusals.plain(length)} bytes", 0
    if fits and not encoded:
        return start
    got = "a compressed stream" if encoded else refusals.plain(got)
    raise ModelProblem(
        f"{answer.request.url.host} sends {got} for {file.name}, which has {file.size} bytes.",
        hint="A proxy or a login page of the network may stand in between. Try again later.",
    )


def _json(answer: httpx.Response, repository: str) -> dict[str, Any]:
    received = bytearray()
    for piece in _pieces(answer):
        received += piece
        if len(received) > MAX_LISTING:
            raise ModelProblem(f"The listing of {repository} has more than {MAX_LISTING} bytes.")
    try:
        body = json.loads(received)
    except (ValueError, RecursionError) as error:
        raise _no_listing(repository, "it is not JSON") from error
    if not isinstance(body, dict):
        raise _no_listing(repository, "it is no object")
    return body


def _no_listing(repository: str, why: str) -> ModelProblem:
    return ModelProblem(
        f"The hub's answer about {repository} can not be used: {why}.",
        hint="A proxy or a login page of the network may stand in between. Try again later.",
    )


def _listing(repository: str, body: dict[str, Any]) -> Listing:
    commit, siblings, card = body.get("sha"), body.get("siblings"), body.get("cardData")
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise _no_listing(repository, "it names no commit")
    if not isinstance(siblings, list):
        raise _no_listing(repository, "it lists no files")
    card = card if isinstance(card, dict) else {}
    named = [card.get("license_name"), card.get("license")]
    licence = next((one for one in named if isinstance(one, str) and one), "")
    files = {file.name: file for one in siblings if (file := _remote_file(one)) is not None}
    gated = body.get("gated") not in (None, False)
    return Listing(repository, commit, gated, refusals.plain(licence), files)


def _remote_file(entry: Any) -> RemoteFile | None:
    """A file with a checksum and a size; names are checked where they become paths."""
    large = entry.get("lfs") if isinstance(entry, dict) else None
    if not isinstance(large, dict):
        return None
    name, size, digest = entry.get("rfilename"), large.get("size"), large.get("sha256")
    if not isinstance(name, str) or not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        return None
    return RemoteFile(name, size, digest) if type(size) is int and size > 0 else None
