"""What is left of every grant's limits, for a metric. It looks at counters and changes none; `app` connects the two."""

from collections.abc import Iterable

from gateway.clock import Clock
from gateway.metrics import Metrics
from gateway.proxy.identity import Grant
from gateway.series import Labels


def headroom(grants: Iterable[Grant], metrics: Metrics, clock: Clock) -> Iterable[tuple[Labels, float]]:
    """Server, grant and counter with what is left, from 1 to 0: the worst of all that share these labels.

    A counter of a whole server has no grant. One that nobody has used since the start is not among them.
    """
    now_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
    worst: dict[Labels, float] = {}
    for grant in grants:
        label = metrics.grants.admit(grant.label)
        for counter, left in grant.budget.headroom(now_ns, wall_ns):
            owner = "" if counter.scope == "server" else label
            labels = (grant.server, owner, metrics.counters.admit(counter.name))
            worst[labels] = min(left, worst.get(labels, 1.0))
    return worst.items()
