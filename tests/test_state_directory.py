"""The state directory: private when it is made, and named when it cannot be."""

from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.state_directory import make_private


def test_it_is_made_for_its_user_alone(tmp_path: Path):
    """With the directories above it; one that is there is left as it is."""
    directory = tmp_path / "a" / "state"
    for _ in range(2):
        make_private(directory)
    assert directory.stat().st_mode & 0o777 == 0o700


def test_one_that_cannot_be_made_is_named(tmp_path: Path):
    """The error says where, why, and what it must be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match=r"file/state: Not a directory; state_dir must be"):
        make_private(tmp_path / "file" / "state")
