"""Time, memory, disk and money of every stage, each with its formula."""

from __future__ import annotations

from training.plan import corpus as data
from training.plan import memory, scratch, shapes, tuning
from training.plan.corpus import Corpus
from training.plan.numbers import Estimate, size
from training.plan.shapes import Shape
from training.settings import Settings

WHOLE = "whole run"
"""What is said of all stages together."""
_GGUF_BYTES = {"F32": 4.0, "F16": 2.0, "BF16": 2.0, "Q8_0": 34 / 32}
_ENCODED_A_SECOND = 189e6
"""Weights that one core writes as Q8_0 in a second, measured on an x86-64 server."""
_DATA_SET_BYTES = {"taco": 2.17e9}
_DESKTOP_BYTES_A_SECOND = 50e9
"""What a desktop's memory gives: an assumption."""
_COMPARED_LAYERS = 2
"""Layers in float32 while the GGUF is compared: the one that computes, and its merge or what it
computes."""
_COMPARED_LOGITS = 4 * 256
"""Values of each token of the vocabulary then: of the model, of the file and what lies between, at
256 places."""


def estimates(settings: Settings) -> dict[str, list[Estimate]]:
    """By stage, `WHOLE` last; a stage without an entry costs little.

    Raises:
        UsageProblem: a setting means nothing; the message names it.
        DataProblem: the student's config.json can not be read.
    """
    ahead = data.forecast(settings)
    found: dict[str, list[Estimate]] = {}
    if settings.chain != "untrained":
        found["problems"] = [*ahead.problem_lines, *_problem_files(settings, ahead)]
        found["contexts"] = teacher(settings, ahead)
    if settings.chain == "scratch":
        return found | _from_nothing(settings, ahead)
    return found | _from_a_model(settings, ahead)


def _from_nothing(settings: Settings, ahead: Corpus) -> dict[str, list[Estimate]]:
    shape = shapes.scratch(settings)
    tokens, _, _ = data.budget(settings, ahead)
    time = scratch.time("time", tokens, settings, shape)
    return {
        "base": scratch.base(settings, shape),
        "adapter": [*tuning.trained(settings, shape, ahead), time],
        "gguf": [_file(settings, shape)],
        "evaluate": [_questions(settings)],
        WHOLE: scratch.whole(settings, shape, ahead, tokens),
    }


def _from_a_model(settings: Settings, ahead: Corpus) -> dict[str, list[Estimate]]:
    shape = shapes.of(settings)
    if shape is None:
        return {"student": [_unknown(settings)], "evaluate": [_questions(settings)]}
    found = {"student": _student(shape)}
    if settings.chain == "pretrained":
        found["adapter"] = [
            *ahead.example_lines,
            *tuning.trained(settings, shape, ahead),
            *tuning.on_a_card(settings, shape, ahead),
        ]
    found["gguf"] = [_file(settings, shape), _encoding(shape)]
    found["evaluate"] = [_questions(settings), _answering(settings, shape)]
    found[WHOLE] = _whole(settings, shape, ahead)
    return found


def teacher(settings: Settings, ahead: Corpus) -> list[Estimate]:
    """What the teacher will cost."""
    from training.teachers import estimates as teachers

    if settings.contexts.teacher == "program":
        why = "no service is called with teacher=program"
        return [Estimate("cost", "nothing but electricity", why)]
    asked = teachers.outlook(settings.contexts, ahead.asked, settings.seed)
    note = f"; {ahead.asked:,} problems of {teachers.ASSUMED_CHARACTERS:,} characters, assumed"
    return [
        Estimate(f"teacher, {what}", value, formula + (note if what == "prompt tokens" else ""))
        for what, value, formula in asked.formulas
    ]


def _student(shape: Shape) -> list[Estimate]:
    return [
        Estimate(
            "parameters",
            f"{shape.parameters:,}",
            f"embedding + output + {shape.layers} layers x (attention + feed-forward), by "
            f"{shape.source}",
        ),
        Estimate(
            "disk",
            size(2.0 * shape.parameters),
            "2 bytes a parameter; nothing is fetched when the folder or the cache has it",
        ),
    ]


def _file(settings: Settings, shape: Shape) -> Estimate:
    kind = settings.export.type
    width = _GGUF_BYTES.get(kind, 2.0)
    return Estimate("disk", size(width * shape.parameters), f"{width:g} bytes a parameter ({kind})")


def _encoding(shape: Shape) -> Estimate:
    from training.progress import duration

    seconds = shape.parameters / _ENCODED_A_SECOND
    formula = f"{shape.parameters:,} weights / {_ENCODED_A_SECOND / 1e6:,.0f} million a second"
    return Estimate("time to write it", duration(seconds), f"{formula} of one core")


def questions(settings: Settings) -> tuple[int, str]:
    """How many answers the evaluation takes at most, and of what."""
    from assistant.benchmarks import catalogue
    from training.world.evaluation import HANDWRITTEN

    wanted = settings.evaluate
    parts: list[tuple[str, int]] = []
    for name in filter(None, (one.strip() for one in wanted.benchmarks.split(","))):
        found = catalogue.find(name)
        parts.append((found.name, min(found.tasks, wanted.limit or found.tasks)))
    if not parts:  # benchmarks take the place of the sets that are made here
        made = settings.problems.source == "world"
        parts = [("held out", wanted.heldout), ("validation", wanted.validation if made else 0)]
        if wanted.handwritten:
            parts.append(("handwritten", len(HANDWRITTEN.read_bytes().splitlines())))
        parts.append(("mbpp where its data is", wanted.mbpp))
    shown = [(name, count) for name, count in parts if count]
    return sum(count for _, count in shown), " + ".join(f"{name} {n:,}" for name, n in shown)


def _questions(settings: Settings) -> Estimate:
    count, formula = questions(settings)
    return Estimate("answers", f"at most {count:,}", formula or "nothing is asked")


def _answering(settings: Settings, shape: Shape) -> Estimate:
    """Writing a token reads the whole file once, when one answer is written at a time."""
    from training.progress import duration

    count, _ = questions(settings)
    tokens = count * settings.evaluate.max_new_tokens
    read = _GGUF_BYTES.get(settings.export.type, 2.0) * shape.parameters
    rate = _DESKTOP_BYTES_A_SECOND / read
    return Estimate(
        "time on a processor",
        f"at most {duration(tokens / rate)}",
        f"{count:,} x {settings.evaluate.max_new_tokens:,} tokens / {rate:,.1f} a second = "
        f"{_DESKTOP_BYTES_A_SECOND / 1e9:g} GB a second (assumption: a desktop's memory) / "
        f"{size(read)} read for each, one answer at a time; answers end long before",
    )


def _problem_files(settings: Settings, ahead: Corpus) -> list[Estimate]:
    lines = []
    if (whole := _DATA_SET_BYTES.get(settings.problems.source)) is not None:
        lines.append(
            Estimate("disk, data set", size(whole), "its size on the hub; once, in the cache")
        )
    lines.append(Estimate("disk", size(2500.0 * ahead.problems), "2.5 kB a problem"))
    return lines


def _unknown(settings: Settings) -> Estimate:
    model = settings.student.model or "student.model is empty"
    return Estimate(
        "parameters",
        "not known",
        f"{model}: no config.json of it is on this machine, and it is not in the table; memory, "
        "disk and time follow from it",
    )


def _whole(settings: Settings, shape: Shape, ahead: Corpus) -> list[Estimate]:
    """Disk and host memory of all stages."""
    parts = {"student": 2.0 * shape.parameters}
    parts["GGUF"] = _GGUF_BYTES.get(settings.export.type, 2.0) * shape.parameters
    if settings.chain == "pretrained":
        count = shapes.trainable(shape, settings.adapter)
        parts |= {
            "data": _DATA_SET_BYTES.get(settings.problems.source, 0.0) + 6000.0 * ahead.problems,
            "adapter (4 bytes a weight)": 4.0 * count,
            "checkpoint and its successor (12 bytes a weight each)": 24.0 * count,
        }
        if settings.structural.arm != "off" and settings.structural.encoder != "own":
            parts["encoder"] = 4.0 * memory.ENCODER_WEIGHTS
    formula = " + ".join(f"{what} {size(part)}" for what, part in parts.items())
    compared = 4.0 * (
        _COMPARED_LAYERS * shape.linear / shape.layers + _COMPARED_LOGITS * shape.vocabulary
    )
    host = 1.5e9 + compared + parts["GGUF"] + 3000.0 * ahead.problems
    return [
        Estimate("disk", size(sum(parts.values())), formula),
        Estimate(
            "host memory",
            size(host),
            f"1.5 GB of libraries + {size(compared)} for two layers and logits in float32 and "
            "the GGUF while both are compared + 3 kB a problem; what tuning takes of a processor's "
            "memory or a card's is told with the stage adapter",
        ),
    ]
