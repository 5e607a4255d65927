"""Draws how many calls were admitted over time, many small pictures in one SVG. `accuracy` calls it."""

from collections.abc import Sequence
from typing import Final

_WIDTH: Final = 220
_HEIGHT: Final = 130
_GAP: Final = 44
_LEGEND: Final = 30
# Distinguishable without red and green; the fastest is drawn first, so that no other hides under it.
_COLOURS: Final = ("#0072b2", "#56b4e9", "#e69f00", "#cc79a7")

Panel = tuple[str, Sequence[tuple[str, Sequence[int]]]]
"""A title, and for each curve its name and the times of its calls in nanoseconds, in order."""


def draw(panels: Sequence[Panel], *, columns: int, span_ns: int, ceiling: tuple[int, int]) -> str:
    """The pictures, so many in a row. `ceiling` is how many calls there may be at the beginning and at the end."""
    rows = -(-len(panels) // columns)
    width, height = columns * (_WIDTH + _GAP) + _GAP, rows * (_HEIGHT + _GAP) + _GAP + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">',
        "<style>text {font: 11px sans-serif}</style>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, panel in enumerate(panels):
        left, top = _GAP + number % columns * (_WIDTH + _GAP), _GAP + number // columns * (_HEIGHT + _GAP)
        parts.append(f'<g transform="translate({left} {top})">')
        parts += _panel(panel, span_ns, ceiling)
        parts.append("</g>")
    for number, (name, _) in enumerate(panels[0][1]):
        left = _GAP + number * 110
        parts.append(f'<rect x="{left}" y="{height - 24}" width="18" height="4" fill="{_COLOURS[number]}"/>')
        parts.append(f'<text x="{left + 24}" y="{height - 18}">{name} the rate</text>')
    left = _GAP + len(panels[0][1]) * 110
    parts.append(f'<path d="M{left} {height - 22}h18" stroke="black" stroke-dasharray="4 3"/>')
    parts.append(f'<text x="{left + 24}" y="{height - 18}">the most there may be</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, span_ns: int, ceiling: tuple[int, int]) -> list[str]:
    title, curves = panel
    most = ceiling[1]
    y_first, y_last = _y(ceiling[0], most), _y(ceiling[1], most)
    return [
        f'<text x="0" y="-8" font-weight="bold">{title}</text>',
        f'<path d="M0 0V{_HEIGHT}H{_WIDTH}" fill="none" stroke="#888"/>',
        f'<text x="-6" y="8" text-anchor="end">{most}</text>',
        f'<text x="-6" y="{_HEIGHT}" text-anchor="end">0</text>',
        f'<text x="{_WIDTH}" y="{_HEIGHT + 13}" text-anchor="end">{span_ns // 1_000_000_000} s</text>',
        f'<path d="M0 {y_first}L{_WIDTH} {y_last}" stroke="black" stroke-dasharray="4 3"/>',
        *(
            f'<path d="{_curve(times, span_ns, most)}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            for colour, (_, times) in reversed(list(zip(_COLOURS, curves, strict=False)))
        ),
    ]


def _curve(times: Sequence[int], span_ns: int, most: int) -> str:
    """A step up for each call."""
    steps = (f"H{time_ns * _WIDTH / span_ns:.1f}V{_y(count, most)}" for count, time_ns in enumerate(times, 1))
    return f"M0 {_HEIGHT}{''.join(steps)}H{_WIDTH}"


def _y(count: int, most: int) -> str:
    return f"{_HEIGHT - count * _HEIGHT / most:.1f}"
