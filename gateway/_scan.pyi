"""The contract of the scan: `_scan.pyx` (compiled) and `_scan_py.py` (the specification) both keep it."""

from typing import Final

# What `scan` can object to.
SCAN_OK: Final[int]
TOO_DEEP: Final[int]
INTEGER_TOO_LARGE: Final[int]

MAX_DEPTH: Final[int]

def scan(body: bytes) -> tuple[int, int, int]: ...
def count_members(value: object) -> int: ...
