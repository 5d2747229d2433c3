"""The curriculum as a picture: alpha and beta over the share of the run, as SVG.

Written by hand: two lines and two axes are no reason for a plotting library.
"""

from __future__ import annotations

from training.curriculum import Curriculum
from training.settings import Curriculum as Settings

_POINTS = 401
_LEFT, _TOP, _WIDTH, _HEIGHT = 50, 40, 560, 260

_PAGE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 360" font-family="sans-serif" \
font-size="13">
<title>{title}</title>
<rect width="640" height="360" fill="white"/>
<text x="50" y="24">{title}</text>
{grid}
<polyline fill="none" stroke="#0060a0" stroke-width="2" points="{alpha}"/>
<polyline fill="none" stroke="#c05000" stroke-width="2" stroke-dasharray="7 4" points="{beta}"/>
<text x="490" y="60" fill="#0060a0">alpha (solid): token</text>
<text x="490" y="78" fill="#c05000">beta (dashed): L_s</text>
<text x="330" y="350" text-anchor="middle">share of the steps</text>
</svg>
"""


def svg(settings: Settings) -> str:
    """The picture's text.

    Raises:
        UsageProblem: the settings make no curriculum.
    """
    curriculum = Curriculum(_POINTS, settings.warmup, settings.alpha_end, settings.schedule)
    weights = [curriculum.weights(step) for step in range(_POINTS)]
    return _PAGE.format(
        title=f"{settings.schedule}, warm-up {settings.warmup:.0%}, "
        f"alpha ends at {settings.alpha_end:g}",
        grid="\n".join(_grid(quarter / 4) for quarter in range(5)),
        alpha=_line([alpha for alpha, _ in weights]),
        beta=_line([beta for _, beta in weights]),
    )


def _at(done: float, weight: float) -> tuple[float, float]:
    return _LEFT + _WIDTH * done, _TOP + _HEIGHT * (1.0 - weight)


def _line(weights: list[float]) -> str:
    places = (_at(i / (len(weights) - 1), weight) for i, weight in enumerate(weights))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _grid(value: float) -> str:
    """A horizontal line at a weight, and both axes' labels."""
    (left, y), (right, _), (x, bottom) = _at(0, value), _at(1, value), _at(value, 0)
    return (
        f'<line x1="{left}" y1="{y}" x2="{right}" y2="{y}" stroke="#ddd"/>'
        f'<text x="{left - 8}" y="{y + 4}" text-anchor="end">{value:g}</text>'
        f'<text x="{x}" y="{bottom + 20}" text-anchor="middle">{value:.0%}</text>'
    )
