"""Every metric, declared once. Labels come from closed sets: never a token, a session id or an argument."""

import bisect
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

UNKNOWN: Final = "_unknown"
OTHER: Final = "_other"

# The OpenTelemetry MCP convention, so that dashboards made for it work here.
_OPERATION_BUCKETS: Final = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300)
_OVERHEAD_BUCKETS: Final = (
    20e-6, 50e-6, 100e-6, 200e-6, 500e-6, 1e-3, 2e-3, 5e-3, 10e-3, 20e-3, 50e-3,
)  # fmt: skip

_WRITE_BUCKETS: Final = (5e-6, 10e-6, 20e-6, 50e-6, 100e-6, 500e-6, 1e-3, 5e-3, 20e-3, 100e-3, 1)


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

    def label(self, name: str) -> str:
        """The label value that stands for `name`; an empty name stays empty."""
        return self._labels.get(name, UNKNOWN) if name else ""


class Saturation:
    """How much is open at the moment, counted when somebody asks: `app` says how."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.streams = Gauge(
            "mcp_gateway_streams",
            "Streams to agents that only listen, and those of sessions over HTTP+SSE and stdio.",
            ["server"],
            registry=registry,
        )
        self.sessions = Gauge(
            "mcp_gateway_sessions",
            "Sessions that the gateway itself keeps: over HTTP+SSE, agents' and servers', and agents' over stdio.",
            ["server"],
            registry=registry,
        )
        self.tasks = Gauge("mcp_gateway_tasks", "Tasks of the event loop.", registry=registry)

    def forget(self, server: str) -> None:
        """A server is no more."""
        for gauge in (self.streams, self.sessions):
            gauge.remove(server)


class Reloads:
    """What became of configurations that were read while the gateway ran."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.total = Counter(
            "mcp_gateway_config_reloads",
            "Configurations that were read while the gateway ran, by what became of them.",
            ["result"],
            registry=registry,
        )
        self.last_success = Gauge(
            "mcp_gateway_config_last_success_timestamp_seconds",
            "When the configuration in force was read.",
            registry=registry,
        )


class Audit(Collector):
    """The audit journal. Counted by hand: every call is two records, and each would take four locks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.failures = Counter(
            "mcp_gateway_audit_failures", "Audit records that could not be written.", registry=registry
        )
        # The last one is for what took longer than all of the buckets.
        self._written = [0] * (len(_WRITE_BUCKETS) + 1)
        self._written_s = 0.0
        registry.register(self)

    def written(self, seconds: float) -> None:
        """One record was written, and took so long."""
        self._written[bisect.bisect_left(_WRITE_BUCKETS, seconds)] += 1
        self._written_s += seconds

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told."""
        bounds = [*map(str, _WRITE_BUCKETS), "+Inf"]
        yield CounterMetricFamily(
            "mcp_gateway_audit_records", "Audit records that were written.", value=sum(self._written)
        )
        yield HistogramMetricFamily(
            "mcp_gateway_audit_write_seconds",
            "Time to hand one audit record to the operating system, or to the disk where it has to be there.",
            buckets=list(zip(bounds, itertools.accumulate(self._written), strict=True)),
            sum_value=self._written_s,
        )


class Metrics:
    """The gateway's metrics in a registry of their own."""

    def __init__(self, version: str, core: str) -> None:
        self.registry = CollectorRegistry()
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
        self.upstream_errors = Counter(
            "mcp_gateway_upstream_errors",
            "Calls that were allowed and failed at the server's side, by kind.",
            ["server", "kind"],
            registry=self.registry,
        )
        self.approvals_pending = Gauge(
            "mcp_gateway_approvals_pending", "Calls that wait for a person's approval.", registry=self.registry
        )
        self.approvals = Counter(
            "mcp_gateway_approvals", "What became of approvals, by outcome.", ["outcome"], registry=self.registry
        )
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
