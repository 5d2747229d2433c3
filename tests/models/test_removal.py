"""What was downloaded from here is deleted, and nothing that anything else still shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant.errors import ModelProblem
from assistant.models import pulling, records, removal
from assistant.models.names import Reference, parse
from assistant.models.watching import Silent
from tests.support.hub_server import HubServer

NAME = "org/Tiny-GGUF"
FILE = "Tiny-Q4_K_M.gguf"


def pull(name: str, **more: str) -> Path:
    return pulling.pull(_parsed(name), watcher=Silent(), **more).path


def remove(name: str) -> int:
    planned = removal.plan(_parsed(name))
    removal.remove(planned)
    return planned.size


def _parsed(name: str) -> Reference:
    reference = parse(name)
    assert reference is not None
    return reference


def test_nothing_is_left(hub: HubServer, cache: Path, content: bytes) -> None:
    hub.add(NAME, {FILE: content})
    pull(NAME)

    assert remove(NAME) == len(content)
    assert [path for path in cache.rglob("*") if path.name != ".locks"] == []
    assert records.everything() == []
    with pytest.raises(ModelProblem, match="no model org/Tiny-GGUF on this machine"):
        remove(NAME)


def test_the_others_stay(hub: HubServer, cache: Path, content: bytes) -> None:
    hub.add(NAME, {FILE: content, "Tiny-Q8_0.gguf": content + b"8"})
    small, large = pull(NAME), pull(f"{NAME}:Q8_0")

    remove(f"{NAME}:Q8_0")

    assert small.read_bytes() == content
    assert not large.exists()
    assert (cache / "models--org--Tiny-GGUF" / "refs" / "main").is_file()


def test_bytes_that_another_commit_shows_stay(hub: HubServer, cache: Path, content: bytes) -> None:
    """The file of the newer commit has the same bytes under another name."""
    hub.add(NAME, {FILE: content})
    old = pull(NAME)
    hub.add(NAME, {"New-Q4_K_M.gguf": content})
    new = pull(NAME)

    remove(f"{NAME}/{FILE}")

    assert not old.is_symlink()
    assert new.read_bytes() == content


def test_a_split_model_goes_as_a_whole(hub: HubServer, cache: Path, content: bytes) -> None:
    hub.add(NAME, {f"M-Q8_0-{n:05}-of-00003.gguf": content + bytes([n]) for n in (1, 2, 3)})
    pull(NAME)

    assert remove(f"{NAME}:Q8_0") == 3 * (len(content) + 1)
    assert not list(cache.rglob("*.gguf"))
    assert records.everything() == []


def test_half_a_download_can_be_given_up(hub: HubServer, cache: Path, content: bytes) -> None:
    hub.add(NAME, {FILE: content})
    hub.faults.cut_after = [1000, *[0] * 9]
    with pytest.raises(ModelProblem):
        pulling.pull(
            _parsed(NAME), watcher=Silent(), patience=pulling.Patience(tries=2, seconds=0.001)
        )
    assert [one.received for one in records.unfinished()] == [1000]

    assert remove(NAME) == 1000
    assert not list(cache.rglob("*.incomplete"))
    assert records.unfinished() == []


@pytest.mark.parametrize("place", ["LMSTUDIO_HOME", "HF_HUB_CACHE"])
def test_what_others_downloaded_is_not_ours(
    tmp_path: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setenv(place, str(tmp_path / "there"))
    below = {
        "LMSTUDIO_HOME": "models/org/Tiny-GGUF",
        "HF_HUB_CACHE": f"models--org--Tiny-GGUF/snapshots/{'a' * 40}",
    }[place]
    path = tmp_path / "there" / below / FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(ModelProblem, match="was not downloaded by this program") as caught:
        remove(NAME)
    assert str(path) in str(caught.value)
    assert path.exists()


@pytest.mark.parametrize(
    "changed",
    [
        '{"file": "../../../x.gguf"}',
        '{"repository": "../x"}',
        '{"commit": "../.."}',
        '{"sha256": "../x"}',
        '{"version": 2}',
        '{"more": 1}',
        "[]",
        "nonsense",
    ],
)
def test_records_that_someone_changed_lead_nowhere(
    hub: HubServer, cache: Path, content: bytes, changed: str
) -> None:
    import json

    from assistant import locations

    hub.add(NAME, {FILE: content})
    pull(NAME)
    (path,) = (locations.state_dir() / "downloads").glob("*.json")
    try:
        body = json.loads(path.read_text()) | json.loads(changed)
        path.write_text(json.dumps(body))
    except (ValueError, TypeError):
        path.write_text(changed)

    assert records.everything() == []
