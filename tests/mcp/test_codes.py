"""The codes of JSON-RPC errors."""

from gateway.mcp import codes


def test_our_own_codes_stay_out_of_what_the_specifications_reserve():
    """-32768…-32000 belongs to JSON-RPC and MCP."""
    for code in (codes.POLICY_DENIED, codes.POLICY_LIMITED):
        assert not -32768 <= code <= -32000
