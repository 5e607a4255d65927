"""What is answered for a server with sessions of ours. With servers: test_legacy_servers, test_stdio_servers."""

import orjson
import pytest

from gateway.proxy.session_upstream import Post, answer_of, refused_without_session
from tests.support.messages import call, modern, notification, request


@pytest.mark.parametrize(
    ("message", "status", "code"),
    [
        (call(), 400, -32600),
        (notification(), 400, -32600),
        (modern("server/discover"), 404, -32601),
        (modern("tools/list"), 400, -32022),
    ],
)
async def test_without_a_session_there_is_only_initialize(message, status: int, code: int):
    """Agents of 2026-07-28 hear what makes them initialize, others that they should."""
    answer = refused_without_session(message)
    body = orjson.loads(await answer.read(1000))
    assert (answer.status, body["error"]["code"], body["id"]) == (status, code, getattr(message, "id", None))


async def test_an_answer_without_a_message_is_empty():
    """It has no media type either."""
    answer = answer_of(202)
    assert (answer.status, answer.media_type, await answer.read(0)) == (202, "", b"")


def test_only_initialize_opens_a_session():
    """Whatever else is sent without one, opens none."""
    opening = [Post(message, [], b"", "alice", 1, False) for message in (request("initialize"), call(), notification())]
    assert [post.is_handshake for post in opening] == [True, False, False]
