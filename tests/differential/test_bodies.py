"""Both cores scan bodies alike, never trip over bytes, and tell every duplicate key and nothing else."""

import json

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import _scan, _scan_py

DIGITS = b"0123456789"
NUMBER_BYTES = DIGITS + b".eE+-"
# What a scanner acts on, and a few bytes that it does not.
ALPHABET = b'"\\{}[]:,-+.eE0189 a\n\x00\xc3\xa9\xff'
EDGE_NUMBERS = [str(number).encode() for number in (2**64 - 1, 2**64, -(2**63), -(2**63) - 1)]
PIECES = st.sampled_from(
    [
        *EDGE_NUMBERS,
        b'"',
        b"\\",
        b'\\"',
        b"{",
        b"[",
        b"}",
        b"]",
        b":",
        b"-",
        b"0",
        b".5",
        b"e9",
        b"[" * 40,
        b"9" * 25,
    ]
)
LOOSE_BODIES = (
    st.lists(PIECES, max_size=30).map(b"".join)
    | st.lists(st.sampled_from(ALPHABET), max_size=80).map(bytes)
    | st.binary(max_size=80)
)
# The same few keys, written in more than one way, so that they repeat.
KEY_TEXTS = st.sampled_from(['""', '"a"', r'"\u0061"', '"a:"', r'"a\u003a"', r'"\""', r'"\\"', r'"é"', r'"\u00e9"'])
SCALAR_TEXTS = st.sampled_from(["0", "-1.5e3", "true", "null", '"::"', r'"\":{"', "18446744073709551615", '"é"'])
JSON_TEXTS = st.recursive(
    SCALAR_TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[{' , '.join(items)}]")
        | st.lists(st.tuples(KEY_TEXTS, inner), max_size=3).map(
            lambda members: "{" + ",".join(f"{key} : {value}" for key, value in members) + "}"
        )
    ),
    max_leaves=12,
)

more_examples = settings(max_examples=400)


def scan_by_hand(body):
    """The same as `scan`, one byte after the other."""
    depth = colons = position = 0
    while position < len(body):
        char = body[position]
        if char == ord('"'):
            position += 1
            while position < len(body) and body[position] != ord('"'):
                position += 2 if body[position] == ord("\\") else 1
        elif char == ord(":"):
            colons += 1
        elif char in b"[{":
            depth += 1
            if depth > 64:
                return 1, position, colons
        elif char in b"]}":
            depth -= 1
        elif char in DIGITS or (char == ord("-") and body[position + 1 : position + 2].isdigit()):
            token = number_at(body, position)
            if token.lstrip(b"-").isdigit() and not -(2**63) <= int(token) < 2**64:
                return 2, position, colons
            position += len(token) - 1
        position += 1
    return 0, -1, colons


def number_at(body, position):
    """The token that starts here: an integer, or all that looks like the rest of a number."""
    end = position + 1
    while end < len(body) and body[end] in DIGITS:
        end += 1
    if body[end : end + 1] in (b".", b"e", b"E"):
        while end < len(body) and body[end] in NUMBER_BYTES:
            end += 1
    return body[position:end]


@more_examples
@given(body=LOOSE_BODIES)
def test_any_bytes_are_scanned_alike(body):
    """Both cores and the scan by hand give the same answer for bytes of any kind."""
    assert _scan.scan(body) == _scan_py.scan(body) == scan_by_hand(body)


@more_examples
@given(text=JSON_TEXTS, place=st.integers(0, 200), byte=st.sampled_from(ALPHABET))
def test_a_damaged_body_is_scanned_alike(text, place, byte):
    """JSON with one byte changed is no different."""
    body = bytearray(text.encode())
    body[place % len(body)] = byte
    assert _scan.scan(bytes(body)) == _scan_py.scan(bytes(body)) == scan_by_hand(body)


@more_examples
@given(text=JSON_TEXTS)
def test_a_duplicate_key_shows_in_the_number_of_colons(scanner, text):
    """Colons and members differ if and only if some object repeats a key, however it is written."""
    repeats = []

    def note_repeats(members):
        repeats.append(len(members) != len(dict(members)))
        return dict(members)

    json.loads(text, object_pairs_hook=note_repeats)
    problem, _, colons = scanner.scan(text.encode())
    assert problem == scanner.SCAN_OK
    assert (scanner.count_members(orjson.loads(text)) != colons) == any(repeats)


@given(number=st.integers(2**63 - 2, 2**64 + 2) | st.integers(-(2**64), 2**70) | st.integers())
def test_an_integer_is_too_large_if_orjson_would_not_keep_it(scanner, number):
    """What passes the scan comes out of the parser exactly."""
    body = f'{{"a": {number}}}'.encode()
    problem, position, _ = scanner.scan(body)
    if problem == scanner.SCAN_OK:
        assert orjson.loads(body) == {"a": number}
        assert type(orjson.loads(body)["a"]) is int
    else:
        assert (problem, position) == (scanner.INTEGER_TOO_LARGE, 6)
        assert not -(2**63) <= number < 2**64


@given(members=st.integers(0, 300), depth=st.integers(0, 64))
def test_members_are_counted_at_every_depth(scanner, members, depth):
    """The count goes through arrays and objects alike."""
    value: object = {str(index): None for index in range(members)}
    for _ in range(depth):
        value = [{"inner": value}, "text"]
    assert scanner.count_members(value) == members + depth
