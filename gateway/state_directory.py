"""The state directory itself: made when it is not there, and private. What is in it is its users' business."""

import os
from pathlib import Path

from gateway.errors import StateError


def make_private(directory: Path) -> None:
    """See that the directory is there; one that is made is readable by its own user alone. Raises `StateError`."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StateError(f"{directory}: {reason}; state_dir must be a directory that this user may write") from None
