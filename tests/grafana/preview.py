"""Pictures of the dashboards' layout with real answers: previews drawn by us, not by Grafana, and labelled so."""

import asyncio
import math
import re
import subprocess
from pathlib import Path
from typing import Any, Final

from grafana.build import DASHBOARDS
from grafana.panels import COLUMNS, Dashboard, Panel, Query, Row, placed
from tests.grafana.drawing import COLUMN_PX, ROW_PX, Series, drawn, heading
from tests.grafana.prometheus import CheckError, Prometheus
from tests.grafana.questions import filled

_SPAN_S: Final = 60.0
_STEP_S: Final = 1.0
_SHOT_S: Final = 60
_TOP_PX: Final = 64
_STYLE: Final = """
body { margin: 0; background: #111217; color: #ccccdc; font: 12px DejaVu Sans, sans-serif; }
header { position: absolute; left: 8px; top: 10px; } header h1 { font-size: 18px; margin: 0 0 4px; font-weight: 500; }
header p { margin: 0; color: #ff9830; }
main { position: absolute; left: 8px; top: 64px; }
section { position: absolute; background: #181b1f; border: 1px solid #2c3235; border-radius: 2px; overflow: hidden;
  box-sizing: border-box; padding: 4px 8px; }
h2 { position: absolute; left: 4px; margin: 0; font-size: 14px; font-weight: 500; line-height: 30px; width: 900px; }
h3 { margin: 0 0 4px; font-size: 12px; font-weight: 500; } .none { color: #7b8087; text-align: center; }
svg text { fill: #8e8e9a; font-size: 9px; text-anchor: end; } .grid { stroke: #2c3235; }
.legend { height: 18px; overflow: hidden; white-space: nowrap; } .legend span { margin-right: 10px; font-size: 10px; }
.legend i { display: inline-block; width: 10px; height: 3px; margin-right: 4px; vertical-align: middle; }
.stat { display: flex; flex-direction: column; justify-content: center; align-items: center; }
.stat.beside { flex-direction: row; gap: 24px; } .stat div { text-align: center; } .stat small { display: block; }
.stat b { font-weight: 500; } .bar { display: flex; align-items: center; height: 24px; }
.bar span { width: 38%; overflow: hidden; white-space: nowrap; } .bar b { width: 14%; text-align: right; }
.bar i { flex: 1; background: #22252b; height: 14px; } .bar u { display: block; height: 14px; }
table { border-collapse: collapse; width: 100%; } th { text-align: left; color: #6e9fff; font-weight: 500; }
td, th { border-bottom: 1px solid #2c3235; padding: 3px 6px; white-space: nowrap; }
"""


async def write_preview(prometheus: Prometheus, images: Path, directory: Path) -> None:
    """One picture for each dashboard in `images`; the pages are made in `directory`. Raises `CheckError`."""
    for dashboard in DASHBOARDS:
        page = await _page(prometheus, dashboard)
        await asyncio.to_thread(_shot, page, directory, images / f"{dashboard.uid}.png", _height(dashboard))


async def _page(prometheus: Prometheus, dashboard: Dashboard) -> str:
    items = []
    for place, item in placed(dashboard):
        if isinstance(item, Row):
            items.append(heading(item.title, place))
        else:
            items.append(drawn(item, place, await _answers(prometheus, dashboard, item)))
    return (
        f"<!doctype html><meta charset=utf-8><style>{_STYLE}</style><header><h1>{dashboard.title}</h1>"
        "<p>Preview: the dashboard's own queries and layout, drawn by tests/grafana/preview.py, not by Grafana"
        f"</p></header><main>{''.join(items)}</main>"
    )


async def _answers(prometheus: Prometheus, dashboard: Dashboard, panel: Panel) -> list[Series]:
    answers = []
    for query in panel.queries:
        expr = filled(query.expr, dashboard)
        if panel.kind in ("timeseries", "stat"):
            found = await prometheus.query_range(expr, _SPAN_S, _STEP_S)
        else:
            found = [{**sample, "values": [sample["value"]]} for sample in await prometheus.query(expr)]
        answers += [series for one in found if (series := _series(query, one)).points]
    return answers


def _series(query: Query, found: dict[str, Any]) -> Series:
    labels = dict(found["metric"])
    points = ((float(time), float(value)) for time, value in found["values"])
    if query.legend == "__auto":
        name = " ".join(value for label, value in labels.items() if label != "__name__") or "value"
    else:
        name = re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match[1], ""), query.legend).strip()
    return Series(name, labels, tuple(point for point in points if math.isfinite(point[1])))


def _height(dashboard: Dashboard) -> int:
    return _TOP_PX + max(place.y + place.height for place, _ in placed(dashboard)) * ROW_PX


def _shot(page: str, directory: Path, image: Path, height: int) -> None:
    """Have Chromium draw a page. Raises `CheckError`."""
    image.parent.mkdir(parents=True, exist_ok=True)
    image.unlink(missing_ok=True)
    source = directory / "preview.html"
    source.write_text(page)
    command = [
        "chromium",
        "--headless",
        # There is nothing to protect from our own page, and the sandbox does not start for root.
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        f"--window-size={COLUMNS * COLUMN_PX + 16},{height + 8}",
        f"--user-data-dir={directory / 'chromium'}",
        f"--screenshot={image.absolute()}",
        source.as_uri(),
    ]
    try:
        result = subprocess.run(command, capture_output=True, timeout=_SHOT_S, check=False)
    except subprocess.TimeoutExpired:
        raise CheckError(f"Chromium took longer than {_SHOT_S} s for {image.name}") from None
    if not image.exists():
        raise CheckError(f"Chromium made no picture: {result.stderr.decode()[-500:]}")
