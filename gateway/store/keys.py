"""Secret keys of the gateway's own, made once and kept under the state directory, readable by its user alone."""

import os
import secrets
import tempfile
from pathlib import Path
from typing import Final

from gateway.errors import StateError

KEY_BYTES: Final = 32


def load_key(path: Path) -> bytes:
    """The key in `path`, made on first use. Raises `StateError` when it cannot be read or is not a key of ours."""
    return read_key(path) if os.path.lexists(path) else _make_key(path)


def read_key(path: Path) -> bytes:
    """The key in `path`, which must be there. Raises `StateError` when it cannot be read or is not a key of ours."""
    try:
        key = path.read_bytes()
    except OSError as error:
        raise StateError(f"{path}: the key cannot be read: {error.strerror}") from None
    if len(key) != KEY_BYTES:
        raise StateError(
            f"{path}: not a key of {KEY_BYTES} bytes; remove it for a new one to be made, by which nothing can be read "
            "or verified that was made with the old one"
        )
    return key


def _make_key(path: Path) -> bytes:
    # Written beside and linked into place, so that a crash leaves no half of a key and two starts agree on one.
    key = secrets.token_bytes(KEY_BYTES)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            os.write(file, key)
            os.fsync(file)
            os.link(draft, path)
        except FileExistsError:
            return load_key(path)
        finally:
            os.close(file)
            Path(draft).unlink()
    except OSError as error:
        raise StateError(f"{path}: the key cannot be made: {error.strerror}") from None
    return key
