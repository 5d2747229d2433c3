"""Where state is kept: private, movable, and clear about what can not be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from platformdirs import user_cache_path

from assistant import locations
from assistant.errors import StateProblem


def test_everything_moves_with_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path))
    paths = (
        locations.config_file(),
        locations.state_dir(),
        locations.cache_dir(),
        locations.models_dir(),
        locations.log_path("daemon"),
    )

    assert all(path.is_relative_to(tmp_path) for path in paths)


def test_a_socket_path_always_fits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A deep home gets a short folder, another one for another home, the same one each time."""
    seen = set()
    for name in ("a" * 90, "b" * 90):
        monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / name))
        path = locations.socket_path()
        assert len(bytes(path)) <= locations.MAX_SOCKET_PATH_BYTES
        assert path == locations.socket_path()
        seen.add(path)
    assert len(seen) == 2


def test_a_home_of_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_HOME", "~no-such-user-here/x")

    with pytest.raises(StateProblem, match="~no-such-user-here/x"):
        locations.home()


def test_a_private_folder_is_private(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir(mode=0o755)

    assert locations.ensure_private_dir(open_folder).stat().st_mode & 0o777 == 0o700
    assert locations.ensure_private_dir(tmp_path / "new" / "er").stat().st_mode & 0o777 == 0o700


def test_a_link_or_a_file_is_no_private_folder(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "file").write_text("")

    for name in ("link", "file"):
        with pytest.raises(StateProblem, match=name):
            locations.ensure_private_dir(tmp_path / name)


@pytest.mark.parametrize("cache", [None, "", "relative", "/tmp/cache", "/tmp/cache/"])
@pytest.mark.parametrize("home", [None, "", "relative", "/tmp/somebody", "/"])
def test_the_short_way_to_the_cache_is_platformdirs_own(
    monkeypatch: pytest.MonkeyPatch, cache: str | None, home: str | None
) -> None:
    """`assistant verify` is spared the import, and finds the same folder."""
    for name, value in (("ASSISTANT_HOME", None), ("XDG_CACHE_HOME", cache), ("HOME", home)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)

    assert locations.cache_dir() == user_cache_path(locations.APP)


def test_no_home_at_all_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSISTANT_HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "nowhere")
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)  # a container's user without an entry

    with pytest.raises(StateProblem, match="HOME"):
        locations.state_dir()
