"""A data set from the Hugging Face hub, by commit.

`HF_HOME`, `HF_HUB_OFFLINE` and `HF_TOKEN` mean what they mean to huggingface_hub, which is
imported when it is needed. A name such as `main` is turned into its commit before anything is
fetched, so that the run's record always holds a commit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem

_COMMIT = re.compile(r"[0-9a-f]{40}")


def fetch(
    repository: str,
    revision: str,
    patterns: Sequence[str],
    *,
    kind: str = "dataset",
    say: Callable[[str], None] = lambda text: None,
    endpoint: str | None = None,
    setting: str = "",
) -> tuple[Path, str]:
    """Download a data set, or find it in the cache.

    Args:
        repository: `organisation/name`.
        revision: a commit, a tag or a branch; empty is `main`.
        patterns: which files, as `fnmatch` reads them.
        kind: `dataset` or `model`.
        say: is told what is fetched.
        endpoint: the hub's address, where it is not the usual one.
        setting: that may name a folder in its place, for messages, such as `student.model`;
            empty: that of the data sets.

    Returns:
        The folder with the files, and the commit.

    Raises:
        DataProblem: it can not be had; the message says why and what to do.
    """
    hub = _library()
    try:
        commit = revision if _COMMIT.fullmatch(revision) else None
        if commit is None:
            api = hub.HfApi(endpoint=endpoint)
            info = api.repo_info(repository, repo_type=kind, revision=revision or None)
            commit = str(info.sha)
        say(f"{repository} from the hub, at commit {commit}")
        folder = hub.snapshot_download(
            repository, repo_type=kind, revision=commit, allow_patterns=list(patterns),
            endpoint=endpoint,
        )  # fmt: skip
    # Its errors come from several trees (its own, the HTTP client's, the operating system's).
    except Exception as error:
        raise _explained(repository, revision, error, kind, setting) from error
    return Path(folder), commit


def _library() -> Any:
    try:
        return import_module("huggingface_hub")
    except ImportError as error:
        raise DataProblem(
            "Data sets come from the hub by the library huggingface_hub, which is not installed.",
            hint="pip install huggingface_hub; or name a folder with the data (--data).",
        ) from error


def _explained(
    repository: str, revision: str, error: Exception, kind: str = "dataset", setting: str = ""
) -> DataProblem:
    """What a person can do about it; by name, since the classes moved between releases."""
    names = {kind.__name__ for kind in type(error).__mro__}
    named = (
        f"--set {setting}=FOLDER" if setting else ("--data FOLDER, or --set problems.folder=FOLDER")
    )
    local = f"or name a folder that holds its files: {named}"
    section = setting.partition(".")[0] or "problems"
    page = f"https://huggingface.co/{'datasets/' * (kind == 'dataset')}{repository}"
    if "GatedRepoError" in names:
        return DataProblem(
            f"{repository} is gated: its owner wants its terms accepted first.",
            hint=f"Accept them at {page} while logged in, "
            f"then set HF_TOKEN to a token of that account; {local}.",
        )
    if "RevisionNotFoundError" in names:
        return DataProblem(
            f"{repository} has no revision {revision!r} on the hub.",
            hint=f"Leave {section}.revision empty for the newest one; {local}.",
        )
    if "RepositoryNotFoundError" in names:
        return DataProblem(
            f"The hub has no {repository}, or it is private and HF_TOKEN does not open it.",
            hint=f"Look at {page}; {local}.",
        )
    if names & {"OfflineModeIsEnabled", "LocalEntryNotFoundError"}:
        return DataProblem(
            f"{repository} is not in the cache of this machine, and the hub is not reached "
            "(HF_HUB_OFFLINE is set, or there is no network).",
            hint=f"Fetch it where there is a network (HF_HOME says where it is kept); {local}.",
        )
    told = str(error).split("\n")[0] or type(error).__name__
    return DataProblem(
        f"{repository} can not be fetched from the hub: {told}.", hint=f"Try again later; {local}."
    )
