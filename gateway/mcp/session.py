"""Session ids that are worth something only to the grant that was given them.

An agent's session id is `<the server's id>.<MAC over server, grant, id>`. No table is needed, so it holds
across restarts and workers; another grant's id does not verify (protocol.md, section 4, rule 5).
"""

import base64
import hashlib
import hmac

_MAC_BYTES = 16
_MAC_CHARACTERS = 22


def seal(key: bytes, server: str, grant: str, upstream_id: str) -> str:
    """The session id to hand to the agent for the server's own `upstream_id`."""
    return f"{upstream_id}.{_mac(key, server, grant, upstream_id)}"


def unseal(key: bytes, server: str, grant: str, sealed: str) -> str | None:
    """The server's own session id, or None when `sealed` was not made for this grant on this server."""
    upstream_id, dot, mac = sealed.rpartition(".")
    if not dot or not sealed.isascii():
        return None
    return upstream_id if hmac.compare_digest(mac, _mac(key, server, grant, upstream_id)) else None


def _mac(key: bytes, server: str, grant: str, upstream_id: str) -> str:
    # Each part is preceded by its length, so that no two triples make the same input.
    parts = [part.encode() for part in (server, grant, upstream_id)]
    text = b"".join(len(part).to_bytes(4) + part for part in parts)
    digest = hashlib.blake2b(text, key=key, digest_size=_MAC_BYTES).digest()
    return base64.urlsafe_b64encode(digest).decode()[:_MAC_CHARACTERS]
