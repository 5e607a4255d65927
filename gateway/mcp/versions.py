"""Protocol revisions, and which of the two eras a request belongs to.

*Legacy* agents (2025-11-25 and before) open a session with `initialize`; *modern* ones (2026-07-28 and
later) name the revision in every request. Both are served side by side, decided request by request.
"""

import enum
import re
from typing import Final

from gateway.errors import GatewayError
from gateway.mcp.codes import HEADER_MISMATCH, INVALID_PARAMS
from gateway.mcp.message import Message, Request, claimed_version

FIRST_MODERN: Final = "2026-07-28"
# Those that begin with `initialize`.
HANDSHAKE_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

_REVISION = re.compile(r"\d{4}-\d{2}-\d{2}")


class Era(enum.Enum):
    """Which set of transport rules a request follows."""

    LEGACY = "legacy"
    MODERN = "modern"


class MismatchError(GatewayError):
    """Headers and body disagree: HTTP 400 with `code` (2026-07-28 transports, "Server Validation")."""

    def __init__(self, message: str, code: int = HEADER_MISMATCH) -> None:
        super().__init__(message)
        self.code = code


def era_of(message: Message, header: str | None) -> Era:
    """The era of a message, from `_meta` in its body and its `MCP-Protocol-Version` header.

    Raises `MismatchError` where the two contradict each other. The body decides; `initialize` is
    always legacy.
    """
    if isinstance(message, Request) and message.method == "initialize":
        return Era.LEGACY
    version = claimed_version(message)
    if version is None:
        if isinstance(message, Request) and _is_modern(header):
            raise MismatchError(
                f"MCP-Protocol-Version {header} needs the same version in params._meta.", INVALID_PARAMS
            )
        return Era.MODERN if _is_modern(header) else Era.LEGACY
    if header != version:
        raise MismatchError("MCP-Protocol-Version and the version in params._meta differ.")
    return Era.MODERN


def _is_modern(version: str | None) -> bool:
    return version is not None and _REVISION.fullmatch(version) is not None and version >= FIRST_MODERN
