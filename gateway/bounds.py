"""How much the gateway takes on at a time: the configuration's `bounds`, as plain values.

No policy's: these keep the gateway and its servers alive, whoever calls. `config` makes them, `proxy` keeps to them.
"""

import msgspec


class Bounds(msgspec.Struct, frozen=True):
    """Everything that is bounded by configuration. The defaults are those of the file."""

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
