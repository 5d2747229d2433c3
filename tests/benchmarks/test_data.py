"""The data file: where it is looked for, what is refused, and downloads from a real server."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assistant.benchmarks import data
from assistant.benchmarks.catalogue import BENCHMARKS, Dataset, find
from assistant.errors import DataProblem, UsageProblem

CONTENT = b'{"task_id": "HumanEval/0"}\n'
DATASET = replace(
    BENCHMARKS["humaneval"].dataset, name="Tiny", sha256=hashlib.sha256(CONTENT).hexdigest()
)
PLAIN, PACKED = "HumanEval.jsonl", "HumanEval.jsonl.gz"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSISTANT_DATA", raising=False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def put(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


class TestGiven:
    """`--data`: the file, its folder, or a folder of such folders."""

    @pytest.mark.parametrize("place", [PLAIN, PACKED, f"humaneval/{PLAIN}", f"humaneval/{PACKED}"])
    def test_a_folder_is_searched(self, tmp_path, place: str):
        path = put(tmp_path / place)
        found = data.load(DATASET, tmp_path)

        assert (found.origin, found.content, found.published) == (str(path), CONTENT, True)

    def test_the_file_itself_under_any_name(self, tmp_path):
        assert data.load(DATASET, put(tmp_path / "mine.txt")).published
        # What packs a file is seen from its content, not from its name.
        (tmp_path / "packed").write_bytes(gzip.compress(CONTENT))
        assert data.load(DATASET, tmp_path / "packed").content == CONTENT

    def test_a_file_of_ones_own_is_used_and_told_apart(self, tmp_path):
        found = data.load(DATASET, put(tmp_path / PLAIN, b"{}\n"))

        assert (found.content, found.published) == (b"{}\n", False)

    def test_another_version_in_a_folder_is_refused(self, tmp_path):
        put(tmp_path / PLAIN, b"{}\n")
        with pytest.raises(DataProblem, match="is not the published Tiny") as caught:
            data.load(DATASET, tmp_path)
        assert DATASET.url in caught.value.hint
        assert "--data" in caught.value.hint

    def test_a_folder_without_it(self, tmp_path):
        with pytest.raises(DataProblem, match=r"looked for HumanEval\.jsonl\.gz and humaneval/"):
            data.load(DATASET, tmp_path)
        with pytest.raises(DataProblem, match="there is nothing"):
            data.load(DATASET, tmp_path / "nowhere")

    @pytest.mark.parametrize("cut", [3, 12, -4])
    def test_a_damaged_packed_file(self, tmp_path, cut: int):
        path = put(tmp_path / PACKED)
        path.write_bytes(path.read_bytes()[:cut])
        with pytest.raises(DataProblem, match="can not be read"):
            data.load(DATASET, tmp_path)

    def test_a_small_file_that_unpacks_to_far_too_much(self, tmp_path, monkeypatch):
        monkeypatch.setattr(data, "MAX_BYTES", 1 << 20)
        put(tmp_path / PACKED, bytes(1 << 21))
        with pytest.raises(DataProblem, match="more than 1 MB"):
            data.load(DATASET, tmp_path)

    def test_the_environment_names_a_folder(self, tmp_path, monkeypatch):
        put(tmp_path / "humaneval" / PACKED)
        monkeypatch.setenv("ASSISTANT_DATA", str(tmp_path))

        assert data.load(DATASET).published

    def test_what_is_given_comes_before_the_environment(self, tmp_path, monkeypatch):
        put(tmp_path / PLAIN)
        monkeypatch.setenv("ASSISTANT_DATA", str(tmp_path / "nowhere"))

        assert data.load(DATASET, tmp_path).published


class Server:
    """Serves one text and counts who asks."""

    def __init__(self, content: bytes, status: int = 200, promised: int | None = None) -> None:
        asked: list[str] = []
        length = len(content) if promised is None else promised

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                if self.path == "/moved":
                    self.send_response(302)
                    self.send_header("Location", "/data")
                    self.end_headers()
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.asked = asked
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class TestDownloads:
    """Kept once verified; anything else leaves nothing behind."""

    @pytest.mark.parametrize("packed", [False, True])
    def test_fetched_once_told_and_kept(self, packed: bool):
        said: list[str] = []
        with Server(gzip.compress(CONTENT) if packed else CONTENT) as server:
            url = f"{server.url}/data"
            first = data.load(DATASET, say=said.append, url=url)
            second = data.load(DATASET, say=said.append, url=url)

        assert first.content == second.content == CONTENT
        assert first.origin == str(data.cache_path(DATASET))
        assert server.asked == ["/data"]
        assert said == [f"Downloading Tiny (MIT) from {url}"]

    def test_redirects_are_followed(self):
        with Server(CONTENT) as server:
            assert data.load(DATASET, url=f"{server.url}/moved").published

    @pytest.mark.parametrize(
        ("start", "reason"),
        [
            (lambda: Server(b"<html>Log in</html>"), "is not Tiny"),
            (lambda: Server(CONTENT, status=404), "404"),
            (lambda: Server(CONTENT, status=503), "503"),
            (lambda: Server(CONTENT, promised=10_000), "can not be downloaded"),
            (lambda: Server(gzip.compress(CONTENT)[:-9]), "can not be downloaded"),
        ],
        ids=["another file", "gone", "busy", "cut off", "cut off and packed"],
    )
    def test_what_goes_wrong_is_named_with_the_way_out(
        self, start: Callable[[], Server], reason: str
    ):
        with start() as server, pytest.raises(DataProblem, match=reason) as caught:
            data.load(DATASET, url=server.url)
        assert "--data PATH" in caught.value.hint
        place = data.cache_path(DATASET).parent
        assert not place.exists() or list(place.iterdir()) == []

    def test_too_much_is_not_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(data, "MAX_BYTES", 1 << 16)
        with Server(bytes(1 << 20)) as server, pytest.raises(DataProblem, match="more than"):
            data.load(DATASET, url=server.url)

    def test_no_network(self):
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
            with pytest.raises(DataProblem, match="can not be downloaded") as caught:
                data.load(DATASET, url=url)
        assert f"Download {DATASET.url} on a machine with a network" in caught.value.hint

    @pytest.mark.parametrize("value", ["1", "true", "YES", "on"])
    def test_offline_means_no_request_at_all(self, monkeypatch, value: str):
        monkeypatch.setenv("HF_HUB_OFFLINE", value)
        with Server(CONTENT) as server, pytest.raises(DataProblem, match="HF_HUB_OFFLINE"):
            data.load(DATASET, url=server.url)
        assert server.asked == []

    def test_offline_what_is_kept_is_used(self, monkeypatch):
        put(data.cache_path(DATASET))
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")

        assert data.load(DATASET).published

    def test_a_kept_file_that_rotted_is_refused(self):
        put(data.cache_path(DATASET), CONTENT + b" ")
        with pytest.raises(DataProblem, match="is not the published Tiny"):
            data.load(DATASET)


@pytest.mark.parametrize("dataset", [one.dataset for one in BENCHMARKS.values()], ids=BENCHMARKS)
def test_downloads_name_a_commit_and_a_checksum(dataset: Dataset):
    assert len(dataset.revision) == 40
    assert len(dataset.sha256) == 64
    assert int(dataset.revision + dataset.sha256, 16) > 0
    assert dataset.url.startswith("https://")
    assert f"/{dataset.revision}/" in dataset.url


def test_a_benchmark_by_its_name():
    assert find("HumanEval+") is BENCHMARKS["humaneval+"]
    with pytest.raises(UsageProblem, match="There is no benchmark 'humanevl'") as caught:
        find("humanevl")
    assert caught.value.hint == "Did you mean humaneval?"
