"""Single rules of Intercept as version-1 rules and limits."""

from typing import Any

import msgspec
import pytest

from gateway.documents import Carried, Document
from gateway.policy.intercept_limits import UncarriedError
from gateway.policy.intercept_rules import Ids, Rule, carry_rule

AT = ("tools", "pay", "rules", 0)
TEST = {"path": "args.amount", "op": "lte", "value": 50}
COUNT = {"path": "state.pay.n", "op": "lte", "value": 5}
STATE = {"counter": "n", "window": "day"}
FIXED = {"scope": "grant", "algorithm": "fixed_window"}


def carried(**rule: Any) -> list[tuple[str, Any]]:
    """What a rule becomes, without origins."""
    found = list(carry_rule(msgspec.convert(rule, Rule), "pay", AT, Ids()))
    return [(field, plain(value)) for field, value in found]


def plain(value: Carried) -> Any:
    """The value without its origins."""
    return Document(value=None, source="p").rewritten(value).value


@pytest.mark.parametrize(
    ("rule", "becomes"),
    [
        ({"conditions": [TEST]}, [("require", {"conditions": [TEST]})]),
        (
            {"name": "cap", "action": "evaluate", "conditions": [TEST, TEST], "on_deny": "no"},
            [("require", {"conditions": [TEST, TEST], "on_deny": "no", "id": "cap"})],
        ),
        ({"action": "deny"}, [("deny_if", {"conditions": []})]),
        ({"action": "deny", "reason": "why"}, [("deny_if", {"conditions": [], "on_deny": "why"})]),
        (
            {"name": "n", "action": "deny", "on_deny": "no"},
            [("deny_if", {"conditions": [], "on_deny": "no", "id": "n"})],
        ),
        ({"action": "require_approval"}, [("approve_if", {"conditions": []}), ("approval_timeout", None)]),
        (
            {"action": "require_approval", "conditions": [TEST], "on_deny": "ask", "approval_timeout": "30m"},
            [("approve_if", {"conditions": [TEST], "on_deny": "ask"}), ("approval_timeout", "30m")],
        ),
        (
            {"rate_limit": "5/hour", "on_deny": "slow"},
            [("limits", {"counter": "pay._rate_hour", "window": "hour", "max": 5, **FIXED, "on_deny": "slow"})],
        ),
        (
            {"conditions": [COUNT], "state": STATE},
            [("limits", {"counter": "pay.n", "window": "day", "max": 5, **FIXED})],
        ),
        (
            {"name": "both", "conditions": [COUNT, TEST], "state": STATE, "on_deny": "no"},
            [
                ("require", {"conditions": [TEST], "on_deny": "no", "id": "both"}),
                ("limits", {"counter": "pay.n", "window": "day", "max": 5, **FIXED, "on_deny": "no"}),
            ],
        ),
        (
            {
                "action": "allow",
                "rate_limit": {"max": 10, "window": 60},
                "validate": {"required_args": True},
            },
            [("rate_limit", {"max": 10, "window": 60}), ("validate", {"required_args": True})],
        ),
        ({"action": "allow"}, []),
        ({"validate": {"required_args": True}}, [("validate", {"required_args": True})]),
    ],
)
def test_every_field_of_a_rule_has_its_place(rule: dict[str, Any], becomes: list[tuple[str, Any]]):
    """A rule becomes what has the same effect in version 1."""
    assert carried(**rule) == becomes


def test_a_condition_keeps_its_place():
    """Where conditions on counters go elsewhere, each of the others still points to where it was written."""
    rule = msgspec.convert({"name": "n", "conditions": [COUNT, TEST], "state": STATE}, Rule)
    (_, require), _ = carry_rule(rule, "pay", AT, Ids())
    form = Document(value=None, source="p").rewritten(require)
    assert form.origin(("conditions", 0, "path")) == (*AT, "conditions", 1, "path")
    assert form.origin(("id",)) == (*AT, "name")


@pytest.mark.parametrize(
    ("rule", "place", "message"),
    [
        ({}, (), "the rule checks nothing; give it `conditions`, a `rate_limit` or `action: deny`"),
        (
            {"action": "deny", "on_deny": "x", "reason": "y"},
            ("reason",),
            "the agent is told one text; keep `on_deny` or `reason`",
        ),
        ({"on_deny": "x"}, ("on_deny",), "nothing in this rule would say this; take it out"),
        ({"action": "allow", "on_deny": "x"}, ("on_deny",), "nothing in this rule would say this; take it out"),
        (
            {"rate_limit": {"max": 1, "window": 1}, "on_deny": "x"},
            ("on_deny",),
            "nothing in this rule would say this; take it out",
        ),
        *(
            (
                {"action": action, field: value},
                (field,),
                f"a rule with `action: {action}` has no `{field}`; write it in a rule of its own",
            )
            for action, field, value in [
                ("deny", "conditions", [TEST]),
                ("deny", "rate_limit", "1/day"),
                ("deny", "state", STATE),
                ("deny", "validate", {"required_args": True}),
                ("deny", "approval_timeout", "1m"),
                ("require_approval", "rate_limit", "1/day"),
                ("require_approval", "state", STATE),
                ("require_approval", "reason", "x"),
                ("allow", "conditions", [TEST]),
                ("allow", "state", STATE),
                ("allow", "reason", "x"),
                ("evaluate", "reason", "x"),
                ("evaluate", "approval_timeout", "1m"),
            ]
        ),
        *(
            (
                {"rate_limit": "1/day", **more},
                ("rate_limit",),
                "a `rate_limit` such as `10/hour` is the whole rule; write it in one of its own",
            )
            for more in ({"conditions": [TEST]}, {"state": STATE})
        ),
        (
            {"conditions": [TEST, COUNT]},
            ("conditions", 1, "path"),
            (
                "`state.pay.n` is not what this rule counts, and version 1 has no conditions on counters; "
                "bound a counter in the rule that has it under `state`"
            ),
        ),
        (
            {"action": "require_approval", "conditions": [COUNT]},
            ("conditions", 0, "path"),
            (
                "`state.pay.n` is not what this rule counts, and version 1 has no conditions on counters; "
                "bound a counter in the rule that has it under `state`"
            ),
        ),
        (
            {"conditions": [TEST | {"path": "length(args.x)"}]},
            ("conditions", 0, "path"),
            "the path `length(args.x)` must start with `args.`, as in `args.action`, or with `state.`",
        ),
        (
            {"conditions": [{"path": "args.x", "op": "regex", "value": "^[[:alpha:]]+$"}]},
            ("conditions", 0, "value"),
            "the engine here has no `[:alpha:]`; write the characters out, as in `[A-Za-z]`",
        ),
    ],
)
def test_what_version_1_cannot_express_is_refused(rule: dict[str, Any], place: Any, message: str):
    """Nothing that a rule says is dropped: each such field is named with what would mend it."""
    with pytest.raises(UncarriedError) as caught:
        carried(**rule)
    assert (caught.value.path, str(caught.value)) == ((*AT, *place), message)


def test_names_that_repeat_are_told_apart():
    """Ids are unique in version 1, names are not in Intercept."""
    ids = Ids()
    assert [ids.next(name) for name in ("a", "b", "a", "a")] == ["a", "b", "a #2", "a #3"]
