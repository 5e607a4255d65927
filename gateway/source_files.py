"""Reads the files that decide what agents may do, and only where nobody else could have written them.

Called by `config` and by `gateway check`. It reads text; it does not parse.
"""

import os
import shlex
import stat
from pathlib import Path

import msgspec

from gateway.errors import DocumentError, Problem

MAX_BYTES = 4 * 1024 * 1024


class SourceFile(msgspec.Struct, frozen=True):
    """The text of a file, and whether every user of the machine can read it."""

    text: str
    readable_by_others: bool


def read_source(path: Path) -> SourceFile:
    """Read a UTF-8 file of at most 4 MiB that only its owner can write, the owner being us or root.

    Raises DocumentError (security.md F78). What is checked is what is read, even if the name is pointed
    at another file meanwhile.
    """
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            status = os.fstat(file.fileno())
            if objection := _objection(path, status):
                raise _refused(path, objection)
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _refused(path, "does not exist; correct the name, or put the file there") from None
    except PermissionError:
        raise _refused(path, "cannot be read by the user that runs the gateway; let it read the file") from None
    except OSError as error:
        raise _refused(path, f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise _refused(path, "is not the name of a file") from None
    if len(content) > MAX_BYTES:
        raise _refused(path, "is larger than 4 MiB; split the document")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None
    return SourceFile(text=text, readable_by_others=bool(status.st_mode & stat.S_IROTH))


def _open_at_once(path: str, flags: int) -> int:
    # Opening a named pipe would else wait for somebody to write to it.
    return os.open(path, flags | os.O_NONBLOCK)


def _objection(path: Path, status: os.stat_result) -> str | None:
    name = shlex.quote(str(path))
    if not stat.S_ISREG(status.st_mode):
        return "is not a regular file"
    if status.st_uid not in (0, os.geteuid()):
        return f"belongs to another user, who could change it; run `chown {os.geteuid()} {name}`"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"can be changed by other users; run `chmod go-w {name}`"
    return None


def _refused(path: Path, message: str) -> DocumentError:
    return DocumentError([Problem(place=str(path), message=message)])
