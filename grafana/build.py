"""`python -m grafana.build`: writes every file here that is generated, or with `--check` says which one differs."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import yaml

from grafana.metrics_page import metrics_page
from grafana.overview import OVERVIEW
from grafana.panels import Dashboard, dashboard_json
from grafana.policy import POLICY
from grafana.rule_cases import cases_document
from grafana.rules import rules_document

ROOT: Final = Path(__file__).parents[1]
DASHBOARDS: Final = (OVERVIEW, POLICY)

_GENERATED: Final = "# Written by grafana/build.py; change that, then run `make dashboards`.\n"

_DATA_SOURCES: Final = {
    "apiVersion": 1,
    "datasources": [
        {
            "name": "Prometheus",
            "type": "prometheus",
            "uid": "mcp-gateway-prometheus",
            "access": "proxy",
            # 9090 is BinAssistMCP's own port.
            "url": "http://127.0.0.1:9091",
            "isDefault": True,
            "jsonData": {"timeInterval": "15s", "httpMethod": "POST"},
        }
    ],
}
_PROVIDERS: Final = {
    "apiVersion": 1,
    "providers": [
        {
            "name": "mcp-gateway",
            "folder": "MCP gateway",
            "type": "file",
            "allowUiUpdates": False,
            "options": {"path": "/etc/grafana/dashboards"},
        }
    ],
}


def files() -> dict[str, str]:
    """Every generated file: its text by its path from the root."""
    return {
        **{
            f"grafana/dashboards/{dashboard.uid.removeprefix('mcp-gateway-')}.json": _dashboard(dashboard)
            for dashboard in DASHBOARDS
        },
        "grafana/provisioning/datasources/prometheus.yaml": _yaml(_DATA_SOURCES),
        "grafana/provisioning/dashboards/mcp-gateway.yaml": _yaml(_PROVIDERS),
        "grafana/alerts/rules.yml": _yaml(rules_document()),
        "grafana/alerts/rules_test.yml": _yaml(cases_document()),
        "docs/metrics.md": metrics_page(),
    }


def write() -> None:
    """Write all of them."""
    for path, text in files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def stale() -> list[str]:
    """Those that are not as they would be written now."""
    return [path for path, text in files().items() if not (ROOT / path).exists() or (ROOT / path).read_text() != text]


def _dashboard(dashboard: Dashboard) -> str:
    others = tuple(other for other in DASHBOARDS if other is not dashboard)
    return json.dumps(dashboard_json(dashboard, others), indent=2, ensure_ascii=False) + "\n"


def _yaml(document: dict[str, Any]) -> str:
    return _GENERATED + yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=1000)


def main() -> int:
    """0, or 1 where `--check` finds a file that is stale."""
    parser = argparse.ArgumentParser(description="Write dashboards, rules and the page of metrics.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    if not parser.parse_args().check:
        write()
        return 0
    for path in (found := stale()):
        print(f"{path} is not what grafana/build.py writes; run `make dashboards`", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
