"""What must hold of a request as HTTP before it is read as MCP: a form with one meaning, and a body we read.

Each rule is a refusal with its status; the agent's bytes are read here and nowhere else.
"""

import asyncio
from collections.abc import Collection
from typing import Final

from aiohttp import web

from gateway.mcp.codes import HEADER_MISMATCH
from gateway.mcp.headers import PREFIX, Headers, forwarded
from gateway.proxy.reply import CLOSE, Refusal

BODY_TIMEOUT_S: Final = 30.0
# After a while for a lost packet to be sent again, a body has to come at this rate at least.
SLOW_START_S: Final = 10.0
MIN_BYTES_PER_S: Final = 1024
# aiohttp's own bound, for those who read messages without it.
MAX_BODY_BYTES: Final = 1 << 20

# Given twice, each of these could be read in two ways by two readers.
_SINGLE_HEADERS: Final = (
    "authorization", "content-type", "content-length", "host", "origin", "last-event-id", "mcp-session-id",
)  # fmt: skip


def check_form(request: web.BaseRequest, headers: Headers) -> None:
    """Refuse what HTTP readers are known to read in different ways. Raises `Refusal`, which ends the connection."""
    if not request.raw_path.startswith("/"):
        status = 421 if "://" in request.raw_path else 400
        raise _unclear("target", "The target of a request is a path here.", status=status)
    names = [name.lower() for name, _ in headers]
    for name in _SINGLE_HEADERS:
        # Identity answers a second Authorization as it does any bad token.
        if name != "authorization" and names.count(name) > 1:
            raise _unclear("duplicate_header", f"The header {name} is given more than once.")
    for name in names:
        if name.startswith(PREFIX) and names.count(name) > 1:
            message = f"The header {name} is given more than once."
            raise _unclear("duplicate_header", message, code=HEADER_MISMATCH)
    if any("_" in name and _has_meaning(name.replace("_", "-")) for name in names):
        raise _unclear("underscore", "A header is written with an underscore where it has a dash.")
    connection = ",".join(value for name, value in headers if name.lower() == "connection")
    if any(_has_meaning(option.strip().lower()) for option in connection.split(",")):
        raise _unclear("connection", "The header Connection names a header that is not the connection's own.")
    if not all(value.isascii() for _, value in forwarded(headers)):
        message = "A header for the server has characters beyond ASCII; encode its value as =?base64?…?=."
        raise _unclear("header_value", message)
    if "upgrade" in names:
        raise _unclear("upgrade", "Upgrades are not supported.")
    if request.version != (1, 1):
        raise _unclear("http_version", "HTTP/1.1 is required.")
    if request.method != "POST" and _announces_body(headers):
        raise _unclear("body", f"A {request.method} has no body here.")


async def read_body(
    request: web.BaseRequest,
    headers: Headers,
    *,
    answers: Collection[str] = ("application/json", "text/event-stream"),
) -> bytes:
    """The whole body of a POST, from an agent that must take all the media types that its answer may have.

    Raises `Refusal`: 406, 408, 411, 413, 415 or 417.
    """
    values = {name.lower(): value for name, value in headers}
    if "transfer-encoding" in values or "content-length" not in values:
        raise _unclear("length", "Content-Length is required.", status=411)
    if "content-encoding" in values:
        raise Refusal(415, "encoding", "Encoded bodies are not accepted.")
    media_type, _, parameters = values.get("content-type", "").partition(";")
    if media_type.strip().lower() != "application/json" or not _is_utf8(parameters):
        raise Refusal(415, "media_type", "The body must be application/json in UTF-8.")
    check_accept(headers, *answers)
    if "expect" in values:
        await _continue(request, values["expect"])
    patience_s = body_timeout_s(int(values["content-length"]))
    try:
        async with asyncio.timeout(patience_s):
            return await request.read()
    except TimeoutError:
        raise Refusal(408, "slow_body", f"The body took longer than {patience_s:.1f} s.") from None
    except web.HTTPRequestEntityTooLarge:
        raise Refusal(413, "too_large", "The body is larger than the gateway accepts.") from None


def body_timeout_s(length: int) -> float:
    """How long a body of `length` bytes may take altogether."""
    return min(BODY_TIMEOUT_S, SLOW_START_S + length / MIN_BYTES_PER_S)


async def _continue(request: web.BaseRequest, expectation: str) -> None:
    """Ask for the body that an agent holds back until its headers are found good (RFC 9110, 10.1.1)."""
    if expectation.lower() != "100-continue":
        raise Refusal(417, "expect", "The only expectation that is met is 100-continue.")
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def check_accept(headers: Headers, *media_types: str) -> None:
    """Raises `Refusal` (406) unless Accept admits every one of `media_types`. Weights are not looked at."""
    accept = ",".join(value for name, value in headers if name.lower() == "accept")
    ranges = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    for media_type in media_types:
        if ranges.isdisjoint((media_type, f"{media_type.partition('/')[0]}/*", "*/*")):
            raise Refusal(406, "accept", f"Accept must name {' and '.join(media_types)}.")


def _unclear(reason: str, message: str, *, status: int = 400, code: int | None = None) -> Refusal:
    """A refusal that ends the connection: what comes next on it may be read in two ways as well."""
    return Refusal(status, reason, message, code=code, headers=CLOSE)


def _announces_body(headers: Headers) -> bool:
    return any(
        name.lower() == "transfer-encoding" or (name.lower() == "content-length" and value.strip() != "0")
        for name, value in headers
    )


def _has_meaning(name: str) -> bool:
    """Whether we or the server decide something by the header of this name."""
    return name in _SINGLE_HEADERS or name.startswith("mcp-")


def _is_utf8(parameters: str) -> bool:
    charset = parameters.strip().lower()
    return charset in ("", "charset=utf-8", 'charset="utf-8"')
