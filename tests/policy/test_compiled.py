"""A compiled policy, asked for names."""

from gateway.policy.compiled import CallTable
from gateway.policy.decision import Decision, Kind
from tests.support.policies import engine


def test_the_tools_that_a_policy_names_are_known():
    """Those that it names exactly: a glob is no name."""
    assert engine(tools={"a": {}, "b*": {}}).policy.tool_names == ("a",)


def test_hidden_is_told_by_name_or_glob():
    """For tools alone: prompts and resources have rules of their own."""
    policy = engine(default="allow", hide=["a", "b*"]).policy
    assert [policy.is_hidden(tool) for tool in ("a", "ab", "bc")] == [True, False, True]
    assert isinstance(policy.entry_of(Kind.TOOL, "bc").judge, Decision)
    assert isinstance(policy.entry_of(Kind.PROMPT, "bc").judge, CallTable)


def test_a_denial_that_is_in_shadow_mode_denies_nothing():
    """Only an enforced one without conditions makes the tool unseen."""
    policy = engine(tools={"t": {"deny_if": [{"conditions": [], "mode": "shadow"}]}}).policy
    table = policy.entry_of(Kind.TOOL, "t").judge
    assert isinstance(table, CallTable)
    assert table.unconditional_denial is None
