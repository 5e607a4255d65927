"""aiohttp's server, with answers of our own for what is not even HTTP.

Its own would be a traceback in the log for each malformed request, and no record.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[web.BaseRequest, int, BaseException | None], web.Response]


class Listener(web.Server):
    """The agents' listener. Handlers are cancelled when an agent goes away, which aiohttp does only when told to."""

    def __init__(self, handle: Handle, refuse: Refuse, *, idle_s: float) -> None:
        """`refuse` answers a request that could not be read, or whose handler failed, with a status."""
        super().__init__(handle, handler_cancellation=True, access_log=None, keepalive_timeout=idle_s)
        self._refuse = refuse

    def __call__(self) -> "Connection":
        """The protocol of one more connection."""
        return Connection(self, self._refuse, loop=asyncio.get_running_loop(), **self._kwargs)


class Connection(RequestHandler):
    """One agent's connection."""

    __slots__ = ("_refuse",)

    def __init__(self, listener: Listener, refuse: Refuse, **settings: Any) -> None:
        super().__init__(listener, **settings)
        self._refuse = refuse

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that failed before or in its handler; the connection is closed after it.

        Raises `ConnectionError` when some of another answer is on its way already.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("some of the answer is on its way already")
        response = self._refuse(request, status, exc)
        response.force_close()
        return response
