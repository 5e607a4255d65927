"""What never becomes a request: answered, recorded, counted, and quiet in the log."""

import asyncio
import logging

import pytest

from gateway import app
from tests.functional.conftest import StartGateway
from tests.support.gateways import SEED_POLICY, RunningGateway
from tests.support.raw import RawAgent, post
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

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
PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


@pytest.fixture
async def impatient(start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch) -> RunningGateway:
    """A gateway that waits a tenth of a second for the head of a request."""
    monkeypatch.setattr(app, "HEAD_S", 0.1)
    return await start_gateway({"seed": SEED_POLICY})


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED.keys())
async def test_what_is_not_http_is_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture, sent: bytes
):
    """HTTP 400 with a JSON-RPC error, one record, no traceback, and the connection is closed."""
    with caplog.at_level(logging.INFO):
        async with RawAgent(gateway) as agent:
            agent.send(sent)
            answered = await agent.answer()
    assert (answered.status, answered.is_closed) == (400, True)
    assert answered.message["error"]["code"] == 40000
    assert [record["reason"] for record in gateway.records()] == ["http"]
    assert "Traceback" not in caplog.text
    assert upstream.received == []


@pytest.mark.parametrize("cut", [1, 20, -60, -1])
async def test_a_half_sent_head_is_given_up(impatient: RunningGateway, cut: int):
    """F60: 408, one record, closed, wherever the head stops."""
    head = post(body=PING).partition(PING)[0]
    async with RawAgent(impatient) as agent:
        agent.send(head[:cut])
        answered = await agent.answer()
    assert (answered.status, answered.is_closed) == (408, True)
    assert [(record["status"], record["reason"]) for record in impatient.records()] == [(408, "slow_head")]


async def test_a_head_that_drips_is_given_up(impatient: RunningGateway):
    """F60: the time runs from the first byte, however many follow."""
    async with RawAgent(impatient) as agent:
        agent.send(b"POST /mcp HTTP/1.1\r\n")
        async with asyncio.timeout(10):
            while impatient.connections():
                agent.send(b"X-A: a\r\n")
                await asyncio.sleep(0.01)
    assert [record["reason"] for record in impatient.records()] == ["slow_head"]


async def test_a_connection_without_a_first_request_is_closed(impatient: RunningGateway):
    """F60: nothing was asked, so nothing is answered, nor recorded."""
    async with RawAgent(impatient) as agent:
        assert await agent.rest() == b""
    assert impatient.records() == []


async def test_between_requests_a_connection_may_be_idle(impatient: RunningGateway, upstream: ScriptedUpstream):
    """An agent that keeps its connection is not held to the time for a head, until the next one has begun."""
    async with RawAgent(impatient) as agent:
        for _ in range(2):
            agent.send(post(body=PING))
            assert (await agent.answer()).status == 200
            await asyncio.sleep(0.3)
        agent.send(b"POST")
        assert (await agent.answer()).status == 408
    assert len(upstream.received) == 2


async def test_a_body_is_not_held_to_the_time_of_a_head(impatient: RunningGateway):
    """A request whose head was here in time may take longer for its body, and its answer longer still."""
    whole = post(body=PING)
    async with RawAgent(impatient) as agent:
        agent.send(whole[:-5])
        await asyncio.sleep(0.3)
        agent.send(whole[-5:])
        assert (await agent.answer()).status == 200


async def test_an_idle_connection_is_closed(start_gateway: StartGateway, monkeypatch: pytest.MonkeyPatch):
    """F60: without another request a connection ends after its idle time, with nothing said."""
    monkeypatch.setattr(app, "IDLE_AGENT_S", 0.1)
    gateway = await start_gateway({"seed": SEED_POLICY})
    async with RawAgent(gateway) as agent:
        agent.send(post(body=PING))
        assert (await agent.answer()).status == 200
        assert await agent.rest() == b""


async def test_the_broken_rest_of_a_refused_body_is_no_defect(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
):
    """Whoever is refused can't fill the log with tracebacks by going on with nonsense."""
    async with RawAgent(gateway) as agent:
        agent.send(post(body=b"", Content_Length=None, Transfer_Encoding="chunked"))
        agent.send(b"5\r\nab")
        await eventually(gateway.records)
        agent.send(b"cdeXX\r\nzz\r\n")
        assert b" 411 " in await agent.rest()
    assert "Traceback" not in caplog.text


async def test_a_grants_connections_are_capped(gateway: RunningGateway, upstream: ScriptedUpstream):
    """One more is 503 before its body is read; another grant has room, and so has this one after an end."""
    assert await gateway.reload(lambda document: document.update(bounds={"connections_per_grant": 2}))
    async with RawAgent(gateway) as second:
        async with RawAgent(gateway) as first:
            for agent in (first, second, first):
                agent.send(post(body=PING))
                assert (await agent.answer()).status == 200
            async with RawAgent(gateway) as third:
                third.send(post(body=PING, Content_Length="1000"))
                refused = await third.answer()
            assert (refused.status, refused.headers["retry-after"], refused.is_closed) == (503, "1", True)
            assert gateway.records()[-1]["reason"] == "grant_connections"
            async with RawAgent(gateway) as other:
                other.send(post(body=PING, Authorization="Bearer token-other"))
                assert (await other.answer()).status == 200
        await eventually(lambda: gateway.connections() == 1)
        async with RawAgent(gateway) as fourth:
            fourth.send(post(body=PING))
            assert (await fourth.answer()).status == 200
    assert len(upstream.received) == 5


async def test_a_connection_belongs_to_the_grant_that_used_it_last(gateway: RunningGateway):
    """One that changes hands counts for its new owner alone."""
    assert await gateway.reload(lambda document: document.update(bounds={"connections_per_grant": 1}))
    async with RawAgent(gateway) as shared, RawAgent(gateway) as own:
        for token in ("token-seed", "token-other"):
            shared.send(post(body=PING, Authorization=f"Bearer {token}"))
            assert (await shared.answer()).status == 200
        own.send(post(body=PING))
        assert (await own.answer()).status == 200
