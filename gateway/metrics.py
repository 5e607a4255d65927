"""Every metric, declared once. Labels come from closed sets: never a token, a session id or an argument."""

from collections.abc import Iterable
from typing import Final

from prometheus_client import Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from gateway.series import Counter, Gauge, Histogram, Reading, Registry

UNKNOWN: Final = "_unknown"
OTHER: Final = "_other"

# The OpenTelemetry MCP convention, so that dashboards made for it work here.
_OPERATION_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_OVERHEAD_BUCKETS: Final = (
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3,
)  # fmt: skip
_WRITE_BUCKETS: Final = (5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 500e-6, 1e-3, 5e-3, 20e-3, 100e-3, 1)
_LAG_BUCKETS: Final = (1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3, 100e-3, 200e-3, 500e-3, 1, 5)

LABELS: Final = {
    "server": "a server of the configuration",
    "grant": "the label of a grant; `_other` beyond 200 of them",
    "tool": "a tool that a policy or the server's own list names; else `_unknown`, and `_other` beyond 200 of them",
    "verdict": "`allow`, `deny`, `throttle`, `pending`, `error`",
    "rule": "a rule of a policy, or one of those in parentheses ([operations.md](operations.md)); `_other` beyond 200",
    "would": "the verdict that a shadow rule would have given",
    "mcp_method_name": "a method of the protocol; for a request without a message that of HTTP; else `_unknown`",
    "gen_ai_tool_name": "as `tool`",
    "error_type": "empty for a call that was answered; a verdict, or `failed`, `cancelled`, `abandoned`",
    "stage": "`parse`, `decide`, `total`",
    "counter": "a counter of a policy; `_other` beyond 200",
    "kind": "`(upstream down)`, `(upstream timeout)`, `(upstream broken)`, `(session lost)`, `(internal error)`",
    "outcome": "`approved`, `denied`, `expired`, `consumed`",
    "reason": "why, in a word: one for each refusal of [operations.md](operations.md)",
    "change": "`changed`, `new`",
    "result": "`applied`, `refused`",
    "version": "of the gateway",
    "core": "`cython` or `python`",
}
"""Which values a label takes."""


class KnownNames:
    """A closed set of label values that grows as names become known, up to a cap.

    A name that is not known is `_unknown`; one that became known after the cap was reached is `_other`.
    """

    def __init__(self, names: Iterable[str] = (), *, cap: int = 200) -> None:
        self._cap = cap
        self._labels: dict[str, str] = {}
        self.learn(names)

    def learn(self, names: Iterable[str]) -> None:
        """Add names that the operator or the server has named; an agent's word is not enough."""
        for name in names:
            if name in self._labels:
                continue
            if len(self._labels) < self._cap:
                self._labels[name] = name
            elif len(self._labels) < 2 * self._cap:
                self._labels[name] = OTHER

    def admit(self, name: str) -> str:
        """The label value of a name that is the operator's or our own, whoever uses it first: itself, or `_other`."""
        if name not in self._labels and len(self._labels) < self._cap:
            self._labels[name] = name
        return self._labels.get(name, OTHER)

    def label(self, name: str) -> str:
        """The label value that stands for `name`; an empty name stays empty."""
        return self._labels.get(name, UNKNOWN) if name else ""


class Saturation:
    """How much is open, and how much is left. What is read when somebody asks, `app` says how."""

    def __init__(self, registry: Registry) -> None:
        self.streams = Reading(
            "mcp_gateway_streams",
            "Streams to agents that only listen, and those of sessions over HTTP+SSE and stdio.",
            ["server"],
            registry=registry,
        )
        self.sessions = Reading(
            "mcp_gateway_sessions",
            "Sessions that the gateway itself keeps: over HTTP+SSE, agents' and servers', and agents' over stdio.",
            ["server"],
            registry=registry,
        )
        self.connections = Reading("mcp_gateway_connections", "Agents' connections that are open.", registry=registry)
        self.waiting = Reading("mcp_gateway_waiting", "Requests that wait for their turn.", registry=registry)
        self.given_up = Reading(
            "mcp_gateway_upstream_given_up",
            "Whether calls of the server fail at once (1), because those before have, or not (0).",
            ["server"],
            registry=registry,
        )
        self.tasks = Reading("mcp_gateway_tasks", "Tasks of the event loop.", registry=registry)
        self.loop_lag = Histogram(
            "mcp_gateway_event_loop_lag_seconds",
            "How late the event loop got to what was due, looked at twenty times a second.",
            buckets=_LAG_BUCKETS,
            registry=registry,
        )
        self.headroom = Reading(
            "mcp_gateway_limit_remaining_ratio",
            "What is left of a counter, from 1 to 0, once it has been used since the start: the worst of its "
            "sessions; without a grant where the whole server shares it.",
            ["server", "grant", "counter"],
            registry=registry,
        )


class Reloads:
    """What became of configurations that were read while the gateway ran."""

    def __init__(self, registry: Registry) -> None:
        self.total = Counter(
            "mcp_gateway_config_reloads",
            "Configurations that were read while the gateway ran, by what became of them.",
            ["result"],
            registry=registry,
        )
        # There from the start, or Prometheus would not see the first one as an increase.
        for result in ("applied", "refused"):
            self.total.labels(result)
        self.last_success = Gauge(
            "mcp_gateway_config_last_success_timestamp_seconds",
            "When the configuration in force was read.",
            registry=registry,
        )


class Audit:
    """The audit journal."""

    def __init__(self, registry: Registry) -> None:
        self.failures = Counter(
            "mcp_gateway_audit_failures", "Audit records that could not be written.", registry=registry
        )
        self._records = Counter("mcp_gateway_audit_records", "Audit records that were written.", registry=registry)
        self._write = Histogram(
            "mcp_gateway_audit_write_seconds",
            "Time to hand one audit record to the operating system, or to the disk where it has to be there.",
            buckets=_WRITE_BUCKETS,
            registry=registry,
        )

    def written(self, seconds: float) -> None:
        """One record was written, and took so long."""
        self._records.inc()
        self._write.observe(seconds)


class Servers:
    """The servers' side of calls."""

    def __init__(self, registry: Registry) -> None:
        self.seconds = Histogram(
            "mcp_gateway_upstream_seconds",
            "Time at the server: from a call being sent to the end of its answer, for calls that were answered.",
            ["server", "tool"],
            buckets=_OPERATION_BUCKETS,
            registry=registry,
        )
        self.up = Gauge(
            "mcp_gateway_upstream_up",
            "Whether the server accepts connections (1) or not (0), looked at every five seconds.",
            ["server"],
            registry=registry,
        )
        self.errors = Counter(
            "mcp_gateway_upstream_errors",
            "Calls that were allowed and failed at the server's side, by kind.",
            ["server", "kind"],
            registry=registry,
        )


class Approvals:
    """Calls that wait for a person."""

    def __init__(self, registry: Registry) -> None:
        self.pending = Gauge(
            "mcp_gateway_approvals_pending", "Calls that wait for a person's approval.", registry=registry
        )
        self.oldest = Gauge(
            "mcp_gateway_approvals_oldest_seconds",
            "How long the oldest call that waits for a person's approval has been waiting; 0 where none waits.",
            registry=registry,
        )
        self.total = Counter(
            "mcp_gateway_approvals", "What became of approvals, by outcome.", ["outcome"], registry=registry
        )


class Metrics:
    """The gateway's metrics in a registry of their own."""

    def __init__(self, version: str, core: str) -> None:
        self.registry = Registry()
        self.grants = KnownNames()
        self.rules = KnownNames()
        self.counters = KnownNames()
        self.decisions = Counter(
            "mcp_gateway_decisions",
            "Decisions, by verdict.",
            ["server", "grant", "tool", "verdict"],
            registry=self.registry,
        )
        self.denials = Counter(
            "mcp_gateway_denials", "Refusals, by the rule that refused.", ["server", "rule"], registry=self.registry
        )
        self.shadow = Counter(
            "mcp_gateway_shadow", "What shadow rules would have decided.", ["rule", "would"], registry=self.registry
        )
        self.operations = Histogram(
            "mcp_server_operation_duration_seconds",
            "Duration of MCP operations as the agent saw them (OpenTelemetry MCP convention).",
            ["mcp_method_name", "gen_ai_tool_name", "error_type"],
            buckets=_OPERATION_BUCKETS,
            registry=self.registry,
        )
        self.overhead = Histogram(
            "mcp_gateway_overhead_seconds",
            "What the gateway itself adds, the server's time excluded.",
            ["stage"],
            buckets=_OVERHEAD_BUCKETS,
            registry=self.registry,
        )
        self.inflight = Gauge(
            "mcp_gateway_inflight", "Exchanges under way at the server.", ["server"], registry=self.registry
        )
        self.saturation = Saturation(self.registry)
        self.servers = Servers(self.registry)
        self.approvals = Approvals(self.registry)
        self.malformed = Counter(
            "mcp_gateway_malformed", "Requests refused before a decision.", ["reason"], registry=self.registry
        )
        self.pin_differences = Counter(
            "mcp_gateway_pin_differences",
            "Definitions of tools that differ from what is pinned, each counted once.",
            ["server", "change"],
            registry=self.registry,
        )
        self.audit = Audit(self.registry)
        self.reloads = Reloads(self.registry)
        self._describe(version, core)

    def _describe(self, version: str, core: str) -> None:
        """What runs, and how the process is."""
        Info("mcp_gateway_build", "Version and core in use.", registry=self.registry).info(
            {"version": version, "core": core}
        )
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
