"""The pins of a server on disk: a small file of its own under the state directory, replaced as a whole.

`gateway pin` writes it, the gateway reads it when it starts. What a pin is made of is not known here.
"""

import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import StateError

FOLDER: Final = "pins"


class PinFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is pinned of one server."""

    tools: dict[str, str]
    """The fingerprint of each tool's definition, by the tool's name."""


def pin_path(state_dir: Path, server: str) -> Path:
    """Where the pins of a server are. A server's name is fit for a file's (`scalars.name`)."""
    return state_dir / FOLDER / f"{server}.json"


def load_pins(path: Path) -> PinFile | None:
    """The pins in a file; None where there is none. Raises `StateError` when it cannot be used."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateError(f"{path}: the pins cannot be read: {error.strerror}") from None
    try:
        return msgspec.json.decode(content, type=PinFile)
    except msgspec.DecodeError as error:
        raise StateError(f"{path}: not a file of pins ({error}); run `gateway pin` again") from None


def save_pins(path: Path, pins: PinFile) -> None:
    """Replace the pins in a file, which this user alone may read. Raises `StateError`, leaving what was there."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made with mode 0600, and put into place whole: a gateway that starts meanwhile sees the old or the new.
        file, draft = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(msgspec.json.format(msgspec.json.encode(pins, order="sorted"), indent=1))
                opened.flush()
                os.fsync(opened.fileno())
            Path(draft).replace(path)
        except OSError:
            Path(draft).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise StateError(f"{path}: the pins cannot be written: {error.strerror}") from None
