"""What promtool says of the configuration, the rules, their cases and the metrics."""

import asyncio
from pathlib import Path
from typing import Final

from tests.grafana.prometheus import CONFIG

_ALERTS: Final = CONFIG.parent / "alerts"

# promtool's taste, with which prometheus-client's own metrics do not agree.
_NOT_OURS: Final = ("python_", "process_")


async def complaints(config: Path, exposition: str) -> list[str]:
    """What is wrong with the files of the project, with the configuration that was made of them, and with a scrape."""
    return [
        *await _promtool("check", "config", str(CONFIG)),
        *await _promtool("check", "config", str(config)),
        *await _promtool("check", "rules", "--lint-fatal", str(_ALERTS / "rules.yml")),
        *await _promtool("test", "rules", str(_ALERTS / "rules_test.yml")),
        *[line for line in await _promtool("check", "metrics", given=exposition) if not line.startswith(_NOT_OURS)],
    ]


async def _promtool(*arguments: str, given: str = "") -> list[str]:
    """Its complaints, line by line; none where it is content."""
    process = await asyncio.create_subprocess_exec(
        "promtool",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(given.encode())
    if process.returncode == 0:
        return []
    return output.decode().splitlines() or [f"promtool {' '.join(arguments)} failed"]
