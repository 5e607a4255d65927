"""One question to the core, and its answer as a decision. Called by the engine for a table, or a part of one."""

from gateway import fastpath
from gateway.errors import CountersFullError, StateError
from gateway.policy import messages, names
from gateway.policy.budget import Budget
from gateway.policy.compiled import CallTable, JudgedCheck, JudgedLimit, JudgedRule
from gateway.policy.decision import Call, ConcurrencyHold, Decision, LimitStatus, Verdict
from gateway.policy.schemas import ServerCheck, failure_of


def judge(table: CallTable, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> Decision:
    """Judge one call by one table, and spend on all of its limits if it is allowed.

    Steps 6 to 10 of policy.md, "Order of evaluation"; what is in shadow mode aside. Raises StateError if the budget
    cannot hold a counter.
    """
    full = next((hold for hold in table.holds if budget.in_flight(hold.name) >= hold.most), None)
    is_free = call.is_free or full is not None
    try:
        code, index, detail, receipt = _ask(table, call, budget, now_ns, wall_ns, is_free)
    except CountersFullError:
        return Decision(Verdict.ERROR, names.COUNTERS_FULL, messages.counters_full(call.target))
    match code:
        case fastpath.ALLOW if full is not None:
            return _crowded(call, full)
        case fastpath.ALLOW:
            return Decision(Verdict.ALLOW, table.name, receipt=receipt or None, holds=table.holds)
        case fastpath.REQUIRE:
            return _requirement_missed(call, table.require[index], detail)
        case fastpath.DENY_IF:
            return _denial_fired(call, table.deny_if[index], detail)
        case fastpath.INVALID:
            return _not_valid(call, table.checks[index])
        case fastpath.APPROVE_IF:
            return _approval_wanted(call, table, table.approve_if[index], detail)
        case fastpath.BAD_COST:
            limit = table.limits[index]
            message = messages.bad_cost(limit.cost_paths[detail], call.arguments, on_deny=limit.on_deny)
            return Decision(Verdict.DENY, limit.name, message)
        case fastpath.NEVER_FITS:
            return _never_fits(call, table.limits[index])
        case fastpath.THROTTLE:
            limit = table.limits[index]
            left = fastpath.remaining(limit.core, budget.words, budget.slots, now_ns, wall_ns)
            return _throttled(call, limit, wait_ns=detail, left=left)
        case _:
            raise AssertionError(f"the core answered with the unknown code {code}")


def denial_fired(target: str, judged: JudgedRule) -> Decision:
    """The refusal by a `deny_if` rule whose conditions hold."""
    return Decision(Verdict.DENY, judged.name, messages.denial_fired(target, judged.rule))


def _ask(
    table: CallTable, call: Call, budget: Budget, now_ns: int, wall_ns: int, is_free: bool
) -> tuple[int, int, int, fastpath.Receipt | None]:
    """The core's answer, once every counter that the call meets is bound."""
    # One question on the normal path, and one more for each counter that is met for the first time.
    for _ in range(len(table.limits) + 1):
        answer = fastpath.decide(
            table.program, call.arguments, budget.words, budget.slots, now_ns, wall_ns, call.is_approved, is_free
        )
        if answer[0] != fastpath.UNBOUND:
            return answer
        limit = table.limits[answer[1]]
        budget.bind(limit.slot)
    raise StateError(f"the counter {limit.counter.name!r} does not stay bound; the file of counters is damaged")


def _requirement_missed(call: Call, judged: JudgedRule, index: int) -> Decision:
    condition = judged.rule.conditions[index]
    if judged.conditions[index].test(call.arguments, True) == fastpath.MISTYPED:
        message = messages.argument_mistyped(judged.rule, condition, call.arguments)
    else:
        message = messages.requirement_missed(call.target, judged.rule, condition)
    return Decision(Verdict.DENY, judged.name, message)


def _denial_fired(call: Call, judged: JudgedRule, mistyped: int) -> Decision:
    if mistyped < 0:
        return denial_fired(call.target, judged)
    message = messages.argument_mistyped(judged.rule, judged.rule.conditions[mistyped], call.arguments)
    return Decision(Verdict.DENY, judged.name, message)


def _not_valid(call: Call, judged: JudgedCheck) -> Decision:
    validator = judged.check.validator if isinstance(judged.check, ServerCheck) else judged.check
    if validator is None:
        return Decision(Verdict.DENY, names.SCHEMA_UNAVAILABLE, messages.schema_unavailable(call.target))
    message = messages.not_valid(call.target, failure_of(validator, call.arguments))
    return Decision(Verdict.DENY, judged.name, message)


def _approval_wanted(call: Call, table: CallTable, judged: JudgedRule, mistyped: int) -> Decision:
    message = messages.approval_wanted(call.target, judged.rule)
    if mistyped >= 0:
        message += " " + messages.mistyped(judged.rule.conditions[mistyped], call.arguments)
    return Decision(Verdict.PENDING, judged.name, message, approval=table.approval)


def _crowded(call: Call, hold: ConcurrencyHold) -> Decision:
    status = LimitStatus(counter="concurrency", limit=hold.most, remaining=0, retry_after_ms=None)
    return Decision(Verdict.THROTTLE, hold.name, messages.too_many_in_flight(call.target, hold.most), status)


def _never_fits(call: Call, limit: JudgedLimit) -> Decision:
    message = messages.never_fits(call.target, limit.counter, on_deny=limit.on_deny)
    return Decision(Verdict.DENY, limit.name, message)


def _throttled(call: Call, limit: JudgedLimit, *, wait_ns: int, left: int) -> Decision:
    wait_ms = -(-wait_ns // 1_000_000)
    message = messages.throttled(
        call.target, limit.counter, is_shared=limit.is_shared, on_deny=limit.on_deny, wait_ms=wait_ms
    )
    status = LimitStatus(
        counter=limit.counter.name, limit=limit.counter.maximum, remaining=left, retry_after_ms=wait_ms
    )
    return Decision(Verdict.THROTTLE, limit.name, message, status)
