"""Decides calls by one policy. Pure: time and budget are handed in. Called by the proxy's gate."""

from typing import Final, Protocol

import msgspec

from gateway.policy import messages, names
from gateway.policy.budget import Budget
from gateway.policy.compiled import CallTable, CompiledPolicy
from gateway.policy.decision import Call, Decision, Kind, ShadowOutcome, Verdict
from gateway.policy.judging import denial_fired, judge
from gateway.policy.paths import value_at

__all__ = ["NO_POLICY", "Budget", "Engine", "Judge"]


class Judge(Protocol):
    """What the gate needs of a grant's policy: `Engine` has it, and `NO_POLICY`."""

    revision: str

    def decide(self, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> Decision:
        """Judge one call."""
        ...

    def access(self, kind: Kind, name: str) -> Decision:
        """What becomes of every call of this name, whatever its arguments; ALLOW where that depends on them."""
        ...

    def sees(self, kind: Kind, name: str) -> bool:
        """Whether a list may show this name; of a template, its text."""
        ...

    def kept(self, call: Call) -> dict[str, object]:
        """The arguments that the policy has recorded, by the path as it is written."""
        ...


class Engine:
    """Judges the calls of grants that have this policy. Holds no state besides it."""

    def __init__(self, policy: CompiledPolicy) -> None:
        self.policy = policy
        self.revision = policy.revision

    def decide(self, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> Decision:
        """Judge one call, and spend on all of its limits if it is allowed.

        Steps 3 to 10 of policy.md, "Order of evaluation"; the first refusal wins, and a refused call
        spends nothing. `now_ns` is monotonic, `wall_ns` UTC since 1970. An allowed call's decision
        carries the receipt for `fastpath.rollback`, and the holds that the caller takes before anything else is
        decided. Raises StateError if the budget cannot hold a counter.
        """
        table = self.policy.entry_of(call.kind, call.target).judge
        if isinstance(table, Decision):
            return table
        decision = judge(table, call, budget, now_ns, wall_ns)
        if table.shadow_rules or table.shadow_limits:
            return _with_shadow(decision, table, call, budget, now_ns, wall_ns)
        return decision

    def access(self, kind: Kind, name: str) -> Decision:
        """Steps 3 to 5, and a `deny_if` that always denies."""
        table = self.policy.entry_of(kind, name).judge
        if isinstance(table, Decision):
            return table
        if table.unconditional_denial is not None:
            return denial_fired(name, table.unconditional_denial)
        return Decision(Verdict.ALLOW, table.name)

    def sees(self, kind: Kind, name: str) -> bool:
        """Whether some call could be allowed; under `list: all`, whether the tool is not hidden."""
        if kind is Kind.TOOL and self.policy.lists_denied:
            return not self.policy.is_hidden(name)
        return self.access(kind, name).verdict is Verdict.ALLOW

    def kept(self, call: Call) -> dict[str, object]:
        """What `audit.keep` names: null where it is missing. What cannot be reached by its path is left out."""
        kept: dict[str, object] = {}
        for text, path in self.policy.entry_of(call.kind, call.target).keep:
            try:
                kept[text] = value_at(call.arguments, path)
            except LookupError:
                continue
        return kept


class NoPolicy:
    """Stands for the policy of a grant that has none: denies and hides everything."""

    revision = ""

    def decide(self, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> Decision:
        """Deny, whatever the call. Step 2 of policy.md, "Order of evaluation"."""
        return Decision(Verdict.DENY, names.NO_POLICY, messages.NO_POLICY)

    def access(self, kind: Kind, name: str) -> Decision:
        """Deny, whatever the name."""
        return Decision(Verdict.DENY, names.NO_POLICY, messages.NO_POLICY)

    def sees(self, kind: Kind, name: str) -> bool:
        """Nothing is seen."""
        return False

    def kept(self, call: Call) -> dict[str, object]:
        """Nothing is asked for."""
        return {}


NO_POLICY: Final[Judge] = NoPolicy()


def _with_shadow(
    decision: Decision, table: CallTable, call: Call, budget: Budget, now_ns: int, wall_ns: int
) -> Decision:
    """The same decision, with what rules and limits in shadow mode would have made of the call.

    Shadow limits count what is allowed, so that they show what they would refuse if they were enforced.
    """
    seen = [judge(rule, call, budget, now_ns, wall_ns) for rule in table.shadow_rules]
    if decision.verdict is Verdict.ALLOW:
        seen += [judge(limit, call, budget, now_ns, wall_ns) for limit in table.shadow_limits]
    spent = [spend for each in (decision, *seen) for spend in each.receipt or ()]
    # A shadow counter that finds no room is no outcome of the call's.
    outcomes = [each for each in seen if each.verdict not in (Verdict.ALLOW, Verdict.ERROR)]
    return msgspec.structs.replace(
        decision,
        receipt=tuple(spent) or None,
        shadow=tuple(ShadowOutcome(each.rule, each.verdict) for each in outcomes),
    )
