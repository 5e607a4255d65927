"""Files that decide what agents may do are read only where nobody else could have written them."""

import os

import pytest

from gateway.errors import DocumentError
from gateway.source_files import MAX_BYTES, read_source


@pytest.fixture
def file(tmp_path):
    """A file that only its owner can read or write."""
    path = tmp_path / "policy.json"
    path.write_text("{}\n")
    path.chmod(0o600)
    return path


def problem(path):
    """The one problem for which the file is refused."""
    with pytest.raises(DocumentError) as refused:
        read_source(path)
    return str(refused.value)


@pytest.mark.parametrize(("mode", "others"), [(0o600, False), (0o640, False), (0o644, True), (0o444, True)])
def test_a_file_of_ours_is_read(file, mode, others):
    """The text comes with whether every user can read it."""
    file.chmod(mode)
    source = read_source(file)
    assert (source.text, source.readable_by_others) == ("{}\n", others)


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_change_is_refused(file, mode):
    """Write permission for group or others is refused with the command that mends it."""
    file.chmod(mode)
    assert problem(file) == f"{file}: can be changed by other users; run `chmod go-w {file}`"


def test_a_file_of_another_user_is_refused(file, monkeypatch):
    """A file that belongs to neither us nor root is refused."""
    owner = os.geteuid() or 1001
    os.chown(file, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    assert problem(file).startswith(f"{file}: belongs to another user")


def test_a_link_is_judged_by_what_it_names(file, tmp_path):
    """A symbolic link is followed, and the file it names is checked."""
    link = tmp_path / "link.json"
    link.symlink_to(file)
    assert read_source(link).text == "{}\n"
    file.chmod(0o666)
    assert "can be changed" in problem(link)


def test_what_is_not_a_file_is_refused_at_once(tmp_path):
    """A missing file, a directory, a pipe without a writer and an impossible name are refused, none hangs."""
    pipe = tmp_path / "pipe.json"
    os.mkfifo(pipe, 0o600)
    assert problem(pipe).endswith("is not a regular file")
    assert problem(tmp_path).endswith("cannot be read: Is a directory")
    assert problem(tmp_path / "none.json").endswith("does not exist; correct the name, or put the file there")
    assert problem(tmp_path / "a\0b").endswith("is not the name of a file")


def test_a_file_that_we_may_not_read_is_refused(file, monkeypatch):
    """The one who may not read it is named."""

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", refuse)
    assert problem(file) == f"{file}: cannot be read by the user that runs the gateway; let it read the file"


def test_other_encodings_and_huge_files_are_refused(file):
    """Only UTF-8 of a bounded size is read."""
    file.write_bytes(b'"\xff"')
    assert problem(file) == f"{file}: is not UTF-8 (byte 1); save it as UTF-8"
    file.write_bytes(b" " * (MAX_BYTES + 1))
    assert "4 MiB" in problem(file)
