"""What every way to a server gives: answers, and failures."""

from collections.abc import AsyncIterator

import pytest

from gateway.proxy.upstream import Answer, Failure, UpstreamError


def answer(*headers: tuple[str, str], body: tuple[bytes, ...] = ()) -> Answer:
    """An answer with these headers and this body."""

    async def chunks() -> AsyncIterator[bytes]:
        for chunk in body:
            yield chunk

    return Answer(200, headers, chunks, lambda: None)


def test_what_the_headers_say():
    """Names without case; a media type in small letters, without parameters, and whether there is just one."""
    plain = answer(("content-TYPE", "Application/JSON; charset=utf-8"), ("mcp-session-id", "a"))
    assert (plain.media_type, plain.has_one_media_type, plain.session_ids) == ("application/json", True, ["a"])
    twice = answer(("Content-Type", "a/b"), ("Content-Type", "a/b"), ("Content-Encoding", "GZIP"))
    assert (twice.has_one_media_type, twice.is_encoded) == (False, True)
    assert (answer().media_type, answer().is_encoded) == ("", False)


async def test_a_body_is_read_up_to_a_limit():
    """One byte more fails, and the call counts as run."""
    assert await answer(body=(b"ab", b"cd")).read(4) == b"abcd"
    with pytest.raises(UpstreamError, match="longer than 3") as raised:
        await answer(body=(b"ab", b"cd")).read(3)
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.BROKEN, True)
