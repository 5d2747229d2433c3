"""Who is let in: the user's own programs; no web page, no other user, nobody without the token."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from assistant import locations
from assistant.daemon.peers import Peer, peer_of
from assistant.daemon.server import build_app
from assistant.daemon.service import MAX_OF_CLIENT, Service
from assistant.daemon.worker import Worker
from assistant.engine.engine import Engine
from tests.support.daemons import chat, client, daemon

ROUTES = ["/health", "/version", "/status", "/v1/models", "/props", "/metrics", "/nothing"]


@pytest.fixture(scope="module")
def info(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What a daemon on both kinds of socket tells of itself, its home beside it."""
    with pytest.MonkeyPatch.context() as patch:
        home = str(tmp_path_factory.mktemp("shared"))
        patch.setenv("ASSISTANT_HOME", home)
        with daemon(models / "abcd.gguf", "--loopback"):
            path = locations.daemon_info_path()
            mode = stat.S_IMODE(path.stat().st_mode)
            found = json.loads(path.read_text()) | {"mode": mode}
            uds = os.fspath(locations.socket_path())
            patch.undo()
            yield found | {"uds": uds}


@pytest.fixture
def tcp(info: dict[str, Any]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://127.0.0.1:{info['port']}", trust_env=False) as made:
        yield made


@pytest.fixture
def uds(info: dict[str, Any]) -> Iterator[httpx.Client]:
    transport = httpx.HTTPTransport(uds=info["uds"])
    with httpx.Client(transport=transport, base_url="http://daemon") as made:
        yield made


def bearer(info: dict[str, Any], token: str = "") -> dict[str, str]:
    return {"authorization": f"Bearer {token or info['token']}"}


def test_the_token_is_the_owners_alone(info: dict[str, Any]) -> None:
    assert info["mode"] == 0o600
    assert len(info["token"]) >= 43


@pytest.mark.parametrize("route", ROUTES)
def test_over_tcp_every_route_asks_for_the_token(
    route: str, tcp: httpx.Client, info: dict[str, Any]
) -> None:
    without = tcp.get(route)
    others = [
        tcp.get(route, headers=bearer(info, info["token"][:-1])),
        tcp.get(route, headers={"authorization": b"Bearer \xc3\xa9"}),
        tcp.get(route, headers={"authorization": info["token"]}),
        tcp.get(route, headers={"authorization": f"Basic {info['token']}"}),
    ]
    right = tcp.get(route, headers=bearer(info))

    assert without.status_code == 401
    assert without.headers["www-authenticate"] == "Bearer"
    assert without.json()["error"]["type"] == "AccessProblem"
    assert {response.status_code for response in others} == {401}
    assert right.status_code == (404 if route == "/nothing" else 200)


def test_another_host_is_refused(tcp: httpx.Client, info: dict[str, Any]) -> None:
    """A web page can give our address a name of its own (DNS rebinding)."""
    port = info["port"]
    wrong = ["evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}"]
    wrong += [f"localhost.evil.example:{port}", f"127.0.0.1:{port}.evil.example", "", "[::1]"]
    for host in wrong:
        response = tcp.get("/health", headers=bearer(info) | {"host": host})
        assert response.status_code == 403, host
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert tcp.get("/health", headers=bearer(info) | {"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://localhost", "null", "", "https://evil.example"])
def test_a_web_page_is_refused_on_both(
    origin: str, tcp: httpx.Client, uds: httpx.Client, info: dict[str, Any]
) -> None:
    """No header of CORS is sent, to a preflight neither."""
    for http, headers in ((tcp, bearer(info)), (uds, {})):
        more = headers | {"origin": origin}
        answers = [
            http.get("/health", headers=more),
            http.post("/v1/chat/completions", headers=more, json=chat()),
            http.options("/v1/chat/completions", headers=more),
        ]
        for answer in answers:
            assert answer.status_code == 403
            assert not [name for name in answer.headers if name.startswith("access-control")]


def test_only_json_is_read(uds: httpx.Client) -> None:
    """What a web page can send without asking first is not JSON."""
    body = json.dumps(chat()).encode()
    for kind in ("text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data"):
        headers = {"content-type": kind} if kind else {}
        response = uds.post("/v1/chat/completions", content=body, headers=headers)
        assert response.status_code == 415, kind
    packed = {"content-type": "application/json", "content-encoding": "gzip"}
    assert uds.post("/v1/completions", content=body, headers=packed).status_code == 415
    good = {"content-type": "Application/JSON; charset=utf-8"}
    assert uds.post("/v1/chat/completions", content=body, headers=good).status_code == 200


def test_nothing_is_redirected(uds: httpx.Client) -> None:
    for path in ("/health/", "//health", "/v1/models/"):
        response = uds.get(path)
        assert response.status_code == 404
        assert "no route" in response.json()["error"]["message"]
    wrong = uds.put("/health")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, 405)


def test_the_socket_needs_no_token(uds: httpx.Client) -> None:
    assert uds.get("/health").json()["status"] == "ok"


def test_a_port_may_be_chosen_and_a_taken_one_is_named(models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "assistant.daemon", "--model-name", "x"]
        command += ["--model-path", str(models / "abcd.gguf"), "--loopback", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert f"Port {port} of 127.0.0.1 can not be listened on" in done.stderr
    with daemon(models / "abcd.gguf", "--loopback", str(port)), client() as http:
        assert http.get("/status").json()["loopback"] == port


def test_without_a_flag_there_is_no_port(models: Path) -> None:
    with daemon(models / "abcd.gguf"), client() as http:
        assert http.get("/status").json()["loopback"] is None
        assert "token" not in json.loads(locations.daemon_info_path().read_text())


def test_the_kernel_says_who_is_there() -> None:
    left, right = socket.socketpair(socket.AF_UNIX)
    with left, right:
        assert peer_of(left) == Peer(os.getuid(), os.getpid())
    with socket.socket() as other:
        assert peer_of(other) is None


def service_at(path: Path) -> Service:
    """One that loads nothing."""
    return Service(Worker(lambda _: Engine(path)), "x", path, lambda: None)


async def test_one_client_can_not_fill_the_queue(tmp_path: Path) -> None:
    """It is counted by itself, until its requests end."""
    service = service_at(tmp_path)
    names = [str(number) for number in range(MAX_OF_CLIENT + 1)]

    assert all(service.enter(name, "greedy") for name in names[:-1])
    assert not service.enter(names[-1], "greedy")
    assert service.enter(names[-1], "modest")
    service.forget(names[0])
    service.forget(names[0])
    assert service.enter(names[0], "greedy")
    assert not service.enter("more", "greedy")


async def test_who_asks_may_be_told_later(tmp_path: Path) -> None:
    """By the request itself, where the system does not know it."""
    service = service_at(tmp_path)
    for number in range(3 * MAX_OF_CLIENT):
        one = service.enter(str(number), None)
        assert one is not None and service.name(one, f"client {number % 3}")
    one = service.enter("more", None)
    assert one is not None and not service.name(one, "client 1")
    assert service.name(one, "")
    assert service.name(one, "")


def test_the_app_answers_no_schema_and_no_pages(tmp_path: Path) -> None:
    paths = [getattr(route, "path", "") for route in build_app(service_at(tmp_path)).routes]

    assert not {"/docs", "/openapi.json", "/"} & set(paths)
