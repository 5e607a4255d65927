"""Which paths there are, and for what."""

from gateway.proxy.endpoints import Endpoint, Role, endpoints_of


def test_each_server_has_its_paths():
    """One for each transport, and one for the messages of the older; nothing is ambiguous with several servers."""
    assert endpoints_of(["a", "b"]) == {
        path: endpoint
        for name in "ab"
        for path, endpoint in {
            f"/mcp/{name}": Endpoint(name),
            f"/sse/{name}": Endpoint(name, Role.SSE_STREAM),
            f"/messages/{name}": Endpoint(name, Role.SSE_MESSAGES),
        }.items()
    }


def test_one_server_alone_has_short_paths_too():
    """They come first, for those who tell people where to connect."""
    endpoints = endpoints_of(["a"])
    assert list(endpoints) == ["/mcp", "/sse", "/mcp/a", "/sse/a", "/messages/a"]
    assert (endpoints["/mcp"], endpoints["/sse"]) == (endpoints["/mcp/a"], endpoints["/sse/a"])


def test_a_role_knows_its_methods():
    """What is answered with 405 says what there is instead."""
    assert Role.MCP.value == ("POST", "GET", "DELETE")
