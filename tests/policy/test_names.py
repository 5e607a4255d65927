"""The names of rules and limits."""

from gateway.policy.decision import Kind
from gateway.policy.model import Condition, Rule
from gateway.policy.names import limit_name, place_of, rule_names


def rule(*conditions: tuple[str, str], id: str | None = None) -> Rule:
    """A rule with these paths and operators."""
    return Rule(tuple(Condition(path, op, 1) for path, op in conditions), id=id)  # type: ignore[arg-type]


def test_a_tools_key_is_escaped_as_in_a_json_pointer():
    """`~` and `/` in a key cannot be taken for a separator."""
    assert place_of(Kind.TOOL, "a/b~1") == "/tools/a~1b~01"
    assert place_of(Kind.RESOURCE, "a://b/*") == "/resources/a:~1~1b~1*"
    assert place_of(Kind.PROMPT, "p") == "/prompts/p"


def test_rules_are_named_by_their_conditions_or_their_id():
    """Several conditions are joined, none is `always`, and an id replaces all of it."""
    rules = [
        rule(("args.a", "eq")),
        rule(("args.a", "eq"), ("args.b.c", "not_in")),
        rule(),
        rule(("args.a", "eq"), id="mine"),
    ]
    assert rule_names("/tools/t/require", rules) == (
        "/tools/t/require/args.a-eq",
        "/tools/t/require/args.a-eq+args.b.c-not_in",
        "/tools/t/require/always",
        "mine",
    )


def test_a_repeat_is_numbered():
    """The second rule of one name gets `#2`; one with an id does not count."""
    rules = [rule(("args.a", "eq")), rule(("args.a", "eq"), id="x"), *[rule(("args.a", "eq"))] * 2]
    assert rule_names("/p", rules) == ("/p/args.a-eq", "x", "/p/args.a-eq#2", "/p/args.a-eq#3")


def test_a_limit_is_named_by_its_counter():
    """Wherever it stands."""
    assert limit_name("/all_tools", "c") == "/all_tools/limits/c"
