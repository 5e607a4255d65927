"""An explanation for people, in a table, and for programs, in JSON. The author's tools print it."""

from typing import Any

import msgspec

from gateway.cli.terminal import Paint, columns
from gateway.policy.decision import Decision, Verdict
from gateway.policy.explain import Explanation, LimitState, Step, Test
from gateway.policy.messages import condition_text, wait_text
from gateway.policy.windows import describe_window
from gateway.visible import visible

_HEADS = ("", "STEP", "RULE", "VERDICT", "LOOKED AT")
_MARK = "->"


def as_table(explanation: Explanation, paint: Paint) -> str:
    """The decision, then every step with the decisive one marked; steps after it are dimmed."""
    decision = explanation.decision
    lines = [f"{decision.verdict} by {visible(decision.rule)}"]
    if decision.message:
        lines.append(f"the agent is told: {visible(decision.message)}")
    if not explanation.steps:
        return "\n".join(lines)
    rows, styles = [_HEADS], ["bold"]
    is_reached = True
    for step in explanation.steps:
        is_decisive = step is explanation.decisive
        rows.append((_MARK if is_decisive else "", step.stage, step.rule, _verdict(step, is_reached), looked_at(step)))
        styles.append("bold" if is_decisive else "" if is_reached else "dim")
        is_reached = is_reached and not is_decisive
    return "\n".join([*lines, "", columns(rows, [style or None for style in styles], paint)])


def as_plain(explanation: Explanation) -> dict[str, Any]:
    """The same as plain data; of the arguments it has their types alone."""
    steps = [{**msgspec.to_builtins(step), "is_decisive": step is explanation.decisive} for step in explanation.steps]
    call = explanation.call
    return {
        "kind": call.kind.name.lower(),
        "target": call.target,
        "decision": decision_as_plain(explanation.decision),
        "steps": steps,
    }


def decision_as_plain(decision: Decision) -> dict[str, Any]:
    """A decision as plain data."""
    shadow = {outcome.rule: str(outcome.verdict) for outcome in decision.shadow}
    return {
        "verdict": str(decision.verdict),
        "rule": decision.rule,
        "message": decision.message,
        "limit": msgspec.to_builtins(decision.limit),
        "shadow": shadow,
    }


def step_text(step: Step) -> str:
    """One step in a line."""
    seen = looked_at(step)
    return f"{step.stage}: {step.rule}: {_verdict(step, is_reached=True)}{f' ({seen})' if seen else ''}"


def looked_at(step: Step) -> str:
    """What a step has looked at: conditions with the types they met, or the state of a limit."""
    if step.limit is not None:
        return _limit_text(step.limit)
    if step.tests:
        return "; ".join(map(_test_text, step.tests))
    return "" if step.verdict is Verdict.ALLOW else step.message


def _verdict(step: Step, is_reached: bool) -> str:
    notes = [*(["shadow"] if step.is_shadow else []), *([] if is_reached else ["not reached"])]
    verdict = "pass" if step.verdict is Verdict.ALLOW else str(step.verdict)
    return f"{verdict} ({', '.join(notes)})" if notes else verdict


def _test_text(test: Test) -> str:
    return f"{condition_text(test.condition)}: {test.result}, met {test.met}"


def _limit_text(state: LimitState) -> str:
    cost = "no cost" if state.cost is None else f"costs {state.cost}"
    match state.wait_ms:
        case None:
            next_time = "never passes"
        case 0:
            next_time = "passes now"
        case wait_ms:
            next_time = f"passes in {wait_text(wait_ms)}"
    window = describe_window(state.window_ns)
    return f"{state.counter}: {state.remaining} left of {state.maximum} {window} per {state.scope}; {cost}, {next_time}"
