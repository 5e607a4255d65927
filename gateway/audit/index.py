"""A view of the journal to ask questions of, in an SQLite file beside it that can be thrown away at any time.

Brought up to date by whoever asks, never by the gateway. It believes what it reads; `verify` does not.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.audit.reader import decode
from gateway.audit.segment import Segment, open_private, snapshot
from gateway.errors import StateError

FILE_NAME: Final = "index.db"

_LAYOUT: Final = 1
_BUSY_S: Final = 30.0
_TABLES: Final = """
CREATE TABLE records(
    seq INTEGER PRIMARY KEY, time TEXT NOT NULL, type TEXT NOT NULL, id TEXT NOT NULL, reference TEXT NOT NULL,
    "grant" TEXT NOT NULL, target TEXT NOT NULL, verdict TEXT NOT NULL, rule TEXT NOT NULL, line TEXT NOT NULL
);
CREATE INDEX by_time ON records(time);
CREATE INDEX by_id ON records(id);
CREATE INDEX by_reference ON records(reference) WHERE reference != '';
CREATE TABLE place(segment INTEGER NOT NULL, offset INTEGER NOT NULL, mac TEXT NOT NULL)
"""


class Question(msgspec.Struct, frozen=True):
    """Which records are wanted; a field that is left empty asks for nothing in particular."""

    since: str = ""
    """A time as records have it; this and later."""
    until: str = ""
    """Before this time."""
    grant: str = ""
    tool: str = ""
    """Or another target: a resource, a prompt, a task."""
    verdict: str = ""
    rule: str = ""
    """Part of a rule's name."""
    id: str = ""
    """An exchange's or an approval's, whole; with everything that refers to it."""
    text: str = ""
    """Anywhere in the record, large or small letters."""
    most: int = 1000
    """Only so many, the newest."""


class Index:
    """An open view. `close` it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, directory: Path) -> "Index":
        """The view of the journal in `directory`, up to date. Whatever is wrong with its file, it is made anew.

        Where nothing can be written it is made in memory. Raises `UnreadableError` for the journal itself, and
        `StateError` where the file is in use for too long.
        """
        path = directory / FILE_NAME
        try:
            with contextlib.suppress(FileExistsError):
                os.close(open_private(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
            return cls._updated(str(path), directory)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise StateError(f"{path}: in use by another command for too long; try again") from None
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
            os.close(open_private(path, os.O_RDWR | os.O_CREAT))
            return cls._updated(str(path), directory)
        except OSError:
            pass
        return cls._updated(":memory:", directory)

    @classmethod
    def _updated(cls, name: str, directory: Path) -> "Index":
        index = cls(sqlite3.connect(name, timeout=_BUSY_S, isolation_level=None))
        try:
            index._update(directory)
        except BaseException:
            index.close()
            raise
        return index

    def search(self, question: Question) -> list[str]:
        """The lines of the records that are wanted, oldest first."""
        where, values = _conditions(question)
        # Only fixed text is put together here; every value is bound.
        query = f"SELECT line FROM records WHERE {where} ORDER BY seq DESC LIMIT :most"  # noqa: S608
        rows = self._connection.execute(query, values | {"most": question.most}).fetchall()
        return [line for (line,) in reversed(rows)]

    def count(self, column: str, question: Question, type: str = "decision") -> list[tuple[str, int]]:
        """How many records of a type there are for each value of `verdict`, `grant`, `target` or `rule`, most first."""
        if column not in ("verdict", "grant", "target", "rule"):
            raise ValueError(column)
        where, values = _conditions(question)
        query = (
            f'SELECT "{column}", count(*) FROM records WHERE {where} AND type = :type '  # noqa: S608
            f'GROUP BY "{column}" ORDER BY count(*) DESC, "{column}"'
        )
        return self._connection.execute(query, values | {"type": type}).fetchall()

    def span(self) -> tuple[int, str, str]:
        """How many records there are, and the times of the first and the last."""
        query = "SELECT count(*), coalesce(min(time), ''), coalesce(max(time), '') FROM records"
        count, first, last = self._connection.execute(query).fetchone()
        return count, first, last

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()

    def _update(self, directory: Path) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if connection.execute("PRAGMA user_version").fetchone()[0] != _LAYOUT:
                self._begin_anew()
            with snapshot(directory) as segments:
                if not self._read_on(segments):
                    self._begin_anew()
                    self._read_on(segments)
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _begin_anew(self) -> None:
        for table in ("records", "place"):
            self._connection.execute(f"DROP TABLE IF EXISTS {table}")
        for statement in _TABLES.split(";"):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {_LAYOUT}")

    def _read_on(self, segments: list[Segment]) -> bool:
        """Take in what came after the last record that is known. False where that is not where it was."""
        place = self._connection.execute("SELECT segment, offset, mac FROM place").fetchone()
        known, offset, mac = place or (0, 0, "")
        if place and known not in {segment.first for segment in segments}:
            return False
        for segment in segments:
            if segment.first < known:
                continue
            start = offset if segment.first == known else 0
            lines = segment.lines(start)
            if place and segment.first == known:
                last = next(lines, b"")
                record = decode(last)
                if record is None or record["mac"] != mac:
                    return False
                start += len(last)
            self._take_in(segment.first, lines, start)
        first = min((segment.first for segment in segments), default=0)
        self._connection.execute("DELETE FROM records WHERE seq < ?", (first,))
        return True

    def _take_in(self, first: int, lines: Iterator[bytes], offset: int) -> None:
        mac, start = "", 0
        for line in lines:
            record = decode(line)
            if record is not None and line.endswith(b"\n"):
                self._connection.execute(
                    "INSERT OR REPLACE INTO records VALUES (?,?,?,?,?,?,?,?,?,?)", _row(record, line)
                )
                mac, start = record["mac"], offset
            offset += len(line)
        if mac:
            self._connection.execute("DELETE FROM place")
            self._connection.execute("INSERT INTO place VALUES (?, ?, ?)", (first, start, mac))


def _row(record: Mapping[str, Any], line: bytes) -> tuple[object, ...]:
    reference = record.get("approval") or record.get("exchange") or ""
    named = [str(record.get(name, "")) for name in ("id", "grant", "target", "verdict", "rule")]
    id, grant, target, verdict, rule = named
    text = line.decode().rstrip("\n")
    return record["seq"], record["time"], record["type"], id, str(reference), grant, target, verdict, rule, text


def _conditions(question: Question) -> tuple[str, dict[str, object]]:
    """What records have to fulfil, in SQL, and the values in it."""
    wanted = msgspec.to_builtins(question)
    conditions = {
        "since": "time >= :since",
        "until": "time < :until",
        "grant": '"grant" = :grant',
        "tool": "target = :tool",
        "verdict": "verdict = :verdict",
        "rule": "instr(rule, :rule)",
        "id": "(id = :id OR reference = :id)",
        "text": "instr(lower(line), lower(:text))",
    }
    asked = {name: value for name, value in wanted.items() if name in conditions and value}
    return " AND ".join(["1", *(conditions[name] for name in asked)]), asked
