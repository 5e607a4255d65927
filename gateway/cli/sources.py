"""What the author's tools read from files: policies, and plain documents beside them."""

from pathlib import Path

from gateway.documents import Document, format_of, read_document
from gateway.errors import DocumentError, GatewayError, Problem
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.source_files import MAX_BYTES, read_source


def read_policy(path: Path) -> Policy:
    """The policy in a file, in any dialect. Raises DocumentError with every mistake."""
    return load_policy(read_document(read_source(path).text, str(path), format_of(path.name)))


def read_plain(path: Path) -> Document:
    """A document that gives nobody any rights, so that it may belong to anybody. Raises DocumentError."""
    format = format_of(path.name)
    return read_document(read_text(path), str(path), format)


def read_text(path: Path) -> str:
    """The text of such a file, of 4 MiB at most. Raises DocumentError."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise _unreadable(path, "is larger than 4 MiB; split it")
        return content.decode("utf-8")
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def _unreadable(path: Path, message: str) -> GatewayError:
    return DocumentError([Problem(place=str(path), message=message)])
