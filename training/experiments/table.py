"""The tables of a set, once for all forms; and their Markdown.

Shares are per cent, differences points of per cent. A table says which test, how many problems
and seeds, and what could have been found, so that no row is read as more than it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from training.progress import duration

TRAINING = "Training and cost"
_LEVEL = 0.05
_EDGE = 0.03
_SCORE_NAMES = {"l_s": "L_s", "syntax": "syntax match", "data_flow": "data-flow match"}
_READING = (
    "pass@1: share of questions whose first, greedy answer passes all tests. Intervals are at "
    "95%. Difference: from the arm that is named, in points. p: two-sided, of no difference; Holm: "
    "corrected for the number of arms in the table. Detectable: the smallest true difference that "
    "this many problems and seeds find with a probability of 80% (uncorrected). Syntax and data "
    "flow: match with the reference, means over all answers; the last row is what unrelated "
    "programs score."
)


@dataclass(frozen=True)
class Section:
    """A heading, sentences, and a table.

    Attributes:
        title: of the section.
        texts: paragraphs before the table.
        head: of the columns; empty: no table.
        rows: cells as texts.
        points: sentences behind the table, as a list.
    """

    title: str
    texts: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    points: tuple[str, ...] = ()


def sections(found: Mapping[str, Any]) -> list[Section]:
    """Everything that is said of a set, in the order of importance."""
    made = [_opening(found)]
    made += [_questions(name, asked, found) for name, asked in found["questions"].items()]
    if found.get("correlation"):
        made.append(_correlation(found["correlation"]))
    if found.get("curve"):
        made.append(_curve(found["curve"]))
    return [*made, _training(found), _arms(found), _runs(found), _versions(found)]


def _opening(found: Mapping[str, Any]) -> Section:
    states = [run["status"] for arm in found["arms"] for run in arm["runs"]]
    counts = [f"{states.count(s)} {s}" for s in ("done", "failed", "not run") if s in states]
    texts = (
        f"Question: {found['summary']}",
        f"{len(found['arms'])} arms, {found['seeds']} seeds; runs: {', '.join(counts)}.",
        _sharing(found),
        *found["notes"],
        _READING,
    )
    return Section(f"Experiments: {found['set']}", texts)


def _sharing(found: Mapping[str, Any]) -> str:
    """Which part of the chance the seeds stand for."""
    stages = ", ".join(found["shared"])
    if found["own_base"]:
        return f"Each seed makes all of its stages anew, those before the adapter too ({stages})."
    return (
        f"Made once, with seed 1, and shared by all arms and seeds: {stages}. A seed changes the "
        "adapter's first weights and the order of its data; so the intervals say nothing about "
        "another base. `--own-base` makes these stages anew for each seed."
    )


def _questions(name: str, asked: Mapping[str, Any], found: Mapping[str, Any]) -> Section:
    head = (
        "arm", "pass@1", "interval", "by seed", "difference", "interval", "p", "p, Holm",
        "detectable", "syntax", "data flow",
    )  # fmt: skip
    rows = [_question_row(row) for row in asked["arms"] if row["pass@1"]]
    if name in found["floors"]:
        floor = found["floors"][name]
        rows.append(("(chance)", *[""] * 8, share(floor["syntax"]), share(floor["data_flow"])))
    methods = sorted({row["pass@1"]["method"] for row in asked["arms"] if row["pass@1"]})
    tests = sorted({row["difference"]["test"] for row in asked["arms"] if row["difference"]})
    how = f"{asked['problems']} problems. Interval: {', '.join(methods) or 'none'}."
    if tests:
        how += f" Test: {', '.join(tests)}."
    how += _too_hard_or_easy([row["pass@1"]["value"] for row in asked["arms"] if row["pass@1"]])
    says = tuple(sentence(row) for row in asked["arms"] if row["difference"])
    return Section(questions_title(name), (how,), head, tuple(rows), says)


def _too_hard_or_easy(values: Sequence[float]) -> str:
    """Where all arms stand at an end of the scale, no difference is no finding."""
    for edge, name in ((max(values, default=1.0), "none"), (1 - min(values, default=0.0), "all")):
        if edge < _EDGE:
            return (
                f" Every arm passes nearly {name} of these questions: they can not tell arms "
                "apart, whatever stands below."
            )
    return ""


def questions_title(name: str) -> str:
    """The heading of a set of questions."""
    return "All questions together" if name == "all" else f"Questions: {name}"


def curve_title(curve: Mapping[str, Any]) -> str:
    """The heading of the curve."""
    return f"pass@1 by {curve['axis']}"


def _question_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    passed, change = row["pass@1"], row["difference"]
    compared: tuple[str, ...] = ("", "", "", "", "")
    if change:
        compared = (
            points(change["value"]),
            f"{points(change['low'])} to {points(change['high'])}",
            p_value(change["p"]),
            p_value(change["p_holm"]),
            detectable(change["detectable"]),
        )
    return (
        row["arm"],
        share(passed["value"]),
        f"{share(passed['low'])} to {share(passed['high'])}",
        ", ".join("-" if value is None else f"{100 * value:.1f}" for value in row["by_seed"]),
        *compared,
        *(share(row[key]["value"]) if row[key] else "-" for key in ("syntax", "data_flow")),
    )


def sentence(row: Mapping[str, Any]) -> str:
    """What a comparison shows, and where it shows nothing that it does not."""
    change = row["difference"]
    size = f"{points(change['value'])} points ({points(change['low'])} to {points(change['high'])})"
    against, p = change["against"], p_value(change["p_holm"])
    if change["p_holm"] < _LEVEL:
        word = "more" if change["value"] > 0 else "less"
        return f"{row['arm']} passes {word} than {against}: {size}, p = {p} after Holm."
    return (
        f"{row['arm']} is not told apart from {against}: {size}, p = {p} after Holm; a true "
        f"difference of {detectable(change['detectable'])} points would have been seen in four "
        "of five such experiments, before the correction."
    )


def _correlation(rows: Sequence[Mapping[str, Any]]) -> Section:
    head = ("arm", "score", "over all answers", "interval", "within problems", "interval",
            "answers", "problems")  # fmt: skip
    text = (
        "Pearson's r of a score with passing all tests (1 or 0), with a bootstrap over problems. "
        "Within problems: each answer against the others to its question, which is what a loss "
        "can use. L_s is a distance: a negative r means that nearer programs pass more often."
    )
    made = tuple(
        (
            row["arm"], _SCORE_NAMES[row["score"]], *_r(row["overall"]), *_r(row["within"]),
            str(row["answers"]), str(row["problems"]),
        )
        for row in rows
    )  # fmt: skip
    return Section("Scores against passing tests", (text,), head, made)


def _r(found: Mapping[str, Any]) -> tuple[str, str]:
    if found["r"] is None:
        return "-", "does not vary"
    return f"{found['r']:+.3f}", f"{found['low']:+.3f} to {found['high']:+.3f}"


def _curve(curve: Mapping[str, Any]) -> Section:
    rows = tuple(
        (name, f"{point['size']:,.0f}", share(point["value"]),
         f"{share(point['low'])} to {share(point['high'])}")
        for name, found in curve["points"].items() for point in found
    )  # fmt: skip
    return Section(curve_title(curve), (), ("questions", curve["axis"], "pass@1", "interval"), rows)


def _training(found: Mapping[str, Any]) -> Section:
    head = ("arm", "token loss", "L_s", "gradient ratio", "tokens", "processor time", "time")
    text = (
        "Means of the last tenth of the steps, over the seeds. Gradient ratio: norm of the "
        "gradient of L_s over that of the token loss at the last hidden state, unweighted; L_s "
        "of different arms are different numbers. Times are of one run, without what is shared, "
        "on this machine, beside whatever else it did."
    )
    return Section(TRAINING, (text,), head, tuple(map(_cost_row, found["arms"])))


def _cost_row(arm: Mapping[str, Any]) -> tuple[str, ...]:
    done = [run for run in arm["runs"] if run["status"] == "done"]
    ends = [_end(arm["end"], key) for key in ("token_loss", "structural_loss", "gradient_ratio")]
    if not done:
        return (arm["name"], *ends, "-", "-", "-")
    mean = {k: sum(run["cost"][k] for run in done) / len(done) for k in ("cpu_seconds", "seconds")}
    tokens = sum(run["tokens"] for run in done) / len(done)
    return (
        arm["name"], *ends, f"{tokens:,.0f}", duration(mean["cpu_seconds"]),
        duration(mean["seconds"]),
    )  # fmt: skip


def _end(end: Mapping[str, float], key: str) -> str:
    return f"{end[key]:.4g}" if key in end else "-"


def _arms(found: Mapping[str, Any]) -> Section:
    rows = tuple((arm["name"], arm["asks"], _changes(arm), arm["command"]) for arm in found["arms"])
    return Section("Arms", (), ("arm", "what it asks", "changed", "command"), rows)


def _changes(arm: Mapping[str, Any]) -> str:
    changes = [*arm["changes"], *([f"reasoning: {arm['reasoning']}"] if arm["reasoning"] else [])]
    return ", ".join(changes) or "nothing"


def _runs(found: Mapping[str, Any]) -> Section:
    rows = tuple(
        (arm["name"], str(run["seed"]), run["status"], run.get("reason", ""))
        for arm in found["arms"] for run in arm["runs"] if run["status"] != "done"
    )  # fmt: skip
    if not rows:
        return Section("Runs", ("All runs are done.",))
    text = "A failed run is tried again by the same command, from where it stopped."
    return Section("Runs that are missing", (text,), ("arm", "seed", "state", "reason"), rows)


def _versions(found: Mapping[str, Any]) -> Section:
    listed = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return Section("How this was made", (found["command"], listed))


def share(value: float | None) -> str:
    """A share in per cent."""
    return "-" if value is None else f"{100 * value:.1f}%"


def points(value: float) -> str:
    """A difference of two shares."""
    return f"{100 * value:+.1f}"


def detectable(value: float) -> str:
    """A difference in points; there is none beyond all of them."""
    return "more than 100" if value > 1 else f"{100 * value:.1f}"


def p_value(p: float) -> str:
    """With the digits that mean something."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def markdown(found: Mapping[str, Any]) -> str:
    """The whole of it as Markdown."""
    return "\n".join(_lines(section, first=not i) for i, section in enumerate(sections(found)))


def _lines(section: Section, *, first: bool) -> str:
    lines = [f"{'#' if first else '##'} {section.title}", ""]
    for text in section.texts:
        lines += [_escaped(text), ""]
    if section.head and section.rows:
        lines += [_row(section.head), "|" + "---|" * len(section.head)]
        lines += [*map(_row, section.rows), ""]
    lines += [f"- {_escaped(point)}" for point in section.points]
    return "\n".join([*lines, ""] if section.points else lines)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(map(_escaped, cells)) + " |"


def _escaped(text: str) -> str:
    """One line of text that is no markup: a reason of a failure may hold anything."""
    plain = " ".join(text.split())
    for mark in ("\\", "|", "<", "`"):
        plain = plain.replace(mark, f"\\{mark}")
    return plain
