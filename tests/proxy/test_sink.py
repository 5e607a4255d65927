"""An agent's end of an exchange over HTTP. What it does with slow readers is shown in test_relay.py."""

import orjson
from aiohttp import web

from gateway.proxy.reply import CLOSE, Reply
from gateway.proxy.sink import http_response


def test_an_answer_of_our_own_is_json_with_its_status_and_headers():
    """Status, headers and body are the reply's."""
    response = http_response(Reply(429, {"a": 1}, {"Retry-After": "3"}))
    assert isinstance(response, web.Response)
    assert (response.status, response.content_type, response.headers["Retry-After"]) == (429, "application/json", "3")
    assert response.body == orjson.dumps({"a": 1})
    assert response.headers["Server"] == "mcp-policy-gateway"


def test_an_answer_that_says_so_ends_the_connection():
    """Nothing but the header asks for it, and no other reply does."""
    assert http_response(Reply(400, {}, CLOSE)).keep_alive is False
    assert http_response(Reply(400, {})).keep_alive is None
