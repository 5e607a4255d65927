"""The dashboards' JSON against the types that Grafana publishes, by the TypeScript compiler.

JSON knows no enums, so the types are loosened to the values of theirs; a name that is not in a type is still an error.
"""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any, Final

from grafana.build import DASHBOARDS, ROOT
from tests.grafana.prometheus import CheckError

_TYPES: Final = Path(__file__).with_name("types.ts")
_OPTIONS: Final[dict[str, Any]] = {
    "compilerOptions": {
        "strict": True,
        "noEmit": True,
        "module": "esnext",
        "moduleResolution": "bundler",
        "target": "es2022",
        "skipLibCheck": True,
        "types": [],
    },
    "include": ["*.ts"],
}


async def wrong_types(install: Path) -> list[str]:
    """What the compiler says of the dashboards, with the packages that npm has installed in `install`."""
    directory = install / "dashboards"
    directory.mkdir(exist_ok=True)
    (directory / "tsconfig.json").write_text(json.dumps(_OPTIONS))
    shutil.copy(_TYPES, directory)
    for dashboard in DASHBOARDS:
        name = dashboard.uid.removeprefix("mcp-gateway-")
        text = (ROOT / "grafana" / "dashboards" / f"{name}.json").read_text()
        lines = [
            "import type { AnyDashboard } from './types';",
            f"export const dashboard: AnyDashboard = {text.strip()};",
        ]
        (directory / f"{name}.ts").write_text("\n".join(lines) + "\n")
    compiler = install / "node_modules" / ".bin" / "tsc"
    if not compiler.exists():
        raise CheckError(f"{compiler} is missing; `make grafana-check` installs it")
    process = await asyncio.create_subprocess_exec(
        compiler, "--project", directory, "--pretty", "false", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    failures = output.decode().splitlines()
    return failures or (["tsc failed and said nothing"] if process.returncode else [])
