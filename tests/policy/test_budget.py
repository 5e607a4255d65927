"""What a budget is to the engine."""

from gateway.policy.budget import Budget
from gateway.policy.memory_budget import MemoryBudget
from tests.support.policies import engine


def test_the_budget_of_the_tests_is_one():
    """Type checking holds it to the protocol; here it is asked once."""
    budget: Budget = MemoryBudget(engine(tools={"t": {"rate_limit": {"max": 1, "window": 1}}}).policy.counters)
    budget.bind(0)
    assert len(budget.slots) == 1
    assert budget.in_flight("/tools/t/concurrency") == 0
