"""Headers that repeat the body, and headers that travel on.

Claim: reading them ends in a value or a `MismatchError`; a name that passes is the body's by an independent decoding;
the headers made from a message pass for it alone; and no credential, cookie or session id travels on.
"""

import binascii
import contextlib

from gateway.mcp import headers
from gateway.mcp.message import PROTOCOL_VERSION_KEY, Request
from gateway.mcp.versions import Era, MismatchError, era_of

KEPT_BACK = {"authorization", "cookie", "set-cookie", "location", "host", "content-length", headers.SESSION_ID}


def check(data: bytes) -> None:
    """Raise AssertionError where the claim does not hold; `data` is lines of headers, an empty line, a tool's name."""
    head, _, name = data.partition(b"\n\n")
    try:
        target = name.decode()
    except UnicodeDecodeError:
        return
    # As aiohttp decodes them.
    lines = [line.partition(":") for line in head.decode("utf-8", "surrogateescape").split("\n")]
    given = [(key, value.strip(" \t")) for key, _, value in lines]
    message = tool_call(target)
    with contextlib.suppress(MismatchError):
        era_of(message, headers.value_of(given, headers.PROTOCOL_VERSION))
    if passes(given, message):
        assert decoded(headers.value_of(given, headers.NAME) or "") == target
    made = headers.mirrored(message)
    assert all(value.isascii() and value.isprintable() for _, value in made)
    assert passes(made, message)
    assert not passes(made, tool_call(target + "x"))
    for travelling in (headers.forwarded(given), headers.returned(given)):
        assert KEPT_BACK.isdisjoint(key.lower() for key, _ in travelling)
    assert all(value.isascii() and value.replace("\t", "").isprintable() for _, value in headers.returned(given))


def tool_call(name: str) -> Request:
    """A call of 2026-07-28 of the tool of this name."""
    params = {"name": name, "_meta": {PROTOCOL_VERSION_KEY: "2026-07-28"}}
    return Request(1, "tools/call", params, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def passes(given: headers.Headers, message: Request) -> bool:
    """Whether these headers are found to repeat the message."""
    try:
        headers.check(given, message, Era.MODERN)
    except MismatchError:
        return False
    return True


def decoded(value: str) -> str:
    """What a strict reader makes of a header's value."""
    if value.startswith("=?base64?") and value.endswith("?="):
        return binascii.a2b_base64(value[9:-2], strict_mode=True).decode()
    return value
