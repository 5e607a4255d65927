"""The names of metrics: those that there are, against those that dashboards, rules and documents use."""

import re
from pathlib import Path
from typing import Final

from grafana.metrics_page import metric_names
from grafana.rules import RECORDINGS
from tests.grafana.prometheus import Prometheus
from tests.grafana.questions import questions

ROOT: Final = Path(__file__).parents[2]

# A name of ours, or what a recording calls its own, wherever it stands.
_NAME: Final = re.compile(r"(?:[a-z_]+:)?\b(?:mcp_gateway|mcp_server|process|python)_[a-z0-9_]+(?::[a-z0-9_]+)?")
# Documents say `process_…` where they mean all of them.
_PREFIXES: Final = {"process_", "python_"}
_PARTS: Final = ("_bucket", "_count", "_sum")


def documents() -> list[Path]:
    """Where people read names of metrics."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def names_in(text: str) -> set[str]:
    """Every name of a metric in a text."""
    return set(_NAME.findall(text)) - _PREFIXES


async def wrong_names(prometheus: Prometheus) -> list[str]:
    """Names that are used and do not exist, and metrics that exist and nothing asks for or never had a value."""
    asked = {name for question in questions() for name in names_in(question.expr)}
    there = set(await prometheus.values("__name__", '{job="mcp-gateway"}'))
    there |= {recording.name for recording in RECORDINGS}
    families = there | {name.removesuffix(part) for name in there for part in _PARTS}
    failures = [f"{name} is asked for and does not exist" for name in sorted(asked - there)]
    for path in documents():
        unknown = sorted(name for name in names_in(path.read_text()) - families if not name.startswith("mcp_gateway_x"))
        failures += [f"{path.relative_to(ROOT)} names {name}, which does not exist" for name in unknown]
    for name in metric_names():
        if name not in families:
            failures.append(f"{name} is declared and had no value, although every situation was played")
        elif not {name, *(name + part for part in _PARTS)} & asked:
            failures.append(f"{name} is asked for by no panel, rule or alert")
    return failures
