"""One owner for a piece of state on disk. Whoever opens such state takes its lock first."""

import fcntl
import os
from pathlib import Path

from gateway.errors import StateError


class Lock:
    """Exclusive ownership, held until `release` or the end of the process, however it ends."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, path: Path) -> "Lock":
        """Own what the lock file at `path` stands for. Never waits.

        Raises StateError when another process owns it, naming that process, or when the file cannot be
        made. The file stays after release: removing it would let two processes own two files of one name.
        """
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(f"{path}: {error.strerror}. It must be a plain file in a directory of our own.") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        except BlockingIOError as error:
            owner = os.pread(descriptor, 20, 0).decode("ascii", "replace") or "unknown"
            os.close(descriptor)
            raise StateError(
                f"{path}: in use by another gateway, process {owner}. Stop it, or give this one a state_dir of its own."
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise StateError(f"{path}: cannot be locked: {error.strerror}. Keep the state on a local disk.") from error
        return cls(descriptor)

    def release(self) -> None:
        """Give it up."""
        os.close(self._descriptor)
