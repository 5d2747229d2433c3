"""The results as one page: tables and pictures, nothing loaded from anywhere, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from training.experiments import plots, table
from training.experiments.table import Section

_SERIES = {
    "token_loss": "Token loss over the steps",
    "structural_loss": "L_s over the steps (different arms, different numbers)",
    "gradient_ratio": "Gradient of L_s over that of the token loss, over the steps",
}
_LIGHT = ("0b5cad", "b4470a", "1a7f4b", "8b2fb0", "a8162c", "57606a", "8a6d00", "00707a",
          "c2185b", "3f51b5")  # fmt: skip
_DARK = ("6cb2ff", "ff9e64", "5fd39a", "d79bff", "ff8b97", "b6c0ca", "e2c044", "5ad1dc",
         "ff8fc0", "a3b1ff")  # fmt: skip
_DASHES = ("none", "7 4", "2 3", "10 3 2 3", "4 2", "12 4", "1 4", "6 2 2 2", "14 3 3 3", "3 6")

_STYLE = """\
:root { color-scheme: light dark; --ink: #1d2329; --faint: #d5dade; --back: #ffffff;
  --row: #f4f6f8; --accent: #0b5cad; %(light)s }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e7eb; --faint: #3b434c; --back: #14181c; --row: #1c2228;
    --accent: #6cb2ff; %(dark)s } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--back);
  max-width: 1060px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin-top: 2.2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13.5px; }
th, td { text-align: left; padding: .3em .7em; border-bottom: 1px solid var(--faint);
  vertical-align: top; }
tbody tr:nth-child(even) { background: var(--row); }
th { border-bottom: 2px solid var(--faint); }
svg { width: 100%%; max-width: 760px; font-size: 12px; fill: var(--ink); }
.grid { stroke: var(--faint); }
.bar { stroke: var(--accent); stroke-width: 2; }
.mean { fill: var(--accent); }
.seed { fill: none; stroke: var(--ink); }
.line { fill: none; stroke-width: 2; }
.line.solid { stroke-dasharray: none; stroke-width: 1.5; }
%(kinds)s"""


def html(found: Mapping[str, Any]) -> str:
    """The page's text."""
    title = escape(f"Experiments: {found['set']}")
    body = "\n".join(_section(section, found) for section in table.sections(found))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width">\n<title>{title}</title>\n'
        f"<style>\n{_style()}\n</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _style() -> str:
    kinds = "\n".join(
        f".k{n} {{ stroke: var(--k{n}); stroke-dasharray: {dash}; }} .dot.k{n} "
        f"{{ fill: var(--k{n}); stroke: none; }}"
        for n, dash in enumerate(_DASHES)
    )
    light, dark = (
        " ".join(f"--k{n}: #{colour};" for n, colour in enumerate(colours))
        for colours in (_LIGHT, _DARK)
    )
    return _STYLE % {"light": light, "dark": dark, "kinds": kinds}


def _section(section: Section, found: Mapping[str, Any]) -> str:
    level = "h1" if section.title.startswith("Experiments: ") else "h2"
    parts = [f"<{level}>{escape(section.title)}</{level}>"]
    parts += [f"<p>{escape(text)}</p>" for text in section.texts]
    parts += _pictures(section.title, found)
    if section.head and section.rows:
        parts.append(_table(section.head, section.rows))
    if section.points:
        items = "\n".join(f"<li>{escape(point)}</li>" for point in section.points)
        parts.append(f"<ul>\n{items}\n</ul>")
    return "\n".join(parts)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def cells(texts: Sequence[str], kind: str) -> str:
        return "".join(f"<{kind}>{escape(text)}</{kind}>" for text in texts)

    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="wide"><table>\n<thead><tr>{cells(head, "th")}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )


def _pictures(title: str, found: Mapping[str, Any]) -> list[str]:
    """The pictures that belong under a section's heading."""
    for name, asked in found["questions"].items():
        if title == table.questions_title(name):
            return _passed(name, asked)
    if title == table.TRAINING:
        return [text for key, name in _SERIES.items() if (text := _over_steps(key, name, found))]
    if found.get("curve") and title == table.curve_title(found["curve"]):
        return _curve(found["curve"])
    return []


def _passed(name: str, asked: Mapping[str, Any]) -> list[str]:
    rows = [
        plots.Row(
            row["arm"], row["pass@1"]["value"], row["pass@1"]["low"], row["pass@1"]["high"],
            [value for value in row["by_seed"] if value is not None],
        )
        for row in asked["arms"] if row["pass@1"]
    ]  # fmt: skip
    return [plots.intervals(f"pass@1 by arm, {name}", rows)] if rows else []


def _over_steps(key: str, title: str, found: Mapping[str, Any]) -> str:
    lines = [
        plots.Line(arm["name"], [(x, y) for x, y in arm["series"][key]])
        for arm in found["arms"]
        # One step is no line: an arm that tunes nothing.
        if len(arm["series"].get(key, ())) > 1
    ]
    if not lines:
        return ""
    return f"<h3>{escape(title)}</h3>\n{plots.lines(title, lines, 'step')}"


def _curve(curve: Mapping[str, Any]) -> list[str]:
    lines = [
        plots.Line(
            name,
            [(point["size"], point["value"]) for point in points],
            [(point["low"], point["high"]) for point in points],
        )
        for name, points in curve["points"].items() if points
    ]  # fmt: skip
    if not lines:
        return []
    title = f"pass@1 by {curve['axis']}"
    return [plots.lines(title, lines, curve["axis"], per_cent=True)]
