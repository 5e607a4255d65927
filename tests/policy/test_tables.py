"""What a policy compiles to."""

from gateway import fastpath
from gateway.documents import Format, read_document
from gateway.policy.compiled import CallTable, CompiledPolicy
from gateway.policy.decision import Decision, Kind
from gateway.policy.limits import Counter
from gateway.policy.load import load_policy
from gateway.policy.tables import compile_policy
from tests.support.policies import policy

MINUTE_NS = 60_000_000_000


def limit(counter: str, **fields: object) -> dict[str, object]:
    """Ten calls a minute on this counter."""
    return {"counter": counter, "window": "minute", "max": 10, **fields}


def table(compiled: CompiledPolicy, tool: str) -> CallTable:
    """The table of a tool that is not refused outright."""
    judge = compiled.entry_of(Kind.TOOL, tool).judge
    assert isinstance(judge, CallTable)
    return judge


def test_counters_are_listed_once_and_limits_point_to_them():
    """Limits of several tools that name one counter have one slot."""
    tools = {"a": {"limits": [limit("one"), limit("two")]}, "b": {"limits": [limit("two", window=60)]}}
    compiled = compile_policy(policy(tools=tools, all_tools={"limits": [limit("three")]}))
    assert compiled.counters == tuple(
        Counter(name, fastpath.SLIDING_WINDOW, MINUTE_NS, 10, 10) for name in ("one", "two", "three")
    )
    assert [judged.slot for judged in table(compiled, "a").limits] == [0, 1, 2]
    assert [judged.slot for judged in table(compiled, "b").limits] == [1, 2]


def test_a_counter_is_shared_when_other_tools_spend_on_it():
    """By name in two tools, or through `all_tools`."""
    tools = {"a": {"limits": [limit("own"), limit("own"), limit("both")]}, "b": {"limits": [limit("both")]}}
    compiled = compile_policy(policy(tools=tools, all_tools={"limits": [limit("every")]}))
    shared = {judged.counter.name: judged.is_shared for judged in table(compiled, "a").limits}
    assert shared == {"own": False, "both": True, "every": True}


def test_a_tool_meets_each_counter_once_and_its_own_mention_first():
    """The tool's limit names the rule and has its text."""
    tools = {"a": {"limits": [limit("c", on_deny="mine")]}, "b": {}}
    compiled = compile_policy(policy(tools=tools, all_tools={"limits": [limit("c", on_deny="everyone's")]}))
    (own,) = table(compiled, "a").limits
    assert (own.name, own.on_deny) == ("/tools/a/limits/c", "mine")
    (general,) = table(compiled, "b").limits
    assert (general.name, general.on_deny) == ("/all_tools/limits/c", "everyone's")


def test_what_needs_no_arguments_is_decided_beforehand():
    """Hidden tools and `action: deny` are decisions; what `default` denies has no table."""
    compiled = compile_policy(policy(hide=["a"], tools={"a": {}, "b": {"action": "deny"}, "c": {}}))
    refused = [compiled.entry_of(Kind.TOOL, tool).judge for tool in ("a", "b", "other")]
    assert [judge.rule for judge in refused if isinstance(judge, Decision)] == [
        "(hidden)",
        "/tools/b/action",
        "(default deny)",
    ]
    assert table(compiled, "c").name == "/tools/c"


def revision(text: str, format: Format) -> str:
    """The revision of a policy with this text."""
    return compile_policy(load_policy(read_document(text, "policy", format))).revision


def test_the_revision_is_the_same_for_every_layout():
    """Order of keys, format and spaces do not matter; any other change does."""
    text = '{"version": "1", "default": "deny", "tools": {"b": {}, "a": {"action": "deny", "reason": "x"}}}'
    first = revision(text, "json")
    assert revision("tools:\n  a: {action: deny, reason: x}\n  b: {}\ndefault: deny\nversion: '1'\n", "yaml") == first
    assert revision(text.replace('"x"', '"y"'), "json") != first
    assert len(first) == 12
    assert set(first) <= set("0123456789abcdef")
