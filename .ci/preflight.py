"""Says what a machine lacks to build the gateway, all of it at once, and how to get it.

Run by the Makefile with the Python that is to make the environment. It has to run on Pythons that are too old
for the gateway, since that is one of the things it looks for: nothing here is newer than 3.6.
"""

import os
import shutil
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

OLDEST = (3, 11)


def lacks():
    """Yield what is missing: a sentence, and the Debian packages that mend it."""
    if sys.version_info < OLDEST:
        yield (
            f"Python 3.11 or newer ({sys.executable} is {sys.version.split()[0]})",
            "python3.11 python3.11-venv",
        )
        return
    if find_spec("venv") is None or find_spec("ensurepip") is None:
        yield f"the venv and ensurepip modules of {sys.executable}", "python3-venv"
    if os.environ.get("GATEWAY_NO_EXTENSIONS") == "1":
        return
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
    if shutil.which(compiler) is None:
        yield f"a C compiler (looked for {compiler})", "gcc libc6-dev"
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    if not header.exists():
        yield f"the C headers of {sys.executable} (looked for {header})", "python3-dev"


def main():
    """Print on stderr what is missing; 1 if anything is, else 0."""
    found = list(lacks())
    for thing, packages in found:
        sys.stderr.write(f"missing: {thing}. On Debian: apt-get install {packages}\n")
    if found:
        sys.stderr.write("Another Python can be named: make PYTHON=python3.12 …\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
