"""What policy.md has but this version does not carry out, and what to write until it does.

No advice here lets a call pass that the document meant to stop. Called by `checks.py`.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

_NOT_YET: Final = "not supported yet by this version"

_NO_APPROVAL: Final = "deny these calls with the tool's `deny_if` until it is"
_NO_SCHEMA: Final = "use `require` conditions of the tool until it is"
_NOT_FOR_ALL: Final = "write these rules for each tool, with `default: deny` for all others"
_FOLLOW_DEFAULT: Final = "leave it out, with `default: deny` if any of them is to be refused"

# Fields whose default is `UNSET` in the model.
_FIELDS: Final = {
    "approve_if": _NO_APPROVAL,
    "approval": _NO_APPROVAL,
    "arguments": _NO_SCHEMA,
    "validate": _NO_SCHEMA,
    "require": _NOT_FOR_ALL,
    "deny_if": _NOT_FOR_ALL,
    "resources": _FOLLOW_DEFAULT,
    "prompts": _FOLLOW_DEFAULT,
    "list": "leave it out: tools that are denied are not listed",
    "concurrency": "bound the calls with `limits` until it is",
    "rate_limit": "write it as an entry of `limits`",
    "increment": "leave it out and divide `max` by it",
    "increment_from": "leave it out, bound the argument with `require`, and choose `max` for the highest cost",
    "mode": "leave it out to have this enforced",
    "audit": "leave it out: values of arguments are not recorded",
}
_WORDS: Final = {
    "action": {"require_approval": "use `deny` until it is"},
    "scope": {
        "session": "`grant` is what this version has: it counts all sessions of the grant together",
        "server": "`grant` is what this version has: divide `max` among the grants",
    },
}


def unsupported(fields: Mapping[str, object], kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """What a mapping of this kind asks for in vain: the field, and what to write instead."""
    for field in msgspec.structs.fields(kind):
        name = field.encode_name
        written = fields.get(name)
        if field.default is msgspec.UNSET and name in fields:
            yield name, f"`{name}` is {_NOT_YET}; {_FIELDS[name]}"
        elif isinstance(written, str) and (mend := _WORDS.get(name, {}).get(written)):
            yield name, f"`{name}: {written}` is {_NOT_YET}; {mend}"
