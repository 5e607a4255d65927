"""The part of the matrix that needs nothing but Python. `make matrix` has all of it."""

import pytest

from tests.matrix.gaps import GAPS
from tests.matrix.run import COLUMNS, play
from tests.support.agents import PYTHON_AGENTS, PYTHON_STDIO_AGENTS

AGENTS = (*PYTHON_AGENTS, *PYTHON_STDIO_AGENTS)


@pytest.fixture(scope="module")
def matrix(tmp_path_factory):
    """The cells of each client."""
    return {row.client: row.cells for row in play(AGENTS, tmp_path_factory.mktemp("matrix") / "out")}


@pytest.mark.parametrize(
    ("client", "column"),
    [(a.name, column) for a in AGENTS for column in COLUMNS if column not in GAPS.get(a.name, {})],
)
def test_a_client_does_what_it_would_do_without_a_gateway(matrix, client, column):
    """Except where the policy says otherwise, and then it is told so and works on."""
    assert matrix[client][column] == ""
