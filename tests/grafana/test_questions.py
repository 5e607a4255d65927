"""The check itself: that it sees what is wrong, with a Prometheus that answers as it is told."""

from typing import Any, cast

import pytest

from grafana.build import DASHBOARDS
from tests.grafana import questions as module
from tests.grafana.names import names_in, wrong_names
from tests.grafana.prometheus import Prometheus
from tests.grafana.questions import filled, questions, unanswered, unhealthy_rules


class Answering:
    """Answers everything, but for expressions with `silent` in them; those with `vague` are no numbers."""

    def __init__(self, silent: str = "nothing at all", vague: str = "nothing at all", names: tuple[str, ...] = ()):
        self.silent, self.vague, self.names = silent, vague, names
        self.health = "ok"

    async def query(self, expr: str) -> list[dict[str, Any]]:
        """One sample, or none."""
        value = "NaN" if self.vague in expr else "1"
        return [] if self.silent in expr else [{"metric": {}, "value": [0, value]}]

    async def values(self, label: str, selector: str) -> list[str]:
        """One value, or none; of names, those that it was given."""
        if label == "__name__":
            return list(self.names)
        return [] if self.silent in selector else ["x"]

    async def rules(self) -> list[dict[str, Any]]:
        """One rule."""
        return [{"name": "R", "health": self.health, "lastError": "because"}]

    @property
    def prometheus(self) -> Prometheus:
        """Where one is wanted."""
        return cast("Prometheus", self)


async def test_what_is_answered_is_fine():
    """No complaint where everything has an answer."""
    assert await unanswered(Answering().prometheus) == []


@pytest.mark.parametrize(
    "answering", [Answering(silent="_denials_"), Answering(vague="_denials_")], ids=["none", "NaN"]
)
async def test_an_empty_panel_is_named(answering: Answering):
    """With its dashboard and what it asked; no number is no answer."""
    found = await unanswered(answering.prometheus)
    assert any(line.startswith("MCP gateway · Overview: Denials by rule, query 1 gives nothing: ") for line in found)


async def test_an_empty_variable_is_named():
    """There is nothing to choose from."""
    found = await unanswered(Answering(silent="mcp_gateway_upstream_up").prometheus)
    assert "MCP gateway · Policy & limits: $server has nothing to choose from" in "\n".join(found)


async def test_an_alert_that_measures_nothing_is_named():
    """It could never fire."""
    found = await unanswered(Answering(silent="mcp_gateway_connections").prometheus)
    assert any(line.startswith("alert McpGatewayConnectionsNearlyFull gives nothing") for line in found)


async def test_a_reason_for_no_question_is_named(monkeypatch: pytest.MonkeyPatch):
    """The list of what is empty when healthy does not outlive what is on it."""
    monkeypatch.setitem(module.EMPTY_WHEN_HEALTHY, "gone", "because")
    assert await unanswered(Answering().prometheus) == ["gone: there is no such question"]


async def test_a_rule_that_fails_is_named():
    """With what Prometheus says."""
    answering = Answering()
    assert await unhealthy_rules(answering.prometheus) == []
    answering.health = "err"
    assert await unhealthy_rules(answering.prometheus) == ["R is err: because"]


def test_a_variable_that_there_is_not_is_an_error():
    """Grafana would ask for its name as it stands."""
    with pytest.raises(ValueError, match=r"there is no variable \$grants"):
        filled('up{grant=~"$grants"}', DASHBOARDS[0])


def test_names_are_found_in_expressions_and_documents():
    """With recordings, and without what is only the beginning of a name."""
    text = "`process_…` a:mcp_gateway_x:rate5m + rate(mcp_gateway_decisions_total[5m]) / process_open_fds{}"
    assert names_in(text) == {"a:mcp_gateway_x:rate5m", "mcp_gateway_decisions_total", "process_open_fds"}


async def test_wrong_names_are_named():
    """A name that is asked for and does not exist, and a metric that never had a value."""
    asked = {name for question in questions() for name in names_in(question.expr)}
    everything = tuple(sorted({*asked, "mcp_gateway_audit_write_seconds_count"}))
    assert await wrong_names(Answering(names=everything).prometheus) == []
    left = tuple(name for name in everything if name != "mcp_gateway_shadow_total")
    found = await wrong_names(Answering(names=left).prometheus)
    assert "mcp_gateway_shadow_total is asked for and does not exist" in found
    assert "mcp_gateway_shadow_total is declared and had no value, although every situation was played" in found
    assert any(line.startswith("docs/metrics.md names mcp_gateway_shadow_total") for line in found)
