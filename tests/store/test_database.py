"""The one SQLite file: whose it is, what version, and that a transaction is whole."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import StateError
from gateway.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A fresh one."""
    opened = Database.open(tmp_path / "gateway.db")
    yield opened
    opened.close()


def count(database: Database) -> int:
    with database.reading() as connection:
        return int(connection.execute("SELECT COUNT(*) FROM approvals").fetchone()[0])


def insert(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute(
            "INSERT INTO approvals (id, digest, grant_label, server, tool, arguments, revision, policy, rule, "
            "exchange, asked_ns, expires_ns) VALUES ('i', x'00', '', '', '', '', '', '', '', '', 0, 0)"
        )


def interrupted_deletion(database: Database) -> None:
    with database.transaction() as connection:
        connection.execute("DELETE FROM approvals")
        raise KeyboardInterrupt


def test_it_is_our_users_alone(database: Database):
    """The file and what SQLite keeps beside it can be read by nobody else."""
    insert(database)
    files = list(database.path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_changes_are_on_the_disk_when_they_are_done(database: Database):
    """A write-ahead log, written through with each transaction."""
    with database.reading() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_second_opening_finds_what_the_first_has_written(database: Database):
    """The layout is made once."""
    insert(database)
    other = Database.open(database.path)
    assert count(other) == 1
    other.close()


def test_a_transaction_is_whole_or_nothing(database: Database):
    """What fails inside leaves nothing behind, whatever it is."""
    insert(database)
    with pytest.raises(KeyboardInterrupt):
        interrupted_deletion(database)
    with pytest.raises(StateError, match="the database cannot be used: UNIQUE"):
        insert(database)
    assert count(database) == 1


def test_the_version_tells_of_others_writing_only(database: Database):
    """It changes with another process's transaction, not with one's own."""
    other = Database.open(database.path)
    before = database.version()
    insert(database)
    assert database.version() == before
    with other.transaction() as connection:
        connection.execute("DELETE FROM approvals")
    assert database.version() != before
    other.close()


async def test_work_is_done_in_a_thread_of_its_own(database: Database):
    """The loop never waits for a disk; the thread is one, so that work is done in its order."""
    threads = {await database.run(threading.get_ident) for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads


def test_a_newer_layout_is_refused(database: Database):
    """A gateway that does not know the layout leaves it alone."""
    with database.transaction() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match=r"made by a newer gateway \(layout 99\)"):
        Database.open(database.path)


def test_what_is_no_database_is_refused(tmp_path: Path):
    """Another file, a directory, a link that leads nowhere, and a place that is not there are told apart from ours."""
    (tmp_path / "text").write_text("no database at all, but long enough to look at. " * 100)
    (tmp_path / "directory").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for name in ("text", "directory", "link", "absent/gateway.db"):
        with pytest.raises(StateError, match=str(tmp_path / name)):
            Database.open(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_foreign_database_is_left_as_it_was(tmp_path: Path):
    """A table of the same name that is not ours is no layout of ours."""
    foreign = sqlite3.connect(tmp_path / "gateway.db")
    foreign.execute("CREATE TABLE approvals (x)")
    foreign.close()
    with pytest.raises(StateError, match="already exists"):
        Database.open(tmp_path / "gateway.db")
