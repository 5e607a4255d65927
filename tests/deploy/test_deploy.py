"""What deploy/ names is there: files, commands, settings. No container is started."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from gateway.cli.demo_up import PORTS
from grafana.build import DASHBOARDS

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES = COMPOSE["services"]
each_service = pytest.mark.parametrize("name", SERVICES)


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's, as (keyword, arguments) with lines joined."""
    text = re.sub(r"\\\n\s*", "", (DEPLOY / "Dockerfile").read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(keyword, rest) for keyword, _, rest in (line.partition(" ") for line in lines)]


def gateway(*arguments: str) -> int:
    """The exit code of the command with `--help`: 0 where it understands what comes before that."""
    asked = [sys.executable, "-m", "gateway", *arguments, "--help"]
    return subprocess.run(asked, capture_output=True, check=False).returncode


def test_what_is_copied_into_the_image_is_there():
    """Each source of a COPY from the project, from which setup.py can build."""
    copied = [shlex.split(rest)[:-1] for keyword, rest in instructions() if keyword == "COPY"]
    sources = {source for parts in copied if not parts[0].startswith("--") for source in parts}
    assert {source for source in sources if not (ROOT / source).exists()} == set()
    assert {"pyproject.toml", "setup.py", "gateway", "constraints.txt"} <= sources


def test_the_image_is_small_and_unprivileged():
    """The compiler stays in the first stage; the gateway runs as a user of its own, on pinned bases."""
    steps = instructions()
    bases = [rest.split()[0] for keyword, rest in steps if keyword == "FROM"]
    assert all(re.fullmatch(r"\S+:\d\S*", base) for base in bases)
    last = steps[max(index for index, (keyword, _) in enumerate(steps) if keyword == "FROM") :]
    assert not any("gcc" in rest for _, rest in last)
    assert ("USER", "gateway") in last


def test_the_image_runs_the_command():
    """What it runs, and what it is told to, the command understands."""
    steps = dict(instructions())
    assert json.loads(steps["ENTRYPOINT"]) == ["/opt/gateway/bin/gateway"]
    assert gateway(*json.loads(steps["CMD"])) == 0
    assert gateway(*SERVICES["gateway"]["command"]) == 0


@each_service
def test_what_a_service_mounts_is_there(name: str):
    """A file or folder of the project, read-only, or a volume of its own."""
    for mount in SERVICES[name]["volumes"]:
        source, _, rest = mount.partition(":")
        if source.startswith("."):
            assert (DEPLOY / source).exists(), mount
            assert rest.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


@each_service
def test_images_are_pinned(name: str):
    """By their versions, so that tomorrow's is the one that was tried."""
    service = SERVICES[name]
    assert "build" in service or re.search(r":v?\d+\.\d+\.\d+$", service["image"])


def test_the_services_find_each_other():
    """On the host's loopback: Prometheus its files and the gateway, Grafana Prometheus and the dashboards."""
    assert {service["network_mode"] for service in SERVICES.values()} == {"host"}
    scraped = yaml.safe_load((ROOT / "grafana" / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": [f"127.0.0.1:{PORTS['admin']}"]}]
    (address,) = [a.partition("=")[2] for a in SERVICES["prometheus"]["command"] if a.startswith("--web.listen")]
    provisioning = ROOT / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yaml").read_text())["datasources"]
    assert source["url"] == f"http://{address}"
    assert int(address.partition(":")[2]) not in PORTS.values()
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "mcp-gateway.yaml").read_text())["providers"]
    folder = provider["options"]["path"]
    assert f"../grafana/dashboards:{folder}:ro" in SERVICES["grafana"]["volumes"]
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert str(home.parent) == folder
    assert (ROOT / "grafana" / "dashboards" / home.name).exists()
    assert len(list((ROOT / "grafana" / "dashboards").glob("*.json"))) == len(DASHBOARDS)
