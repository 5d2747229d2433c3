"""A download from a hub that works, and from one that fails in every way a test could think of."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from assistant import locations
from assistant.errors import AssistantError, ConfigProblem, ModelProblem, StateProblem
from assistant.models import download, pulling, records, removal, store
from assistant.models.download import Patience
from assistant.models.hub import Hub
from assistant.models.names import Reference, parse
from assistant.models.pulling import Pulled
from assistant.models.watching import Silent
from tests.support.hub_server import TOKEN, Gate, HubServer, Repository
from tests.support.tiny_gguf import Tiny, write

NAME = "org/Tiny-GGUF"
FILE = "Tiny-Q4_K_M.gguf"


class Told(Silent):
    """Keeps what a user would read."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.counted = 0
        self.begun: list[tuple[str, int, int]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def begin(self, what: str, total: int, done: int) -> None:
        self.begun.append((what, total, done))
        self.counted = done

    def advance(self, count: int) -> None:
        self.counted += count


def pull(name: str = NAME, revision: str = "main", told: Told | None = None) -> Pulled:
    reference = parse(name)
    assert reference is not None
    quick = Patience(tries=4, seconds=0.001)
    return pulling.pull(reference, revision, watcher=told or Told(), patience=quick)


def refusal(name: str = NAME, kind: type[AssistantError] = ModelProblem, **more: str) -> str:
    with pytest.raises(kind) as caught:
        pull(name, **more)
    return str(caught.value)


def digest_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def tiny(hub: HubServer, cache: Path, content: bytes) -> Repository:
    return hub.add(NAME, {FILE: content, "Tiny-Q8_0.gguf": b"GGUF other"})


class TestLayout:
    def test_the_cache_is_laid_out_as_the_hub_does_it(
        self, tiny: Repository, cache: Path, content: bytes
    ) -> None:
        pulled = pull()

        folder = cache / "models--org--Tiny-GGUF"
        blob = folder / "blobs" / digest_of(content)
        path = folder / "snapshots" / tiny.commit / FILE
        assert pulled == Pulled(path, len(content), len(content))
        assert blob.read_bytes() == content
        assert pulled.path.readlink() == Path("../../blobs", blob.name)
        assert (folder / "refs" / "main").read_text() == tiny.commit
        assert not list(folder.rglob("*.incomplete"))

    def test_weights_are_no_program(self, tiny: Repository, cache: Path) -> None:
        previous = os.umask(0o022)
        try:
            pulled = pull()
        finally:
            os.umask(previous)
        assert pulled.path.stat().st_mode & 0o777 == 0o644

    def test_the_name_then_means_the_file(self, tiny: Repository) -> None:
        path = pull().path

        assert store.resolve(NAME) == store.resolve(f"{NAME}:Q4_K_M") == path
        assert store.resolve(f"{NAME}/{FILE}") == path
        assert store.name_of(path) == f"{NAME}:Q4_K_M"
        assert {entry.name for entry in store.entries()} >= {f"{NAME}:Q4_K_M"}
        with pytest.raises(ModelProblem, match="pull org/Tiny-GGUF:Q8_0"):
            store.resolve(f"{NAME}:Q8_0")

    def test_a_second_pull_downloads_nothing(self, tiny: Repository, hub: HubServer) -> None:
        first = pull()
        again = pull()

        assert (again.path, again.downloaded) == (first.path, 0)
        assert "already" in again.note
        assert len(hub.downloads) == 1

    def test_a_split_model_comes_whole(self, hub: HubServer, cache: Path, content: bytes) -> None:
        parts = {f"q/M-Q4_K_M-{n:05}-of-00002.gguf": content + bytes([n]) for n in (1, 2)}
        hub.add(NAME, parts)

        pulled = pull()

        assert pulled.size == sum(map(len, parts.values()))
        assert [path.read_bytes() for path in pulling.with_siblings(pulled.path)] == [
            *parts.values()
        ]
        assert pulled.path.readlink().is_relative_to("../../../blobs")
        assert store.name_of(pulled.path) == f"{NAME}:Q4_K_M"
        pulling.with_siblings(pulled.path)[1].unlink()
        with pytest.raises(ModelProblem, match="not on this machine"):
            store.resolve(NAME)

    def test_a_pinned_revision(self, tiny: Repository, hub: HubServer, content: bytes) -> None:
        old = tiny.commit
        pull(revision=old)
        path = hub.add(NAME, {FILE: content + b"newer"}).commit
        assert not (locations.hub_cache_dir() / "models--org--Tiny-GGUF" / "refs").exists()

        pinned = refusal(revision="0" * 40)
        newer = pull()

        assert "no such revision" in pinned
        assert path in newer.path.parts
        # The commit of `main` comes first from now on.
        assert store.resolve(NAME) == newer.path

    @pytest.mark.parametrize("revision", ["../x", "a b", "", "x/../../y"])
    def test_revisions_that_are_none(self, tiny: Repository, revision: str) -> None:
        assert "no revision" in refusal(revision=revision)

    def test_without_links_the_file_itself_is_in_the_snapshot(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes, monkeypatch
    ) -> None:
        """As on Windows without the right to make links."""

        def refuse(*_: object) -> None:
            raise OSError(1314, "a required privilege is not held by the client")

        monkeypatch.setattr(Path, "symlink_to", refuse)
        path = pull().path

        assert not path.is_symlink()
        assert path.read_bytes() == content
        assert not list(cache.rglob("blobs/*"))
        assert (pull().path, len(hub.downloads)) == (path, 1)
        removal.remove(removal.plan(Reference(NAME)))
        assert not list(cache.rglob("*.gguf"))

    def test_a_newer_commit_makes_an_end_of_what_began_before(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        hub.faults.cut_after = [1000, *[0] * 9]
        refusal()
        hub.faults.cut_after = []
        hub.add(NAME, {FILE: content + b"newer"})
        assert len(records.unfinished()) == 1

        pull()

        assert records.unfinished() == []
        assert len(records.everything()) == 1
        assert not list(cache.rglob("*.incomplete"))

    def test_nothing_is_recorded_that_was_here_before(
        self, tiny: Repository, cache: Path, content: bytes
    ) -> None:
        blobs = cache / "models--org--Tiny-GGUF" / "blobs"
        blobs.mkdir(parents=True)
        (blobs / digest_of(content)).write_bytes(content)

        assert pull().downloaded == 0
        assert records.everything() == []


def oracle(program: str, cache: Path, **environment: str) -> str:
    """What the hub's own library says, in a process of its own."""
    pytest.importorskip("huggingface_hub")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "HUGGING"))}
    own = {"HF_HUB_CACHE": str(cache), "HF_HUB_DISABLE_XET": "1", "HF_HOME": str(cache.parent)}
    done = subprocess.run(
        [sys.executable, "-c", f"import huggingface_hub as h\n{program}"],
        capture_output=True, text=True, env=kept | own | environment, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class TestSharedWithOthers:
    def test_the_hubs_own_library_reads_the_listing_alike(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        """The server of these tests speaks as the hub does."""
        program = (
            f"i = h.HfApi().model_info('{NAME}', revision='main', files_metadata=True)\n"
            f"print(i.sha, [s.lfs.sha256 for s in i.siblings if s.rfilename == '{FILE}'])"
        )
        told = oracle(program, cache, HF_ENDPOINT=hub.url)

        assert told == f"{tiny.commit} ['{digest_of(content)}']"
        with Hub(hub.url) as connection:
            listing = connection.listing(NAME)
        assert (listing.commit, listing.files[FILE].sha256) == (tiny.commit, digest_of(content))

    def test_the_hubs_own_library_finds_what_was_pulled(
        self, tiny: Repository, cache: Path
    ) -> None:
        path = pull().path

        found = f"print(h.hf_hub_download('{NAME}', '{FILE}', local_files_only=True))"
        assert oracle(found, cache, HF_HUB_OFFLINE="1") == str(path)
        scanned = "i = h.scan_cache_dir(); print([r.repo_id for r in i.repos], i.warnings)"
        assert oracle(scanned, cache) == f"['{NAME}'] []"

    def test_what_the_hubs_own_library_pulled_is_used(
        self, tiny: Repository, hub: HubServer, cache: Path
    ) -> None:
        program = f"print(h.hf_hub_download('{NAME}', '{FILE}'))"
        path = Path(oracle(program, cache, HF_ENDPOINT=hub.url))
        before = len(hub.downloads)

        assert store.resolve(NAME) == path
        assert (pull().path, len(hub.downloads)) == (path, before)
        assert records.everything() == []

    def test_lm_studio(
        self, tiny: Repository, hub: HubServer, tmp_path: Path, content: bytes, monkeypatch
    ) -> None:
        monkeypatch.setenv("LMSTUDIO_HOME", str(tmp_path / "studio"))
        folder = tmp_path / "studio" / "models" / "org" / "Tiny-GGUF"
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(content)

        pulled = pull()

        assert (pulled.path, pulled.downloaded) == (folder / FILE, 0)
        assert "LM Studio" in pulled.note
        assert store.name_of(folder / FILE) == f"{NAME}:Q4_K_M"
        assert hub.downloads == []

    def test_lm_studios_older_version_of_a_file_is_not_taken_for_it(
        self, tiny: Repository, hub: HubServer, tmp_path: Path, content: bytes, monkeypatch
    ) -> None:
        monkeypatch.setenv("LMSTUDIO_HOME", str(tmp_path / "studio"))
        folder = tmp_path / "studio" / "models" / "org" / "Tiny-GGUF"
        folder.mkdir(parents=True)
        (folder / FILE).write_bytes(content[:-1] + b"!")

        assert pull().downloaded == len(content)

    def test_llama_cpp(
        self, tiny: Repository, hub: HubServer, tmp_path: Path, content: bytes, monkeypatch
    ) -> None:
        monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "llama"))
        (tmp_path / "llama").mkdir()
        path = tmp_path / "llama" / f"org_Tiny-GGUF_{FILE}"
        path.write_bytes(content)

        assert store.resolve(NAME) == path
        assert (pull().path, hub.downloads) == (path, [])
        assert path in [entry.path for entry in store.entries()]

    def test_llama_cpps_cache_of_the_hubs_layout(
        self, tiny: Repository, hub: HubServer, tmp_path: Path, monkeypatch
    ) -> None:
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "llama"))
        path = pull().path
        monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
        monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "llama"))

        assert store.resolve(NAME) == path
        assert (pull().path, len(hub.downloads)) == (path, 1)


class TestInterruptions:
    def test_a_connection_that_breaks_goes_on_where_it_broke(
        self, tiny: Repository, hub: HubServer, content: bytes
    ) -> None:
        hub.faults.cut_after = [100_000, 0, 50_000, 1]
        told = Told()

        path = pull(told=told).path

        assert path.read_bytes() == content
        assert hub.sent_from() == [0, 100_000, 100_000, 150_000, 150_001]
        # Each try gets a new address of the content network: the old one may have expired.
        assert sum("/resolve/" in one.path for one in hub.asked) == 5
        assert told.counted == len(content)
        assert any("Trying again" in line for line in told.lines)

    def test_when_nothing_comes_any_more_it_gives_up_and_keeps_what_came(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        hub.faults.cut_after = [123_456, *[0] * 10]
        message = refusal()

        assert f"stop at 123.5 KB of {download.size_text(len(content))}" in message
        assert "same command again to go on" in message
        (partial,) = cache.rglob("*.incomplete")
        assert partial.read_bytes() == content[:123_456]
        hub.faults.cut_after = []
        assert pull().path.read_bytes() == content
        assert hub.sent_from()[-1] == 123_456

    def test_a_server_that_falls_silent_counts_as_a_broken_connection(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        hub.faults.gate = gate = Gate(50_000)

        class Opening(Told):
            def say(self, text: str) -> None:
                super().say(text)
                gate.opened.set()

        told = Opening()
        with Hub(hub.url, silent_seconds=0.2) as connection:
            listing = connection.listing(NAME)
            blob = download.fetch(
                connection, NAME, listing.commit, listing.files[FILE], cache / "models--org--x",
                watcher=told, patience=Patience(seconds=0.001),
            )  # fmt: skip

        assert blob.read_bytes() == content
        assert "timed out" in told.lines[0] or "ReadTimeout" in told.lines[0]
        assert hub.sent_from() == [0, 50_000]

    def test_a_slow_server_is_waited_for(self, tiny: Repository, hub: HubServer) -> None:
        hub.faults.slow = 10_000

        assert pull().downloaded
        assert hub.sent_from() == [0]

    def test_busy_servers_are_asked_again(self, tiny: Repository, hub: HubServer) -> None:
        hub.faults.statuses = [503, 429]
        hub.faults.listing_statuses = [502]

        assert pull().downloaded

    def test_403_of_the_content_network_is_no_gate(self, tiny: Repository, hub: HubServer) -> None:
        hub.faults.statuses = [403]

        assert pull().downloaded

    def test_a_server_without_ranges_sends_all_of_it_again(
        self, tiny: Repository, hub: HubServer, content: bytes
    ) -> None:
        hub.faults.cut_after = [100_000]
        hub.faults.ignore_range = True
        told = Told()

        assert pull(told=told).path.read_bytes() == content
        assert told.counted == len(content)

    @pytest.mark.parametrize("kept", [1, 4096, 300_000])
    def test_an_incomplete_file_is_gone_on_with(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes, kept: int
    ) -> None:
        put_partial(cache, content, content[:kept])

        assert pull().path.read_bytes() == content
        assert hub.sent_from() == [kept]

    def test_a_whole_incomplete_file_needs_no_download(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        put_partial(cache, content, content)

        assert pull().path.read_bytes() == content
        assert hub.downloads == []

    @pytest.mark.parametrize("spoiled", ["beginning", "whole", "longer"])
    def test_a_damaged_incomplete_file_is_thrown_away(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes, spoiled: str
    ) -> None:
        wrong = {
            "beginning": b"?" + content[1:5000],
            "whole": content[:-1] + b"!",
            "longer": content + b"more",
        }[spoiled]
        put_partial(cache, content, wrong)

        assert pull().path.read_bytes() == content
        assert hub.sent_from()[-1] == 0


def put_partial(cache: Path, content: bytes, there: bytes) -> None:
    blobs = cache / "models--org--Tiny-GGUF" / "blobs"
    blobs.mkdir(parents=True)
    (blobs / f"{digest_of(content)}.incomplete").write_bytes(there)


class TestWrongContent:
    def test_other_bytes_are_refused_and_thrown_away(
        self, tiny: Repository, hub: HubServer, cache: Path, content: bytes
    ) -> None:
        hub.faults.replaced[digest_of(content)] = content[:-1] + b"!"
        message = refusal()

        assert "is not that file: SHA-256" in message
        assert [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size] == []
        with pytest.raises(ModelProblem):
            store.resolve(NAME)

    @pytest.mark.parametrize("sent", [b"<html>Log in to this network</html>", b"", b"x" * 900_000])
    def test_another_length_is_refused_at_once(
        self, tiny: Repository, hub: HubServer, content: bytes, sent: bytes
    ) -> None:
        hub.faults.replaced[digest_of(content)] = sent

        if sent:
            assert f"which has {len(content)} bytes" in refusal()
        else:
            assert "came to a stop at 0 B" in refusal()

    @pytest.mark.parametrize(
        "listing",
        [
            b"<html>",
            b"[" * 100_000,
            [],
            {"sha": "../../x", "siblings": []},
            {"sha": "a" * 40},
            {"sha": "a" * 40, "siblings": [None, 3, {"rfilename": 4}]},
            {"sha": "a" * 40, "siblings": [{"rfilename": "a.gguf", "size": 3}]},
            {"sha": "a" * 40, "siblings": [
                {"rfilename": "a.gguf", "lfs": {"sha256": "../x", "size": 3}}]},
            {"sha": "a" * 40, "siblings": [
                {"rfilename": "a.gguf", "lfs": {"sha256": "a" * 64, "size": -3}}]},
        ],
    )  # fmt: skip
    def test_listings_that_are_none(
        self, tiny: Repository, hub: HubServer, cache: Path, listing: object
    ) -> None:
        hub.faults.listing = listing

        refusal()
        assert not cache.exists()

    @pytest.mark.parametrize("name", ["../../../x-Q4_K_M.gguf", "/x.gguf", "a\\..\\x.gguf"])
    def test_a_listing_can_not_name_a_file_elsewhere(
        self, tiny: Repository, hub: HubServer, cache: Path, tmp_path: Path, name: str
    ) -> None:
        large = {"sha256": "a" * 64, "size": 3}
        hub.faults.listing = {"sha": "a" * 40, "siblings": [{"rfilename": name, "lfs": large}]}

        assert "could lead out of its folder" in refusal()
        assert not list(tmp_path.rglob("*.gguf"))


class TestAccess:
    def test_gated_without_a_token(self, hub: HubServer, cache: Path, content: bytes) -> None:
        hub.add(NAME, {FILE: content}, gated=True)
        message = refusal()

        assert f"{NAME} is gated" in message
        assert f"accept the licence at {hub.url}/{NAME}" in message
        assert "export HF_TOKEN=hf_" in message
        assert "https://huggingface.co/settings/tokens" in message
        assert records.everything() == []
        assert not list(cache.rglob("blobs/*"))

    def test_gated_with_a_token_that_has_no_access(
        self, hub: HubServer, cache: Path, content: bytes, monkeypatch
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        hub.add(NAME, {FILE: content}, gated=True)
        message = refusal()

        assert "has not been given access" in message
        assert TOKEN not in message

    @pytest.mark.parametrize("place", ["HF_TOKEN", "HF_TOKEN_PATH", "HF_HOME"])
    def test_gated_and_accepted(
        self, hub: HubServer, cache: Path, content: bytes, tmp_path: Path, monkeypatch, place: str
    ) -> None:
        """The token is found where the hub's own tools look, and goes to the hub alone."""
        home = tmp_path / "hf"
        home.mkdir()
        (home / "token").write_text(f"{TOKEN}\n")
        told = {"HF_TOKEN": TOKEN, "HF_TOKEN_PATH": str(home / "token"), "HF_HOME": str(home)}
        monkeypatch.setenv(place, told[place])
        hub.add(NAME, {FILE: content}, gated=True, accepted=True)

        assert pull().downloaded == len(content)
        assert all(one.headers["Authorization"] == f"Bearer {TOKEN}" for one in hub.asked)
        assert [one for one in hub.downloads if "Authorization" in one.headers] == []

    def test_a_wrong_token(self, tiny: Repository, monkeypatch) -> None:
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        message = refusal()

        assert "refuses the token" in message
        assert "hf_wrong" not in message

    @pytest.mark.parametrize("token", ["", TOKEN])
    def test_a_repository_that_is_not_there(
        self, hub: HubServer, cache: Path, monkeypatch, token: str
    ) -> None:
        monkeypatch.setenv("HF_TOKEN", token)

        assert "There is no model repository org/none on the hub, or it is private" in refusal(
            "org/none"
        )

    def test_a_file_that_is_not_there(self, tiny: Repository) -> None:
        assert "there is: Q8_0, Q4_K_M" in refusal(f"{NAME}:Q6_K")


class TestRedirects:
    @pytest.mark.parametrize(
        "target",
        [
            "https://example.org/x",
            "http://huggingface.co/x",
            "https://huggingface.co.example.org/x",
            "https://nothf.co/x",
            "https://user:pass@huggingface.co/x",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "https://192.168.0.1/x",
        ],
    )
    def test_other_hosts_are_not_asked(
        self, tiny: Repository, hub: HubServer, cache: Path, target: str
    ) -> None:
        hub.faults.redirect_to = target
        message = refusal()

        assert "not among the hosts" in message
        assert not list(cache.rglob("blobs/*"))

    def test_a_circle_ends(self, tiny: Repository, hub: HubServer) -> None:
        hub.faults.redirect_to = f"{hub.url}/{NAME}/resolve/main/{FILE}"

        assert "more than five times" in refusal()

    @pytest.mark.parametrize(
        ("endpoint", "said"),
        [
            ("http://example.org", "over https only"),
            ("ftp://example.org", "no address"),
            ("example.org", "no address"),
            ("https://me:secret@example.org", "no address"),
        ],
    )
    def test_an_endpoint_that_is_none(self, cache: Path, monkeypatch, endpoint, said) -> None:
        monkeypatch.setenv("HF_ENDPOINT", endpoint)

        assert said in refusal(kind=ConfigProblem)

    @pytest.mark.parametrize(
        ("endpoint", "url", "allowed"),
        [
            ("https://huggingface.co", "https://cas-bridge.xethub.hf.co/x", True),
            ("https://huggingface.co", "https://cdn-lfs.huggingface.co/x", True),
            ("https://huggingface.co", "https://mirror.example.org/x", False),
            ("https://huggingface.co", "http://127.0.0.1/x", False),
            ("https://mirror.example.org", "https://files.mirror.example.org/x", True),
            ("https://mirror.example.org", "https://cdn-lfs.hf.co/x", True),
            ("https://mirror.example.org", "https://example.org/x", False),
        ],
    )
    def test_the_hosts_that_are_asked(self, endpoint: str, url: str, allowed: bool) -> None:
        with Hub(endpoint) as connection:
            if allowed:
                assert str(connection._checked(url)) == url
            else:
                with pytest.raises(ModelProblem, match="not among the hosts"):
                    connection._checked(url)


class TestWithoutANetwork:
    def test_offline_uses_what_is_here(self, tiny: Repository, hub: HubServer, monkeypatch) -> None:
        path = pull().path
        asked = len(hub.asked)
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")

        assert pull().path == path
        assert len(hub.asked) == asked
        assert "HF_HUB_OFFLINE forbids" in refusal("org/other")

    def test_a_hub_that_can_not_be_reached(self, tiny: Repository, monkeypatch) -> None:
        path = pull().path
        monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

        assert pull().path == path
        assert "127.0.0.1 can not be reached" in refusal("org/other")


class TestDisk:
    def test_too_little_room_is_told_before_the_start(
        self, hub: HubServer, cache: Path, monkeypatch
    ) -> None:
        huge = {"sha256": "a" * 64, "size": 10**18}
        entry = {"rfilename": FILE, "lfs": huge}
        hub.faults.listing = {"sha": "a" * 40, "siblings": [entry]}
        hub.add(NAME, {FILE: b""})
        message = refusal(kind=StateProblem)

        assert "needs 1100000000.00 GB" in message
        assert "a tenth of 1000000000.00 GB to spare" in message
        assert str(cache) in message
        assert "GB are free" in message
        assert hub.downloads == []
        assert records.everything() == []

    def test_a_folder_that_can_not_be_written(self, tiny: Repository, cache: Path) -> None:
        cache.write_text("a file is in the way")

        assert "can not be written" in refusal(kind=StateProblem)


def test_what_is_worth_a_word_of_its_licence_gets_one(hub: HubServer, cache, content) -> None:
    told = Told()
    hub.add("ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF", {"q-Q8_0.gguf": content})
    hub.add("org/free", {"q-Q8_0.gguf": content + b" "}, licence="cc-by-nc-4.0")
    hub.add("org/fine", {"q-Q8_0.gguf": content + b"  "}, licence="mit")
    for name in ("ggml-org/Qwen2.5-Coder-3B-Q8_0-GGUF", "org/free", "org/fine"):
        pull(name, told=told)

    warnings = [line for line in told.lines if line.startswith("Mind")]
    assert len(warnings) == 2
    assert "qwen-research" in warnings[0]
    assert "cc-by-nc-4.0" in warnings[1]
    assert "licence: mit" in told.lines[-1]


def test_a_reference_is_never_downloaded_by_resolving_it(tiny: Repository, hub: HubServer) -> None:
    with pytest.raises(ModelProblem, match="assistant models pull"):
        store.resolve(NAME)
    assert hub.asked == []


def test_a_split_model_is_described_as_a_whole(tmp_path: Path) -> None:
    """Parameters and bytes are those of all its parts, whichever of them is named."""
    whole = store.info(str(write(tmp_path / "whole.gguf", Tiny())))
    write(tmp_path / "m.gguf", Tiny(split=8))
    parts = sorted(tmp_path.glob("m-*.gguf"))
    info = store.info(str(parts[1]))

    assert len(parts) == 3
    assert info.path == parts[0]
    assert info.parameters == whole.parameters
    assert info.size == sum(part.stat().st_size for part in parts)
    parts[0].rename(tmp_path / "renamed.gguf")
    with pytest.raises(ModelProblem, match="is one of 3 files of a model, and its name"):
        store.info(str(tmp_path / "renamed.gguf"))
    with pytest.raises(ModelProblem, match=r"m-00001-of-00003\.gguf is missing"):
        store.info(str(parts[2]))
