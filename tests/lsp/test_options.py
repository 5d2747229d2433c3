"""What an editor may set, and what it is told about the rest."""

from __future__ import annotations

from typing import Any

import pytest

from assistant.config import known_keys
from lsp.options import SETTINGS, Features, read_options

GOOD: list[tuple[Any, dict[str, Any]]] = [
    (None, {}),
    ({}, {}),
    ({"model": "a.gguf", "maxTokens": 7}, {"model": "a.gguf", "ask.max_tokens": 7}),
    ({"assistant": {"endpoint": "http://x/v1"}}, {"endpoint.url": "http://x/v1"}),
    ({"assistant": {}, "python": {"a": 1}}, {}),
    ({"model": None}, {}),
    ({"model": "", "endpoint": "", "maxTokens": 0}, {}),
    ({"path": "/usr/bin/assistant", "trace": {"server": "off"}}, {}),
]


@pytest.mark.parametrize(("options", "flags"), GOOD)
def test_options_become_settings(options: Any, flags: dict[str, Any]) -> None:
    read = read_options(options)

    assert (read.flags, read.problems) == (flags, ())
    assert read.features == Features()


@pytest.mark.parametrize(
    "options", [[1], "x", {"colour": 1}, {"maxTokens": True}, {"model": 3}, {"inline": 1}]
)
def test_what_can_not_be_used_is_named_and_changes_nothing(options: Any) -> None:
    read = read_options(options)

    assert read.flags == {}
    assert read.features == Features()
    assert len(read.problems) == 1


def test_each_option_is_a_setting() -> None:
    assert {dotted for dotted, _ in SETTINGS.values()} <= set(known_keys())


def test_features_are_switched_by_their_names() -> None:
    read = read_options({"assistant": {"inline": False, "completion": True}})

    assert read.features == Features(inline=False, completion=True)
    assert read.problems == ()
