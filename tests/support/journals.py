"""Audit journals of tests, and what is in them."""

from pathlib import Path
from typing import Any

from gateway.audit import reader
from gateway.audit.chain import Seal
from gateway.audit.journal import Journal
from gateway.clock import Clock, ManualClock

KEY = b"k" * 32

# What the journal says about itself and about the gateway as a whole.
OF_THE_JOURNAL = {"checkpoint", "torn", "gap", "displaced", "retention", "start", "stop"}


def open_journal(directory: Path, clock: Clock | None = None) -> Journal:
    """A journal with the key of tests."""
    return Journal(directory, KEY, clock or ManualClock())


def seal() -> Seal:
    """By which it can be verified."""
    return Seal(KEY)


def told(directory: Path) -> list[dict[str, Any]]:
    """The records of what was done, without number and MAC, and without those that the journal needs for itself."""
    records = [record for record in reader.records(directory) if record["type"] not in OF_THE_JOURNAL]
    return [{name: value for name, value in record.items() if name not in ("seq", "mac")} for record in records]


def of_type(directory: Path, *types: str) -> list[dict[str, Any]]:
    """The whole records of these types."""
    return [record for record in reader.records(directory) if record["type"] in types]
