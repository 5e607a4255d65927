"""Panels as HTML: a plain likeness of what Grafana draws, from the same answers. Values in, text out."""

import html
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from grafana.panels import Panel, Place

COLUMN_PX: Final = 66
ROW_PX: Final = 36
GAP_PX: Final = 8

_PALETTE: Final = (
    *("#73bf69", "#f2cc0c", "#8ab8ff", "#ff780a", "#f2495c"),
    *("#5794f2", "#b877d9", "#c9a227", "#37872d", "#fade2a"),
)
_COLORS: Final = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
_LEGEND_PX: Final = 22
_MARGIN_PX: Final = 66


class Series(msgspec.Struct, frozen=True):
    """One line of a panel, or one row of its table."""

    name: str
    labels: dict[str, str]
    points: tuple[tuple[float, float], ...]
    """Time in seconds and value, without those that are no numbers."""

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1][1]


def drawn(panel: Panel, place: Place, series: Sequence[Series]) -> str:
    """The panel in its place."""
    width, height = place.width * COLUMN_PX - GAP_PX, place.height * ROW_PX - GAP_PX
    body = {"timeseries": _lines, "stat": _stat, "bargauge": _bars, "table": _table}[panel.kind]
    inside = body(panel, series, width - 16, height - 36) if series else "<p class=none>No data</p>"
    style = f"left:{place.x * COLUMN_PX}px;top:{place.y * ROW_PX}px;width:{width}px;height:{height}px"
    return f'<section style="{style}"><h3>{html.escape(panel.title)}</h3>{inside}</section>'


def heading(title: str, place: Place) -> str:
    """The heading of a row."""
    return f'<h2 style="top:{place.y * ROW_PX}px">{html.escape(title)}</h2>'


def worded(value: float, panel: Panel) -> str:
    """A value with its unit, as a person writes it."""
    for number, word in panel.names:
        if value == number:
            return word
    match panel.unit:
        case "percentunit":
            return f"{value * 100:.3g} %"
        case "s":
            return _scaled(value, ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms"), (1e-6, "µs")))
        case "bytes":
            return _scaled(value, ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B")))
        case "reqps":
            return f"{value:.3g} req/s"
        case "cps":
            return f"{value:.3g} c/s"
        case _:
            return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _scaled(value: float, units: Sequence[tuple[float, str]]) -> str:
    for size, unit in units:
        if abs(value) >= size:
            return f"{value / size:.3g} {unit}"
    return f"0 {units[-1][1]}" if value == 0 else f"{value / units[-1][0]:.2g} {units[-1][1]}"


def _color(panel: Panel, value: float) -> str:
    found = panel.below
    for step in panel.steps:
        if value >= step.value:
            found = step.color
    return _COLORS[found]


def _lines(panel: Panel, series: Sequence[Series], width: int, height: int) -> str:
    plot = height - _LEGEND_PX - 16
    times = [time for one in series for time, _ in one.points]
    first, span = min(times), max(max(times) - min(times), 1)
    stacked = _stacked(series) if panel.is_stacked else series
    highest = panel.maximum or max((value for one in stacked for _, value in one.points), default=0) * 1.1 or 1

    def at(time: float, value: float) -> str:
        x = _MARGIN_PX + (time - first) / span * (width - _MARGIN_PX)
        return f"{x:.1f},{8 + plot - min(value / highest, 1) * plot:.1f}"

    parts = [_axis(panel, highest, width, plot), *_paths(panel, stacked, at)]
    legend = "".join(
        f'<span><i style="background:{_PALETTE[i % len(_PALETTE)]}"></i>{html.escape(one.name)}</span>'
        for i, one in enumerate(series)
    )
    return f'<svg width="{width}" height="{plot + 16}">{"".join(parts)}</svg><div class=legend>{legend}</div>'


def _axis(panel: Panel, highest: float, width: int, plot: int) -> str:
    marks = []
    for share in (0, 0.5, 1):
        y = 8 + plot * (1 - share)
        label = html.escape(worded(highest * share, msgspec.structs.replace(panel, names=())))
        marks.append(
            f'<line x1="{_MARGIN_PX}" x2="{width}" y1="{y}" y2="{y}" class=grid />'
            f'<text x="{_MARGIN_PX - 4}" y="{y + 3}">{label}</text>'
        )
    return "".join(marks)


def _paths(panel: Panel, series: Sequence[Series], at: Callable[[float, float], str]) -> list[str]:
    paths = []
    # The highest of a stack first, so that those under it stay visible.
    for index, one in reversed(list(enumerate(series))):
        color = _PALETTE[index % len(_PALETTE)]
        points = " ".join(at(*point) for point in one.points)
        first, last = one.points[0][0], one.points[-1][0]
        paths.append(
            f'<polygon points="{at(first, 0)} {points} {at(last, 0)}" fill="{color}" '
            f'fill-opacity="{0.35 if panel.is_stacked else 0.07}" />'
            f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5" />'
        )
    return paths


def _stacked(series: Sequence[Series]) -> list[Series]:
    below: dict[float, float] = {}
    stacked = []
    for one in series:
        points = []
        for time, value in one.points:
            below[time] = below.get(time, 0) + value
            points.append((time, below[time]))
        stacked.append(msgspec.structs.replace(one, points=tuple(points)))
    return stacked


def _stat(panel: Panel, series: Sequence[Series], width: int, height: int) -> str:
    size = min(height // max(1, len(series)) - 14, 44)
    values = "".join(
        f"<div><small>{html.escape(one.name) if len(series) > 1 else ''}</small>"
        f'<b style="color:{_color(panel, one.last)};font-size:{size}px">'
        f"{html.escape(worded(one.last, panel))}</b></div>"
        for one in series
    )
    return f'<div class="stat {"beside" if width > height * 2 else ""}" style="height:{height}px">{values}</div>'


def _bars(panel: Panel, series: Sequence[Series], width: int, height: int) -> str:
    highest = panel.maximum or max(one.last for one in series) or 1
    bars = "".join(
        f"<div class=bar><span>{html.escape(one.name)}</span>"
        f'<i><u style="width:{one.last / highest * 100:.1f}%;background:{_color(panel, one.last)}"></u></i>'
        f'<b style="color:{_color(panel, one.last)}">{html.escape(worded(one.last, panel))}</b></div>'
        for one in series
    )
    return f'<div style="height:{height}px;width:{width}px;overflow:hidden">{bars}</div>'


def _table(panel: Panel, series: Sequence[Series], width: int, height: int) -> str:
    heads = "".join(f"<th>{html.escape(name)}</th>" for name in (*panel.columns, panel.value_name))
    rows = "".join(
        "<tr>"
        + "".join(f"<td>{html.escape(one.labels.get(name, ''))}</td>" for name in panel.columns)
        + f"<td>{html.escape(worded(one.last, panel))}</td></tr>"
        for one in sorted(series, key=lambda one: -one.last)
    )
    return f'<div style="height:{height}px;width:{width}px;overflow:hidden"><table><tr>{heads}</tr>{rows}</table></div>'
