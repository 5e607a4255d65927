"""Reading a configuration again. What it does to agents is shown in tests/functional/test_reload.py."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway import reload
from gateway.clock import ManualClock
from gateway.config import Config, load_config
from gateway.errors import DocumentError, Problem
from gateway.metrics import KnownNames, Metrics
from gateway.proxy.record import Recorder
from gateway.reload import Change, Reloader
from gateway.tasks import Tasks
from gateway.watch import Watch
from tests.support.gateways import SEED_POLICY, edit_config, write_config
from tests.support.journals import open_journal
from tests.support.waiting import eventually


class Reloading:
    """A reloader, what it was told to apply, and where it writes."""

    def __init__(self, directory: Path) -> None:
        self.path = write_config(directory, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY})
        self.applied: list[Config] = []
        self.refusal: DocumentError | None = None
        self.clock = ManualClock()
        self.metrics = Metrics("0", "none")
        self.journal = open_journal(directory / "audit")
        self.reloader = self.again()

    def again(self, key: bytes = b"key") -> Reloader:
        """Another reloader of the same file."""
        recorder = Recorder(self.journal, self.metrics, KnownNames(), self.clock)
        config = load_config(self.path)
        return Reloader(config, apply=self._apply, recorder=recorder, metrics=self.metrics, key=key)

    def revision(self) -> str:
        """Of what is in force."""
        return revision_of(self.reloader)

    def _apply(self, config: Config) -> Change:
        if self.refusal is not None:
            raise self.refusal
        self.applied.append(config)
        return Change(policies={"seed": "r"}, revoked=("gone",))


def revision_of(reloader: Reloader) -> str:
    """What it says is in force."""
    details: Any = reloader.details
    return str(details["config"]["revision"])


@pytest.fixture
def reloading(tmp_path: Path):
    """A reloader that nothing has happened to."""
    reloading = Reloading(tmp_path)
    yield reloading
    reloading.journal.close()


async def test_a_configuration_has_a_revision_of_its_own(reloading: Reloading):
    """The same for the same settings, another for others; without the key it tells nothing about credentials."""
    first = reloading.revision()
    assert await reloading.reloader.reload()
    assert reloading.revision() == first != revision_of(reloading.again(b"other key"))
    edit_config(reloading.path, lambda document: document["servers"]["binassist"]["headers"].update({"X-Api-Key": "2"}))
    assert await reloading.reloader.reload()
    assert reloading.revision() != first


async def test_the_time_of_the_last_success_is_told(reloading: Reloading):
    """A refused configuration does not move it."""
    reloading.clock.advance(seconds=10)
    reloading.refusal = DocumentError([Problem("f", "bad")])
    assert not await reloading.reloader.reload()
    name = "mcp_gateway_config_last_success_timestamp_seconds"
    assert reloading.metrics.registry.get_sample_value(name) == 1_800_000_000
    reloading.refusal = None
    assert await reloading.reloader.reload()
    assert reloading.metrics.registry.get_sample_value(name) == 1_800_000_010


async def test_many_problems_are_counted_and_some_are_told(reloading: Reloading):
    """The log and the record stay readable."""
    reloading.refusal = DocumentError([Problem("f", "x" * 1000)] * 100)
    assert not await reloading.reloader.reload()
    details: Any = reloading.reloader.details
    assert details["config"]["problems"] == 100
    assert len(reloading.journal.path.read_bytes()) < 20_000


async def test_reloads_come_one_after_the_other(reloading: Reloading):
    """Asked for at the same time, each reads the file whole and is applied whole."""
    assert all(await asyncio.gather(*(reloading.reloader.reload() for _ in range(5))))
    assert len(reloading.applied) == 5


async def test_being_asked_is_acted_on_at_once_and_once(reloading: Reloading, monkeypatch: pytest.MonkeyPatch):
    """Any number of signals that arrive together are one reload, however long the interval of looking."""
    monkeypatch.setattr(reload, "LOOK_INTERVAL_S", 1000)
    tasks = Tasks()
    tasks.spawn(reloading.reloader.run(), "watch")
    for count in (1, 2):
        for _ in range(10):
            reloading.reloader.ask()
        await eventually(lambda count=count: len(reloading.applied) == count)  # type: ignore[misc]
    await tasks.close()
    assert len(reloading.applied) == 2


async def test_only_a_change_is_acted_on_unasked(reloading: Reloading, monkeypatch: pytest.MonkeyPatch):
    """Looking alone reloads nothing; a change is reloaded once."""
    monkeypatch.setattr(reload, "LOOK_INTERVAL_S", 0.001)
    looked, look = [], Watch.has_settled_change

    def counted(watch: Watch) -> bool:
        looked.append(watch)
        return look(watch)

    monkeypatch.setattr(Watch, "has_settled_change", counted)
    tasks = Tasks()
    tasks.spawn(reloading.reloader.run(), "watch")
    await eventually(lambda: len(looked) > 5)
    assert reloading.applied == []
    edit_config(reloading.path, lambda document: document.update(allowed_hosts=["h"]))
    await eventually(lambda: reloading.applied)
    seen = len(looked)
    await eventually(lambda: len(looked) > seen + 5)
    await tasks.close()
    assert [config.allowed_hosts for config in reloading.applied] == [("h",)]
