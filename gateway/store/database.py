"""The one SQLite file of the gateway, `state/gateway.db`: how it is opened, its layout, and its one thread.

Other processes, such as `gateway approvals`, may have it open as well. What is in a table is for the module of that
table.
"""

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from gateway.errors import StateError

FILE_NAME: Final = "gateway.db"

_T = TypeVar("_T")
# How long to wait for another process that writes; each of its transactions takes milliseconds.
_BUSY_MS: Final = 5_000

# The script at position N leads from version N of the layout to the next.
_MIGRATIONS: Final = (
    """
    CREATE TABLE approvals (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        digest BLOB NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending'
            CHECK (state IN ('pending', 'approved', 'denied', 'expired', 'consumed')),
        grant_label TEXT NOT NULL,
        server TEXT NOT NULL,
        tool TEXT NOT NULL,
        arguments TEXT NOT NULL,
        revision TEXT NOT NULL,
        policy TEXT NOT NULL,
        rule TEXT NOT NULL,
        exchange TEXT NOT NULL,
        asked_ns INTEGER NOT NULL,
        expires_ns INTEGER NOT NULL,
        decided_ns INTEGER,
        approver TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '',
        consumed_ns INTEGER,
        is_recorded INTEGER NOT NULL DEFAULT 1
    ) STRICT;
    CREATE UNIQUE INDEX approvals_open ON approvals (digest) WHERE state IN ('pending', 'approved');
    CREATE INDEX approvals_digest ON approvals (digest);
    CREATE INDEX approvals_due ON approvals (expires_ns) WHERE state IN ('pending', 'approved');
    CREATE INDEX approvals_pending ON approvals (grant_label) WHERE state = 'pending';
    CREATE INDEX approvals_unrecorded ON approvals (number) WHERE is_recorded = 0;
    """,
)


class Database:
    """An open database. Its methods block; inside of a loop they run in its thread, by way of `run`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        # What waits for the thread is bounded: every exchange waits for one thing at a time.
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="database")

    @classmethod
    def open(cls, path: Path) -> "Database":
        """Open the file, and make it, for our user alone, where there is none. Raises `StateError`."""
        try:
            # Never where the file is open already: closing it again would take SQLite's locks away.
            if not path.exists():
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
            connection = sqlite3.connect(path, timeout=_BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            raise StateError(f"{path}: cannot be opened: {error}; it must be a file that this user may write") from None
        database = cls(path, connection)
        try:
            database._prepare()
        except StateError:
            database.close()
            raise
        return database

    def close(self) -> None:
        """Let go of the file, once its thread has done what was asked of it."""
        self._thread.shutdown()
        self._connection.close()

    async def run(self, work: Callable[[], _T]) -> _T:
        """Do `work`, which uses this database, in its thread. Work that has begun is done, cancelled or not."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done inside, or nothing, and nobody else's writing in between.

        On the disk when it ends. Raises `StateError` when that cannot be had.
        """
        with self._failing():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One statement that changes nothing. Raises `StateError` when it cannot be done."""
        with self._failing():
            yield self._connection

    def version(self) -> int:
        """A number that changes whenever another process has written. Raises `StateError`."""
        with self.reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def _prepare(self) -> None:
        with self.reading() as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            # An approval that was told to a person is still one after a crash of the machine.
            connection.execute("PRAGMA synchronous = FULL")
        with self.transaction() as connection:
            found = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if found > len(_MIGRATIONS):
                raise StateError(f"{self.path}: was made by a newer gateway (layout {found}); run that one")
            for script in _MIGRATIONS[found:]:
                for statement in filter(str.strip, script.split(";")):
                    connection.execute(statement)
            if found < len(_MIGRATIONS):
                connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StateError(f"{self.path}: the database cannot be used: {error}") from None
