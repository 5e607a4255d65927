"""The command that starts a server which speaks over stdio: which program it is, and what it is given."""

import os
import shutil
from pathlib import Path
from typing import Final

import msgspec

# What most programs need to work at all. Everything else is the gateway's own, its credentials among it.
INHERITED: Final = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM"})
_LOCALE: Final = "LC_"


class Command(msgspec.Struct, frozen=True):
    """A program with its arguments; no shell reads them."""

    arguments: tuple[str, ...]
    """The program first: a path, relative to `folder`, or a name to be looked up in PATH."""
    additions: dict[str, str]
    """What the environment has besides what is inherited, and instead of it."""
    folder: Path
    """Where it runs."""

    @property
    def environment(self) -> dict[str, str]:
        """The whole environment of the process."""
        inherited = {name: value for name, value in os.environ.items() if name in INHERITED or name.startswith(_LOCALE)}
        return inherited | self.additions

    @property
    def program(self) -> str | None:
        """The path of the program as it stands now, None where there is none that may be executed."""
        name = self.arguments[0]
        if "/" in name:
            return shutil.which(str(self.folder / name))
        return shutil.which(name, path=self.environment.get("PATH", os.defpath))

    def __repr__(self) -> str:
        # Arguments and variables may be credentials: they must not reach a log by way of a repr.
        return f"Command(program={self.arguments[0]!r}, folder={str(self.folder)!r})"
