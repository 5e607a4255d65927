"""Every exchange leaves its records and its numbers, once, and nothing that is nobody's business."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import ManualClock
from gateway.mcp.message import Message
from gateway.metrics import KnownNames, Metrics
from gateway.policy.decision import Decision, LimitStatus, ShadowOutcome, Verdict
from gateway.proxy.record import AUDIT_UNAVAILABLE, Exchange, Outcome, Recorder
from gateway.proxy.reply import Refusal
from gateway.store.approval import Approval, State
from tests.support.approvals import CALL as EXACT
from tests.support.grants import grant
from tests.support.journals import open_journal, told
from tests.support.messages import call, notification, request, response

ALLOW = Decision(Verdict.ALLOW, "/tools/cancel_task")
THROTTLE = Decision(Verdict.THROTTLE, "/tools/cancel_task/limits/c", "Limited to 10.", LimitStatus("c", 10, 0, 41_200))
ALICE = grant("alice", token="canary-token")


class Desk:
    """A recorder on a clock that stands still, and what it has written."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.journal = open_journal(directory, self.clock)
        self.metrics = Metrics("1", "python")
        self.recorder = Recorder(self.journal, self.metrics, KnownNames(["cancel_task"]), self.clock)

    def exchange(self, method: str = "POST") -> Exchange:
        """A new exchange."""
        return self.recorder.exchange("binassist", "10.0.0.9", method)

    def records(self) -> list[dict[str, Any]]:
        """The journal so far."""
        return told(self.journal.directory)

    def sample(self, name: str, **labels: str) -> float | None:
        """One number; None where nothing was counted."""
        return self.metrics.registry.get_sample_value(name, labels)

    def fill_the_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """From here on nothing can be written."""

        def fail(*_: object) -> int:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", fail)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A recorder that writes to a journal of its own."""
    desk = Desk(tmp_path)
    yield desk
    desk.journal.close()


def test_an_allowed_call_has_two_records_joined_by_its_id(desk: Desk):
    """Who asked for what and what was decided; then what became of it, with times and sizes."""
    with desk.exchange() as exchange:
        desk.clock.advance(seconds=1)
        exchange.read(321)
        desk.clock.advance(ns=7_000)
        exchange.parsed()
        desk.clock.advance(ns=12_340)
        message = call("cancel_task", task_id="t", force=True)
        assert exchange.decided(ALICE, message, ALLOW) is ALLOW
        (decision,) = desk.records()
        exchange.forwarded()
        desk.clock.advance(ns=2_500_000)
        exchange.answered(200)
        exchange.sent(10)
        exchange.sent(5)
        exchange.end(Outcome.COMPLETED)
    assert decision == {
        "type": "decision",
        "id": exchange.id,
        "time": "2027-01-15T08:00:01.000019Z",
        "server": "binassist",
        "grant": "alice",
        "peer": "10.0.0.9",
        "method": "tools/call",
        "verdict": "allow",
        "rule": "/tools/cancel_task",
        "policy": "test-policy",
        "revision": ALICE.engine.revision,
        "target": "cancel_task",
        "argument_keys": ["force", "task_id"],
        "decide_us": 12.3,
        "arguments_hash": desk.journal.fingerprint(b'{"force":true,"task_id":"t"}'),
        "request_bytes": 321,
        "arrival_ms": 1000.019,
    }
    assert desk.records()[1] == {
        "type": "outcome",
        "id": exchange.id,
        "time": "2027-01-15T08:00:01.002519Z",
        "outcome": "completed",
        "upstream_status": 200,
        "answer_bytes": 15,
        "upstream_ms": 2.5,
        "total_ms": 1002.519,
    }


def test_a_refused_call_has_one_record(desk: Desk):
    """What the agent was told, the limit and the wait are on it; there is no outcome."""
    with desk.exchange() as exchange:
        assert exchange.decided(ALICE, call(), THROTTLE) is THROTTLE
    (record,) = desk.records()
    assert record["verdict"] == "throttle"
    assert record["rule"] == "/tools/cancel_task/limits/c"
    assert (record["message"], record["limit"], record["retry_after_ms"]) == ("Limited to 10.", "c", 41_200)


def test_a_malformed_request_has_one_record(desk: Desk):
    """Status and reason are kept; the grant is empty until the caller is known."""
    with desk.exchange() as exchange:
        exchange.refused(Refusal(401, "unauthenticated", "A token is required."))
    with desk.exchange() as exchange:
        exchange.identified(ALICE)
        exchange.refused(Refusal(400, "json", "x" * 1000))
    first, second = desk.records()
    assert (first["type"], first["status"], first["reason"], first["grant"]) == (
        "refusal",
        401,
        "unauthenticated",
        "",
    )
    assert second["grant"] == "alice"
    assert second["message"].endswith("x… (1000 characters)")
    assert desk.sample("mcp_gateway_malformed_total", reason="json") == 1


def test_a_refusal_is_one_line_of_the_log(desk: Desk, caplog: pytest.LogCaptureFixture):
    """Which exchange, what was answered and why, to whom and on which server; not a word of the agent's."""
    with desk.exchange() as exchange:
        exchange.refused(Refusal(400, "json", "what the agent wrote"))
    assert caplog.messages == [f"refused: id={exchange.id} status=400 reason=json peer=10.0.0.9 server=binassist"]


def test_refusals_beyond_thirty_are_counted_and_summed(desk: Desk, caplog: pytest.LogCaptureFixture):
    """The metric counts all of them; journal and log get thirty, and the sum after a minute or at the end."""
    for _ in range(442):
        with desk.exchange() as exchange:
            exchange.refused(Refusal(401, "unauthenticated", "A token is required."))
    desk.recorder.sum_up()
    assert len(desk.records()) == len(caplog.messages) == 30
    desk.recorder.sum_up(at_once=True)
    assert desk.records()[30:] == [
        {
            "type": "refusals",
            "time": desk.recorder.now(),
            "peer": "10.0.0.9",
            "reason": "unauthenticated",
            "count": 412,
        }
    ]
    assert caplog.messages[30:] == ["refused 412 more in a minute: reason=unauthenticated peer=10.0.0.9"]
    assert desk.sample("mcp_gateway_malformed_total", reason="unauthenticated") == 442


def test_records_hold_no_values(desk: Desk):
    """Neither an argument's value nor a token, at any depth or type, reaches the journal or a label."""
    canaries: dict[str, Any] = {"a": "canary-1", "b": {"c": ["canary-2"]}, "d": [{"e": "canary-3"}], "n": 987654321}
    messages: list[Message] = [
        call("cancel_task", **canaries),
        request("prompts/get", name="p", arguments={"a": "canary-4", "n": 987654321}),
        request("completion/complete", ref={"type": "ref/prompt", "name": "p"}, argument={"value": "canary-5"}),
        request("logging/setLevel", level="canary-6", _meta={"k": "canary-7"}),
        notification("notifications/progress", message="canary-8"),
    ]
    for message in messages:
        with desk.exchange() as exchange:
            exchange.decided(ALICE, message, ALLOW)
            exchange.forwarded()
    written = desk.journal.path.read_bytes() + repr(list(desk.metrics.registry.collect())).encode()
    assert b"canary" not in written
    assert b"987654321" not in written
    assert desk.records()[0]["argument_keys"] == ["a", "b", "d", "n"]


def test_long_names_are_clipped(desk: Desk):
    """An agent cannot make its record as long as it likes by the names it uses."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call("cancel_task", **{"k" * 10_000: 1}), ALLOW)
        exchange.decided(ALICE, request("resources/read", uri="u" * 10_000), ALLOW)
        exchange.decided(ALICE, request("m" * 10_000), ALLOW)
    assert all(len(line) < 1000 for line in desk.journal.path.read_bytes().splitlines())


@pytest.mark.parametrize(
    ("message", "method"),
    [
        (None, "GET"),
        (response(), "GET"),
        (notification("notifications/cancelled"), "notifications/cancelled"),
    ],
    ids=["none", "response", "notification"],
)
def test_a_message_without_a_method_is_recorded_by_that_of_http(desk: Desk, message, method: str):
    """A stream that is opened, and a response, have no method of their own."""
    with desk.exchange("GET") as exchange:
        exchange.decided(ALICE, message, ALLOW)
    assert desk.records()[0]["method"] == method


@pytest.mark.parametrize("decision", [ALLOW, THROTTLE], ids=["allow", "throttle"])
def test_what_cannot_be_recorded_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch, decision: Decision):
    """When the journal is full nothing is let through, and that is counted."""
    desk.fill_the_disk(monkeypatch)
    with desk.exchange() as exchange:
        assert exchange.decided(ALICE, call(), decision) is AUDIT_UNAVAILABLE
    monkeypatch.undo()
    assert desk.records() == []
    assert desk.sample("mcp_gateway_audit_failures_total") == 1
    labels = {"server": "binassist", "grant": "alice", "tool": "cancel_task", "verdict": "error"}
    assert desk.sample("mcp_gateway_decisions_total", **labels) == 1
    assert desk.sample("mcp_gateway_denials_total", server="binassist", rule="(audit unavailable)") == 1


def test_a_refusal_or_an_outcome_that_cannot_be_recorded_is_counted(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """There is nothing left to refuse, so the failure is a number and a line in the log."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), ALLOW)
        exchange.forwarded()
        desk.fill_the_disk(monkeypatch)
        exchange.refused(Refusal(400, "json", "x"))
        exchange.end(Outcome.COMPLETED)
    monkeypatch.undo()
    assert desk.sample("mcp_gateway_audit_failures_total") == 2
    assert desk.sample("mcp_gateway_inflight", server="binassist") == 0


def test_a_defect_in_the_middle_is_an_outcome_too(desk: Desk):
    """An exception ends a forwarded exchange as failed by our own fault, and passes through."""

    def fail() -> None:
        with desk.exchange() as exchange:
            exchange.decided(ALICE, call(), ALLOW)
            exchange.forwarded()
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert [record["type"] for record in desk.records()] == ["decision", "outcome"]
    assert (desk.records()[1]["outcome"], desk.records()[1]["rule"]) == ("failed", "(internal error)")


def test_only_the_first_end_counts(desk: Desk):
    """An exchange has one outcome, and is in flight until then."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), ALLOW)
        exchange.forwarded()
        assert desk.sample("mcp_gateway_inflight", server="binassist") == 1
        exchange.end(Outcome.FAILED, rule="(upstream down)", rolled_back=True)
        exchange.end(Outcome.COMPLETED)
    (_, outcome) = desk.records()
    assert (outcome["outcome"], outcome["rule"], outcome["rolled_back"]) == (
        "failed",
        "(upstream down)",
        True,
    )
    assert desk.sample("mcp_gateway_inflight", server="binassist") == 0


def test_a_detached_exchange_ends_when_its_answer_does(desk: Desk):
    """An agent that left does not end the exchange; whoever drains the answer does."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), ALLOW)
        exchange.forwarded()
        exchange.detach()
    assert len(desk.records()) == 1
    assert desk.sample("mcp_gateway_inflight", server="binassist") == 1
    exchange.end(Outcome.ABANDONED)
    assert desk.records()[1]["outcome"] == "abandoned"


def test_an_exchange_that_was_never_forwarded_has_no_outcome(desk: Desk):
    """Nothing became of it, not even when it is left by an exception."""
    with pytest.raises(ValueError, match="x"), desk.exchange():
        raise ValueError("x")
    assert desk.records() == []


def test_every_exchange_has_an_id_of_its_own(desk: Desk, tmp_path: Path):
    """Ids differ within a run, and from one run to the next."""
    ids = {desk.exchange().id for _ in range(100)}
    other = Recorder(desk.journal, desk.metrics, KnownNames(), desk.clock)
    assert len(ids) == 100
    assert other.exchange("s", "p", "GET").id.split("-")[0] not in {id.split("-")[0] for id in ids}


def test_the_hash_of_the_arguments_is_equal_for_equal_arguments_alone(desk: Desk):
    """The order of keys and the form of a number do not matter; everything else does. Without any there is none."""
    for arguments in ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, {"a": 1, "b": "2"}, {}):
        with desk.exchange() as exchange:
            exchange.decided(ALICE, call("cancel_task", **arguments), ALLOW)
    first, second, third, none = (record.get("arguments_hash") for record in desk.records())
    assert first == second != third
    assert none is None


def test_the_program_of_a_session_is_on_every_record_in_it(desk: Desk):
    """As it said when it opened the session, whose id is no part of a record; a modern agent says it each time."""
    with desk.exchange() as exchange:
        info = {"name": "inspector", "version": "2.1"}
        exchange.decided(ALICE, request("initialize", protocolVersion="2025-11-25", clientInfo=info), ALLOW)
        exchange.forwarded()
        exchange.opened("their-secret-session")
        exchange.end(Outcome.COMPLETED)
    for session in ("their-secret-session", "another", None):
        with desk.exchange() as exchange:
            exchange.in_session(session)
            exchange.decided(ALICE, call(), ALLOW)
    with desk.exchange() as exchange:
        meta = {"io.modelcontextprotocol/clientInfo": {"name": "x" * 1000, "version": 2}}
        exchange.decided(ALICE, request("tools/list", _meta=meta), ALLOW)
    opening, opened, inside, other, outside, modern = desk.records()
    assert (opening["client"], inside["client"]) == ("inspector 2.1", "inspector 2.1")
    assert opened["session"] == inside["session"] != other["session"]
    assert "client" not in other
    assert "session" not in outside
    assert modern["client"].startswith("x" * 256 + "…")
    assert b"secret" not in desk.journal.path.read_bytes()


def test_what_remains_of_a_limit_is_on_the_record(desk: Desk):
    """The limit's most and what is left, beside its name and the wait."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), THROTTLE)
    (record,) = desk.records()
    assert (record["limit"], record["limit_max"], record["remaining"]) == ("c", 10, 0)


def test_a_gateway_that_is_to_continue_lets_through_what_it_cannot_record(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """With `on_failure: continue` the decision stands; each record that is missing is counted."""
    recorder = Recorder(desk.journal, desk.metrics, KnownNames(), desk.clock, continues=True)
    desk.fill_the_disk(monkeypatch)
    with recorder.exchange("binassist", "10.0.0.9", "POST") as exchange:
        assert exchange.decided(ALICE, call(), ALLOW) is ALLOW
    assert not desk.journal.is_healthy
    assert desk.sample("mcp_gateway_audit_failures_total") == 1


def test_what_is_written_is_counted_and_timed(desk: Desk):
    """Each record once."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), ALLOW)
    assert desk.sample("mcp_gateway_audit_records_total") == 1
    assert desk.sample("mcp_gateway_audit_write_seconds_count") == 1


def test_grants_and_rules_beyond_the_cap_share_a_label(desk: Desk):
    """However many a configuration has, the series stay bounded, and nothing is left uncounted."""
    for number in range(300):
        with desk.exchange() as exchange:
            refusal = Decision(Verdict.DENY, f"/tools/t{number}/action", "No.")
            exchange.decided(grant(f"grant-{number}"), call(), refusal)
    assert desk.sample("mcp_gateway_denials_total", server="binassist", rule="/tools/t199/action") == 1
    assert desk.sample("mcp_gateway_denials_total", server="binassist", rule="_other") == 100
    labels = {"server": "binassist", "tool": "cancel_task", "verdict": "deny"}
    assert desk.sample("mcp_gateway_decisions_total", grant="_other", **labels) == 100


def test_labels_come_from_closed_sets(desk: Desk):
    """A tool or method that nobody listed is `_unknown`, whatever the agent calls it."""
    for message in (
        call("cancel_task"),
        call("evil-tool"),
        request("evil/method"),
        request("resources/read", uri="evil"),
    ):
        with desk.exchange("EVIL") as exchange:
            exchange.decided(ALICE, message, ALLOW)
            exchange.forwarded()
    with desk.exchange("EVIL") as exchange:
        exchange.decided(ALICE, None, THROTTLE)
    assert "evil" not in repr(list(desk.metrics.registry.collect())).lower()
    counted = {"server": "binassist", "grant": "alice", "verdict": "allow"}
    assert desk.sample("mcp_gateway_decisions_total", tool="_unknown", **counted) == 1
    assert desk.sample("mcp_gateway_decisions_total", tool="", **counted) == 2


def test_a_call_that_waited_for_a_person_names_the_approval(desk: Desk):
    """The id and who decided; the time that the call was held is no overhead of ours."""
    approved = Approval("0123456789", State.CONSUMED, EXACT, "p", "/r", "x", 0, 1, approver="zoe")
    with desk.exchange() as exchange:
        exchange.read()
        exchange.parsed()
        with exchange.holding():
            desk.clock.advance(seconds=20)
        desk.clock.advance(ns=6_000)
        exchange.decided(ALICE, call(), ALLOW, approved)
        exchange.forwarded()
        exchange.answered(200)
        exchange.replied()
        exchange.end(Outcome.COMPLETED)
    decision, outcome = desk.records()
    assert (decision["approval"], decision["approver"], decision["decide_us"]) == ("0123456789", "zoe", 6.0)
    assert outcome["total_ms"] == 20_000.006
    assert desk.sample("mcp_gateway_overhead_seconds_sum", stage="decide") == pytest.approx(6e-6)
    assert desk.sample("mcp_gateway_overhead_seconds_sum", stage="total") == pytest.approx(6e-6)


def test_durations_leave_the_server_out_of_our_overhead(desk: Desk):
    """The operation lasts as long as the agent waits; our own part excludes the server's time."""
    with desk.exchange() as exchange:
        desk.clock.advance(ns=20_000)
        exchange.read()
        desk.clock.advance(ns=4_000)
        exchange.parsed()
        desk.clock.advance(ns=6_000)
        exchange.decided(ALICE, call(), ALLOW)
        exchange.forwarded()
        desk.clock.advance(seconds=2)
        exchange.answered(200)
        desk.clock.advance(ns=40_000)
        exchange.replied()
        exchange.end(Outcome.COMPLETED)
    assert desk.sample("mcp_gateway_overhead_seconds_sum", stage="parse") == pytest.approx(4e-6)
    assert desk.sample("mcp_gateway_overhead_seconds_sum", stage="decide") == pytest.approx(6e-6)
    assert desk.sample("mcp_gateway_overhead_seconds_sum", stage="total") == pytest.approx(70e-6)
    labels = {"mcp_method_name": "tools/call", "gen_ai_tool_name": "cancel_task", "error_type": ""}
    assert desk.sample("mcp_server_operation_duration_seconds_sum", **labels) == pytest.approx(2.00007)


def test_the_servers_own_time_is_told_by_tool(desk: Desk):
    """From the call being sent to the end of its answer; a call that was never answered has no such time."""
    for is_answered in (True, False):
        with desk.exchange() as exchange:
            exchange.decided(ALICE, call(), ALLOW)
            exchange.forwarded()
            desk.clock.advance(seconds=1)
            if is_answered:
                exchange.answered(200)
            desk.clock.advance(seconds=2)
            exchange.end(Outcome.COMPLETED if is_answered else Outcome.FAILED, rule="" if is_answered else "(x)")
    labels = {"server": "binassist", "tool": "cancel_task"}
    assert desk.sample("mcp_gateway_upstream_seconds_count", **labels) == 1
    assert desk.sample("mcp_gateway_upstream_seconds_sum", **labels) == 3


def test_records_are_counted_and_timed(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    """Each record that was written, and how long that took; not those that could not be."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), THROTTLE)
    desk.fill_the_disk(monkeypatch)
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), THROTTLE)
    assert desk.sample("mcp_gateway_audit_records_total") == 1
    assert desk.sample("mcp_gateway_audit_write_seconds_count") == 1


@pytest.mark.parametrize(
    ("decision", "outcome", "error_type"),
    [(THROTTLE, None, "throttle"), (ALLOW, Outcome.COMPLETED, ""), (ALLOW, Outcome.CANCELLED, "cancelled")],
    ids=["throttle", "completed", "cancelled"],
)
def test_each_operation_is_counted_once(desk: Desk, decision: Decision, outcome: Outcome | None, error_type: str):
    """Refused or forwarded, an operation has one duration, under what went wrong with it."""
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call(), decision)
        if outcome is not None:
            exchange.forwarded()
            exchange.end(outcome)
    counts = [
        (sample.labels["error_type"], sample.value)
        for metric in desk.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "mcp_server_operation_duration_seconds_count"
    ]
    assert counts == [(error_type, 1)]


def test_an_exchange_can_be_handed_on_before_it_is_forwarded(desk: Desk):
    """Whoever takes it over ends it; until then it holds what it holds."""
    released = []
    with desk.exchange() as exchange:
        exchange.at_close(lambda: released.append(1))
        exchange.detach()
    assert released == []
    with exchange.attach():
        exchange.decided(ALICE, call("cancel_task"), THROTTLE)
    assert released == [1]
    assert [record["type"] for record in desk.records()] == ["decision"]


def test_whoever_leaves_an_exchange_last_closes_it(desk: Desk):
    """One that was taken over may still be held by the one who gave it away, and what it holds stays held."""
    released: list[int] = []
    with desk.exchange() as exchange:
        exchange.at_close(lambda: released.append(1))
        exchange.detach()
        taken_over = exchange.attach()
        taken_over.__enter__()
        taken_over.decided(ALICE, call(), ALLOW)
        taken_over.forwarded()
    assert released == []
    assert [record["type"] for record in desk.records()] == ["decision"]
    taken_over.end(Outcome.COMPLETED)
    taken_over.__exit__(None, None, None)
    assert released == [1]
    assert desk.records()[-1]["outcome"] == "completed"


def test_what_shadow_rules_would_have_done_is_recorded_and_counted(desk: Desk):
    """By the rule's name and the verdict it would have given."""
    outcomes = (ShadowOutcome("/tools/t/limits/c", Verdict.THROTTLE), ShadowOutcome("no force", Verdict.DENY))
    with desk.exchange() as exchange:
        exchange.decided(ALICE, call("t"), Decision(Verdict.ALLOW, "/tools/t", shadow=outcomes))
    assert desk.records()[0]["shadow"] == {"/tools/t/limits/c": "throttle", "no force": "deny"}
    labels = {"rule": "no force", "would": "deny"}
    assert desk.metrics.registry.get_sample_value("mcp_gateway_shadow_total", labels) == 1


def test_the_values_that_the_policy_keeps_are_recorded(desk: Desk):
    """And no others; what is too large for a record is left out."""
    keeping = grant("keeping", tools={"t": {"audit": {"keep": ["args.a", "args.b", "args.c"]}}})
    with desk.exchange() as exchange:
        exchange.decided(keeping, call("t", a={"x": [1]}, b="y" * 4096, d="canary"), ALLOW)
    assert desk.records()[0]["kept"] == {"args.a": {"x": [1]}, "args.c": None}
    assert b"canary" not in desk.journal.path.read_bytes()
