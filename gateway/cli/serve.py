"""`gateway serve`: run the gateway until it is told to stop."""

import argparse
import asyncio
import contextlib
import logging
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from gateway import fastpath
from gateway.app import Gateway, require_compiled_parser
from gateway.clock import SystemClock
from gateway.config import Config, load_config
from gateway.errors import StateError
from gateway.proxy.endpoints import Role, endpoints_of
from gateway.reading import scalars
from gateway.stdio_socket import IN_USE
from gateway.tasks import Tasks

try:
    import uvloop
except ImportError:
    _LOOP_FACTORY: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
else:
    _LOOP_FACTORY = uvloop.new_event_loop

UNUSED_S: Final = 5.0
# How often somebody who waits for a state directory looks whether it is free.
LOOK_S: Final = 0.1

_STOP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

logger = logging.getLogger(__name__)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "serve",
        help="run the gateway",
        description="Run the gateway until SIGTERM or Ctrl-C, which let calls under way end; a second one ends it at "
        "once. A changed configuration is taken up within a second, or at SIGHUP; a bad one changes nothing.",
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("gateway.yaml"),
        help="listeners, servers, policies and grants, as YAML, JSON or TOML; `gateway check FILE` says what is wrong "
        "with it (default: %(default)s)",
    )
    parser.add_argument(
        "--wait-for-lock",
        type=_patience_s,
        metavar="DURATION",
        default=0.0,
        help="where another gateway has the state directory, wait so long for its end, such as 40s, instead of failing "
        "at once; for restarts in which the next one starts while calls of the last one still end",
    )
    parser.add_argument(
        "--stdio-only",
        action="store_true",
        help=f"take agents from `gateway stdio` alone, and end {UNUSED_S:g} s after the last of them; `gateway stdio` "
        "runs this by itself where no gateway does",
    )


def run(args: argparse.Namespace) -> int:
    """Serve until SIGTERM or SIGINT. Raises `GatewayError` when it cannot start.

    Returns 0, or `IN_USE` where with `--stdio-only` another gateway has the state directory.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stdout)
    config = load_config(args.config)
    if args.stdio_only:
        return _serve_stdio(config)
    _raise_descriptor_limit()
    serve(
        config,
        lambda gateway: logger.info("%s", start_line(config, gateway.url, gateway.admin_url)),
        patience_s=args.wait_for_lock,
    )
    return 0


def serve(
    config: Config, announce: Callable[[Gateway], None], *, stdio_only: bool = False, patience_s: float = 0
) -> None:
    """Run a gateway until the first SIGTERM or SIGINT; `announce` is called once it listens.

    For `patience_s` it waits for another gateway that has the state directory. With `stdio_only` there are no
    listeners, and it ends by itself when nobody has used it for `UNUSED_S`.

    A second signal ends the process at once. Raises `GatewayError` when it cannot start, which includes that
    compiled code is missing and nobody has asked to do without.
    """
    _require_compiled_code()
    with asyncio.Runner(loop_factory=_LOOP_FACTORY) as runner:
        runner.run(_serve(config, announce, stdio_only, patience_s))


def start_line(config: Config, url: str, admin_url: str) -> str:
    """What the log says once a gateway listens: where to connect, what is behind it, and what it runs on."""
    paths = [path for path, endpoint in endpoints_of(config.servers).items() if endpoint.role is Role.MCP]
    return (
        f"agents: {url}{' and '.join(paths)}  admin: {admin_url}  servers: {', '.join(config.servers)}  "
        f"grants: {len(config.grants)}  core: {fastpath.IMPLEMENTATION}  state: {config.state_dir.absolute()}"
    )


def _require_compiled_code() -> None:
    # A missing core has stopped the import of fastpath already.
    if os.environ.get("GATEWAY_NO_EXTENSIONS") != "1":
        require_compiled_parser()
        return
    logger.warning(
        "GATEWAY_NO_EXTENSIONS=1: the plain core is in use and aiohttp's Python parser may be; both are slow, and the "
        "parser is less tried. Unset it to run compiled code only."
    )


def _serve_stdio(config: Config) -> int:
    try:
        serve(config, lambda _: logger.info("agents: stdio  state: %s", config.state_dir.absolute()), stdio_only=True)
    except StateError as error:
        if not _says_in_use(error):
            raise
        logger.info("%s", error)
        return IN_USE
    return 0


def _says_in_use(error: StateError) -> bool:
    """Whether another gateway has the state directory."""
    return isinstance(error.__cause__, BlockingIOError)


def _patience_s(text: str) -> float:
    try:
        return scalars.duration_ns(text) / 1e9
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _raise_descriptor_limit() -> None:
    """Allow ourselves as many open files as the system lets us: each agent takes one, and its call another."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _owner(config: Config, patience_s: float) -> Gateway:
    """A gateway that has its state directory. Raises `StateError` when another has it for longer than `patience_s`."""
    clock = asyncio.get_running_loop().time
    end_s, is_told = clock() + patience_s, False
    while True:
        try:
            return Gateway(config, SystemClock())
        except StateError as error:
            if not _says_in_use(error) or clock() >= end_s:
                raise
            if not is_told:
                logger.info("waiting for up to %g s: %s", patience_s, error)
                is_told = True
        await asyncio.sleep(LOOK_S)


async def _serve(config: Config, announce: Callable[[Gateway], None], stdio_only: bool, patience_s: float) -> None:
    gateway = await _owner(config, patience_s)
    stopping = _listen_to_signals(gateway.reloader.ask)
    watching = Tasks()
    try:
        await gateway.start(stdio_only=stdio_only)
        announce(gateway)
        if stdio_only:
            watching.spawn(_stop_when_unused(gateway, stopping), "watch for agents")
        await stopping.wait()
        logger.info("stopping")
    finally:
        await watching.close()
        await gateway.stop()


async def _stop_when_unused(gateway: Gateway, stopping: asyncio.Event) -> None:
    await gateway.unused(UNUSED_S)
    stopping.set()


def _listen_to_signals(reload: Callable[[], None]) -> asyncio.Event:
    """What the first signal to stop sets. The next one has its default action again: it kills the process.

    SIGHUP calls `reload`, any number of times.
    """
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()

    def stop() -> None:
        stopping.set()
        for number in _STOP_SIGNALS:
            loop.remove_signal_handler(number)
            # Whatever hangs can't hold this up, and the state on disk bears being cut off anywhere.
            signal.signal(number, signal.SIG_DFL)

    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGHUP, reload)
    return stopping
