"""What a student must be to be trained and exported here, read from its files.

Everything is refused in the first minute of a run: kinds of models that the GGUF writer does not
know, tokenizers that llama.cpp would split otherwise, and names that a licence does not allow.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import tokenizers

from assistant.errors import ExportProblem, TrainingProblem, UsageProblem
from training.chat import CHATML, LLAMA3, Chat, plain
from training.export import families, splitting
from training.settings import Settings

MODEL_TYPES = ("llama", "qwen2")
"""Kinds of models that are trained; `families` has those that are exported."""
_LLAMA = re.compile(r"(?<![a-z])llama[-_ ]?[34]", re.IGNORECASE)
_CHAINS = ("scratch", "pretrained", "untrained")


def config(folder: Path) -> dict[str, Any]:
    """The student's configuration.

    Raises:
        TrainingProblem: it is of a kind that is not trained or not exported here.
    """
    found = _json(folder / "config.json")
    kind = found.get("model_type")
    why = ""
    if kind not in MODEL_TYPES:
        why = f"has model_type {kind!r}; trained are {', '.join(MODEL_TYPES)}"
    elif found.get("use_sliding_window"):
        why = "has a sliding window (use_sliding_window), which is not trained here"
    elif found.get("mlp_bias"):
        why = "has biases in the feed-forward part (mlp_bias), which are not trained here"
    else:
        try:
            families.find(found)
        except ExportProblem as problem:
            why = f"can not be exported: {problem}"
    if why:
        raise TrainingProblem(
            f"the student in {folder} {why}",
            hint="--set student.model=ORG/NAME of a Llama 3 or Qwen2 model",
        )
    return found


def tokenizer(folder: Path) -> dict[str, Any]:
    """The student's tokenizer as it is used here: without a normaliser, which serving has not.

    Raises:
        TrainingProblem: it is not byte-level, or llama.cpp would split texts otherwise.
    """
    found = _json(folder / "tokenizer.json")
    try:
        splitting.name(found)
    except ExportProblem as problem:
        raise TrainingProblem(
            f"{folder / 'tokenizer.json'}: {problem}", hint=problem.hint
        ) from None
    return found | {"normalizer": None, "truncation": None, "padding": None}


def chat(
    folder: Path, wanted: str, described: dict[str, Any], tokens: tokenizers.Tokenizer
) -> Chat:
    """The chat format: the one that the settings name, or the one of the model's own template.

    Args:
        folder: of the student.
        wanted: `auto`, `llama3`, `chatml` or `plain`.
        described: the student's configuration.
        tokens: its tokenizer.

    Raises:
        UsageProblem: there is no such format.
        TrainingProblem: the model names no token that ends a text.
    """
    if wanted == "auto":
        template = _template(folder)
        wanted = "plain"
        if "<|start_header_id|>" in template:
            wanted = "llama3"
        elif "<|im_start|>" in template:
            wanted = "chatml"
    if wanted == "llama3":
        return LLAMA3
    if wanted in ("chatml", "own"):
        return CHATML
    if wanted != "plain":
        raise UsageProblem(
            f"student.chat={wanted}: there is no such format; there are auto, llama3, chatml, plain"
        )
    return plain(_begin(tokens), _end(folder, described, tokens))


def _template(folder: Path) -> str:
    """All that the model says about how it is to be asked."""
    found = []
    for name in ("tokenizer_config.json", "chat_template.json"):
        if (folder / name).is_file():
            found.append(json.dumps(_json(folder / name).get("chat_template") or ""))
    if (folder / "chat_template.jinja").is_file():
        found.append((folder / "chat_template.jinja").read_text(encoding="utf-8"))
    return "\n".join(found)


def _begin(tokens: tokenizers.Tokenizer) -> str:
    """What the tokenizer itself puts in front of a text; usually the same as `bos_token`."""
    ids = tokens.encode("").ids
    return (tokens.id_to_token(ids[0]) if ids else None) or ""


def _end(folder: Path, described: dict[str, Any], tokens: tokenizers.Tokenizer) -> str:
    ids = described.get("eos_token_id")
    first = ids[0] if isinstance(ids, list) and ids else ids
    if isinstance(first, int) and (token := tokens.id_to_token(first)):
        return str(token)
    path = folder / "tokenizer_config.json"
    named = _json(path).get("eos_token") if path.is_file() else None
    text = named.get("content") if isinstance(named, dict) else named
    if not isinstance(text, str) or tokens.token_to_id(text) is None:
        raise TrainingProblem(
            f"{folder} names no token that ends a text: config.json has eos_token_id {ids!r}",
            hint="add eos_token_id to its config.json",
        )
    return text


def licence(folder: Path, said: str) -> str:
    """The licence: what the settings say, else the model's card, else its licence file.

    Returns:
        As the hub writes it (`llama3.1`, `apache-2.0`), or `unknown`.
    """
    if said:
        return said
    card = folder / "README.md"
    head = card.read_text("utf-8", "replace").split("---")[1:2] if card.is_file() else []
    if head and (found := re.search(r"^license:[ \t]*(\S+)", head[0], re.MULTILINE)):
        return found[1].strip("'\"")
    for path in sorted(folder.glob("LICENSE*")):
        text = path.read_text("utf-8", "replace")[:4000]
        if found := re.search(r"LLAMA (\d[\d.]*) COMMUNITY LICENSE", text, re.IGNORECASE):
            return f"llama{found[1]}"
        for words, name in (("Apache License", "apache-2.0"), ("MIT License", "mit")):
            if words in text:
                return name
    return "unknown"


def built_with_llama(licence: str, *names: str) -> bool:
    """Whether Meta's licence for Llama 3 asks for its name and its notice.

    It does when the base model, or the teacher whose answers were learned from, is a Llama.

    Args:
        licence: of the base model.
        names: of the base model and the teacher.
    """
    return licence.lower().startswith("llama") or any(map(_LLAMA.search, names))


def teacher_of(wanted: Settings) -> str:
    """The model that wrote the reasoning; empty where a program did."""
    return wanted.contexts.teacher_model or wanted.contexts.teacher.partition("local:")[2]


def is_llama(wanted: Settings, source: str, licence: str) -> bool:
    """`built_with_llama` of a run."""
    teacher = teacher_of(wanted) if wanted.chain == "pretrained" else ""
    return built_with_llama(licence, source, teacher)


def settings(wanted: Settings, source: str, licence: str) -> None:
    """Refuse settings that the end of the run could not fulfil.

    Raises:
        UsageProblem: two settings contradict each other.
        TrainingProblem: the model may not have the name that it is to get.
    """
    name, teacher = wanted.export.name, teacher_of(wanted)
    if wanted.chain not in _CHAINS:
        raise UsageProblem(f"chain={wanted.chain}: there are {', '.join(_CHAINS)}")
    if wanted.evaluate.prompt not in ("reasoning", "direct"):
        raise UsageProblem(
            f"evaluate.prompt={wanted.evaluate.prompt}: there are reasoning and direct"
        )
    if wanted.chain == "untrained" and not wanted.evaluate.benchmarks:
        raise UsageProblem(
            "chain=untrained has no problems of its own to be scored on",
            hint="--set evaluate.benchmarks=humaneval,mbpp,mbpp+",
        )
    llama = is_llama(wanted, source, licence)
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]*", name) or name == "starter":
        raise TrainingProblem(
            f"export.name={name!r} can not be the name of a file of its own",
            hint=f"--set export.name={suggested(source, llama)}",
        )
    if llama and not name.startswith("Llama"):
        learned = f" with the teacher {teacher}" if teacher else ""
        raise TrainingProblem(
            f"export.name={name!r}: what is made from {source} (licence {licence}){learned} must "
            "have a name that begins with Llama, says the licence of Llama",
            hint=f"--set export.name={suggested(source, llama)}",
        )


def suggested(source: str, llama: bool) -> str:
    """A name for what is made from `source`."""
    base = re.sub(r"[^\w.+-]", "-", source.rpartition("/")[2]).removeprefix("Meta-")
    return f"{'Llama-' * (llama and not base.startswith('Llama'))}{base}-reasoning"


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingProblem(f"{path} can not be read: {error}") from error
    if not isinstance(found, dict):
        raise TrainingProblem(f"{path} is not a JSON object")
    return found
