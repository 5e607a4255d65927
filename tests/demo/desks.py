"""A desk to call tools at, without a server."""

from typing import Any

from gateway.clock import ManualClock
from gateway.demo import arguments, calls, catalogue
from gateway.demo.desk import Desk, Workspace
from gateway.demo.tasks import TaskBoard

CRACKME = "crackme.bin"
HTTPD = "httpd.bin"


def new_desk() -> Desk:
    """A desk of its own session, where analysis takes no time."""
    return Desk(Workspace(), TaskBoard(ManualClock(), task_s=0))


def call(desk: Desk, tool: str, **given: Any) -> Any:
    """What the tool's function returns for these arguments, bound by the published schema."""
    bound = arguments.bind(catalogue.TOOLS[tool].input_schema, given)
    return calls.FUNCTIONS[tool](desk, **bound)
