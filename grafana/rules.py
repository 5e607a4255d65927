"""Recording rules and alerts. Each alert has a runbook of its own in docs/runbooks, and cases in `rule_cases`.

An alert is written as what it measures and the comparison that makes it fire, because the check can see that the
first gives something while all is well.
"""

from typing import Any, Final, Literal

import msgspec

RUNBOOKS: Final = "docs/runbooks"

Severity = Literal["critical", "warning", "info"]


class Recording(msgspec.Struct, frozen=True):
    """A query that Prometheus keeps the answer to, under a name of the form level:metric:operations."""

    name: str
    expr: str


class Alert(msgspec.Struct, frozen=True):
    """When somebody should look."""

    name: str
    measure: str
    fires: str
    """The comparison with which `measure` is the alert's expression."""
    after: str
    """How long it must hold."""
    severity: Severity
    summary: str
    description: str

    @property
    def expr(self) -> str:
        """What Prometheus evaluates."""
        return f"{self.measure} {self.fires}"

    @property
    def runbook(self) -> str:
        """The file that says what to do, from the root of the project."""
        return f"{RUNBOOKS}/{self.name}.md"


_P99: Final = "histogram_quantile(0.99, sum by (job, instance, %s) (rate(%s_bucket[5m])))"

RECORDINGS: Final = (
    Recording(
        "server_verdict:mcp_gateway_decisions:rate5m",
        "sum by (job, instance, server, verdict) (rate(mcp_gateway_decisions_total[5m]))",
    ),
    Recording(
        "grant_verdict:mcp_gateway_decisions:rate5m",
        "sum by (job, instance, server, grant, verdict) (rate(mcp_gateway_decisions_total[5m]))",
    ),
    Recording(
        "grant:mcp_gateway_decisions_denied:ratio_rate5m",
        'sum by (job, instance, server, grant) (grant_verdict:mcp_gateway_decisions:rate5m{verdict="deny"})'
        " / sum by (job, instance, server, grant) (grant_verdict:mcp_gateway_decisions:rate5m)",
    ),
    Recording(
        "grant:mcp_gateway_decisions_throttled:ratio_rate5m",
        'sum by (job, instance, server, grant) (grant_verdict:mcp_gateway_decisions:rate5m{verdict="throttle"})'
        " / sum by (job, instance, server, grant) (grant_verdict:mcp_gateway_decisions:rate5m)",
    ),
    Recording(
        "server:mcp_gateway_upstream_errors:ratio_rate5m",
        "sum by (job, instance, server) (rate(mcp_gateway_upstream_errors_total[5m]))"
        ' / sum by (job, instance, server) (server_verdict:mcp_gateway_decisions:rate5m{verdict="allow"})',
    ),
    Recording(
        "tool:mcp_server_operation_duration_seconds:p99_rate5m",
        _P99 % ("gen_ai_tool_name, le", "mcp_server_operation_duration_seconds"),
    ),
    Recording("stage:mcp_gateway_overhead_seconds:p99_rate5m", _P99 % ("stage, le", "mcp_gateway_overhead_seconds")),
    Recording(
        "instance:mcp_gateway_event_loop_lag_seconds:p99_rate5m",
        _P99 % ("le", "mcp_gateway_event_loop_lag_seconds"),
    ),
    Recording(
        "grant:mcp_gateway_limit_remaining_ratio:min",
        "min by (job, instance, server, grant) (mcp_gateway_limit_remaining_ratio)",
    ),
)

ALERTS: Final = (
    Alert(
        "McpGatewayDown",
        'up{job="mcp-gateway"}',
        "== 0",
        "1m",
        "critical",
        "The MCP gateway {{ $labels.instance }} does not answer.",
        "Prometheus could not scrape it for a minute. Its agents can reach no tool.",
    ),
    Alert(
        "McpGatewayServerDown",
        "mcp_gateway_upstream_up",
        "== 0",
        "1m",
        "critical",
        "The MCP server {{ $labels.server }} takes no connections.",
        "Calls that policies allow are answered with (upstream down) and given back to their budgets.",
    ),
    Alert(
        "McpGatewayServerFailing",
        "server:mcp_gateway_upstream_errors:ratio_rate5m",
        "> 0.05",
        "5m",
        "warning",
        "{{ $value | humanizePercentage }} of the calls to {{ $labels.server }} fail.",
        "They were allowed and failed at the server: time-outs, broken connections, answers that cannot be passed on.",
    ),
    Alert(
        "McpGatewayAuditFailing",
        "increase(mcp_gateway_audit_failures_total[5m])",
        "> 0",
        "1m",
        "critical",
        "The gateway {{ $labels.instance }} cannot write its audit journal.",
        "What cannot be recorded is refused, unless audit.on_failure is continue: then calls leave no trace.",
    ),
    Alert(
        "McpGatewayCountersFull",
        'sum by (job, instance) (increase(mcp_gateway_denials_total{rule="(counters full)"}[5m]))',
        "> 0",
        "1m",
        "critical",
        "The gateway {{ $labels.instance }} has no room for another counter.",
        "Calls that need a new counter are refused; counters that are in use are never evicted to make room.",
    ),
    Alert(
        "McpGatewaySlow",
        'stage:mcp_gateway_overhead_seconds:p99_rate5m{stage="total"}',
        "> 0.01",
        "10m",
        "warning",
        "The gateway {{ $labels.instance }} adds {{ $value | humanizeDuration }} to one call in a hundred.",
        "The server's own time is not part of it.",
    ),
    Alert(
        "McpGatewayLoopLate",
        "instance:mcp_gateway_event_loop_lag_seconds:p99_rate5m",
        "> 0.1",
        "5m",
        "warning",
        "The event loop of {{ $labels.instance }} is {{ $value | humanizeDuration }} late.",
        "The process has more to do than one core can, or the machine gives it too little.",
    ),
    Alert(
        "McpGatewayConnectionsNearlyFull",
        "mcp_gateway_connections",
        "> 820",
        "5m",
        "warning",
        "The gateway {{ $labels.instance }} has {{ $value }} of 1024 connections.",
        "Beyond them agents are refused with 503.",
    ),
    Alert(
        "McpGatewayFilesNearlyFull",
        'process_open_fds{job="mcp-gateway"} / process_max_fds{job="mcp-gateway"}',
        "> 0.8",
        "5m",
        "warning",
        "The gateway {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its file descriptors.",
        "Without free ones it can neither take nor open connections.",
    ),
    Alert(
        "McpGatewayReloadRefused",
        'increase(mcp_gateway_config_reloads_total{result="refused"}[10m])',
        "> 0",
        "1m",
        "warning",
        "The gateway {{ $labels.instance }} refused a changed configuration.",
        "The one before stays in force, whole; the change that somebody wanted is not.",
    ),
    Alert(
        "McpGatewayToolsChanged",
        "mcp_gateway_pin_differences_total",
        "> 0",
        "1m",
        "warning",
        "The server {{ $labels.server }} lists tools that are {{ $labels.change }} since they were pinned.",
        "A description is what a model obeys: nobody has looked at these.",
    ),
    Alert(
        "McpGatewayApprovalWaiting",
        "mcp_gateway_approvals_oldest_seconds",
        "> 300",
        "1m",
        "warning",
        "A call waits {{ $value | humanizeDuration }} for a person's approval.",
        "Nobody has decided; the question expires.",
    ),
    Alert(
        "McpGatewayGrantDenied",
        "grant:mcp_gateway_decisions_denied:ratio_rate5m",
        "> 0.5",
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the requests of {{ $labels.grant }} are denied.",
        "An agent keeps asking for what its policy refuses: the policy does not fit its work, or it is out of hand.",
    ),
    Alert(
        "McpGatewayGrantThrottled",
        "grant:mcp_gateway_decisions_throttled:ratio_rate5m",
        "> 0.5",
        "15m",
        "warning",
        "{{ $value | humanizePercentage }} of the requests of {{ $labels.grant }} run into limits.",
        "The agent does not wait as it is told, or the limit is too tight for its work.",
    ),
    Alert(
        "McpGatewayHeadroomLow",
        "grant:mcp_gateway_limit_remaining_ratio:min",
        "< 0.1",
        "15m",
        "info",
        "{{ $labels.grant }} lives within a tenth of one of its limits.",
        "For a quarter of an hour at every look: it is about to be throttled, or is already.",
    ),
    Alert(
        "McpGatewayMalformedRequests",
        "sum by (job, instance, reason) (rate(mcp_gateway_malformed_total[5m]))",
        "> 1",
        "5m",
        "warning",
        "{{ $labels.instance }} refuses {{ $value | humanize }} bad requests a second ({{ $labels.reason }}).",
        "A broken agent, a token that is no longer good, or somebody who tries.",
    ),
)


def rules_document() -> dict[str, Any]:
    """The rules as Prometheus reads them."""
    return {
        "groups": [
            {
                "name": "mcp-gateway-recordings",
                "rules": [{"record": recording.name, "expr": recording.expr} for recording in RECORDINGS],
            },
            {
                "name": "mcp-gateway-alerts",
                "rules": [_alert(alert) for alert in ALERTS],
            },
        ]
    }


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": alert.expr,
        "for": alert.after,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "description": alert.description,
            "runbook_url": alert.runbook,
        },
    }
