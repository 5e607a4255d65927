"""Keys are made once, kept from others, and never half there."""

import errno
import os
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.store.keys import KEY_BYTES, load_key


def test_a_key_is_made_once(tmp_path: Path):
    """The first use makes the key, together with its directory; every later one finds the same."""
    path = tmp_path / "state" / "session.key"
    key = load_key(path)
    assert len(key) == KEY_BYTES
    assert [load_key(path), path.read_bytes()] == [key, key]
    assert load_key(tmp_path / "other.key") != key


def test_only_its_user_can_read_it(tmp_path: Path):
    """Neither the key nor its directory is open to others, and no draft stays behind."""
    path = tmp_path / "state" / "session.key"
    load_key(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_two_starts_at_once_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever puts the key in place first has made it for both."""
    path = tmp_path / "session.key"
    link = os.link

    def lose_the_race(draft: str, place: Path) -> None:
        place.write_bytes(b"f" * KEY_BYTES)
        link(draft, place)

    monkeypatch.setattr(os, "link", lose_the_race)
    assert load_key(path) == b"f" * KEY_BYTES
    assert list(tmp_path.iterdir()) == [path]


def test_a_draft_that_a_crash_left_behind_does_not_matter(tmp_path: Path):
    """A gateway with the same process id as the one that crashed can still make its key."""
    (tmp_path / f"session.key.{os.getpid()}").write_bytes(b"half")
    assert len(load_key(tmp_path / "session.key")) == KEY_BYTES


@pytest.mark.parametrize("function", ["write", "fsync", "link"])
def test_a_key_that_cannot_be_made_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str):
    """A full disk is an error that names the file; the next start begins afresh."""

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, function, fail)
        with pytest.raises(StateError, match=r"session\.key: the key cannot be made: No space left"):
            load_key(tmp_path / "session.key")
    assert list(tmp_path.iterdir()) == []
    assert len(load_key(tmp_path / "session.key")) == KEY_BYTES


@pytest.mark.parametrize("content", [b"", b"x" * (KEY_BYTES - 1), b"x" * (KEY_BYTES + 1)], ids=len)
def test_another_file_is_no_key(tmp_path: Path, content: bytes):
    """A file of another length is refused and left alone; the error says what to do."""
    path = tmp_path / "session.key"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"session\.key: not a key of 32 bytes; remove it"):
        load_key(path)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_read_is_an_error(tmp_path: Path):
    """Something unreadable in its place is named, and never replaced."""
    (tmp_path / "session.key").mkdir()
    with pytest.raises(StateError, match=r"session\.key: the key cannot be read"):
        load_key(tmp_path / "session.key")
