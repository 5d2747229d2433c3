"""What a check sees of the user's project: all of it but the secrets, and nothing around it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from assistant.errors import UsageProblem
from assistant.sandbox import Layer, Limits, Project
from assistant.sandbox import project as project_module
from assistant.sandbox.secrets import find

SECRETS = [
    ".env",
    ".env.production",
    "deep/er/.ENV",
    "deep/er/server.pem",
    "deep/id_rsa",
    "deep/.aws/credentials",
    "conf/secrets.yaml",
    "conf/service-account-1.json",
    "conf/.netrc",
    "infra/terraform.tfstate",
    ".git/config",
    ".git/objects/ab/cdef",
    ".docker/config.json",
    "my keys/a.kdbx",
]
OPEN = ["readme.txt", "deep/code.py", "deep/er/data.txt", ".docker/other.json", "conf/environ.py"]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "a project"
    for name in (*SECRETS, *OPEN):
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"holds {name}")
    return root


READ = """
answer = {{}}
for path in {paths!r}:
    try:
        answer[path] = open(path).read()
    except OSError as error:
        answer[path] = type(error).__name__
"""


def test_everything_is_read_but_the_secrets(inside, root: Path):
    paths = [str(root / name) for name in (*SECRETS, *OPEN)]
    assert all("holds" in Path(path).read_text() for path in paths)

    kind, seen = inside(READ.format(paths=paths), project=Project(root))

    assert kind == "ok"
    shown = {name for name in (*SECRETS, *OPEN) if "holds" in seen[str(root / name)]}
    assert shown == set(OPEN)


def test_the_caller_says_what_is_masked(inside, root: Path):
    paths = [str(root / ".env"), str(root / "readme.txt")]

    _, seen = inside(READ.format(paths=paths), project=Project(root, masked=("readme.*",)))

    assert "holds" in seen[paths[0]] and "holds" not in seen[paths[1]]


def test_links_open_nothing_outside(inside, root: Path, tmp_path: Path):
    outside = tmp_path / "outside.txt"
    outside.write_text("holds what is not the project's")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "inner.txt").write_text("holds, too")
    (root / "link.txt").symlink_to(outside)
    (root / "deep" / "folder").symlink_to(tmp_path / "folder")
    (root / "up.txt").symlink_to("../outside.txt")
    (root / "alias.txt").symlink_to("readme.txt")
    names = ["link.txt", "deep/folder/inner.txt", "up.txt", "../outside.txt", "alias.txt"]
    paths = [str(root / name) for name in names]
    assert all("holds" in Path(path).read_text() for path in paths)

    _, seen = inside(READ.format(paths=paths), project=Project(root))

    assert [name for name in names if "holds" in seen[str(root / name)]] == ["alias.txt"]


def test_a_secret_by_another_name_is_one(inside, root: Path):
    (root / "notes.txt").hardlink_to(root / ".env")
    (root / "deep" / "plain.txt").hardlink_to(root / "deep" / ".aws" / "credentials")
    (root / "twin.txt").hardlink_to(root / "readme.txt")
    (root / "deep" / "secrets.toml").symlink_to("code.py")
    names = ["notes.txt", "deep/plain.txt", "twin.txt", "deep/code.py"]
    paths = [str(root / name) for name in names]

    _, seen = inside(READ.format(paths=paths), project=Project(root))

    assert [name for name in names if "holds" in seen[str(root / name)]] == ["twin.txt"]


def test_nothing_of_it_is_changed(inside, root: Path):
    lines = f"""
    import os
    root = {str(root)!r}
    answer = []
    for act in (
        lambda: open(root + "/new", "w"), lambda: open(root + "/readme.txt", "a"),
        lambda: os.truncate(root + "/readme.txt", 0), lambda: os.remove(root + "/readme.txt"),
        lambda: os.rename(root + "/readme.txt", root + "/b"), lambda: os.mkdir(root + "/c"),
        lambda: os.chmod(root + "/readme.txt", 0), lambda: os.utime(root + "/readme.txt"),
        lambda: os.symlink("a", root + "/d"), lambda: os.link(root + "/readme.txt", root + "/e"),
        lambda: os.remove(root + "/.env"), lambda: open(root + "/.env", "w"),
    ):
        try:
            act()
            answer.append(None)
        except OSError as error:
            answer.append(type(error).__name__)
    """
    before = sorted((p, p.lstat()) for p in root.rglob("*"))

    kind, refused = inside(lines, project=Project(root))

    assert kind == "ok" and None not in refused
    after = sorted((p, p.lstat()) for p in root.rglob("*"))
    for (path, old), (same, new) in zip(before, after, strict=True):
        assert path == same
        assert (old.st_mode, old.st_size, old.st_mtime_ns) == (
            new.st_mode,
            new.st_size,
            new.st_mtime_ns,
        )


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with a package in it; pip is not needed for that."""
    prefix = tmp_path_factory.mktemp("environment") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    packages = next(prefix.glob("lib/python*/site-packages"))
    (packages / "credentials.py").write_text("WORD = 'installed'\n")
    (packages / "more.pth").write_text("import sys; sys.marked = True\n")
    return prefix


def test_the_interpreter_brings_its_packages(inside, root: Path, environment: Path):
    lines = f"""
    import sys
    sys.path.insert(0, {str(root)!r})
    import credentials, deep_module
    answer = [credentials.WORD, deep_module.WORD, sys.prefix, sys.marked, sys.flags.isolated]
    """
    (root / "deep_module.py").write_text("WORD = 'of the project'\n")

    found = inside(lines, project=Project(root, environment / "bin" / "python"))

    assert found == ["ok", ["installed", "of the project", str(environment), True, 1]]


def test_an_environment_in_the_project_is_not_taken_for_secrets(inside, root: Path):
    prefix = root / "sub" / ".env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    packages = next(prefix.glob("lib/python*/site-packages"))
    (packages / "secrets_of.pem").write_text("a certificate that everybody has")
    (prefix / "pip.conf").write_text("holds a token")

    project = Project(root, prefix / "bin" / "python")
    lines = "import sys\n" + READ.format(
        paths=[str(packages / "secrets_of.pem"), str(prefix / "pip.conf")]
    )
    kind, seen = inside(lines, project=project)

    assert kind == "ok"
    assert ["everybody" in seen[str(packages / "secrets_of.pem")]] == [True]
    assert "holds" not in seen[str(prefix / "pip.conf")]


@pytest.mark.parametrize("python", ["/usr/bin/python3"])
def test_the_interpreter_of_the_system(inside, root: Path, python: str):
    if not Path(python).exists():
        pytest.skip(f"{python} does not exist here")
    lines = "import sys, json, ssl; answer = [sys.executable, sys.prefix]"

    assert inside(lines, project=Project(root, Path(python))) == ["ok", [python, "/usr"]]


def test_other_versions_of_python(inside, root: Path):
    """The parent's compiled code means nothing to them."""
    others = sorted(Path(sys.base_prefix).parent.glob("3.*/bin/python3"))
    others = [p for p in others if int(p.parent.parent.name.split(".")[1]) >= 8]
    if len(others) < 2:
        pytest.skip("there is no other Python beside this one")
    for python in others:
        lines = "import sys; answer = sys.version.split()[0]"
        found = inside(lines, Limits(cpu_s=20), project=Project(root, python))
        assert found == ["ok", python.parent.parent.name]


def test_a_python_that_is_too_old_is_named(tmp_path: Path):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3.7").touch(mode=0o755)

    with pytest.raises(UsageProblem, match=r"Python 3\.7"):
        project_module.shown(Project(tmp_path, tmp_path / "bin" / "python3.7"))


def test_what_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = tmp_path / "home"
    (home / "work").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))

    for root in (Path("/"), home, tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageProblem, match=str(root)):
            project_module.shown(Project(root))
    assert project_module.shown(Project(home / "work")).masked == ()


def test_ten_thousand_files(inside, tmp_path: Path):
    """Looking through them is part of each check's time."""
    root = tmp_path / "large"
    for folder in range(100):
        (root / f"{folder}").mkdir(parents=True)
        for file in range(100):
            (root / f"{folder}" / f"{file}.py").touch()
    (root / "50" / ".env").write_text("holds a secret")
    (root / "50" / "0.py").write_text("holds code")

    start = time.perf_counter()
    found = find(root)
    seconds = time.perf_counter() - start
    paths = [str(root / "50" / name) for name in (".env", "0.py")]
    _, seen = inside(READ.format(paths=paths), project=Project(root))

    assert found.files == {paths[0]}
    assert ["holds" in seen[path] for path in paths] == [False, True]
    assert seconds < 2.0


def test_a_project_under_the_temporary_folder_leaves_that_folder_usable(inside, root: Path, layer):
    if layer is not Layer.BUBBLEWRAP:
        pytest.skip("landlock has no folder to write to")
    lines = "open('a.txt', 'w').write('x'); answer = open('a.txt').read()"

    assert inside(lines, project=Project(root)) == ["ok", "x"]
