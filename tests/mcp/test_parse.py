"""The one strict reading of a body: what is accepted is read alike by everyone, the rest is refused."""

import json
from typing import Any

import msgspec
import orjson
import pydantic_core
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mcp.codes import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from gateway.mcp.message import Notification, Request, Response
from gateway.mcp.parse import MalformedError, parse_message

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
EDGE_NUMBERS = st.sampled_from(
    [0, -1, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1, 0.1, -0.0, 1e308, 5e-324]
)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | EDGE_NUMBERS | TEXTS
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
NAMES = st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\x7f"), min_size=1)


def body(**changes: Any) -> bytes:
    """A `tools/call` with members replaced; None leaves one out."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "cancel_task"}} | changes
    return json.dumps({name: value for name, value in message.items() if value is not None}).encode()


def call_body(arguments: str) -> bytes:
    """A `tools/call` with its arguments as raw JSON."""
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":%s}}' % arguments.encode()


def message_body(members: str) -> bytes:
    """A message with raw members after `jsonrpc`."""
    return b'{"jsonrpc":"2.0",%s}' % members.encode("utf-8", "surrogatepass")


def read_by_everyone(text: bytes) -> list[Any]:
    """What each JSON parser behind us makes of these bytes."""
    return [json.loads(text), orjson.loads(text), msgspec.json.decode(text), pydantic_core.from_json(text)]


def is_same(left: Any, right: Any) -> bool:
    """Equal, with the types of numbers and the order of members."""
    return repr(left) == repr(right)


@given(arguments=st.dictionaries(TEXTS, VALUES, max_size=4), name=NAMES.filter(lambda name: len(name) <= 128),
       meta=st.dictionaries(TEXTS, SCALARS, max_size=2), id=st.integers(-(2**53), 2**53) | TEXTS,
       is_ascii=st.booleans(), indent=st.sampled_from([None, 1]))  # fmt: skip
@settings(max_examples=150)
def test_what_is_accepted_is_forwarded_alike_to_every_parser(arguments, name, meta, id, is_ascii, indent):
    """The bytes made again from an accepted body are the same object to every parser, and to the judge."""
    sent = {"jsonrpc": "2.0", "id": id, "method": "tools/call"}
    sent["params"] = {"name": name, "arguments": arguments, "_meta": meta}
    message = parse_message(json.dumps(sent, ensure_ascii=is_ascii, indent=indent).encode())
    assert isinstance(message, Request)
    assert (message.id, message.target) == (id, name)
    assert is_same(message.arguments, arguments)
    forwarded = orjson.dumps(message.body)
    assert all(is_same(read, sent) for read in [message.body, *read_by_everyone(forwarded)])


@given(st.text(alphabet='{}[]",:\\u0041 \n\t019.-+eEtrufalsnN"d\x00\x7fé', max_size=30))
@settings(max_examples=300)
def test_nothing_is_accepted_that_parsers_read_differently(arguments):
    """Whatever stands for the arguments: if it is accepted, all parsers agree on the client's own bytes too."""
    raw = call_body(f'{{"a":{arguments}}}')
    try:
        message = parse_message(raw)
    except MalformedError:
        return
    assert isinstance(message, Request)
    assert all(is_same(read, message.body) for read in read_by_everyone(raw))


CONTROL = {f"control character {code:#04x} in the name": chr(code) for code in (0, 1, 8, 9, 10, 13, 27, 31, 127)}
PARSER_CASES = {
    "F1 duplicate name": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}',
        "duplicate_key",
    ),
    "F1 duplicate of equal value": (message_body('"id":1,"id":1,"method":"ping"'), "duplicate_key"),
    "F2 duplicate name, escaped": (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","\\u006eame":"b"}}',
        "duplicate_key",
    ),
    "F3 duplicate params": (message_body('"id":1,"method":"ping","params":{},"params":{}'), "duplicate_key"),
    "F3 duplicate method": (message_body('"id":1,"method":"ping","method":"tools/call"'), "duplicate_key"),
    "F3 duplicate id": (message_body('"id":1,"method":"ping","id":2'), "duplicate_key"),
    "F3 duplicate jsonrpc": (message_body('"jsonrpc":"2.0","id":1,"method":"ping"'), "duplicate_key"),
    "F4 duplicate argument": (call_body('{"a":1,"a":2}'), "duplicate_key"),
    "F4 duplicate argument, deep": (call_body('{"x":[[{"y":{"a":1,"b":":","a":2}}]]}'), "duplicate_key"),
    "F4 duplicate empty key": (call_body('{"":1,"":2}'), "duplicate_key"),
    "F4 duplicate hidden by a colon in a string": (call_body('{"a:":":","a:":"\\":"}'), "duplicate_key"),
    "F13 byte order mark": (b"\xef\xbb\xbf" + body(), "json"),
    "F13 escaped byte order mark before": (b"\\ufeff" + body(), "json"),
    "F14 UTF-16": (body().decode().encode("utf-16"), "json"),
    "F14 UTF-16 without a mark": (body().decode().encode("utf-16-le"), "json"),
    "F14 UTF-32": (body().decode().encode("utf-32"), "json"),
    "F14 UTF-7": (b"+AHsAIgBq-", "json"),
    "F15 invalid UTF-8": (body().replace(b"cancel", b"\xff"), "json"),
    "F15 overlong UTF-8": (body().replace(b"cancel", b"\xc0\xae"), "json"),
    "F15 CESU-8": (body().replace(b"cancel", b"\xed\xa0\xbd\xed\xb8\x80"), "json"),
    "F15 UTF-8 cut short": (body().replace(b"cancel_task", b"\xe2\x82"), "json"),
    "F16 lone high surrogate": (call_body('{"a":"\\ud800"}'), "json"),
    "F16 lone low surrogate": (call_body('{"a":"\\udc00x"}'), "json"),
    "F16 surrogates in the wrong order": (call_body('{"a":"\\udc00\\ud800"}'), "json"),
    "F16 lone surrogate in a key": (call_body('{"\\ud800":1}'), "json"),
    "F17 NaN": (call_body('{"a":NaN}'), "json"),
    "F17 Infinity": (call_body('{"a":Infinity}'), "json"),
    "F17 -Infinity": (call_body('{"a":-Infinity}'), "json"),
    "F17 1e999": (call_body('{"a":1e999}'), "json"),
    "F17 -1e999": (call_body('{"a":-1e999}'), "json"),
    "F18 2^64": (call_body('{"a":18446744073709551616}'), "integer"),
    "F18 -2^63-1": (call_body('{"a":-9223372036854775809}'), "integer"),
    "F18 5,000 digits": (call_body('{"a":%s}' % ("9" * 5000)), "integer"),
    "F18 2^64 as the id": (message_body('"id":18446744073709551616,"method":"ping"'), "integer"),
    "F25 65 levels": (call_body('{"a":%s}' % ("[" * 62 + "]" * 62)), "too_deep"),
    "F25 100,000 levels": (call_body("[" * 100_000), "too_deep"),
    "F25 100,000 objects": (call_body('{"a":' * 100_000), "too_deep"),
    "F28 trailing bytes": (body() + b"x", "json"),
    "F28 two documents": (body() + body(), "json"),
    "F28 two lines": (body() + b"\n" + body(), "json"),
    "F28 trailing NUL": (body() + b"\0", "json"),
    "F28 empty": (b"", "json"),
    "F28 whitespace": (b" \n\t ", "json"),
    "trailing comma": (call_body('{"a":1,}'), "json"),
    "comment": (call_body("{}/* */"), "json"),
    "single quotes": (call_body("{'a':1}"), "json"),
    "leading zero": (call_body('{"a":01}'), "json"),
    "plus sign": (call_body('{"a":+1}'), "json"),
    "hexadecimal": (call_body('{"a":0x1}'), "json"),
    "raw control character": (call_body('{"a":"\n"}'), "json"),
    "unknown escape": (call_body('{"a":"\\x41"}'), "json"),
}  # fmt: skip
ENVELOPE_CASES = {
    "F5 Method beside method": (message_body('"id":1,"method":"ping","Method":"tools/call"'), "confusable_member"),
    "F5 METHOD instead": (message_body('"id":1,"METHOD":"ping"'), "confusable_member"),
    "F5 Params": (message_body('"id":1,"method":"ping","Params":{}'), "confusable_member"),
    "F5 Id": (message_body('"Id":1,"method":"ping"'), "confusable_member"),
    "F5 paramſ, with a long s": (message_body('"id":1,"method":"ping","param\u017f":{}'), "confusable_member"),
    "F6 method with a NUL": (message_body('"id":1,"method":"ping","method\\u0000":"x"'), "confusable_member"),
    "F6 NUL inside": (message_body('"id":1,"method":"ping","me\\u0000thod":"x"'), "confusable_member"),
    "F19 id true": (message_body('"id":true,"method":"ping"'), "id"),
    "F19 id 1.0": (message_body('"id":1.0,"method":"ping"'), "id"),
    "F19 id 1.5": (message_body('"id":1.5,"method":"ping"'), "id"),
    "F19 id null": (message_body('"id":null,"method":"ping"'), "id"),
    "F19 id array": (message_body('"id":[],"method":"ping"'), "id"),
    "F19 id object": (message_body('"id":{},"method":"ping"'), "id"),
    "F20 id beyond 2^53": (message_body('"id":9007199254740993,"method":"ping"'), "id"),
    "F20 id of 129 characters": (message_body(f'"id":"{"x" * 129}","method":"ping"'), "id"),
    "F21 call without id": (body(id=None), "id"),
    "F21 read without id": (message_body('"method":"resources/read","params":{"uri":"a://b"}'), "id"),
    "F21 look-alike call without id": (message_body('"method":"TOOLS/CALL","params":{"name":"x"}'), "id"),
    "F23 batch": (b"[" + body() + b"]", "batch"),
    "F23 empty batch": (b"[]", "batch"),
    "F24 result and method": (message_body('"id":1,"method":"ping","result":{}'), "envelope"),
    "F24 error and method": (message_body('"id":1,"method":"ping","error":{}'), "envelope"),
    "F24 result and error": (message_body('"id":1,"result":{},"error":{}'), "envelope"),
    "F24 result without id": (message_body('"result":{}'), "envelope"),
    "F24 neither": (message_body('"id":1'), "envelope"),
    "F28 null": (b"null", "not_an_object"),
    "F28 a string": (b'"x"', "not_an_object"),
    "F28 a number": (b"1", "not_an_object"),
    "F29 jsonrpc missing": (b'{"id":1,"method":"ping"}', "jsonrpc"),
    "F29 jsonrpc 1.0": (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', "jsonrpc"),
    "F29 jsonrpc a number": (b'{"jsonrpc":2.0,"id":1,"method":"ping"}', "jsonrpc"),
    "method a number": (message_body('"id":1,"method":1'), "method"),
    "method null": (message_body('"id":1,"method":null'), "method"),
    "params an array": (message_body('"id":1,"method":"ping","params":[]'), "params"),
    "params a string": (message_body('"id":1,"method":"ping","params":"x"'), "params"),
    "_meta a string": (message_body('"id":1,"method":"ping","params":{"_meta":"x"}'), "params"),
    "_meta null": (message_body('"id":1,"method":"ping","params":{"_meta":null}'), "params"),
    "F5 Uri": (message_body('"id":1,"method":"resources/read","params":{"uri":"a","Uri":"b"}'), "confusable_member"),
    "F5 taskid": (message_body('"id":1,"method":"tasks/get","params":{"taskid":"b"}'), "confusable_member"),
    "F5 _Meta": (message_body('"id":1,"method":"ping","params":{"_Meta":{}}'), "confusable_member"),
    "F5 version in _meta": (
        message_body(
            '"id":1,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/ProtocolVersion":"2026-07-28"}}'
        ),
        "confusable_member",
    ),
}  # fmt: skip
CALL_CASES = {
    "F5 Name beside name": ({"name": "a", "Name": "b"}, "confusable_member"),
    "F5 NAME instead": ({"NAME": "b"}, "confusable_member"),
    "F5 Arguments": ({"name": "a", "Arguments": {}}, "confusable_member"),
    "F5 requeststate": ({"name": "a", "requeststate": "b"}, "confusable_member"),
    "F6 name with a NUL": ({"name": "a", "name\0": "b"}, "confusable_member"),
    **{f"F7 {case}": ({"name": f"cancel{text}task"}, "name") for case, text in CONTROL.items()},
    "F9 name missing": ({"arguments": {}}, "name"),
    "F9 name null": ({"name": None}, "name"),
    "F9 name a number": ({"name": 1}, "name"),
    "F9 name an array": ({"name": ["cancel_task"]}, "name"),
    "F9 name an object": ({"name": {"x": 1}}, "name"),
    "F10 name empty": ({"name": ""}, "name"),
    "F10 name of 129 characters": ({"name": "x" * 129}, "name"),
    "F33 another member": ({"name": "a", "task_id": 1}, "params"),
    "F33 a target of another method": ({"name": "a", "uri": "b"}, "params"),
    "arguments an array": ({"name": "a", "arguments": []}, "arguments"),
    "arguments a string": ({"name": "a", "arguments": "{}"}, "arguments"),
    "arguments false": ({"name": "a", "arguments": False}, "arguments"),
}


def refusal_of(raw: bytes) -> MalformedError:
    """The refusal of a body."""
    with pytest.raises(MalformedError) as raised:
        parse_message(raw)
    return raised.value


@pytest.mark.parametrize(("raw", "reason"), PARSER_CASES.values(), ids=PARSER_CASES)
def test_what_parsers_disagree_about_is_a_parse_error(raw, reason):
    """Bytes that are not JSON, or JSON with two meanings, are refused as such."""
    refusal = refusal_of(raw)
    assert (refusal.reason, refusal.code, refusal.id) == (reason, PARSE_ERROR, None)


@pytest.mark.parametrize(("raw", "reason"), ENVELOPE_CASES.values(), ids=ENVELOPE_CASES)
def test_what_is_no_message_is_an_invalid_request(raw, reason):
    """JSON that is not exactly one JSON-RPC message is refused."""
    refusal = refusal_of(raw)
    assert (refusal.reason, refusal.code) == (reason, INVALID_REQUEST)


@pytest.mark.parametrize(("params", "reason"), CALL_CASES.values(), ids=CALL_CASES)
def test_a_call_holds_exactly_what_the_revisions_define(params, reason):
    """The params of `tools/call` are judged, so nothing in them may be doubtful; the refusal keeps the id."""
    refusal = refusal_of(body(id="seven", params=params))
    assert (refusal.reason, refusal.id) == (reason, "seven")
    assert refusal.code == (INVALID_REQUEST if reason == "confusable_member" else INVALID_PARAMS)


@pytest.mark.parametrize("case", [*PARSER_CASES, *ENVELOPE_CASES])
def test_a_refusal_says_what_is_wrong_without_the_body(case):
    """Messages are short sentences, however large the body."""
    raw, _ = (PARSER_CASES | ENVELOPE_CASES)[case]
    assert 20 < len(str(refusal_of(raw))) < 200


@pytest.mark.parametrize(
    "name",
    [
        "cancel_task ", "cancel%20task", "cancel\uff3ftask", "\u0441ancel_task", "cafe\u0301", "caf\u00e9", "a\u200bb",
        "\u202eb", "x" * 128, "\x85",
    ],
    ids=ascii,
)  # fmt: skip
def test_a_name_is_taken_by_its_exact_characters(name):
    """F8: spaces, twins and invisible characters are neither folded nor refused: they are other names."""
    message = parse_message(body(params={"name": name}))
    assert isinstance(message, Request)
    assert message.target == name


@pytest.mark.parametrize("spelling", ["tools\\/call", "tools\\u002fcall", "\\u0074ools/call"])
def test_an_escaped_method_is_the_method(spelling):
    """F11: how a string is escaped does not matter."""
    message = parse_message(body().replace(b"tools/call", spelling.encode()))
    assert isinstance(message, Request)
    assert (message.method, message.target) == ("tools/call", "cancel_task")


@pytest.mark.parametrize("method", ["TOOLS/CALL", "tools/call ", "tools/call\0", "notifications/initialized", ""])
def test_a_method_is_not_folded(method):
    """F12: other spellings are other methods, which the table does not have."""
    message = parse_message(body(method=method))
    assert isinstance(message, Request)
    assert message.method == method


@pytest.mark.parametrize("id", [0, -1, 2**53, -(2**53), "", "0", "x" * 128, "\u2028"], ids=ascii)
def test_an_id_is_kept_with_its_type(id):
    """F20: zero, negative and textual ids are ids, and stay what they are."""
    message = parse_message(body(id=id))
    assert isinstance(message, Request)
    assert message.id == id
    assert type(message.id) is type(id)


@pytest.mark.parametrize(
    "arguments",
    [
        '{"__proto__":{"x":1},"constructor":1,"$ref":"#","x.y":1}',
        '{"Name":1,"name":2,"NAME":3,"name\\u0000":4,"method":5,"jsonrpc":6}',
        '{"a":18446744073709551615,"b":-9223372036854775808,"c":1e3,"d":-0}',
        '{"a":"\\u0000\\ud83d\\ude00\\u2028","":{}}',
        '{"a":%s}' % ("[" * 61 + "]" * 61),
        '{"a":{"b":1},"b":{"b":1},"c":[{"b":1},{"b":"b:\\"b\\":"}]}',
        " {\r\n\t} ",
    ],
)  # fmt: skip
def test_arguments_are_plain_data(arguments):
    """F30: inside the arguments no key is special, and everything within the bounds passes unchanged."""
    raw = call_body(arguments)
    message = parse_message(raw)
    assert isinstance(message, Request)
    assert is_same(message.arguments, json.loads(raw)["params"]["arguments"])
    assert all(is_same(read, message.body) for read in read_by_everyone(orjson.dumps(message.body)))


def test_many_keys_are_read():
    """F26, F27: a large body within the bounds is no special case."""
    arguments = {f"key{number}": [number] for number in range(20_000)}
    message = parse_message(body(params={"name": "x", "arguments": arguments}))
    assert isinstance(message, Request)
    assert message.arguments == arguments


def test_every_member_that_a_call_may_have_passes():
    """Tasks, multi-round-trip retries and `_meta` with keys of anyone's are part of the protocol."""
    params = {
        "name": "x", "arguments": {}, "_meta": {"progressToken": 1, "Own/Key": {}}, "task": {"ttl": 1},
        "inputResponses": {}, "requestState": "s",
    }  # fmt: skip
    message = parse_message(body(params=params))
    assert isinstance(message, Request)
    assert message.params == params


def test_params_of_other_methods_pass_whole():
    """What no policy looks at is the server's to understand."""
    message = parse_message(message_body('"id":1,"method":"logging/setLevel","params":{"level":{},"more":[]}'))
    assert isinstance(message, Request)
    assert message.params == {"level": {}, "more": []}


@pytest.mark.parametrize("method", ["resources/subscribe", "resources/unsubscribe"])
def test_a_removed_method_needs_no_params(method):
    """It is for the server to say that 2026-07-28 does not have it, whatever the params are."""
    message = parse_message(message_body(f'"id":1,"method":"{method}","params":{{}}'))
    assert message.target == ""


@pytest.mark.parametrize(
    ("method", "params"),
    [
        *[(method, "{}") for method in ("prompts/get", "resources/read")],
        *[(f"resources/{verb}", '{"uri":5}') for verb in ("subscribe", "unsubscribe")],
        ("prompts/get", '{"name":["p"]}'),
        ("resources/read", '{"uri":{"a":1}}'),
        ("prompts/get", '{"name":"p","arguments":"text"}'),
        ("prompts/get", '{"name":"p","arguments":[]}'),
        ("completion/complete", "{}"),
        ("completion/complete", '{"ref":"ref/prompt"}'),
        ("completion/complete", '{"ref":{"type":"ref/tool","name":"t"}}'),
        ("completion/complete", '{"ref":{"type":["ref/prompt"],"name":"p"}}'),
        ("completion/complete", '{"ref":{"type":"ref/prompt","uri":"a://b"}}'),
        ("completion/complete", '{"ref":{"type":"ref/resource","uri":5}}'),
        ("subscriptions/listen", '{"notifications":[]}'),
        ("subscriptions/listen", '{"notifications":{"resourceSubscriptions":"a://b"}}'),
        ("subscriptions/listen", '{"notifications":{"resourceSubscriptions":{"a://b":true}}}'),
        ("subscriptions/listen", '{"notifications":{"resourceSubscriptions":["a://b",null]}}'),
    ],
)
def test_what_a_policy_is_to_judge_must_be_named(method, params):
    """A prompt or resource that is not named by a string could be one thing to us and another to the server."""
    with pytest.raises(MalformedError) as caught:
        parse_message(message_body(f'"id":1,"method":"{method}","params":{params}'))
    assert (caught.value.code, caught.value.id) == (-32602, 1)


@pytest.mark.parametrize("reference", ['{"type":"ref/prompt","name":"p"}', '{"type":"ref/resource","uri":"a://{b}"}'])
def test_a_completion_names_a_prompt_or_a_resource(reference):
    """Both kinds of reference pass whole."""
    message = parse_message(message_body(f'"id":1,"method":"completion/complete","params":{{"ref":{reference}}}'))
    assert isinstance(message, Request)


def test_a_subscription_names_its_resources_in_one_way():
    """A server that ignores case would take a look-alike for the list that is judged."""
    with pytest.raises(MalformedError) as caught:
        parse_message(
            message_body(
                '"id":1,"method":"subscriptions/listen","params":{"notifications":{"resourcesubscriptions":["a://b"]}}'
            )
        )
    assert caught.value.reason == "confusable_member"


@pytest.mark.parametrize("params", ["", ',"params":null', ',"params":{}'])
def test_absent_params_are_empty(params):
    """A message without params has none to judge."""
    message = parse_message(message_body(f'"id":1,"method":"ping"{params}'))
    assert isinstance(message, Request)
    assert message.params == {}


def test_a_notification_has_no_id():
    """A message without an id whose method says that it is a notification is one."""
    message = parse_message(message_body('"method":"notifications/cancelled","params":{"requestId":0}'))
    assert isinstance(message, Notification)
    assert (message.method, message.params) == ("notifications/cancelled", {"requestId": 0})


@pytest.mark.parametrize("outcome", ['"result":{"a":1}', '"error":{"code":1,"message":"x"}', '"result":null'])
def test_a_response_has_an_id_and_one_outcome(outcome):
    """A legacy agent's answer to its server is a message too."""
    message = parse_message(message_body(f'"id":"s-1",{outcome}'))
    assert isinstance(message, Response)
    assert message.id == "s-1"
