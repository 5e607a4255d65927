"""The demo server and the official client, over loopback."""

import json
from importlib.resources import files

import pytest

from tests.demo.running import MODES, connected, running_demo


@pytest.fixture(scope="module")
def demo_url():
    """The MCP endpoint of a demo server that the module's tests share."""
    with running_demo() as url:
        yield url


@pytest.fixture(scope="session")
def catalogue_document():
    """What BinAssistMCP publishes, as plain data."""
    return json.loads(files("gateway.catalog").joinpath("binassist.json").read_bytes())


@pytest.fixture(params=MODES)
def mode(request):
    """How the client connects."""
    return request.param


@pytest.fixture
def connect(demo_url, mode):
    """A function that connects the official client, to be used with `async with`."""
    return lambda: connected(demo_url, mode)
