"""Looks for inputs that break a claim, guided by coverage: `make fuzz`. All targets run side by side.

Each target is a module beside this one, with a claim and a function `check`. What breaks a claim is written to
build/fuzz/; copied into fuzz/corpus/TARGET/ it is a test case for ever (tests/fuzz/).
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
OUT = ROOT / "build" / "fuzz"
CORPUS = ROOT / "fuzz" / "corpus"
TARGETS = ("events", "headers", "json_bodies", "policies")
# Longer than anything the corpus needs, and short enough for thousands of tries a second.
MAX_LENGTH = 2048
# A single input that takes this long is a finding as well.
HANG_S = 20
SHOWN_LINES = 30


def run_all(seconds: int) -> int:
    """Fuzz every target for so long; 1 if any claim was broken, else 0."""
    running = {}
    for target in TARGETS:
        (OUT / target).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "fuzz.run", target, str(seconds)]
        with log_of(target).open("wb") as log:
            running[target] = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    broken = [target for target, process in running.items() if process.wait()]
    for target in TARGETS:
        lines = log_of(target).read_text(errors="replace").splitlines()
        sys.stdout.write(f"{target}: {'BROKEN' if target in broken else 'holds'}\n")
        shown = lines[-SHOWN_LINES:] if target in broken else [line for line in lines if line.startswith("Done ")]
        sys.stdout.writelines(f"  {line}\n" for line in shown)
    return 1 if broken else 0


def log_of(target: str) -> Path:
    """Where the fuzzer of a target says what it does."""
    return OUT / f"{target}.log"


def run_one(target: str, seconds: int) -> None:
    """Fuzz one target in this process, which the fuzzer ends."""
    # What is compiled cannot be looked into: the plain twins beside it lead the way.
    with atheris.instrument_imports(include=["gateway", "fuzz"]):
        check = import_module(f"fuzz.{target}").check
    options = [
        f"-max_total_time={seconds}",
        f"-max_len={MAX_LENGTH}",
        f"-timeout={HANG_S}",
        f"-artifact_prefix={OUT / target}-",
    ]
    # What is found on the way goes to the first directory, and serves the next run.
    atheris.Setup([sys.argv[0], str(OUT / target), str(CORPUS / target), *options], check)
    atheris.Fuzz()


def main(arguments: list[str]) -> int:
    """The arguments are `SECONDS` for all targets, `TARGET SECONDS` for one; what it returns is the exit code."""
    *target, seconds = arguments
    if not target:
        return run_all(int(seconds))
    run_one(target[0], int(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
