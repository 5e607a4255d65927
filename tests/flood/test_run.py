"""A small flood in the suite: honest agents are answered, however fast. `make flood` has the figures."""

from pathlib import Path

import pytest

from tests.flood.run import FELT, KINDS, flood


@pytest.mark.timeout(180)
async def test_honest_agents_are_answered_under_every_flood(tmp_path: Path):
    """Every call has its answer, each flood was felt, and the gateway ends well."""
    counts = {"connections": 400, "heads": 100, "bodies": 80, "pipelined": 2, "deaf": 40}
    figures, faults = await flood(tmp_path, counts=counts, seconds=3, bounds={"connections": 250})
    assert faults == []
    assert [one.kind for one in figures] == ["peace", *KINDS]
    assert FELT.keys() == KINDS.keys()
