"""From a bearer token to the grant it belongs to, or to a refusal that tells nothing.

Over stdio there is no token: whoever may use the gateway's socket names a grant.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from gateway.clock import Clock
from gateway.errors import GatewayError
from gateway.mcp.headers import Headers
from gateway.policy.engine import NO_POLICY, Judge
from gateway.proxy.budget import SessionBudgets
from gateway.proxy.pins import Pins
from gateway.proxy.reply import Refusal
from gateway.tokens import token_digest

MAX_TOKEN_LENGTH = 512


class Grant(msgspec.Struct, frozen=True):
    """A labelled bearer token on one server, with its policy: everything that a call is judged by."""

    label: str
    server: str
    policy: str
    """The policy's name; empty for a grant without one, which may call nothing."""
    token_digest: bytes | None
    """None where there is no token, and so no way in over HTTP."""
    expires_ns: int | None
    engine: Judge
    budget: SessionBudgets
    pins: Pins | None = None
    """What the server's tools are held to; None where they are held to nothing."""


class Grants:
    """The grants of one configuration, which do not change."""

    def __init__(self, grants: Iterable[Grant]) -> None:
        self.by_label: Mapping[str, Grant] = {grant.label: grant for grant in grants}
        self.by_digest: Mapping[bytes, Grant] = {
            grant.token_digest: grant for grant in self.by_label.values() if grant.token_digest is not None
        }
        """Without those that have no token."""


class Identity:
    """The grants in force, by the digest of their tokens and by label."""

    def __init__(self, grants: Callable[[], Grants], clock: Clock) -> None:
        """`grants` gives those in force at the moment of the question."""
        self._grants = grants
        self._clock = clock

    def resolve(self, headers: Headers, server: str) -> Grant:
        """The grant whose token the request carries, on `server`.

        Raises `Refusal` (401), the same in shape and time for a missing, malformed, unknown, expired or
        foreign token: a digest is always computed and always looked up.
        """
        token = _bearer_token(headers)
        grant = self._grants().by_digest.get(token_digest(token))
        if not token or grant is None or grant.server != server or self._has_expired(grant):
            raise _unauthenticated()
        return grant

    def current(self, grant: Grant) -> Grant | None:
        """What a grant that was resolved earlier is now; None when it has been revoked or has expired since."""
        now = self._grants().by_label.get(grant.label)
        if now is None or (now.token_digest, now.server) != (grant.token_digest, grant.server):
            return None
        if self._has_expired(now):
            return None
        return now

    def renewed(self, grant: Grant) -> Grant:
        """As `current`; raises `Refusal` (401) where there is none."""
        now = self.current(grant)
        if now is None:
            raise _unauthenticated()
        return now

    def named(self, label: str) -> Grant:
        """The grant of this label, for an agent of the gateway's own user.

        Raises `GatewayError`, with a sentence for that user, where it is unknown or has expired.
        """
        grant = self._grants().by_label.get(label)
        if grant is None:
            raise GatewayError(f"no grant has the label {label!r}; see `grants` in the configuration")
        if self._has_expired(grant):
            raise GatewayError(f"the grant {label!r} has expired; see its `expires` in the configuration")
        return grant

    def judge(self, grant: Grant) -> Judge:
        """What judges for a grant that was resolved earlier: the policy it has now."""
        now = self.current(grant)
        return NO_POLICY if now is None else now.engine

    def remaining_s(self, grant: Grant) -> float | None:
        """How long the grant is still good for, in seconds; None for ever."""
        return None if grant.expires_ns is None else max(0, grant.expires_ns - self._clock.wall_ns()) / 1e9

    def _has_expired(self, grant: Grant) -> bool:
        return grant.expires_ns is not None and self._clock.wall_ns() >= grant.expires_ns


def _unauthenticated() -> Refusal:
    return Refusal(
        401,
        "unauthenticated",
        "A valid bearer token for this server is required.",
        headers={"WWW-Authenticate": 'Bearer realm="mcp", error="invalid_token"'},
    )


def _bearer_token(headers: Headers) -> str:
    """The token of the one Authorization header, or the empty string where there is none to be had."""
    values = [value for name, value in headers if name.lower() == "authorization"]
    if len(values) != 1:
        return ""
    scheme, _, token = values[0].partition(" ")
    is_token = 0 < len(token) <= MAX_TOKEN_LENGTH and all("!" <= character <= "~" for character in token)
    return token if scheme.lower() == "bearer" and is_token else ""
