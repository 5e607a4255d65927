"""The section `bounds` of the configuration: its shape, its mistakes, and how much the gateway takes on at a time.

No policy's: these keep the gateway and its servers alive, whoever calls. `config` reads them, `proxy` keeps to them.
"""

from collections.abc import Iterator, Mapping
from typing import Annotated, Final

import msgspec

from gateway.reading import scalars
from gateway.reading.outcome import Fault, Path

_MAX_SPAN_S: Final = 3600
_SPANS: Final = frozenset({"wait", "lag", "drain"})

# Each takes a descriptor, and its call another.
_Connections = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
# As many connections as there may be to one server.
_Requests = Annotated[int, msgspec.Meta(ge=1, le=1024)]


class BoundsEntry(msgspec.Struct, frozen=True):
    """`bounds`, as written."""

    connections: _Connections = 1024
    connections_per_grant: _Connections = 64
    requests: _Requests = 256
    requests_per_grant: _Requests = 64
    wait: float | str = "5s"
    lag: float | str = "100ms"
    drain: float | str = "25s"


class Bounds(msgspec.Struct, frozen=True):
    """How much the gateway takes on at a time."""

    connections: int = 1024
    """Open connections of agents."""
    connections_per_grant: int = 64
    requests: int = 256
    """Requests under way at all servers; as many again may wait for their turn."""
    requests_per_grant: int = 64
    """Those of one grant; as many again may wait."""
    wait_s: float = 5.0
    """The longest wait for a turn."""
    lag_s: float = 0.1
    """How late the event loop may be before work is refused."""
    drain_s: float = 25.0
    """What calls under way have when the gateway stops."""


def bounds(entry: BoundsEntry) -> Bounds:
    """The bounds in an entry without faults."""
    return Bounds(
        connections=entry.connections,
        connections_per_grant=entry.connections_per_grant,
        requests=entry.requests,
        requests_per_grant=entry.requests_per_grant,
        wait_s=span_s(entry.wait),
        lag_s=span_s(entry.lag),
        drain_s=span_s(entry.drain),
    )


def bounds_faults(parts: Mapping[Path, object]) -> Iterator[Fault]:
    """Yield every mistake that the types of the fields cannot express."""
    for path, value in parts.items():
        match path:
            case ("bounds", str(field)) if field in _SPANS and isinstance(value, str | int | float):
                try:
                    span_s(value)
                except ValueError as error:
                    yield path, str(error)


def span_s(written: float | str) -> float:
    """Seconds that something may last, from a duration or a number of seconds; ValueError above an hour."""
    seconds = scalars.duration_ns(written) / 1e9 if isinstance(written, str) else written
    if not 0 < seconds <= _MAX_SPAN_S:
        raise ValueError("must be more than zero and at most 1h")
    return seconds
