"""The dashboard for the author of policies: what the rules refuse, what limits leave, what shadow rules would do."""

from typing import Final

from grafana.overview import CALL, GATEWAY, HEADROOM, SERVER, VARIABLES
from grafana.panels import Dashboard, Panel, Query, Row, Step


def _in_range(metric: str, selector: str, *labels: str) -> Query:
    """How many in the time that is shown, without the label values of which there were none."""
    return Query(f"round(sum by ({', '.join(labels)}) (increase({metric}{{{selector}}}[$__range]))) > 0")


_DECISIONS: Final = Row(
    "What is decided",
    (
        Panel(
            "Decisions by verdict",
            "Requests of every kind.",
            "reqps",
            (
                Query(
                    f"sum by (verdict) (rate(mcp_gateway_decisions_total{{{CALL}}}[$__rate_interval]))", "{{verdict}}"
                ),
            ),
            is_stacked=True,
        ),
        Panel(
            "Refusals by grant",
            "Denied, throttled or waiting for a person: the ten grants with most of them.",
            "reqps",
            (
                Query(
                    "topk(10, sum by (grant) (rate(mcp_gateway_decisions_total"
                    f'{{{CALL},verdict=~"deny|throttle|pending"}}[$__rate_interval])))',
                    "{{grant}}",
                ),
            ),
        ),
        Panel(
            "Refusals by tool",
            "The ten tools that are refused most. _unknown is what no policy and no server names.",
            "reqps",
            (
                Query(
                    "topk(10, sum by (tool) (rate(mcp_gateway_decisions_total"
                    f'{{{CALL},tool!="",verdict=~"deny|throttle|pending"}}[$__rate_interval])))',
                    "{{tool}}",
                ),
            ),
        ),
        Panel(
            "Rules that refuse",
            "How often, in the time that is shown.",
            "short",
            (_in_range("mcp_gateway_denials_total", SERVER, "server", "rule"),),
            kind="table",
            width=12,
            columns=("server", "rule"),
            value_name="refusals",
        ),
        Panel(
            "Calls by grant and tool",
            "How often, in the time that is shown, with what verdict.",
            "short",
            (_in_range("mcp_gateway_decisions_total", f'{CALL},tool!=""', "grant", "tool", "verdict"),),
            kind="table",
            width=12,
            columns=("grant", "tool", "verdict"),
            value_name="calls",
        ),
    ),
)

_LIMITS: Final = Row(
    "Limits",
    (
        Panel(
            "Headroom by grant and counter",
            "What is left of each counter, from 1 (untouched) to 0 (the next call is throttled). Of counters that are "
            "counted by session the worst is shown; those of a whole server have no grant.",
            "percentunit",
            (Query(f"min by (server, grant, counter) ({HEADROOM})", "{{grant}} {{counter}}"),),
            width=12,
            maximum=1,
        ),
        Panel(
            "Headroom now",
            "The counters that are nearest to their limit.",
            "percentunit",
            (Query(f"bottomk(15, min by (grant, counter) ({HEADROOM}))", "{{grant}} {{counter}}"),),
            kind="bargauge",
            width=12,
            steps=(Step(0.1, "orange"), Step(0.3, "green")),
            below="red",
            maximum=1,
        ),
        Panel(
            "Throttles by limit",
            "Which limits refuse calls, the ten most frequent.",
            "reqps",
            (
                Query(
                    "topk(10, sum by (rule) (rate(mcp_gateway_denials_total"
                    f'{{{SERVER},rule=~".*/(limits|concurrency).*"}}[$__rate_interval])))',
                    "{{rule}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "Share of throttled calls",
            "Of each grant's calls, how many a limit refused: near 1, the agent does not wait as told.",
            "percentunit",
            (
                Query(
                    "topk(10, sum by (grant) (rate(mcp_gateway_decisions_total"
                    f'{{{CALL},verdict="throttle"}}[$__rate_interval])) / sum by (grant) '
                    f"(rate(mcp_gateway_decisions_total{{{CALL}}}[$__rate_interval])))",
                    "{{grant}}",
                ),
            ),
            width=12,
            maximum=1,
        ),
    ),
)

_SHADOW: Final = Row(
    "Shadow rules",
    (
        Panel(
            "What they would have refused",
            "Rules and limits in shadow mode are counted and never enforced.",
            "reqps",
            (
                Query(
                    f"sum by (rule, would) (rate(mcp_gateway_shadow_total{{{GATEWAY}}}[$__rate_interval]))",
                    "{{would}} {{rule}}",
                ),
            ),
            width=12,
        ),
        Panel(
            "In the time that is shown",
            "How many calls each of them would have refused.",
            "short",
            (_in_range("mcp_gateway_shadow_total", GATEWAY, "rule", "would"),),
            kind="table",
            width=12,
            columns=("rule", "would"),
            value_name="calls",
        ),
    ),
)

_APPROVALS: Final = Row(
    "Approvals",
    (
        Panel(
            "Waiting",
            "Calls that wait for a person.",
            "short",
            (Query(f"sum(mcp_gateway_approvals_pending{{{GATEWAY}}})", "waiting"),),
        ),
        Panel(
            "Longest wait",
            "How long the oldest of them waits.",
            "s",
            (Query(f"max(mcp_gateway_approvals_oldest_seconds{{{GATEWAY}}})", "oldest"),),
        ),
        Panel(
            "What became of them",
            "In the time that is shown. Consumed: the call ran; expired: nobody decided in time.",
            "short",
            (
                Query(
                    f"round(sum by (outcome) (increase(mcp_gateway_approvals_total{{{GATEWAY}}}[$__range])))",
                    "{{outcome}}",
                ),
            ),
            kind="bargauge",
        ),
    ),
)

_TOOLS: Final = Row(
    "Tools",
    (
        Panel(
            "Tools that differ from their pins",
            "Definitions that are new or have changed since a person looked at them. Look at the tool, then pin again.",
            "short",
            (
                Query(
                    f"sum by (server, change) (mcp_gateway_pin_differences_total{{{SERVER}}})", "{{server}} {{change}}"
                ),
            ),
            kind="stat",
            steps=(Step(1, "orange"),),
        ),
        Panel(
            "Calls by tool",
            "The fifteen tools that are called most.",
            "reqps",
            (
                Query(
                    f'topk(15, sum by (tool) (rate(mcp_gateway_decisions_total{{{CALL},tool!=""}}[$__rate_interval])))',
                    "{{tool}}",
                ),
            ),
            width=16,
        ),
    ),
)

POLICY: Final = Dashboard(
    "mcp-gateway-policy",
    "MCP gateway · Policy & limits",
    "For the author of policies: what the rules refuse, what limits leave, what shadow rules would do.",
    (_DECISIONS, _LIMITS, _SHADOW, _APPROVALS, _TOOLS),
    VARIABLES,
)
