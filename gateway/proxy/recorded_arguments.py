"""What a record says of a call's arguments: their names, a hash, and only such values as the policy has kept.

`record` is its only caller.
"""

import msgspec

from gateway.audit.event import MAX_KEPT_BYTES, MAX_KEYS, clipped
from gateway.mcp.canonical import canonical_json
from gateway.mcp.message import Message, Request
from gateway.proxy.calls import call_of
from gateway.proxy.identity import Grant
from gateway.proxy.session_clients import Fingerprints


def keys(message: Message | None) -> tuple[str, ...]:
    """The names of the arguments, sorted; beyond `MAX_KEYS` only how many there are."""
    if not isinstance(message, Request):
        return ()
    keys = [clipped(key) for key in sorted(message.arguments)[:MAX_KEYS]]
    return (*keys, f"… ({len(message.arguments)} keys)") if len(message.arguments) > MAX_KEYS else tuple(keys)


def fingerprint(fingerprints: Fingerprints, message: Message | None) -> str:
    """A keyed hash of the canonical arguments; empty where there are none."""
    if not isinstance(message, Request) or not message.arguments:
        return ""
    return fingerprints.fingerprint(canonical_json(message.arguments).encode())


def kept(grant: Grant, message: Message | None) -> dict[str, object]:
    """The arguments that the grant's policy has recorded. What is too large for a record is left out."""
    call = call_of(message) if isinstance(message, Request) else None
    if call is None:
        return {}
    values = grant.engine.kept(call)
    return {path: value for path, value in values.items() if len(msgspec.json.encode(value)) <= MAX_KEPT_BYTES}
