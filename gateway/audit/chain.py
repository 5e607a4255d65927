"""The form of a journal's lines, and the keyed chain that ties each to the one before it. No files here.

A line is `{…the record…,"seq":N,"mac":"…"}`. Its MAC covers the MAC of the line before and every byte up to its
own, so that no line can be changed, added, left out or moved without the key. Writer, reader and verifier use this.
"""

import hashlib
import re
from typing import Final

import msgspec

MAC_BYTES: Final = 16
BEFORE_THE_FIRST: Final = "0" * (2 * MAC_BYTES)
"""The MAC that stands before the first record of all."""

_END: Final = re.compile(rb',"seq":([1-9][0-9]{0,17}),"mac":"([0-9a-f]{%d})"}\n' % (2 * MAC_BYTES))
# The end of a line has a bounded length: 8 + 18 + 9 + 32 + 3.
_MAX_END: Final = 8 + 18 + 9 + 2 * MAC_BYTES + 3


class Line(msgspec.Struct, frozen=True):
    """One line, taken apart but not yet believed."""

    seq: int
    mac: str
    sealed: bytes
    """What the MAC covers, besides the MAC before."""


class Seal:
    """What can be done with the key of a journal, and by nobody without it."""

    def __init__(self, key: bytes) -> None:
        """`key` is 16 to 64 random bytes."""
        self._chain = hashlib.blake2b(key=key, digest_size=MAC_BYTES, person=b"audit chain")
        self._arguments = hashlib.blake2b(key=key, digest_size=MAC_BYTES, person=b"audit arguments")

    def mac(self, previous: str, sealed: bytes) -> str:
        """The MAC of a line after the one whose MAC is `previous`, in hex."""
        digest = self._chain.copy()
        digest.update(previous.encode())
        digest.update(sealed)
        return digest.hexdigest()

    def fingerprint(self, value: bytes) -> str:
        """A keyed hash, in hex: tells whether two values are equal, and nothing else without the key."""
        digest = self._arguments.copy()
        digest.update(value)
        return digest.hexdigest()


class Chain:
    """Where a journal stands: the number and the MAC of its last record."""

    def __init__(self, seal: Seal, seq: int = 0, head: str = BEFORE_THE_FIRST) -> None:
        self.seal = seal
        self.seq = seq
        self.head = head

    def next_line(self, record: bytes) -> tuple[bytes, str]:
        """The line for a record, which is a JSON object with at least one field; and its MAC, for `advance`."""
        sealed = b'%b,"seq":%d' % (record[:-1], self.seq + 1)
        mac = self.seal.mac(self.head, sealed)
        return b'%b,"mac":"%b"}\n' % (sealed, mac.encode()), mac

    def advance(self, mac: str) -> None:
        """The line with this MAC is written."""
        self.seq += 1
        self.head = mac


def read_line(line: bytes) -> Line | None:
    """A line taken apart; None for what no journal writes."""
    if not line.startswith(b"{"):
        return None
    start = max(0, len(line) - _MAX_END)
    match = _END.search(line, start)
    if match is None or match.end() != len(line):
        return None
    return Line(int(match[1]), match[2].decode(), line[: match.start(2) - len(b',"mac":"')])
