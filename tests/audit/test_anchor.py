"""Anchors: signed, verified first, and no part of a journal."""

from pathlib import Path

import pytest

from gateway.audit.anchor import make_anchor
from gateway.audit.segment import OPEN_NAME
from gateway.audit.verify import read_anchors, verify
from gateway.clock import ManualClock
from gateway.errors import GatewayError
from tests.support.journals import open_journal, seal


def test_an_anchor_says_how_far_the_journal_has_come(tmp_path: Path):
    """Number and MAC of its last record, which `verify` then meets."""
    journal = open_journal(tmp_path)
    journal.checkpoint()
    journal.close()
    (anchor,) = read_anchors([make_anchor(tmp_path, seal(), ManualClock()).encode()], seal())
    assert (anchor.count, anchor.time) == (2, "2027-01-15T08:00:00.000000Z")
    report = verify(tmp_path, seal(), [anchor])
    assert (report.head, report.anchors, report.is_intact) == (anchor.head, 1, True)


def test_a_journal_that_is_not_intact_gets_none(tmp_path: Path):
    """An anchor would vouch for what was changed."""
    open_journal(tmp_path).close()
    path = tmp_path / OPEN_NAME
    path.write_bytes(path.read_bytes().replace(b'"count":0', b'"count":1'))
    with pytest.raises(GatewayError, match="not intact: record 1"):
        make_anchor(tmp_path, seal(), ManualClock())


def test_an_anchor_put_into_the_journal_is_found(tmp_path: Path):
    """Although its MAC fits there."""
    open_journal(tmp_path).close()
    anchor = make_anchor(tmp_path, seal(), ManualClock())
    with (tmp_path / OPEN_NAME).open("a") as file:
        file.write(anchor + "\n")
    assert (verify(tmp_path, seal()).flaw.seq, verify(tmp_path, seal()).flaw.message) == (
        2,
        "inserted: an anchor is no record",
    )
