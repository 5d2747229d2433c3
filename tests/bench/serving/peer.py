"""llama-server and llama-bench, built from the source that our engine is built from."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from pathlib import Path

TARGETS = ("llama-server", "llama-bench")
_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
)  # fmt: skip


class NotBuilt(Exception):
    """The peer can not be built; the message says what to do."""


@dataclass(frozen=True)
class Peer:
    """Programs of llama.cpp, and the source that they were made of.

    Args:
        cache: a folder for what is downloaded and built.
    """

    cache: Path

    @cached_property
    def binaries(self) -> Path:
        """The folder of the programs: `ASSISTANT_LLAMA_BIN`, or built now if they are not yet.

        Raises:
            NotBuilt: there is no compiler, or no package index to take the source from.
        """
        if named := os.environ.get("ASSISTANT_LLAMA_BIN"):
            if missing := [name for name in TARGETS if not Path(named, name).is_file()]:
                raise NotBuilt(f"ASSISTANT_LLAMA_BIN is {named}, where there is no {missing[0]}.")
            return Path(named)
        build = self.cache / "build"
        if not all((build / "bin" / name).is_file() for name in TARGETS):
            self._build(build, TARGETS)
        return build / "bin"

    def program(self, name: str) -> Path:
        """One program: that of `ASSISTANT_LLAMA_BIN` if there is one, else built now.

        Raises:
            NotBuilt: as for `binaries`.
        """
        named = Path(os.environ.get("ASSISTANT_LLAMA_BIN") or self.cache / "build" / "bin", name)
        built = self.cache / "build" / "bin" / name
        if not named.is_file() and not built.is_file():
            self._build(self.cache / "build", (name,))
        return named if named.is_file() else built

    @cached_property
    def source(self) -> Path:
        """llama.cpp as it lies in llama-cpp-python's source distribution."""
        named = os.environ.get("ASSISTANT_LLAMA_BIN")
        if named and (found := _source_of(Path(named).parent)) is not None:
            return found
        release = f"llama_cpp_python-{version('llama-cpp-python')}"
        folder = self.cache / release / "vendor" / "llama.cpp"
        if not folder.is_dir():
            self.cache.mkdir(parents=True, exist_ok=True)
            archive = _downloaded(self.cache, release)
            with tarfile.open(archive) as content:
                content.extractall(self.cache, filter="data")
        return folder

    def bench(
        self, model: Path, threads: int, prompt: int, tokens: int, depth: int, **environment: str
    ) -> float:
        """Milliseconds that llama-bench measures for one token, after a warm-up of its own.

        Args:
            model: a GGUF file.
            threads: for everything.
            prompt: tokens to evaluate, or 0.
            tokens: to generate, or 0; exactly one of the two is not 0.
            depth: tokens that are in the cache before.
            environment: variables to set for it.
        """
        command = [str(self.binaries / "llama-bench"), "-m", str(model), "-t", str(threads)]
        command += ["-p", str(prompt), "-n", str(tokens), "-d", str(depth), "-r", "1"]
        command += ["-o", "json"]
        variables = os.environ | environment
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
        if done.returncode:
            raise NotBuilt(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
        (run,) = json.loads(done.stdout)
        return float(run["avg_ns"]) / 1e6 / (prompt + tokens)

    def commit(self) -> str:
        """What llama-server says that it was built from."""
        command = [str(self.binaries / "llama-server"), "--version"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return (done.stdout + done.stderr).strip().splitlines()[0]

    def _build(self, build: Path, targets: tuple[str, ...]) -> None:
        if shutil.which("cmake") is None:
            raise NotBuilt("cmake is missing. Install it and a C++ compiler, then run this again.")
        print(f"building {' and '.join(targets)} in {build} (some six minutes on two cores)")
        cores = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL", str(os.cpu_count() or 2))
        _run("cmake", "-S", str(self.source), "-B", str(build), *_FLAGS)
        _run("cmake", "--build", str(build), "--target", *targets, "-j", cores)


def _source_of(build: Path) -> Path | None:
    try:
        cached = (build / "CMakeCache.txt").read_text()
    except OSError:
        return None
    found = re.search(r"^CMAKE_HOME_DIRECTORY:INTERNAL=(.+)$", cached, re.MULTILINE)
    return Path(found[1]) if found and Path(found[1], "models").is_dir() else None


def _downloaded(folder: Path, release: str) -> Path:
    """The source distribution, from the package index that pip is set up for (77 MB)."""
    archive = folder / f"{release}.tar.gz"
    if not archive.is_file():
        requirement = release.replace("_", "-").replace("python-", "python==")
        print(f"downloading {archive.name}")
        _run(
            sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary",
            "llama-cpp-python", "-d", str(folder), requirement,
        )  # fmt: skip
    return archive


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise NotBuilt(
            f"{' '.join(command)} failed with status {done.returncode}:\n"
            f"{done.stdout[-2000:].decode(errors='replace')}\n"
            "With programs that exist already: ASSISTANT_LLAMA_BIN=FOLDER make bench-serving"
        )
