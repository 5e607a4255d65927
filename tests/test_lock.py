"""One owner for a piece of state."""

import os
import subprocess
import sys

import pytest

from gateway.errors import StateError
from gateway.lock import Lock

HOLD = """
import sys
from pathlib import Path
from gateway.lock import Lock
lock = Lock.take(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_owner_is_refused_and_told_of_the_first(tmp_path):
    """Who holds the lock is named, not who held it before, and what to do about it."""
    (tmp_path / "lock").write_text("99999999999")
    lock = Lock.take(tmp_path / "lock")
    with pytest.raises(StateError, match=rf"another gateway, process {os.getpid()}\..*state_dir"):
        Lock.take(tmp_path / "lock")
    lock.release()


def test_a_released_lock_is_free(tmp_path):
    """The next owner may have it, and finds the lock file where it was."""
    Lock.take(tmp_path / "lock").release()
    Lock.take(tmp_path / "lock").release()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600


def test_a_killed_owner_leaves_no_lock_behind(tmp_path):
    """The lock ends with the process, even by SIGKILL."""
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path / "lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateError, match=f"process {holder.pid}"):
            Lock.take(tmp_path / "lock")
        holder.kill()
    Lock.take(tmp_path / "lock").release()


def test_a_lock_that_is_a_link_is_refused(tmp_path):
    """A link planted in the state directory does not get its target opened."""
    (tmp_path / "lock").symlink_to(tmp_path / "target")
    with pytest.raises(StateError, match="plain file"):
        Lock.take(tmp_path / "lock")
    assert not (tmp_path / "target").exists()


def test_a_lock_without_a_directory_is_refused(tmp_path):
    """The error names the place."""
    with pytest.raises(StateError, match="missing/lock: No such file"):
        Lock.take(tmp_path / "missing" / "lock")
