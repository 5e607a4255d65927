"""JSON-RPC error codes: those of the specifications, and our own, which stay outside of -32768…-32000."""

from typing import Final

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603

# 2025-11-25 and before, by custom of the SDKs; 2026-07-28 has no sessions.
SESSION_NOT_FOUND: Final = -32001
# 2026-07-28 transports, "Server Validation".
HEADER_MISMATCH: Final = -32020
# 2026-07-28, "Protocol Version Header".
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

POLICY_DENIED: Final = 40301
POLICY_LIMITED: Final = 42901
