"""A grant sees only what it could call, in JSON and in events; what cannot be read is not passed on."""

from typing import Any

import orjson
import pytest

from gateway.mcp.sse import event_data
from gateway.policy.engine import NO_POLICY, Judge
from gateway.proxy.answer_filter import UnreadableAnswerError
from gateway.proxy.listing import ListFilter
from tests.support.policies import engine

TOOLS = [
    {"name": "get_code", "inputSchema": {"type": "object", "x-mcp-header": {"a": "b"}}, "title": "é"},
    {"name": "cancel_task", "annotations": {"destructiveHint": True}},
    {"name": "secret_dump"},
    {"name": "never"},
    {"name": "off"},
]
RULES = {
    "cancel_task": {"limits": [{"counter": "c", "window": "minute", "max": 1}]},
    "get_code": {"require": [{"conditions": [{"path": "args.x", "op": "eq", "value": 1}]}]},
    "never": {"deny_if": [{"conditions": []}]},
    "off": {"action": "deny"},
    "secret_dump": {},
}
OPEN = engine(default="allow")
MOSTLY_OPEN = engine(default="allow", hide=["secret_*"], tools={"off": {"action": "deny"}})
CLOSED = engine()
SEED = engine(hide=["secret_*"], tools=RULES)


def list_filter(judge: Judge = SEED, learned: list[str] | None = None) -> ListFilter:
    """A filter by this policy, whose lessons go into `learned`."""
    lessons: list[str] = [] if learned is None else learned
    return ListFilter(lambda: judge, lessons.extend)


def answer(result: Any) -> bytes:
    """A result as a server sends it, with spaces that a remade one would not have."""
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result}, option=orjson.OPT_INDENT_2)


def filtered(result: Any, judge: Judge = SEED) -> Any:
    """The result as the agent gets it."""
    return orjson.loads(list_filter(judge).filter_json(answer(result)))["result"]


def names_in(result: Any) -> list[str]:
    """The names of the tools in a result."""
    return [tool["name"] for tool in result["tools"]]


@pytest.mark.parametrize(
    ("judge", "seen"),
    [
        (SEED, ["get_code", "cancel_task"]),
        (OPEN, ["get_code", "cancel_task", "secret_dump", "never", "off"]),
        (engine(default="allow", hide=["*"]), []),
        (MOSTLY_OPEN, ["get_code", "cancel_task", "never"]),
        (CLOSED, []),
        (NO_POLICY, []),
    ],
    ids=["seed", "open", "hide all", "mostly open", "closed", "no policy"],
)
def test_only_tools_that_could_be_called_are_listed(judge, seen):
    """Hidden, unlisted, switched off and always denied tools are left out; the order is the server's."""
    assert names_in(filtered({"tools": TOOLS}, judge)) == seen


def test_what_is_shown_is_shown_whole():
    """A visible tool's schema, annotations and unknown members are the server's own."""
    assert filtered({"tools": TOOLS}) == {"tools": TOOLS[:2]}


def test_a_page_may_become_empty_and_keeps_its_cursor():
    """The next page exists all the same; an empty cursor is a cursor."""
    assert filtered({"tools": TOOLS[2:], "nextCursor": "", "_meta": {"a": 1}}) == {
        "tools": [], "nextCursor": "", "_meta": {"a": 1},
    }  # fmt: skip


@pytest.mark.parametrize("scope", ["public", "private", "new"])
def test_a_filtered_list_is_private(scope):
    """Caches may not serve one grant's list to another; the time to live stays."""
    result = filtered({"tools": [], "ttlMs": 5, "cacheScope": scope, "resultType": "complete"})
    assert result == {"tools": [], "ttlMs": 5, "cacheScope": "private", "resultType": "complete"}


def test_a_legacy_list_gets_no_scope():
    """Older revisions do not know the member."""
    assert "cacheScope" not in filtered({"tools": []})


@pytest.mark.parametrize("member", ["resources", "resourceTemplates", "prompts"])
@pytest.mark.parametrize(("judge", "is_seen"), [(SEED, False), (CLOSED, False), (NO_POLICY, False), (OPEN, True)])
def test_other_lists_follow_the_default(member, judge, is_seen):
    """Resources, templates and prompts are all there or none is; the rest of the page stays."""
    entries = [{"uri": "a://b", "uriTemplate": "a://{b}", "name": "b"}, {"uri": "", "uriTemplate": "", "name": ""}]
    expected = entries if is_seen else []
    assert filtered({member: entries, "nextCursor": "n"}, judge) == {member: expected, "nextCursor": "n"}


@pytest.mark.parametrize(
    "entry", [None, "secret_dump", 5, ["x"], {}, {"name": None}, {"name": ["get_code"]}, {"Name": "get_code"}]
)
def test_an_entry_without_a_name_is_not_shown(entry):
    """What cannot be judged is not passed on, even where everything is allowed."""
    assert filtered({"tools": [entry, TOOLS[0]]}, OPEN) == {"tools": TOOLS[:1]}


@pytest.mark.parametrize("name", ["secret_dump ", "Get_code", "get_code\0", "\uff47et_code", ""])
def test_a_name_is_judged_by_its_exact_characters(name):
    """A tool that only resembles an allowed one is another tool."""
    assert filtered({"tools": [{"name": name}]}) == {"tools": []}


def test_the_names_that_the_server_lists_are_learnt():
    """Metrics learn every name, shown or not, and nothing that is not a name."""
    learned: list[str] = []
    list_filter(learned=learned).filter_json(answer({"tools": [*TOOLS, {"name": 5}]}))
    assert learned == [tool["name"] for tool in TOOLS]


@pytest.mark.parametrize(
    "body",
    [
        answer({"content": [{"type": "text", "text": '{"tools": []}'}], "structuredContent": {"tools": [1]}}),
        answer({}),
        answer([]),
        answer(None),
        answer("tools"),
        b"",
        b'{ "jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "no", "data": {"tools": [{}]}} }',
        b'{ "method": "notifications/tools/list_changed", "params": {"tools": [{"name": "x"}]} }',
    ],
)
def test_an_answer_without_a_list_passes_byte_for_byte(body):
    """Only lists are made anew."""
    assert list_filter(CLOSED).filter_json(body) == body


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b'{"result": {"tools": [{"name": "get_code"}]}',
        b"\xef\xbb\xbf" + answer({"tools": []}),
        answer({"tools": []}).decode().encode("utf-16"),
        b'{"result": {"tools": [], "x": NaN}}',
        b'{"result": {"tools": [], "x": 18446744073709551616}}',
        b'{"result": {"tools": ' + b"[" * 100 + b"]" * 100 + b"}}",
        answer({"tools": {"name": "get_code"}}),
        answer({"tools": None}),
        answer({"prompts": "all"}),
        b"[" + answer({"tools": TOOLS}) + b"]",
        b'"tools"',
        b"null",
    ],
    ids=lambda body: ascii(body)[:40],
)
def test_what_cannot_be_read_is_not_passed_on(body):
    """Broken, oddly encoded or oddly shaped answers, and batches, fail closed even for a grant that may all."""
    with pytest.raises(UnreadableAnswerError, match="server sent"):
        list_filter(OPEN).filter_json(body)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"], ids=repr)
def test_a_list_in_an_event_is_filtered_as_well(end):
    """Data on several lines is one list; id, event and retry stay as the server sent them."""
    data = [b"data: " + line for line in answer({"tools": TOOLS, "cacheScope": "public"}).split(b"\n")]
    event = end.join([b"event: message", b"id: 7", *data, b"retry: 100", b"", b""])
    new = list_filter().filter_event(event)
    result = orjson.loads(event_data(new) or b"")["result"]
    assert result == {"tools": TOOLS[:2], "cacheScope": "private"}
    assert new.startswith(b"event: message\nid: 7\nretry: 100\ndata: {")
    assert new.endswith(b"}\n\n")
    assert b"secret" not in new


def test_a_list_behind_a_byte_order_mark_is_filtered():
    """A mark at the start of a stream, which readers drop, hides nothing."""
    new = list_filter().filter_event(b"\xef\xbb\xbfdata: " + orjson.dumps({"result": {"tools": TOOLS}}) + b"\n\n")
    assert b"secret" not in new


@pytest.mark.parametrize(
    "event",
    [
        b": ping\r\n\r\n",
        b"id: 1\ndata:\nretry: 500\n\n",
        b"\n\n",
        b'event: message\r\ndata: { "method": "notifications/progress" }\r\n\r\n',
        b'id: 9\rdata: {"result": {"content": []}}\r\r',
    ],
)
def test_an_event_without_a_list_passes_byte_for_byte(event):
    """Comments, priming events, notifications and other results are the server's own bytes."""
    assert list_filter(CLOSED).filter_event(event) == event


@pytest.mark.parametrize(
    "data", [b"data: {", b'data: {"result":\ndata:  NaN}', b'data: [{"result":{"tools":[]}}]', b"data: ping"]
)
def test_an_event_that_cannot_be_read_is_not_passed_on(data):
    """On a stream that may carry a list, data that is no message fails closed."""
    with pytest.raises(UnreadableAnswerError):
        list_filter(OPEN).filter_event(data + b"\n\n")
