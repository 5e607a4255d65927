"""Panels and dashboards as declared here, and as Grafana's classic model writes them.

Values and their JSON, nothing else: what is on which dashboard stands in `overview` and `policy`. Called by `build`,
by the check that runs every query, and by the preview.
"""

from collections.abc import Iterator
from typing import Any, Final, Literal, assert_never

import msgspec

SCHEMA_VERSION: Final = 42
COLUMNS: Final = 24

Kind = Literal["timeseries", "stat", "bargauge", "table"]
Json = dict[str, Any]

_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
_GREEN: Final = "green"


class Query(msgspec.Struct, frozen=True):
    """One PromQL expression of a panel."""

    expr: str
    legend: str = "__auto"


class Step(msgspec.Struct, frozen=True):
    """From `value` on, the colour is another."""

    value: float
    color: str


class Panel(msgspec.Struct, frozen=True):
    """One panel: what it asks, and how it shows the answer."""

    title: str
    description: str
    unit: str
    queries: tuple[Query, ...]
    kind: Kind = "timeseries"
    width: int = 8
    height: int = 8
    steps: tuple[Step, ...] = ()
    """Colours by value, lowest first; below the first one all is well, unless `below` says otherwise."""
    below: str = _GREEN
    is_stacked: bool = False
    maximum: float | None = None
    names: tuple[tuple[float, str], ...] = ()
    """Values that are shown as words."""
    columns: tuple[str, ...] = ()
    """Of a table: the labels that are shown, in their order. The value comes last."""
    value_name: str = "Value"
    """Of a table: what its value is called."""


class Row(msgspec.Struct, frozen=True):
    """Panels under one heading, placed from left to right and broken where the width ends."""

    title: str
    panels: tuple[Panel, ...]


class Variable(msgspec.Struct, frozen=True):
    """A choice at the top of a dashboard: the values that `label` has in `metric`."""

    name: str
    metric: str
    label: str
    description: str


class Dashboard(msgspec.Struct, frozen=True):
    """One dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]

    @property
    def panels(self) -> Iterator[Panel]:
        """Every panel, from the top."""
        for row in self.rows:
            yield from row.panels


class Place(msgspec.Struct, frozen=True):
    """Where something is on the grid of 24 columns."""

    x: int
    y: int
    width: int
    height: int


def placed(dashboard: Dashboard) -> Iterator[tuple[Place, Row | Panel]]:
    """Every heading and panel with its place."""
    y = 0
    for row in dashboard.rows:
        yield Place(0, y, COLUMNS, 1), row
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield Place(x, y, panel.width, panel.height), panel
            x, tallest = x + panel.width, max(tallest, panel.height)
        y += tallest


def dashboard_json(dashboard: Dashboard, links: tuple[Dashboard, ...] = ()) -> Json:
    """The dashboard in Grafana's classic model. `links` are the dashboards to go to from here."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["mcp-gateway"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [_link(other) for other in links],
        "templating": {"list": [_datasource(), *(_variable(variable) for variable in dashboard.variables)]},
        "panels": [
            _row(place, item, number) if isinstance(item, Row) else _panel(place, item, number)
            for number, (place, item) in enumerate(placed(dashboard), start=1)
        ],
    }


def _link(dashboard: Dashboard) -> Json:
    return {
        "asDropdown": False,
        "icon": "dashboard",
        "includeVars": True,
        "keepTime": True,
        "tags": [],
        "targetBlank": False,
        "title": dashboard.title,
        "tooltip": dashboard.description,
        "type": "link",
        "url": f"/d/{dashboard.uid}",
    }


def _datasource() -> Json:
    return {
        "name": "datasource",
        "label": "Prometheus",
        "description": "The Prometheus that scrapes the gateway.",
        "type": "datasource",
        "query": "prometheus",
        "options": [],
    }


def _variable(variable: Variable) -> Json:
    return {
        "name": variable.name,
        "label": variable.name,
        "description": variable.description,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": f"label_values({variable.metric}, {variable.label})", "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        # Not every series has a tool; this matches those without one too.
        "allValue": ".*",
        "current": {"text": ["All"], "value": ["$__all"]},
        "options": [],
    }


def _row(place: Place, row: Row, number: int) -> Json:
    return {
        "id": number,
        "type": "row",
        "title": row.title,
        "collapsed": False,
        "gridPos": _position(place),
        "panels": [],
    }


def _panel(place: Place, panel: Panel, number: int) -> Json:
    written = {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": _position(place),
        "targets": [_target(query, panel, letter) for query, letter in zip(panel.queries, "ABCDEFGH", strict=False)],
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
    }
    if panel.kind == "table":
        written["transformations"] = [_as_columns(panel)]
    return written


def _position(place: Place) -> Json:
    return {"x": place.x, "y": place.y, "w": place.width, "h": place.height}


def _target(query: Query, panel: Panel, letter: str) -> Json:
    is_series = panel.kind == "timeseries"
    return {
        "refId": letter,
        "datasource": _SOURCE,
        "editorMode": "code",
        "expr": query.expr,
        "legendFormat": query.legend,
        "range": is_series or panel.kind == "stat",
        "instant": not is_series and panel.kind != "stat",
        "format": "table" if panel.kind == "table" else "time_series",
    }


def _field(panel: Panel) -> Json:
    defaults: Json = {
        "unit": panel.unit,
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "thresholds": {
            "mode": "absolute",
            "steps": [
                {"color": panel.below, "value": None},
                *({"color": step.color, "value": step.value} for step in panel.steps),
            ],
        },
        "mappings": [
            {"type": "value", "options": {f"{value:g}": {"text": text, "index": index}}}
            for index, (value, text) in enumerate(panel.names)
        ],
        "min": 0,
    }
    if panel.maximum is not None:
        defaults["max"] = panel.maximum
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "drawStyle": "line",
            "lineInterpolation": "linear",
            "lineWidth": 1,
            "fillOpacity": 25 if panel.is_stacked else 8,
            "showPoints": "never",
            "stacking": {"mode": "normal" if panel.is_stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "line" if panel.steps else "off"},
        }
    return defaults


def _options(panel: Panel) -> Json:
    last: Json = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    match panel.kind:
        case "timeseries":
            return {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }
        case "stat":
            return {
                "reduceOptions": last,
                "orientation": "auto",
                "colorMode": "value",
                "graphMode": "area",
                "justifyMode": "auto",
                "textMode": "auto",
                "wideLayout": True,
                "showPercentChange": False,
                "percentChangeColorMode": "standard",
            }
        case "bargauge":
            return {
                "reduceOptions": last,
                "orientation": "horizontal",
                "displayMode": "basic",
                "valueMode": "color",
                "namePlacement": "auto",
                "showUnfilled": True,
                "sizing": "auto",
                "minVizWidth": 8,
                "minVizHeight": 16,
                "maxVizHeight": 300,
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False, "calcs": []},
            }
        case "table":
            return {
                "frameIndex": 0,
                "showHeader": True,
                "cellHeight": "sm",
                "sortBy": [{"displayName": panel.value_name, "desc": True}],
            }
        case _:
            assert_never(panel.kind)


def _as_columns(panel: Panel) -> Json:
    """Leaves of a table what is asked for, in this order."""
    order = {name: index for index, name in enumerate((*panel.columns, "Value"))}
    return {
        "id": "organize",
        "options": {
            "includeByName": dict.fromkeys(order, True),
            "indexByName": order,
            "renameByName": {"Value": panel.value_name},
        },
    }
