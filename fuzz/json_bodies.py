"""Bodies of messages: what is accepted has one meaning.

Claim: where the one strict reading accepts a text, json, orjson and pydantic read the very object that is judged, in
that text and in the bytes that are forwarded; and the compiled scan says of any bytes what its specification says.
"""

import json

import orjson
import pydantic_core

from gateway import _scan, _scan_py
from gateway.mcp import strict_json
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.strict_json import StrictJsonError

READERS = (json.loads, orjson.loads, pydantic_core.from_json)


def check(data: bytes) -> None:
    """Raise AssertionError where the claim does not hold for this body."""
    assert _scan.scan(data) == _scan_py.scan(data)
    try:
        judged = strict_json.load(data)
    except StrictJsonError:
        return
    # `repr` tells 1 from 1.0 and True, -0.0 from 0.0, and one order of members from another.
    written = repr(judged)
    for text in (data, orjson.dumps(judged)):
        assert [repr(read(text)) for read in READERS] == [written] * len(READERS)
    try:
        message = parse_message(data)
    except MalformedError:
        return
    assert repr(message.body) == written
