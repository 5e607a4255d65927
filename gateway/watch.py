"""Notices that files have changed, by looking at what they contain. It neither parses them nor acts on a change.

Looking sees every way of changing a file: writing into it, renaming another one over it, swapping a symbolic link
somewhere on its path, mending its permissions. Called by `reload`, in a thread of its own.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from gateway.errors import DocumentError
from gateway.source_files import read_source

Sight = dict[Path, str]
"""What each file holds, as a digest, or why it cannot be used."""


def look(paths: Iterable[Path]) -> Sight:
    """What the files hold at this moment."""
    return {path: _seen(path) for path in paths}


class Watch:
    """Some files, and what they held when somebody last acted on it."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._known = look(paths)
        self._last = self._known

    def has_settled_change(self) -> bool:
        """Look again. True when the files are not what they were, and stand still since the look before.

        A file that is half written still changes; one that has been cut short for good is for its reader to refuse.
        """
        before, self._last = self._last, look(self._known)
        return self._last == before != self._known


def _seen(path: Path) -> str:
    try:
        return hashlib.sha256(read_source(path).text.encode()).hexdigest()
    except DocumentError as error:
        return str(error)
