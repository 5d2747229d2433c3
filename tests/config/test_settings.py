"""Settings: precedence, origins, and one error for all that is wrong."""

from __future__ import annotations

import ast
import inspect
import itertools
from pathlib import Path

import pytest

from assistant import config, locations
from assistant.config import Settings, known_keys, load
from assistant.errors import ConfigProblem


def write(text: str) -> Path:
    path = locations.config_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_without_anything_the_defaults_hold():
    resolved = load(environment={})

    assert resolved.settings == Settings()
    assert set(resolved.origins.values()) == {"default"}
    assert list(resolved.origins) == known_keys()


@pytest.mark.parametrize("sources", list(itertools.product([False, True], repeat=3)))
def test_the_later_source_wins(sources: tuple[bool, bool, bool]):
    """default < file < environment < flag, in every combination."""
    in_file, in_environment, in_flag = sources
    path = write("[ask]\nmax_tokens = 11\n" if in_file else "")
    environment = {"ASSISTANT_ASK_MAX_TOKENS": "22"} if in_environment else {}
    flags = {"ask.max_tokens": 33 if in_flag else None}

    resolved = load(flags, environment=environment)

    expected = (1024, "default")
    if in_file:
        expected = (11, str(path))
    if in_environment:
        expected = (22, "$ASSISTANT_ASK_MAX_TOKENS")
    if in_flag:
        expected = (33, "flag")
    assert (resolved.settings.ask.max_tokens, resolved.origins["ask.max_tokens"]) == expected


def test_a_whole_number_will_do_for_a_number():
    write("[daemon]\nidle_minutes = 3\n")

    assert load(environment={}).settings.daemon.idle_minutes == 3.0


def test_everything_wrong_is_in_one_error_with_its_file_and_key():
    path = write(
        'modell = "x"\nendpoint = 3\n[ask]\nmax_tokens = "many"\nmin_tokens = 1\n'
        "[daemon]\nidle_minutes = true\n[wrong]\nkey = 1\n"
    )
    with pytest.raises(ConfigProblem) as caught:
        load(environment={"ASSISTANT_ASK_MAX_TOKENS": "lots"})

    message = caught.value.message
    assert "modell is not a setting; did you mean model?" in message
    assert "endpoint is a table" in message
    assert "ask.max_tokens must be a whole number, not 'many'" in message
    assert "ask.min_tokens is not a setting; did you mean ask.max_tokens?" in message
    assert "daemon.idle_minutes must be a number, not True" in message
    assert "wrong.key is not a setting" in message
    assert "$ASSISTANT_ASK_MAX_TOKENS must be a whole number, not 'lots'" in message
    assert message.count(str(path)) == 6


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[ask]\nmax_tokens = 0", "ask.max_tokens must be 1 or more"),
        ("[daemon]\nidle_minutes = -1", "idle_minutes must be 0 or more"),
        ("[daemon]\nthreads = 513", "daemon.threads must be at most 512"),
        ("[daemon]\nidle_minutes = nan", "idle_minutes must be 0 or more"),
        ("[daemon]\nmemory_gb = inf", "memory_gb must be at most 1,000,000,000, not inf"),
        ("[daemon]\nmemory_gb = 1e300", "memory_gb must be at most 1,000,000,000"),
        ('[endpoint]\nurl = "localhost:80"', "http:// or https://"),
        ("[ask\n", "are not TOML"),
    ],
)
def test_values_that_can_not_mean_anything_are_refused(text: str, reason: str):
    path = write(text)
    with pytest.raises(ConfigProblem, match=reason) as caught:
        load(environment={})

    assert str(path) in caught.value.message


def test_a_file_that_can_not_be_read_is_named(tmp_path: Path):
    with pytest.raises(ConfigProblem, match="Is a directory"):
        load(environment={}, file=tmp_path)


def test_every_setting_explains_itself():
    """Each field of each class is followed by a docstring in the user's words."""
    tree = ast.parse(inspect.getsource(config))
    classes = [
        node
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name.endswith("Settings")
    ]
    assert len(classes) >= 4
    for node in classes:
        for one, following in zip(node.body, [*node.body[1:], None], strict=True):
            if isinstance(one, ast.AnnAssign) and "field(" not in ast.unparse(one):
                documented = isinstance(following, ast.Expr) and isinstance(
                    following.value, ast.Constant
                )
                assert documented, f"{node.name}.{ast.unparse(one.target)} has no docstring"


def test_a_byte_order_mark_as_editors_on_windows_write_it_is_no_error():
    write("\ufeffmodel = 'x'\n")

    assert load(environment={}).settings.model == "x"
