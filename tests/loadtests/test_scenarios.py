"""The scenarios fit the gateway and their locust files."""

from pathlib import Path

import pytest

from gateway.policy.load import load_policy
from loadtests.scenarios import SCENARIOS, TOOLS
from tests.support.policies import document

ROOT = Path(__file__).parents[2]
each = pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))


@each
def test_its_policy_is_one_that_the_gateway_takes(scenario):
    """It loads, and names only what the server has."""
    assert set(load_policy(document(scenario.policy)).tools) <= set(TOOLS)


@each
def test_its_locust_file_is_there(scenario):
    """A scenario without behaviour would fail only when somebody runs it."""
    assert (ROOT / scenario.file).exists()


@each
def test_a_short_run_has_agents_for_all_its_grants(scenario):
    """Small, but not without anybody, and never with a grant that no agent takes."""
    smoke = scenario.smoke()
    assert 0 < smoke.grants <= smoke.users <= 50
    assert set(smoke.labels) <= set(scenario.labels)
