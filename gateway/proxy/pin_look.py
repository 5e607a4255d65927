"""The gateway's own look at what a pinned server lists, so that calls need not wait for an agent to ask.

Run once for each such server when the gateway starts; what comes later passes the list filter.
"""

import asyncio
import logging
from typing import Final

from gateway.proxy.pins import Pins
from gateway.proxy.tool_lister import ListingError, list_tools
from gateway.proxy.upstream import Upstream

logger = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0


async def look(upstream: Upstream, pins: Pins) -> None:
    """List the server's tools once, so that calls need not wait for an agent to do so; tried until it works."""
    pause_s = FIRST_PAUSE_S
    while True:
        try:
            entries = await list_tools(upstream)
        except ListingError as error:
            logger.warning("tools cannot be compared with their pins yet: %s", error)
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            for entry in entries:
                pins.shows(entry)
            return
