"""Pins survive on disk, for this user alone."""

import stat

import pytest

from gateway.errors import StateError
from gateway.store.pin_file import PinFile, load_pins, pin_path, save_pins

PINS = PinFile({"get_code": "ab" * 32, "naïve": "cd" * 32})


def test_what_is_saved_is_loaded(tmp_path):
    """A file of pins reads back, and only its owner may read or write it."""
    path = pin_path(tmp_path / "state", "binassist")
    assert load_pins(path) is None
    save_pins(path, PINS)
    save_pins(path, PINS)
    assert load_pins(path) == PINS
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path, path.parent)] == [0o600, 0o700]
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"tools": {"a": 1}}', b'{"tools": {}, "more": 1}'])
def test_a_file_of_something_else_is_an_error(tmp_path, content):
    """What is no file of pins is not taken for an empty one."""
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(StateError, match=r"not a file of pins .* run `gateway pin` again"):
        load_pins(path)


def test_what_cannot_be_read_or_written_is_an_error(tmp_path):
    """Each says which file and why; a failed write leaves nothing behind."""
    folder = tmp_path / "pins"
    (folder / "a.json").mkdir(parents=True)
    with pytest.raises(StateError, match="the pins cannot be read: Is a directory"):
        load_pins(folder / "a.json")
    with pytest.raises(StateError, match="the pins cannot be written: Is a directory"):
        save_pins(folder / "a.json", PINS)
    assert [path.name for path in folder.iterdir()] == ["a.json"]
