"""The report beside a file: does it compute, read and write as the model that it was made from?

NAME.verify.json   every number, for programs
NAME.verify.md     the same, for people
"""

from __future__ import annotations

import dataclasses
import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assistant.errors import DataProblem
from training import files
from training.chat import Chat
from training.export import gates, identity, samples, verifying
from training.export.gates import Gate
from training.export.identity import Identity
from training.export.merging import Merged
from training.export.reference import Row
from training.export.verifying import Measured


@dataclass(frozen=True)
class Proof:
    """What was found out about a file.

    Attributes:
        file: its name.
        sha256: of its bytes.
        type: how most of its matrices are stored.
        parameters: weights of the model.
        cache: type of keys and values in llama.cpp while it was measured.
        text: what the logits were compared on.
        measured: how far it is from the model.
        gate: the bounds that hold for it.
        trained: the model knows the text, so that all bounds hold.
        identity: what of its words was compared.
        problems: what is outside of the bounds or not the same; empty: it is right.
    """

    file: str
    sha256: str
    type: str
    parameters: int
    cache: str
    text: str
    measured: Measured
    gate: Gate
    trained: bool
    identity: Identity
    problems: tuple[str, ...]
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


@dataclass(frozen=True)
class Task:
    """What is to be proven, and on what.

    Attributes:
        model: what the file was made from.
        tokenizer: the model's `tokenizer.json`.
        type_name: how most matrices of the file are stored.
        chat: how training marked requests; None: the model was not tuned here.
        template: the chat template that the file has to have; None: that of `chat`, or any.
        text: a file to compare logits on; None: sources of Python's own library.
        documents: more rows of tokens, such as the validation texts of a run.
        tokens: of the text, at least 2,000 for a result that is worth something.
        exact: keys and values in float32; False: as in serving.
    """

    model: Merged
    tokenizer: Path
    type_name: str
    chat: Chat | None = None
    template: str | None = None
    text: Path | None = None
    documents: Sequence[Row] = ()
    tokens: int = samples.TOKENS
    exact: bool = True


def of(
    file: Path,
    task: Task,
    *,
    threads: int | None = None,
    device: str = "cpu",
    on_progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Compare the GGUF file `file` with its model in every way.

    Args:
        file: is read by llama.cpp.
        task: what it is compared with.
        threads: of llama.cpp; None: the cores that this process may use.
        device: where the model computes.
        on_progress: told how many of how many steps are done.

    Raises:
        ExportProblem: the two can not be compared at all.
        DataProblem: the text can not be read.
        ModelProblem: llama.cpp does not load the file.
    """
    described = task.model.described
    # First: it takes seconds, and a file with other words needs no more.
    words = identity.compare(
        file, task.tokenizer, described, chat=task.chat, template=task.template
    )
    rows, text = rows_of(task)
    measured = verifying.compare(
        task.model, file, rows, threads=threads, exact=task.exact, device=device,
        on_progress=on_progress,
    )  # fmt: skip
    shapes = task.model.shapes
    parameters = sum(math.prod(shape) for shape in shapes.values())
    vocabulary = shapes["model.embed_tokens.weight"][0]
    layers = int(described["num_hidden_layers"])
    gate = gates.gate(
        task.type_name, parameters, layers, measured.loss, vocabulary, exact=task.exact
    )
    return Proof(
        file=file.name,
        sha256=files.digest(file),
        type=task.type_name,
        parameters=parameters,
        cache="float32" if task.exact else "float16",
        text=text,
        measured=measured,
        gate=gate,
        trained=math.isfinite(gate.mean_kld),
        identity=words,
        problems=(*verifying.problems(measured, gate), *words.problems),
        versions=_versions(),
    )


def rows_of(task: Task) -> tuple[list[Row], str]:
    """The rows of tokens that a task is measured on, and what they are, in words.

    Raises:
        DataProblem: the text can not be read.
        ExportProblem: there is none.
    """
    tokenizer = samples.tokenizer(task.tokenizer)
    longest = min(samples.TOKENS, int(task.model.described["max_position_embeddings"]))
    if task.text is None:
        what = "sources of Python's own library"
        texts = [text for _, text in samples.real()]
    else:
        what = task.text.name
        try:
            texts = [task.text.read_text(encoding="utf-8", errors="replace")]
        except OSError as error:
            raise DataProblem(f"The text {task.text} can not be read: {error}.") from error
    rows: list[Row] = list(samples.rows(tokenizer, texts, task.tokens, longest))
    if task.documents:
        what += f", {len(task.documents)} documents of the run"
        rows += [row[:longest] for row in task.documents]
    return rows, what


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    found = {name: version(name) for name in ("torch", "transformers", "tokenizers", "gguf")}
    found["llama-cpp-python"] = version("llama-cpp-python")
    return {"python": platform.python_version(), **found}


def places(file: Path) -> tuple[Path, Path]:
    """Where the report on a file is kept: as JSON, and as Markdown."""
    stem = file.with_suffix("") if file.suffix == ".gguf" else file
    return stem.with_name(f"{stem.name}.verify.json"), stem.with_name(f"{stem.name}.verify.md")


def write(proof: Proof, file: Path) -> None:
    """Keep the report beside the file."""
    as_json, as_text = places(file)
    files.write_json(as_json, _plain({"passed": proof.passed, **dataclasses.asdict(proof)}))
    files.write_text(as_text, markdown(proof))


def _plain(value: Any) -> Any:
    """What JSON can say: no infinity, and nothing that is no number."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(proof: Proof) -> str:
    """The report for people."""
    found, gate, words = proof.measured, proof.gate, proof.identity
    rows = (
        ("squared error of the logits, by their squares", f"{found.nmse:.3g}",
         f"at most {gate.nmse:.3g}" if math.isfinite(gate.nmse) else "none"),
        ("mean divergence (KL, model against file), nats", f"{found.mean_kld:.3g}",
         f"at most {gate.mean_kld:.3g}" if proof.trained else "none"),
        ("its 99 % quantile; largest", f"{found.p99_kld:.3g}; {found.max_kld:.3g}", "none"),
        ("the same likeliest token", f"{found.same_top:.2%}",
         f"at least {gate.same_top:.1%}" if proof.trained else "none"),
        ("perplexity of the model; of the file",
         f"{_perplexity(found.loss)}; {_perplexity(found.file_loss)}", "none"),
    )  # fmt: skip
    lines = [
        f"# {proof.file}: {'passed' if proof.passed else 'NOT PASSED'}",
        "",
        f"{proof.type}, {proof.parameters:,} weights, sha256 `{proof.sha256}`.",
        "",
        *(f"- {problem}" for problem in proof.problems),
        *([""] if proof.problems else []),
        f"Logits of the model in float32 (torch) and of the file (llama.cpp, keys and values in "
        f"{proof.cache}) at {found.tokens:,} places of: {proof.text}.",
        "",
        "| measured | value | bound |",
        "|---|---|---|",
        *(f"| {what} | {value} | {bound} |" for what, value, bound in rows),
        "",
    ]
    if gate.bounds_nothing:
        lines += [
            f"Nothing bounds the logits: {proof.type} rounds so much away of a model that does not "
            "know this text that a wrong file would be no further off. Verify the same export as "
            "F32 or F16.",
            "",
        ]
    elif not proof.trained:
        lines += [
            "The model does not know this text, or no figures are known for the type: the bounds "
            "of trained models do not hold for it, only that of the squared error.",
            "",
        ]
    lines += [
        f"Tokens are compared on {words.texts:,} texts ({words.tokens:,} tokens), real and "
        f"adversarial; the prompts of {words.prompts} requests.",
        *("" if not words.notes else ["", *(f"Note: {note}." for note in words.notes)]),
        "",
        ", ".join(f"{name} {version}" for name, version in proof.versions.items()) + ".",
    ]
    return "\n".join(lines) + "\n"


def _perplexity(loss: float) -> str:
    return f"{math.exp(loss):.4f}" if loss < 100 else "over e^100"
