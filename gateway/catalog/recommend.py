"""Recommended policies: from classifications to documents that the gateway takes, and sentences that say what they do.

By the table of policy.md, "Recommended policies", in three styles. The documents are plain data; nothing is loaded
or judged here.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gateway.catalog.layout import as_json
from gateway.catalog.risk import Bulk, Classification, RiskClass, Switch, riskiest
from gateway.catalog.styles import STYLES, Answer, Style, StyleName
from gateway.visible import visible

MOST_ENTRIES: Final = 50
"""How many entries a list may have that the server itself does not bound."""
MOST_CHARACTERS: Final = 1000
"""The same for an argument that may be a text instead of a list."""

_LONGEST_NAME: Final = 128


def tool_policy(classification: Classification, style: StyleName = "balanced") -> dict[str, Any]:
    """A whole document that has rules for this tool alone and lets every other through."""
    return {
        "version": "1",
        "description": f"{sentence(classification, style)} The rest of the server keeps working.",
        "default": "allow",
        "tools": {classification.tool: tool_rules(classification, style)},
    }


def server_policy(
    classifications: Iterable[Classification], style: StyleName = "balanced", description: str = ""
) -> dict[str, Any]:
    """A whole document for these tools. A new tool of the server is denied until somebody decides on it, unless the
    style is `watch`. A tool that no policy can name is left out.
    """
    named = [classification for classification in classifications if is_nameable(classification.tool)]
    return {
        "version": "1",
        **({"description": description} if description else {}),
        "default": "allow" if STYLES[style].is_shadow else "deny",
        "tools": {classification.tool: tool_rules(classification, style) for classification in named},
    }


def is_nameable(tool: str) -> bool:
    """Whether a key of `tools` can stand for this tool alone: one with `*` would stand for others as well."""
    return 0 < len(tool) <= _LONGEST_NAME and "*" not in tool and tool.isprintable()


def tool_rules(classification: Classification, style: StyleName = "balanced") -> dict[str, Any]:
    """What stands under `tools` for one tool."""
    rules = _Rules(classification, STYLES[style])
    return rules.in_shadow() if STYLES[style].is_shadow else rules.enforced()


def sentence(classification: Classification, style: StyleName = "balanced") -> str:
    """What the rules for one tool do, in a sentence."""
    rules = _Rules(classification, STYLES[style])
    clauses = [rules.answer_clause(), *rules.value_clauses(), *map(_cap_clause, rules.caps)]
    text = f"{classification.tool}: {'; '.join(clauses)}."
    return f"{text} In shadow: nothing is refused, only recorded." if rules.is_shadow and rules.says_anything else text


class _Rules:
    """The rules for one tool, part by part."""

    def __init__(self, classification: Classification, style: Style) -> None:
        self.is_shadow = style.is_shadow
        self._tool = classification.tool
        self._answers = style.answers
        self.switches = classification.switches
        milder = (
            value.risk
            for switch in self.switches
            for value in switch.values
            if style.answers[value.risk].verdict == "allow"
        )
        base = classification.base
        # A limit has no conditions, so the milder actions of a tool share that of the worst which needs no more.
        self.answer = style.answers[riskiest(base, *milder) if style.answers[base].verdict == "allow" else base]
        self.caps = classification.bulk if self.answer.verdict != "deny" else ()
        self.says_anything = self.enforced() != {}

    def enforced(self) -> dict[str, Any]:
        """The rules as they are carried out."""
        rules: dict[str, Any] = {}
        if self.answer.verdict != "allow":
            rules["action"] = "deny" if self.answer.verdict == "deny" else "require_approval"
            rules["reason"] = self._reason()
        if self.answer.verdict != "deny":
            rules |= self._lists_of_rules()
        return rules

    def in_shadow(self) -> dict[str, Any]:
        """The same rules, counted and recorded only."""
        rules = self._lists_of_rules()
        if self.answer.verdict != "allow":
            always = {"conditions": [], "on_deny": self._reason()}
            rules.setdefault("deny_if" if self.answer.verdict == "deny" else "approve_if", []).insert(0, always)
        return {name: [{**rule, "mode": "shadow"} for rule in listed] for name, listed in rules.items()}

    def answer_clause(self) -> str:
        """What becomes of a call that no other clause speaks of."""
        match self.answer:
            case Answer(verdict="deny"):
                return "every call is refused"
            case Answer(verdict="ask"):
                return "every call asks a human first"
            case Answer(per_minute=None):
                return "calls pass freely"
            case Answer(per_minute=most):
                return f"at most {most} calls a minute for each grant"

    def value_clauses(self) -> Iterator[str]:
        """What becomes of the values of switches."""
        for switch in self._branching():
            for verdict, saying in (("ask", "asks a human first"), ("deny", "is refused")):
                values = self._values(switch, verdict)
                if values and self.answer.verdict == "allow":
                    yield f"`{_name(switch)}: {_listed(values)}` {saying}"
            if _is_closed(switch):
                yield f"no other `{_name(switch)}` than {_listed(_all(switch))} is taken"

    def _lists_of_rules(self) -> dict[str, Any]:
        denials = [self._unknown(switch) for switch in self._branching() if _is_closed(switch)]
        approvals: list[dict[str, Any]] = []
        if self.answer.verdict == "allow":
            for switch in self._branching():
                denials += self._of_values(switch, "deny", "is not for agents.")
                approvals += self._of_values(switch, "ask", "needs a human's approval.")
        denials += [_cap(bulk) for bulk in self.caps]
        most = self.answer.per_minute
        limit = {"counter": f"{self._tool}_rate", "window": "minute", "max": most, "scope": "grant"}
        return {
            **({"deny_if": denials} if denials else {}),
            **({"approve_if": approvals} if approvals else {}),
            **({"limits": [limit]} if most else {}),
        }

    def _branching(self) -> list[Switch]:
        """The switches of which some value does more than read, so that values nobody has judged may do so too."""
        return [switch for switch in self.switches if any(value.risk is not RiskClass.READ for value in switch.values)]

    def _of_values(self, switch: Switch, verdict: str, saying: str) -> list[dict[str, Any]]:
        """A rule for the values with this verdict, and one for a call without the switch, where that is as bad."""
        values = self._values(switch, verdict)
        if not values:
            return []
        text = f"{self._tool} with {_name(switch)}: {_listed(values)} {saying}"
        rules = [{"conditions": [_one_of(switch.path, values)], "on_deny": text}]
        if not switch.is_required and (switch.default in values or switch.default is None):
            text = f"{self._tool} without {_name(switch)} {saying}"
            missing = {"path": switch.path, "op": "exists", "value": False}
            rules.append({"conditions": [missing], "on_deny": text})
        return rules

    def _values(self, switch: Switch, verdict: str) -> list[Any]:
        return [value.value for value in switch.values if self._answers[value.risk].verdict == verdict]

    def _unknown(self, switch: Switch) -> dict[str, Any]:
        values = _all(switch)
        return {
            "conditions": [{"path": switch.path, "op": "not_in", "value": values}],
            "on_deny": f"{self._tool} takes {_listed(values)} as {_name(switch)}, and nothing else.",
        }

    def _reason(self) -> str:
        denied = self.answer.verdict == "deny"
        return f"{self._tool} is not for agents." if denied else f"{self._tool} needs a human's approval."


def _is_closed(switch: Switch) -> bool:
    """Whether it takes one of several texts; a flag has no other values than its two."""
    return not all(isinstance(value.value, bool) for value in switch.values)


def _all(switch: Switch) -> list[Any]:
    return [value.value for value in switch.values]


def _one_of(path: str, values: list[Any]) -> dict[str, Any]:
    if len(values) == 1:
        return {"path": path, "op": "eq", "value": values[0]}
    return {"path": path, "op": "in", "value": values}


def _cap(bulk: Bulk) -> dict[str, Any]:
    return {
        "conditions": [{"path": f"length({bulk.path})", "op": "gt", "value": _most(bulk)}],
        "on_deny": f"At most {_bounded(bulk)} in one call; split it into several.",
    }


def _cap_clause(bulk: Bulk) -> str:
    return f"at most {_bounded(bulk)} in a call"


def _bounded(bulk: Bulk) -> str:
    return f"{_most(bulk)} {'characters or ' if bulk.may_be_text else ''}entries in {_plain(bulk.path)}"


def _most(bulk: Bulk) -> int:
    return MOST_CHARACTERS if bulk.may_be_text else MOST_ENTRIES


def _name(switch: Switch) -> str:
    return _plain(switch.path)


def _plain(path: str) -> str:
    """An argument as an agent is told of it; the server chose its name, and may have chosen badly."""
    return visible(path.removeprefix("args."))[:_LONGEST_NAME]


def _listed(values: list[Any]) -> str:
    *most, last = [value if isinstance(value, str) else as_json(value) for value in values]
    return f"{', '.join(most)} or {last}" if most else last
