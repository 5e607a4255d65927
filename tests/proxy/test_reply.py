"""What an agent is told, letter by letter (policy.md, "What the agent gets")."""

import orjson
import pytest

from gateway.mcp.versions import Era
from gateway.policy.decision import Decision, LimitStatus, Verdict
from gateway.proxy import reply
from gateway.proxy.reply import Refusal
from gateway.store.approval import Approval, State
from tests.support.approvals import CALL as EXACT
from tests.support.messages import call, modern, notification, request, response

RULE = "/tools/cancel_task/limits/cancel_task_rate"
TEXT = "cancel_task is limited to 10 calls a minute. Try again in 41.2 s."
THROTTLE = Decision(Verdict.THROTTLE, RULE, TEXT, LimitStatus("cancel_task_rate", 10, 0, 41200))
DENY = Decision(Verdict.DENY, "(default deny)", "list_tasks is not allowed by this policy.")
ERROR = Decision(Verdict.ERROR, "(upstream down)", "The server cannot be reached.")
PENDING = Decision(Verdict.PENDING, "/tools/x/action", "Waits for a person.")


def test_a_throttled_call_has_the_shape_of_the_policy_language():
    """The example of policy.md, member by member and in its order."""
    answer = reply.refused(call("cancel_task", id=7), THROTTLE, Era.LEGACY, "x-1")
    assert answer.status == 200
    assert orjson.dumps(answer.body) == orjson.dumps(
        {
            "jsonrpc": "2.0",
            "id": 7,
            "result": {
                "content": [{"type": "text", "text": f"[POLICY DENIED] {TEXT}"}],
                "isError": True,
                "_meta": {
                    "gateway.policy/decision": {
                        "id": "x-1",
                        "verdict": "throttle",
                        "rule": RULE,
                        "retry_after_ms": 41200,
                        "limit": 10,
                        "remaining": 0,
                    }
                },
            },
        }
    )


def test_a_call_that_waits_names_its_approval():
    """Which one, and until when it may be given."""
    approval = Approval("0123456789", State.PENDING, EXACT, "p", "/r", "x", 0, 600_000_000_000)
    body = reply.refused(call(), PENDING, Era.LEGACY, "x-1", approval).body
    assert body["result"]["content"][0]["text"] == "[APPROVAL PENDING] Waits for a person."
    assert body["result"]["_meta"]["gateway.policy/decision"] == {
        "id": "x-1",
        "verdict": "pending",
        "rule": "/tools/x/action",
        "approval": {"id": "0123456789", "expires": "1970-01-01T00:10:00Z"},
    }


def test_a_modern_agent_gets_a_result_type_as_well():
    """Every result of 2026-07-28 says that it is complete; nothing else differs."""
    legacy = reply.refused_body(call(), DENY, Era.LEGACY, "x-1")
    modern = reply.refused_body(call(), DENY, Era.MODERN, "x-1")
    assert modern["result"].pop("resultType") == "complete"
    assert modern == legacy


def test_a_denied_call_names_its_rule_and_no_limit():
    """What does not apply is absent, not null."""
    body = reply.refused_body(call("list_tasks"), DENY, Era.LEGACY, "x-1")
    assert body["result"]["_meta"]["gateway.policy/decision"] == {
        "id": "x-1", "verdict": "deny", "rule": "(default deny)",
    }  # fmt: skip


def test_a_limit_without_a_wait_names_none():
    """Where waiting would not help, no time is given."""
    decision = Decision(Verdict.THROTTLE, RULE, "Too many at once.", LimitStatus("c", 3, 0, None))
    status = reply.refused_body(call(), decision, Era.LEGACY, "x-1")["result"]["_meta"]["gateway.policy/decision"]
    assert status == {"id": "x-1", "verdict": "throttle", "rule": RULE, "limit": 3, "remaining": 0}


@pytest.mark.parametrize("id", [0, -3, "", "0", "x" * 128, 2**53])
def test_the_answer_has_the_id_of_the_request(id):
    """Zero is an id, and a string stays a string."""
    for era in Era:
        answered = reply.refused_body(call(id=id), DENY, era, "x-1")["id"]
        assert (answered, type(answered)) == (id, type(id))


@pytest.mark.parametrize(
    ("decision", "prefix"),
    [
        (DENY, "[POLICY DENIED] "),
        (THROTTLE, "[POLICY DENIED] "),
        (PENDING, "[APPROVAL PENDING] "),
        (ERROR, "[CALL FAILED] "),
    ],
    ids=["deny", "throttle", "pending", "error"],
)
def test_the_text_begins_with_what_happened(decision, prefix):
    """A model can tell a refusal by policy from a failure and from a wait."""
    body = reply.refused_body(call(), decision, Era.LEGACY, "x-1")
    assert body["result"]["content"][0]["text"] == prefix + decision.message


@pytest.mark.parametrize(
    ("decision", "code"),
    [(DENY, 40301), (THROTTLE, 42901), (PENDING, 40301), (ERROR, -32603)],
    ids=["deny", "throttle", "pending", "error"],
)
@pytest.mark.parametrize("era", Era)
def test_other_methods_get_a_json_rpc_error(decision, code, era):
    """HTTP 200, the request's id, a code outside of the reserved range, and the decision as data."""
    answer = reply.refused(request("resources/read", "r", uri="a://b"), decision, era, "x-1")
    assert answer.status == 200
    body = answer.body
    data = body["error"].pop("data")
    assert data.keys() == {"gateway.policy/decision"}
    assert data["gateway.policy/decision"]["rule"] == decision.rule
    assert body["jsonrpc"] == "2.0"
    assert body["id"] == "r"
    assert body["error"]["code"] == code
    assert body["error"]["message"].endswith(decision.message)


@pytest.mark.parametrize("message", [notification(), response()], ids=["notification", "response"])
@pytest.mark.parametrize(
    ("decision", "status", "code"), [(DENY, 400, 40301), (ERROR, 503, -32603)], ids=["deny", "error"]
)
def test_a_message_that_wants_no_answer_gets_an_http_error(message, decision, status, code):
    """Not accepted is said by the status, and by an error without an id."""
    answer = reply.refused(message, decision, Era.LEGACY, "x-1")
    assert answer.status == status
    body = answer.body
    assert (body["id"], body["error"]["code"]) == (None, code)


@pytest.mark.parametrize(("era", "status"), [(Era.LEGACY, 200), (Era.MODERN, 404)])
def test_an_unknown_method_is_not_found(era, status):
    """-32601 with the status that the era expects."""
    answer = reply.unknown_method(request("debug/everything", 5), era)
    assert answer.status == status
    assert answer.body == {
        "jsonrpc": "2.0",
        "id": 5,
        "error": {"code": -32601, "message": "Method not found"},
    }


def test_a_refusal_is_http_with_a_json_rpc_error():
    """Status, headers, code and id are the refusal's own."""
    refusal = Refusal(400, "json", "Not JSON.", code=-32700, id="a", headers={"X-Why": "so"})
    answer = reply.refusal(refusal)
    assert (answer.status, answer.headers["X-Why"]) == (400, "so")
    assert answer.body == {"jsonrpc": "2.0", "id": "a", "error": {"code": -32700, "message": "Not JSON."}}


@pytest.mark.parametrize("status", [401, 403, 404, 405, 406, 408, 411, 413, 415, 421, 503])
def test_a_refusal_without_a_code_stays_out_of_the_reserved_range(status):
    """A code made from the status cannot be taken for one of the protocol's."""
    refusal = Refusal(status, "x", "No.")
    assert not -32768 <= refusal.code <= -32000
    body = reply.refusal(refusal).body
    assert body["id"] is None


def test_an_agent_of_2026_is_told_what_is_spoken_instead():
    """-32601 to its probe, which makes it initialize; -32022 with the revisions to anything else."""
    probe, listing = (modern(method) for method in ("server/discover", "tools/list"))
    assert reply.legacy_only(probe).body["error"]["code"] == -32601
    answer = reply.legacy_only(listing)
    assert (answer.status, answer.body["error"]["code"]) == (400, -32022)
    assert answer.body["error"]["data"]["requested"] == "2026-07-28"
    assert "2024-11-05" in answer.body["error"]["data"]["supported"]
