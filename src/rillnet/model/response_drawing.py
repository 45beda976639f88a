"""Accuracy per response as a picture: one curve for each rollout, over the update steps at which answers come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from rillnet.errors import RequestError

_WIDTH, _HEIGHT = 520.0, 300.0
_LEFT, _TOP, _BOTTOM = 58.0, 52.0, 54.0
_LEGEND = 190.0
_LETTER = 6.6
_MOST_TICKS = 12

_STYLE = """
text { font-family: Inter, "Helvetica Neue", Helvetica, Arial, sans-serif; font-size: 12px; fill: #3e4c59; }
.page { fill: #ffffff; }
.title { font-size: 14px; font-weight: 600; fill: #1f2933; }
.tick { font-size: 11px; fill: #7b8794; }
.grid { stroke: #e4e7eb; stroke-width: 1; }
.axis { stroke: #9aa5b1; stroke-width: 1; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
@media (prefers-color-scheme: dark) {
  .page { fill: #12161c; }
  text { fill: #a5b0bd; }
  .title { fill: #e4e8ee; }
  .tick { fill: #8b97a5; }
  .grid { stroke: #262d37; }
  .axis { stroke: #52606d; }
}
"""

_COLOURS = ("#d9480f", "#2f6fbf", "#2b8a3e", "#9c36b5", "#b8860b", "#0b7285")
"""Told apart also by those who see no red or green: warm and dark alternate, and each curve has marks of its own."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How well a net answers, response by response.

    Args:
        name: what the legend calls it.
        steps: update steps at which the responses come, ascending.
        accuracy: the share of right answers of each, from 0 to 1.
    """

    name: str
    steps: Sequence[float]
    accuracy: Sequence[float]


def responses_svg(curves: Sequence[Curve], title: str) -> str:
    """Draws accuracy per response over update steps.

    Args:
        curves: one for each rollout.
        title: what stands above.

    Returns:
        A stand-alone SVG, which adapts to light and dark surroundings.

    Raises:
        RequestError: there is nothing to draw.

    Example:
        >>> picture = responses_svg([Curve("streaming", [3, 4, 5], [0.2, 0.6, 0.8])], "mnist")
        >>> picture.startswith("<svg") and "streaming" in picture
        True
    """
    curves = [curve for curve in curves if curve.steps]
    if not curves:
        raise RequestError("there is no response to draw: no curve has a point")
    scale = _Scale(max(max(curve.steps) for curve in curves))
    legend = max(_LEGEND, 30 + _LETTER * max(len(curve.name) for curve in curves))
    width, height = _LEFT + _WIDTH + legend, _TOP + _HEIGHT + _BOTTOM
    parts = [f'<text class="title" x="{_LEFT:.0f}" y="26">{escape(title)}</text>', *scale.grid()]
    for number, curve in enumerate(curves):
        parts += [_curve(curve, number, scale), _entry(curve, number)]
    told = "; ".join(f"{c.name}: {c.accuracy[0]:.2f} first, {c.accuracy[-1]:.2f} last" for c in curves)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}"'
    view = f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{escape(f"{title}. {told}")}"'
    page = f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>'
    return "\n".join([f"{head} {view}>", f"<style>{_STYLE}</style>", page, *parts, "</svg>", ""])


@dataclass(frozen=True, slots=True)
class _Scale:
    """Where steps and shares lie in the picture.

    Args:
        last: the last update step.
    """

    last: float

    def x(self, step: float) -> float:
        return _LEFT + _WIDTH * step / max(self.last, 1)

    def y(self, share: float) -> float:
        return _TOP + _HEIGHT * (1 - share)

    def grid(self) -> list[str]:
        """Lines and numbers of both axes."""
        right, bottom = _LEFT + _WIDTH, _TOP + _HEIGHT
        found = []
        for fifth in range(6):
            y = self.y(fifth / 5)
            found.append(f'<line class="grid" x1="{_LEFT:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
            text = f"{fifth / 5:.1f}"
            found.append(f'<text class="tick" text-anchor="end" x="{_LEFT - 8:.1f}" y="{y + 4:.1f}">{text}</text>')
        for step in self._ticks():
            x = self.x(step)
            found.append(f'<line class="axis" x1="{x:.1f}" x2="{x:.1f}" y1="{bottom:.1f}" y2="{bottom + 4:.1f}"/>')
            found.append(f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{bottom + 18:.1f}">{step}</text>')
        found.append(f'<line class="axis" x1="{_LEFT:.1f}" x2="{right:.1f}" y1="{bottom:.1f}" y2="{bottom:.1f}"/>')
        middle = _LEFT + _WIDTH / 2
        found.append(f'<text text-anchor="middle" x="{middle:.1f}" y="{bottom + 40:.1f}">update steps</text>')
        turned = f'transform="rotate(-90 16 {_TOP + _HEIGHT / 2:.1f})"'
        found.append(f'<text text-anchor="middle" x="16" y="{_TOP + _HEIGHT / 2:.1f}" {turned}>accuracy</text>')
        return found

    def _ticks(self) -> list[int]:
        spacing = next((s for s in (1, 2, 5, 10, 20, 50, 100) if self.last / s <= _MOST_TICKS), 1000)
        return list(range(0, int(self.last) + 1, spacing))


def _curve(curve: Curve, number: int, scale: _Scale) -> str:
    points = [(scale.x(step), scale.y(share)) for step, share in zip(curve.steps, curve.accuracy, strict=True)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    marks = "".join(_mark(x, y, number) for x, y in points)
    colour = _COLOURS[number % len(_COLOURS)]
    return f'<polyline class="curve" stroke="{colour}" points="{line}"/><g fill="{colour}">{marks}</g>'


def _mark(x: float, y: float, number: int) -> str:
    """A disc, a square or a diamond, in turn."""
    if number % 3 == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    turned = f' transform="rotate(45 {x:.1f} {y:.1f})"' if number % 3 == 2 else ""
    return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7"{turned}/>'


def _entry(curve: Curve, number: int) -> str:
    x, y = _LEFT + _WIDTH + 22, _TOP + 10 + 20 * number
    colour = _COLOURS[number % len(_COLOURS)]
    mark = f'<g fill="{colour}">{_mark(x, y, number)}</g>'
    return f'{mark}<text x="{x + 12:.1f}" y="{y + 4:.1f}">{escape(curve.name)}</text>'
