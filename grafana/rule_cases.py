"""Cases for `promtool test rules`: each alert once with numbers that make it fire, once with numbers that do not.

Series are in promtool's notation: `0+6x30` is 0 and then 6 more at each of 30 minutes.
"""

from typing import Any, Final

import msgspec

from grafana.rules import ALERTS, Alert

_TARGET: Final = 'job="mcp-gateway",instance="gw:9901"'
_SERVER: Final = f'{_TARGET},server="binassist"'
_GRANT: Final = f'{_SERVER},grant="alice",tool="get_code"'

Series = dict[str, str]


class Case(msgspec.Struct, frozen=True):
    """What makes one alert fire, what is near and does not, and the labels it then has."""

    at: str
    """When to look, in the time of the series."""
    firing: Series
    quiet: Series
    labels: dict[str, str]
    value: str = ""
    """The value as the summary shows it, where it does."""


def _histogram(name: str, labels: str, within: str, slower: str, *, boundary: str) -> Series:
    """A histogram whose first bucket ends at `boundary`."""
    return {
        f'{name}_bucket{{{labels},le="{boundary}"}}': within,
        f'{name}_bucket{{{labels},le="1"}}': slower,
        f'{name}_bucket{{{labels},le="+Inf"}}': slower,
    }


def _decisions(**verdicts: str) -> Series:
    return {
        f'mcp_gateway_decisions_total{{{_GRANT},verdict="{verdict}"}}': values for verdict, values in verdicts.items()
    }


_AT_TARGET: Final = {"job": "mcp-gateway", "instance": "gw:9901"}
_AT_SERVER: Final = _AT_TARGET | {"server": "binassist"}
_AT_GRANT: Final = _AT_SERVER | {"grant": "alice"}
_ERRORS: Final = f'mcp_gateway_upstream_errors_total{{{_SERVER},kind="(upstream timeout)"}}'
_OVERHEAD: Final = ("mcp_gateway_overhead_seconds", f'{_TARGET},stage="total"')
_LAG: Final = ("mcp_gateway_event_loop_lag_seconds", _TARGET)
_HEADROOM: Final = f'mcp_gateway_limit_remaining_ratio{{{_SERVER},grant="alice",counter="c"}}'

CASES: Final = {
    "McpGatewayDown": Case("3m", {f"up{{{_TARGET}}}": "1 0x5"}, {f"up{{{_TARGET}}}": "1 0 1x5"}, _AT_TARGET),
    "McpGatewayServerDown": Case(
        "3m",
        {f"mcp_gateway_upstream_up{{{_SERVER}}}": "1 0x5"},
        {f"mcp_gateway_upstream_up{{{_SERVER}}}": "1 0 1x5"},
        _AT_SERVER,
    ),
    "McpGatewayServerFailing": Case(
        "15m",
        {_ERRORS: "0+6x20", **_decisions(allow="0+60x20")},
        {_ERRORS: "0+2x20", **_decisions(allow="0+60x20")},
        _AT_SERVER,
        "10%",
    ),
    "McpGatewayAuditFailing": Case(
        "5m",
        {f"mcp_gateway_audit_failures_total{{{_TARGET}}}": "0 0 1+1x5"},
        {f"mcp_gateway_audit_failures_total{{{_TARGET}}}": "7x10"},
        _AT_TARGET,
    ),
    "McpGatewayCountersFull": Case(
        "5m",
        {f'mcp_gateway_denials_total{{{_SERVER},rule="(counters full)"}}': "1+1x10"},
        {f'mcp_gateway_denials_total{{{_SERVER},rule="(default deny)"}}': "1+1x10"},
        _AT_TARGET,
    ),
    "McpGatewaySlow": Case(
        "20m",
        _histogram(*_OVERHEAD, "0+50x30", "0+100x30", boundary="0.02"),
        _histogram(*_OVERHEAD, "0+100x30", "0+100x30", boundary="0.001"),
        _AT_TARGET | {"stage": "total"},
        "980.4ms",
    ),
    "McpGatewayLoopLate": Case(
        "15m",
        _histogram(*_LAG, "0+50x30", "0+100x30", boundary="0.05"),
        _histogram(*_LAG, "0+100x30", "0+100x30", boundary="0.05"),
        _AT_TARGET,
        "981ms",
    ),
    "McpGatewayConnectionsNearlyFull": Case(
        "10m",
        {f"mcp_gateway_connections{{{_TARGET}}}": "900x20"},
        {f"mcp_gateway_connections{{{_TARGET}}}": "820x20"},
        _AT_TARGET,
        "900",
    ),
    "McpGatewayFilesNearlyFull": Case(
        "10m",
        {f"process_open_fds{{{_TARGET}}}": "900x20", f"process_max_fds{{{_TARGET}}}": "1000x20"},
        {f"process_open_fds{{{_TARGET}}}": "800x20", f"process_max_fds{{{_TARGET}}}": "1000x20"},
        _AT_TARGET,
        "90%",
    ),
    "McpGatewayReloadRefused": Case(
        "5m",
        {f'mcp_gateway_config_reloads_total{{{_TARGET},result="refused"}}': "0 1x10"},
        {
            f'mcp_gateway_config_reloads_total{{{_TARGET},result="applied"}}': "0 1x10",
            f'mcp_gateway_config_reloads_total{{{_TARGET},result="refused"}}': "1x10",
        },
        _AT_TARGET | {"result": "refused"},
    ),
    "McpGatewayToolsChanged": Case(
        "3m",
        {f'mcp_gateway_pin_differences_total{{{_SERVER},change="changed"}}': "1x5"},
        {f'mcp_gateway_pin_differences_total{{{_SERVER},change="changed"}}': "0x5"},
        _AT_SERVER | {"change": "changed"},
    ),
    "McpGatewayApprovalWaiting": Case(
        "8m",
        {f"mcp_gateway_approvals_oldest_seconds{{{_TARGET}}}": "0+60x10"},
        {f"mcp_gateway_approvals_oldest_seconds{{{_TARGET}}}": "0+60x4 0x10"},
        _AT_TARGET,
        "8m 0s",
    ),
    "McpGatewayGrantDenied": Case(
        "25m",
        _decisions(deny="0+60x30", allow="0+20x30"),
        _decisions(deny="0+20x30", allow="0+60x30"),
        _AT_GRANT,
        "75%",
    ),
    "McpGatewayGrantThrottled": Case(
        "25m",
        _decisions(throttle="0+60x30", allow="0+20x30"),
        _decisions(throttle="0+20x30", allow="0+60x30"),
        _AT_GRANT,
        "75%",
    ),
    "McpGatewayHeadroomLow": Case("20m", {_HEADROOM: "0.05x30"}, {_HEADROOM: "0.05x10 1x20"}, _AT_GRANT),
    "McpGatewayMalformedRequests": Case(
        "15m",
        {f'mcp_gateway_malformed_total{{{_TARGET},reason="json"}}': "0+120x30"},
        {f'mcp_gateway_malformed_total{{{_TARGET},reason="json"}}': "0+30x30"},
        _AT_TARGET | {"reason": "json"},
        "2",
    ),
}


def cases_document() -> dict[str, Any]:
    """The cases as promtool reads them."""
    return {
        "rule_files": ["rules.yml"],
        "evaluation_interval": "1m",
        # The recordings first: the alerts of the same minute read them.
        "group_eval_order": ["mcp-gateway-recordings", "mcp-gateway-alerts"],
        "tests": [test for alert in ALERTS for test in _tests(alert, CASES[alert.name])],
    }


def _tests(alert: Alert, case: Case) -> list[dict[str, Any]]:
    return [
        _test(f"{alert.name} fires", case.firing, case.at, alert.name, [_expected(alert, case)]),
        _test(f"{alert.name} keeps quiet", case.quiet, case.at, alert.name, []),
    ]


def _test(name: str, series: Series, at: str, alert: str, expected: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": name,
        "interval": "1m",
        "input_series": [{"series": series_name, "values": values} for series_name, values in series.items()],
        "alert_rule_test": [{"eval_time": at, "alertname": alert, "exp_alerts": expected}],
    }


def _expected(alert: Alert, case: Case) -> dict[str, Any]:
    summary = alert.summary
    for label, value in case.labels.items():
        summary = summary.replace(f"{{{{ $labels.{label} }}}}", value)
    for shown in ("$value", "$value | humanize", "$value | humanizePercentage", "$value | humanizeDuration"):
        summary = summary.replace(f"{{{{ {shown} }}}}", case.value)
    return {
        "exp_labels": {"severity": alert.severity, **case.labels},
        "exp_annotations": {
            "summary": summary,
            "description": alert.description,
            "runbook_url": alert.runbook,
        },
    }
