"""llama.cpp's own converter, from the source of the pinned release, as the judge of ours.

    python -m tests.support.converter SOURCE JOBS.json

converts every model of a list in one process, because its imports take seconds. A tokenizer that
its table of hashes does not have gets the name that the job says: a made vocabulary can be in no
table. Nothing else of it is changed.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Conversion:
    """One model to convert.

    Attributes:
        folder: of the model.
        target: the file.
        type_name: f32, f16, bf16 or q8_0.
        splits: llama.cpp's name of how its tokenizer splits, where the table does not know it.
    """

    folder: str
    target: str
    type_name: str
    splits: str


def source() -> Path:
    """The source with the converter; the test is skipped with the reason where there is none."""
    pytest.importorskip("sentencepiece", reason="the converter reads it for every Llama")
    vocabularies = Path(os.environ.get("ASSISTANT_TEST_VOCAB", "") or "/nowhere")
    beside = (vocabularies if vocabularies.is_dir() else vocabularies.parent) / "llama.cpp"
    for place in (Path(os.environ.get("ASSISTANT_LLAMA_SOURCE", "") or "/nowhere"), beside):
        if (place / "convert_hf_to_gguf.py").is_file():
            return place
    pytest.skip(
        "llama.cpp's converter is not here: `make test` fetches it with the vocabularies, or set "
        "ASSISTANT_LLAMA_SOURCE to the source of llama.cpp"
    )


def convert(jobs: Sequence[Conversion], folder: Path) -> None:
    """Convert them all.

    Args:
        jobs: what to convert.
        folder: for the list.
    """
    (folder / "jobs.json").write_text(json.dumps([asdict(job) for job in jobs]), "utf-8")
    command = [sys.executable, "-m", "tests.support.converter", str(source())]
    done = subprocess.run(
        [*command, str(folder / "jobs.json")], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]


def _main(place: str, jobs: Path) -> None:
    # Its packages come before those that are installed: it brings a later `gguf`.
    sys.path[:0] = [str(Path(place) / "gguf-py"), place]
    import conversion
    import convert_hf_to_gguf

    known = conversion.base.TextModel.get_vocab_base_pre
    for one in json.loads(jobs.read_text("utf-8")):
        job = Conversion(**one)

        def name(self: object, tokenizer: object, splits: str = job.splits) -> str:
            try:
                return str(known(self, tokenizer))
            except NotImplementedError:
                return splits

        conversion.base.TextModel.get_vocab_base_pre = name
        options = ["--outtype", job.type_name, "--outfile", job.target]
        sys.argv = ["convert_hf_to_gguf.py", job.folder, *options]
        convert_hf_to_gguf.main()


if __name__ == "__main__":
    _main(sys.argv[1], Path(sys.argv[2]))
