"""What is sent and what has to come of it: the items of the catalogue (security.md, section F) that are one request.

The refusals are those that the tests of the parser and of the edge are about; here they go through the whole gateway.
"""

import gzip
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec
import orjson

from tests.functional.test_edge import REFUSED
from tests.mcp.test_parse import CALL_CASES, ENVELOPE_CASES, PARSER_CASES, body
from tests.support.gateways import SEED_POLICY
from tests.support.raw import post


class Case(msgspec.Struct, frozen=True):
    """One request on a connection of its own."""

    item: int
    name: str
    """What is wrong with it, in a few words."""
    sent: bytes
    status: int
    told: str
    """What its one record says: the reason of a refusal, or the verdict. Only what is allowed may be forwarded."""


def _rule(path: str, op: str, value: Any) -> dict[str, Any]:
    return {"require": [{"conditions": [{"path": path, "op": op, "value": value}]}]}


POLICIES: Final[dict[str, Any]] = {
    # The token of every case that is refused.
    "seed": SEED_POLICY,
    # That of the cases that are judged.
    "rules": {
        "version": "1",
        "default": "deny",
        "tools": {
            "cancel_task": {},
            "get_code": _rule("args.path", "regex", "^/safe/[a-z]+$"),
            "list_tasks": _rule("args.level", "eq", 1),
            "slow": _rule("args.text", "regex", "^(a+)+$"),
            "constructor": _rule("args.constructor", "eq", "x"),
        },
    },
}

_NUMBERED = re.compile(r"F(\d+) (.+)")


def _call(tool: str, arguments: Any = None, **changes: Any) -> bytes:
    """A call of the grant `rules`."""
    params = {"name": tool, "arguments": {} if arguments is None else arguments}
    return _sent(body(**{"params": params, **changes}))


def _sent(raw: bytes, authorization: str = "Bearer token-rules", **headers: str) -> bytes:
    changes: dict[str, Any] = {**headers, "Authorization": authorization}
    return post(body=raw, **changes)


def _raw_arguments(members: Iterable[str]) -> bytes:
    """A call whose arguments are these members, as JSON."""
    return _sent(
        body(params={"name": "cancel_task", "arguments": {}}).replace(b"{}", f"{{{','.join(members)}}}".encode())
    )


NAMES = {
    "space at the end": "cancel_task ",
    "escaped as in a URL": "cancel%5ftask",
    "full-width letters": "\uff43ancel_task",
    "a Cyrillic letter": "\u0441ancel_task",
    "zero-width space": "cancel\u200b_task",
    "right-to-left override": "\u202ecancel_task",
    "capitals": "CANCEL_TASK",
}
METHODS = {"capitals": "TOOLS/CALL", "a space": "tools/call ", "a NUL": "tools/call\0"}
PATHS = {
    "up": "/safe/../etc",
    "double slash": "/safe//etc",
    "escaped": "/safe/%2e%2e/etc",
    "backslash": "/safe/..\\etc",
    "dot at the end": "/safe/a.",
    "NUL": "/safe/a\0",
    "line feed at the end": "/safe/a\n",
}
VALUES = {
    "absent": {},
    "null": {"level": None},
    "a text": {"level": "1"},
    "true": {"level": True},
    "array": {"level": [1]},
}
PLAIN_KEYS = ("__proto__", "constructor", "$ref", "x.y")

JUDGED: Final = {
    **{f"F8 {what}": (_call(name), 200, "deny") for what, name in NAMES.items()},
    "F10 128 characters": (_call("x" * 128), 200, "deny"),
    "F11 an escaped slash": (_sent(body().replace(b"tools/call", b"tools\\/call")), 200, "allow"),
    "F11 an escaped slash, as a number": (_sent(body().replace(b"tools/call", b"tools\\u002fcall")), 200, "allow"),
    **{f"F12 {what}": (_sent(body(method=method, params={})), 200, "deny") for what, method in METHODS.items()},
    "F14 UTF-7 as the charset": (_sent(body(), Content_Type="application/json; charset=utf-7"), 415, "media_type"),
    "F20 the largest id": (_call("cancel_task", id=2**53), 200, "allow"),
    "F20 an id of 128 characters": (_call("cancel_task", id="\u00e9" * 128), 200, "allow"),
    "F20 an id of 10 KB": (_call("cancel_task", id="x" * 10_000), 400, "id"),
    "F24 a response without a session": (_sent(b'{"jsonrpc":"2.0","id":1,"result":{}}'), 400, "envelope"),
    "F26 100,000 keys": (_raw_arguments(f'"{n:x}":0' for n in range(100_000)), 200, "allow"),
    "F26 400,000 elements": (_raw_arguments([f'"a":[{",".join("0" * 400_000)}]']), 200, "allow"),
    "F26 a million elements": (_raw_arguments([f'"a":[{",".join("0" * 1_000_000)}]']), 413, "too_large"),
    "F26 a text of 1 MiB": (_raw_arguments([f'"a":"{"x" * (1 << 20)}"']), 413, "too_large"),
    "F27 keys that resemble": (_raw_arguments(f'"aaaaaaaaa{n}":0' for n in range(50_000)), 200, "allow"),
    **{f"F30 {key}": (_call("cancel_task", {key: {"path": "/etc"}}), 200, "allow") for key in PLAIN_KEYS},
    "F30 a rule about such a key": (_call("constructor", {"__proto__": {"constructor": "x"}}), 200, "deny"),
    "F31 as it should be": (_call("list_tasks", {"level": 1}), 200, "allow"),
    **{f"F31 {what}": (_call("list_tasks", arguments), 200, "deny") for what, arguments in VALUES.items()},
    "F32 as it should be": (_call("get_code", {"path": "/safe/a"}), 200, "allow"),
    **{f"F32 {what}": (_call("get_code", {"path": path}), 200, "deny") for what, path in PATHS.items()},
    "F33 an argument in _meta": (
        _sent(body(params={"name": "get_code", "arguments": {}, "_meta": {"path": "/safe/a"}})),
        200,
        "deny",
    ),
    "F34 made to hang": (_call("slow", {"text": "a" * 100_000 + "!"}), 200, "deny"),
    "F34 a line feed before the end": (_call("slow", {"text": "aaa\n"}), 200, "deny"),
    "F40 in the body": (_sent(body(params={"name": "cancel_task", "token": "token-rules"})), 400, "params"),
    "F40 small letters": (_sent(body(), authorization="bearer token-rules"), 200, "allow"),
    "F47 200 MB in 200 KB": (_sent(gzip.compress(bytes(200 << 20), 1), Content_Encoding="gzip"), 415, "encoding"),
    "F53 another's address": (_sent(body(), X_Forwarded_For="10.1.1.1", Forwarded="for=10.1.1.1"), 200, "allow"),
    "F54 internal headers": (_sent(body(), X_Grant="open", X_Approved="yes", Router_Key="x"), 200, "allow"),
}  # fmt: skip


def cases() -> Iterator[Case]:
    """Every case, in the order of the items."""
    bodies = {name: (post(body=raw), 400, reason) for name, (raw, reason) in (PARSER_CASES | ENVELOPE_CASES).items()}
    calls = {
        name: (post(body=body(id="seven", params=params)), 400, reason) for name, (params, reason) in CALL_CASES.items()
    }
    found = []
    for name, (sent, status, told) in [*bodies.items(), *calls.items(), *JUDGED.items(), *REFUSED.items()]:
        if numbered := _NUMBERED.fullmatch(name):
            found.append(Case(int(numbered[1]), numbered[2], sent, status, told))
    yield from sorted(found, key=lambda case: case.item)


def message_of(case: Case) -> Any:
    """The JSON that a case sends."""
    return orjson.loads(case.sent.partition(b"\r\n\r\n")[2])
