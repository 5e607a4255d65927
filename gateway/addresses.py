"""The names under which the gateway may be addressed, checked on every route of both listeners.

Without this, a web page could reach a listener on loopback through a name that resolves there (DNS rebinding).
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from gateway.errors import GatewayError

_LOOPBACK_NAMES: Final = ("localhost", "127.0.0.1", "[::1]")
_AUTHORITY = re.compile(r"(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")
_ORIGIN = re.compile(r"https?://(?P<authority>[^/@?#\s]+)")


class ForeignAddressError(GatewayError):
    """A request meant for another host, or sent by a page of another origin. `reason` is `host` or `origin`."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Addresses(msgspec.Struct, frozen=True):
    """Hosts and origins that are ours, in small letters. Ports of hosts do not matter: tunnels change them."""

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, listen_host: str, hosts: Iterable[str] = (), origins: Iterable[str] = ()) -> "Addresses":
        """The listen address and the loopback names, widened by `hosts`; loopback origins, widened by `origins`."""
        listen = f"[{listen_host}]" if ":" in listen_host else listen_host
        named = (*_LOOPBACK_NAMES, listen, *hosts)
        return cls(frozenset(name.lower() for name in named), frozenset(origin.lower() for origin in origins))

    def check(self, headers: Iterable[tuple[str, str]]) -> None:
        """Raises `ForeignAddressError`: 421 for a foreign Host, 403 for a foreign Origin."""
        for name, value in headers:
            match name.lower():
                case "host" if not self._is_ours(value):
                    raise ForeignAddressError(421, "host", "This host is not served here; see allowed_hosts.")
                case "origin" if not self._is_trusted(value):
                    message = "This origin may not use the gateway; see allowed_origins."
                    raise ForeignAddressError(403, "origin", message)

    def _is_ours(self, authority: str) -> bool:
        match = _AUTHORITY.fullmatch(authority)
        return match is not None and match["host"].lower() in self.hosts

    def _is_trusted(self, origin: str) -> bool:
        if origin.lower() in self.origins:
            return True
        match = _ORIGIN.fullmatch(origin)
        authority = _AUTHORITY.fullmatch(match["authority"]) if match else None
        return authority is not None and authority["host"].lower() in _LOOPBACK_NAMES
