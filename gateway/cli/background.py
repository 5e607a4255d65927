"""A `gateway` command as a process of its own, for as long as a block runs. For the demo, which needs several."""

import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from time import sleep
from typing import Final

from gateway.errors import GatewayError

# How often, and how many times, to look whether it is ready: 20 s in all.
_POLL_S: Final = 0.05
_START_POLLS: Final = 400


@contextlib.contextmanager
def running(what: str, arguments: list[str], is_ready: Callable[[], bool]) -> Iterator[None]:
    """Run `gateway ARGUMENTS`; the block begins once `is_ready`, and SIGTERM is sent when it ends.

    Its errors are shown, its other output is not. Raises `GatewayError` naming `what` when it ends early or takes
    too long.
    """
    command = [sys.executable, "-m", "gateway", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        if not _becomes_ready(process, is_ready):
            raise GatewayError(f"{what} did not start; see what it printed above")
        yield
    finally:
        process.terminate()
        process.wait()


def _becomes_ready(process: "subprocess.Popen[bytes]", is_ready: Callable[[], bool]) -> bool:
    for _ in range(_START_POLLS):
        if process.poll() is not None:
            return False
        if is_ready():
            return True
        sleep(_POLL_S)
    return False
