"""What this version does not carry out: refused with what to write instead."""

import msgspec
import pytest
from msgspec import UNSET

from gateway.policy.model import AllTools, Limit, Policy, Rule, ToolRules
from gateway.policy.unsupported import unsupported

RESERVED = [
    (kind, field.encode_name)
    for kind in (Policy, AllTools, ToolRules, Rule, Limit)
    for field in msgspec.structs.fields(kind)
    if field.default is UNSET
]


@pytest.mark.parametrize(("kind", "field"), RESERVED, ids=lambda part: getattr(part, "__name__", part))
def test_every_field_to_come_is_refused_with_a_mend(kind: type[msgspec.Struct], field: str):
    """Whatever its value, null too, the message says that it is not supported, and what to write."""
    ((name, message),) = unsupported({field: None}, kind)
    assert name == field
    assert message.startswith(f"`{field}` is not supported yet by this version; ")


@pytest.mark.parametrize(
    ("kind", "fields", "mend"),
    [
        (ToolRules, {"action": "require_approval"}, "use `deny` until it is"),
        (ToolRules, {"approve_if": []}, "deny these calls with the tool's `deny_if` until it is"),
        (AllTools, {"approval": {}}, "deny these calls with the tool's `deny_if` until it is"),
        (ToolRules, {"rate_limit": {}}, "write it as an entry of `limits`"),
        (ToolRules, {"arguments": {}}, "use `require` conditions of the tool until it is"),
        (ToolRules, {"validate": {}}, "use `require` conditions of the tool until it is"),
        (AllTools, {"deny_if": []}, "write these rules for each tool, with `default: deny` for all others"),
        (Policy, {"resources": {}}, "leave it out, with `default: deny` if any of them is to be refused"),
        (Limit, {"scope": "server"}, "`grant` is what this version has: divide `max` among the grants"),
    ],
)
def test_the_mend_does_not_open_the_policy(kind: type[msgspec.Struct], fields: dict[str, object], mend: str):
    """Who follows the advice allows no call that the document meant to stop."""
    ((_, message),) = unsupported(fields, kind)
    assert message.endswith(f"not supported yet by this version; {mend}")


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ToolRules, {"action": "deny", "reason": "No.", "limits": []}),
        (ToolRules, {"action": ["require_approval"]}),
        (Limit, {"scope": "grant"}),
        (Rule, {"action": "require_approval", "scope": "server"}),
    ],
)
def test_nothing_else_is(kind: type[msgspec.Struct], fields: dict[str, object]):
    """What is supported passes, and what the language does not have is for others to refuse."""
    assert list(unsupported(fields, kind)) == []
