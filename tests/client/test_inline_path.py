"""Which file completes besides the one that answers."""

from __future__ import annotations

from pathlib import Path

from assistant import locations
from assistant.client.types import Daemon
from assistant.models.names import Chosen


def test_another_model_is_a_second_one(models: Path) -> None:
    target = Daemon(str(models / "abcd.gguf"), inline_model=str(models / "xy.gguf"))

    assert target.inline() == Chosen(models / "xy.gguf")
    assert Daemon(str(models / "abcd.gguf")).inline() is None


def test_the_model_itself_is_not_loaded_twice(models: Path, tmp_path: Path) -> None:
    """By whatever name."""
    link = tmp_path / "link.gguf"
    link.symlink_to(models / "abcd.gguf")

    for name in (models / "abcd.gguf", link):
        assert Daemon(str(models / "abcd.gguf"), inline_model=str(name)).inline() is None
    assert Daemon("", inline_model="starter").inline() is None


def test_one_that_is_missing_is_left_to_the_daemon_to_tell(models: Path) -> None:
    target = Daemon(str(models / "abcd.gguf"), inline_model="gone")

    assert target.inline() == Chosen(locations.models_dir() / "gone")
