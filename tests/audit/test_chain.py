"""The form of a line, and that nothing in it can be changed without the key."""

import msgspec
import pytest

from gateway.audit.chain import BEFORE_THE_FIRST, Chain, Seal, read_line
from tests.support.journals import seal


def test_a_line_is_the_record_with_its_number_and_mac():
    """A reader gets the record's fields back, then `seq` and `mac`, in one line of JSON."""
    line, mac = Chain(seal()).next_line(b'{"type":"x","time":"t"}')
    assert line == b'{"type":"x","time":"t","seq":1,"mac":"%b"}\n' % mac.encode()
    assert msgspec.json.decode(line) == {"type": "x", "time": "t", "seq": 1, "mac": mac}


def test_the_chain_moves_on_only_when_told():
    """A line that could not be written leaves no hole in the numbers."""
    chain = Chain(seal())
    first, mac = chain.next_line(b'{"a":1}')
    assert chain.next_line(b'{"a":1}') == (first, mac)
    chain.advance(mac)
    assert (chain.seq, chain.head) == (1, mac)
    assert chain.next_line(b'{"a":1}')[0] != first


def test_a_line_taken_apart_can_be_checked():
    """What the MAC covers, with the MAC before, gives the MAC."""
    line, mac = Chain(seal(), 41, "f" * 32).next_line(b'{"a":1}')
    parts = read_line(line)
    assert parts is not None
    assert (parts.seq, parts.mac) == (42, mac)
    assert seal().mac("f" * 32, parts.sealed) == mac
    assert seal().mac(BEFORE_THE_FIRST, parts.sealed) != mac
    assert Seal(b"another key of the same length..").mac("f" * 32, parts.sealed) != mac


def test_every_byte_is_covered():
    """Whichever byte is changed, the line is no line any more or its MAC does not fit."""
    line, _ = Chain(seal()).next_line(b'{"type":"decision","verdict":"deny"}')
    for at in range(len(line)):
        changed = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
        parts = read_line(changed)
        assert parts is None or seal().mac(BEFORE_THE_FIRST, parts.sealed) != parts.mac, at


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\n",
        b'{"seq":1}\n',
        b'{"a":1,"seq":0,"mac":"%b"}\n' % (b"0" * 32),
        b'{"a":1,"seq":01,"mac":"%b"}\n' % (b"0" * 32),
        b'{"a":1,"seq":1,"mac":"%b"}\n' % (b"0" * 31),
        b'{"a":1,"seq":1,"mac":"%b"}\n' % (b"G" * 32),
        b'{"a":1,"seq":1,"mac":"%b"}' % (b"0" * 32),
        b'{"a":1,"seq":1,"mac":"%b"}\n\n' % (b"0" * 32),
        b' {"a":1,"seq":1,"mac":"%b"}\n' % (b"0" * 32),
    ],
)
def test_what_no_journal_writes_is_no_line(text: bytes):
    """Anything but the exact form is refused, so that a forger has no room for a second reading."""
    assert read_line(text) is None


def test_a_record_cannot_pretend_to_be_the_end_of_its_line():
    """Text in a record that looks like number and MAC is not taken for them."""
    fake = b'{"a":"x\\",\\"seq\\":7,\\"mac\\":\\"%b\\"}","b":"%b"}' % (b"0" * 32, b"y" * 80)
    line, mac = Chain(seal()).next_line(fake)
    assert (read_line(line).seq, read_line(line).mac) == (1, mac)


def test_a_fingerprint_tells_equal_values_and_no_more():
    """It is keyed, and of another kind than a MAC."""
    assert seal().fingerprint(b"x") == seal().fingerprint(b"x") != seal().fingerprint(b"y")
    assert seal().fingerprint(b"x") != Seal(b"another key of the same length..").fingerprint(b"x")
    assert seal().fingerprint(b"0" * 32 + b"x") != seal().mac("0" * 32, b"x")
