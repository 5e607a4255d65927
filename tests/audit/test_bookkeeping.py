"""The journal's records about itself."""

from typing import get_args

import msgspec

from gateway.audit import bookkeeping
from gateway.audit.event import is_durable


def test_a_line_says_of_which_kind_it_is():
    """Each kind has a word of its own, first in its line."""
    record = bookkeeping.CheckpointRecord("t", 7, "0" * 32)
    assert msgspec.json.encode(record).startswith(b'{"type":"checkpoint","time":"t"')
    tags = [kind.__struct_config__.tag for kind in get_args(bookkeeping.Bookkeeping)]
    assert sorted(tags) == ["checkpoint", "displaced", "gap", "retention", "torn"]


def test_they_are_on_the_disk_before_anything_follows():
    """A segment is not removed, and an anchor not told, before the record of it is safe."""
    assert is_durable(bookkeeping.RetentionRecord("t", "f", 1, "0" * 32, "age"))
    assert is_durable(bookkeeping.CheckpointRecord("t", 7, "0" * 32))


def test_an_anchor_has_another_word_than_a_checkpoint():
    """So that one cannot be put into a journal in the place of the other."""
    assert b'"type":"anchor"' in msgspec.json.encode(bookkeeping.AnchorRecord("t", 7, "0" * 32))
