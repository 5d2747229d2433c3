"""Writing one setting leaves everything else in the file as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant import configfile
from assistant.config import load
from assistant.configfile import set_value
from assistant.errors import ConfigProblem, StateProblem

FILE = """\
# my settings
model = "old"  # the small one

[ask]   # answers
max_tokens = 100

# the server at work
[endpoint]
url = "http://localhost:1234/v1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(FILE)
    return path


def test_one_line_changes_and_its_comment_stays(file: Path):
    set_value("model", "new", file)

    assert file.read_text() == FILE.replace('"old"', '"new"')


def test_a_missing_key_is_added_to_its_table(file: Path):
    set_value("endpoint.model", "coder", file)

    assert file.read_text() == FILE + 'model = "coder"\n'


def test_a_missing_table_is_added_at_the_end(file: Path):
    set_value("daemon.idle_minutes", 2.5, file)

    assert file.read_text() == FILE + "\n[daemon]\nidle_minutes = 2.5\n"


def test_a_key_of_the_top_goes_before_the_first_table(tmp_path: Path):
    path = tmp_path / "config.toml"
    path.write_text("# mine\n\n[ask]\nmax_tokens = 5")
    set_value("model", "m", path)

    assert path.read_text() == '# mine\nmodel = "m"\n\n[ask]\nmax_tokens = 5\n'


def test_the_file_and_its_folder_are_made_when_missing(tmp_path: Path):
    path = tmp_path / "new" / "config.toml"
    set_value("model", "m", path)

    assert load(environment={}, file=path).settings.model == "m"


@pytest.mark.parametrize(
    "text",
    [
        "ask = { max_tokens = 3 }\n",
        "ask.max_tokens = 3\n",
        '["ask"]\nx = """\nmax_tokens = 3\n"""\n',
    ],
)
def test_a_form_that_one_line_can_not_serve_is_left_alone(tmp_path: Path, text: str):
    path = tmp_path / "config.toml"
    path.write_text(text)
    try:
        set_value("ask.max_tokens", 9, path)
    except ConfigProblem as problem:
        assert "max_tokens = 9" in problem.hint
        assert path.read_text() == text
    else:
        assert tomllib.loads(path.read_text())["ask"]["max_tokens"] == 9


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30))
def test_any_text_survives_the_way_through_the_file(text: str):
    after = configfile._with_line(FILE, "model", f"model = {configfile._toml(text)}")

    assert tomllib.loads(after) == tomllib.loads(FILE) | {"model": text}


def test_an_unknown_key_is_refused(file: Path):
    with pytest.raises(ConfigProblem, match="modle is not a setting"):
        set_value("modle", "x", file)
    assert file.read_text() == FILE


def test_a_folder_that_can_not_be_written_is_named(tmp_path: Path):
    """A file in the place of the folder: it stops root, too, which runs many a test machine."""
    (tmp_path / "taken").write_text("")
    path = tmp_path / "taken" / "config.toml"

    with pytest.raises((StateProblem, ConfigProblem), match="taken"):
        set_value("model", "x", path)


def test_a_link_stays_a_link(tmp_path: Path, file: Path):
    link = tmp_path / "link.toml"
    link.symlink_to(file)
    set_value("model", "new", link)

    assert link.is_symlink()
    assert tomllib.loads(file.read_text())["model"] == "new"
