"""What webhooks are sent to."""

import asyncio

from aiohttp import web


class Receiver:
    """A server that remembers what it was sent, and answers with the statuses it is given, then with 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.is_silent = False

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook?key=1"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.requests.append((request.raw_path, dict(request.headers), await request.read()))
        if self.is_silent:
            await asyncio.Event().wait()
        status = self.statuses.pop(0) if self.statuses else 204
        return web.Response(status=status, headers={"Location": "/elsewhere"} if status == 307 else {})
