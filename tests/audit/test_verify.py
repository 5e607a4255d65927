"""Tampering: every kind is found with the number of the first record it touches, and nothing else is."""

import gzip
import random
from pathlib import Path

import pytest

from gateway.audit.anchor import make_anchor
from gateway.audit.bookkeeping import RetentionRecord
from gateway.audit.chain import Seal
from gateway.audit.event import OutcomeRecord
from gateway.audit.retention import compress_closed, oldest_expired
from gateway.audit.segment import OPEN_NAME, closed_path
from gateway.audit.verify import Anchor, Flaw, read_anchors, verify
from gateway.clock import ManualClock
from gateway.errors import GatewayError
from tests.support.journals import open_journal, seal

PER_SEGMENT = 9
"""Records in each of the segments below, its checkpoint included."""
RECORDS = 4 * PER_SEGMENT


def write_journal(directory: Path, *, is_compressed: bool = False) -> Anchor:
    """A journal of four segments, and an anchor of its end."""
    journal = open_journal(directory)
    for number in range(4):
        if number:
            journal.rotate()
        for _ in range(PER_SEGMENT - 1):
            journal.append(OutcomeRecord(f"x-{number}", "2027-01-15T08:00:00.000000Z", "completed", 200, number))
    journal.close()
    if is_compressed:
        compress_closed(directory)
    (anchor,) = read_anchors([make_anchor(directory, seal(), ManualClock()).encode()], seal())
    return anchor


def flaw_of(directory: Path, *anchors: Anchor) -> Flaw | None:
    return verify(directory, seal(), anchors).flaw


def path_of(directory: Path, segment: int) -> Path:
    """The file of one of the four."""
    return directory / OPEN_NAME if segment == 3 else closed_path(directory, segment * PER_SEGMENT + 1)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The journal above."""
    write_journal(tmp_path)
    return tmp_path


@pytest.mark.parametrize("is_compressed", [False, True])
def test_an_untouched_journal_is_intact(tmp_path: Path, is_compressed: bool):
    """Whole, with every anchor met and nothing to note."""
    anchor = write_journal(tmp_path, is_compressed=is_compressed)
    report = verify(tmp_path, seal(), [anchor])
    assert report.is_intact
    assert (report.first, report.last, report.segments, report.anchors) == (1, RECORDS, 4, 1)
    assert (report.notes, report.head) == ((), anchor.head)


def edit(lines: list[bytes], at: int, chance: random.Random) -> None:
    """Change one byte."""
    line = bytearray(lines[at])
    where = chance.randrange(len(line))
    line[where] ^= chance.randrange(1, 256)
    lines[at] = bytes(line)


def delete(lines: list[bytes], at: int, _: random.Random) -> None:
    """Take a line out."""
    del lines[at]


def insert(lines: list[bytes], at: int, chance: random.Random) -> None:
    """Put in a copy of another line, or one made up."""
    made_up = b'{"type":"outcome","seq":%d,"mac":"%b"}\n' % (at + 1, b"0" * 32)
    lines.insert(at, chance.choice([lines[chance.randrange(len(lines))], made_up]))


def swap(lines: list[bytes], at: int, chance: random.Random) -> None:
    """Exchange two lines."""
    other = chance.choice([number for number in range(len(lines)) if number != at])
    lines[at], lines[other] = lines[other], lines[at]


def cut(lines: list[bytes], at: int, chance: random.Random) -> None:
    """End the file within a line, or before it."""
    lines[at:] = [lines[at][: chance.randrange(len(lines[at]))]]


@pytest.mark.parametrize("way", [edit, delete, insert, swap, cut], ids=lambda way: way.__name__)
@pytest.mark.parametrize("number", range(20))
def test_a_hundred_ways_of_tampering_are_found(tmp_path: Path, way, number: int):
    """Each at the first record that it touches: any line of any segment, with an anchor of the journal's end."""
    anchor = write_journal(tmp_path)
    chance = random.Random(f"{way.__name__} {number}")
    segment, at = chance.randrange(4), chance.randrange(PER_SEGMENT)
    path = path_of(tmp_path, segment)
    before = path.read_bytes().splitlines(keepends=True)
    lines = list(before)
    way(lines, at, chance)
    path.write_bytes(b"".join(lines))
    after = path.read_bytes().splitlines(keepends=True)
    assert after != before
    touched = next((i for i, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), len(after))
    if touched == len(before):
        # Something stands behind the last line: where the first of the next segment should.
        assert way is insert
    flaw = flaw_of(tmp_path, anchor)
    assert flaw is not None
    assert flaw.seq == segment * PER_SEGMENT + touched + 1


@pytest.mark.parametrize("segment", range(4))
def test_a_segment_that_is_gone_is_missed(directory: Path, segment: int):
    """A whole file can no more be taken away than a line, the last one with an anchor."""
    anchor = write_journal_anchor(directory)
    path_of(directory, segment).unlink()
    assert flaw_of(directory, anchor).seq == segment * PER_SEGMENT + 1


def write_journal_anchor(directory: Path) -> Anchor:
    """An anchor of a journal that is there."""
    (anchor,) = read_anchors([make_anchor(directory, seal(), ManualClock()).encode()], seal())
    return anchor


def test_a_whole_file_put_in_the_place_of_another(directory: Path):
    """A copy of a genuine segment is not the one that belongs there."""
    path_of(directory, 1).write_bytes(path_of(directory, 0).read_bytes())
    assert flaw_of(directory).seq == PER_SEGMENT + 1


def test_everything_gone_is_missed_with_an_anchor(directory: Path):
    """An empty journal alone cannot tell; the anchor can."""
    anchor = write_journal_anchor(directory)
    for segment in range(4):
        path_of(directory, segment).unlink()
    assert flaw_of(directory) is None
    assert flaw_of(directory, anchor).seq == 1


def test_a_journal_replaced_by_another_of_the_same_key_does_not_meet_the_anchor(tmp_path: Path):
    """A genuine journal that is not this one, as when the directory was emptied and the gateway started again."""
    anchor = write_journal(tmp_path / "first")
    journal = open_journal(tmp_path / "second")
    for _ in range(2 * RECORDS):
        journal.append(OutcomeRecord("y", "2027-01-15T08:00:00.000000Z", "completed"))
    journal.close()
    assert flaw_of(tmp_path / "second") is None
    flaw = flaw_of(tmp_path / "second", anchor)
    assert (flaw.seq, "replaced" in flaw.message) == (RECORDS + 1, True)


def test_a_journal_rewritten_with_another_key_is_not_this_one(tmp_path: Path):
    """Whoever has no key cannot write a journal that fits."""
    write_journal(tmp_path)
    assert verify(tmp_path, Seal(b"another key of the same length..")).flaw.seq == 1


def test_a_segment_must_begin_with_its_checkpoint(tmp_path: Path):
    """A journal cut into files by somebody else is not as it was written, although every MAC fits."""
    write_journal(tmp_path)
    lines = path_of(tmp_path, 3).read_bytes().splitlines(keepends=True)
    closed_path(tmp_path, 3 * PER_SEGMENT + 1).write_bytes(b"".join(lines[:4]))
    path_of(tmp_path, 3).write_bytes(b"".join(lines[4:]))
    flaw = flaw_of(tmp_path)
    assert (flaw.seq, flaw.place) == (3 * PER_SEGMENT + 5, f"{OPEN_NAME}:1")


def test_damaged_compression_is_a_flaw_with_a_number(tmp_path: Path):
    """The record that could not be read is named, and the file."""
    write_journal(tmp_path, is_compressed=True)
    path = closed_path(tmp_path, PER_SEGMENT + 1).with_suffix(".jsonl.gz")
    path.write_bytes(path.read_bytes()[:-6])
    flaw = flaw_of(tmp_path)
    assert PER_SEGMENT < flaw.seq <= 2 * PER_SEGMENT + 1
    assert path.name in flaw.message
    path.write_bytes(gzip.compress(b""))
    assert flaw_of(tmp_path).seq == PER_SEGMENT + 1


def test_removed_by_retention_is_no_flaw_and_removed_by_hand_is(tmp_path: Path):
    """What a retention record accounts for may be gone, and not a record more."""
    write_journal(tmp_path)
    journal = open_journal(tmp_path)
    anchor = write_journal_anchor(tmp_path)
    expired = oldest_expired(tmp_path, before_ns=2**62, most_bytes=None)
    journal.append(
        RetentionRecord("2027-01-15T08:00:00.000000Z", expired.path.name, expired.through, expired.head, "age")
    )
    journal.close()
    # Written before it is done: a crash in between leaves both.
    assert flaw_of(tmp_path, anchor) is None
    expired.path.unlink()
    report = verify(tmp_path, seal(), [anchor])
    assert (report.flaw, report.first, report.last) == (None, PER_SEGMENT + 1, RECORDS + 1)
    path_of(tmp_path, 1).unlink()
    flaw = flaw_of(tmp_path, anchor)
    assert (flaw.seq, f"records 1 to {2 * PER_SEGMENT} are missing" in flaw.message) == (1, True)


def test_a_torn_line_is_noted_and_no_flaw_unless_an_anchor_has_seen_it(directory: Path):
    """A gateway that was just killed may leave one; a record that was told elsewhere may not be torn."""
    anchor = write_journal_anchor(directory)
    path = path_of(directory, 3)
    path.write_bytes(path.read_bytes()[:-5])
    report = verify(directory, seal())
    assert (report.flaw, report.last) == (None, RECORDS - 1)
    assert "the last line is torn" in report.notes[0]
    assert flaw_of(directory, anchor).seq == RECORDS


def test_anchors_are_found_in_a_log(directory: Path):
    """Among other lines, behind a time and a level; what is no anchor is passed over."""
    line = path_of(directory, 2).read_bytes().splitlines()[0]
    log = [b"2027-01-15 INFO gateway: agents: http://127.0.0.1:8080/mcp", b"2027-01-15 INFO audit checkpoint " + line]
    (anchor,) = read_anchors(log, seal())
    assert anchor.count == 2 * PER_SEGMENT
    assert verify(directory, seal(), [anchor]).anchors == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"checkpoint"}',
        b'{"type":"anchor","time":"t","count":1,"head":"%b","seq":2,"mac":"%b"}' % (b"0" * 32, b"0" * 32),
        b'{"type":"anchor","time":1}',
    ],
)
def test_a_forged_anchor_is_refused(line: bytes):
    """One that was not signed with the key says nothing, and is not passed over in silence."""
    with pytest.raises(GatewayError, match="not an anchor of this journal"):
        list(read_anchors([line], seal()))
