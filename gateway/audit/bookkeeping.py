"""The records that the journal writes about itself. They are part of the chain like all others.

`event` has the records of what the gateway does; `journal` and `keeper` write these.
"""

import msgspec


class CheckpointRecord(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="type"):
    """How far the journal has come. The first line of every segment, and one now and then.

    The line is also told in the log: kept elsewhere, it is an anchor that shows a cut tail.
    """

    time: str
    count: int
    """How many records there were before this one."""
    head: str
    """The MAC of the last of them."""


class AnchorRecord(CheckpointRecord, frozen=True, tag="anchor", tag_field="type"):
    """A checkpoint that was asked for, to be kept elsewhere. It is no part of the journal, and must not be."""


class TornRecord(msgspec.Struct, frozen=True, tag="torn", tag_field="type"):
    """At the start the journal ended in the middle of a line. What there was of it is kept in a file beside."""

    time: str
    file: str
    torn_bytes: int
    sha256: str


class GapRecord(msgspec.Struct, frozen=True, tag="gap", tag_field="type"):
    """The journal could not be written for a while, and can again."""

    time: str
    lost: int
    """Records that were not written. With `on_failure: deny` nothing that they stood for has happened."""
    cause: str


class DisplacedRecord(msgspec.Struct, frozen=True, tag="displaced", tag_field="type"):
    """Somebody renamed, removed or changed the open segment. The records go on in a new one."""

    time: str
    cause: str
    file: str
    """Where what stood in its place was moved; empty where nothing did."""


class RetentionRecord(msgspec.Struct, frozen=True, tag="retention", tag_field="type"):
    """A closed segment is removed, as the configuration says. Written, and on the disk, before that happens."""

    time: str
    file: str
    through: int
    """The number of its last record."""
    head: str
    """The MAC of that record, from which the rest can still be verified."""
    cause: str
    """`age` or `size`."""


Bookkeeping = CheckpointRecord | TornRecord | GapRecord | DisplacedRecord | RetentionRecord
