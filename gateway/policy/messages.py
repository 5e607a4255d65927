"""What an agent is told when it is refused: plain sentences, read by a model.

They may show the policy's values, never an argument's. The reply layer puts its prefix before them.
"""

from typing import Final

import msgspec

from gateway import fastpath
from gateway.policy.conditions import compile_condition, type_name
from gateway.policy.limits import Counter
from gateway.policy.model import Condition, Rule
from gateway.policy.paths import ArgumentPath, find_misfit, parse_path, value_at
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


def not_allowed(target: str, reason: str | None = None) -> str:
    """For a call that no arguments could save; the policy's own `reason` comes first."""
    return reason or f"{_shown(target)} is not allowed by this policy."


def ambiguous(target: str, globs: tuple[str, str]) -> str:
    """For a call that two entries of the policy claim alike."""
    keys = " and ".join(f"`{glob}`" for glob in globs)
    return f"{_shown(target)} is matched by {keys} alike; the policy's author must name it exactly."


def requirement_missed(target: str, rule: Rule, condition: Condition) -> str:
    """For a `require` rule that this condition does not fulfil."""
    return rule.on_deny or f"{_shown(target)} is allowed only when {_in_words(condition, 'every')}."


def denial_fired(target: str, rule: Rule) -> str:
    """For a `deny_if` rule all of whose conditions hold."""
    if not rule.conditions:
        return not_allowed(target, rule.on_deny)
    return rule.on_deny or f"{_shown(target)} is not allowed when {_all_in_words(rule)}."


def argument_mistyped(rule: Rule, condition: Condition, arguments: object) -> str:
    """For a rule that refuses since this condition met a value of another JSON type."""
    types = mistyped(condition, arguments)
    return f"{_sentence(rule.on_deny)} {types}" if rule.on_deny else types


def mistyped(condition: Condition, arguments: object) -> str:
    """Which type an argument must have and which it has; or those of the step before which the path ends."""
    path = parse_path(condition.path)
    leaf = compile_condition(condition, at_root=True)
    misfit = find_misfit(arguments, path, lambda value: leaf.test(value, True) == fastpath.MISTYPED)
    if misfit is None:
        return f"{condition.path} must be {_wanted(condition, path)}."
    wanted = misfit.wanted or _wanted(condition, path)
    return f"{_shown(misfit.place)} must be {wanted}; the call sent {type_name(misfit.value)}."


def not_valid(target: str, failure: tuple[tuple[str | int, ...], str] | None) -> str:
    """For arguments that do not fit a JSON Schema: where, from the arguments down, and by which keyword, if known."""
    if failure is None:
        return f"The arguments of {_shown(target)} do not fit their schema."
    place, keyword = failure
    path = "args" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return f"The arguments of {_shown(target)} do not fit their schema: {_shown(path)} fails `{_shown(keyword)}`."


def schema_unavailable(target: str) -> str:
    """For a call whose arguments cannot be checked, since the server has not listed the tool."""
    return f"The server's own description of {_shown(target)} is not known now, so its arguments cannot be checked."


def approval_wanted(target: str, rule: Rule) -> str:
    """For an `approve_if` rule that asks."""
    if rule.on_deny or not rule.conditions:
        return rule.on_deny or f"{_shown(target)} needs a person's approval."
    return f"{_shown(target)} needs a person's approval when {_all_in_words(rule)}."


def throttled(target: str, counter: Counter, *, is_shared: bool, on_deny: str | None, wait_ms: int) -> str:
    """For a call beyond a limit: which limit, and how long to wait."""
    text = _sentence(on_deny) if on_deny else _limit_in_words(target, counter, is_shared)
    return f"{text} Try again in {wait_text(wait_ms)}."


def too_many_in_flight(target: str, most: int) -> str:
    """For a call beyond a bound on concurrency."""
    calls = "1 call is" if most == 1 else f"{most} calls are"
    return f"{_shown(target)} has as many calls in flight as are allowed: {calls}. Try again when one has ended."


def never_fits(target: str, counter: Counter, *, on_deny: str | None) -> str:
    """For a call that costs more than its limit can ever admit."""
    return on_deny or f"One call of {_shown(target)} costs more than the limit of {_rate(counter)} ever admits."


def bad_cost(path: ArgumentPath, arguments: object, *, on_deny: str | None) -> str:
    """For a call whose cost is to be read from an argument that names none."""
    try:
        sent = value_at(arguments, path)
    except LookupError:
        sent = None
    match sent:
        case bool() | None | str() | list() | dict():
            found = "none" if sent is None else type_name(sent)
        case _:
            found = "a negative number" if sent < 0 else "a fraction"
    text = f"{path.text} says what the call costs, so it must be a whole number from 0 on; the call sent {found}."
    return f"{_sentence(on_deny)} {text}" if on_deny else text


def counters_full(target: str) -> str:
    """For a call that could not be counted."""
    return f"The gateway has no room to count this call of {_shown(target)}; its operator can make some."


def _shown(name: str) -> str:
    """A name that came from a caller, made fit to show: printable and short."""
    cut = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"
    return "".join(c if c.isprintable() else f"\\u{{{ord(c):x}}}" for c in cut)


def _all_in_words(rule: Rule) -> str:
    return " and ".join(_in_words(condition, "any") for condition in rule.conditions)


def _in_words(condition: Condition, quantity: str) -> str:
    path = f"{quantity} {condition.path}" if parse_path(condition.path).has_each else condition.path
    if condition.op == "exists":
        return f"{path} is given" if condition.value else f"{path} is not given"
    return f"{path} {_VERBS[condition.op]} {_json(condition.value)}"


def _json(value: object) -> str:
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + "…"


def _wanted(condition: Condition, path: ArgumentPath) -> str:
    if path.of_length:
        return "a string, an array or an object"
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


def _limit_in_words(target: str, counter: Counter, is_shared: bool) -> str:
    if is_shared:
        return f"{_shown(target)} shares a limit of {_rate(counter)} with other tools."
    if counter.scope == "server":
        return f"{_shown(target)} shares a limit of {_rate(counter)} with other grants."
    return f"{_shown(target)} is limited to {_rate(counter)}."


def _rate(counter: Counter) -> str:
    if counter.is_weighted:
        return f"a total of {counter.maximum} {describe_window(counter.window_ns)}"
    calls = "1 call" if counter.maximum == 1 else f"{counter.maximum} calls"
    return f"{calls} {describe_window(counter.window_ns)}"


def condition_text(condition: Condition) -> str:
    """A condition as its author wrote it, in one short line."""
    return f"{condition.path} {condition.op} {_json(condition.value)}"


def wait_text(wait_ms: int) -> str:
    """A time to wait, rounded up, so that whoever waits this long is not refused for coming a moment early."""
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
