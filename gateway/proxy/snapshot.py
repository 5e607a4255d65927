"""All that a reload replaces, as one immutable object behind one reference.

`assembly` makes snapshots, `app` swaps them. Who handles a request reads `InForce.snapshot` and awaits nothing between
that and the decision, so no call is judged by two configurations, or by an old one once a newer is in force.
"""

from collections.abc import Mapping

import msgspec

from gateway.addresses import Addresses
from gateway.bounds import Bounds
from gateway.proxy.endpoints import Endpoint
from gateway.proxy.identity import Grants
from gateway.proxy.relay import Relay


class Snapshot(msgspec.Struct, frozen=True):
    """What one configuration makes of the gateway."""

    grants: Grants
    relays: Mapping[str, Relay]
    """The way to each server, by its name."""
    endpoints: Mapping[str, Endpoint]
    """By the exact path that reaches them, such as `/mcp/binassist`."""
    addresses: Addresses
    """The agents' listener's names."""
    admin_addresses: Addresses
    """The second listener's."""
    admin_tokens: Mapping[bytes, str]
    """The labels of the tokens that the second listener takes, by their digests."""
    bounds: Bounds = Bounds()


class InForce:
    """The snapshot in force at this moment. Setting `snapshot` is the whole of a swap."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
