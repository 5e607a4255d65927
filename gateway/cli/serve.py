"""`gateway serve`: run the gateway until it is told to stop."""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.app import Gateway, require_compiled_parser
from gateway.clock import SystemClock
from gateway.config import Config, load_config

try:
    import uvloop
except ImportError:
    _LOOP_FACTORY: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

logger = logging.getLogger(__name__)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser("serve", help="run the gateway", description="Run the gateway until SIGTERM.")
    parser.add_argument("--config", type=Path, default=Path("gateway.yaml"), help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises `GatewayError` when it cannot start."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    if os.environ.get("GATEWAY_NO_EXTENSIONS") != "1":
        require_compiled_parser()
    config = load_config(args.config)
    for warning in config.warnings:
        logger.warning("%s", warning)
    serve(config, _announce)
    return 0


def serve(config: Config, announce: Callable[[Gateway], None]) -> None:
    """Run a gateway until the first SIGTERM or SIGINT; `announce` is called once it listens."""
    with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
        runner.run(_serve(config, announce))


async def _serve(config: Config, announce: Callable[[Gateway], None]) -> None:
    gateway = Gateway(config, SystemClock())
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        await gateway.start()
        announce(gateway)
        await stopping.wait()
        logger.info("stopping")
    finally:
        await gateway.stop()


def _announce(gateway: Gateway) -> None:
    logger.info("agents: %s  admin: %s", gateway.url, gateway.admin_url)
