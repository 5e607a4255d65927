"""JSON with one meaning. The cases for an agent's messages stand in test_parse.py."""

import pytest

from gateway.mcp import strict_json
from gateway.mcp.strict_json import StrictJsonError


@pytest.mark.parametrize("text", [b"1", b'{"a":[1,{"b":null}]}', b'"a:b"', b"18446744073709551615"])
def test_what_every_parser_reads_alike_is_loaded(text):
    """Any JSON value will do."""
    assert strict_json.load(text) is not False


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b'{"a":1,"a":2}', "duplicate_key"),
        (b'[{"x":{"a":1,"\\u0061":2}}]', "duplicate_key"),
        (b"[" * 65 + b"]" * 65, "too_deep"),
        (b"18446744073709551616", "integer"),
        (b"NaN", "json"),
        (b"\xef\xbb\xbf{}", "json"),
        (b"", "json"),
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(text, reason):
    """The reason is a label from a closed set."""
    with pytest.raises(StrictJsonError) as raised:
        strict_json.load(text)
    assert raised.value.reason == reason
