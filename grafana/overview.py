"""The dashboard for the person on call: are calls answered, how fast, and if not, whose fault is it."""

from typing import Final

from grafana.panels import Dashboard, Panel, Query, Row, Step, Variable

GATEWAY: Final = 'job=~"$job",instance=~"$instance"'
SERVER: Final = f'{GATEWAY},server=~"$server"'
CALL: Final = f'{SERVER},grant=~"$grant",tool=~"$tool"'
# A counter of a whole server belongs to no grant.
HEADROOM: Final = f'mcp_gateway_limit_remaining_ratio{{{SERVER},grant=~"$grant|"}}'

VARIABLES: Final = (
    Variable("job", "mcp_gateway_build_info", "job", "The scrape job of the gateways."),
    Variable("instance", 'mcp_gateway_build_info{job=~"$job"}', "instance", "Which gateway."),
    Variable("server", f"mcp_gateway_upstream_up{{{GATEWAY}}}", "server", "The MCP server behind it."),
    Variable("grant", f"mcp_gateway_decisions_total{{{SERVER}}}", "grant", "Who calls, by the label of the grant."),
    Variable("tool", f"mcp_gateway_decisions_total{{{SERVER}}}", "tool", "The tool that is called."),
)

_ANSWERED: Final = 'error_type=""'
_UNSUCCESSFUL: Final = 'error_type!=""'
_FAILED: Final = 'error_type=~"error|failed"'


def _of_calls(part: str, more: str = "") -> str:
    """The rate of one part of the histogram of operations, for calls of tools alone."""
    selector = ",".join(filter(None, (GATEWAY, 'mcp_method_name="tools/call",gen_ai_tool_name=~"$tool"', more)))
    return f"rate(mcp_server_operation_duration_seconds_{part}{{{selector}}}[$__rate_interval])"


def _duration(share: float) -> str:
    return f"histogram_quantile({share}, sum by (le) ({_of_calls('bucket', _ANSWERED)}))"


def quantiles(metric: str, selector: str, *, by: str = "") -> tuple[Query, ...]:
    """The median, the 95th and the 99th percentile of a histogram."""
    labels = f"le, {by}" if by else "le"
    legend = f"{{{{{by}}}}} " if by else ""
    return tuple(
        Query(
            f"histogram_quantile({share}, sum by ({labels}) (rate({metric}_bucket{{{selector}}}[$__rate_interval])))",
            f"{legend}p{share * 100:g}",
        )
        for share in (0.5, 0.95, 0.99)
    )


_CALLS: Final = Row(
    "Calls",
    (
        Panel(
            "Calls a second",
            "Calls of tools, whatever became of them.",
            "reqps",
            (Query(f"sum({_of_calls('count')})"),),
            kind="stat",
            width=6,
            height=4,
        ),
        Panel(
            "Failing calls",
            "Share of the calls that failed at the server or in the gateway. Refusals by a policy are no failures.",
            "percentunit",
            (
                Query(
                    f"(sum({_of_calls('count', _FAILED)}) or vector(0)) / sum({_of_calls('count')})",
                ),
            ),
            kind="stat",
            width=6,
            height=4,
            steps=(Step(0.01, "orange"), Step(0.05, "red")),
        ),
        Panel(
            "Duration, p95",
            "Of the calls that were answered by the server, as the agent sees it.",
            "s",
            (Query(_duration(0.95)),),
            kind="stat",
            width=6,
            height=4,
        ),
        Panel(
            "Server",
            "Whether the MCP server accepts connections.",
            "short",
            (Query(f"min by (server) (mcp_gateway_upstream_up{{{SERVER}}})", "{{server}}"),),
            kind="stat",
            width=6,
            height=4,
            steps=(Step(1, "green"),),
            below="red",
            names=((0, "down"), (1, "up")),
        ),
        Panel(
            "Decisions by verdict",
            "What the policies say to requests of every kind: allow, deny, throttle, pending, or error where the "
            "gateway itself could not decide.",
            "reqps",
            (
                Query(
                    f"sum by (verdict) (rate(mcp_gateway_decisions_total{{{CALL}}}[$__rate_interval]))", "{{verdict}}"
                ),
            ),
            is_stacked=True,
        ),
        Panel(
            "Calls that did not succeed",
            "By what went wrong: refused by a policy (deny, throttle, pending), failed, or left by the agent.",
            "reqps",
            (Query(f"sum by (error_type) ({_of_calls('count', _UNSUCCESSFUL)})", "{{error_type}}"),),
            is_stacked=True,
        ),
        Panel(
            "Duration of calls",
            "Of the calls that the server answered, as the agent sees it.",
            "s",
            tuple(Query(_duration(share), f"p{share * 100:g}") for share in (0.5, 0.95, 0.99)),
        ),
    ),
)

_SATURATION: Final = Row(
    "Saturation",
    (
        Panel(
            "In flight",
            "Exchanges under way at the server.",
            "short",
            (Query(f"sum by (server) (mcp_gateway_inflight{{{SERVER}}})", "{{server}}"),),
            width=6,
        ),
        Panel(
            "Streams and sessions",
            "Streams that are open to agents, and sessions that the gateway keeps itself.",
            "short",
            (
                Query(f"sum by (server) (mcp_gateway_streams{{{SERVER}}})", "streams {{server}}"),
                Query(f"sum by (server) (mcp_gateway_sessions{{{SERVER}}})", "sessions {{server}}"),
            ),
            width=6,
        ),
        Panel(
            "Connections",
            "Agents' connections, refused from the 1,025th on unless `bounds` says otherwise, and requests that wait "
            "for their turn.",
            "short",
            (
                Query(f"sum by (instance) (mcp_gateway_connections{{{GATEWAY}}})", "{{instance}}"),
                Query(f"sum by (instance) (mcp_gateway_waiting{{{GATEWAY}}})", "waiting {{instance}}"),
            ),
            width=6,
            steps=(Step(1024, "red"),),
        ),
        Panel(
            "Event loop lag",
            "How late the event loop gets to what is due. Everything waits at least that long.",
            "s",
            quantiles("mcp_gateway_event_loop_lag_seconds", GATEWAY),
            width=6,
        ),
    ),
)

_POLICY: Final = Row(
    "Policy",
    (
        Panel(
            "Denials by rule",
            "The ten rules that refuse most, limits and approvals included.",
            "reqps",
            (
                Query(
                    f"topk(10, sum by (rule) (rate(mcp_gateway_denials_total{{{SERVER}}}[$__rate_interval])))",
                    "{{rule}}",
                ),
            ),
        ),
        Panel(
            "Throttled calls by grant",
            "Who runs into limits.",
            "reqps",
            (
                Query(
                    "topk(10, sum by (grant) (rate(mcp_gateway_decisions_total"
                    f'{{{CALL},verdict="throttle"}}[$__rate_interval])))',
                    "{{grant}}",
                ),
            ),
        ),
        Panel(
            "Least headroom",
            "The counters that are nearest to their limit: what is left of them.",
            "percentunit",
            (
                Query(
                    f"bottomk(10, min by (grant, counter) ({HEADROOM}))",
                    "{{grant}} {{counter}}",
                ),
            ),
            kind="bargauge",
            steps=(Step(0.1, "orange"), Step(0.3, "green")),
            below="red",
            maximum=1,
        ),
        Panel(
            "Approvals waiting",
            "Calls that wait for a person.",
            "short",
            (Query(f"sum(mcp_gateway_approvals_pending{{{GATEWAY}}})"),),
            kind="stat",
            width=4,
            steps=(Step(1, "orange"),),
        ),
        Panel(
            "Longest wait",
            "How long the oldest of them waits.",
            "s",
            (Query(f"max(mcp_gateway_approvals_oldest_seconds{{{GATEWAY}}})"),),
            kind="stat",
            width=4,
            steps=(Step(300, "orange"), Step(3600, "red")),
        ),
        Panel(
            "Top tools",
            "The ten tools that are called most.",
            "reqps",
            (
                Query(
                    f'topk(10, sum by (tool) (rate(mcp_gateway_decisions_total{{{CALL},tool!=""}}[$__rate_interval])))',
                    "{{tool}}",
                ),
            ),
            width=16,
        ),
    ),
)

_UPSTREAM: Final = Row(
    "Server",
    (
        Panel(
            "Time at the server, p95",
            "By tool, from the call being sent to the end of the answer.",
            "s",
            (
                Query(
                    "topk(10, histogram_quantile(0.95, sum by (le, tool) (rate(mcp_gateway_upstream_seconds_bucket"
                    f'{{{SERVER},tool=~"$tool"}}[$__rate_interval]))))',
                    "{{tool}}",
                ),
            ),
        ),
        Panel(
            "Failures at the server",
            "Allowed calls that failed there, by kind.",
            "reqps",
            (
                Query(
                    f"sum by (kind) (rate(mcp_gateway_upstream_errors_total{{{SERVER}}}[$__rate_interval]))", "{{kind}}"
                ),
            ),
        ),
        Panel(
            "Server up",
            "Whether the server accepts connections, looked at every five seconds, and whether calls fail at once.",
            "short",
            (
                Query(f"min by (server) (mcp_gateway_upstream_up{{{SERVER}}})", "{{server}}"),
                Query(f"max by (server) (mcp_gateway_upstream_given_up{{{SERVER}}})", "given up {{server}}"),
            ),
            maximum=1,
        ),
    ),
)

_HEALTH: Final = Row(
    "The gateway itself",
    (
        Panel(
            "What the gateway adds",
            "The 99th percentile by stage: reading the message, deciding, and all of it without the server's time.",
            "s",
            (
                Query(
                    "histogram_quantile(0.99, sum by (le, stage) (rate(mcp_gateway_overhead_seconds_bucket"
                    f"{{{GATEWAY}}}[$__rate_interval])))",
                    "{{stage}}",
                ),
            ),
        ),
        Panel(
            "Malformed requests",
            "Refused before a decision, by reason; a wrong token is one of them.",
            "reqps",
            (
                Query(
                    f"sum by (reason) (rate(mcp_gateway_malformed_total{{{GATEWAY}}}[$__rate_interval]))", "{{reason}}"
                ),
            ),
        ),
        Panel(
            "Audit records",
            "Records written, and those that could not be: each of these is a refused call, or one without a trace.",
            "cps",
            (
                Query(f"sum(rate(mcp_gateway_audit_records_total{{{GATEWAY}}}[$__rate_interval]))", "written"),
                Query(f"sum(rate(mcp_gateway_audit_failures_total{{{GATEWAY}}}[$__rate_interval]))", "failed"),
            ),
        ),
        Panel(
            "Writing an audit record",
            "How long one write takes; a call waits for it.",
            "s",
            quantiles("mcp_gateway_audit_write_seconds", GATEWAY),
        ),
        Panel(
            "CPU",
            "Cores in use. One process uses one at most.",
            "short",
            (Query(f"rate(process_cpu_seconds_total{{{GATEWAY}}}[$__rate_interval])", "{{instance}}"),),
        ),
        Panel(
            "Memory",
            "Resident memory.",
            "bytes",
            (Query(f"process_resident_memory_bytes{{{GATEWAY}}}", "{{instance}}"),),
        ),
        Panel(
            "Files and tasks",
            "Open file descriptors, and tasks of the event loop.",
            "short",
            (
                Query(f"process_open_fds{{{GATEWAY}}}", "descriptors {{instance}}"),
                Query(f"mcp_gateway_tasks{{{GATEWAY}}}", "tasks {{instance}}"),
            ),
        ),
        Panel(
            "Configurations taken up",
            "In the time that is shown, by result. After a failure the one before stays in force.",
            "short",
            (
                Query(
                    f"round(sum by (result) (increase(mcp_gateway_config_reloads_total{{{GATEWAY}}}[$__range])))",
                    "{{result}}",
                ),
            ),
            kind="stat",
            width=4,
        ),
        Panel(
            "Age of the configuration",
            "Since the configuration in force was read.",
            "s",
            (Query(f"time() - max by (instance) (mcp_gateway_config_last_success_timestamp_seconds{{{GATEWAY}}})"),),
            kind="stat",
            width=4,
        ),
        Panel(
            "Versions",
            "What runs.",
            "short",
            (Query(f"mcp_gateway_build_info{{{GATEWAY}}}"),),
            kind="table",
            columns=("instance", "version", "core"),
            value_name="running",
        ),
    ),
)

OVERVIEW: Final = Dashboard(
    "mcp-gateway-overview",
    "MCP gateway · Overview",
    "For the person on call: are calls answered, how fast, and if not, whose fault is it.",
    (_CALLS, _SATURATION, _POLICY, _UPSTREAM, _HEALTH),
    VARIABLES,
)
