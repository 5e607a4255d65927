"""Whether a journal is what was written: every line against the chain, and the whole against anchors kept elsewhere.

Reads only. `gateway audit verify` calls it and prints what it finds.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.audit.chain import BEFORE_THE_FIRST, Line, Seal, read_line
from gateway.audit.reader import Record, decode
from gateway.audit.segment import Segment, UnreadableError, snapshot
from gateway.errors import GatewayError

_ANCHORS: Final = (b'{"type":"checkpoint"', b'{"type":"anchor"')


class Flaw(msgspec.Struct, frozen=True):
    """The first thing that is not as it was written."""

    seq: int
    """The number of the record that should stand there."""
    place: str
    """`FILE:LINE`."""
    message: str


class Anchor(msgspec.Struct, frozen=True):
    """What a checkpoint that was kept elsewhere says: so many records there were, and this was the last one's MAC."""

    time: str
    count: int
    head: str


class Report(msgspec.Struct, frozen=True):
    """What was found."""

    first: int
    """The number of the first record that there is; 0 for an empty journal."""
    last: int
    """The number of the last record that is as it was written."""
    head: str
    """Its MAC."""
    segments: int
    anchors: int
    """How many were held against the journal."""
    notes: tuple[str, ...]
    """What the gateway itself has recorded about the journal, and a line that is torn now."""
    flaw: Flaw | None

    @property
    def is_intact(self) -> bool:
        """Whether all of it is as it was written, as far as the anchors reach."""
        return self.flaw is None


def verify(directory: Path, seal: Seal, anchors: Iterable[Anchor] = ()) -> Report:
    """Read the whole journal and compare. Ends at the first flaw; after that nothing can be said."""
    check = _Check(seal, anchors)
    with snapshot(directory) as segments:
        flaw = check.run(segments) or check.missing_start() or check.missing_end()
    return Report(check.first, check.seq, check.head, len(segments), check.anchors_met, tuple(check.notes), flaw)


def read_anchors(lines: Iterable[bytes], seal: Seal) -> Iterator[Anchor]:
    """The anchors in a file: checkpoint lines, alone or within a log. Raises `GatewayError` for a forged one."""
    for line in lines:
        start = next((line.find(form) for form in _ANCHORS if form in line), None)
        if start is None:
            continue
        sealed = read_line(line[start:].rstrip() + b"\n")
        try:
            anchor = msgspec.json.decode(line[start:], type=Anchor)
        except ValueError:
            sealed = None
        if sealed is None or seal.mac(anchor.head, sealed.sealed) != sealed.mac:
            raise GatewayError(f"not an anchor of this journal: {line[start : start + 80].decode('utf-8', 'replace')}")
        yield anchor


class _Check:
    """One pass over a journal."""

    def __init__(self, seal: Seal, anchors: Iterable[Anchor]) -> None:
        self.first = 0
        self.seq = 0
        self.head = BEFORE_THE_FIRST
        self.notes: list[str] = []
        self.anchors_met = 0
        self._seal = seal
        self._anchors: dict[int, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.count, []).append(anchor)
        self._place = ""
        self._start = ""
        # What retention has removed: the last number of a segment, and the MAC of that record.
        self._removed: dict[int, str] = {}

    def run(self, segments: list[Segment]) -> Flaw | None:
        """Every line of every segment."""
        for segment in segments:
            number = 0
            if self.first == 0 and not segment.is_open:
                # Until a line proves it, the file's name is all there is to go by.
                self.seq = segment.first - 1
            self._place = f"{segment.path.name}:1"
            try:
                for number, text in enumerate(segment.lines(), 1):
                    self._place = f"{segment.path.name}:{number}"
                    if segment.is_open and not text.endswith(b"\n"):
                        self.notes.append(f"{self._place}: the last line is torn; what precedes it is whole")
                        break
                    if flaw := self._line(text, is_first=number == 1):
                        return flaw
            except UnreadableError as error:
                return self._flaw(str(error))
            if number == 0 and not segment.is_open:
                return self._flaw("the segment is empty")
        return None

    def missing_start(self) -> Flaw | None:
        """Records before the first that there is must be those that retention has removed."""
        if self.first <= 1 or self._removed.get(self.first - 1) == self._start:
            return None
        message = f"records 1 to {self.first - 1} are missing, and no retention record accounts for them"
        return Flaw(1, "", message)

    def missing_end(self) -> Flaw | None:
        """No anchor may have seen more than there is. One that speaks only of removed records tells nothing."""
        unmet = [anchor for anchors in self._anchors.values() for anchor in anchors if anchor.count > self.seq]
        if not unmet:
            return None
        last = max(unmet, key=lambda anchor: anchor.count)
        message = f"the journal ends at record {self.seq}; an anchor of {last.time} has seen {last.count}"
        return Flaw(self.seq + 1, self._place, message)

    def _line(self, text: bytes, *, is_first: bool) -> Flaw | None:
        line = read_line(text)
        record = decode(text)
        if line is None or record is None:
            return self._flaw("this is no record of the journal: altered, inserted or cut")
        if self.first == 0:
            # The MAC before is what the segment itself says, which its own MAC covers.
            self._start = str(record.get("head", ""))
            if line.seq > 1 and self._seal.mac(self._start, line.sealed) == line.mac:
                self.seq, self.head = line.seq - 1, self._start
            self.first = self.seq + 1
            if flaw := self._anchor_flaw():
                return flaw
        if flaw := self._chain_flaw(line, record, is_first=is_first):
            return flaw
        self.seq, self.head = line.seq, line.mac
        self._note(record)
        return self._anchor_flaw()

    def _chain_flaw(self, line: Line, record: Record, *, is_first: bool) -> Flaw | None:
        if line.seq > self.seq + 1:
            return self._flaw(f"records {self.seq + 1} to {line.seq - 1} are missing here")
        if line.seq < self.seq + 1:
            return self._flaw(f"record {line.seq} stands here: moved, or a copy")
        if self._seal.mac(self.head, line.sealed) != line.mac:
            return self._flaw("altered or inserted, or what precedes it was: the MAC does not fit")
        if record["type"] == "anchor":
            return self._flaw("inserted: an anchor is no record")
        if is_first and (record["type"], record.get("head")) != ("checkpoint", self.head):
            return self._flaw("a segment begins here without a checkpoint")
        return None

    def _anchor_flaw(self) -> Flaw | None:
        for anchor in self._anchors.get(self.seq, ()):
            self.anchors_met += 1
            if anchor.head != self.head:
                return self._flaw(f"not the record that an anchor of {anchor.time} has seen: the journal was replaced")
        return None

    def _note(self, record: Record) -> None:
        match record["type"]:
            case "retention":
                self._removed[record["through"]] = record["head"]
            case "torn":
                message = f"a line cut short was set aside at a start: {record['torn_bytes']} bytes in {record['file']}"
                self.notes.append(f"{self._place}: {record['time']} {message}")
            case "gap":
                message = f"{record['lost']} records could not be written: {record['cause']}"
                self.notes.append(f"{self._place}: {record['time']} {message}")
            case "displaced":
                self.notes.append(f"{self._place}: {record['time']} {record['cause']}")

    def _flaw(self, message: str) -> Flaw:
        return Flaw(self.seq + 1, self._place, message)
