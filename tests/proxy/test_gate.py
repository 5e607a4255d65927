"""The single point of enforcement: which messages are judged, by what, and what is spent."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.mcp.message import Message
from gateway.mcp.methods import LEGACY_TASK_METHODS, METHODS, NOTIFICATIONS, Governance
from gateway.mcp.versions import Era
from gateway.policy.decision import Decision, Verdict
from gateway.policy.limits import Counter
from gateway.proxy.budget import GrantBudget
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant
from gateway.proxy.in_flight import InFlight
from gateway.proxy.task_handles import TaskHandles
from gateway.store.counters import CounterStore
from tests.support.grants import SEED_TOOLS, bare_grant, grant
from tests.support.messages import call, notification, request, response
from tests.support.policies import engine

BY_DEFAULT = {Governance.RESOURCE, Governance.PROMPT, Governance.COMPLETION}
ARGUED = [method for method, governance in METHODS.items() if governance in BY_DEFAULT]
JUDGED = {*BY_DEFAULT, Governance.TOOL_CALL, Governance.TASK}
FREE = [method for method, governance in METHODS.items() if governance not in JUDGED]
TASK_METHODS = [method for method, governance in METHODS.items() if governance is Governance.TASK]
DENIES, ALLOWS = grant("closed"), grant("open", default="allow")


@pytest.fixture
def clock() -> ManualClock:
    """The gate's clock."""
    return ManualClock()


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    """A gate."""
    return Gate(clock, TaskHandles(), InFlight())


@pytest.fixture
def store(tmp_path: Path, clock: ManualClock) -> Iterator[CounterStore]:
    """A table of counters with room for few."""
    store = CounterStore.open(tmp_path / "counters", clock, boot_id="boot", entries=4, words=64)
    yield store
    store.close()


def seeded(label: str, store: CounterStore) -> Grant:
    """A grant with the seed's policy, whose counters are in `store`."""
    judge = engine(tools=SEED_TOOLS)
    budget = GrantBudget(store, InFlight(), "binassist", "seed", label, judge.policy.counters)
    return msgspec.structs.replace(grant(label), engine=judge, budget=budget)


def verdicts(gate: Gate, grant: Grant, calls: int) -> list[str]:
    """What becomes of so many calls of `cancel_task`."""
    return [gate.decide(grant, call()).verdict.value for _ in range(calls)]


def test_a_call_is_judged_by_the_policy(gate: Gate):
    """The tool and its arguments, as read from the body, decide."""
    rule = {"conditions": [{"path": "args.id", "op": "eq", "value": 7}]}
    careful = grant(tools={"cancel_task": {"require": [rule]}})
    assert gate.decide(careful, call("cancel_task", id=1)).verdict is Verdict.DENY
    allowed = request("tools/call", name="cancel_task", arguments={"id": 7})
    assert gate.decide(careful, allowed).verdict is Verdict.ALLOW
    assert gate.decide(careful, call("list_tasks")).rule == "(default deny)"
    assert gate.decide(careful, call("cancel_task ")).rule == "(default deny)"


@pytest.mark.parametrize("message", [call(), call("list_tasks"), request("resources/read", uri="a://b")])
def test_a_grant_without_a_policy_may_call_nothing(gate: Gate, message):
    """Having no policy is not having no rules."""
    assert gate.decide(bare_grant(), message).verdict is Verdict.DENY
    assert gate.decide(bare_grant(), call()).rule == "(no policy)"


@pytest.mark.parametrize("method", ARGUED)
def test_resources_and_prompts_follow_the_default(gate: Gate, method: str):
    """What the policy has no rules for is allowed or denied by its default."""
    message = request(method, uri="a://b", name="a://b", ref={"type": "ref/resource", "uri": "a://b"})
    denied = Decision(Verdict.DENY, "(default deny)", "a://b is not allowed by this policy.")
    assert gate.decide(DENIES, message) == denied
    assert gate.decide(ALLOWS, message) == Decision(Verdict.ALLOW, "(default allow)")


@pytest.mark.parametrize("method", FREE)
def test_protocol_traffic_passes_and_spends_nothing(gate: Gate, method: str):
    """The handshake, lists (which are filtered later) and bookkeeping pass under any policy."""
    for held in (DENIES, ALLOWS, bare_grant()):
        assert gate.decide(held, request(method)) == Decision(Verdict.ALLOW, "(protocol)")


@pytest.mark.parametrize("method", TASK_METHODS)
def test_a_task_that_was_not_given_is_unknown(gate: Gate, method: str):
    """Under any policy; only the list, which is filtered, passes. Later revisions have fewer methods."""
    rule = "(protocol)" if method == "tasks/list" else "(unknown task)"
    assert gate.decide(ALLOWS, request(method, taskId="t")).rule == rule
    modern = "(unknown method)" if method in LEGACY_TASK_METHODS else "(unknown task)"
    assert gate.decide(ALLOWS, request(method, taskId="t"), Era.MODERN).rule == modern


@pytest.mark.parametrize("method", ["TOOLS/CALL", "tools/call ", "tools/call\0", "", "debug/x", *NOTIFICATIONS])
def test_an_unknown_method_is_denied_to_everyone(gate: Gate, method: str):
    """F12: what no revision has is not forwarded, even where everything is allowed."""
    decision = gate.decide(ALLOWS, request(method, name="cancel_task"))
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "(unknown method)")


def test_notifications_and_responses_pass(gate: Gate):
    """They ask for nothing that a policy could refuse."""
    messages: list[Message] = [*map(notification, NOTIFICATIONS), response()]
    for message in messages:
        assert gate.decide(bare_grant(), message) == Decision(Verdict.ALLOW, "(protocol)")


def test_ten_calls_pass_and_the_eleventh_waits(gate: Gate, store: CounterStore, clock: ManualClock):
    """The seed's policy on the real table of counters: the refusal names its limit and the wait."""
    alice = seeded("alice", store)
    assert verdicts(gate, alice, 10) == ["allow"] * 10
    clock.advance(seconds=20)
    refused = gate.decide(alice, call())
    assert (refused.verdict, refused.rule) == (Verdict.THROTTLE, "/tools/cancel_task/limits/cancel_task_rate")
    assert refused.limit is not None
    assert refused.limit.retry_after_ms == 40_000
    clock.advance(seconds=40)
    assert verdicts(gate, alice, 1) == ["allow"]


def test_each_grant_spends_on_its_own_counter(gate: Gate, store: CounterStore):
    """Two grants of one policy do not share a limit of scope `grant`."""
    alice, bob = seeded("alice", store), seeded("bob", store)
    verdicts(gate, alice, 10)
    assert verdicts(gate, alice, 1) + verdicts(gate, bob, 1) == ["throttle", "allow"]


def test_a_grant_finds_what_it_had_spent(gate: Gate, store: CounterStore):
    """The counter is known by server, policy, name and grant, not by the object that used it."""
    verdicts(gate, seeded("alice", store), 7)
    assert verdicts(gate, seeded("alice", store), 4) == ["allow"] * 3 + ["throttle"]


def test_settling_gives_back_what_was_spent(gate: Gate, store: CounterStore):
    """A call that cannot have run leaves the budget as it was."""
    alice = seeded("alice", store)
    last = [gate.decide(alice, call()) for _ in range(10)][-1]
    assert gate.settle(alice, last) is True
    assert verdicts(gate, alice, 2) == ["allow", "throttle"]


def test_settling_a_call_that_spent_nothing_changes_nothing(gate: Gate, store: CounterStore):
    """Refusals and protocol traffic have nothing to give back."""
    alice = seeded("alice", store)
    verdicts(gate, alice, 10)
    for message in (call(), call("list_tasks"), request("ping"), notification()):
        assert gate.settle(alice, gate.decide(alice, message)) is False
    assert verdicts(gate, alice, 1) == ["throttle"]


def test_a_full_table_refuses_the_call(gate: Gate, store: CounterStore):
    """A counter that finds no room is no licence to call: the verdict is an error, for the newcomer alone."""
    grants = [seeded(f"grant {number}", store) for number in range(5)]
    assert [verdicts(gate, held, 1)[0] for held in grants] == ["allow"] * 4 + ["error"]
    assert verdicts(gate, grants[0], 1) == ["allow"]


@pytest.mark.parametrize("error", [RuntimeError, RecursionError, KeyError, MemoryError], ids=lambda kind: kind.__name__)
def test_an_exception_is_a_refusal(gate: Gate, error: type[Exception], caplog: pytest.LogCaptureFixture):
    """Whatever goes wrong while judging, the call does not run, and the log says why."""

    class Broken:
        revision = "r"

        @property
        def default_allows(self) -> bool:
            raise error("broken")

        def decide(self, *_: object) -> Decision:
            raise error("broken")

    broken = msgspec.structs.replace(ALLOWS, engine=Broken())
    for message in (call(), request("prompts/get", name="p")):
        decision = gate.decide(broken, message)
        assert (decision.verdict, decision.rule) == (Verdict.ERROR, "(internal error)")
        assert "broken" not in decision.message
    assert "broken" in caplog.text


def test_a_counter_that_cannot_be_bound_is_a_refusal(gate: Gate, store: CounterStore):
    """A budget that is damaged allows nothing."""

    class Unbinding(GrantBudget):
        def bind(self, slot: int) -> None:
            """Does nothing."""

    alice = seeded("alice", store)
    counters: tuple[Counter, ...] = engine(tools=SEED_TOOLS).policy.counters
    damaged = msgspec.structs.replace(
        alice, budget=Unbinding(store, InFlight(), "binassist", "seed", "alice", counters)
    )
    assert gate.decide(damaged, call()).rule == "(internal error)"


def test_an_allowed_call_holds_its_places_until_they_are_released(gate: Gate, store: CounterStore):
    """The gate has taken them when the decision is out; a refused call has none."""
    judge = engine(tools={"cancel_task": {"concurrency": 2}})
    in_flight = InFlight()
    budget = GrantBudget(store, in_flight, "binassist", "p", "alice", judge.policy.counters)
    alice = msgspec.structs.replace(grant("alice"), engine=judge, budget=budget)
    gate = Gate(ManualClock(), TaskHandles(), in_flight)
    first, second, third = (gate.decide(alice, call()) for _ in range(3))
    assert [each.verdict.value for each in (first, second, third)] == ["allow", "allow", "throttle"]
    gate.release(alice, third)
    assert gate.decide(alice, call()).verdict is Verdict.THROTTLE
    gate.release(alice, first)
    assert gate.decide(alice, call()).verdict is Verdict.ALLOW


def test_only_a_legacy_agent_has_a_session(gate: Gate, store: CounterStore):
    """A modern one that names a session is counted as the grant."""
    limit = {"counter": "c", "window": "minute", "max": 1, "scope": "session"}
    judge = engine(tools={"cancel_task": {"limits": [limit]}})
    budget = GrantBudget(store, InFlight(), "binassist", "p", "alice", judge.policy.counters)
    alice = msgspec.structs.replace(grant("alice"), engine=judge, budget=budget)
    legacy = [(Era.LEGACY, session) for session in ("s", "s", "t")]
    verdicts = [
        gate.decide(alice, call(), era, session=session).verdict.value
        for era, session in [*legacy, (Era.MODERN, "u"), (Era.MODERN, "v"), (Era.LEGACY, None)]
    ]
    assert verdicts == ["allow", "throttle", "allow", "allow", "throttle", "throttle"]


def test_an_approved_call_is_not_asked_about_again(gate: Gate):
    """Everything else is judged as before."""
    rule = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
    asking = grant(tools={"cancel_task": {"action": "require_approval", "deny_if": [rule]}})
    assert gate.decide(asking, call()).verdict is Verdict.PENDING
    assert gate.decide(asking, call(), is_approved=True).verdict is Verdict.ALLOW
    assert gate.decide(asking, call(a=1), is_approved=True).verdict is Verdict.DENY


def test_prompts_are_judged_by_their_arguments_and_completions_by_the_name(gate: Gate):
    """A completion is for filling in the very arguments that a rule may want."""
    rule = {"conditions": [{"path": "args.depth", "op": "exists", "value": True}]}
    judged = grant(prompts={"review": {"require": [rule]}}, resources={"a://*": {}})
    assert gate.decide(judged, request("prompts/get", name="review", arguments={"depth": "x"})).verdict is Verdict.ALLOW
    assert (
        gate.decide(judged, request("prompts/get", name="review")).rule == "/prompts/review/require/args.depth-exists"
    )
    completion = request("completion/complete", ref={"type": "ref/prompt", "name": "review"})
    assert gate.decide(judged, completion).rule == "/prompts/review"
    for method in ("resources/read", "resources/subscribe", "resources/unsubscribe"):
        assert gate.decide(judged, request(method, uri="a://b")).verdict is Verdict.ALLOW
        assert gate.decide(judged, request(method, uri="b://b")).rule == "(default deny)"


def test_a_subscription_is_judged_by_every_resource_it_names(gate: Gate):
    """One that is denied denies it all; without any there is nothing to judge."""
    judged = grant(resources={"a://*": {}})

    def rule(**notifications: object) -> str:
        return gate.decide(judged, request("subscriptions/listen", notifications=notifications), Era.MODERN).rule

    assert rule(resourceSubscriptions=["a://b", "b://b", "a://c"]) == "(default deny)"
    for harmless in ({}, {"toolsListChanged": True}, {"resourceSubscriptions": ["a://b", "a://c"]}):
        assert rule(**harmless) == "(protocol)"
