"""What may not be read is not even opened; and the rules are git's own."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from assistant.context.ignoring import Access
from assistant.context.rules import IgnoreRules
from assistant.context.types import LeftOut
from tests.support.openings import openings

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and a user who ignores nothing else."""
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    return root


def write(path: Path, text: str | bytes = "x = 1\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def refused(root: Path, path: Path) -> str:
    """The reason, after a look that no opening of the file has gone with."""
    with openings() as opened:
        found = Access(root).read(path)
    assert isinstance(found, LeftOut), found
    assert os.path.realpath(path) not in opened
    return found.reason


def test_a_file_of_the_project_is_read(root: Path) -> None:
    path = write(root / "src" / "a.py", b"\xef\xbb\xbfx = 1\r\ny = 2\r")
    with openings() as opened:
        assert Access(root).read(path) == "x = 1\ny = 2\n"
    assert str(path) in opened
    assert Access(root).name_of(path) == "src/a.py"


@pytest.mark.parametrize(
    "name",
    [
        *(".env", ".env.local", "prod.env", "server.pem", "deploy/id_rsa", ".ssh/config"),
        *(".git/config", "secrets.toml", "conf/.aws/credentials", "Secrets.YAML", "a.tfstate"),
        ".docker/config.json",
    ],
)
def test_a_secret_is_told_by_its_name_alone(root: Path, name: str) -> None:
    assert refused(root, write(root / name, "password")) == "may hold secrets"


def test_an_ignored_file_is_not_opened_and_the_rule_is_named(root: Path) -> None:
    write(root / ".gitignore", "build/\n*.log\n!keep.log\n")
    write(root / "pkg" / ".gitignore", "/generated.py\n")
    write(root / ".ignore", "keep.log\n")
    for name, by in (
        ("build/a.py", ".gitignore"),
        ("build/deep/er/a.py", ".gitignore"),
        ("x.log", ".gitignore"),
        ("keep.log", ".ignore"),
        ("pkg/generated.py", "pkg/.gitignore"),
    ):
        assert refused(root, write(root / name)) == f"ignored by {by}"
    assert Access(root).refusal(write(root / "generated.py")) == ""


def test_what_git_ignores_for_this_user_or_clone_alone_is_ignored(root: Path) -> None:
    write(root / ".git" / "info" / "exclude", "mine.py\n")
    home = Path(os.environ["HOME"])
    write(home / ".gitconfig", "[core]\n\texcludesFile = ~/everywhere\n")
    write(home / "everywhere", "*.bak\n")

    assert refused(root, write(root / "mine.py")) == "ignored by .git/info/exclude"
    assert refused(root, write(root / "a" / "b.bak")) == f"ignored by {home / 'everywhere'}"


def test_rules_that_change_count_at_once(root: Path) -> None:
    access, path = Access(root), write(root / "a.py")
    assert access.refusal(path) == ""
    rules = write(root / ".gitignore", "a.py\n")
    assert access.refusal(path) == "ignored by .gitignore"
    rules.unlink()
    assert access.refusal(path) == ""


def test_a_line_that_is_no_pattern_spoils_no_other(root: Path) -> None:
    write(root / ".gitignore", "[\n!\n***\n/\n\\\na.py\n")
    assert refused(root, write(root / "a.py")) == "ignored by .gitignore"


def test_links_are_followed_before_anything_is_decided(root: Path, tmp_path: Path) -> None:
    outside = write(tmp_path / "outside.py", "password")
    (root / "link.py").symlink_to(outside)
    (root / "folder").symlink_to(tmp_path)
    (root / "innocent.py").symlink_to(write(root / ".env", "password"))
    (root / "secrets.py").symlink_to(write(root / "fine.py"))
    write(root / ".gitignore", "hidden/\n")
    (root / "seen.py").symlink_to(write(root / "hidden" / "a.py"))
    (root / "gone.py").symlink_to(root / "nowhere.py")
    (root / "round.py").symlink_to(root / "round.py")

    assert refused(root, root / "link.py") == "outside of the project"
    assert refused(root, root / "folder" / "outside.py") == "outside of the project"
    assert refused(root, root / ".." / "outside.py") == "outside of the project"
    assert refused(root, outside) == "outside of the project"
    assert refused(root, root / "innocent.py") == "may hold secrets"
    assert refused(root, root / "secrets.py") == "may hold secrets"
    assert refused(root, root / "seen.py") == "ignored by .gitignore"
    assert refused(root, root / "gone.py") == "there is no such file"
    assert isinstance(Access(root).read(root / "round.py"), LeftOut)
    assert Access(root).refusal(root / "fine.py") == ""


def test_another_name_of_a_secret_file_is_a_secret(root: Path) -> None:
    secret = write(root / ".env", "password")
    os.link(secret, root / "copy.txt")
    write(root / "a.txt")
    os.link(root / "a.txt", root / "b.txt")

    assert refused(root, root / "copy.txt") == "may hold secrets"
    assert Access(root).read(root / "b.txt") == "x = 1\n"


def test_what_is_no_plain_text_is_refused(root: Path) -> None:
    os.mkfifo(root / "pipe.py")
    assert refused(root, root / "pipe.py") == "no plain file"
    assert refused(root, write(root / "a" / "b.py").parent) == "a folder"
    assert refused(root, write(root / "photo.png")) == "no text"
    assert refused(root, write(root / "large.py", b"#" * 1_000_001)) == "larger than 1 MB"
    assert refused(root, root / "none.py") == "there is no such file"
    # These show it only once they are read.
    zero, latin = write(root / "zero.py", b"a\0b"), write(root / "latin.py", b"\xe4")
    assert Access(root).read(zero) == LeftOut("zero.py", "can not be read (it holds zero bytes)")
    assert Access(root).read(latin) == LeftOut("latin.py", "no text in UTF-8")


def test_a_pipe_that_takes_the_place_of_a_file_does_not_hang(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look and the opening."""
    os.mkfifo(root / "pipe.py")
    access = Access(root)
    monkeypatch.setattr(access, "refusal", lambda _: "")
    assert access.read(root / "pipe.py") == LeftOut("pipe.py", "no plain file")


PATTERNS = (
    *("a", "b/", "/a", "*.py", "!a", "!b/", "!*.py", "a/b", "/b/a", "**/b", "a/**/b", "?.py"),
    *("[ab]", "[!a]", "c.py ", "\\!a", "# a", "", "  ", "a/*", "!a/b", "!/a", "c*", "**"),
    *("a/**", "!a/**", "**/a/", "b/**/a", "a**", "!c*y", "/*", "!/b"),
)


@needs_git
@pytest.mark.parametrize("seed", range(60))
def test_the_rules_are_those_of_git(root: Path, seed: int) -> None:
    """Random ignore files in random folders, each path asked of git itself."""
    made = random.Random(seed)
    shutil.rmtree(root / ".git")
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    folders = [(), ("a",), ("b",), ("a", "b"), ("b", "a"), ("a", "b", "a")]
    for folder in made.sample(folders, 3):
        lines = [made.choice(PATTERNS) for _ in range(made.randint(1, 4))]
        write(root.joinpath(*folder, ".gitignore"), "\n".join(lines) + "\n")
    names = ("a", "b", "c.py", "cc", "a.py", "!a")
    paths = [(*folder, name) for folder in folders for name in names]
    asked = "\0".join("/".join(path) for path in paths)
    told = subprocess.run(
        ["git", "check-ignore", "--no-index", "-z", "--stdin"],
        cwd=root,
        input=asked.encode(),
        stdout=subprocess.PIPE,
        check=False,
    )
    ignored = set(told.stdout.decode().split("\0"))
    rules = IgnoreRules(root)

    for path in paths:
        if not root.joinpath(*path).is_dir():
            said = bool(rules.ignored_by(path))
            assert said == ("/".join(path) in ignored), (path, sorted(ignored))
