"""What an agent is told when it is refused: plain sentences, read by a model.

They may show the policy's values, never an argument's. The reply layer puts its prefix before them.
"""

from typing import Final

import msgspec

from gateway.policy.conditions import split_path, type_name
from gateway.policy.limits import Counter
from gateway.policy.model import Condition, Rule
from gateway.policy.windows import describe_window

NO_POLICY: Final = "This grant has no policy, so every call is denied."

_VERBS: Final = {
    "eq": "is",
    "neq": "is not",
    "lt": "is less than",
    "lte": "is at most",
    "gt": "is more than",
    "gte": "is at least",
    "in": "is one of",
    "not_in": "is none of",
    "regex": "matches",
    "contains": "contains",
}

_LONGEST_NAME: Final = 128
_LONGEST_VALUE: Final = 200


def not_allowed(tool: str, reason: str | None = None) -> str:
    """For a call that no arguments could save; the policy's own `reason` comes first."""
    return reason or f"{_shown(tool)} is not allowed by this policy."


def requirement_missed(tool: str, rule: Rule, condition: Condition) -> str:
    """For a `require` rule that this condition does not fulfil."""
    return rule.on_deny or f"{_shown(tool)} is allowed only when {_in_words(condition)}."


def denial_fired(tool: str, rule: Rule) -> str:
    """For a `deny_if` rule all of whose conditions hold."""
    if not rule.conditions:
        return not_allowed(tool, rule.on_deny)
    conditions = " and ".join(map(_in_words, rule.conditions))
    return rule.on_deny or f"{_shown(tool)} is not allowed when {conditions}."


def argument_mistyped(rule: Rule, condition: Condition, arguments: object) -> str:
    """For a rule that refuses since this condition met a value of another JSON type."""
    types = _types(condition, arguments)
    return f"{_sentence(rule.on_deny)} {types}" if rule.on_deny else types


def throttled(tool: str, counter: Counter, *, is_shared: bool, on_deny: str | None, wait_ms: int) -> str:
    """For a call beyond a limit: which limit, and how long to wait."""
    text = _sentence(on_deny) if on_deny else _limit_in_words(tool, counter, is_shared)
    return f"{text} Try again in {_wait(wait_ms)}."


def never_fits(tool: str, counter: Counter, *, on_deny: str | None) -> str:
    """For a call that costs more than its limit can ever admit."""
    return on_deny or f"One call of {_shown(tool)} costs more than the limit of {_rate(counter)} ever admits."


def counters_full(tool: str) -> str:
    """For a call that could not be counted."""
    return f"The gateway has no room to count this call of {_shown(tool)}; its operator can make some."


def _shown(name: str) -> str:
    """A name that came from a caller, made fit to show: printable and short."""
    cut = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)


def _in_words(condition: Condition) -> str:
    if condition.op == "exists":
        return f"{condition.path} is given" if condition.value else f"{condition.path} is not given"
    return f"{condition.path} {_VERBS[condition.op]} {_json(condition.value)}"


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _types(condition: Condition, arguments: object) -> str:
    """Which type the argument must have and which it has; or those of the step before which the path ends."""
    value = arguments
    keys = split_path(condition.path)
    for depth, key in enumerate(keys):
        if not isinstance(value, dict):
            parent = ".".join(("args", *keys[:depth]))
            return f"{parent} must be an object; the call sent {type_name(value)}."
        value = value.get(key)
    return f"{condition.path} must be {_wanted(condition)}; the call sent {type_name(value)}."


def _wanted(condition: Condition) -> str:
    match condition.op:
        case "lt" | "lte" | "gt" | "gte":
            return "a number"
        case "regex":
            return "a string"
        case "contains":
            return "a string or an array" if isinstance(condition.value, str) else "an array"
        case "in" | "not_in" if isinstance(condition.value, list):
            return " or ".join(dict.fromkeys(map(type_name, condition.value)))
        case _:
            return type_name(condition.value)


def _limit_in_words(tool: str, counter: Counter, is_shared: bool) -> str:
    if is_shared:
        return f"{_shown(tool)} shares a limit of {_rate(counter)} with other tools."
    return f"{_shown(tool)} is limited to {_rate(counter)}."


def _rate(counter: Counter) -> str:
    calls = "1 call" if counter.maximum == 1 else f"{counter.maximum} calls"
    return f"{calls} {describe_window(counter.window_ns)}"


def _wait(wait_ms: int) -> str:
    """Rounded up, so that whoever waits this long is not refused for coming a moment early."""
    tenths = -(-wait_ms // 100)
    if tenths < 1200:
        return f"{tenths / 10:g} s"
    seconds = -(-wait_ms // 1000)
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    minutes = -(-seconds // 60)
    return f"{minutes // 60} h {minutes % 60} min"


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else text + "."
