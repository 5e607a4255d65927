"""What is generated is up to date, and dashboards, alerts and runbooks are whole. `run` asks a real Prometheus."""

import re
from pathlib import Path

import pytest

from grafana.build import DASHBOARDS, ROOT, files, stale
from grafana.metrics_page import metric_names
from grafana.panels import COLUMNS, Dashboard, Panel, dashboard_json, placed
from grafana.rule_cases import CASES
from grafana.rules import ALERTS, RECORDINGS, RUNBOOKS, Alert

PANELS = [panel for dashboard in DASHBOARDS for panel in dashboard.panels]
each_panel = pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.title)
each_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.uid)
each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)

MINUTES = re.compile(r"[1-9]\d*m")


def test_what_is_generated_is_up_to_date():
    """Dashboards, rules, their cases and the page of metrics are what grafana/build.py writes."""
    assert stale() == []


def test_a_file_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """One that was edited by hand, and one that is missing."""
    monkeypatch.setattr("grafana.build.ROOT", tmp_path)
    for path, text in files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    assert stale() == []
    (tmp_path / "docs" / "metrics.md").write_text("by hand")
    (tmp_path / "grafana" / "alerts" / "rules.yml").unlink()
    assert stale() == ["grafana/alerts/rules.yml", "docs/metrics.md"]


@each_panel
def test_a_panel_says_what_it_shows(panel: Panel):
    """Title, a description that is a sentence, a unit, and something that it asks."""
    assert panel.title
    assert panel.description.endswith(".")
    assert panel.unit
    assert 0 < len(panel.queries) <= 8


@each_panel
def test_rates_follow_the_scrape_interval(panel: Panel):
    """A fixed window is empty where one scrapes less often, and coarse where one zooms in."""
    windows = {window for query in panel.queries for window in re.findall(r"\[([^]]+)\]", query.expr)}
    assert windows <= {"$__rate_interval", "$__range"}


@each_panel
def test_a_panel_asks_for_what_was_chosen(panel: Panel):
    """Each metric in it is narrowed to the job and the instance."""
    for query in panel.queries:
        asked = re.findall(r"(?:mcp|process)_\w+\{([^}]*)\}", query.expr)
        assert asked
        assert all('job=~"$job",instance=~"$instance"' in selector for selector in asked)


@each_dashboard
def test_panels_have_places_and_numbers_of_their_own(dashboard: Dashboard):
    """Nothing overlaps, nothing is wider than the grid, no id is given twice."""
    taken: set[tuple[int, int]] = set()
    for place, _ in placed(dashboard):
        cells = {(x, y) for x in range(place.x, place.x + place.width) for y in range(place.y, place.y + place.height)}
        assert place.x + place.width <= COLUMNS
        assert not cells & taken
        taken |= cells
    numbers = [panel["id"] for panel in dashboard_json(dashboard)["panels"]]
    assert len(set(numbers)) == len(numbers)


@each_dashboard
def test_every_choice_is_there(dashboard: Dashboard):
    """The data source first, since the others are asked of it."""
    names = [variable["name"] for variable in dashboard_json(dashboard)["templating"]["list"]]
    assert names == ["datasource", "job", "instance", "server", "grant", "tool"]


def test_every_metric_is_asked_for():
    """What nobody looks at need not be measured."""
    asked = " ".join(
        [*(query.expr for panel in PANELS for query in panel.queries), *(alert.expr for alert in ALERTS)]
        + [recording.expr for recording in RECORDINGS]
    )
    assert [name for name in metric_names() if name not in asked] == []


@each_alert
def test_an_alert_is_whole(alert: Alert):
    """How long, how bad, what it means in two sentences, and cases in which it fires and keeps quiet."""
    assert MINUTES.fullmatch(alert.after)
    assert alert.summary.endswith(".")
    assert alert.description.endswith(".")
    assert CASES[alert.name].firing
    assert CASES[alert.name].quiet


def test_every_alert_has_a_runbook():
    """And every runbook an alert: it opens with its name, and says what to look at and what to do."""
    runbooks = {path.stem: path.read_text() for path in (ROOT / RUNBOOKS).glob("*.md")}
    assert set(runbooks) == {alert.name for alert in ALERTS}
    for name, text in runbooks.items():
        assert re.fullmatch(rf"# {name}\n\n\S.*\n\n## Look at\n\n1\. .*\n\n## Do\n\n- .*\n", text, re.DOTALL), name


def test_runbooks_name_panels_that_there_are():
    """What is set in italics is the title of a panel, or of a dashboard."""
    titles = {panel.title for panel in PANELS}
    for path in (ROOT / RUNBOOKS).glob("*.md"):
        text = " ".join(path.read_text().split())
        assert set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text)) <= titles, path.name


def test_recordings_are_named_by_the_convention():
    """Level, metric and operations, with colons between."""
    assert all(re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", recording.name) for recording in RECORDINGS)
