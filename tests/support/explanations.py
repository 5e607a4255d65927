"""What tests ask of explanations."""

from gateway.policy.decision import Decision, Verdict
from gateway.policy.explain import Explanation


def decisive(explanation: Explanation) -> tuple[Verdict, str] | None:
    """What the decisive step decides, and its rule; None where every step lets the call pass."""
    step = explanation.decisive
    return (step.verdict, step.rule) if step else None


def decisive_of(decision: Decision) -> tuple[Verdict, str] | None:
    """The same by the engine's own word."""
    return None if decision.verdict is Verdict.ALLOW else (decision.verdict, decision.rule)
