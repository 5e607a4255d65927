"""An anchor for the journal as it stands: what `gateway audit anchor` prints, to be kept where its files are not."""

from pathlib import Path

import msgspec

from gateway.audit.bookkeeping import AnchorRecord
from gateway.audit.chain import Chain, Seal
from gateway.audit.event import utc_text
from gateway.audit.verify import verify
from gateway.clock import Clock
from gateway.errors import GatewayError


def make_anchor(directory: Path, seal: Seal, clock: Clock) -> str:
    """A signed line. The journal is verified first.

    Raises `GatewayError` where it is not what was written: an anchor would vouch for that.
    """
    report = verify(directory, seal)
    if report.flaw is not None:
        raise GatewayError(
            f"no anchor for a journal that is not intact: record {report.flaw.seq}: {report.flaw.message}; run "
            "`gateway audit verify`"
        )
    record = AnchorRecord(utc_text(clock.wall_ns()), report.last, report.head)
    line, _ = Chain(seal, report.last, report.head).next_line(msgspec.json.encode(record))
    return line.decode().rstrip()
