"""Decides calls by one policy. Pure: time and budget are handed in. Called by the proxy's gate."""

from typing import Final, Protocol

from gateway import fastpath
from gateway.errors import CountersFullError, StateError
from gateway.policy import messages, names
from gateway.policy.decision import Decision, LimitStatus, Verdict
from gateway.policy.tables import CompiledPolicy, JudgedLimit, JudgedRule, ToolTable


class Budget(Protocol):
    """How one grant's counters look to the engine: the core's words, and where each counter has its own."""

    @property
    def words(self) -> fastpath.Words:
        """The words that hold every counter's state."""
        ...

    @property
    def slots(self) -> fastpath.Slots:
        """One slot for each of the policy's counters, in their order."""
        ...

    def bind(self, slot: int) -> None:
        """Give the policy's counter `slot` a block of the words. Raises CountersFullError."""
        ...


class Judge(Protocol):
    """What the gate needs of a grant's policy: `Engine` has it, and `NO_POLICY`."""

    revision: str
    default_allows: bool
    """What becomes of resources, prompts and completions, for which a policy has no rules yet."""

    def decide(
        self,
        tool: str,
        arguments: dict[str, object],
        budget: Budget,
        now_ns: int,
        wall_ns: int,
        *,
        is_approved: bool = False,
    ) -> Decision:
        """Judge one call; `is_approved` when a person has approved exactly this one."""
        ...

    def sees(self, tool: str) -> bool:
        """Whether `tools/list` may show this tool."""
        ...


class Engine:
    """Judges the calls of grants that have this policy. Holds no state besides it."""

    def __init__(self, policy: CompiledPolicy) -> None:
        self.policy = policy
        self.revision = policy.revision
        self.default_allows = policy.default_allows

    def decide(
        self,
        tool: str,
        arguments: dict[str, object],
        budget: Budget,
        now_ns: int,
        wall_ns: int,
        *,
        is_approved: bool = False,
    ) -> Decision:
        """Judge one call, and spend on all of its limits if it is allowed.

        Steps 3 to 10 of policy.md, "Order of evaluation"; the first refusal wins, and a refused call
        spends nothing. `now_ns` is monotonic, `wall_ns` UTC since 1970. An allowed call's decision
        carries the receipt for `fastpath.rollback`. Raises StateError if the budget cannot hold a counter.
        """
        judge = self.policy.judge_of(tool)
        if isinstance(judge, Decision):
            return judge
        try:
            code, index, detail, receipt = _ask(judge, arguments, budget, now_ns, wall_ns)
        except CountersFullError:
            return Decision(Verdict.ERROR, names.COUNTERS_FULL, messages.counters_full(tool))
        match code:
            case fastpath.ALLOW:
                return Decision(Verdict.ALLOW, judge.name, receipt=receipt or None)
            case fastpath.REQUIRE:
                return _requirement_missed(tool, judge.require[index], detail, arguments)
            case fastpath.DENY_IF:
                return _denial_fired(tool, judge.deny_if[index], detail, arguments)
            case fastpath.NEVER_FITS:
                return _never_fits(tool, judge.limits[index])
            case fastpath.THROTTLE:
                limit = judge.limits[index]
                left = fastpath.remaining(limit.core, budget.words, budget.slots, now_ns, wall_ns)
                return _throttled(tool, limit, wait_ns=detail, left=left)
            case _:
                raise AssertionError(f"the core answered with the unknown code {code}")

    def sees(self, tool: str) -> bool:
        """Whether some call of this tool could be allowed, so that `tools/list` may show it."""
        judge = self.policy.judge_of(tool)
        return isinstance(judge, ToolTable) and not judge.always_denies()


class NoPolicy:
    """Stands for the policy of a grant that has none: denies and hides everything."""

    revision = ""
    default_allows = False

    def decide(
        self,
        tool: str,
        arguments: dict[str, object],
        budget: Budget,
        now_ns: int,
        wall_ns: int,
        *,
        is_approved: bool = False,
    ) -> Decision:
        """Deny, whatever the call. Step 2 of policy.md, "Order of evaluation"."""
        return Decision(Verdict.DENY, names.NO_POLICY, messages.NO_POLICY)

    def sees(self, tool: str) -> bool:
        """No tool is seen."""
        return False


NO_POLICY: Final[Judge] = NoPolicy()


def _ask(
    table: ToolTable, arguments: dict[str, object], budget: Budget, now_ns: int, wall_ns: int
) -> tuple[int, int, int, fastpath.Receipt | None]:
    """The core's answer, once every counter that the call meets is bound."""
    # One question on the normal path, and one more for each counter that is met for the first time.
    for _ in range(len(table.limits) + 1):
        answer = fastpath.decide(table.program, arguments, budget.words, budget.slots, now_ns, wall_ns)
        if answer[0] != fastpath.UNBOUND:
            return answer
        limit = table.limits[answer[1]]
        budget.bind(limit.slot)
    raise StateError(f"the counter {limit.counter.name!r} does not stay bound; the file of counters is damaged")


def _requirement_missed(tool: str, judged: JudgedRule, index: int, arguments: dict[str, object]) -> Decision:
    condition = judged.rule.conditions[index]
    if judged.conditions[index].test(arguments) == fastpath.MISTYPED:
        message = messages.argument_mistyped(judged.rule, condition, arguments)
    else:
        message = messages.requirement_missed(tool, judged.rule, condition)
    return Decision(Verdict.DENY, judged.name, message)


def _denial_fired(tool: str, judged: JudgedRule, mistyped: int, arguments: dict[str, object]) -> Decision:
    if mistyped >= 0:
        message = messages.argument_mistyped(judged.rule, judged.rule.conditions[mistyped], arguments)
    else:
        message = messages.denial_fired(tool, judged.rule)
    return Decision(Verdict.DENY, judged.name, message)


def _never_fits(tool: str, limit: JudgedLimit) -> Decision:
    return Decision(Verdict.DENY, limit.name, messages.never_fits(tool, limit.counter, on_deny=limit.on_deny))


def _throttled(tool: str, limit: JudgedLimit, *, wait_ns: int, left: int) -> Decision:
    wait_ms = -(-wait_ns // 1_000_000)
    message = messages.throttled(tool, limit.counter, is_shared=limit.is_shared, on_deny=limit.on_deny, wait_ms=wait_ms)
    status = LimitStatus(
        counter=limit.counter.name, limit=limit.counter.maximum, remaining=left, retry_after_ms=wait_ms
    )
    return Decision(Verdict.THROTTLE, limit.name, message, status)
