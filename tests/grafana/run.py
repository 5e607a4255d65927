"""`python -m tests.grafana.run`: whether dashboards, rules and documents fit what a gateway tells a real Prometheus.

Starts the gateway with its servers and a Prometheus that scrapes it, plays every situation, and asks everything that
anybody will ask. Prints what is wrong; `make grafana-check` for people and CI.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Final

from grafana.build import stale
from tests.grafana import promtool
from tests.grafana.names import wrong_names
from tests.grafana.preview import write_preview
from tests.grafana.prometheus import INTERVAL_S, CheckError, Prometheus, running
from tests.grafana.questions import choices, questions, unanswered, unhealthy_rules
from tests.grafana.schema import wrong_types
from tests.grafana.traffic import Scene, scene

_LIMIT_S: Final = 180
# The last calls are scraped, then the rules see them.
_SETTLE_S: Final = 4 * INTERVAL_S


async def check(install: Path) -> list[str]:
    """Everything that is wrong. Raises `CheckError` where that cannot be found out."""
    failures = [f"{path} is stale; run `make dashboards`" for path in stale()]
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with scene(directory) as stage, running(directory, stage.target) as prometheus:
            types, _ = await asyncio.gather(wrong_types(install), stage.play())
            await asyncio.sleep(_SETTLE_S)
            failures += [*types, *await _asked(prometheus, stage, directory)]
    return failures


async def _asked(prometheus: Prometheus, stage: Scene, directory: Path) -> list[str]:
    return [
        *await unanswered(prometheus),
        *await unhealthy_rules(prometheus),
        *await wrong_names(prometheus),
        *await promtool.complaints(directory / "prometheus.yml", await stage.process.metrics()),
    ]


async def preview(images: Path) -> None:
    """Show what the dashboards would, in pictures. Raises `CheckError`."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        async with scene(directory) as stage, running(directory, stage.target) as prometheus:
            await stage.play(rounds=20)
            await asyncio.sleep(_SETTLE_S)
            await write_preview(prometheus, images, directory)


def main() -> int:
    """0 when nothing is wrong, else 1."""
    parser = argparse.ArgumentParser(description="Check dashboards, rules and names against a real gateway.")
    parser.add_argument("--install", type=Path, help="the directory that npm installed into")
    parser.add_argument(
        "--preview", type=Path, metavar="DIR", help="check nothing; put pictures of the dashboards here"
    )
    args = parser.parse_args()
    began = monotonic()
    try:
        if args.preview:
            asyncio.run(preview(args.preview))
            return 0
        failures = asyncio.run(asyncio.wait_for(check(args.install), _LIMIT_S))
    except TimeoutError:
        failures = [f"the check took longer than {_LIMIT_S} s"]
    except CheckError as error:
        failures = [str(error)]
    for failure in failures:
        print(f"wrong: {failure}", file=sys.stderr)
    asked = f"{sum(1 for _ in questions())} expressions and {sum(1 for _ in choices())} variables"
    print(f"{asked} asked, {len(failures)} things wrong, in {monotonic() - began:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
