"""The scan of bodies in plain Python: the specification of `_scan.pyx`, which must do the same, word for word.

It finds what a JSON parser lets pass and the gateway must not, and counts what gives a duplicate key away.
It is no parser: what is not JSON may pass. Called through `gateway.fastpath`.
"""

import re

SCAN_OK, TOO_DEEP, INTEGER_TOO_LARGE = range(3)
MAX_DEPTH = 64

# A string may lack its end, and a number may be malformed: the parser refuses those. All runs are
# possessive, so that no body makes this backtrack.
_TOKEN = re.compile(
    rb'"(?:[^"\\]++|\\.)*+"?'
    rb"|(?P<number>(?P<sign>-?)(?P<digits>[0-9]++)(?P<fraction>[.eE][0-9.eE+-]*+)?)"
    rb"|(?P<open>[\[{])|(?P<close>[\]}])|(?P<colon>:)",
    re.DOTALL,
)


def scan(body: bytes) -> tuple[int, int, int]:
    """Look in a JSON body for what a parser lets pass: (problem, byte offset or -1, colons so far).

    TOO_DEEP is the bracket that opens level MAX_DEPTH + 1; INTEGER_TOO_LARGE the start of an integer that
    is not within -2^63 .. 2^64 - 1 (security.md, B: orjson makes a float of it). Colons are counted
    outside strings (see `count_members`). The body may hold any bytes: the parser says if it is JSON.
    """
    depth = colons = 0
    for token in _TOKEN.finditer(body):
        kind = token.lastgroup
        if kind == "open":
            depth += 1
            if depth > MAX_DEPTH:
                return TOO_DEEP, token.start(), colons
        elif kind == "close":
            depth -= 1
        elif kind == "colon":
            colons += 1
        elif kind == "number" and not token["fraction"] and _is_too_large(token["sign"], token["digits"]):
            return INTEGER_TOO_LARGE, token.start(), colons
    return SCAN_OK, -1, colons


def _is_too_large(sign: bytes, digits: bytes) -> bool:
    """Looks at the length first, because Python refuses to read thousands of digits."""
    significant = digits.lstrip(b"0") or b"0"
    return len(significant) > 20 or int(significant) > (1 << 63 if sign else (1 << 64) - 1)


def count_members(value: object) -> int:
    """How many members all the objects in a parsed value have together.

    A body that the parser accepted repeats a key, at some depth, if and only if it has another number of
    colons: of two equal keys the parser keeps one.
    """
    members = 0
    pending = [value]
    while pending:
        container = pending.pop()
        if type(container) is dict:
            members += len(container)
            pending.extend(container.values())
        elif type(container) is list:
            pending.extend(container)
    return members
