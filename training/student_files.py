"""Where a student's files lie, and their sha256.

A model may have 16 GB, so no byte is hashed twice: the hub's cache names large files by their
sha256, and of a folder's files size and time of the last change are kept with the hash, in the
run's `student/place.json`. A file that changed is hashed again, and its new hash in
`student/student.json` starts the stages behind again.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assistant.errors import ExportProblem, TrainingProblem, UsageProblem
from training import files
from training.data import hub
from training.stages import Job

PLACE = "student/place.json"
_WANTED = (
    "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "chat_template.*", "README.md", "LICENSE*", "USE_POLICY*",
    "model*.safetensors", "model.safetensors.index.json",
)  # fmt: skip
_BASIC = ("config.json", "tokenizer.json")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Place:
    """A student on this machine.

    Attributes:
        source: `org/name` of the hub, or the name of the folder.
        revision: commit on the hub; empty for a folder.
        folder: where the files lie, absolute.
    """

    source: str
    revision: str
    folder: Path


def find(job: Job) -> Place:
    """The student that the settings name; fetched from the hub where it is not here.

    Raises:
        UsageProblem: the settings name none.
        TrainingProblem: a folder has not what is needed.
        DataProblem: the hub does not give it.
    """
    settings = job.settings.student
    if not settings.model:
        raise UsageProblem(
            f"chain={job.settings.chain} needs a student, and student.model is empty",
            hint="--set student.model=ORG/NAME of the Hugging Face hub, or a folder",
        )
    named = Path(settings.model).expanduser()
    if named.is_dir():
        place = Place(named.absolute().name, "", named.absolute())
    elif (before := _fetched_before(job)) is not None:
        place = before
    elif re.fullmatch(r"[\w.-]+/[\w.-]+", settings.model) and not settings.model.startswith("."):
        fetched, commit = hub.fetch(
            settings.model, settings.revision, _WANTED, kind="model",
            say=job.progress(1, "student").say, setting="student.model",
        )  # fmt: skip
        place = Place(settings.model, commit, fetched.absolute())
    else:
        raise TrainingProblem(
            f"student.model={settings.model}: there is no such folder, and it is no ORG/NAME of "
            "the hub",
            hint="--set student.model=PATH of a folder with config.json and safetensors",
        )
    for name in _BASIC:
        if not (place.folder / name).is_file():
            raise TrainingProblem(
                f"{place.folder} has no {name}",
                hint="a student is a folder as transformers saves it: config.json, "
                "tokenizer.json, *.safetensors",
            )
    return place


def _fetched_before(job: Job) -> Place | None:
    """The commit that this run has taken from the hub: a later one would be another model."""
    known, wanted = noted(job), job.settings.student
    if (known.get("source"), bool(known.get("revision"))) != (wanted.model, True):
        return None
    asked = {known["revision"], known.get("asked")}
    if wanted.revision not in asked or not Path(known["folder"]).is_dir():
        return None
    return Place(known["source"], known["revision"], Path(known["folder"]))


def digests(job: Job, place: Place) -> dict[str, str]:
    """The sha256 of configuration, tokenizer and weights, by name; noted in `place.json`.

    Raises:
        TrainingProblem: the folder has no weights in safetensors.
    """
    from training.export import checkpoint

    try:
        names = [*_BASIC, *checkpoint.file_names(place.folder)]
    except ExportProblem as problem:
        raise TrainingProblem(problem.message, hint=problem.hint) from problem
    known = noted(job).get("files", {})
    found: dict[str, dict[str, Any]] = {}
    progress = job.progress(len(names), "files")
    for name in names:
        path = place.folder / name
        if not path.is_file():
            raise TrainingProblem(f"{path} is missing, which the index of the weights names")
        facts = path.stat()
        now = {"size": facts.st_size, "changed_ns": facts.st_mtime_ns, "path": str(path)}
        before = known.get(name, {})
        same = all(before.get(key) == value for key, value in now.items())
        found[name] = now | {"sha256": before["sha256"] if same else digest(path)}
        progress.advance(1, name)
    files.write_json(
        job.path(PLACE),
        {"source": place.source, "revision": place.revision, "folder": str(place.folder),
         "asked": job.settings.student.revision, "files": found},
    )  # fmt: skip
    return {name: facts["sha256"] for name, facts in found.items()}


def known_folder(job: Job) -> Path:
    """Where the stage found the student.

    Raises:
        TrainingProblem: it is not there any more.
    """
    place = Path(noted(job).get("folder", ""))
    if not (place / "config.json").is_file():
        raise TrainingProblem(
            f"the student is not in {place} any more",
            hint=f"assistant train {job.recipe} --stage student looks for it again",
        )
    return place


def digest(path: Path) -> str:
    """The sha256 of a file; the hub's cache keeps large ones under it, and links to them."""
    kept = path.resolve()
    if path.is_symlink() and kept.parent.name == "blobs" and _SHA256.fullmatch(kept.name):
        return kept.name
    return files.digest(path)


def noted(job: Job) -> dict[str, Any]:
    """What a run knows of its student's place; empty where it knows nothing."""
    try:
        found = json.loads(job.path(PLACE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
