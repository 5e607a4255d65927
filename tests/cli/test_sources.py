"""Files that the author's tools read."""

from pathlib import Path

import pytest

from gateway.cli.sources import read_plain, read_policy, read_text
from gateway.errors import DocumentError


def test_a_policy_is_read_in_any_dialect_and_format(tmp_path: Path):
    """And checked."""
    path = tmp_path / "policy.yaml"
    path.write_text('version: "1"\ndefault: deny\ntools: {t: {}}\n')
    path.chmod(0o600)
    assert set(read_policy(path).tools) == {"t"}
    path.write_text('version: "1"\ndefault: never\n')
    with pytest.raises(DocumentError, match="/default: unknown value"):
        read_policy(path)


def test_a_policy_that_others_may_change_is_none(tmp_path: Path):
    """As for the gateway itself."""
    path = tmp_path / "policy.yaml"
    path.write_text('version: "1"\ndefault: deny\n')
    path.chmod(0o666)
    with pytest.raises(DocumentError, match="can be changed by other users"):
        read_policy(path)


def test_a_plain_document_may_belong_to_anybody(tmp_path: Path):
    """It gives nobody any rights."""
    path = tmp_path / "cases.yaml"
    path.write_text("- a\n")
    path.chmod(0o666)
    assert read_plain(path).value == ["a"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path):
    """One that is not there, one that is no text, and one that is too large."""
    path = tmp_path / "x.json"
    with pytest.raises(DocumentError, match="cannot be read: No such file"):
        read_text(path)
    path.write_bytes(b"\xff")
    with pytest.raises(DocumentError, match=r"x.json: is not UTF-8 \(byte 0\)"):
        read_text(path)
    path.write_bytes(b" " * (4 * 1024 * 1024 + 1))
    with pytest.raises(DocumentError, match="larger than 4 MiB"):
        read_text(path)
