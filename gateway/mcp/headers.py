"""HTTP headers that carry meaning in MCP: comparing them with the body, and which of them travel on.

Headers are pairs of (name, value) in the order received; names are compared without case.
"""

import base64
import contextlib
import re
from collections.abc import Sequence
from typing import Final

from gateway.mcp.message import Message, Request, Response, claimed_version
from gateway.mcp.methods import NAMED
from gateway.mcp.versions import Era, MismatchError

Headers = Sequence[tuple[str, str]]

SESSION_ID: Final = "mcp-session-id"
PROTOCOL_VERSION: Final = "mcp-protocol-version"
LAST_EVENT_ID: Final = "last-event-id"
METHOD: Final = "mcp-method"
NAME: Final = "mcp-name"
PREFIX: Final = "mcp-"

# What an agent may send on to the server. `Mcp-*` includes parameters that we do not know, which
# intermediaries MUST forward (2026-07-28 transports). Everything else is made anew or dropped.
_FORWARDED: Final = frozenset({LAST_EVENT_ID, "traceparent", "tracestate"})
# What a server may send back. No cookies, no locations, no challenges: an agent follows no URL of a server's.
_RETURNED: Final = frozenset({"content-type", "cache-control", "x-accel-buffering", "allow", "retry-after"})

# RFC 9110, 5.5, without the bytes beyond ASCII, which readers decode in different ways.
_FIELD_VALUE: Final = re.compile(r"[\t -~]*")

# What no reader trims or decodes: visible ASCII, with spaces only between.
_PLAIN: Final = re.compile(r"(?:[!-~](?:[ -~]*[!-~])?)?")

_SENTINEL_START: Final = "=?base64?"
_SENTINEL_END: Final = "?="


def forwarded(headers: Headers) -> list[tuple[str, str]]:
    """The agent's headers that go on to the server; the session id is not among them."""
    return [
        (name, value)
        for name, value in headers
        if (lower := name.lower()) in _FORWARDED or (lower.startswith(PREFIX) and lower != SESSION_ID)
    ]


def without_mirrors(headers: Headers) -> list[tuple[str, str]]:
    """The headers that do for any message of a session: those that mirror one message's body are left out."""
    ours = (SESSION_ID, PROTOCOL_VERSION)
    return [pair for pair in headers if (lower := pair[0].lower()) in ours or not lower.startswith(PREFIX)]


def returned(headers: Headers) -> list[tuple[str, str]]:
    """The server's headers that go back to the agent; the session id is not, nor what no header may hold."""
    return [
        (name, value)
        for name, value in headers
        if (lower := name.lower()) in _RETURNED or (lower.startswith(PREFIX) and lower != SESSION_ID)
        if _FIELD_VALUE.fullmatch(value)
    ]


def value_of(headers: Headers, name: str) -> str | None:
    """The value of header `name`, in small letters, or None. That none of ours is given twice is checked before."""
    return next((value for given, value in headers if given.lower() == name), None)


def check(headers: Headers, message: Message, era: Era) -> None:
    """Compare `Mcp-Method` and `Mcp-Name` with the body, which is the truth.

    Required of a modern request, the name only where it has one, and compared wherever present. Raises
    `MismatchError` (2026-07-28 transports, "Server Validation").
    """
    method, name = value_of(headers, METHOD), value_of(headers, NAME)
    if isinstance(message, Response):
        if method is not None or name is not None:
            raise MismatchError("A response has neither Mcp-Method nor Mcp-Name.")
        return
    is_required = era is Era.MODERN and isinstance(message, Request)
    if method is None and is_required:
        raise MismatchError("The header Mcp-Method is missing.")
    if method is not None and method != message.method:
        raise MismatchError("The header Mcp-Method and the method in the body differ.")
    if name is None and is_required and message.method in NAMED:
        raise MismatchError("The header Mcp-Name is missing.")
    if name is not None and _decoded(name) != message.target:
        raise MismatchError("The header Mcp-Name and the name in the body differ.")


def mirrored(message: Message) -> list[tuple[str, str]]:
    """The headers that an agent of 2026-07-28 sends over HTTP with this message; empty for one of an older revision."""
    version = claimed_version(message)
    if version is None or isinstance(message, Response):
        return []
    headers = [(PROTOCOL_VERSION, encoded(version)), (METHOD, encoded(message.method))]
    return [*headers, (NAME, encoded(message.target))] if message.method in NAMED else headers


def encoded(value: str) -> str:
    """A text as the value of a header: in the base64 sentinel where it could not stand there as it is."""
    if _PLAIN.fullmatch(value) and not value.startswith(_SENTINEL_START):
        return value
    return _SENTINEL_START + base64.b64encode(value.encode()).decode() + _SENTINEL_END


def _decoded(value: str) -> str:
    """A header value with the base64 sentinel undone. Raises `MismatchError` for a broken one."""
    if not (value.startswith(_SENTINEL_START) and value.endswith(_SENTINEL_END)):
        return value
    encoded = value.removeprefix(_SENTINEL_START).removesuffix(_SENTINEL_END)
    with contextlib.suppress(ValueError):
        raw = base64.b64decode(encoded, validate=True)
        # Python lets surplus padding and stray bits pass; others do not.
        if base64.b64encode(raw).decode() == encoded:
            return raw.decode()
    raise MismatchError("A header value has a broken base64 encoding.")
