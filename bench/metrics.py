"""What metrics cost: for each call, and for each scrape of a large gateway.

`make bench` runs it. The counts of one call are made as `gateway.proxy.record` makes them; the gateway that is scraped
has 200 grants that have used all of 44 tools.
"""

import statistics
import time
from collections.abc import Callable
from typing import Final

from gateway.metrics import Metrics

ROUNDS: Final = 15
CALLS: Final = 20_000
SCRAPES: Final = 10
GRANTS: Final = [f"agent-{number:03}" for number in range(200)]
TOOLS: Final = [f"get_function_{number:02}" for number in range(44)]


def one_call(metrics: Metrics) -> None:
    """Everything that is counted for a call that is allowed and answered."""
    metrics.overhead.labels("parse").observe(20e-6)
    metrics.audit.written(8e-6)
    grant = metrics.grants.admit("agent-007")
    metrics.decisions.labels("binassist", grant, "get_function_07", "allow").inc()
    metrics.overhead.labels("decide").observe(15e-6)
    metrics.inflight.labels("binassist").inc()
    metrics.overhead.labels("total").observe(150e-6)
    metrics.inflight.labels("binassist").dec()
    metrics.servers.seconds.labels("binassist", "get_function_07").observe(0.02)
    metrics.operations.labels("tools/call", "get_function_07", "").observe(0.02)
    metrics.audit.written(8e-6)


def used() -> Metrics:
    """The metrics of a large gateway."""
    metrics = Metrics("0", "none")
    for grant in GRANTS:
        for tool in TOOLS:
            metrics.decisions.labels("binassist", metrics.grants.admit(grant), tool, "allow").inc()
            metrics.servers.seconds.labels("binassist", tool).observe(0.02)
            for error_type in ("", "throttle", "failed"):
                metrics.operations.labels("tools/call", tool, error_type).observe(0.02)
    return metrics


def median_ns(work: Callable[[], object], times: int) -> float:
    """Nanoseconds for one of `times`, the median over the rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(times):
            work()
        rounds.append((time.process_time_ns() - began) / times)
    return statistics.median(rounds)


def main() -> None:
    """Print both."""
    metrics = used()
    print(f"counting one call   {median_ns(lambda: one_call(metrics), CALLS) / 1e3:6.1f} µs")
    scrape = median_ns(metrics.registry.exposition, SCRAPES)
    print(f"one scrape          {scrape / 1e6:6.1f} ms, {len(metrics.registry.exposition()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
