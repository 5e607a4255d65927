"""Commands for tests, as servers that are started have them."""

import sys
from pathlib import Path
from typing import Final

from gateway.proxy.command import Command

# Without site packages, so that it starts fast.
SCRIPTED: Final = (sys.executable, "-SE", str(Path(__file__).with_name("stdio_server.py")))


def scripted(*arguments: str) -> Command:
    """The server that does what its tools are called."""
    return Command((*SCRIPTED, *arguments), {}, Path("/"))


def shell(script: str) -> Command:
    """A shell that runs a script."""
    return Command(("sh", "-c", script), {}, Path("/"))
