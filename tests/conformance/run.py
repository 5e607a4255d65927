"""`python -m tests.conformance.run`: the suite directly and through the gateway, side by side.

Starts the fixture server and a gateway before it, as processes, runs the suite against both for each revision
and prints the comparison. Everything they wrote stays in the output directory.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from typing import Final

from tests.conformance.compare import Comparison, report
from tests.conformance.suite import WIRES, SuiteError, Wire, run_suite
from tests.support.gateways import ALLOW_ALL, write_config

# How often, and how many times, to look whether a process has started: 30 s in all.
_POLL_S: Final = 0.05
_START_POLLS: Final = 600
_STOP_TIMEOUT_S: Final = 15

# The name of the one grant, of which `write_config` makes the token.
_GRANT: Final = "open"
_TOKEN: Final = f"token-{_GRANT}"


@contextmanager
def running(module: str, *arguments: str, ready: str, log: Path) -> Iterator[str]:
    """A Python module as a process, once its output has matched `ready`: what the pattern's group is.

    Raises `SuiteError` when it does not start, or does not stop when told to.
    """
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", module, *arguments], stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield _wait_for(ready, process, module, log)
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise SuiteError(f"{module} did not stop within {_STOP_TIMEOUT_S} s; see {log}") from None


def _wait_for(ready: str, process: "subprocess.Popen[bytes]", module: str, log: Path) -> str:
    for _ in range(_START_POLLS):
        has_ended = process.poll() is not None
        if match := re.search(ready, log.read_text()):
            return match[1]
        if has_ended:
            break
        sleep(_POLL_S)
    raise SuiteError(f"{module} did not start; see {log}")


def compare(install: Path, out: Path, wire: Wire) -> Comparison:
    """One revision both ways, with servers of its own. Raises `SuiteError`."""
    out.mkdir(parents=True, exist_ok=True)
    with running("tests.conformance.server", ready=r"fixture: (\S+)", log=out / "fixture.log") as server_url:
        direct = run_suite(install, wire, server_url, out / "direct")
        config = write_config(out, server_url, {_GRANT: ALLOW_ALL})
        serve = ("gateway", "serve", "--config", str(config))
        with running(*serve, ready=r"agents: (\S+)", log=out / "gateway.log") as gateway_url:
            gateway = run_suite(install, wire, gateway_url, out / "gateway", _TOKEN)
    return Comparison(wire.revision, direct, gateway, wire.scored(install))


def compare_all(install: Path, out: Path, revisions: list[str]) -> bool:
    """Compare and print each revision; whether all of them are good. Raises `SuiteError`."""
    is_good = True
    for wire in WIRES:
        if wire.revision in revisions:
            comparison = compare(install, out / wire.revision, wire)
            print(report(comparison), end="\n\n", flush=True)
            is_good = is_good and comparison.is_good
    return is_good


def main() -> int:
    """0 when the gateway makes no difference and the fixture passes, else 1."""
    known = [wire.revision for wire in WIRES]
    parser = argparse.ArgumentParser(description="Compare the conformance suite's results with and without gateway.")
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help=f"of {', '.join(known)} (default: all)")
    parser.add_argument("--install", type=Path, required=True, help="the directory that npm installed into")
    parser.add_argument("--out", type=Path, required=True, help="where to keep results and logs")
    args = parser.parse_args()
    if unknown := set(args.revisions) - set(known):
        parser.error(f"unknown revision: {', '.join(sorted(unknown))}")
    try:
        return 0 if compare_all(args.install, args.out, args.revisions or known) else 1
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
