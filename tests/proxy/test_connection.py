"""What is not even HTTP: answered, recorded, counted, and quiet in the log."""

import asyncio
import logging

import orjson
import pytest

from tests.support.gateways import RunningGateway
from tests.support.upstream import ScriptedUpstream

MALFORMED = {
    "no HTTP": b"hello\r\n\r\n",
    "TLS": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    "two lengths": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "length and chunks": b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a space before the colon": b"POST /mcp HTTP/1.1\r\nHost : localhost\r\n\r\n",
    "a NUL": b"POST /mcp HTTP/1.1\r\nHost: local\x00host\r\n\r\n",
    "no host": b"POST /mcp HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_http_is_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture, sent: bytes
):
    """HTTP 400 with a JSON-RPC error, one record, no traceback, and the connection is closed."""
    with caplog.at_level(logging.INFO):
        host, port = gateway.gateway.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        async with asyncio.timeout(5):
            answer = await reader.read()
        writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split()[1] == b"400"
    assert orjson.loads(body)["error"]["code"] == 40000
    assert [record["reason"] for record in gateway.records()] == ["http"]
    assert "Traceback" not in caplog.text
    assert upstream.received == []
